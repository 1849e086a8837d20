//! AV1 temporal units out of RTP payloads (AOM "RTP Payload Format for AV1" §4), put together as OBUs
//! with size fields (AV1 §5). Pure.
//!
//! What has a hole is dropped and told. A key frame always begins with the sequence header in force,
//! also where it came earlier. Temporal delimiters, padding and tile lists are left out, as files want
//! it (AV1 in ISO base media files §2.4).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::assembler::{Format, MOST_BYTES, Open};
use super::picture::{Assembled, Picture, short_sides};
use crate::video::{Av1Obu, Av1ObuKind, Av1Payload};

/// Puts temporal units together.
#[derive(Debug, Default)]
pub(super) struct Av1 {
    /// The one in force.
    sequence: Option<SequenceHeader>,
    /// Whether a newer one may have been lost right before the next picture.
    may_be_old: bool,
}

#[derive(Debug, Clone)]
struct SequenceHeader {
    /// The OBU with its size field.
    obu: Bytes,
    size: Option<(u16, u16)>,
}

/// A temporal unit that is being put together.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// What came of an OBU whose next fragment is to come.
    fragments: BytesMut,
    is_in_fragment: bool,
    has_frame: bool,
    is_keyframe: bool,
    /// The sequence header that came in it.
    sequence: Option<SequenceHeader>,
}

/// Longest sequence header, in bytes; those of encoders have a dozen.
const MOST_SEQUENCE_BYTES: usize = 1_024;

impl Format for Av1 {
    type Unit = Unit;

    fn begin(_payload: &[u8]) -> Unit {
        Unit::default()
    }

    /// Nothing tells that but what only stands at the beginning. Behind a hole there is no use for
    /// other units anyway.
    fn begins(payload: &[u8]) -> bool {
        let Some(payload) = Av1Payload::parse(payload) else {
            return false;
        };
        let first = payload.elements().next().flatten();
        let kind = first.and_then(Av1ObuKind::of_opening);
        let is_first = matches!(
            kind,
            Some(Av1ObuKind::TemporalDelimiter | Av1ObuKind::SequenceHeader)
        );
        !payload.continues_obu && (payload.opens_sequence || is_first)
    }

    fn skip(&mut self) {
        self.may_be_old = true;
    }

    fn take(&mut self, open: &mut Open<Unit>, payload: &[u8]) -> Option<()> {
        let payload = Av1Payload::parse(payload)?;
        if !open.is_whole || payload.continues_obu != open.unit.is_in_fragment {
            return None;
        }
        let mut elements = payload.elements().peekable();
        elements.peek()?;
        while let Some(element) = elements.next() {
            let is_cut = payload.is_continued && elements.peek().is_none();
            self.take_element(open, element?, is_cut)?;
        }
        Some(())
    }

    fn has_picture(unit: &Unit) -> bool {
        unit.has_frame
    }

    fn is_in_fragment(unit: &Unit) -> bool {
        unit.is_in_fragment
    }

    fn close(&mut self, open: Open<Unit>) -> Option<Assembled> {
        if !open.is_whole {
            return Some(Assembled::Damaged);
        }
        let unit = open.unit;
        let is_sure = !std::mem::take(&mut self.may_be_old);
        let sequence = if unit.is_keyframe {
            let Some(sequence) = self.sequence.clone().filter(|_| is_sure) else {
                return Some(Assembled::Damaged);
            };
            Some(sequence)
        } else {
            unit.sequence
        };
        let bytes = match &sequence {
            Some(sequence) => [sequence.obu.as_ref(), &open.body].concat().into(),
            None => open.body.freeze(),
        };
        Some(Assembled::Picture(Picture {
            seen: open.seen,
            is_keyframe: unit.is_keyframe,
            size: sequence.filter(|_| unit.is_keyframe).and_then(|s| s.size),
            is_reference: true,
            frame_num: None,
            is_after_hole: open.is_after_hole,
            bytes,
        }))
    }
}

impl Av1 {
    /// `is_cut`: the OBU goes on in the next packet.
    fn take_element(&mut self, open: &mut Open<Unit>, element: &[u8], is_cut: bool) -> Option<()> {
        let unit = &mut open.unit;
        if !is_cut && !unit.is_in_fragment {
            return self.take_obu(open, element);
        }
        if open.body.len() + unit.fragments.len() + element.len() > MOST_BYTES {
            return None;
        }
        unit.fragments.put_slice(element);
        unit.is_in_fragment = is_cut;
        if is_cut {
            return Some(());
        }
        let obu = unit.fragments.split();
        self.take_obu(open, &obu)
    }

    fn take_obu(&mut self, open: &mut Open<Unit>, obu: &[u8]) -> Option<()> {
        let obu = Av1Obu::parse(obu)?;
        match obu.kind() {
            Av1ObuKind::TemporalDelimiter | Av1ObuKind::TileList | Av1ObuKind::Padding => {}
            Av1ObuKind::SequenceHeader => {
                let sequence = SequenceHeader::read(&obu)?;
                open.unit.sequence = Some(sequence.clone());
                self.sequence = Some(sequence);
                self.may_be_old = false;
            }
            Av1ObuKind::Frame => {
                // Without a beginning it is a frame of nothing.
                obu.payload.first()?;
                // Frames of upper spatial layers follow that of the lowest.
                open.unit.is_keyframe |= !open.unit.has_frame && obu.is_shown_key_frame();
                open.unit.has_frame = true;
                obu.write(&mut open.body);
            }
            Av1ObuKind::Other => obu.write(&mut open.body),
        }
        Some(())
    }
}

impl SequenceHeader {
    fn read(obu: &Av1Obu<'_>) -> Option<Self> {
        if obu.payload.len() > MOST_SEQUENCE_BYTES {
            return None;
        }
        let mut bytes = BytesMut::new();
        obu.write(&mut bytes);
        Some(Self {
            obu: bytes.freeze(),
            size: obu.sequence_size().and_then(short_sides),
        })
    }
}
