//! Access units of NAL units with start codes, as H264 and H265 have them, out of RTP payloads: single
//! units, aggregates and fragments. Pure.
//!
//! A key frame always begins with the parameter sets in force, also where they came earlier, in a
//! packet of their own. Delimiters and filler are left out.

use std::fmt::Debug;

use bytes::{BufMut as _, BytesMut};

use super::assembler::{Format, MOST_BYTES, Open};
use super::parameter_sets::{ParameterSets, START_CODE, SetKind};
use super::picture::{Assembled, FrameNum, Picture, short_sides};
use crate::video::{self, VideoCodec};

/// What H264 and H265 do not have in common.
pub(super) trait Syntax: Debug + Default + Send + Sync {
    /// The codec.
    const CODEC: VideoCodec;
    /// Kinds of parameter sets without which no picture can be decoded.
    const NEEDED_SETS: &[SetKind];

    /// The NAL unit header.
    type Header: Copy + AsRef<[u8]>;

    /// Tells what a payload holds. `None` for what nobody negotiates with us.
    fn read(payload: &[u8]) -> Option<Payload<'_, Self::Header>>;

    /// Parts the header of a unit from its body.
    fn split(unit: &[u8]) -> Option<(Self::Header, &[u8])>;

    /// What a unit is, by its header.
    fn role(header: Self::Header) -> Role;

    /// Whether a unit that is no slice stands before the slices of a picture.
    fn is_before_slices(header: Self::Header) -> bool;

    /// The number of the picture that a slice is of, where the codec counts its pictures.
    fn frame_num(_slice: &[u8], _sequence: &[u8]) -> Option<FrameNum> {
        None
    }
}

/// What a payload holds.
#[derive(Debug)]
pub(super) enum Payload<'a, H> {
    /// It is one unit.
    Unit,
    /// Units, each behind its length in 16 bits.
    Aggregate(&'a [u8]),
    Fragment(Fragment<'a, H>),
}

/// A part of a unit.
#[derive(Debug)]
pub(super) struct Fragment<'a, H> {
    /// Header of the whole unit.
    pub(super) header: H,
    pub(super) is_start: bool,
    pub(super) is_end: bool,
    pub(super) body: &'a [u8],
}

/// What a NAL unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nobody needs it.
    LeftOut,
    Set(SetKind),
    /// Part of a picture.
    Slice {
        is_keyframe: bool,
        is_reference: bool,
    },
    /// Goes on as it is.
    Other,
}

/// Puts access units together.
#[derive(Debug, Default)]
pub(super) struct NalUnits<S> {
    sets: ParameterSets,
    syntax: std::marker::PhantomData<S>,
}

/// An access unit that is being put together.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Where the unit lies whose next fragment is to come, with its start code.
    fragment: Option<usize>,
    is_keyframe: bool,
    is_reference: bool,
    first_slice: Option<usize>,
    /// Parameter sets that came in it, with start codes.
    sets: BytesMut,
}

impl<S: Syntax> Format for NalUnits<S> {
    type Unit = Unit;

    const MARKS_SLICES: bool = true;

    fn begin(_payload: &[u8]) -> Unit {
        Unit::default()
    }

    fn begins(payload: &[u8]) -> bool {
        match S::read(payload) {
            Some(Payload::Unit) => begins_picture::<S>(S::split(payload)),
            Some(Payload::Aggregate([_, _, first @ ..])) => begins_picture::<S>(S::split(first)),
            Some(Payload::Fragment(part)) => {
                part.is_start && begins_picture::<S>(Some((part.header, part.body)))
            }
            _ => false,
        }
    }

    fn skip(&mut self) {
        self.sets.skip();
    }

    fn take(&mut self, open: &mut Open<Unit>, payload: &[u8]) -> Option<()> {
        if !open.is_whole {
            return None;
        }
        match S::read(payload)? {
            Payload::Unit => self.take_unit(open, payload)?,
            Payload::Aggregate(units) => self.take_aggregate(open, units)?,
            Payload::Fragment(part) => self.take_fragment(open, &part)?,
        }
        (open.body.len() + open.unit.sets.len() <= MOST_BYTES).then_some(())
    }

    fn has_picture(unit: &Unit) -> bool {
        unit.first_slice.is_some()
    }

