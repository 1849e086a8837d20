//! [`Assembler`]: packets of one layer in, pictures out, whatever the codec. Pure.
//!
//! Packets with one timestamp are one access unit. The marker ends it, or another timestamp, and one
//! with a hole is dropped and told. What a payload holds, and what a picture is made of, the
//! [`Format`] knows.

use std::fmt::Debug;

use bytes::BytesMut;

use super::clock::Seen;
use super::picture::Assembled;
use crate::packet::Packet;

/// How payloads of one codec are put together.
pub(super) trait Format: Debug + Default + Send + Sync {
    /// What is known of an access unit that is being put together.
    type Unit: Debug + Send + Sync;

    /// Whether there are senders that set the marker on every slice of a picture.
    const MARKS_SLICES: bool = false;

    /// An access unit whose first payload this is, and that holds nothing of it yet.
    fn begin(payload: &[u8]) -> Self::Unit;

    /// Whether an access unit can begin with this payload: behind a hole that is all that can be
    /// known.
    fn begins(payload: &[u8]) -> bool;

    /// Packets are missing before the next one.
    fn skip(&mut self) {}

    /// Takes the next payload, also of an access unit with a hole. `None` for one that leaves a
    /// hole, because it cannot be read or does not continue what was.
    fn take(&mut self, open: &mut Open<Self::Unit>, payload: &[u8]) -> Option<()>;

    /// Whether it holds something of a picture, and not only what comes before one.
    fn has_picture(_unit: &Self::Unit) -> bool {
        true
    }

    /// Whether the next payload has to continue the one before.
    fn is_in_fragment(_unit: &Self::Unit) -> bool {
        false
    }

    /// What an access unit with a picture came to. `None` for one with a hole that no other needs.
    fn close(&mut self, open: Open<Self::Unit>) -> Option<Assembled>;
}

/// An access unit that is being put together.
#[derive(Debug)]
pub(super) struct Open<U> {
    pub(super) timestamp: u32,
    pub(super) seen: Seen,
    pub(super) is_whole: bool,
    pub(super) is_after_hole: bool,
    pub(super) body: BytesMut,
    pub(super) unit: U,
}

/// Puts the packets of one layer together.
#[derive(Debug)]
pub(super) struct Assembler<F: Format> {
    format: F,
    open: Option<Open<F::Unit>>,
    /// Whether packets are missing right before the next one.
    is_after_hole: bool,
    /// Whether packets are missing before what came of the next picture so far.
    is_prelude_after_hole: bool,
    /// Timestamp of the newest picture that a marker ended.
    ended: Option<u32>,
    /// Whether markers were found not to end pictures.
    ignores_markers: bool,
}

/// [`Assembler`], whatever its format.
pub(super) trait Assemble: Debug + Send + Sync {
    /// Packets are missing before the next one.
    fn skip(&mut self);

    /// Takes the next packet. Returns what it ends: at most the picture before its own, and its own.
    fn push(&mut self, packet: &Packet, seen: Seen) -> [Option<Assembled>; 2];
}

/// Longest picture, in bytes.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;

impl<F: Format> Assemble for Assembler<F> {
    fn skip(&mut self) {
        self.is_after_hole = true;
        self.format.skip();
        if let Some(open) = &mut self.open {
            open.is_whole = false;
        }
    }

    fn push(&mut self, packet: &Packet, seen: Seen) -> [Option<Assembled>; 2] {
        let is_other = |open: &Open<F::Unit>| open.timestamp != packet.timestamp;
        let before = match self.open.take_if(|open| is_other(open)) {
            Some(open) => self.close(open),
            None => None,
        };
        let is_after_hole = std::mem::take(&mut self.is_after_hole);
        let is_another = F::MARKS_SLICES && self.open.is_none();
        self.ignores_markers |= is_another && self.ended == Some(packet.timestamp);
        let mut open = (self.open.take()).unwrap_or_else(|| Open {
            timestamp: packet.timestamp,
            seen,
            is_whole: !is_after_hole || F::begins(&packet.payload),
            is_after_hole: is_after_hole | std::mem::take(&mut self.is_prelude_after_hole),
            body: BytesMut::new(),
            unit: F::begin(&packet.payload),
        });
        open.seen = open.seen.meet(seen);
        let is_read = self.format.take(&mut open, &packet.payload).is_some();
        open.is_whole &= is_read && open.body.len() <= MOST_BYTES;
        if packet.marker && self.may_end(&open) {
            self.ended = Some(packet.timestamp);
            return [before, self.close(open)];
        }
        self.open = Some(open);
        [before, None]
    }
}

impl<F: Format> Assembler<F> {
    pub(super) fn new() -> Self {
        Self {
            format: F::default(),
            open: None,
            is_after_hole: false,
            is_prelude_after_hole: false,
            ended: None,
            ignores_markers: false,
        }
    }

    fn may_end(&self, open: &Open<F::Unit>) -> bool {
        let is_picture = F::has_picture(&open.unit) || !open.is_whole;
        is_picture && !F::is_in_fragment(&open.unit) && !self.ignores_markers
    }

    fn close(&mut self, mut open: Open<F::Unit>) -> Option<Assembled> {
        open.is_whole &= !F::is_in_fragment(&open.unit);
        if F::has_picture(&open.unit) {
            return self.format.close(open);
        }
        // A hole before what belongs to the next picture is one before that.
        self.is_prelude_after_hole = open.is_whole && open.is_after_hole;
        (!open.is_whole).then_some(Assembled::Damaged)
    }
}
