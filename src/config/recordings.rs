//! Section `[recordings]`: what is kept of streams, and how long.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// Who may watch a recording until its owner says otherwise.
    pub visibility: NewRecordings,
}

/// Who may watch a new recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewRecordings {
    /// Everybody, and it stands in lists.
    Public,
    /// Who has its address.
    Unlisted,
    /// Its owner.
    Private,
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            keep_days: 0,
            quota_mb: 0,
            make_mp4: true,
            visibility: NewRecordings::Public,
        }
    }
}

impl Recordings {
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
