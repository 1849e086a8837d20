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

use hls::{Chunk, Origin, Writer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::frame::{
    self, Frame as _, FromWorker, Media, Part, Settings, ToWorker, Track, TrackKind, Unit,
};

/// What a packager is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The program, and the arguments before which it is a media-worker.
    pub program: PathBuf,
    /// Such as `media-worker`.
    pub arguments: Vec<String>,
    /// Longest part.
    pub part: Duration,
    /// Length of a segment, where key frames allow it.
    pub segment: Duration,
    /// Bits a second of the sound.
    pub audio_bits_a_second: u32,
    /// Unix time, in milliseconds, of the stream's zero.
    pub zero_unix_ms: i64,
    /// A child that makes nothing for this long, though it is fed, is killed.
    pub patience: Duration,
}

/// A stream's packaging. Dropping it ends the stream's renditions and the child.
#[derive(Debug)]
pub struct Packager {
    units: mpsc::Sender<ToWorker>,
    task: JoinHandle<()>,
}

/// Units that wait for the child: about two seconds. What comes when it is full is lost, and the
/// stream's HLS goes on at the next key frame.
const QUEUE: usize = 512;
/// A child that died is replaced after this long, so that one that cannot start does not spin.
const PAUSE: Duration = Duration::from_millis(500);

impl Packager {
    /// Starts packaging into `origin`. Each track gets the rendition of its name.
    #[must_use]
    pub fn start(config: Config, origin: Origin, tracks: &[(u8, TrackKind, &str)]) -> Self {
        let (units, queue) = mpsc::channel(QUEUE);
        let tracks = tracks
            .iter()
            .map(|(id, kind, name)| {
                let rendition = Rendition {
                    track: Track {
                        id: *id,
                        kind: *kind,
                    },
                    writer: origin.writer(name),
                    begins: None,
                };
                (*id, rendition)
            })
            .collect();
        let task = tokio::spawn(run(config, tracks, queue));
        Self { units, task }
    }

    /// Hands over an access unit. Returns whether there was room for it.
    pub fn push(&self, unit: Unit) -> bool {
        self.units.try_send(ToWorker::Unit(unit)).is_ok()
    }

    /// Lets the child finish what it has, and ends the renditions.
    pub async fn finish(self) {
        drop(self.units);
        let _ = self.task.await;
    }
}

struct Rendition {
    track: Track,
    writer: Writer,
    /// An initialisation whose first part has not come: only that tells the frame rate.
    begins: Option<frame::Init>,
}

/// How a child ended.
enum End {
    /// The stream is over.
    Finished,
    /// In words.
    Died(String),
}

async fn run(
    config: Config,
    mut tracks: BTreeMap<u8, Rendition>,
    mut queue: mpsc::Receiver<ToWorker>,
) {
    let mut is_first = true;
    loop {
        let ended = match start(&config) {
            Ok((child, socket)) => {
                let mut life = Life {
                    config: &config,
                    tracks: &mut tracks,
                    is_first,
                };
                life.live(child, socket, &mut queue).await
            }
            Err(error) => End::Died(format!("it cannot be started: {error}")),
        };
        is_first = false;
        match ended {
            End::Finished => break,
            End::Died(why) => {
                tracing::warn!(why, "A media-worker ended, another is started: {why}");
                sleep(PAUSE).await;
                // What waited is old by now.
                while queue.try_recv().is_ok() {}
                if queue.is_closed() && queue.is_empty() {
                    break;
                }
            }
        }
    }
    for rendition in tracks.values_mut() {
        rendition.writer.end();
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
        .kill_on_drop(true)
        .spawn()?;
    ours.set_nonblocking(true)?;
    Ok((child, UnixStream::from_std(ours)?))
}

fn is_passed_on(name: &str) -> bool {
    name.starts_with("GST_") || ["PATH", "HOME", "LANG", "XDG_CACHE_HOME"].contains(&name)
}

/// One child, from its start to its end.
struct Life<'a> {
    config: &'a Config,
    tracks: &'a mut BTreeMap<u8, Rendition>,
    is_first: bool,
}

