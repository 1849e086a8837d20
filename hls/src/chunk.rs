//! What a packager hands over: initialisation and chunks of one rendition.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a rendition holds, for the multivariant playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Pictures.
    Video {
        /// RFC 6381, such as `avc1.42e01f`.
        codec: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Pictures a second.
        frame_rate: f64,
    },
    /// Sound.
    Audio {
        /// RFC 6381, such as `mp4a.40.2`.
        codec: String,
        /// Channels, such as 2.
        channels: u8,
    },
}

impl Media {
    pub(crate) fn codec(&self) -> &str {
        match self {
            Self::Video { codec, .. } | Self::Audio { codec, .. } => codec,
        }
    }

    /// Whether it is pictures.
    #[must_use]
    pub fn is_video(&self) -> bool {
        matches!(self, Self::Video { .. })
    }
}

/// How a run of chunks begins: at the start, after a change of parameters, after a gap.
#[derive(Debug, Clone)]
pub struct Init {
    /// `ftyp` and `moov` (ISO/IEC 14496-12).
    pub bytes: Bytes,
    /// What follows.
    pub media: Media,
    /// Unix time, in milliseconds, of media time zero; for `EXT-X-PROGRAM-DATE-TIME`.
    pub zero_unix_ms: i64,
    /// Whether its time does not continue that of the run before (§4.4.4.3). All renditions of a
    /// stream must have their discontinuities together.
    pub discontinuity: bool,
}

/// One or more CMAF chunks (`moof` and `mdat`): a part.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The boxes.
    pub bytes: Bytes,
    /// Media time of the first sample, since the stream's zero.
    pub start: Duration,
    /// Longer than nothing.
    pub duration: Duration,
    /// Whether decoding can begin here.
    pub independent: bool,
    /// Whether the segment is complete with it. The origin also ends segments that grow too long.
    pub ends_segment: bool,
}
