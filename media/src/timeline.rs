//! [`Timeline`]: time that only rises, whatever arrives.
//!
//! A muxer believes what it is told: a step back makes garbage, a gap a picture that stands. Both
//! end the run instead, and a new one begins with a discontinuity. The time of pictures is their place
//! ([`crate::pictures`]), as that of showing them goes back and forth.

use std::time::Duration;

/// What a time means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on, at this time.
    On(Duration),
    /// It does not continue what was.
    Jump,
    /// It continues the run before, which another track has ended: it is left out.
    Left,
}

/// The times of one track.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    last: Option<Duration>,
    /// Where the run before was left.
    before: Option<Before>,
}

#[derive(Debug, Clone, Copy)]
struct Before {
    end: Duration,
    last: Duration,
}

/// A longer pause is a gap. A shared screen has a picture a second.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(1_200);
/// A step back of no more than this is a fault of clocks, and is smoothed.
const LONGEST_SLIP: Duration = Duration::from_millis(200);
/// Two units are at least this far apart.
const LEAST: Duration = Duration::from_millis(1);
/// A track that goes on in the time of the run before for longer than this means it.
const LONGEST_LEFT: Duration = Duration::from_secs(2);

impl Timeline {
    /// Takes the time of the next unit of a run that has come to `newest`.
    pub(crate) fn step(&mut self, time: Duration, newest: Option<Duration>) -> Step {
        match self.last {
            Some(last) if continues(last, time) => self.on(time.max(last + LEAST)),
            Some(_) => Step::Jump,
            None => {
                if self.is_left(time, newest) {
                    return Step::Left;
                }
                self.on(time)
            }
        }
    }

    /// Begins anew; the next time is taken as it is.
    pub(crate) fn begin_anew(&mut self) {
        if let Some(end) = self.last.take() {
            self.before = Some(Before { end, last: end });
        }
    }

    /// Tracks do not jump in the same moment: some units of the old time come after the first of the
    /// new.
    fn is_left(&mut self, time: Duration, newest: Option<Duration>) -> bool {
        let (Some(before), Some(newest)) = (&mut self.before, newest) else {
            return false;
        };
        let is_left = continues(before.last, time)
            && time.abs_diff(newest) > LONGEST_PAUSE
            && time <= before.end + LONGEST_LEFT;
        if is_left {
            before.last = time;
        }
        is_left
    }

    fn on(&mut self, time: Duration) -> Step {
        self.last = Some(time);
        Step::On(time)
    }
}

fn continues(last: Duration, time: Duration) -> bool {
    time <= last + LONGEST_PAUSE && time + LONGEST_SLIP >= last
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
        let mut step = |time| timeline.step(ms(time), None);
        assert_eq!(step(5_000), Step::On(ms(5_000)));
        assert_eq!(step(5_033), Step::On(ms(5_033)));
        assert_eq!(step(6_233), Step::On(ms(6_233)), "a picture a second");
        assert_eq!(step(6_200), Step::On(ms(6_234)), "clocks slip");
        assert_eq!(step(16_000), Step::Jump, "ten seconds on");
        assert_eq!(step(0), Step::Jump, "and back");
        timeline.begin_anew();
        assert_eq!(timeline.step(ms(0), None), Step::On(ms(0)));
    }

    #[test]
    fn stragglers_of_an_ended_run_are_left_out_for_a_while() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.step(ms(5_000), None), Step::On(ms(5_000)));
        timeline.begin_anew();
        let newest = Some(ms(15_000));
        assert_eq!(timeline.step(ms(5_020), newest), Step::Left);
        assert_eq!(timeline.step(ms(5_040), newest), Step::Left);
        let mut kept = timeline.clone();
        assert_eq!(kept.step(ms(15_010), newest), Step::On(ms(15_010)));
        for time in (5_060..=7_000).step_by(20) {
            assert_eq!(timeline.step(ms(time), newest), Step::Left);
        }
        assert_eq!(timeline.step(ms(7_020), newest), Step::On(ms(7_020)));
    }

    #[test]
    fn a_track_that_did_not_jump_goes_on() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.step(ms(5_000), None), Step::On(ms(5_000)));
        timeline.begin_anew();
        let newest = Some(ms(5_030));
        assert_eq!(timeline.step(ms(5_020), newest), Step::On(ms(5_020)));
    }

    proptest! {
        #[test]
        fn time_rises_whatever_comes(times in prop::collection::vec(0_u64..20_000, 1..200)) {
            let mut timeline = Timeline::default();
            let mut last = None;
            for time in times {
                match timeline.step(ms(time), last) {
                    Step::On(at) => {
                        prop_assert!(last.is_none_or(|last| at > last));
                        prop_assert!(last.is_none_or(|last| at <= last + LONGEST_PAUSE));
                        last = Some(at);
                    }
                    Step::Jump => {
                        timeline.begin_anew();
                        last = None;
                    }
                    Step::Left => prop_assert!(false, "there is no other track"),
                }
            }
        }
    }
}
