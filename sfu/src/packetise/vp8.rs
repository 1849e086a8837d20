//! VP8 in RTP payloads: a frame cut as it lies, behind payload descriptors of one byte (RFC 7741 §4.2).
//! Pure.

use std::sync::Arc;

use super::MOST_PAYLOAD;

/// The payloads of a frame. All are of partition 0, as is allowed (RFC 7741 §4.4): receivers put frames
/// together before they look at partitions.
pub(super) fn packetise(frame: &[u8]) -> Vec<Arc<[u8]>> {
    let parts = frame.chunks(MOST_PAYLOAD - DESCRIPTOR).enumerate();
    let payload = |(number, part): (usize, &[u8])| {
        let descriptor = if number == 0 { STARTS_PARTITION } else { 0 };
        Arc::from([&[descriptor], part].concat())
    };
    parts.map(payload).collect()
}

/// Bytes before a part.
const DESCRIPTOR: usize = 1;
/// S of the payload descriptor.
const STARTS_PARTITION: u8 = 0x10;
