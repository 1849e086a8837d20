//! [`Transcoder`]: the server's side of a ladder.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::frame::{FromWorker, Ladder, ToWorker, Unit};
use crate::supervisor::{Work, Worker, supervise};

/// Makes several sizes of one picture, in a child of its own: what is packaged untouched does not
/// suffer from a decoder that fails or a machine that is too slow. Dropping it ends that.
#[derive(Debug)]
pub struct Transcoder {
    units: mpsc::Sender<Unit>,
    worker: watch::Receiver<Option<u32>>,
    task: JoinHandle<()>,
}

/// Units that wait for the child: about a second. What comes when it is full is lost, up to the next
/// key frame.
const QUEUE: usize = 32;

impl Transcoder {
    /// Starts making what `ladder` says, with the encoder of that name, as [`crate::find_encoder`] gives
    /// it. What is made goes to `made`; when there is no room, it is lost up to the next key frame.
    #[must_use]
    pub fn start(worker: Worker, encoder: &str, ladder: Ladder, made: mpsc::Sender<Unit>) -> Self {
        let mut worker = worker;
        let encoder = ["--encoder".to_owned(), encoder.to_owned()];
        worker.arguments.extend(encoder);
        let (units, queue) = mpsc::channel(QUEUE);
        let (watched, watching) = watch::channel(None);
        let mut run = Run {
            ladder,
            queue,
            made,
            broken: BTreeSet::new(),
        };
        Self {
            units,
            worker: watching,
            task: tokio::spawn(async move { supervise(&worker, &mut run, &watched).await }),
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
    ladder: Ladder,
    queue: mpsc::Receiver<Unit>,
    made: mpsc::Sender<Unit>,
    /// Rungs that go on at their next key frame.
    broken: BTreeSet<u8>,
}

impl Work for Run {
    fn opening(&self) -> Vec<ToWorker> {
        vec![ToWorker::Ladder(self.ladder.clone())]
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
        if !self.ladder.rungs.iter().any(|rung| rung.track == track) {
            return Err("it made a rung that there is not".to_owned());
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
        let rungs = self.ladder.rungs.iter();
        self.broken.extend(rungs.map(|rung| rung.track));
        !self.queue.is_closed()
    }
}
