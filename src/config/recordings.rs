//! Section `[recordings]`: what is kept of streams, and how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// What is kept of streams, and how long. Whether a channel's streams are recorded is its owner's
/// choice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Recordings are deleted so many days after their end; 0 keeps them for ever.
    pub keep_days: u32,
    /// When all recordings together are larger, the oldest are deleted, in megabytes; 0 sets no
    /// bound.
    pub quota_mb: u64,
    /// Whether an MP4 is made of each recording by itself; else when its owner asks for it.
    pub make_mp4: bool,
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            keep_days: 0,
            quota_mb: 0,
            make_mp4: true,
        }
    }
}

impl Recordings {
    /// How long recordings stay, unless for ever.
    #[must_use]
    pub fn keep(&self) -> Option<Duration> {
        let day = Duration::from_secs(24 * 3_600);
        (self.keep_days > 0).then(|| day * self.keep_days)
    }

    /// How large all recordings may be together, if there is a bound.
    #[must_use]
    pub fn quota_bytes(&self) -> Option<u64> {
        (self.quota_mb > 0).then(|| self.quota_mb.saturating_mul(1_000_000))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.keep_days > 36_500 {
            return Err(invalid(
                "recordings.keep_days",
                "it must be at most 36500; 0 keeps recordings for ever",
            ));
        }
        Ok(())
    }
}
