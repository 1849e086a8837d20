//! [`Packager`]: the server's side of a stream's media-worker.
//!
//! It starts the child, feeds it, hands what comes back to the stream's [`hls::Origin`], and starts
//! another when it dies or stands still.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use hls::{Chunk, Origin, Writer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::frame::{
    self, Frame as _, FrameReader, FromWorker, Media, Part, Settings, Thumbnail, ToWorker, Track,
    TrackKind, Unit,
};

/// What a packager is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The program, and the arguments before which it is a media-worker.
    pub program: PathBuf,
    /// Such as `media-worker`.
    pub arguments: Vec<String>,
    /// Longest part, where pictures are not further apart.
    pub part: Duration,
    /// Length of a segment, where key frames allow it.
    pub segment: Duration,
    /// Bits a second of the sound.
    pub audio_bits_a_second: u32,
    /// Unix time, in milliseconds, of the stream's zero.
    pub zero_unix_ms: i64,
    /// A child that gives no sign of life for this long is killed: three segments are a good
    /// measure.
    pub patience: Duration,
}

/// A stream's packaging. Dropping it ends the stream's renditions and the child.
#[derive(Debug)]
pub struct Packager {
    origin: Origin,
    units: mpsc::Sender<Unit>,
    added: mpsc::Sender<Rendition>,
    worker: watch::Receiver<Option<u32>>,
    task: JoinHandle<()>,
}

/// Units that wait for the child: about two seconds. What comes when it is full is lost, and the
/// stream's HLS goes on at the next key frame.
const QUEUE: usize = 512;
/// Tracks that wait for it: all that there can be.
const TRACKS: usize = 256;
/// A child that died is replaced after this long, and one that died young after twice as long as the
/// one before it, up to [`LONGEST_PAUSE`]: what cannot live must not spin.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
const YOUNG: Duration = Duration::from_secs(10);
/// Before its first sign of life a child loads its plugins, which on a busy machine takes a while.
const START: Duration = Duration::from_secs(15);

impl Packager {
    /// Starts packaging into `origin`. About every ten seconds of the stream there is a thumbnail; one
    /// for which there is no room is lost.
    #[must_use]
    pub fn start(config: Config, origin: Origin, thumbnails: mpsc::Sender<Thumbnail>) -> Self {
        let (units, queue) = mpsc::channel(QUEUE);
        let (added, adding) = mpsc::channel(TRACKS);
        let (worker, watched) = watch::channel(None);
        let run = Run {
            config,
            queue: Queue {
                tracks: adding,
                units: queue,
            },
            renditions: BTreeMap::new(),
            thumbnails,
            worker,
        };
        Self {
            origin,
            units,
            added,
            worker: watched,
            task: tokio::spawn(run.run()),
        }
    }

    /// Adds a track, at any time, whose units become the rendition of that name. A number is for one
    /// track only. One that sends nothing holds up no other.
    ///
    /// Returns whether there was room for it, which there is unless hundreds are added at once.
    pub fn add_track(&self, id: u8, kind: TrackKind, name: &str) -> bool {
        let rendition = Rendition {
            track: Track { id, kind },
            writer: self.origin.writer(name),
            begins: None,
            breaks: false,
        };
        self.added.try_send(rendition).is_ok()
    }

    /// Hands over an access unit of a track that was added. Returns whether there was room for it.
    pub fn push(&self, unit: Unit) -> bool {
        self.units.try_send(unit).is_ok()
    }

    /// The process id of the child that packages now, and of each that replaces it.
    #[must_use]
    pub fn worker(&self) -> watch::Receiver<Option<u32>> {
        self.worker.clone()
    }

    /// Lets the child finish what it has, and ends the renditions.
    pub async fn finish(self) {
        drop((self.units, self.added));
        let _ = self.task.await;
    }
}

#[derive(Debug)]
struct Rendition {
    track: Track,
    writer: Writer,
    /// An initialisation whose first part has not come: only that tells the frame rate.
    begins: Option<frame::Init>,
    /// Whether its next initialisation does not continue what was: another child made that.
    breaks: bool,
}

/// What goes to the child.
struct Queue {
    tracks: mpsc::Receiver<Rendition>,
    units: mpsc::Receiver<Unit>,
}

enum Next {
    Track(Box<Rendition>),
    Unit(Unit),
}

impl Queue {
    /// The next thing for the child; none when there is no more. Tracks come before units, so that
    /// no unit comes before its track. Cancel safe.
    async fn next(&mut self) -> Option<Next> {
        tokio::select! {
            biased;
            Some(track) = self.tracks.recv() => Some(Next::Track(Box::new(track))),
            unit = self.units.recv() => unit.map(Next::Unit),
        }
    }
}

/// How a child ended.
enum End {
    /// The stream is over.
    Finished,
    /// In words.
    Died(String),
}

/// A stream, through all its children.
struct Run {
    config: Config,
    queue: Queue,
    renditions: BTreeMap<u8, Rendition>,
    thumbnails: mpsc::Sender<Thumbnail>,
    worker: watch::Sender<Option<u32>>,
}

