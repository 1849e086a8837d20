//! [`Excess`]: whether a publisher sends far more than it may.
//!
//! The answer tells peers a bound, which their estimators keep to on average and some do not read at all
//! (RFC 4566 §5.8): so there is room above it, and time.

use std::time::{Duration, Instant};

use super::bits;
use crate::rate::RateMeter;

/// Of one publisher that is a peer.
#[derive(Debug)]
pub(super) struct Excess {
    /// Bit/s that it may send.
    most: Option<u64>,
    since: Instant,
    bytes: RateMeter,
}

/// It may send so much more, in per cent of the bound,
const ROOM_PERCENT: u64 = 150;
/// as an average over this time.
const WINDOW: Duration = Duration::from_secs(10);

impl Excess {
    pub(super) fn new(now: Instant, most: Option<u64>) -> Self {
        Self {
            most,
            since: now,
            bytes: RateMeter::over(now, WINDOW),
        }
    }

    /// Takes the bytes that came since the last call. Returns whether it is too much.
    pub(super) fn is_reached_by(&mut self, now: Instant, bytes: u64) -> bool {
        let Some(most) = self.most else {
            return false;
        };
        self.bytes.add(now, bytes);
        let is_long = now.saturating_duration_since(self.since) >= WINDOW;
        let rate = bits(self.bytes.per_second(now));
        is_long && rate > most.saturating_mul(ROOM_PERCENT) / 100
    }
}
