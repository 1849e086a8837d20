//! [`ParameterSets`]: those in force for a layer of H264 or H265 (H.264 §7.4.1.2.1, H.265
//! §7.4.2.4.2). Pure.
//!
//! Invariant: what is kept is bounded in number and length.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Kinds of parameter sets, in the order in which they refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetKind {
    /// Video parameter set: H265 only.
    Video,
    /// Sequence parameter set.
    Sequence,
    /// Picture parameter set.
    Picture,
}

/// The parameter sets in force.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    /// Whether newer ones may have been lost right before the next picture.
    may_be_old: bool,
    sets: Vec<ParameterSet>,
}

#[derive(Debug)]
struct ParameterSet {
    kind: SetKind,
    /// Timestamp of the newest access unit that had it.
    timestamp: u32,
    unit: Bytes,
}

/// ITU-T H.264 §B.1.1 and H.265 §B.2.1, with the zero byte that the first unit and parameter sets
/// need.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Sets of a kind that are kept; encoders use one.
const MOST_SETS: usize = 8;
/// Longest set, in bytes; those of encoders have less than a hundred. All that are kept stand in front
/// of every key frame, however small that is.
const MOST_SET_BYTES: usize = 4 * 1024;

impl ParameterSets {
    /// Packets are missing, and perhaps sets with them.
    pub(super) fn skip(&mut self) {
        self.may_be_old = true;
    }

    /// Whether no newer ones can have been lost since the last call.
    pub(super) fn take_certainty(&mut self) -> bool {
        !std::mem::take(&mut self.may_be_old)
    }

    /// Takes one of the access unit with this timestamp. A new sequence parameter set replaces all
    /// that came before that. `None` for one that is too long to be true.
    pub(super) fn take(&mut self, kind: SetKind, timestamp: u32, unit: &[u8]) -> Option<()> {
        if unit.len() > MOST_SET_BYTES {
            return None;
        }
        let is_sequence = kind == SetKind::Sequence;
        self.may_be_old &= !is_sequence;
        let mut known = self.sets.iter_mut();
        if let Some(known) = known.find(|set| set.kind == kind && set.unit == unit) {
            known.timestamp = timestamp;
            return Some(());
        }
        if is_sequence {
            self.sets.retain(|set| set.timestamp == timestamp);
        }
        if self.of(kind).count() == MOST_SETS {
            let oldest = self.sets.iter().position(|set| set.kind == kind)?;
            self.sets.remove(oldest);
        }
        self.sets.push(ParameterSet {
            kind,
            timestamp,
            unit: Bytes::copy_from_slice(unit),
        });
        Some(())
    }

    /// Whether there are sets of all these kinds.
    pub(super) fn have(&self, kinds: &[SetKind]) -> bool {
        kinds.iter().all(|kind| self.of(*kind).next().is_some())
    }

    /// The first sequence parameter set.
    pub(super) fn sequence(&self) -> Option<&[u8]> {
        self.of(SetKind::Sequence).next()
    }

    /// All of them behind start codes, none before those that it refers to.
    pub(super) fn with_start_codes(&self) -> BytesMut {
        let mut all = BytesMut::new();
        for kind in [SetKind::Video, SetKind::Sequence, SetKind::Picture] {
            for unit in self.of(kind) {
                all.put_slice(&START_CODE);
                all.put_slice(unit);
            }
        }
        all
    }

    fn of(&self, kind: SetKind) -> impl Iterator<Item = &[u8]> {
        let sets = self.sets.iter().filter(move |set| set.kind == kind);
        sets.map(|set| set.unit.as_ref())
    }
}
