//! [`LayerIn`] and [`TrackIn`]: what arrives of a layer or a track, counted.

use std::time::{Duration, Instant};

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::lately::Evenness;
use super::making::Making;
use super::numbering::Numbering;
use crate::keyframe::{Asked, RequestLimiter};
use crate::packet::{LayerFormat, Origin};
use crate::ranks::MediaTotals;
use crate::rate::RateMeter;
use crate::stats::{Lately, LayerStats};
use crate::video::Profile;

/// One track or layer as it arrives.
#[derive(Debug)]
pub(super) struct TrackIn {
    pub(super) bytes: RateMeter,
    pub(super) packets: u64,
    octets: u64,
    /// Of `packets`, `octets` and what is lost, what was taken note of.
    counted: MediaTotals,
    /// What was missing at the last looks, the newest last.
    missing: [u64; SETTLED_AFTER],
    pub(super) first_seq: u64,
    pub(super) highest_seq: u64,
    pub(super) last: Instant,
    evenness: Evenness,
    pub(super) numbering: Numbering,
}

/// What is counted of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) seq: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct LayerIn {
    /// Where its packets come from.
    pub(super) from: Option<(Mid, Option<Rid>)>,
    /// For a layer that the server makes; it is never asked for anything.
    pub(super) making: Option<Making>,
    pub(super) track: TrackIn,
    pub(super) frames: RateMeter,
    frame_evenness: Evenness,
    pub(super) profile: Option<Profile>,
    pub(super) requests: RequestLimiter,
    pub(super) asked: Asked,
    pub(super) keyframe_timestamp: Option<u32>,
    pub(super) keyframe_at: Option<Instant>,
    /// Whether the last key frame came without being asked for.
    pub(super) is_unasked: bool,
    pub(super) keyframe_interval: Option<Duration>,
    /// Whether there were some in its packets.
    pub(super) has_b_frames: bool,
    pub(super) nacks: u64,
    pub(super) plis: u64,
}

/// Sweeps in a second.
const SETTLED_AFTER: usize = 5;
/// A layer or track without packets for this long is paused.
pub(crate) const PAUSED_AFTER: Duration = Duration::from_secs(1);

impl LayerIn {
    pub(super) fn new(
        now: Instant,
        from: Option<(Mid, Option<Rid>)>,
        track: TrackIn,
        request_interval: Duration,
    ) -> Self {
        Self {
            from,
            making: None,
            track,
            frames: RateMeter::new(now),
            frame_evenness: Evenness::new(now),
            profile: None,
            requests: RequestLimiter::new(request_interval),
            asked: Asked::default(),
            keyframe_timestamp: None,
            keyframe_at: None,
            is_unasked: false,
            keyframe_interval: None,
            has_b_frames: false,
            nacks: 0,
            plis: 0,
        }
    }

    /// When a key frame is to be asked for so that none gets older than `age`. One that was not
    /// answered is repeated sooner than that, but seldom where nobody seems to listen: the publisher
    /// may have been misjudged.
    pub(super) fn tap_deadline(&self, age: Duration, is_deaf: bool) -> Instant {
        // What comes by itself every so often may come a little late.
        let grace = if self.is_unasked {
            age / 8
        } else {
            Duration::ZERO
        };
        let due = self.keyframe_at.map(|at| at + age + grace);
        let pause = if is_deaf { age * 5 } else { age / 2 };
        let repeated = self.requests.last().map(|at| at + pause);
        due.max(repeated).unwrap_or(self.track.last)
    }

    pub(super) fn count_frame(&mut self, now: Instant) {
        self.frames.add(now, 1);
        self.frame_evenness.add(now, 1);
    }

    fn lately(&mut self, now: Instant) -> Option<Lately> {
        let (least_fps, most_fps) = self.frame_evenness.range(now)?;
        let (least, most) = self.track.evenness.range(now)?;
        Some(Lately {
            least_bitrate: bits(least),
            most_bitrate: bits(most),
            least_fps,
            most_fps,
        })
    }

