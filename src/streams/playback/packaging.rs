//! [`Packaging`]: one stream from the SFU's tap to its media-worker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{Listeners, Packager, PartMade, Thumbnail, Worker};
use sfu::{Sfu, Tap};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::Instrument as _;

use super::feed::Feed;
use super::ladder::Tools;
use super::transcoding::Transcoding;
use super::{Inner, OnAir, restarts};
use crate::clock::Clock;
use crate::config::Hls;
use crate::streams::spans;
use crate::telemetry::HLS_PART_SECONDS;

/// How streams are packaged.
#[derive(Debug)]
pub(super) struct Packaging {
    settings: Hls,
    program: PathBuf,
    clock: Clock,
    transcoding: Option<Transcoding>,
}

/// How often a stream is tapped before it is given up, and what lies between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// Thumbnails that may wait for the disk.
const THUMBNAILS: usize = 4;
/// Parts of all renditions that may wait to be counted.
const PARTS: usize = 64;
/// A part that is so many of its own length, or of the longest that was asked for, behind what it shows is late:
/// low-latency players hold back as much (draft-pantos-hls-rfc8216bis §4.4.3.8), and stall beyond.
const LATE_PARTS: u32 = 3;

impl Packaging {
    pub(super) fn new(playback: &Inner) -> Self {
        Self {
            settings: playback.settings.clone(),
            program: playback.program.clone(),
            clock: playback.clock.clone(),
            transcoding: playback.transcoding.get().cloned(),
        }
    }

    /// Packages the stream to its end, if its publisher is there; then all of it is on disk.
    pub(super) async fn run(self, on_air: Arc<OnAir>, sfu: Sfu, is_there: bool) {
        let span = spans::start_packaging(on_air.stream, &on_air.handle);
        if is_there && let Some(tap) = self.tap(&on_air, &sfu).instrument(span).await {
            self.package(&on_air, &sfu, tap).await;
        }
        if !on_air.origin.is_leaving() {
            on_air.origin.end_left();
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

    async fn package(&self, on_air: &OnAir, sfu: &Sfu, tap: Tap) {
        let zero_unix_ms = self.clock.now().as_millisecond() - age_ms(&tap, &self.clock);
        let (thumbnails, mut shown) = mpsc::channel(THUMBNAILS);
        let config = self.packager(zero_unix_ms);
        let (parts, mut made) = mpsc::channel(PARTS);
        let listeners = Listeners { thumbnails, parts };
        let packager = Packager::start(config, on_air.origin.clone(), listeners);
        restarts::count(packager.worker(), "package");
        let zero = tap.zero();
        let feed = Feed::new(on_air, packager, self.ladder_tools(on_air, sfu, zero));
        let feeding = feed.run(tap, &on_air.handed_over);
        // Beside it: a disk that stands still must not hold up the media.
        let showing = async {
            while let Some(thumbnail) = shown.recv().await {
                show(on_air, thumbnail, zero_unix_ms).await;
            }
        };
        let counting = async {
            while let Some(part) = made.recv().await {
                self.count_part(part, zero);
            }
        };
        tokio::join!(feeding, showing, counting);
    }

    fn count_part(&self, part: PartMade, zero: Instant) {
        let delay = self
            .clock
            .instant()
            .saturating_duration_since(zero + part.end);
        HLS_PART_SECONDS.record(delay);
        if is_late(delay, &part, self.settings.part()) {
            metrics::counter!("tallylight_hls_parts_late_total").increment(1);
        }
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

    /// What ladders are made with, where the operator allows them.
    fn ladder_tools(&self, on_air: &OnAir, sfu: &Sfu, zero: Instant) -> Option<Tools> {
        Some(Tools {
            transcoding: self.transcoding.clone()?,
            worker: self.worker(),
            sfu: sfu.clone(),
            stream: on_air.stream,
            zero,
            segment: self.settings.segment(),
        })
    }

    fn worker(&self) -> Worker {
        Worker {
            program: self.program.clone(),
            arguments: vec!["media-worker".to_owned()],
            patience: self.settings.segment() * 3,
        }
    }
}

/// Whether players that hold back as little as they may had nothing to play before it came.
fn is_late(delay: Duration, part: &PartMade, longest: Duration) -> bool {
    delay > longest.max(part.duration) * LATE_PARTS
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_late_when_players_that_hold_back_three_have_run_dry() {
        let ms = Duration::from_millis;
        let part = |duration| PartMade {
            end: ms(5_000),
            duration: ms(duration),
        };
        assert!(!is_late(ms(1_000), &part(300), ms(334)));
        assert!(is_late(ms(1_003), &part(300), ms(334)));
        assert!(
            !is_late(ms(2_900), &part(1_000), ms(334)),
            "a picture a second"
        );
    }
}