impl Life<'_> {
    async fn live(
        &mut self,
        mut child: Child,
        socket: UnixStream,
        queue: &mut mpsc::Receiver<ToWorker>,
    ) -> End {
        let (read, write) = socket.into_split();
        let mut read = tokio::io::BufReader::with_capacity(256 * 1024, read);
        let (feed, fed) = mpsc::channel(1);
        let feeding = feed_child(write, self.opening(), queue, feed);
        tokio::pin!(feeding);
        let mut watchdog = Watchdog::new(self.config.patience);
        let mut fed = fed;
        let mut feeds = true;
        let ended = loop {
            tokio::select! {
                done = &mut feeding, if feeds => {
                    feeds = false;
                    if let Err(error) = done {
                        break End::Died(format!("its socket failed: {error}"));
                    }
                    // The stream is over: the child finishes what it has and closes.
                    watchdog.fed();
                }
                Some(()) = fed.recv() => watchdog.fed(),
                frame = frame::read_async::<FromWorker>(&mut read) => match frame {
                    Ok(Some(frame)) => {
                        watchdog.made();
                        if let Err(why) = self.take(frame) {
                            break End::Died(why);
                        }
                    }
                    Ok(None) if !feeds => break End::Finished,
                    Ok(None) => break End::Died("it closed its socket".to_owned()),
                    Err(error) => break End::Died(error.to_string()),
                },
                () = watchdog.bites() => break End::Died("it stood still".to_owned()),
            }
        };
        let _ = child.start_kill();
        let _ = child.wait().await;
        ended
    }

    /// What a child hears first.
    fn opening(&self) -> Vec<ToWorker> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = ToWorker::Settings(Settings {
            part_ms: millis(self.config.part),
            segment_ms: millis(self.config.segment),
            audio_bits_a_second: self.config.audio_bits_a_second,
        });
        let tracks = self.tracks.values().map(|r| ToWorker::Track(r.track));
        std::iter::once(settings).chain(tracks).collect()
    }

    fn take(&mut self, frame: FromWorker) -> Result<(), String> {
        match frame {
            FromWorker::Init(init) => {
                let rendition = rendition(self.tracks, init.track)?;
                rendition.begins = Some(init);
                Ok(())
            }
            FromWorker::Part(part) => self.take_part(part),
            FromWorker::Problem(words) => {
                tracing::warn!(words, "A media-worker reports: {words}");
                Ok(())
            }
        }
    }

    fn take_part(&mut self, part: Part) -> Result<(), String> {
        let rendition = rendition(self.tracks, part.track)?;
        // A run that ends with a single sample cannot tell how long that is.
        if part.duration.is_zero() {
            return Ok(());
        }
        if let Some(init) = rendition.begins.take() {
            let init = hls::Init {
                bytes: init.bytes,
                media: media(init.media, &part),
                zero_unix_ms: self.config.zero_unix_ms,
                discontinuity: init.discontinuity || !self.is_first,
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

async fn feed_child(
    mut socket: OwnedWriteHalf,
    opening: Vec<ToWorker>,
    queue: &mut mpsc::Receiver<ToWorker>,
    fed: mpsc::Sender<()>,
) -> io::Result<()> {
    for frame in opening {
        socket.write_all(&frame.to_bytes()).await?;
    }
    while let Some(frame) = queue.recv().await {
        socket.write_all(&frame.to_bytes()).await?;
        let _ = fed.try_send(());
    }
    socket.shutdown().await
}

/// Bites a child that is fed and makes nothing.
struct Watchdog {
    patience: Duration,
    hungry_since: Option<Instant>,
}

impl Watchdog {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            hungry_since: None,
        }
    }

    fn fed(&mut self) {
        self.hungry_since.get_or_insert_with(Instant::now);
    }

    fn made(&mut self) {
        self.hungry_since = None;
    }

    async fn bites(&self) {
        match self.hungry_since {
            Some(since) => sleep_until(since + self.patience).await,
            None => std::future::pending().await,
        }
    }
}
