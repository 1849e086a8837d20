//! Numbers of an incoming track that go on when its SSRC changes.
//!
//! Viewers and cached groups know a source by its sequence numbers and timestamps; a publisher may
//! begin new ones at any time (RFC 3550 §8.2). Pure: what comes in, what time it is, what goes on.

use std::time::{Duration, Instant};

/// The numbers of one track or layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbering {
    clock: u32,
    /// Added, with wrap-around, to what comes.
    seq: u64,
    timestamp: u32,
    /// Packets before this one come from before the change.
    floor: u64,
    newest: Option<Newest>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    seq: u64,
    timestamp: u32,
    arrival: Instant,
}

/// A change moves time by no more than this; more is a clock that jumped.
const MOST_STEP: Duration = Duration::from_secs(60);

impl Numbering {
    /// For an RTP clock of `clock` Hz.
    pub(super) fn new(clock: u32) -> Self {
        Self {
            clock,
            seq: 0,
            timestamp: 0,
            floor: 0,
            newest: None,
        }
    }

    /// Another SSRC goes on here, with this packet.
    pub(super) fn restart(&mut self, now: Instant, seq: u64, timestamp: u32) {
        let Some(newest) = self.newest else { return };
        let passed = now.saturating_duration_since(newest.arrival).min(MOST_STEP);
        let ticks = passed.as_micros() * u128::from(self.clock) / 1_000_000;
        let step = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
        self.floor = newest.seq + 1;
        self.seq = self.floor.wrapping_sub(seq);
        self.timestamp = newest.timestamp.wrapping_add(step).wrapping_sub(timestamp);
    }

    /// The numbers that a packet goes on with; `None` for one from before the change.
    pub(super) fn apply(&mut self, now: Instant, seq: u64, timestamp: u32) -> Option<(u64, u32)> {
        let seq = seq.wrapping_add(self.seq);
        let timestamp = timestamp.wrapping_add(self.timestamp);
        // What comes from before the first packet of an SSRC wraps to the far end.
        let is_before = seq < self.floor || seq > self.floor.saturating_add(u64::MAX / 2);
        if is_before {
            return None;
        }
        if self.newest.is_none_or(|newest| seq > newest.seq) {
            self.newest = Some(Newest {
                seq,
                timestamp,
                arrival: now,
            });
        }
        Some((seq, timestamp))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn another_ssrc_goes_on_where_the_one_before_it_ended() {
        let now = base();
        let mut numbering = Numbering::new(90_000);
        assert_eq!(numbering.apply(now, 500, 7_000), Some((500, 7_000)));
        let later = now + Duration::from_millis(100);
        numbering.restart(later, 9, 4_000_000_000);
        assert_eq!(
            numbering.apply(later, 9, 4_000_000_000),
            Some((501, 16_000))
        );
        assert_eq!(numbering.apply(later, 8, 4_000_000_000), None, "too late");
        assert_eq!(
            numbering.apply(later, 10, 4_000_003_000),
            Some((502, 19_000))
        );
    }

    proptest! {
        /// Over any changes: each SSRC begins one behind the newest, and time goes on.
        #[test]
        fn numbers_go_on(
            sources in proptest::collection::vec(
                (0u64..1 << 40, any::<u32>(), 1u32..30, 0u64..90_000), 1..10
            ),
        ) {
            let mut now = base();
            let mut numbering = Numbering::new(90_000);
            let mut last: Option<(u64, u32)> = None;
            for (first, timestamp, count, pause) in sources {
                now += Duration::from_millis(pause);
                numbering.restart(now, first, timestamp);
                for i in 0..count {
                    let time = timestamp.wrapping_add(i * 3_000);
                    let out = numbering.apply(now, first + u64::from(i), time);
                    let out = out.expect("it is not late");
                    if let Some(last) = last {
                        prop_assert_eq!(out.0, last.0 + 1);
                        let ahead = out.1.wrapping_sub(last.1);
                        prop_assert!((1..=60 * 90_000).contains(&ahead));
                    }
                    last = Some(out);
                    now += Duration::from_millis(33);
                }
            }
        }
    }
}
