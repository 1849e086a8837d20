//! H264 pictures out of RTP payloads: single NAL units, STAP-A and FU-A (RFC 6184 §5.6, §5.7.1,
//! §5.8), put together as access units with start codes (ITU-T H.264 annex B). Pure.
//!
//! What has a hole is dropped and told. A key frame always begins with the parameter sets in force,
//! also where they came earlier, in a packet of their own. Delimiters and filler are left out.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::clock::Seen;
use super::picture::{Assembled, MOST_BYTES, Picture};
use crate::packet::Packet;
use crate::video::{self, VideoCodec};

/// `frame_num` (H.264 §7.4.3): that of the reference picture before it and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameNum {
    value: u32,
    bits: u32,
}

/// Puts the packets of one layer together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    sets: ParameterSets,
    open: Option<Open>,
    is_after_hole: bool,
    /// Timestamp of the newest picture that a marker ended.
    ended: Option<u32>,
    /// Whether markers were found not to end pictures.
    ignores_markers: bool,
}

/// An access unit that is being put together.
#[derive(Debug)]
struct Open {
    timestamp: u32,
    seen: Seen,
    is_whole: bool,
    is_after_hole: bool,
    is_in_fragment: bool,
    is_keyframe: bool,
    is_reference: bool,
    first_slice: Option<usize>,
    /// Parameter sets that came in it, with start codes.
    sets: BytesMut,
    body: BytesMut,
}

/// The parameter sets in force.
#[derive(Debug, Default)]
struct ParameterSets {
    /// Timestamp of the access unit whose sequence parameter set began this generation.
    since: Option<u32>,
    /// Whether newer ones may have been lost right before the next picture.
    may_be_old: bool,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
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

impl Assembler {
    /// Packets are missing before the next one.
    pub(super) fn skip(&mut self) {
        self.is_after_hole = true;
        self.sets.may_be_old = true;
        if let Some(open) = &mut self.open {
            open.is_whole = false;
        }
    }

    /// Takes the next packet. Returns what it ends: at most the picture before its own, and its own.
    pub(super) fn push(&mut self, packet: &Packet, seen: Seen) -> [Option<Assembled>; 2] {
        let is_other = |open: &Open| open.timestamp != packet.timestamp;
        let before = match self.open.take_if(|open| is_other(open)) {
            Some(open) => self.close(open),
            None => None,
        };
        let is_after_hole = std::mem::take(&mut self.is_after_hole);
        self.ignores_markers |= self.open.is_none() && self.ended == Some(packet.timestamp);
        let mut open = self.open.take().unwrap_or_else(|| {
            let is_whole = !is_after_hole || begins_picture(&packet.payload);
            Open::new(packet.timestamp, seen, is_whole, is_after_hole)
        });
        open.seen = open.seen.meet(seen);
        open.take(&packet.payload, &mut self.sets);
        let is_picture = open.first_slice.is_some() || !open.is_whole;
        let is_end = packet.marker && !open.is_in_fragment && !self.ignores_markers;
        if is_end && is_picture {
            self.ended = Some(packet.timestamp);
            return [before, self.close(open)];
        }
        self.open = Some(open);
        [before, None]
    }

    fn close(&mut self, open: Open) -> Option<Assembled> {
        let Some(first_slice) = open.first_slice else {
            // Parameter sets alone: a hole before them is one before their picture.
            self.is_after_hole |= open.is_after_hole;
            return (!open.is_whole).then_some(Assembled::Damaged);
        };
        if !open.is_whole || open.is_in_fragment {
            return Some(Assembled::Damaged);
        }
        let are_sets_sure = !std::mem::take(&mut self.sets.may_be_old);
        if open.is_keyframe && !(are_sets_sure && self.sets.has_any()) {
            return Some(Assembled::Damaged);
        }
        let first_slice = open.body.get(first_slice..)?;
        let frame_num = (self.sets.frame_num_bits()).and_then(|bits| {
            let value = video::frame_num(first_slice, bits)?;
            Some(FrameNum { value, bits })
        });
        let sets = if open.is_keyframe {
            self.sets.with_start_codes()
        } else {
            open.sets
        };
        let bytes = if sets.is_empty() {
            open.body.freeze()
        } else {
            [sets.as_ref(), &open.body].concat().into()
        };
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe: open.is_keyframe,
            size: open.is_keyframe.then(|| self.sets.size()).flatten(),
            is_reference: open.is_reference,
            frame_num,
            is_after_hole: open.is_after_hole,
            bytes,
        }))
    }
}

impl Open {
    fn new(timestamp: u32, seen: Seen, is_whole: bool, is_after_hole: bool) -> Self {
        Self {
            timestamp,
            seen,
            is_whole,
            is_after_hole,
            is_in_fragment: false,
            is_keyframe: false,
            is_reference: false,
            first_slice: None,
            sets: BytesMut::new(),
            body: BytesMut::new(),
        }
    }

    fn take(&mut self, payload: &[u8], sets: &mut ParameterSets) {
        if !self.is_whole {
            return;
        }
        let is_read = match payload.split_first() {
            Some((indicator, rest)) if indicator & TYPE == FU_A => {
                self.take_fragment(*indicator, rest, sets)
            }
            Some((header, rest)) if header & TYPE == STAP_A => self.take_aggregate(rest, sets),
            Some((header, _)) if (1..STAP_A).contains(&(header & TYPE)) => {
                self.take_unit(payload, sets)
            }
            _ => None,
        };
        let is_bounded = self.body.len() + self.sets.len() <= MOST_BYTES;
        self.is_whole &= is_read.is_some() && is_bounded;
    }

