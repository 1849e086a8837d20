//! How evenly something came of late: over the last ten seconds, in steps. Pure.

use std::time::{Duration, Instant};

/// The least and the most that came in a step, of those steps that are over and in which anything came.
///
/// A step is as long as the usual distance of key frames, so that these, which are large, do not make
/// a steady stream look uneven.
#[derive(Debug, Clone)]
pub(super) struct Evenness {
    ring: Ring<u64>,
}

/// The longest pause between two arrivals.
#[derive(Debug, Clone)]
pub(super) struct Pauses {
    ring: Ring<Duration>,
    last: Option<Instant>,
}

/// Values of the last steps, newest first.
#[derive(Debug, Clone)]
struct Ring<T> {
    steps: [T; STEPS],
    start: Instant,
    /// Number of the step that is going on, counted from `start`.
    newest: u64,
}

const STEP: Duration = Duration::from_secs(2);
/// Five that are over, and the one that is going on.
const STEPS: usize = 6;

impl Evenness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ring: Ring::new(now),
        }
    }

    pub(super) fn add(&mut self, now: Instant, amount: u64) {
        *self.ring.current(now) += amount;
    }

    /// Least and most of a second, by the average of each step. `None` before two steps are over.
    pub(super) fn range(&mut self, now: Instant) -> Option<(f64, f64)> {
        self.ring.current(now);
        let full = self.ring.over().filter(|amount| *amount > 0);
        let (mut least, mut most, mut count) = (u64::MAX, 0, 0);
        for amount in full {
            (least, most, count) = (least.min(amount), most.max(amount), count + 1);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "an amount of more than 2^52 is none"
        )]
        let rate = |amount: u64| amount as f64 / STEP.as_secs_f64();
        (count >= 2).then(|| (rate(least), rate(most)))
    }
}

impl Pauses {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ring: Ring::new(now),
            last: None,
        }
    }

    pub(super) fn note(&mut self, now: Instant) {
        if let Some(last) = self.last {
            let longest = self.ring.current(now);
            *longest = (*longest).max(now.saturating_duration_since(last));
        }
        self.last = Some(now);
    }

    /// The longest of the last ten seconds, also one that is not over; `None` before the first arrival.
    pub(super) fn longest(&self, now: Instant) -> Option<Duration> {
        let present = now.saturating_duration_since(self.last?);
        let mut ring = self.ring.clone();
        ring.current(now);
        Some(
            ring.steps
                .into_iter()
                .max()
                .unwrap_or_default()
                .max(present),
        )
    }
}

impl<T: Copy + Default> Ring<T> {
    fn new(now: Instant) -> Self {
        Self {
            steps: [T::default(); STEPS],
            start: now,
            newest: 0,
        }
    }

    /// The step that is going on.
    fn current(&mut self, now: Instant) -> &mut T {
        let elapsed = now.saturating_duration_since(self.start);
        let current = elapsed.as_secs() / STEP.as_secs();
        let passed = current.saturating_sub(self.newest).min(STEPS as u64);
        let passed = usize::try_from(passed).unwrap_or(STEPS);
        self.steps.rotate_right(passed % STEPS);
        self.steps
            .iter_mut()
            .take(passed)
            .for_each(|step| *step = T::default());
        self.newest = self.newest.max(current);
        let [step, ..] = &mut self.steps;
        step
    }

    /// The steps that are over.
    fn over(&self) -> impl Iterator<Item = T> {
        let over = usize::try_from(self.newest).unwrap_or(STEPS);
        self.steps.into_iter().skip(1).take(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn evenness_is_that_of_steps_that_are_over() {
        let start = base();
        let mut evenness = Evenness::new(start);
        let mut ranges = Vec::new();
        for at in (0..20_000).step_by(100) {
            let amount = if at < 6_000 { 10 } else { 40 };
            evenness.add(start + ms(at), amount);
            if at % 4_000 == 3_900 {
                ranges.push(evenness.range(start + ms(at)));
            }
        }
        let expected = [None, Some((100.0, 100.0)), Some((100.0, 400.0))];
        assert_eq!(ranges[..3], expected);
        // What was ten seconds ago is forgotten.
        assert_eq!(ranges[4], Some((400.0, 400.0)));
        assert_eq!(evenness.range(start + ms(60_000)), None);
    }

    #[test]
    fn steps_without_anything_are_none_of_its_business() {
        let start = base();
        let mut evenness = Evenness::new(start);
        for at in [0, 2_000, 8_000] {
            evenness.add(start + ms(at), 20);
        }
        assert_eq!(evenness.range(start + ms(10_000)), Some((10.0, 10.0)));
    }

    #[test]
    fn longest_pause_is_told_for_ten_seconds_and_while_it_lasts() {
        let start = base();
        let mut pauses = Pauses::new(start);
        assert_eq!(pauses.longest(start), None);
        for at in [0, 20, 1_520, 1_540] {
            pauses.note(start + ms(at));
        }
        assert_eq!(pauses.longest(start + ms(1_540)), Some(ms(1_500)));
        assert_eq!(pauses.longest(start + ms(4_540)), Some(ms(3_000)));
        for at in (1_560..15_000).step_by(20) {
            pauses.note(start + ms(at));
        }
        assert_eq!(pauses.longest(start + ms(15_000)), Some(ms(20)));
    }
}
