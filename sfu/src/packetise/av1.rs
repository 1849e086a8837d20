//! AV1 temporal units in RTP payloads (AOM "RTP Payload Format for AV1" §4): OBUs without size fields, as
//! many as find room, and the last of a packet cut where it has none. Pure.

use std::sync::Arc;

use super::MOST_PAYLOAD;
use crate::video::{Av1Obu, Av1ObuKind, put_leb128};

/// OBU elements of one packet.
#[derive(Default)]
struct Elements<'a> {
    elements: Vec<&'a [u8]>,
    /// Bytes of all of them behind their lengths.
    bytes: usize,
    /// Whether the first continues the last of the packet before.
    continues_obu: bool,
}

/// The payloads of a temporal unit. Delimiters, tile lists and padding are left out, and all from the
/// first OBU on that cannot be read.
pub(super) fn packetise(unit: &[u8]) -> Vec<Arc<[u8]>> {
    let obus = || obus(unit).filter(travels);
    let new_sequence = if opens_sequence(obus()) {
        NEW_SEQUENCE
    } else {
        0
    };
    let without_sizes: Vec<Vec<u8>> = obus().map(|obu| without_size(&obu)).collect();
    let mut payloads = aggregate(&without_sizes);
    if let Some(header) = payloads.first_mut().and_then(|payload| payload.first_mut()) {
        *header |= new_sequence;
    }
    payloads.into_iter().map(Arc::from).collect()
}

fn obus(unit: &[u8]) -> impl Iterator<Item = Av1Obu<'_>> {
    let mut rest = unit;
    std::iter::from_fn(move || Av1Obu::take(&mut rest))
}

fn travels(obu: &Av1Obu<'_>) -> bool {
    !matches!(
        obu.kind(),
        Av1ObuKind::TemporalDelimiter | Av1ObuKind::TileList | Av1ObuKind::Padding
    )
}

/// Whether a coded video sequence begins, so that decoding can (AV1 §7.5).
fn opens_sequence<'a>(obus: impl Iterator<Item = Av1Obu<'a>>) -> bool {
    let mut has_sequence_header = false;
    for obu in obus {
        match obu.kind() {
            Av1ObuKind::SequenceHeader => has_sequence_header = true,
            Av1ObuKind::Frame => return has_sequence_header && obu.is_shown_key_frame(),
            _ => {}
        }
    }
    false
}

fn without_size(obu: &Av1Obu<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MOST_OBU_HEADER + obu.payload.len());
    obu.write_without_size(&mut bytes);
    bytes
}

/// Fills packet after packet.
fn aggregate(obus: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut packet = Elements::default();
    for obu in obus {
        let mut rest = obu.as_slice();
        loop {
            let (part, tail) = rest.split_at(rest.len().min(packet.room()));
            packet.push(part);
            if tail.is_empty() {
                break;
            }
            let is_begun = tail.len() < obu.len();
            payloads.push(packet.payload(is_begun));
            packet = Elements {
                continues_obu: is_begun,
                ..Elements::default()
            };
            rest = tail;
        }
    }
    if !packet.elements.is_empty() {
        payloads.push(packet.payload(false));
    }
    payloads
}

impl<'a> Elements<'a> {
    /// How long the next element can be. Up to [`MOST_COUNTED`] the last one needs no length.
    fn room(&self) -> usize {
        let left = MOST_PAYLOAD.saturating_sub(AGGREGATION_HEADER + self.bytes);
        let length = match left {
            _ if self.elements.len() < MOST_COUNTED => 0,
            ..=SHORT => 1,
            _ => 2,
        };
        left.saturating_sub(length)
    }

    fn push(&mut self, element: &'a [u8]) {
        if !element.is_empty() {
            let length = if element.len() < SHORT { 1 } else { 2 };
            self.bytes += length + element.len();
            self.elements.push(element);
        }
    }

    fn payload(&self, is_continued: bool) -> Vec<u8> {
        let is_counted = self.elements.len() <= MOST_COUNTED;
        let count = u8::try_from(self.elements.len()).unwrap_or_default();
        let mut header = if is_counted { count << 4 } else { 0 };
        header |= if self.continues_obu { CONTINUES_OBU } else { 0 };
        header |= if is_continued { IS_CONTINUED } else { 0 };
        let mut payload = Vec::with_capacity(AGGREGATION_HEADER + self.bytes);
        payload.push(header);
        for (number, element) in self.elements.iter().enumerate() {
            if !is_counted || number + 1 < self.elements.len() {
                put_leb128(&mut payload, element.len());
            }
            payload.extend_from_slice(element);
        }
        payload
    }
}