    pub(super) fn stats(&mut self, format: &LayerFormat, now: Instant) -> LayerStats {
        LayerStats {
            rid: format.rid.clone(),
            codec: format.codec.name().to_owned(),
            profile: self.profile.map(|profile| profile.to_string()),
            width: format.size.map(|(width, _)| width),
            height: format.size.map(|(_, height)| height),
            fps: self.frames.per_second(now),
            bitrate: self.track.bitrate(now),
            lately: self.lately(now),
            keyframe_interval_ms: self
                .keyframe_interval
                .and_then(|interval| u64::try_from(interval.as_millis()).ok()),
            packets: self.track.packets,
            lost: self.track.lost(),
            nacks: self.nacks,
            plis: self.plis,
            active: self.track.is_active(now),
            b_frames: format.reordered || self.has_b_frames,
            withheld: format.reordered,
            made: format.origin == Origin::Made,
        }
    }
}

impl TrackIn {
    /// Begins with these numbers; goes on where the SSRC before it ended.
    pub(super) fn new(
        now: Instant,
        seq: u64,
        timestamp: u32,
        clock: u32,
        before: Option<&Self>,
    ) -> Self {
        let mut numbering = before.map_or_else(|| Numbering::new(clock), |track| track.numbering);
        numbering.restart(now, seq, timestamp);
        Self {
            bytes: RateMeter::new(now),
            packets: 0,
            octets: 0,
            counted: MediaTotals::default(),
            missing: [0; SETTLED_AFTER],
            first_seq: seq,
            highest_seq: seq,
            last: now,
            evenness: Evenness::new(now),
            numbering,
        }
    }

    pub(super) fn count(&mut self, now: Instant, arrived: Arrived) {
        self.bytes.add(now, arrived.bytes as u64);
        self.evenness.add(now, arrived.bytes as u64);
        self.packets += 1;
        self.octets += arrived.bytes as u64;
        self.first_seq = self.first_seq.min(arrived.seq);
        self.highest_seq = self.highest_seq.max(arrived.seq);
        self.last = now;
    }

    pub(super) fn bitrate(&mut self, now: Instant) -> u64 {
        bits(self.bytes.per_second(now))
    }

    /// Bit/s where most came of late; `None` while that is not known.
    pub(super) fn peak_bitrate(&mut self, now: Instant) -> Option<u64> {
        let (_, most) = self.evenness.range(now)?;
        Some(bits(most))
    }

    pub(super) fn lost(&self) -> u64 {
        (self.highest_seq - self.first_seq + 1).saturating_sub(self.packets.max(1))
    }

    /// What is new since the last call, of which there is one at each sweep. What is missing may still
    /// come, asked for again: it is lost when it was missing at all of the last calls.
    pub(super) fn take_received(&mut self) -> MediaTotals {
        self.missing.rotate_left(1);
        let missing = self.lost();
        if let Some(newest) = self.missing.last_mut() {
            *newest = missing;
        }
        let settled = self.missing.iter().copied().min().unwrap_or(0);
        let before = self.counted;
        self.counted = MediaTotals {
            bytes: self.octets,
            packets: self.packets,
            lost: before.lost.max(settled),
        };
        MediaTotals {
            bytes: self.octets - before.bytes,
            packets: self.packets - before.packets,
            lost: self.counted.lost - before.lost,
        }
    }

    pub(super) fn is_active(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) <= PAUSED_AFTER
    }
}

impl From<&RtpPacket> for Arrived {
    fn from(rtp: &RtpPacket) -> Self {
        Self {
            seq: *rtp.seq_no,
            timestamp: rtp.header.timestamp,
            marker: rtp.header.marker,
            bytes: rtp.payload.len(),
        }
    }
}

/// Bit/s of bytes a second.
pub(crate) fn bits(bytes_per_second: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive and far below 2^64"
    )]
    let bits = (bytes_per_second * 8.0) as u64;
    bits
}
