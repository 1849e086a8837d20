//! Latencies by the million: counted by size instead of kept, so that an hour of many viewers needs
//! no more memory than a minute.

use std::time::Duration;

use crate::report::Spread;

/// How often which latency was seen; sizes are told apart to 1 %, the largest exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// By size: single microseconds first, then 128 steps for each power of two.
    counts: Vec<u32>,
    largest: Duration,
}

/// Powers of two from here on have steps; below, each microsecond is counted for itself.
const FIRST_POWER: u32 = 8;
/// Steps of a power of two.
const STEPS: u64 = 128;
const STEP_BITS: u32 = 7;
/// An hour and more is one hour: nothing that plays is that late.
const MOST_MICROS: u64 = u32::MAX as u64;

impl Latencies {
    /// Counts one.
    pub fn note(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(MOST_MICROS);
        let place = place_of(micros.min(MOST_MICROS));
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.largest = self.largest.max(latency);
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *ours = ours.saturating_add(*theirs);
        }
        self.largest = self.largest.max(other.largest);
    }

    /// Percentiles.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let count: u64 = self.counts.iter().copied().map(u64::from).sum();
        let at = |share: u64| self.value_at(count * share / 100);
        let ms = |value: Duration| value.as_secs_f64() * 1e3;
        Spread {
            count: usize::try_from(count).unwrap_or(usize::MAX),
            p50_ms: ms(at(50)),
            p95_ms: ms(at(95)),
            p99_ms: ms(at(99)),
            max_ms: ms(self.largest),
        }
    }

    /// The value of that rank, counted from 0, in the order of size.
    fn value_at(&self, rank: u64) -> Duration {
        let mut before = 0;
        for (place, count) in self.counts.iter().enumerate() {
            before += u64::from(*count);
            if before > rank {
                return middle_of(place).min(self.largest);
            }
        }
        self.largest
    }
}

/// Sums all of them up.
impl<'a> FromIterator<&'a Self> for Latencies {
    fn from_iter<I: IntoIterator<Item = &'a Self>>(all: I) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }
}

fn place_of(micros: u64) -> usize {
    let power = micros.max(1).ilog2();
    let place = match power < FIRST_POWER {
        true => micros,
        false => {
            let step = (micros >> (power - STEP_BITS)) - STEPS;
            (1 << FIRST_POWER) + u64::from(power - FIRST_POWER) * STEPS + step
        }
    };
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The middle of what has that place.
fn middle_of(place: usize) -> Duration {
    let place = place as u64;
    let Some(above) = place.checked_sub(1 << FIRST_POWER) else {
        return Duration::from_micros(place);
    };
    let power = FIRST_POWER + u32::try_from(above / STEPS).unwrap_or(u32::BITS);
    let width = 1 << (power.min(u32::BITS) - STEP_BITS);
    Duration::from_micros((STEPS + above % STEPS) * width + width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_one_per_cent() {
        let mut latencies = Latencies::default();
        for micros in 1..=100_000 {
            latencies.note(Duration::from_micros(micros));
        }
        let spread = latencies.spread();
        assert_eq!(spread.count, 100_000);
        for (found, expected) in [
            (spread.p50_ms, 50.0),
            (spread.p95_ms, 95.0),
            (spread.p99_ms, 99.0),
        ] {
            assert!((found / expected - 1.0).abs() < 0.01, "{found}");
        }
        assert!((spread.max_ms - 100.0).abs() < 1e-9);
    }

    #[test]
    fn every_size_is_counted_in_its_place() {
        for micros in (0..5_000).chain((13..32).map(|power| (1 << power) + 3)) {
            let place = place_of(micros);
            let middle = middle_of(place).as_micros() as f64;
            let off = (middle - micros as f64).abs();
            assert!(off <= micros as f64 / 128.0, "{micros} became {middle}");
            let next = place_of(micros + 1);
            assert!(next == place || next == place + 1, "{micros}");
        }
    }

    #[test]
    fn a_sum_is_that_of_all_values() {
        let of = |values: &[u64]| {
            let mut latencies = Latencies::default();
            let values = values.iter().copied().map(Duration::from_millis);
            values.for_each(|value| latencies.note(value));
            latencies
        };
        let sum: Latencies = [&of(&[1, 2, 300]), &of(&[7]), &of(&[])]
            .into_iter()
            .collect();
        assert_eq!(sum, of(&[300, 7, 2, 1]));
        assert_eq!(of(&[]).spread(), Spread::default());
    }

    #[test]
    fn what_is_absurdly_late_takes_no_memory() {
        let mut latencies = Latencies::default();
        latencies.note(Duration::MAX);
        assert!(latencies.counts.len() < 4_000);
        assert_eq!(latencies.spread().count, 1);
    }
}
