//! VP8 frames out of RTP payloads (RFC 7741 §4.5). Pure.
//!
//! What has a hole is dropped and told, unless picture ids show that only a frame is missing that no
//! other needs.

use bytes::{BufMut as _, BytesMut};

use super::clock::Seen;
use super::picture::{Assembled, MOST_BYTES, Picture};
use crate::packet::Packet;
use crate::video::{Vp8Header, Vp8Payload};

/// Puts the packets of one layer together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    open: Option<Open>,
    is_after_hole: bool,
    /// Picture id of the newest frame behind which nothing is needed that is missing.
    last: Option<u16>,
}

/// A frame that is being put together.
#[derive(Debug)]
struct Open {
    timestamp: u32,
    seen: Seen,
    is_whole: bool,
    is_after_hole: bool,
    /// Whether one of its packets does not say that no other frame needs it.
    is_reference: bool,
    picture_id: Option<u16>,
    body: BytesMut,
}

impl Assembler {
    /// Packets are missing before the next one.
    pub(super) fn skip(&mut self) {
        self.is_after_hole = true;
        if let Some(open) = &mut self.open {
            open.is_whole = false;
        }
    }

    /// Takes the next packet. Returns what it ends: at most the frame before its own, and its own.
    pub(super) fn push(&mut self, packet: &Packet, seen: Seen) -> [Option<Assembled>; 2] {
        let is_other = |open: &Open| open.timestamp != packet.timestamp;
        let before = match self.open.take_if(|open| is_other(open)) {
            Some(open) => self.close(open),
            None => None,
        };
        let is_after_hole = std::mem::take(&mut self.is_after_hole);
        let payload = Vp8Payload::parse(&packet.payload);
        let mut open = (self.open.take())
            .unwrap_or_else(|| Open::new(packet.timestamp, seen, is_after_hole, payload));
        open.seen = open.seen.meet(seen);
        open.take(payload);
        if packet.marker {
            return [before, self.close(open)];
        }
        self.open = Some(open);
        [before, None]
    }

    fn close(&mut self, open: Open) -> Option<Assembled> {
        let is_next = (self.last.zip(open.picture_id))
            .is_some_and(|(last, id)| id == last.wrapping_add(1) & LARGEST_ID);
        self.last = open.picture_id;
        let Some(header) = open.header() else {
            if is_next && !open.is_reference {
                return None;
            }
            self.last = None;
            return Some(Assembled::Damaged);
        };
        let side = |side: u32| u16::try_from(side).ok();
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe: header.is_keyframe,
            size: (header.size).and_then(|(width, height)| Some((side(width)?, side(height)?))),
            is_reference: open.is_reference,
            frame_num: None,
            is_after_hole: open.is_after_hole && !is_next,
            bytes: open.body.freeze(),
        }))
    }
}

impl Open {
    fn new(timestamp: u32, seen: Seen, is_after_hole: bool, first: Option<Vp8Payload<'_>>) -> Self {
        Self {
            timestamp,
            seen,
            is_whole: true,
            is_after_hole,
            is_reference: false,
            picture_id: first.and_then(|first| first.picture_id),
            body: BytesMut::new(),
        }
    }

    fn take(&mut self, payload: Option<Vp8Payload<'_>>) {
        let Some(payload) = payload else {
            self.is_whole = false;
            self.is_reference = true;
            return;
        };
        self.is_reference |= !payload.is_discardable || payload.picture_id != self.picture_id;
        // Only the first packet of a frame begins it.
        self.is_whole &= payload.starts_frame == self.body.is_empty();
        self.is_whole &= payload.picture_id == self.picture_id;
        self.is_whole &= self.body.len() + payload.body.len() <= MOST_BYTES;
        if self.is_whole {
            self.body.put_slice(payload.body);
        }
    }

    /// The frame's header; `None` where it is not whole. Key frames tell their size.
    fn header(&self) -> Option<Vp8Header> {
        let header = Vp8Header::parse(&self.body).filter(|_| self.is_whole)?;
        let is_known = !header.is_keyframe || header.size.is_some();
        is_known.then_some(header)
    }
}

/// A picture id has 15 bits (RFC 7741 §4.2).
const LARGEST_ID: u16 = 0x7fff;
