//! Timestamps of 32 bits that wrap every 49.7 days to times that do not.

use std::time::Duration;

/// One for pictures and sound, so that they stay together over a wrap.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<u32>,
    /// Milliseconds at `last`.
    now: i64,
}

impl Clock {
    /// The time of a timestamp, which is nearer than 2^31 milliseconds to the one before.
    pub(super) fn at(&mut self, timestamp: u32) -> Time {
        self.now = match self.last {
            None => LEAD_MS,
            Some(last) => {
                let step = timestamp.wrapping_sub(last).cast_signed();
                self.now.saturating_add(step.into())
            }
        };
        self.last = Some(timestamp);
        Time(self.now)
    }
}

/// Milliseconds on a [`Clock`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(i64);

impl Time {
    pub(super) fn plus_ms(self, composition_ms: i32) -> Self {
        Self(self.0.saturating_add(composition_ms.into()))
    }

    /// Times before the start of the clock are at its start.
    pub(super) fn duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or_default())
    }
}

/// Where a clock starts, so that a negative composition time has where to go.
pub(super) const LEAD_MS: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_over_a_wrap_and_back() {
        let mut clock = Clock::default();
        let mut at = |timestamp| clock.at(timestamp).duration().as_millis();
        assert_eq!(at(u32::MAX - 9), 10_000);
        assert_eq!(at(10), 10_020);
        assert_eq!(at(u32::MAX), 10_009, "sound a little behind the picture");
        assert_eq!(at(30), 10_040);
    }

    #[test]
    fn times_before_the_start_are_at_the_start() {
        let mut clock = Clock::default();
        let start = clock.at(0);
        assert_eq!(start.plus_ms(-40).duration(), Duration::from_millis(9_960));
        assert_eq!(start.plus_ms(i32::MIN).duration(), Duration::ZERO);
        assert_eq!(clock.at(u32::MAX - 20_000).duration(), Duration::ZERO);
    }
}
