//! [`Pace`]: a publisher's times on the clock of its session. Pure.
//!
//! What comes first came just now; from there on the publisher's times hold. Where they jump, as when an
//! encoder is restarted behind its back or a playlist goes on with another file, time goes on at what
//! is now: a session whose times went back would be silent until they are where they were.

use std::time::Duration;

/// Of one publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A time of the publisher, and where it is.
    theirs: Duration,
    ours: Duration,
    /// The newest of theirs.
    last: Duration,
    /// The latest that was given.
    latest: Duration,
}

/// Pictures and sound of one moment are not further apart than this; what is, is a jump.
const LONGEST_STEP: Duration = Duration::from_secs(5);
const LONGEST_STEP_BACK: Duration = Duration::from_secs(2);
/// From what was before a jump to what comes after it, at least.
const LEAST_STEP: Duration = Duration::from_millis(20);

impl Pace {
    /// A publisher whose newest media is of that time, now.
    pub(super) fn new(newest: Duration, now: Duration) -> Self {
        Self {
            theirs: newest,
            ours: now,
            last: newest,
            latest: Duration::ZERO,
        }
    }

    /// Where media of that time is, which comes now.
    pub(super) fn place(&mut self, time: Duration, now: Duration) -> Duration {
        if time > self.last + LONGEST_STEP || time + LONGEST_STEP_BACK < self.last {
            let ours = now.max(self.latest + LEAST_STEP);
            (self.theirs, self.ours) = (time, ours);
        }
        self.last = time;
        let placed = (self.ours + time).saturating_sub(self.theirs);
        self.latest = self.latest.max(placed);
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_collected_lies_before_now_and_the_rest_follows() {
        let mut pace = Pace::new(ms(10_800), ms(2_900));
        let placed = [10_000, 10_033, 10_800, 10_833].map(|at| pace.place(ms(at), ms(2_900)));
        assert_eq!(placed, [2_100, 2_133, 2_900, 2_933].map(ms));
        // Faster than time: as the publisher has it.
        assert_eq!(pace.place(ms(14_000), ms(3_000)), ms(6_100));
    }

    #[test]
    fn behind_a_jump_time_goes_on_at_now_and_never_back() {
        for jump in [0, 3_600_000] {
            let mut pace = Pace::new(ms(50_000), ms(3_000));
            assert_eq!(pace.place(ms(60_000), ms(13_000)), ms(13_000), "{jump}");
            assert_eq!(pace.place(ms(60_040), ms(13_040)), ms(13_040));
            assert_eq!(pace.place(ms(jump), ms(13_080)), ms(13_080));
            assert_eq!(pace.place(ms(jump + 40), ms(13_110)), ms(13_120));
        }
        // One that is ahead of its time.
        let mut pace = Pace::new(ms(10_000), ms(3_000));
        assert_eq!(pace.place(ms(14_000), ms(3_100)), ms(7_000));
        assert_eq!(pace.place(ms(0), ms(3_200)), ms(7_020));
    }

    #[test]
    fn sound_that_is_a_little_behind_is_no_jump() {
        let mut pace = Pace::new(ms(20_000), ms(3_000));
        assert_eq!(pace.place(ms(20_500), ms(3_500)), ms(3_500));
        assert_eq!(pace.place(ms(19_000), ms(3_500)), ms(2_000));
        assert_eq!(pace.place(ms(20_540), ms(3_540)), ms(3_540));
    }
}
