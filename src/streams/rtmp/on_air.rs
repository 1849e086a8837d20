//! [`OnAir`]: media on its way from a publisher into its session.

use std::time::{Duration, Instant};

use media::{Codec, OpusJob, Transcoder, Unit, Worker};
use rtmp::{AudioCodec, Reordering, VideoUnit};
use sfu::{Ingest, IngestTracks, Picture};
use tokio::sync::mpsc;

use super::Tools;
use super::adts::Adts;
use super::media::Media;
use super::opening::lag;
use super::pace::{Pace, Track};

/// A session, and what is known of its media.
pub(super) struct OnAir {
    pub(super) ingest: Ingest,
    pub(super) tracks: IngestTracks,
    pub(super) begun: Instant,
    pace: Pace,
    reordering: Reordering,
    /// How much later pictures are decoded than shown, by their times.
    lead: Duration,
    sound: Option<Sound>,
}

/// AAC on its way to become Opus.
struct Sound {
    adts: Adts,
    since: Instant,
    transcoder: Transcoder,
    made: mpsc::Receiver<Unit>,
}

/// Of the Opus that is made.
const AUDIO_BITS: u32 = 128_000;
/// Opus packets that may wait to be forwarded: a second or more.
const SOUNDS: usize = 64;
/// A media-worker that stands still for so long is replaced.
const PATIENCE: Duration = Duration::from_secs(6);
/// Sound that changes its kind sooner than this is left out: each kind takes a process.
const LEAST_SOUND: Duration = Duration::from_secs(2);

impl OnAir {
    /// A session whose newest media has just been captured, and whose pictures lag so far.
    pub(super) fn new(
        (ingest, tracks): (Ingest, IngestTracks),
        begun: Instant,
        pace: Pace,
        lead: Duration,
    ) -> Self {
        Self {
            ingest,
            tracks,
            begun,
            pace,
            reordering: Reordering::default(),
            lead,
            sound: None,
        }
    }

    /// Whether it is of a track that the session has.
    pub(super) fn has(&self, media: &Media) -> bool {
        match media {
            Media::Video(_) => media.video_codec() == self.tracks.video.map(|video| video.codec),
            Media::Audio(_) => media.audio_codec() == self.tracks.audio,
        }
    }

    /// Whether its pictures are shown in another order than they are decoded.
    pub(super) fn is_reordered(&self) -> bool {
        self.reordering.is_found()
    }

    /// Takes media that comes now, by the session's clock and by ours.
    pub(super) fn take(&mut self, tools: &Tools, media: Media, (now, at): (Duration, Instant)) {
        match media {
            Media::Video(unit) => self.take_picture(unit, now),
            Media::Audio(unit) => {
                let time = self.pace.place(Track::Audio, unit.pts, now);
                match unit.codec {
                    AudioCodec::Opus { .. } => {
                        self.ingest.push_opus(time, unit.bytes);
                    }
                    AudioCodec::Aac(config) => {
                        if let Some(adts) = Adts::of(&config.config) {
                            self.take_aac(tools, adts, at, (time, &unit.bytes));
                        }
                    }
                }
            }
        }
    }

    fn take_picture(&mut self, unit: VideoUnit, now: Duration) {
        self.lead = self.lead.max(lag(&unit));
        let time = self.pace.place(Track::Video, unit.dts, now);
        let reordered = self.reordering.observe(&unit);
        if unit.is_after_loss {
            self.ingest.note_gap();
        }
        let dts = time.saturating_sub(self.lead);
        let pts = (time + unit.pts).saturating_sub(unit.dts);
        self.ingest.push_video(Picture {
            dts,
            pts: pts.max(dts),
            keyframe: unit.keyframe,
            reordered,
            bytes: unit.bytes,
        });
    }

    fn take_aac(
        &mut self,
        tools: &Tools,
        adts: Adts,
        at: Instant,
        (pts, frame): (Duration, &[u8]),
    ) {
        let is_other = |sound: &Sound| sound.adts != adts;
        let is_new = |sound: &Sound| at.saturating_duration_since(sound.since) < LEAST_SOUND;
        if let Some(sound) = &self.sound
            && is_other(sound)
            && is_new(sound)
        {
            return;
        }
        if self.sound.as_ref().is_none_or(is_other) {
            self.sound = Some(Sound::new(tools, adts, at));
        }
        if let Some(sound) = &self.sound
            && let Some(bytes) = adts.frame(frame)
        {
            self.ingest.push_aac(pts, bytes.clone());
            sound.transcoder.push(Unit {
                track: 0,
                codec: Codec::Aac,
                pts,
                dts: pts,
                keyframe: true,
                size: None,
                bytes,
            });
        }
    }

    /// Opus that was made. Cancel safe.
    pub(super) async fn made(&mut self) -> Unit {
        if let Some(sound) = &mut self.sound
            && let Some(unit) = sound.made.recv().await
        {
            return unit;
        }
        std::future::pending().await
    }
}

impl Sound {
    fn new(tools: &Tools, adts: Adts, since: Instant) -> Self {
        let (sender, made) = mpsc::channel(SOUNDS);
        let worker = Worker {
            program: tools.program.clone(),
            arguments: vec!["media-worker".to_owned()],
            patience: PATIENCE,
        };
        let job = OpusJob {
            track: 0,
            bits_a_second: AUDIO_BITS,
        };
        Self {
            adts,
            since,
            transcoder: Transcoder::to_opus(worker, job, sender),
            made,
        }
    }
}
