//! What an origin is told at its start.

use std::path::PathBuf;
use std::time::Duration;

/// Lengths, bounds and the folder of one stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where `EXT-X-PART-INF:PART-TARGET` (§4.4.3.7) starts. It grows with the longest part: a source
    /// of three pictures a second has none shorter.
    pub part_target: Duration,
    /// A chunk longer than this is refused: its packager should have begun anew.
    pub longest_part: Duration,
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
    /// How much longer the first multivariant playlist waits for other renditions, once there is
    /// something to see. A simulcast layer may never send.
    pub settle: Duration,
    /// Requests that may wait for a part at the same time.
    pub waiters: usize,
    /// Bytes of old segments that are held after a read from disk.
    pub cache_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            part_target: Duration::from_millis(334),
            longest_part: Duration::from_millis(1_200),
            target_duration: Duration::from_secs(4),
            window: Duration::from_secs(2 * 3600),
            folder: None,
            keep: false,
            settle: Duration::from_millis(1_500),
            waiters: 20_000,
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Config {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_obey_the_draft() {
        let config = Config::default();
        assert!(config.skip_until() >= config.target_duration * 6);
        assert!(config.hold_back() >= config.target_duration * 3);
    }
}
