//! How much a viewer's link carries, by when packets arrive there. Pure.
//!
//! After Google Congestion Control (draft-ietf-rmcat-gcc-02): down to what came through as soon as
//! delays rise, up slowly while they do not, and in a step where a probe came through. Loss counts
//! only when it is heavy, for radio loses packets though it has room.

mod probe;
mod trend;

use std::time::Duration;

use self::probe::{Outcome, Probe};
use self::trend::{Trend, Usage};
use super::transport::Arrival;

/// The estimate of one viewer.
#[derive(Debug)]
pub(crate) struct Estimator {
    trend: Trend,
    came: Came,
    /// Bit/s.
    rate: f64,
    has_feedback: bool,
    updated_us: u64,
    decreased_us: Option<u64>,
    /// What came through when delays rose last, and how far such rates differ, in shares of it.
    ceiling: Option<(f64, f64)>,
    probe: Option<Probe>,
    probes: u8,
    probed_us: Option<u64>,
    /// How long the next probe is put off.
    pause: Duration,
    wanted: u64,
}

/// Bit/s that came, over the last half second of the viewer's clock.
#[derive(Debug, Default)]
struct Came {
    buckets: [u64; BUCKETS],
    first: Option<i64>,
    newest: i64,
}

/// How often a probe that is being sent wants to be woken.
pub(super) const TICK: Duration = Duration::from_millis(2);

const FIRST_RATE: f64 = 3_000_000.0;
const LEAST_RATE: f64 = 50_000.0;
const MOST_RATE: f64 = 200_000_000.0;
/// Of what came through, when delays rise.
const BACK_OFF: f64 = 0.85;
/// Delays need time to tell of what was done about them.
const DECREASE_INTERVAL: Duration = Duration::from_millis(200);
/// Rises of delay within this are of one cause.
const EPISODE: Duration = Duration::from_millis(500);
/// In a second, far from the ceiling.
const GROWTH: f64 = 1.08;
/// Near it: one packet more in each time in which an answer comes.
const STEP_BITS: f64 = 9_600.0;
const ANSWER_TIME: f64 = 0.1;
const LEAST_STEP: f64 = 8_000.0;
/// The estimate is no further than this above what comes through.
const MOST_AHEAD: f64 = 1.5;
/// Who sends less than this share of the estimate does not learn from what comes through.
const APP_LIMITED: f64 = 0.7;
const HEAVY_LOSS: f32 = 0.1;
/// A probe asks for this much more than is known to be carried.
const PROBE_FACTOR: f64 = 2.0;
const MOST_PROBED: u64 = 30_000_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const BUCKETS: usize = 10;
const BUCKET_US: i64 = 50_000;

impl Estimator {
    pub(super) fn new() -> Self {
        Self {
            trend: Trend::new(),
            came: Came::default(),
            rate: FIRST_RATE,
            has_feedback: false,
            updated_us: 0,
            decreased_us: None,
            ceiling: None,
            probe: None,
            probes: 0,
            probed_us: None,
            pause: Duration::ZERO,
            wanted: 0,
        }
    }

