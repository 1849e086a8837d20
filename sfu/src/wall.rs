//! The time of day, for what travels to peers: RTP speaks NTP time, all else here is [`Instant`].

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds from the NTP epoch to that of Unix (RFC 5905 §6).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// One moment on both clocks. One for the whole process: reports on sound and on picture must agree,
/// and when the clock of the machine is set, viewers need not notice.
static ANCHOR: OnceLock<(Instant, SystemTime)> = OnceLock::new();

#[expect(
    clippy::disallowed_methods,
    reason = "the one place in which the two clocks are read together"
)]
fn anchor() -> (Instant, SystemTime) {
    *ANCHOR.get_or_init(|| (Instant::now(), SystemTime::now()))
}

/// The time of day at an instant, in 32.32 fixed point seconds of NTP.
pub(crate) fn ntp_at(instant: Instant) -> u64 {
    let (then, time) = anchor();
    let time = match instant.checked_duration_since(then) {
        Some(since) => time + since,
        None => time - then.saturating_duration_since(instant),
    };
    ntp(time)
}

/// A time of day in 32.32 fixed point seconds of NTP.
pub(crate) fn ntp(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs().wrapping_add(NTP_TO_UNIX) << 32) | fraction
}

/// The middle 32 bits, as reports carry them (RFC 3550 §4).
pub(crate) fn compact(ntp: u64) -> u32 {
    u32::try_from((ntp >> 16) & 0xffff_ffff).unwrap_or(0)
}

/// As the extension abs-send-time carries it: 6.18 fixed point seconds.
pub(crate) fn abs_send_time(instant: Instant) -> u32 {
    u32::try_from((ntp_at(instant) >> 14) & 0x00ff_ffff).unwrap_or(0)
}

/// A span in 16.16 fixed point seconds.
pub(crate) fn from_compact(span: u32) -> Duration {
    Duration::from_nanos((u64::from(span) * 1_000_000_000) >> 16)
}

/// The reverse; what is longer than 18 hours is cut.
pub(crate) fn to_compact(span: Duration) -> u32 {
    u32::try_from((span.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900() {
        let time = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(ntp(time), (NTP_TO_UNIX + 1) << 32 | 1 << 31);
        assert_eq!(compact(ntp(time)) & 0xffff, 0x8000);
        assert_eq!(from_compact(0x0001_8000), Duration::from_millis(1_500));
    }

    #[test]
    fn spans_are_the_same_on_both_clocks() {
        let (then, _) = anchor();
        let span = ntp_at(then + Duration::from_secs(2)) - ntp_at(then);
        assert_eq!(span >> 32, 2);
    }
}
