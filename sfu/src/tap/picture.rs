//! [`Picture`]: one access unit, and what puts packets together as such, by codec. Pure.
//!
//! What has a hole is dropped and told.

use bytes::Bytes;

use super::TapCodec;
use super::clock::Seen;
use super::h264::{self, FrameNum};
use super::vp8;
use crate::packet::Packet;

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

/// Puts the packets of one layer together.
#[derive(Debug)]
pub(super) enum Assembler {
    H264(h264::Assembler),
    Vp8(vp8::Assembler),
}

/// Longest picture, in bytes.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Assembler {
    /// `None` for a codec of which no pictures are made.
    pub(super) fn new(codec: TapCodec) -> Option<Self> {
        match codec {
            TapCodec::H264 => Some(Self::H264(h264::Assembler::default())),
            TapCodec::Vp8 => Some(Self::Vp8(vp8::Assembler::default())),
            TapCodec::Opus | TapCodec::H265 | TapCodec::Vp9 | TapCodec::Av1 => None,
        }
    }

    /// Packets are missing before the next one.
    pub(super) fn skip(&mut self) {
        match self {
            Self::H264(assembler) => assembler.skip(),
            Self::Vp8(assembler) => assembler.skip(),
        }
    }

    /// Takes the next packet. Returns what it ends: at most the picture before its own, and its own.
    pub(super) fn push(&mut self, packet: &Packet, seen: Seen) -> [Option<Assembled>; 2] {
        match self {
            Self::H264(assembler) => assembler.push(packet, seen),
            Self::Vp8(assembler) => assembler.push(packet, seen),
        }
    }
}