    /// NAL units behind their lengths. `None` when they are not the whole payload.
    fn take_aggregate(&mut self, mut rest: &[u8], sets: &mut ParameterSets) -> Option<()> {
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<2>()?;
            let (unit, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
            self.take_unit(unit, sets)?;
            rest = tail;
        }
        Some(())
    }

    /// `None` for one that does not continue what was.
    fn take_fragment(
        &mut self,
        indicator: u8,
        rest: &[u8],
        sets: &mut ParameterSets,
    ) -> Option<()> {
        let (&fu_header, body) = rest.split_first()?;
        let header = (indicator & !TYPE) | (fu_header & TYPE);
        let is_start = fu_header & FU_START != 0;
        if is_start == self.is_in_fragment {
            return None;
        }
        if is_start {
            self.begin_unit(header, body);
        }
        self.body.put_slice(body);
        self.is_in_fragment = fu_header & FU_END == 0;
        if !self.is_in_fragment && is_set(header) {
            // Rare: a set too long for a packet. It lies at the end of the body.
            let at = rposition_of_start_code(&self.body)?;
            let unit = self.body.split_off(at);
            self.take_set(unit.get(START_CODE.len()..)?, sets);
        }
        Some(())
    }

    fn take_unit(&mut self, unit: &[u8], sets: &mut ParameterSets) -> Option<()> {
        let (&header, body) = unit.split_first()?;
        if self.is_in_fragment {
            return None;
        }
        match header & TYPE {
            DELIMITER | FILLER => {}
            SPS | PPS => self.take_set(unit, sets),
            _ => {
                self.begin_unit(header, body);
                self.body.put_slice(body);
            }
        }
        Some(())
    }

    /// Puts a start code and the header; what follows is the unit's body, of which the beginning is
    /// known.
    fn begin_unit(&mut self, header: u8, body: &[u8]) {
        self.body.put_slice(&START_CODE);
        if (1..=IDR_SLICE).contains(&(header & TYPE)) {
            // Without a beginning it is a slice of nothing.
            self.is_whole &= !body.is_empty();
            self.first_slice.get_or_insert(self.body.len());
            self.is_keyframe |= header & TYPE == IDR_SLICE;
            self.is_reference |= header & NAL_REF_IDC != 0;
        }
        self.body.put_u8(header);
    }

    fn take_set(&mut self, unit: &[u8], sets: &mut ParameterSets) {
        self.sets.put_slice(&START_CODE);
        self.sets.put_slice(unit);
        sets.take(self.timestamp, unit);
    }
}

impl ParameterSets {
    /// A new sequence parameter set replaces all that came before its access unit.
    fn take(&mut self, timestamp: u32, unit: &[u8]) {
        let is_sps = unit.first().is_some_and(|header| header & TYPE == SPS);
        self.may_be_old &= !is_sps;
        let sets = if is_sps { &self.sps } else { &self.pps };
        if sets.iter().any(|known| known == unit) {
            return;
        }
        if is_sps && self.since != Some(timestamp) {
            *self = Self {
                since: Some(timestamp),
                ..Self::default()
            };
        }
        let sets = if is_sps { &mut self.sps } else { &mut self.pps };
        if sets.len() == MOST_SETS {
            sets.remove(0);
        }
        sets.push(Bytes::copy_from_slice(unit));
    }

    fn has_any(&self) -> bool {
        !self.sps.is_empty()
    }

    fn with_start_codes(&self) -> BytesMut {
        let mut all = BytesMut::new();
        for set in self.sps.iter().chain(&self.pps) {
            all.put_slice(&START_CODE);
            all.put_slice(set);
        }
        all
    }

    fn size(&self) -> Option<(u16, u16)> {
        let facts = video::inspect(VideoCodec::H264, self.sps.first()?);
        let (width, height) = facts.size?;
        Some((width.try_into().ok()?, height.try_into().ok()?))
    }

    fn frame_num_bits(&self) -> Option<u32> {
        video::frame_num_bits(self.sps.first()?)
    }
}

/// Whether a picture can begin with this packet: behind a hole that is all that can be known.
fn begins_picture(payload: &[u8]) -> bool {
    let begins = |header: u8, body: &[u8]| match header & TYPE {
        1..=IDR_SLICE => body.first().is_some_and(|first| first & FIRST_MB_IS_0 != 0),
        SEI..=DELIMITER => true,
        _ => false,
    };
    let unit = |unit: &[u8]| unit.split_first().is_some_and(|(h, body)| begins(*h, body));
    match payload {
        [header, _, _, first @ ..] if header & TYPE == STAP_A => unit(first),
        [header, fu_header, body @ ..] if header & TYPE == FU_A => {
            fu_header & FU_START != 0 && begins(*fu_header, body)
        }
        _ => unit(payload),
    }
}

fn is_set(header: u8) -> bool {
    matches!(header & TYPE, SPS | PPS)
}

fn rposition_of_start_code(bytes: &[u8]) -> Option<usize> {
    let length = START_CODE.len();
    bytes.windows(length).rposition(|four| four == START_CODE)
}

/// ITU-T H.264 §B.1.1, with the zero byte that the first unit and parameter sets need.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Sets of a kind that are kept; encoders use one.
const MOST_SETS: usize = 8;

/// Bits of the NAL unit header (RFC 6184 §1.3).
const TYPE: u8 = 0x1f;
const NAL_REF_IDC: u8 = 0x60;
/// Bits of the FU header (RFC 6184 §5.8).
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// `first_mb_in_slice` as `ue(v)` 0 (H.264 §7.3.3).
const FIRST_MB_IS_0: u8 = 0x80;

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
