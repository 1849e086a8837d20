//! Section `[hls]`: packaging for large audiences, and how far back viewers can go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Packaging for large audiences.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hls {
    /// Whether streams are packaged at all. Without it there is WebRTC alone, and no recording.
    pub enabled: bool,
    /// Longest part, in milliseconds: low-latency players are about four of them behind.
    pub part_ms: u64,
    /// Length of a segment, in milliseconds, where key frames allow it.
    pub segment_ms: u64,
    /// How far back viewers can go in a live stream, in seconds. It is kept on disk.
    pub window_seconds: u64,
    /// Where players find segments, such as `https://cdn.example`; empty: on this server. What asks
    /// there must come here, path and all.
    pub segment_url: String,
    /// Bit rate of the AAC sound.
    pub audio_kbits: u32,
    /// Requests that may wait for one stream's next part.
    pub waiters: usize,
}

impl Default for Hls {
    fn default() -> Self {
        Self {
            enabled: true,
            part_ms: 334,
            segment_ms: 2_000,
            window_seconds: 2 * 3_600,
            segment_url: String::new(),
            audio_kbits: 128,
            waiters: 20_000,
        }
    }
}

impl Hls {
    /// Longest part.
    #[must_use]
    pub fn part(&self) -> Duration {
        Duration::from_millis(self.part_ms)
    }

    /// Length of a segment.
    #[must_use]
    pub fn segment(&self) -> Duration {
        Duration::from_millis(self.segment_ms)
    }

    /// What players are told that no segment is longer than: two of them, since encoders that do not
    /// listen make key frames when they like.
    #[must_use]
    pub fn target_duration(&self) -> Duration {
        Duration::from_secs(self.segment_ms.div_ceil(1_000) * 2)
    }

    /// How far back viewers can go.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds)
    }

    /// [`Hls::segment_url`] without the trailing slash, when it is set.
    #[must_use]
    pub fn segment_origin(&self) -> Option<&str> {
        let url = self.segment_url.trim_end_matches('/');
        (!url.is_empty()).then_some(url)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bounds = [
            ("part_ms", self.part_ms, 100, 1_000),
            ("segment_ms", self.segment_ms, 1_000, 10_000),
            ("window_seconds", self.window_seconds, 30, 24 * 3_600),
            ("audio_kbits", self.audio_kbits.into(), 32, 320),
        ];
        for (key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(invalid(
                    &format!("hls.{key}"),
                    format!("it must lie between {least} and {most}"),
                ));
            }
        }
        if self.part_ms * 2 > self.segment_ms {
            return Err(invalid(
                "hls.part_ms",
                "a segment must hold two parts or more",
            ));
        }
        if self.waiters == 0 {
            return Err(invalid("hls.waiters", "it must be at least 1"));
        }
        let Some(url) = self.segment_origin() else {
            return Ok(());
        };
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', '@', ' ', '"']) => Ok(()),
            _ => Err(invalid(
                "hls.segment_url",
                "it must begin with https:// or http:// and have no query, such as \
                 https://cdn.example",
            )),
        }
    }
}
