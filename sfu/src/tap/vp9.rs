//! VP9 frames out of RTP payloads (RFC 9628 §4). Pure.
//!
//! Of several spatial layers the lowest is taken. All of them, as a superframe (VP9 annex B), would
//! not play rightly everywhere: each layer is coded to be shown, as a receiver may get no other, while
//! a superframe is to show one frame, and decoders that part it show the same moment in every size. To
//! hide the lower ones their headers would have to be written anew. The lowest refers to no other, so
//! that it is a stream of its own.
//!
//! What has a hole is dropped and told. Picture ids tell that numbers without frames are none.

use bytes::BufMut as _;

use super::assembler::{Format, MOST_BYTES, Open};
use super::picture::{Assembled, Picture, short_sides};
use super::picture_ids::PictureIds;
use crate::video::{Vp9Header, Vp9Payload};

/// Puts frames together.
#[derive(Debug, Default)]
pub(super) struct Vp9 {
    ids: PictureIds,
}

/// A frame that is being put together.
#[derive(Debug)]
pub(super) struct Frame {
    picture_id: Option<u16>,
    /// Whether its last packet is there.
    has_ended: bool,
    is_inter_predicted: bool,
}

impl Format for Vp9 {
    type Unit = Frame;

    fn begin(payload: &[u8]) -> Frame {
        let payload = Vp9Payload::parse(payload);
        Frame {
            picture_id: payload.and_then(|payload| payload.picture_id),
            has_ended: false,
            is_inter_predicted: false,
        }
    }

    fn begins(payload: &[u8]) -> bool {
        let payload = Vp9Payload::parse(payload);
        payload.is_some_and(|payload| payload.starts_frame && payload.is_base())
    }

    fn take(&mut self, open: &mut Open<Frame>, payload: &[u8]) -> Option<()> {
        let payload = Vp9Payload::parse(payload).filter(|payload| !payload.body.is_empty())?;
        let frame = &mut open.unit;
        if !open.is_whole || payload.picture_id != frame.picture_id {
            return None;
        }
        if !payload.is_base() {
            return Some(());
        }
        let starts = open.body.is_empty();
        // Only the first packet of a frame begins it, and none comes behind its last.
        let continues = payload.starts_frame == starts && !frame.has_ended;
        if !continues || open.body.len() + payload.body.len() > MOST_BYTES {
            return None;
        }
        frame.is_inter_predicted |= payload.is_inter_predicted;
        frame.has_ended = payload.ends_frame;
        open.body.put_slice(payload.body);
        Some(())
    }

    fn close(&mut self, open: Open<Frame>) -> Option<Assembled> {
        let frame = &open.unit;
        let is_next = self.ids.follows(frame.picture_id);
        if open.is_whole && open.body.is_empty() {
            // Upper layers alone: the lowest may have fewer pictures.
            return None;
        }
        let Some(header) = header(&open) else {
            self.ids.forget();
            return Some(Assembled::Damaged);
        };
        let is_keyframe = header.is_key && !frame.is_inter_predicted;
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe,
            size: header.size.filter(|_| is_keyframe).and_then(short_sides),
            is_reference: true,
            frame_num: None,
            is_after_hole: open.is_after_hole && !is_next,
            bytes: open.body.freeze(),
        }))
    }
}

/// The frame's header; `None` where it is not whole. Key frames tell their size.
fn header(open: &Open<Frame>) -> Option<Vp9Header> {
    let is_whole = open.is_whole && open.unit.has_ended;
    let header = Vp9Header::parse(&open.body).filter(|_| is_whole)?;
    let is_known = !header.is_key || header.size.is_some();
    is_known.then_some(header)
}
