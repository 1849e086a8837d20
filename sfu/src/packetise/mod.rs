//! Pictures that are handed over as RTP payloads: of layers that the server makes, and of publishers
//! that are no peers of ours. Pure, and without memory: what one picture becomes depends on no other.
//!
//! What goes in is what a tap gives ([`crate::TapCodec`]), so that each of the two undoes the other. No
//! payload has picture ids or layer indices: receivers then put pictures in order by sequence numbers,
//! which a viewer's rewriting keeps whole over switches and pictures that are left out.

mod av1;
mod h264;
mod h265;
mod nal;
#[cfg(test)]
mod tests;
mod vp8;
mod vp9;

use std::sync::Arc;

use crate::video::VideoCodec;

/// Longest payload, in bytes.
pub(crate) const MOST_PAYLOAD: usize = 1_200;

/// The payloads of a picture, the last of which gets the marker. Where one has to be cut, all parts but
/// the last are of one size: equal datagrams go out together. None for what holds nothing to send.
pub(crate) fn packetise(codec: VideoCodec, unit: &[u8]) -> Vec<Arc<[u8]>> {
    match codec {
        VideoCodec::H264 => nal::packetise::<h264::H264>(unit),
        VideoCodec::H265 => nal::packetise::<h265::H265>(unit),
        VideoCodec::Vp8 => vp8::packetise(unit),
        VideoCodec::Vp9 => vp9::packetise(unit),
        VideoCodec::Av1 => av1::packetise(unit),
    }
}
