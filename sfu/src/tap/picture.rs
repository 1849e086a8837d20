//! [`Picture`]: one access unit, and what puts packets together as such, by codec. Pure.
//!
//! What has a hole is dropped and told.

use bytes::Bytes;

use super::TapCodec;
use super::assembler::{Assemble, Assembler};
use super::av1::Av1;
use super::clock::Seen;
use super::h264::H264;
use super::h265::H265;
use super::nal::NalUnits;
use super::vp8::Vp8;
use super::vp9::Vp9;

/// What a run of packets came to.
#[derive(Debug)]
pub(super) enum Assembled {
    Picture(Picture),
    /// A picture of which something is missing.
    Damaged,
}

/// One access unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) seen: Seen,
    pub(super) is_keyframe: bool,
    /// Width and height of a key frame.
    pub(super) size: Option<(u16, u16)>,
    /// Whether later pictures may need it.
    pub(super) is_reference: bool,
    pub(super) frame_num: Option<FrameNum>,
    /// Whether packets before it are missing that pictures may need.
    pub(super) is_after_hole: bool,
    pub(super) bytes: Bytes,
}

/// `frame_num` (H.264 §7.4.3): that of the reference picture before it and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameNum {
    pub(super) value: u32,
    pub(super) bits: u32,
}

/// What makes pictures of a codec. `None` for sound, of which a packet is a unit.
pub(super) fn assembler(codec: TapCodec) -> Option<Box<dyn Assemble>> {
    match codec {
        TapCodec::Opus | TapCodec::Aac => None,
        TapCodec::H264 => Some(Box::new(Assembler::<NalUnits<H264>>::new())),
        TapCodec::H265 => Some(Box::new(Assembler::<NalUnits<H265>>::new())),
        TapCodec::Vp8 => Some(Box::new(Assembler::<Vp8>::new())),
        TapCodec::Vp9 => Some(Box::new(Assembler::<Vp9>::new())),
        TapCodec::Av1 => Some(Box::new(Assembler::<Av1>::new())),
    }
}

/// A size as a picture has it.
pub(crate) fn short_sides((width, height): (u32, u32)) -> Option<(u16, u16)> {
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

impl FrameNum {
    /// Whether a picture that is missing behind the reference picture with `before`, and before the
    /// one with this, was no reference picture. Behind number 0 nobody knows: an IDR picture could
    /// be missing, which has number 0 as well.
    pub(super) fn follows(self, before: Self) -> bool {
        let most = (1_u32 << self.bits.min(16)) - 1;
        let is_next = self.bits == before.bits && self.value == (before.value + 1) & most;
        is_next && before.value != 0
    }
}
