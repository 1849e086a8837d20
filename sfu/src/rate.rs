//! Rates over a sliding window.

use std::time::{Duration, Instant};

/// Sums amounts over a sliding window.
#[derive(Debug, Clone)]
pub(crate) struct RateMeter {
    buckets: [u64; BUCKETS],
    /// Time of one bucket.
    width: Duration,
    start: Instant,
    /// Number of the newest bucket, counted from `start`.
    newest: u64,
    /// When that one ends: until then nothing has to be worked out.
    ends: Instant,
}

const BUCKETS: usize = 8;
const SECOND: Duration = Duration::from_secs(1);

impl RateMeter {
    /// Over the last second.
    pub(crate) fn new(now: Instant) -> Self {
        Self::over(now, SECOND)
    }

    /// Over another window.
    pub(crate) fn over(now: Instant, window: Duration) -> Self {
        Self {
            buckets: [0; BUCKETS],
            width: window / 8,
            start: now,
            newest: 0,
            ends: now + window / 8,
        }
    }

    pub(crate) fn add(&mut self, now: Instant, amount: u64) {
        self.advance(now);
        let newest = self.newest;
        if let Some(bucket) = self.buckets.get_mut(slot(newest)) {
            *bucket += amount;
        }
    }

    /// The sum over the window, or what has passed of it, by its seconds.
    pub(crate) fn per_second(&mut self, now: Instant) -> f64 {
        self.advance(now);
        let total: u64 = self.buckets.iter().sum();
        let age = now.saturating_duration_since(self.start);
        let window = age.min(self.width * 8).max(self.width);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate of more than 2^52 is not a rate"
        )]
        let total = total as f64;
        total / window.as_secs_f64()
    }

    fn advance(&mut self, now: Instant) {
        if now < self.ends {
            return;
        }
        let elapsed = now.saturating_duration_since(self.start);
        let current =
            u64::try_from(elapsed.as_micros() / self.width.as_micros().max(1)).unwrap_or(u64::MAX);
        let passed = current.saturating_sub(self.newest).min(BUCKETS as u64);
        for number in 1..=passed {
            if let Some(bucket) = self.buckets.get_mut(slot(current - passed + number)) {
                *bucket = 0;
            }
        }
        self.newest = self.newest.max(current);
        let ended = u32::try_from(self.newest + 1).unwrap_or(u32::MAX);
        self.ends = self.start + self.width * ended;
    }
}

fn slot(number: u64) -> usize {
    usize::try_from(number % BUCKETS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_flow_reads_as_its_rate_and_fades_in_a_second() {
        #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
        let base = Instant::now();
        let mut meter = RateMeter::new(base);
        for ms in (0..3_000).step_by(10) {
            meter.add(base + Duration::from_millis(ms), 10);
        }
        let at = base + Duration::from_millis(3_000);
        assert!((meter.per_second(at) - 1_000.0).abs() < 150.0);
        assert!(meter.per_second(at + Duration::from_millis(1_200)) < 1.0);
    }
}
