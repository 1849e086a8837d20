//! [`Rate`]: whether a connection sends more than it may.

use std::time::Duration;

/// A bucket that leaks at the rate that is allowed, and holds what ten seconds of it are.
#[derive(Debug)]
pub(crate) struct Rate {
    bitrate: u64,
    /// Bits in it, when it was looked at.
    level: u64,
    at: Duration,
}

impl Rate {
    pub(crate) fn new(bitrate: u64) -> Self {
        Self {
            bitrate,
            level: 0,
            at: Duration::ZERO,
        }
    }

    /// Adds bytes that came at a time of the connection, and tells whether they are too many.
    pub(crate) fn is_exceeded_by(&mut self, bytes: usize, at: Duration) -> bool {
        let passed = at.saturating_sub(self.at).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let leaked = self.bitrate.saturating_mul(passed) / 1_000;
        if leaked > 0 {
            // Fractions of a bit are waited for rather than lost.
            self.level = self.level.saturating_sub(leaked);
            self.at = at;
        }
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        self.level = self.level.saturating_add(bits);
        self.level > self.bitrate.saturating_mul(HELD_SECONDS)
    }
}

const HELD_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until so many bytes in each tenth of a second are too many.
    fn lasts(bytes: usize) -> Option<u64> {
        let mut rate = Rate::new(8_000);
        let mut tenths = (0..6_000).map(|tenth| Duration::from_millis(tenth * 100));
        tenths
            .find(|at| rate.is_exceeded_by(bytes, *at))
            .map(|at| at.as_secs())
    }

    #[test]
    fn the_average_counts() {
        assert_eq!(lasts(100), None, "as allowed");
        assert_eq!(lasts(200), Some(9));
        assert_eq!(lasts(150), Some(19));
    }

    #[test]
    fn ten_seconds_may_come_at_once() {
        let mut rate = Rate::new(8_000);
        assert!(!rate.is_exceeded_by(10_000, Duration::from_secs(1)));
        assert!(rate.is_exceeded_by(1, Duration::from_secs(1)));
        assert!(!rate.is_exceeded_by(9_999, Duration::from_secs(12)));
    }
}
