//! What an origin is told at its start.

use std::path::PathBuf;
use std::time::Duration;

/// Lengths, bounds and the folder of one stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Longest part. `EXT-X-PART-INF:PART-TARGET` (§4.4.3.7); chunks must not exceed it.
    pub part_target: Duration,
    /// Longest segment, in whole seconds. `EXT-X-TARGETDURATION` (§4.4.3.1) cannot change while the
    /// stream runs: a segment that no key frame ends is cut at this length.
    pub target_duration: Duration,
    /// How far back viewers can go. Older segments leave the playlists and, unless they are kept,
    /// the disk.
    pub window: Duration,
    /// Folder of this stream's segments. Without one, the window is what memory holds.
    pub folder: Option<PathBuf>,
    /// Whether segments stay on disk when they leave the window, because they are recorded.
    pub keep: bool,
    /// Requests that may wait for a part at the same time.
    pub waiters: usize,
    /// Bytes of old segments that are held after a read from disk.
    pub cache_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            part_target: Duration::from_millis(334),
            target_duration: Duration::from_secs(4),
            window: Duration::from_secs(2 * 3600),
            folder: None,
            keep: false,
            waiters: 20_000,
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Config {
    /// `PART-HOLD-BACK` (§4.4.3.8): at least three parts.
    pub(crate) fn part_hold_back(&self) -> Duration {
        self.part_target * 3
    }

    /// `HOLD-BACK` (§4.4.3.8): at least three segments.
    pub(crate) fn hold_back(&self) -> Duration {
        self.target_duration * 3
    }

    /// `CAN-SKIP-UNTIL` (§4.4.3.8): at least six segments.
    pub(crate) fn skip_until(&self) -> Duration {
        self.target_duration * 6
    }

    /// How far from the end segments keep their parts (§6.2.2: three target durations), and one
    /// more for who asks late.
    pub(crate) fn in_parts(&self) -> Duration {
        self.target_duration * 4
    }

    /// How far ahead of the last part a request may be (§6.2.5.2: Advance Part Limit).
    pub(crate) fn advance_parts(&self) -> usize {
        let target = self.part_target.as_secs_f64();
        if target >= 1.0 {
            return 3;
        }
        let mut parts = 3;
        while f64::from(parts) * target < 3.0 {
            parts += 1;
        }
        usize::try_from(parts).unwrap_or(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_obey_the_draft() {
        let config = Config::default();
        assert!(config.part_hold_back() >= config.part_target * 3);
        assert!(config.skip_until() >= config.target_duration * 6);
        assert_eq!(config.advance_parts(), 9, "three seconds of parts");
    }
}
