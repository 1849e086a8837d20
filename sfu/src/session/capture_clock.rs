//! [`CaptureClock`]: when a publisher captured what it sent, on our clock.

use std::time::{Duration, Instant};

use str0m::rtp::RtpPacket;

/// Capture time by the last sender report, in µs since the Unix epoch of the publisher's clock.
pub(super) fn capture_time(rtp: &RtpPacket, clock: u32) -> Option<i64> {
    let report = rtp.last_sender_info?;
    let reported_us = match report.ntp_time.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).ok()?,
        Err(before) => -i64::try_from(before.duration().as_micros()).ok()?,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP timestamps are compared modulo 2^32"
    )]
    let reported = report.rtp_time.numer() as u32;
    let ticks = rtp.header.timestamp.wrapping_sub(reported).cast_signed();
    Some(reported_us + i64::from(ticks) * 1_000_000 / i64::from(clock))
}

/// Maps a publisher's capture clock to ours.
///
/// The offset is that of the packet that was least delayed, and creeps up slowly, so that it follows
/// clocks that drift apart. It is one for all tracks of the publisher: audio and video stay in sync.
#[derive(Debug)]
pub(super) struct CaptureClock {
    start: Instant,
    offset_us: Option<i64>,
    crept_at: Instant,
}

/// 100 µs each second: above the drift of any crystal.
const CREEP_US: i64 = 100;
/// More than this is not delay but a clock that was set.
const CLOCK_JUMP_US: i64 = 5_000_000;

impl CaptureClock {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            offset_us: None,
            crept_at: start,
        }
    }

    /// When it was captured, in µs on a clock of our own.
    pub(super) fn capture_us(&self, captured: Instant) -> i64 {
        let since_start = captured.saturating_duration_since(self.start);
        i64::try_from(since_start.as_micros()).unwrap_or(i64::MAX)
    }

    /// The RTP timestamp of what was captured then, on a clock of our own.
    pub(super) fn timestamp_of(&self, captured: Instant, clock: u32) -> u32 {
        let since_start = captured.saturating_duration_since(self.start);
        let ticks = since_start.as_nanos() * u128::from(clock) / 1_000_000_000;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "RTP timestamps are modulo 2^32"
        )]
        let timestamp = ticks as u32;
        timestamp
    }

    /// The time of capture on our clock, as far as it is known; never later than the arrival.
    pub(super) fn wallclock(&mut self, arrival: Instant, capture_us: Option<i64>) -> Instant {
        let Some(capture_us) = capture_us else {
            return arrival;
        };
        let since_start = arrival.saturating_duration_since(self.start);
        let arrival_us = i64::try_from(since_start.as_micros()).unwrap_or(i64::MAX);
        let offset = arrival_us.saturating_sub(capture_us);
        let kept = match self.offset_us {
            Some(kept) if (offset - kept).abs() < CLOCK_JUMP_US => kept.min(offset),
            _ => offset,
        };
        let seconds = arrival.saturating_duration_since(self.crept_at).as_secs();
        let crept = if seconds > 0 {
            self.crept_at = arrival;
            kept + CREEP_US * i64::try_from(seconds).unwrap_or(1)
        } else {
            kept
        };
        self.offset_us = Some(crept);
        let wallclock_us = capture_us + crept.min(offset);
        match u64::try_from(wallclock_us) {
            Ok(us) => (self.start + Duration::from_micros(us)).min(arrival),
            Err(_) => arrival,
        }
    }
}
