//! Payloads of audio and video messages, which are bodies of FLV tags (Adobe "Video File Format"
//! 10.1 annex E, Enhanced RTMP v2), to access units.
//!
//! What is broken, or comes before the configuration that it needs, is dropped and counted; a codec
//! that has no place here is an error with words. Metadata is not asked: all is read from the bit
//! streams.

mod aac;
mod audio;
mod av1;
mod avc;
mod beginning;
mod clock;
#[cfg(test)]
mod tests;
mod video;
mod vp9;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

pub use aac::AacConfig;

use audio::AudioTrack;
use clock::Clock;
use video::VideoTrack;

/// A picture in decoding order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoUnit {
    /// What `bytes` are.
    pub codec: VideoCodec,
    /// When it is decoded, on a clock that starts at some seconds with what is published, and that
    /// pictures and sound share. It is as steady as the publisher's timestamps, jumps included.
    pub dts: Duration,
    /// When it is shown, on the same clock.
    pub pts: Duration,
    /// Whether decoding can begin here, as the bit stream says it.
    pub keyframe: bool,
    /// Whether a picture was dropped between the one before and this, because it was broken: what is
    /// decoded from here on may refer to it.
    pub is_after_loss: bool,
    /// One access unit, temporal unit or frame.
    pub bytes: Bytes,
}

/// The codec of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264; start codes of four bytes (annex B), no delimiters, key frames (IDR) with their
    /// parameter sets in front. Always with a slice: what comes without is held for the next picture.
    H264,
    /// ITU-T H.265; as with H264, key frames are IRAP pictures.
    H265,
    /// A frame or superframe as it came.
    Vp9,
    /// A temporal unit of OBUs that all have their size fields (AV1 §5), without temporal
    /// delimiter, key frames with their sequence header in front.
    Av1,
}

/// A frame of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioUnit {
    /// What `bytes` are.
    pub codec: AudioCodec,
    /// When it is heard, on the clock of [`VideoUnit::dts`].
    pub pts: Duration,
    /// A raw AAC frame without ADTS header, or an Opus packet.
    pub bytes: Bytes,
}

/// The codec of a frame of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioCodec {
    /// ISO/IEC 14496-3, configured as said.
    Aac(AacConfig),
    /// RFC 6716.
    Opus {
        /// One or two.
        channels: u8,
    },
}

/// Something that is valid and has no place here; its text tells the publisher what to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A video codec by its name.
    #[error("{0} video is not supported: set the encoder to H.264, H.265, AV1 or VP9")]
    Video(Name),
    /// An audio codec by its name.
    #[error("{0} audio is not supported: set the encoder to AAC or Opus")]
    Audio(Name),
    /// Several tracks in one stream (Enhanced RTMP "Multitrack").
    #[error("several tracks in one stream are not supported: turn multitrack off in the encoder")]
    Multitrack,
    /// More channels than Opus has without channel mapping.
    #[error("Opus with {0} channels is not supported: set the encoder to stereo")]
    OpusChannels(u8),
    /// A picture that the SFU would not take.
    #[error(
        "a picture has more than 2 MiB: lower the bitrate or the picture's size in the encoder"
    )]
    PictureLength,
}

/// A codec's name: ours, or the FourCC that was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Of a codec that FLV numbers.
    Known(&'static str),
    /// Of any other.
    FourCc([u8; 4]),
}

/// What came of the messages of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Pictures given out.
    pub video_units: u64,
    /// Frames of sound given out.
    pub audio_units: u64,
    /// Media and data messages dropped because they are broken, or belong to no picture.
    pub broken: u64,
    /// Media dropped because the configuration that it needs had not come.
    pub before_configuration: u64,
    /// Media dropped because nothing was being published.
    pub unexpected: u64,
}

/// Why a tag gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagError {
    Broken,
    BeforeConfiguration,
    Unsupported(Unsupported),
}

/// Makes access units of the tags of one publication.
#[derive(Debug, Default)]
pub(crate) struct Demuxer {
    clock: Clock,
    video: VideoTrack,
    audio: AudioTrack,
    pub(crate) counts: Counts,
}

impl Demuxer {
    /// # Errors
    /// When the publisher has to set another codec.
    pub(crate) fn video(
        &mut self,
        timestamp: u32,
        tag: &Bytes,
    ) -> Result<Option<VideoUnit>, Unsupported> {
        let read = self.video.read(&mut self.clock, timestamp, tag);
        let dropped = self.video.take_dropped();
        self.counts.broken = self.counts.broken.saturating_add(dropped);
        let unit = self.counted(read)?;
        self.counts.video_units = self
            .counts
            .video_units
            .saturating_add(unit.is_some().into());
        Ok(unit)
    }

    /// # Errors
    /// When the publisher has to set another codec.
    pub(crate) fn audio(
        &mut self,
        timestamp: u32,
        tag: &Bytes,
    ) -> Result<Option<AudioUnit>, Unsupported> {
        let read = self.audio.read(&mut self.clock, timestamp, tag);
        let unit = self.counted(read)?;
        self.counts.audio_units = self
            .counts
            .audio_units
            .saturating_add(unit.is_some().into());
        Ok(unit)
    }

    /// Forgets configurations and clock for another publication on the connection, and goes on
    /// counting.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            counts: self.counts,
            ..Self::default()
        };
    }

    fn counted<U>(&mut self, read: Result<Option<U>, TagError>) -> Result<Option<U>, Unsupported> {
        let count = match read {
            Ok(unit) => return Ok(unit),
            Err(TagError::Unsupported(unsupported)) => return Err(unsupported),
            Err(TagError::Broken) => &mut self.counts.broken,
            Err(TagError::BeforeConfiguration) => &mut self.counts.before_configuration,
        };
        *count = count.saturating_add(1);
        Ok(None)
    }
}

/// Passes over `ModEx` packets (Enhanced RTMP v2 "ExVideoTagHeader"), which only refine timestamps,
/// and gives the packet type behind them and the rest.
fn skip_mod_ex(mut packet: u8, mut rest: &[u8]) -> Result<(u8, &[u8]), TagError> {
    while packet == MOD_EX {
        let (&size, tail) = rest.split_first().ok_or(TagError::Broken)?;
        let mut size = usize::from(size).saturating_add(1);
        rest = tail;
        if size == 256 {
            let (long, tail) = rest.split_first_chunk::<2>().ok_or(TagError::Broken)?;
            size = usize::from(u16::from_be_bytes(*long)).saturating_add(1);
            rest = tail;
        }
        let tail = rest.get(size..).ok_or(TagError::Broken)?;
        let (&types, tail) = tail.split_first().ok_or(TagError::Broken)?;
        packet = types & 0x0f;
        rest = tail;
    }
    Ok((packet, rest))
}

/// `ModEx` among the packet types of audio and video.
const MOD_EX: u8 = 7;

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name) => f.write_str(name),
            Self::FourCc(code) => write!(f, "'{}'", code.escape_ascii()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