    fn is_in_fragment(unit: &Unit) -> bool {
        unit.fragment.is_some()
    }

    fn close(&mut self, open: Open<Unit>) -> Option<Assembled> {
        if !open.is_whole {
            return Some(Assembled::Damaged);
        }
        let unit = open.unit;
        let are_sets_sure = self.sets.take_certainty();
        if unit.is_keyframe && !(are_sets_sure && self.sets.have(S::NEEDED_SETS)) {
            return Some(Assembled::Damaged);
        }
        let first_slice = open.body.get(unit.first_slice?..)?;
        let sequence = self.sets.sequence();
        let frame_num = sequence.and_then(|sequence| S::frame_num(first_slice, sequence));
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
            size: unit.is_keyframe.then(|| self.size()).flatten(),
            is_reference: unit.is_reference,
            frame_num,
            is_after_hole: open.is_after_hole,
            bytes,
        }))
    }
}

impl<S: Syntax> NalUnits<S> {
    /// NAL units behind their lengths. `None` when they are not the whole payload.
    fn take_aggregate(&mut self, open: &mut Open<Unit>, mut rest: &[u8]) -> Option<()> {
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<2>()?;
            let (unit, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
            self.take_unit(open, unit)?;
            rest = tail;
        }
        Some(())
    }

    /// `None` for one that does not continue what was.
    fn take_fragment(
        &mut self,
        open: &mut Open<Unit>,
        part: &Fragment<'_, S::Header>,
    ) -> Option<()> {
        if part.is_start == open.unit.fragment.is_some() {
            return None;
        }
        if part.is_start {
            open.unit.fragment = Some(open.body.len());
            open.begin_unit::<S>(part.header, part.body);
        }
        open.body.put_slice(part.body);
        if !part.is_end {
            return Some(());
        }
        let at = open.unit.fragment.take()?;
        match S::role(part.header) {
            Role::LeftOut => open.body.truncate(at),
            Role::Set(kind) => {
                // Rare: a set too long for a packet.
                let unit = open.body.split_off(at);
                self.take_set(open, kind, unit.get(START_CODE.len()..)?)?;
            }
            Role::Slice { .. } | Role::Other => {}
        }
        Some(())
    }

    fn take_unit(&mut self, open: &mut Open<Unit>, unit: &[u8]) -> Option<()> {
        let (header, body) = S::split(unit)?;
        if open.unit.fragment.is_some() {
            return None;
        }
        match S::role(header) {
            Role::LeftOut => {}
            Role::Set(kind) => self.take_set(open, kind, unit)?,
            Role::Slice { .. } | Role::Other => {
                open.begin_unit::<S>(header, body);
                open.body.put_slice(body);
            }
        }
        Some(())
    }

    fn take_set(&mut self, open: &mut Open<Unit>, kind: SetKind, unit: &[u8]) -> Option<()> {
        open.unit.sets.put_slice(&START_CODE);
        open.unit.sets.put_slice(unit);
        self.sets.take(kind, open.timestamp, unit)
    }

    fn size(&self) -> Option<(u16, u16)> {
        let facts = video::inspect(S::CODEC, self.sets.sequence()?);
        short_sides(facts.size?)
    }
}

impl Open<Unit> {
    /// Puts a start code and the header; what follows is the unit's body, of which the beginning is
    /// known.
    fn begin_unit<S: Syntax>(&mut self, header: S::Header, body: &[u8]) {
        self.body.put_slice(&START_CODE);
        if let Role::Slice {
            is_keyframe,
            is_reference,
        } = S::role(header)
        {
            // Without a beginning it is a slice of nothing.
            self.is_whole &= !body.is_empty();
            self.unit.first_slice.get_or_insert(self.body.len());
            self.unit.is_keyframe |= is_keyframe;
            self.unit.is_reference |= is_reference;
        }
        self.body.put_slice(header.as_ref());
    }
}

/// Whether a picture can begin with this unit, or its first fragment.
fn begins_picture<S: Syntax>(unit: Option<(S::Header, &[u8])>) -> bool {
    unit.is_some_and(|(header, body)| match S::role(header) {
        Role::Slice { .. } => video::is_first_slice(body),
        _ => S::is_before_slices(header),
    })
}
