//! VP8 frames out of RTP payloads (RFC 7741 §4.5). Pure.
//!
//! What has a hole is dropped and told, unless picture ids show that only a frame is missing that no
//! other needs.

use bytes::BufMut as _;

use super::assembler::{Format, MOST_BYTES, Open};
use super::picture::{Assembled, Picture, short_sides};
use super::picture_ids::PictureIds;
use crate::video::{Vp8Header, Vp8Payload};

/// Puts frames together.
#[derive(Debug, Default)]
pub(super) struct Vp8 {
    ids: PictureIds,
}

/// A frame that is being put together.
#[derive(Debug)]
pub(super) struct Frame {
    /// Whether one of its packets does not say that no other frame needs it.
    is_reference: bool,
    picture_id: Option<u16>,
}

impl Format for Vp8 {
    type Unit = Frame;

    fn begin(payload: &[u8]) -> Frame {
        let payload = Vp8Payload::parse(payload);
        Frame {
            is_reference: false,
            picture_id: payload.and_then(|payload| payload.picture_id),
        }
    }

    /// [`Format::take`] sees to it for every frame.
    fn begins(_payload: &[u8]) -> bool {
        true
    }

    fn take(&mut self, open: &mut Open<Frame>, payload: &[u8]) -> Option<()> {
        let frame = &mut open.unit;
        let Some(payload) = Vp8Payload::parse(payload) else {
            frame.is_reference = true;
            return None;
        };
        let is_of = payload.picture_id == frame.picture_id;
        frame.is_reference |= !payload.is_discardable || !is_of;
        // Only the first packet of a frame begins it.
        let continues = payload.starts_frame == open.body.is_empty();
        let fits = open.body.len() + payload.body.len() <= MOST_BYTES;
        if !(open.is_whole && is_of && continues && fits) {
            return None;
        }
        open.body.put_slice(payload.body);
        Some(())
    }

    fn close(&mut self, open: Open<Frame>) -> Option<Assembled> {
        let frame = &open.unit;
        let is_next = self.ids.follows(frame.picture_id);
        let Some(header) = header(&open) else {
            if is_next && !frame.is_reference {
                return None;
            }
            self.ids.forget();
            return Some(Assembled::Damaged);
        };
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe: header.is_keyframe,
            size: header.size.and_then(short_sides),
            is_reference: frame.is_reference,
            frame_num: None,
            is_after_hole: open.is_after_hole && !is_next,
            bytes: open.body.freeze(),
        }))
    }
}

/// The frame's header; `None` where it is not whole. Key frames tell their size.
fn header(open: &Open<Frame>) -> Option<Vp8Header> {
    let header = Vp8Header::parse(&open.body).filter(|_| open.is_whole)?;
    let is_known = !header.is_keyframe || header.size.is_some();
    is_known.then_some(header)
}
