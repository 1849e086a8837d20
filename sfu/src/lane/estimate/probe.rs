//! Probing: for a moment more is sent than the media are, to learn whether the link carries it.

use std::time::Duration;

use super::super::transport::Arrival;
use super::micros;

/// A probe that is being sent, or whose packets are on their way.
#[derive(Debug)]
pub(super) struct Probe {
    /// Which one; never 0.
    pub(super) number: u8,
    /// Bit/s to be sent at.
    pub(super) rate: u64,
    started_us: u64,
    sent_bytes: u64,
    sent_packets: u32,
    ended_us: Option<u64>,
    arrived: Vec<Arrival>,
}

/// How long a probe is sent for.
const LENGTH: Duration = Duration::from_millis(20);
const FEWEST_PACKETS: u32 = 6;
/// A probe that takes longer, for want of wakes, is none.
const LONGEST: Duration = Duration::from_millis(200);
/// How long its packets are waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Share of its packets that must come.
const LEAST_ARRIVED_PERCENT: u64 = 80;

/// What a probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The link carried so many bit/s.
    Carried {
        rate: u64,
        /// It would not have carried more.
        is_full: bool,
    },
    Failed,
}

impl Probe {
    pub(super) fn new(number: u8, rate: u64, now_us: u64) -> Self {
        Self {
            number: number.max(1),
            rate,
            started_us: now_us,
            sent_bytes: 0,
            sent_packets: 0,
            ended_us: None,
            arrived: Vec::new(),
        }
    }

    pub(super) fn is_being_sent(&self) -> bool {
        self.ended_us.is_none()
    }

    /// Bytes that are due now, beside what was sent.
    pub(super) fn due(&mut self, now_us: u64) -> u64 {
        let elapsed = now_us.saturating_sub(self.started_us);
        let is_over = elapsed >= micros(LENGTH) && self.sent_packets >= FEWEST_PACKETS;
        if is_over || elapsed > micros(LONGEST) {
            self.ended_us.get_or_insert(now_us);
            return 0;
        }
        // A little ahead, so that there is something to measure from the first wake on.
        let planned = |span| self.rate.saturating_mul(span + micros(super::TICK)) / 8_000_000;
        // What a late wake has missed is not sent all at once.
        let due = planned(elapsed).saturating_sub(self.sent_bytes);
        due.min(planned(micros(LENGTH)))
    }

    /// Counts a packet that leaves while the probe is sent.
    pub(super) fn note(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
        self.sent_packets += 1;
    }

    pub(super) fn take(&mut self, arrival: &Arrival) {
        if arrival.probe == self.number {
            self.arrived.push(*arrival);
        }
    }

    /// What it came to, once that can be told.
    pub(super) fn outcome(&self, now_us: u64) -> Option<Outcome> {
        let ended = self.ended_us?;
        let arrived = self.arrived.len() as u64;
        if arrived >= u64::from(self.sent_packets) {
            return Some(self.measure());
        }
        let has_waited = now_us.saturating_sub(ended) > micros(PATIENCE);
        if !has_waited {
            return None;
        }
        let is_enough = arrived * 100 >= u64::from(self.sent_packets) * LEAST_ARRIVED_PERCENT;
        Some(if is_enough {
            self.measure()
        } else {
            Outcome::Failed
        })
    }

    /// By the spans in which it was sent and in which it came.
    fn measure(&self) -> Outcome {
        let bytes: u64 = self.arrived.iter().map(|a| a.bytes).sum();
        let first_sent = self.arrived.iter().min_by_key(|a| a.sent_us);
        let last_sent = self.arrived.iter().max_by_key(|a| a.sent_us);
        let first_came = self.arrived.iter().min_by_key(|a| a.arrived_us);
        let last_came = self.arrived.iter().max_by_key(|a| a.arrived_us);
        let measured = || {
            let (first_sent, last_sent) = (first_sent?, last_sent?);
            let (first_came, last_came) = (first_came?, last_came?);
            let sending = last_sent.sent_us - first_sent.sent_us;
            let coming = u64::try_from(last_came.arrived_us - first_came.arrived_us).ok()?;
            let sent = rate(bytes - last_sent.bytes, sending)?;
            let came = rate(bytes - first_came.bytes, coming)?;
            Some((sent, came))
        };
        match measured() {
            // More than was sent comes of a queue that was there before.
            Some((sent, came)) if came <= sent * 2 => {
                // At its end, the link is left a little room.
                let is_full = came * 10 < sent * 9;
                let rate = if is_full {
                    came * 95 / 100
                } else {
                    sent.min(came)
                };
                Outcome::Carried { rate, is_full }
            }
            _ => Outcome::Failed,
        }
    }
}

fn rate(bytes: u64, us: u64) -> Option<u64> {
    (bytes * 8_000_000).checked_div(us)
}
