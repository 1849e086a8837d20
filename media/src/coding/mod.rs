//! What access units of each codec are to an MP4: samples, and the parameters that an initialisation
//! holds.

mod av1;
mod bits;
mod h264;
mod h265;
mod nal;
mod vp9;

use bytes::Bytes;
use gstreamer as gst;

use crate::message::Codec;

/// An access unit taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// As MP4 holds it.
    pub(crate) sample: Bytes,
    /// What it says of those that follow, if it says all.
    pub(crate) parameters: Option<Parameters>,
}

/// What a decoder must know before the first sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// As playlists name it (RFC 6381 §3.3), such as `avc1.42e01f`.
    pub(crate) codec: String,
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    /// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1).
    H264(Vec<u8>),
    /// `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §8.3.3.1).
    H265(Vec<u8>),
    Vp9 {
        profile: u8,
        bit_depth: u8,
        chroma: &'static str,
    },
    /// The head of `av1C` (AV1 in ISO-BMFF §2.3.3): the muxer adds the sequence header.
    Av1 {
        record: [u8; 4],
        profile: &'static str,
        bit_depth: u8,
        chroma: &'static str,
    },
}

/// Takes an access unit apart; none of a codec whose pictures cannot be packaged.
pub(crate) fn take_apart(codec: Codec, unit: &Bytes) -> Option<Picture> {
    Some(match codec {
        Codec::H264 => h264::take_apart(unit),
        Codec::H265 => h265::take_apart(unit),
        Codec::Vp9 => vp9::take_apart(unit),
        Codec::Av1 => av1::take_apart(unit),
        Codec::Vp8 | Codec::Opus | Codec::Aac => return None,
    })
}

impl Parameters {
    /// As muxers and decoders are told, for pictures of that size.
    pub(crate) fn caps(&self, (width, height): (u16, u16)) -> gst::Caps {
        let builder = match &self.format {
            Format::H264(record) => gst::Caps::builder("video/x-h264")
                .field("stream-format", "avc")
                .field("alignment", "au")
                .field("codec_data", gst::Buffer::from_slice(record.clone())),
            Format::H265(record) => gst::Caps::builder("video/x-h265")
                .field("stream-format", "hvc1")
                .field("alignment", "au")
                .field("codec_data", gst::Buffer::from_slice(record.clone())),
            Format::Vp9 {
                profile,
                bit_depth,
                chroma,
            } => gst::Caps::builder("video/x-vp9")
                .field("profile", profile.to_string())
                .field("chroma-format", *chroma)
                .field("bit-depth-luma", u32::from(*bit_depth))
                .field("bit-depth-chroma", u32::from(*bit_depth))
                .field("colorimetry", "bt709"),
            Format::Av1 {
                record,
                profile,
                bit_depth,
                chroma,
            } => gst::Caps::builder("video/x-av1")
                .field("stream-format", "obu-stream")
                .field("alignment", "tu")
                .field("profile", *profile)
                .field("chroma-format", *chroma)
                .field("bit-depth-luma", u32::from(*bit_depth))
                .field("bit-depth-chroma", u32::from(*bit_depth))
                .field("codec_data", gst::Buffer::from_slice(*record)),
        };
        builder
            .field("width", i32::from(width))
            .field("height", i32::from(height))
            .build()
    }

    /// The muxer that takes it: that of CMAF knows no VP9.
    pub(crate) fn muxer(&self) -> &'static str {
        match self.format {
            Format::Vp9 { .. } => "isofmp4mux",
            _ => "cmafmux",
        }
    }

    /// The decoder of a single picture.
    pub(crate) fn decoder(&self) -> &'static str {
        match self.format {
            Format::H264(_) => "avdec_h264",
            Format::H265(_) => "avdec_h265",
            Format::Vp9 { .. } => "vp9dec",
            Format::Av1 { .. } => "av1dec",
        }
    }
}
