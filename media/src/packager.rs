//! [`Packager`]: what a stream is packaged with.
//!
//! It feeds a media-worker and hands what comes back to the stream's [`hls::Origin`].

use std::collections::BTreeMap;
use std::time::Duration;

use hls::{Chunk, Origin, Writer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::message::{
    FromWorker, Init, Media, Part, Settings, Thumbnail, ToWorker, Track, TrackKind, Unit,
};
use crate::supervisor::{Work, Worker, supervise};

/// What a packager is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The child.
    pub worker: Worker,
    /// Longest part, where pictures are not further apart.
    pub part: Duration,
    /// Length of a segment, where key frames allow it.
    pub segment: Duration,
    /// Bits a second of the sound.
    pub audio_bits_a_second: u32,
    /// Unix time, in milliseconds, of the stream's zero.
    pub zero_unix_ms: i64,
}

/// A part that players have from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartMade {
    /// Where it ends, on the stream's clock.
    pub end: Duration,
    /// How long it is.
    pub duration: Duration,
}

/// Who hears what comes of packaging, beside the origin. What they have no room for is lost.
#[derive(Debug)]
pub struct Listeners {
    /// About every ten seconds of the stream there is one.
    pub thumbnails: mpsc::Sender<Thumbnail>,
    /// Each part of each rendition.
    pub parts: mpsc::Sender<PartMade>,
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

impl Packager {
    /// Starts packaging into `origin`.
    #[must_use]
    pub fn start(config: Config, origin: Origin, listeners: Listeners) -> Self {
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
            listeners,
        };
        Self {
            origin,
            units,
            added,
            worker: watched,
            task: tokio::spawn(run.run(worker).in_current_span()),
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
    begins: Option<Init>,
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

/// A stream, through all its children.
struct Run {
    config: Config,
    queue: Queue,
    renditions: BTreeMap<u8, Rendition>,
    listeners: Listeners,
}

impl Run {
    async fn run(mut self, watched: watch::Sender<Option<u32>>) {
        let worker = self.config.worker.clone();
        supervise(&worker, &mut self, &watched).await;
        // Some may not have been told to a child.
        while let Ok(mut rendition) = self.queue.tracks.try_recv() {
            rendition.writer.end();
        }
        for rendition in self.renditions.values_mut() {
            rendition.writer.end();
        }
    }

    /// Adds a rendition. Returns what the child is told of it.
    fn add(&mut self, mut rendition: Rendition) -> Option<ToWorker> {
        let track = rendition.track;
        if self.renditions.contains_key(&track.id) {
            tracing::warn!("Track {} of a packager was added twice", track.id);
            rendition.writer.end();
            return None;
        }
        self.renditions.insert(track.id, rendition);
        Some(ToWorker::Track(track))
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
        let made = PartMade {
            end: part.start + part.duration,
            duration: part.duration,
        };
        let pushed = rendition.writer.push(Chunk {
            bytes: part.bytes,
            start: part.start,
            duration: part.duration,
            independent: part.independent,
            ends_segment: part.ends_segment,
        });
        pushed.map_err(|error| error.to_string())?;
        let _ = self.listeners.parts.try_send(made);
        Ok(())
    }
}

impl Work for Run {
    fn opening(&self) -> Vec<ToWorker> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = ToWorker::Settings(Settings {
            part_ms: millis(self.config.part),
            segment_ms: millis(self.config.segment),
            audio_bits_a_second: self.config.audio_bits_a_second,
        });
        let renditions = self.renditions.values();
        let tracks = renditions.map(|rendition| ToWorker::Track(rendition.track));
        std::iter::once(settings).chain(tracks).collect()
    }

    async fn next(&mut self) -> Option<ToWorker> {
        loop {
            match self.queue.next().await? {
                Next::Unit(unit) => return Some(ToWorker::Unit(unit)),
                Next::Track(rendition) => {
                    if let Some(track) = self.add(*rendition) {
                        return Some(track);
                    }
                }
            }
        }
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
            FromWorker::Thumbnail(thumbnail) => {
                let _ = self.listeners.thumbnails.try_send(thumbnail);
                Ok(())
            }
            other => Err(format!(
                "it sent {}, which it was not asked for",
                other.name()
            )),
        }
    }

    fn renew(&mut self) -> bool {
        while self.queue.units.try_recv().is_ok() {}
        for rendition in self.renditions.values_mut() {
            rendition.begins = None;
            rendition.breaks = true;
        }
        !self.queue.units.is_closed()
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
