//! Whether a queue builds up on the way: the trend of one-way delays (draft-ietf-rmcat-gcc-02 §5, with
//! a line fitted through the delays in place of the Kalman filter).

use std::collections::VecDeque;

use super::super::transport::Arrival;

/// What the delays say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Usage {
    #[default]
    Normal,
    /// A queue builds up.
    Over,
    /// One empties.
    Under,
}

/// The trend of the delays of one viewer.
#[derive(Debug)]
pub(super) struct Trend {
    group: Option<Group>,
    before: Option<Group>,
    /// Delay that came together since the start, in ms, and the same smoothed.
    delay: f64,
    smoothed: f64,
    /// Time in ms and smoothed delay.
    points: VecDeque<(f64, f64)>,
    seen: u32,
    threshold: f64,
    updated_ms: Option<f64>,
    over_for: f64,
    over_times: u32,
    last_slope: f64,
    usage: Usage,
    /// Whether a queue was found to grow since that was last asked.
    has_risen: bool,
}

/// Packets that were sent together. Their delay is that of the first: what comes behind it waits for
/// it, too, and the more so the larger a frame is, though no queue stands on the way.
#[derive(Debug, Clone, Copy)]
struct Group {
    sent_us: u64,
    arrived_us: i64,
}

/// Packets sent within this are one group.
const BURST_US: u64 = 5_000;
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
/// Groups after which a slope counts in full.
const FULL_WEIGHT: u32 = 60;
const FIRST_THRESHOLD: f64 = 12.5;
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
/// How fast the threshold follows what is above and what is below it, for each ms.
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// What is this far above the threshold is a jump and not to be followed.
const JUMP: f64 = 15.0;
/// How long, in ms, delays must rise.
const OVER_FOR: f64 = 10.0;
/// A viewer whose clock goes back, or that was away, starts anew.
const PAUSE_MS: f64 = 3_000.0;

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            group: None,
            before: None,
            delay: 0.0,
            smoothed: 0.0,
            points: VecDeque::with_capacity(WINDOW + 1),
            seen: 0,
            threshold: FIRST_THRESHOLD,
            updated_ms: None,
            over_for: 0.0,
            over_times: 0,
            last_slope: 0.0,
            usage: Usage::Normal,
            has_risen: false,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether a queue was found to grow since the last call. One that grew and does so no more is no
    /// reason to yield again, though it still stands.
    pub(super) fn take_rise(&mut self) -> bool {
        std::mem::take(&mut self.has_risen)
    }

    /// Takes a packet that arrived, in the order of sending.
    pub(super) fn add(&mut self, arrival: &Arrival) {
        let Some(group) = self.group else {
            self.group = Some(Group::of(arrival));
            return;
        };
        if arrival.sent_us < group.sent_us {
            return;
        }
        if arrival.sent_us - group.sent_us <= BURST_US {
            return;
        }
        if let Some(before) = self.before {
            self.compare(before, group);
        }
        self.before = Some(group);
        self.group = Some(Group::of(arrival));
    }

    fn compare(&mut self, before: Group, group: Group) {
        let sent = ms(i64::try_from(group.sent_us - before.sent_us).unwrap_or(0));
        let arrived = ms(group.arrived_us - before.arrived_us);
        if !(0.0..=PAUSE_MS).contains(&arrived) {
            self.points.clear();
            (self.delay, self.smoothed) = (0.0, 0.0);
            return;
        }
        self.seen = (self.seen + 1).min(FULL_WEIGHT);
        self.delay += arrived - sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        let at = ms(group.arrived_us);
        self.points.push_back((at, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let slope = if self.points.len() == WINDOW {
            slope(&self.points).unwrap_or(self.last_slope)
        } else {
            0.0
        };
        self.detect(at, sent, slope);
    }

    fn detect(&mut self, at: f64, since: f64, slope: f64) {
        let trend = f64::from(self.seen) * slope * GAIN;
        if trend > self.threshold {
            self.over_for += since;
            self.over_times += 1;
            if self.over_for > OVER_FOR && self.over_times > 1 && slope >= self.last_slope {
                (self.over_for, self.over_times) = (0.0, 0);
                self.usage = Usage::Over;
                self.has_risen = true;
            }
        } else {
            (self.over_for, self.over_times) = (0.0, 0);
            self.usage = if trend < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_slope = slope;
        self.adapt(at, trend.abs());
    }

    /// Lets the threshold follow, so that jitter of a link is not taken for a queue, and streams that
    /// fill queues do not starve this one.
    fn adapt(&mut self, at: f64, trend: f64) {
        let since = self
            .updated_ms
            .map_or(0.0, |before| (at - before).clamp(0.0, 100.0));
        self.updated_ms = Some(at);
        if trend > self.threshold + JUMP {
            return;
        }
        let speed = if trend < self.threshold { FALL } else { RISE };
        self.threshold += speed * (trend - self.threshold) * since;
        self.threshold = self.threshold.clamp(THRESHOLDS.0, THRESHOLDS.1);
    }
}

impl Group {
    fn of(arrival: &Arrival) -> Self {
        Self {
            sent_us: arrival.sent_us,
            arrived_us: arrival.arrived_us,
        }
    }
}

/// Of the line through the points with the least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = f64::from(u32::try_from(points.len()).ok()?);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>();
    let under = points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>();
    (under > 0.0).then(|| over / under)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of a session are far below 2^52 µs"
)]
fn ms(us: i64) -> f64 {
    us as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usage after packets every 30 ms that take as long as `delay_us` says.
    fn usage(delay_us: impl Fn(u64) -> i64) -> Vec<Usage> {
        let mut trend = Trend::new();
        (0..200)
            .map(|number| {
                let sent_us = number * 30_000;
                trend.add(&Arrival {
                    sent_us,
                    arrived_us: i64::try_from(sent_us).expect("short") + delay_us(number),
                    bytes: 1_000,
                    probe: 0,
                });
                trend.usage()
            })
            .collect()
    }

    #[test]
    fn even_delay_is_normal_and_so_is_jitter() {
        assert!(usage(|_| 40_000).iter().all(|u| *u == Usage::Normal));
        let jitter = usage(|n| i64::try_from(n * 7_919 % 11).expect("small") * 800);
        assert!(jitter.iter().all(|u| *u == Usage::Normal));
    }

    #[test]
    fn queue_that_grows_is_found_within_a_second_and_one_that_empties_too() {
        let grows = |n: u64| i64::try_from(n.saturating_sub(100)).expect("small") * 5_000;
        let found = usage(grows);
        assert!(found[..100].iter().all(|u| *u == Usage::Normal));
        let at = found.iter().position(|u| *u == Usage::Over);
        assert!(at.is_some_and(|at| at < 133), "{at:?}");
        let empties =
            |n: u64| 500_000 - i64::try_from(n.saturating_sub(100)).expect("small") * 5_000;
        assert!(usage(empties).contains(&Usage::Under));
    }
}