impl Run {
    async fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            let started = Instant::now();
            let End::Died(why) = self.live().await else {
                break;
            };
            tracing::warn!(why, "A media-worker ended, another is started: {why}");
            self.worker.send_replace(None);
            if started.elapsed() > YOUNG {
                pause = PAUSE;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            // What waited is old by now.
            while self.queue.units.try_recv().is_ok() {}
            if self.queue.units.is_closed() {
                break;
            }
            for rendition in self.renditions.values_mut() {
                rendition.begins = None;
                rendition.breaks = true;
            }
        }
        self.end();
    }

    fn end(&mut self) {
        self.worker.send_replace(None);
        // Some may not have been told to a child.
        while let Ok(mut rendition) = self.queue.tracks.try_recv() {
            rendition.writer.end();
        }
        for rendition in self.renditions.values_mut() {
            rendition.writer.end();
        }
    }

    /// One child, from its start to its end.
    async fn live(&mut self) -> End {
        let (mut child, socket) = match start(&self.config) {
            Ok(started) => started,
            Err(error) => return End::Died(format!("it cannot be started: {error}")),
        };
        self.worker.send_replace(child.id());
        let ended = self.exchange(socket).await;
        let _ = child.start_kill();
        let _ = child.wait().await;
        ended
    }

    /// Feeds a child and takes what it makes, both at once: neither ever waits for the other.
    async fn exchange(&mut self, socket: UnixStream) -> End {
        let (from, mut to) = socket.into_split();
        let mut from = FrameReader::new(from);
        let mut feeds = true;
        let mut unsent = self.opening();
        let mut pings = interval((self.config.patience / 4).max(Duration::from_millis(10)));
        let mut is_ping_due = false;
        let mut patience = Instant::now() + self.config.patience + START;
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
                next = self.queue.next(), if unsent.is_empty() && feeds => match next {
                    Some(Next::Unit(unit)) => unsent = ToWorker::Unit(unit).to_bytes(),
                    Some(Next::Track(rendition)) => unsent = self.add(*rendition),
                    None => {
                        feeds = false;
                        close(&mut to).await;
                    }
                },
                frame = from.next::<FromWorker>() => match frame {
                    Ok(Some(frame)) => {
                        patience = Instant::now() + self.config.patience;
                        if let Err(why) = self.take(frame) {
                            return End::Died(why);
                        }
                    }
                    Ok(None) if !feeds => return End::Finished,
                    Ok(None) => return End::Died("it closed its socket".to_owned()),
                    Err(error) => return End::Died(error.to_string()),
                },
                _ = pings.tick() => is_ping_due = true,
                () = sleep_until(patience) => return End::Died("it stood still".to_owned()),
            }
        }
    }

    /// What a child hears first.
    fn opening(&self) -> Bytes {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = ToWorker::Settings(Settings {
            part_ms: millis(self.config.part),
            segment_ms: millis(self.config.segment),
            audio_bits_a_second: self.config.audio_bits_a_second,
        });
        let renditions = self.renditions.values();
        let tracks = renditions.map(|rendition| ToWorker::Track(rendition.track));
        let frames = std::iter::once(settings).chain(tracks);
        frames.flat_map(|frame| frame.to_bytes()).collect()
    }

    /// Adds a rendition. Returns what the child is sent of it.
    fn add(&mut self, mut rendition: Rendition) -> Bytes {
        let track = rendition.track;
        if self.renditions.contains_key(&track.id) {
            tracing::warn!("Track {} of a packager was added twice", track.id);
            rendition.writer.end();
            return Bytes::new();
        }
        self.renditions.insert(track.id, rendition);
        ToWorker::Track(track).to_bytes()
    }

    fn take(&mut self, frame: FromWorker) -> Result<(), String> {
        match frame {
            FromWorker::Init(init) => {
                let rendition = rendition(&mut self.renditions, init.track)?;
                rendition.breaks |= init.discontinuity;
                rendition.begins = Some(init);
                Ok(())
            }
            FromWorker::Part(part) => self.take_part(part),
            FromWorker::Problem(words) => {
                tracing::warn!(words, "A media-worker reports: {words}");
                Ok(())
            }
            FromWorker::Thumbnail(thumbnail) => {
                let _ = self.thumbnails.try_send(thumbnail);
                Ok(())
            }
            FromWorker::Alive => Ok(()),
        }
    }

    fn take_part(&mut self, part: Part) -> Result<(), String> {
        let rendition = rendition(&mut self.renditions, part.track)?;
        if let Some(init) = rendition.begins.take() {
            let init = hls::Init {
                bytes: init.bytes,
                media: media(init.media, &part),
                zero_unix_ms: self.config.zero_unix_ms,
                discontinuity: std::mem::take(&mut rendition.breaks),
            };
            let begun = rendition.writer.begin(init);
            begun.map_err(|error| error.to_string())?;
        }
        let pushed = rendition.writer.push(Chunk {
            bytes: part.bytes,
            start: part.start,
            duration: part.duration,
            independent: part.independent,
            ends_segment: part.ends_segment,
        });
        pushed.map_err(|error| error.to_string())
    }
}

fn start(config: &Config) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let child = Command::new(&config.program)
        .args(&config.arguments)
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

fn rendition(tracks: &mut BTreeMap<u8, Rendition>, track: u8) -> Result<&mut Rendition, String> {
    tracks
        .get_mut(&track)
        .ok_or_else(|| "it named a track that there is not".to_owned())
}

fn media(media: Media, first: &Part) -> hls::Media {
    match media {
        Media::Video {
            codec,
            width,
            height,
        } => hls::Media::Video {
            codec,
            width,
            height,
            frame_rate: frame_rate(first),
        },
        Media::Audio { codec, channels } => hls::Media::Audio { codec, channels },
    }
}

/// Pictures a second; whole where it is nearly so.
fn frame_rate(part: &Part) -> f64 {
    let rate = f64::from(part.samples) / part.duration.as_secs_f64().max(0.001);
    let whole = rate.round();
    if (rate - whole).abs() < rate * 0.02 {
        whole
    } else {
        rate
    }
}
