//! What the server and its media-worker tell each other; [`crate::frame`] is how it travels.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a track holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// One picture, of whatever codec.
    Pictures,
    /// Sound.
    Sound,
}

/// What an access unit is coded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// H.264 access units with start codes (ITU-T H.264 annex B).
    H264,
    /// Opus packets (RFC 6716), 48 kHz.
    Opus,
    /// AAC frames, each with its ADTS header (ISO/IEC 14496-3 §1.A.3.2).
    Aac,
    /// H.265 access units with start codes (ITU-T H.265 annex B).
    H265,
    /// VP8 frames (RFC 6386): to be transcoded, not packaged.
    Vp8,
    /// VP9 frames.
    Vp9,
    /// AV1 temporal units without delimiters, all OBUs with their sizes.
    Av1,
}

/// An access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its track, by the number that it was opened with.
    pub track: u8,
    /// How it is coded, which may be otherwise than those before it.
    pub codec: Codec,
    /// When it is shown or heard, since the stream's zero. One clock for all tracks.
    pub pts: Duration,
    /// When it is decoded, on the same clock: it is never after `pts`, and rises from one unit of a
    /// track to the next, unless another encoder takes over. The two differ where pictures are sent in
    /// another order than that in which they are shown.
    pub dts: Duration,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Width and height of a picture in pixels, where it tells them, as key frames do.
    pub size: Option<(u16, u16)>,
    /// Its bytes, as its codec has them.
    pub bytes: Bytes,
}

/// A picture of a stream, for lists of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// When it was shown, since the stream's zero.
    pub pts: Duration,
    /// A JPEG, 320 pixels wide.
    pub jpeg: Bytes,
}

/// How the child is to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) part_ms: u64,
    pub(crate) segment_ms: u64,
    pub(crate) audio_bits_a_second: u32,
}

/// A track, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    pub(crate) id: u8,
    pub(crate) kind: TrackKind,
}

/// Renditions of H264 that are made of one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// What is decoded.
    pub source: Codec,
    /// Pictures a second: what the encoders reckon with.
    pub frame_rate: u8,
    /// Key frames come where the source has them, and after this long without one.
    pub longest_group: Duration,
    /// What is made; each at every key frame of the source.
    pub rungs: Vec<Rung>,
}

/// Opus that is made of AAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusJob {
    /// What its units are known by.
    pub track: u8,
    /// Of its bit stream.
    pub bits_a_second: u32,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// What its units are known by.
    pub track: u8,
    /// Pixels, even.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Of its bit stream.
    pub bits_a_second: u32,
    /// Whether every WebRTC peer must be able to decode it.
    pub is_baseline: bool,
}

/// What a rendition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Media {
    Video {
        codec: String,
        width: u32,
        height: u32,
    },
    Audio {
        codec: String,
        channels: u8,
    },
}

/// An initialisation of a track.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Init {
    pub(crate) track: u8,
    pub(crate) media: Media,
    pub(crate) discontinuity: bool,
    pub(crate) bytes: Bytes,
}

/// A part of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) track: u8,
    pub(crate) start: Duration,
    pub(crate) duration: Duration,
    /// Pictures or frames of sound in it.
    pub(crate) samples: u16,
    pub(crate) independent: bool,
    pub(crate) ends_segment: bool,
    pub(crate) bytes: Bytes,
}

/// From the server to the child.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ToWorker {
    Settings(Settings),
    /// Before its first unit; at any time.
    Track(Track),
    /// All units are to be transcoded; at the beginning.
    Ladder(Ladder),
    /// All units are AAC, and are to become Opus; at the beginning.
    ToOpus(OpusJob),
    Unit(Unit),
    /// Asks for [`FromWorker::Alive`].
    Ping,
}

/// From the child to the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FromWorker {
    Init(Init),
    Part(Part),
    /// In words; the child goes on as far as it can.
    Problem(String),
    /// All that came before the ping has been worked on.
    Alive,
    Thumbnail(Thumbnail),
    /// Transcoded.
    Unit(Unit),
}

impl FromWorker {
    /// For messages about it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "an initialisation",
            Self::Part(_) => "a part",
            Self::Problem(_) => "a problem",
            Self::Alive => "a sign of life",
            Self::Thumbnail(_) => "a thumbnail",
            Self::Unit(_) => "an access unit",
        }
    }
}
