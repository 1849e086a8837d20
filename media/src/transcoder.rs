//! [`Transcoder`]: the server's side of a ladder.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::message::{FromWorker, Ladder, OpusJob, ToWorker, Unit};
use crate::supervisor::{Work, Worker, supervise};

/// Makes several sizes of one picture, or Opus of AAC, in a child of its own: what is packaged untouched does not
/// suffer from a decoder that fails or a machine that is too slow. Dropping it ends that.
#[derive(Debug)]
pub struct Transcoder {
    units: mpsc::Sender<Unit>,
    worker: watch::Receiver<Option<u32>>,
    task: JoinHandle<()>,
}

/// Units that wait for the child: a long group of pictures, or what a stalled uplink delivers at once. What
/// comes when it is full is lost, up to the next key frame.
const QUEUE: usize = 384;

impl Transcoder {
    /// Starts making what `ladder` says, with the encoder of that name, as [`crate::find_encoder`] gives
    /// it. What is made goes to `made`; when there is no room, it is lost up to the next key frame.
    #[must_use]
    pub fn start(worker: Worker, encoder: &str, ladder: Ladder, made: mpsc::Sender<Unit>) -> Self {
        let mut worker = worker;
        let encoder = ["--encoder".to_owned(), encoder.to_owned()];
        worker.arguments.extend(encoder);
        let tracks = ladder.rungs.iter().map(|rung| rung.track).collect();
        Self::run(worker, ToWorker::Ladder(ladder), tracks, made)
    }

    /// Starts making Opus of AAC, 48 kHz in stereo. What finds no room in `made` is lost.
    #[must_use]
    pub fn to_opus(worker: Worker, job: OpusJob, made: mpsc::Sender<Unit>) -> Self {
        Self::run(worker, ToWorker::ToOpus(job), vec![job.track], made)
    }

    fn run(worker: Worker, job: ToWorker, tracks: Vec<u8>, made: mpsc::Sender<Unit>) -> Self {
        let (units, queue) = mpsc::channel(QUEUE);
        let (watched, watching) = watch::channel(None);
        let mut run = Run {
            job,
            tracks,
            queue,
            made,
            broken: BTreeSet::new(),
        };
        Self {
            units,
            worker: watching,
            task: tokio::spawn(
                async move { supervise(&worker, &mut run, &watched).await }.in_current_span(),
            ),
        }
    }

    /// Hands over a unit of the source. Returns whether there was room for it.
    pub fn push(&self, unit: Unit) -> bool {
        self.units.try_send(unit).is_ok()
    }

    /// The process id of the child that transcodes now, and of each that replaces it.
    #[must_use]
    pub fn worker(&self) -> watch::Receiver<Option<u32>> {
        self.worker.clone()
    }
}

impl Drop for Transcoder {
    fn drop(&mut self) {
        // The child dies with the task; what it still holds is nobody's.
        self.task.abort();
    }
}

struct Run {
    job: ToWorker,
    /// What it makes.
    tracks: Vec<u8>,
    queue: mpsc::Receiver<Unit>,
    made: mpsc::Sender<Unit>,
    /// Those of them that go on at their next key frame.
    broken: BTreeSet<u8>,
}

impl Work for Run {
    fn opening(&self) -> Vec<ToWorker> {
        vec![self.job.clone()]
    }

    async fn next(&mut self) -> Option<ToWorker> {
        self.queue.recv().await.map(ToWorker::Unit)
    }

    fn take(&mut self, frame: FromWorker) -> Result<(), String> {
        let FromWorker::Unit(unit) = frame else {
            return Err(format!(
                "it sent {}, which it was not asked for",
                frame.name()
            ));
        };
        let track = unit.track;
        if !self.tracks.contains(&track) {
            return Err("it made a track that there is not".to_owned());
        }
        if unit.keyframe {
            self.broken.remove(&track);
        }
        if self.broken.contains(&track) || self.made.try_send(unit).is_err() {
            self.broken.insert(track);
        }
        Ok(())
    }

    fn renew(&mut self) -> bool {
        while self.queue.try_recv().is_ok() {}
        self.broken.extend(&self.tracks);
        !self.queue.is_closed()
    }
}