/// Bytes before the elements.
const AGGREGATION_HEADER: usize = 1;
/// Most elements that W can count.
const MOST_COUNTED: usize = 3;
/// Lengths from here on take a second byte (leb128, AV1 §4.10.5).
const SHORT: usize = 128;
/// Bytes of an OBU header with its extension.
const MOST_OBU_HEADER: usize = 2;

/// Bits of the aggregation header (AOM RTP §4.4): Z, Y and N.
const CONTINUES_OBU: u8 = 0x80;
const IS_CONTINUED: u8 = 0x40;
const NEW_SEQUENCE: u8 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;

    /// An OBU of this type and size, with its size field.
    fn obu(kind: u8, size: usize) -> Vec<u8> {
        let mut obu = vec![kind << 3 | 0x02];
        put_leb128(&mut obu, size);
        obu.resize(obu.len() + size, 0x30);
        obu
    }

    fn sizes_and_headers(unit: &[Vec<u8>]) -> Vec<(usize, u8)> {
        let payloads = packetise(&unit.concat());
        let seen = payloads.iter().map(|payload| (payload.len(), payload[0]));
        seen.collect()
    }

    #[test]
    fn few_obus_are_counted_and_the_last_has_no_length() {
        let payloads = packetise(&[obu(5, 2), obu(6, 3)].concat());
        let expected: &[u8] = &[0x20, 3, 0x28, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30];
        assert_eq!(payloads, [Arc::from(expected)]);
    }

    #[test]
    fn many_obus_all_have_lengths() {
        let unit = [obu(3, 1), obu(4, 1), obu(4, 1), obu(4, 1)];
        let payloads = packetise(&unit.concat());
        let expected: &[u8] = &[
            0x00, 2, 0x18, 0x30, 2, 0x20, 0x30, 2, 0x20, 0x30, 2, 0x20, 0x30,
        ];
        assert_eq!(payloads, [Arc::from(expected)]);
    }

    #[test]
    fn packets_are_filled_and_the_last_obu_of_each_is_cut() {
        let unit = [obu(3, 9), obu(4, 2_500), obu(4, 20)];
        assert_eq!(
            sizes_and_headers(&unit),
            [
                (1_200, 0x20 | IS_CONTINUED),
                (1_200, 0x10 | CONTINUES_OBU | IS_CONTINUED),
                // What is left of the second behind its length, and the third.
                (1 + 1 + (2_501 - 1_188 - 1_199) + 21, 0x20 | CONTINUES_OBU),
            ]
        );
    }

    #[test]
    fn obu_that_just_fits_is_not_cut() {
        assert_eq!(sizes_and_headers(&[obu(6, 1_198)]), [(1_200, 0x10)]);
        let unit = [obu(6, 1_198), obu(6, 5)];
        assert_eq!(sizes_and_headers(&unit), [(1_200, 0x10), (7, 0x10)]);
        assert_eq!(
            sizes_and_headers(&[obu(6, 1_199)]),
            [(1_200, 0x50), (2, 0x90)]
        );
    }

    #[test]
    fn delimiters_tile_lists_and_padding_stay_behind() {
        let unit = [obu(2, 0), obu(6, 4), obu(8, 5), obu(15, 6)];
        assert_eq!(sizes_and_headers(&unit), [(6, 0x10)]);
        assert!(packetise(&[obu(2, 0), obu(15, 6)].concat()).is_empty());
    }

    #[test]
    fn what_cannot_be_read_stays_behind() {
        let whole = obu(6, 4);
        let mut cut = obu(6, 40);
        cut.truncate(30);
        assert_eq!(sizes_and_headers(&[whole.clone(), cut]), [(6, 0x10)]);
        assert_eq!(sizes_and_headers(&[vec![0x80], whole]), []);
    }

    #[test]
    fn sequence_begins_where_decoding_can() {
        let opens = |unit: &[Vec<u8>]| sizes_and_headers(unit)[0].1 & NEW_SEQUENCE != 0;
        let frame = |first: u8| {
            let mut frame = obu(6, 4);
            frame[2] = first;
            frame
        };
        let (key, hidden, inter) = (frame(0x10), frame(0x00), frame(0x30));
        assert!(opens(&[obu(1, 11), key.clone()]));
        assert!(opens(&[obu(1, 11), obu(5, 3), key.clone(), inter.clone()]));
        assert!(!opens(std::slice::from_ref(&key)), "no sequence header");
        assert!(!opens(&[obu(1, 11), inter.clone()]));
        assert!(!opens(&[obu(1, 11), hidden, key.clone()]));
        assert!(!opens(&[inter, obu(1, 11), key]));
    }
}
