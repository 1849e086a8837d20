//! [`Timeline`]: time that only rises, whatever arrives.
//!
//! A muxer believes what it is told: a step back makes garbage, a gap a picture that stands. Both
//! end the run instead, and a new one begins with a discontinuity.

use std::time::Duration;

/// What a time means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on, at this time.
    On(Duration),
    /// It does not continue what was.
    Jump,
}

/// The times of one track.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    last: Option<Duration>,
}

/// A longer pause is a gap.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A step back of no more than this is a fault of clocks, and is smoothed.
const LONGEST_SLIP: Duration = Duration::from_millis(200);
/// Two units are at least this far apart.
const LEAST: Duration = Duration::from_millis(1);

impl Timeline {
    /// Takes the time of the next unit.
    pub(crate) fn step(&mut self, pts: Duration) -> Step {
        let Some(last) = self.last else {
            return self.on(pts);
        };
        let least = last + LEAST;
        if pts > last + LONGEST_PAUSE || pts + LONGEST_SLIP < last {
            Step::Jump
        } else {
            self.on(pts.max(least))
        }
    }

    /// Begins anew; the next time is taken as it is.
    pub(crate) fn begin_anew(&mut self) {
        self.last = None;
    }

    fn on(&mut self, pts: Duration) -> Step {
        self.last = Some(pts);
        Step::On(pts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn gaps_and_steps_back_end_the_run() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.step(ms(5_000)), Step::On(ms(5_000)));
        assert_eq!(timeline.step(ms(5_033)), Step::On(ms(5_033)));
        assert_eq!(timeline.step(ms(5_900)), Step::On(ms(5_900)));
        assert_eq!(timeline.step(ms(16_000)), Step::Jump, "ten seconds on");
        assert_eq!(timeline.step(ms(0)), Step::Jump, "and back");
        timeline.begin_anew();
        assert_eq!(timeline.step(ms(0)), Step::On(ms(0)));
    }

    proptest! {
        #[test]
        fn time_rises_whatever_comes(times in prop::collection::vec(0_u64..20_000, 1..200)) {
            let mut timeline = Timeline::default();
            let mut last = None;
            for time in times {
                match timeline.step(ms(time)) {
                    Step::On(at) => {
                        prop_assert!(last.is_none_or(|last| at > last));
                        prop_assert!(last.is_none_or(|last| at <= last + LONGEST_PAUSE));
                        last = Some(at);
                    }
                    Step::Jump => {
                        timeline.begin_anew();
                        last = None;
                    }
                }
            }
        }
    }
}
