//! H264 pictures out of RTP payloads: single NAL units, STAP-A and FU-A (RFC 6184 §5.6, §5.7.1,
//! §5.8), put together as access units with start codes (ITU-T H.264 annex B). Pure.
//!
//! What has a hole is dropped and told. A key frame always begins with the parameter sets in force,
//! also where they came earlier, in a packet of their own. Delimiters and filler are left out.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::assembler::{Format, MOST_BYTES, Open};
use super::picture::{Assembled, Picture, short_sides};
use crate::video::{self, VideoCodec};

/// `frame_num` (H.264 §7.4.3): that of the reference picture before it and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameNum {
    value: u32,
    bits: u32,
}

/// Puts access units together.
#[derive(Debug, Default)]
pub(super) struct H264 {
    sets: ParameterSets,
}

/// An access unit that is being put together.
#[derive(Debug, Default)]
pub(super) struct Unit {
    is_in_fragment: bool,
    is_keyframe: bool,
    is_reference: bool,
    first_slice: Option<usize>,
    /// Parameter sets that came in it, with start codes.
    sets: BytesMut,
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

impl Format for H264 {
    type Unit = Unit;

    const MARKS_SLICES: bool = true;

    fn begin(_payload: &[u8]) -> Unit {
        Unit::default()
    }

    fn begins(payload: &[u8]) -> bool {
        begins_picture(payload)
    }

    fn skip(&mut self) {
        self.sets.may_be_old = true;
    }

    fn take(&mut self, open: &mut Open<Unit>, payload: &[u8]) -> Option<()> {
        if !open.is_whole {
            return None;
        }
        let sets = &mut self.sets;
        match payload.split_first()? {
            (indicator, rest) if indicator & TYPE == FU_A => {
                open.take_fragment(*indicator, rest, sets)?;
            }
            (header, rest) if header & TYPE == STAP_A => open.take_aggregate(rest, sets)?,
            (header, _) if (1..STAP_A).contains(&(header & TYPE)) => {
                open.take_unit(payload, sets)?;
            }
            _ => return None,
        }
        (open.body.len() + open.unit.sets.len() <= MOST_BYTES).then_some(())
    }

    fn has_picture(unit: &Unit) -> bool {
        unit.first_slice.is_some()
    }

    fn is_in_fragment(unit: &Unit) -> bool {
        unit.is_in_fragment
    }

    fn close(&mut self, open: Open<Unit>) -> Option<Assembled> {
        if !open.is_whole {
            return Some(Assembled::Damaged);
        }
        let unit = open.unit;
        let are_sets_sure = !std::mem::take(&mut self.sets.may_be_old);
        if unit.is_keyframe && !(are_sets_sure && self.sets.has_any()) {
            return Some(Assembled::Damaged);
        }
        let first_slice = open.body.get(unit.first_slice?..)?;
        let frame_num = (self.sets.frame_num_bits()).and_then(|bits| {
            let value = video::frame_num(first_slice, bits)?;
            Some(FrameNum { value, bits })
        });
        let sets = if unit.is_keyframe {
            self.sets.with_start_codes()
        } else {
            unit.sets
        };
        let bytes = if sets.is_empty() {
            open.body.freeze()
        } else {
            [sets.as_ref(), &open.body].concat().into()
        };
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe: unit.is_keyframe,
            size: unit.is_keyframe.then(|| self.sets.size()).flatten(),
            is_reference: unit.is_reference,
            frame_num,
            is_after_hole: open.is_after_hole,
            bytes,
        }))
    }
}

impl Open<Unit> {
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
        if is_start == self.unit.is_in_fragment {
            return None;
        }
        if is_start {
            self.begin_unit(header, body);
        }
        self.body.put_slice(body);
        self.unit.is_in_fragment = fu_header & FU_END == 0;
        if !self.unit.is_in_fragment && is_set(header) {
            // Rare: a set too long for a packet. It lies at the end of the body.
            let at = rposition_of_start_code(&self.body)?;
            let unit = self.body.split_off(at);
            self.take_set(unit.get(START_CODE.len()..)?, sets);
        }
        Some(())
    }

    fn take_unit(&mut self, unit: &[u8], sets: &mut ParameterSets) -> Option<()> {
        let (&header, body) = unit.split_first()?;
        if self.unit.is_in_fragment {
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
            self.unit.first_slice.get_or_insert(self.body.len());
            self.unit.is_keyframe |= header & TYPE == IDR_SLICE;
            self.unit.is_reference |= header & NAL_REF_IDC != 0;
        }
        self.body.put_u8(header);
    }

    fn take_set(&mut self, unit: &[u8], sets: &mut ParameterSets) {
        self.unit.sets.put_slice(&START_CODE);
        self.unit.sets.put_slice(unit);
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
        short_sides(facts.size?)
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
