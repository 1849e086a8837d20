//! [`Now`]: one moment, by both clocks that TURN needs.

use std::time::Duration;

/// A moment, as an argument of all that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since some moment before all others; never goes back. Lifetimes and rates go by it.
    pub(crate) at: Duration,
    /// Since 1970, as credentials say when they expire.
    pub(crate) unix: Duration,
}

impl Now {
    /// As lifetimes are kept: in atomic words, of which the highest 16 bits are free for 8,000 years.
    pub(crate) fn millis(self) -> u64 {
        millis(self.at)
    }

    pub(crate) fn millis_after(self, duration: Duration) -> u64 {
        millis(self.at.saturating_add(duration))
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
