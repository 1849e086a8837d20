//! Pictures that are handed over as RTP payloads. Pure.

mod h264;
mod nal;

use std::sync::Arc;

/// Longest payload, in bytes.
pub(crate) const MOST_PAYLOAD: usize = 1_200;

/// The payloads of an H264 access unit with start codes (ITU-T H.264 annex B).
pub(crate) fn packetise(unit: &[u8]) -> Vec<Arc<[u8]>> {
    nal::packetise::<h264::H264>(unit)
}
