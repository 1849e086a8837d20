//! [`Packaging`]: one stream from the SFU's tap to its media-worker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::{Packager, Thumbnail, TrackKind, Unit, Worker};
use sfu::{AccessUnit, Sfu, Tap, TapCodec, TapTrack, Tapped, Track};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::sources::{LayerFacts, Renditions};
use super::{Inner, OnAir};
use crate::clock::Clock;
use crate::config::Hls;

/// How streams are packaged.
#[derive(Debug)]
pub(super) struct Packaging {
    settings: Hls,
    program: PathBuf,
    clock: Clock,
}

/// Number of the rendition that holds the sound; those with pictures count from zero.
const SOUND: u8 = 100;
/// How often a stream is tapped before it is given up, and what lies between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// Thumbnails that may wait for the disk.
const THUMBNAILS: usize = 4;

impl Packaging {
    pub(super) fn new(playback: &Inner) -> Self {
        Self {
            settings: playback.settings.clone(),
            program: playback.program.clone(),
            clock: playback.clock.clone(),
        }
    }

    /// Packages the stream to its end; then all of it is on disk.
    pub(super) async fn run(self, on_air: Arc<OnAir>, sfu: Sfu) {
        if let Some(tap) = self.tap(&on_air, &sfu).await {
            self.package(&on_air, tap).await;
        }
        on_air.origin.close().await;
    }

    /// Taps the stream. A media thread that is too busy to answer is asked again.
    async fn tap(&self, on_air: &OnAir, sfu: &Sfu) -> Option<Tap> {
        for _ in 0..TRIES {
            match sfu.tap(on_air.stream).await {
                Some(tap) => return Some(tap),
                None if sfu.stream_stats(on_air.stream).await.is_none() => return None,
                None => sleep(PAUSE).await,
            }
        }
        let stream = on_air.stream;
        tracing::error!(stream.id = %stream, "Stream {stream} cannot be tapped: there is no HLS of it");
        on_air.set_unavailable(Some("the server is too busy to package it".to_owned()));
        None
    }

    async fn package(&self, on_air: &OnAir, mut tap: Tap) {
        let zero_unix_ms = self.clock.now().as_millisecond() - age_ms(&tap, &self.clock);
        let (thumbnails, mut shown) = mpsc::channel(THUMBNAILS);
        let config = self.packager(zero_unix_ms);
        let mut feed = Feed {
            packager: Packager::start(config, on_air.origin.clone(), thumbnails),
            renditions: Renditions::default(),
            has_sound: false,
            is_playable: false,
        };
        let feeding = async {
            while let Some(tapped) = tap.next().await {
                match tapped {
                    Tapped::Tracks(tracks) => feed.take_tracks(&tracks, on_air),
                    Tapped::Unit(unit) => feed.take(unit, &tap),
                }
            }
            feed.packager.finish().await;
        };
        // Beside it: a disk that stands still must not hold up the media.
        let showing = async {
            while let Some(thumbnail) = shown.recv().await {
                show(on_air, thumbnail, zero_unix_ms).await;
            }
        };
        tokio::join!(feeding, showing);
    }

    fn packager(&self, zero_unix_ms: i64) -> media::Config {
        media::Config {
            worker: self.worker(),
            part: self.settings.part(),
            segment: self.settings.segment(),
            audio_bits_a_second: self.settings.audio_kbits * 1_000,
            zero_unix_ms,
        }
    }

    fn worker(&self) -> Worker {
        Worker {
            program: self.program.clone(),
            arguments: vec!["media-worker".to_owned()],
            patience: self.settings.segment() * 3,
        }
    }
}

/// What this machine lacks for packaging, in words. It is asked for in a process of its own: the
/// server itself runs no GStreamer.
pub(super) async fn lacks(program: &Path) -> Option<String> {
    let mut check = Command::new(program);
    check.args(["media-worker", "--check"]).kill_on_drop(true);
    match check.output().await {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let missing = String::from_utf8_lossy(&output.stdout)
                .trim()
                .replace('\n', ", ");
            Some(format!(
                "GStreamer lacks {missing}; install it and start the server again"
            ))
        }
        Err(error) => Some(format!("the media-worker cannot be started: {error}")),
    }
}

/// Milliseconds since the tap's zero.
fn age_ms(tap: &Tap, clock: &Clock) -> i64 {
    let age = clock.instant().saturating_duration_since(tap.zero());
    i64::try_from(age.as_millis()).unwrap_or_default()
}

async fn show(on_air: &OnAir, thumbnail: Thumbnail, zero_unix_ms: i64) {
    let after = i64::try_from(thumbnail.pts.as_millis()).unwrap_or_default();
    let unix_ms = zero_unix_ms.saturating_add(after);
    on_air.thumbnails.add(unix_ms, thumbnail.jpeg).await;
}

/// What goes to the worker.
struct Feed {
    packager: Packager,
    renditions: Renditions,
    has_sound: bool,
    /// Whether the publisher's pictures are H264.
    is_playable: bool,
}

impl Feed {
    fn take_tracks(&mut self, tracks: &[TapTrack], on_air: &OnAir) {
        let unplayable = tracks
            .iter()
            .find(|track| matches!(track.track, Track::Video(_)) && track.codec != TapCodec::H264);
        on_air.set_unavailable(unplayable.map(|track| {
            format!(
                "the host sends {}, which HLS players cannot play; H264 can be watched by HLS",
                name(track.codec)
            )
        }));
        self.is_playable = unplayable.is_none();
        if !self.is_playable {
            return;
        }
        let layers: Vec<LayerFacts> = tracks
            .iter()
            .filter_map(|track| match track.track {
                Track::Video(layer) => Some(LayerFacts {
                    layer,
                    rid: track.rid.clone(),
                    size: track.size,
                }),
                Track::Audio => None,
            })
            .collect();
        for rendition in self.renditions.take_layers(&layers) {
            let name = format!("v{rendition}");
            self.packager.add_track(rendition, TrackKind::H264, &name);
        }
        let sounds = tracks.iter().any(|track| track.codec == TapCodec::Opus);
        if sounds && !self.has_sound {
            self.has_sound = true;
            self.packager.add_track(SOUND, TrackKind::Opus, "audio");
        }
    }

    fn take(&mut self, unit: AccessUnit, tap: &Tap) {
        if !self.is_playable {
            return;
        }
        let Track::Video(layer) = unit.track else {
            if self.has_sound {
                self.packager.push(worker_unit(&unit, SOUND));
            }
            return;
        };
        let route = self.renditions.route(layer, unit.pts, unit.keyframe);
        let mut wants_keyframe = route.wants_keyframe;
        for rendition in route.renditions {
            // What finds no room leaves a hole that only a key frame ends.
            if !self.packager.push(worker_unit(&unit, rendition)) {
                self.renditions.broken(rendition);
                wants_keyframe = true;
            }
        }
        if wants_keyframe {
            tap.want_keyframes();
        }
    }
}

fn worker_unit(unit: &AccessUnit, track: u8) -> Unit {
    Unit {
        track,
        pts: unit.pts,
        keyframe: unit.keyframe,
        size: unit.size,
        bytes: Bytes::clone(&unit.bytes),
    }
}

fn name(codec: TapCodec) -> &'static str {
    match codec {
        TapCodec::Opus => "Opus",
        TapCodec::H264 => "H264",
        TapCodec::H265 => "H265",
        TapCodec::Vp8 => "VP8",
        TapCodec::Vp9 => "VP9",
        TapCodec::Av1 => "AV1",
    }
}
