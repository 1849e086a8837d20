//! VP9 in RTP payloads of non-flexible mode, with one spatial and one temporal layer (RFC 9628 §4.2).
//! Pure.
//!
//! A superframe (VP9 annex B), which holds hidden frames before the one that is shown, stays whole, with
//! its index: it is one picture, and decoders in browsers read the index.

use std::sync::Arc;

use super::MOST_PAYLOAD;
use crate::video::Vp9Header;

/// The payloads of a frame. That of a key frame begins with its size, which some decoders want to know
/// before they look at the frame.
pub(super) fn packetise(frame: &[u8]) -> Vec<Arc<[u8]>> {
    let header = Vp9Header::parse(frame).filter(|header| header.is_key);
    // Receivers take what is not predicted for a key frame, which an intra-only frame is not.
    let predicted = if header.is_some() { 0 } else { INTER_PREDICTED };
    let structure = header.and_then(|header| scalability_structure(header.size?));
    let mut structure = structure.as_ref().map_or(&[][..], |bytes| bytes.as_slice());
    let mut rest = frame;
    let mut starts = STARTS_FRAME;
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        let most = MOST_PAYLOAD - DESCRIPTOR - structure.len();
        let (part, tail) = rest.split_at(rest.len().min(most));
        let ends = if tail.is_empty() { ENDS_FRAME } else { 0 };
        let has_structure = if structure.is_empty() {
            0
        } else {
            HAS_STRUCTURE
        };
        let descriptor = predicted | starts | ends | has_structure;
        payloads.push([&[descriptor], structure, part].concat().into());
        (rest, starts, structure) = (tail, 0, &[]);
    }
    payloads
}

/// One spatial layer of this size, and nothing of how pictures refer to each other (RFC 9628 §4.2.1).
fn scalability_structure((width, height): (u32, u32)) -> Option<[u8; 5]> {
    let [w1, w0] = u16::try_from(width).ok()?.to_be_bytes();
    let [h1, h0] = u16::try_from(height).ok()?.to_be_bytes();
    Some([HAS_SIZES, w1, w0, h1, h0])
}

/// Bytes before a part.
const DESCRIPTOR: usize = 1;
/// P, B, E and V of the payload descriptor (RFC 9628 §4.2).
const INTER_PREDICTED: u8 = 0x40;
const STARTS_FRAME: u8 = 0x08;
const ENDS_FRAME: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;
/// Y of the scalability structure.
const HAS_SIZES: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a key frame of libvpx, 640x360.
    const KEY: &[u8] = &[
        0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xf0, 0x16, 0x76, 0x08, 0x38,
    ];

    #[test]
    fn key_frame_begins_with_its_size() {
        let payload = [&[0x0e, 0x10, 0x02, 0x80, 0x01, 0x68], KEY].concat();
        assert_eq!(packetise(KEY), [Arc::from(payload)]);
    }

    #[test]
    fn large_frames_travel_in_pieces_of_one_size() {
        let frame = [KEY, &[0xee; 3_000]].concat();
        let payloads = packetise(&frame);
        let lengths: Vec<_> = payloads.iter().map(|payload| payload.len()).collect();
        assert_eq!(lengths, [1_200, 1_200, 1 + 3_011 - 1_194 - 1_199]);
        let descriptors: Vec<_> = payloads.iter().map(|payload| payload[0]).collect();
        assert_eq!(descriptors, [0x0a, 0x00, 0x04]);
    }

    #[test]
    fn what_is_no_key_frame_is_predicted() {
        // An inter frame, an intra-only frame, one that shows another again, and nonsense.
        for frame in [
            &[0x87, 0x01, 0x02, 0x4b][..],
            &[0x84, 0x90, 0x92, 0x60, 0xd0],
            &[0x88],
            &[0x00, 0x11],
        ] {
            let payload = [&[0x4c], frame].concat();
            assert_eq!(packetise(frame), [Arc::from(payload)]);
        }
        assert!(packetise(&[]).is_empty());
    }
}
