//! [`Media`]: a unit of either kind, as a publisher sends it.

use std::time::Duration;

use rtmp::{AudioCodec, AudioUnit, Refusal, VideoCodec, VideoUnit};
use sfu::TapCodec;

use super::adts::Adts;

/// A picture, or a frame of sound.
#[derive(Debug)]
pub(super) enum Media {
    Video(VideoUnit),
    Audio(AudioUnit),
}

/// Opus packets go out as they come: longer ones fit no datagram.
const LONGEST_OPUS: usize = 1_200;

impl Media {
    /// What nobody could play.
    ///
    /// # Errors
    /// Says what to set.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let Self::Audio(unit) = self else {
            return Ok(());
        };
        let words = match &unit.codec {
            AudioCodec::Aac(config) if Adts::of(&config.config).is_none() => {
                "this kind of AAC is not supported; set the encoder to AAC-LC in stereo"
            }
            AudioCodec::Opus { .. } if unit.bytes.len() > LONGEST_OPUS => {
                "these packets of Opus are too long for WebRTC; set the encoder to 256 kbit/s or less \
                 in frames of 20 ms"
            }
            _ => return Ok(()),
        };
        Err(Refusal::BadName(words.to_owned()))
    }

    /// When it is to be decoded.
    pub(super) fn time(&self) -> Duration {
        match self {
            Self::Video(unit) => unit.dts,
            Self::Audio(unit) => unit.pts,
        }
    }

    pub(super) fn picture(&self) -> Option<&VideoUnit> {
        match self {
            Self::Video(unit) => Some(unit),
            Self::Audio(_) => None,
        }
    }

    /// Whether decoding can begin with it, by its pictures.
    pub(super) fn is_keyframe(&self) -> bool {
        self.picture().is_some_and(|unit| unit.keyframe)
    }

    pub(super) fn video_codec(&self) -> Option<TapCodec> {
        self.picture().map(|unit| match unit.codec {
            VideoCodec::H264 => TapCodec::H264,
            VideoCodec::H265 => TapCodec::H265,
            VideoCodec::Vp9 => TapCodec::Vp9,
            VideoCodec::Av1 => TapCodec::Av1,
        })
    }

    pub(super) fn audio_codec(&self) -> Option<TapCodec> {
        match self {
            Self::Video(_) => None,
            Self::Audio(unit) => Some(match unit.codec {
                AudioCodec::Aac(_) => TapCodec::Aac,
                AudioCodec::Opus { .. } => TapCodec::Opus,
            }),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Video(unit) => unit.bytes.len(),
            Self::Audio(unit) => unit.bytes.len(),
        }
    }
}
