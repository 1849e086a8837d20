//! What viewers are told of tracks that are made of access units.

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Frequency;

use crate::video::VideoCodec;

/// What browsers that decode it offer; the bit stream says the rest.
pub(super) fn video(codec: VideoCodec) -> CodecSpec {
    let format = match codec {
        VideoCodec::H264 => FormatParams {
            level_asymmetry_allowed: Some(true),
            packetization_mode: Some(1),
            profile_level_id: Some(0x42_e0_1f),
            ..FormatParams::default()
        },
        _ => FormatParams::default(),
    };
    CodecSpec {
        codec: codec.for_str0m(),
        clock_rate: Frequency::NINETY_KHZ,
        channels: None,
        format,
    }
}

pub(super) fn opus() -> CodecSpec {
    CodecSpec {
        codec: Codec::Opus,
        clock_rate: Frequency::FORTY_EIGHT_KHZ,
        channels: Some(2),
        format: FormatParams::default(),
    }
}