    /// Bit/s; unknown before the viewer has told of any packet.
    pub(super) fn rate(&self) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between the least and the most rate"
        )]
        self.has_feedback.then_some(self.rate as u64)
    }

    /// Takes what arrived, in the order of sending. `loss` is the share lost in the last second,
    /// `rtt` the round trip.
    pub(super) fn update(
        &mut self,
        now_us: u64,
        arrivals: &[Arrival],
        loss: Option<f32>,
        rtt: Duration,
    ) {
        if arrivals.is_empty() {
            return;
        }
        for arrival in arrivals {
            // The queue that a probe makes says nothing of what the media do.
            if arrival.probe == 0 {
                self.trend.add(arrival);
            }
            self.came.add(arrival.arrived_us, arrival.bytes);
            if let Some(probe) = &mut self.probe {
                probe.take(arrival);
            }
        }
        let since = if self.has_feedback {
            seconds(now_us.saturating_sub(self.updated_us)).min(1.0)
        } else {
            0.0
        };
        self.has_feedback = true;
        self.updated_us = now_us;
        let came = self.came.rate();
        if self.trend.take_rise() {
            self.decrease(now_us, came);
        } else if self.trend.usage() == Usage::Normal {
            self.increase(since, came, rtt);
        }
        self.yield_to_loss(came, loss);
        self.end_probe(now_us);
        self.rate = self.rate.clamp(LEAST_RATE, MOST_RATE);
    }

    fn decrease(&mut self, now_us: u64, came: f64) {
        let is_soon = self
            .decreased_us
            .is_some_and(|at| now_us < at + micros(DECREASE_INTERVAL));
        if is_soon {
            return;
        }
        // Who sends little gets little through, but what came at the quickest was as quick as the link:
        // a key frame that makes a queue for a moment must not take the estimate down to the rate of
        // the media. Where delays go on rising, that was a mistake.
        let goes_on = self
            .decreased_us
            .is_some_and(|at| now_us < at + micros(EPISODE));
        let came = if goes_on {
            came
        } else {
            came.max(self.came.peak())
        };
        self.decreased_us = Some(now_us);
        self.rate = self.rate.min(came * BACK_OFF);
        let (mean, spread) = self.ceiling.unwrap_or((came, 0.2));
        let is_near = (came - mean).abs() <= mean * spread.max(0.1) * 3.0;
        self.ceiling = Some(if is_near {
            let mean = mean * 0.95 + came * 0.05;
            (
                mean,
                spread * 0.95 + 0.05 * (came - mean).abs() / mean.max(1.0),
            )
        } else {
            (came, 0.2)
        });
    }

    fn increase(&mut self, since: f64, came: f64, rtt: Duration) {
        if came < self.rate * APP_LIMITED {
            return;
        }
        if self
            .ceiling
            .is_some_and(|(mean, spread)| came > mean * (1.0 + 3.0 * spread.max(0.05)))
        {
            // Above all that failed before: the link has changed.
            self.ceiling = None;
        }
        let grown = if self.ceiling.is_some() {
            let step = STEP_BITS / (rtt.as_secs_f64() + ANSWER_TIME);
            self.rate + step.max(LEAST_STEP) * since
        } else {
            self.rate * GROWTH.powf(since)
        };
        self.rate = grown.min((came * MOST_AHEAD).max(self.rate));
    }

    /// Where much is lost, the link carries what comes through.
    fn yield_to_loss(&mut self, came: f64, loss: Option<f32>) {
        if let Some(loss) = loss.filter(|loss| *loss > HEAVY_LOSS) {
            let less = self.rate * (1.0 - 0.5 * f64::from(loss));
            self.rate = self.rate.min(less.max(came));
        }
    }

    /// What the viewer could use, in bit/s: up to there it is probed.
    pub(super) fn want(&mut self, now_us: u64, wanted: u64) {
        self.wanted = wanted.min(MOST_PROBED);
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let is_enough = self.rate >= self.wanted as f64;
        if is_enough || !self.has_feedback || self.probe.is_some() {
            return;
        }
        let is_calm = self.trend.usage() == Usage::Normal;
        let has_rested = |since: Option<u64>, pause: Duration| {
            since.is_none_or(|at| now_us >= at + micros(pause))
        };
        if is_calm
            && has_rested(self.probed_us, self.pause)
            && has_rested(self.decreased_us, FIRST_PAUSE)
        {
            self.begin_probe(now_us);
        }
    }

    fn begin_probe(&mut self, now_us: u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between the least and twice the most rate"
        )]
        let most = (self.rate * PROBE_FACTOR) as u64;
        self.probes = self.probes.checked_add(1).unwrap_or(1);
        self.probe = Some(Probe::new(self.probes, most.min(self.wanted), now_us));
        self.probed_us = Some(now_us);
    }

    fn end_probe(&mut self, now_us: u64) {
        let Some(outcome) = self.probe.as_ref().and_then(|probe| probe.outcome(now_us)) else {
            return;
        };
        self.probe = None;
        let is_worth_more = match outcome {
            Outcome::Carried { rate, is_full } => {
                #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
                let rate = rate as f64;
                let has_risen = rate > self.rate;
                if has_risen && self.trend.usage() != Usage::Over {
                    self.rate = rate;
                    self.ceiling = None;
                }
                has_risen && !is_full
            }
            Outcome::Failed => false,
        };
        self.pause = if is_worth_more {
            Duration::ZERO
        } else {
            (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
        };
    }

    /// The number of the probe that is being sent; 0 for none.
    pub(super) fn probe(&self) -> u8 {
        let sending = self.probe.as_ref().filter(|probe| probe.is_being_sent());
        sending.map_or(0, |probe| probe.number)
    }

    /// Bytes of padding that the probe needs now.
    pub(super) fn padding(&mut self, now_us: u64) -> u64 {
        let due = self.probe.as_mut().map_or(0, |probe| probe.due(now_us));
        // One of which nothing is heard any more.
        self.end_probe(now_us);
        due
    }

    /// Counts a packet that leaves.
    pub(super) fn note_sent(&mut self, bytes: u64) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.is_being_sent()) {
            probe.note(bytes);
        }
    }
}

impl Came {
    fn add(&mut self, arrived_us: i64, bytes: u64) {
        let number = arrived_us.div_euclid(BUCKET_US);
        if self.first.is_none() || number < self.newest - 1_000 {
            *self = Self {
                buckets: [0; BUCKETS],
                first: Some(number),
                newest: number,
            };
        }
        let passed = (number - self.newest).clamp(0, BUCKETS as i64);
        self.newest = self.newest.max(number);
        for gone in 0..passed {
            if let Some(bucket) = self.buckets.get_mut(slot(self.newest - gone)) {
                *bucket = 0;
            }
        }
        if number > self.newest - BUCKETS as i64
            && let Some(bucket) = self.buckets.get_mut(slot(number))
        {
            *bucket += bytes;
        }
    }

    fn rate(&self) -> f64 {
        let bytes: u64 = self.buckets.iter().sum();
        let since_first = self.first.map_or(0, |first| self.newest - first + 1);
        let buckets = since_first.clamp(1, BUCKETS as i64);
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let (bits, us) = ((bytes * 8) as f64, (buckets * BUCKET_US) as f64);
        bits * 1e6 / us
    }

    /// Bit/s of the bucket in which the most came.
    fn peak(&self) -> f64 {
        let most = self.buckets.iter().max().copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let (bits, us) = ((most * 8) as f64, BUCKET_US as f64);
        bits * 1e6 / us
    }
}

fn slot(number: i64) -> usize {
    usize::try_from(number.rem_euclid(BUCKETS as i64)).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
