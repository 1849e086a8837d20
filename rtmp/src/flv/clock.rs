//! Timestamps of 32 bits that wrap every 49.7 days to times that do not.

use std::time::Duration;

/// One for pictures and sound, so that they stay together over a wrap. Its times are never before its
/// start.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<u32>,
    /// Milliseconds at `last`.
    now: i64,
}

impl Clock {
    /// The time of a timestamp, which is nearer than 2^31 milliseconds to the one before.
    ///
    /// A jump to before the start, as when what is relayed begins again, goes ahead instead: times that
    /// stood still until the timestamps are where they were would stop the stream for as long.
    pub(super) fn at(&mut self, timestamp: u32) -> Time {
        let step = self
            .last
            .map(|last| i64::from(timestamp.wrapping_sub(last).cast_signed()));
        self.now = match step {
            None => LEAD_MS,
            Some(step) if step < self.now.saturating_neg() => self.now.saturating_add(LEAD_MS),
            Some(step) => self.now.saturating_add(step),
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

/// Where a clock starts, so that a negative composition time has where to go, and how far it goes ahead
/// instead of before its start: too far to be taken for the next picture.
pub(super) const LEAD_MS: i64 = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    }

    #[test]
    fn behind_a_jump_to_before_the_start_times_rise_as_timestamps_do() {
        let mut clock = Clock::default();
        let mut at = |timestamp| clock.at(timestamp).duration().as_millis();
        assert_eq!(
            [3_600_000, 3_600_500].map(&mut at),
            [10_000, 10_500],
            "a relay"
        );
        assert_eq!(at(0), 20_500, "its source begins again");
        assert_eq!(
            [40, 30, 80, 3_000].map(&mut at),
            [20_540, 20_530, 20_580, 23_500]
        );
        assert_eq!(at(2_000_000_000), 2_000_020_500, "as it is");
        assert_eq!(at(0), 20_500, "which is not before the start");
        assert_eq!(at(u32::MAX - 30_000), 30_500);
        assert_eq!(at(u32::MAX - 29_960), 30_540);
    }

    proptest! {
        #[test]
        fn times_only_rise_where_timestamps_do(
            start: u32,
            steps in prop::collection::vec((any::<i32>(), 1_u32..2_000), 1..20),
        ) {
            let mut clock = Clock::default();
            let mut timestamp = start;
            for (jump, step) in steps {
                timestamp = timestamp.wrapping_add(jump.cast_unsigned());
                let before = clock.at(timestamp).duration();
                timestamp = timestamp.wrapping_add(step);
                let after = clock.at(timestamp).duration();
                prop_assert_eq!(after - before, Duration::from_millis(step.into()));
            }
        }
    }
}
