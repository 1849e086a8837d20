//! The server's side of a media-worker: starts the child, feeds it, and starts another when it dies
//! or stands still.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::frame::{Frame as _, FrameReader};
use crate::message::{FromWorker, ToWorker};

/// How a media-worker is started, and how long it may stand still.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program, and the arguments with which it is a media-worker.
    pub program: PathBuf,
    /// Such as `media-worker`.
    pub arguments: Vec<String>,
    /// A child that gives no sign of life for this long is killed: three segments are a good
    /// measure.
    pub patience: Duration,
}

/// What a child is for.
pub(crate) trait Work: Send {
    /// What a child hears first.
    fn opening(&self) -> Vec<ToWorker>;

    /// The next thing for the child; none when there is no more. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<ToWorker>> + Send;

    /// Takes what the child made.
    ///
    /// # Errors
    /// In words, when a child must not say that: it is killed.
    fn take(&mut self, frame: FromWorker) -> Result<(), String>;

    /// The child is gone and another comes: what waited is old by now. Returns whether anything
    /// more can come.
    fn renew(&mut self) -> bool;
}

/// A child that died is replaced after this long, and one that died young after twice as long as the
/// one before it, up to [`LONGEST_PAUSE`]: what cannot live must not spin.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
const YOUNG: Duration = Duration::from_secs(10);
/// Before its first sign of life a child loads its plugins, which on a busy machine takes a while.
const START: Duration = Duration::from_secs(15);

/// How a child ended.
enum End {
    /// There is no more work.
    Finished,
    /// In words.
    Died(String),
}

/// Works to the end, through all children that it takes. `watched` has the process id of the one
/// that lives.
pub(crate) async fn supervise<W: Work>(
    worker: &Worker,
    work: &mut W,
    watched: &watch::Sender<Option<u32>>,
) {
    let mut pause = PAUSE;
    loop {
        let started = Instant::now();
        let ended = live(worker, work, watched).await;
        watched.send_replace(None);
        let End::Died(why) = ended else {
            return;
        };
        tracing::warn!(why, "A media-worker ended, another is started: {why}");
        if started.elapsed() > YOUNG {
            pause = PAUSE;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        if !work.renew() {
            return;
        }
    }
}

/// One child, from its start to its end.
async fn live<W: Work>(worker: &Worker, work: &mut W, watched: &watch::Sender<Option<u32>>) -> End {
    let (mut child, socket) = match start(worker) {
        Ok(started) => started,
        Err(error) => return End::Died(format!("it cannot be started: {error}")),
    };
    watched.send_replace(child.id());
    let ended = exchange(worker.patience, work, socket).await;
    let _ = child.start_kill();
    let _ = child.wait().await;
    ended
}

/// Feeds a child and takes what it makes, both at once: neither ever waits for the other.
async fn exchange<W: Work>(patience: Duration, work: &mut W, socket: UnixStream) -> End {
    let (from, mut to) = socket.into_split();
    let mut from = FrameReader::new(from);
    let mut feeds = true;
    let opening = work.opening();
    let mut unsent: Bytes = opening.iter().flat_map(|frame| frame.to_bytes()).collect();
    let mut pings = interval((patience / 4).max(Duration::from_millis(10)));
    let mut is_ping_due = false;
    let mut given_up = Instant::now() + patience + START;
    loop {
        if unsent.is_empty() && feeds && std::mem::take(&mut is_ping_due) {
            unsent = ToWorker::Ping.to_bytes();
        }
        tokio::select! {
            sent = to.write_buf(&mut unsent), if !unsent.is_empty() => {
                if let Err(error) = sent {
                    return End::Died(format!("its socket failed: {error}"));
                }
            }
            next = work.next(), if unsent.is_empty() && feeds => match next {
                Some(frame) => unsent = frame.to_bytes(),
                None => {
                    feeds = false;
                    close(&mut to).await;
                }
            },
            frame = from.next::<FromWorker>() => match frame {
                Ok(Some(frame)) => {
                    given_up = Instant::now() + patience;
                    if let Err(why) = take(work, frame) {
                        return End::Died(why);
                    }
                }
                Ok(None) if !feeds => return End::Finished,
                Ok(None) => return End::Died("it closed its socket".to_owned()),
                Err(error) => return End::Died(error.to_string()),
            },
            _ = pings.tick() => is_ping_due = true,
            () = sleep_until(given_up) => return End::Died("it stood still".to_owned()),
        }
    }
}

fn take<W: Work>(work: &mut W, frame: FromWorker) -> Result<(), String> {
    match frame {
        FromWorker::Alive => Ok(()),
        FromWorker::Problem(words) => {
            tracing::warn!(words, "A media-worker reports: {words}");
            Ok(())
        }
        made => work.take(made),
    }
}

fn start(worker: &Worker) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let child = Command::new(&worker.program)
        .args(&worker.arguments)
        // It needs to know where plugins are, and nothing of our secrets.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_passed_on(&name.to_string_lossy())))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        // What is typed at a terminal ends the server, which then lets the child finish.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    ours.set_nonblocking(true)?;
    Ok((child, UnixStream::from_std(ours)?))
}

fn is_passed_on(name: &str) -> bool {
    name.starts_with("GST_") || ["PATH", "HOME", "LANG", "XDG_CACHE_HOME"].contains(&name)
}

/// Tells the child that nothing more comes.
async fn close(socket: &mut OwnedWriteHalf) {
    // Where that fails, the child is gone, and reading tells.
    let _ = socket.shutdown().await;
}
