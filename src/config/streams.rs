//! Section `[streams]`: how a channel goes live and off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// How a channel goes live and off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// How long a lost publisher may stay away before the stream ends; 0 ends it at once.
    pub reconnect_window_seconds: u64,
    /// What happens when somebody publishes on a channel that is live.
    pub second_publisher: SecondPublisher,
    /// After this long without media a publisher counts as silent, in milliseconds.
    pub silence_ms: u64,
}

/// What happens when somebody publishes on a channel that is live already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondPublisher {
    /// Takes over once the first has been silent; until then it is refused.
    AfterSilence,
    /// Takes over at once.
    Takeover,
    /// Is refused until the first is gone.
    Reject,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            reconnect_window_seconds: 30,
            second_publisher: SecondPublisher::AfterSilence,
            silence_ms: 1_800,
        }
    }
}

impl Streams {
    /// How long a lost publisher may stay away.
    #[must_use]
    pub fn reconnect_window(&self) -> Duration {
        Duration::from_secs(self.reconnect_window_seconds)
    }

    /// After this long without media a publisher counts as silent.
    #[must_use]
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.reconnect_window_seconds > 1_800 {
            return Err(invalid(
                "streams.reconnect_window_seconds",
                "it must be at most 1800 (half an hour)",
            ));
        }
        if !(500..=30_000).contains(&self.silence_ms) {
            return Err(invalid(
                "streams.silence_ms",
                "it must lie between 500 and 30000",
            ));
        }
        Ok(())
    }
}
