//! H265 in RTP payloads: single NAL units, aggregation packets and fragmentation units (RFC 7798 §4.4.1
//! to §4.4.3), without decoding order numbers: a stream has them only where both sides say so. Pure.

use super::nal::Syntax;

/// NAL units of H265. Delimiters and filler stay behind, and what is reserved.
pub(super) struct H265;

impl Syntax for H265 {
    type Header = [u8; 2];

    fn split(unit: &[u8]) -> Option<([u8; 2], &[u8])> {
        let (header, body) = unit.split_first_chunk()?;
        Some((*header, body))
    }

    fn travels(header: [u8; 2]) -> bool {
        let kind = kind(header);
        kind < AP && kind != DELIMITER && kind != FILLER
    }

    /// It has the lowest layer and the lowest sub-layer of those that it holds.
    fn aggregate(headers: &[[u8; 2]]) -> [u8; 2] {
        let headers = || headers.iter().copied().map(u16::from_be_bytes);
        let forbidden = headers().fold(0, |all, header| all | header & FORBIDDEN);
        let lowest = |field: u16| headers().map(|header| header & field).min();
        let layer = lowest(LAYER_ID).unwrap_or_default();
        let sub_layer = lowest(TEMPORAL_ID_PLUS1).unwrap_or_default();
        (forbidden | u16::from(AP) << 9 | layer | sub_layer).to_be_bytes()
    }

    fn fragment(header: [u8; 2]) -> ([u8; 2], u8) {
        let [high, low] = header;
        ([high & !TYPE | FU << 1, low], kind(header))
    }
}

fn kind([high, _]: [u8; 2]) -> u8 {
    (high & TYPE) >> 1
}

/// Bits of the NAL unit header, and of its first byte (RFC 7798 §1.1.4).
const FORBIDDEN: u16 = 0x8000;
const LAYER_ID: u16 = 0x01f8;
const TEMPORAL_ID_PLUS1: u16 = 0x0007;
const TYPE: u8 = 0x7e;

/// NAL unit types (H.265 table 7-1, RFC 7798 §4.4).
const DELIMITER: u8 = 35;
const FILLER: u8 = 38;
const AP: u8 = 48;
const FU: u8 = 49;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::nal::{FU_END, FU_START, packetise};
    use super::*;

    /// A NAL unit of a type, layer and sub-layer.
    fn nal(kind: u8, layer: u8, sub_layer: u8, size: usize) -> Vec<u8> {
        [vec![kind << 1, layer << 3 | sub_layer], vec![0xee; size]].concat()
    }

    fn packets(units: &[Vec<u8>]) -> Vec<Arc<[u8]>> {
        let coded = |unit: &Vec<u8>| [&[0, 0, 0, 1], unit.as_slice()].concat();
        let bytes: Vec<u8> = units.iter().flat_map(coded).collect();
        packetise::<H265>(&bytes)
    }

    #[test]
    fn parameter_sets_travel_together() {
        let sets = [nal(32, 0, 1, 2), nal(33, 0, 1, 3), nal(34, 0, 1, 1)];
        let expected = [
            vec![0x60, 0x01],
            [vec![0, 4], sets[0].clone()].concat(),
            [vec![0, 5], sets[1].clone()].concat(),
            [vec![0, 3], sets[2].clone()].concat(),
        ];
        assert_eq!(packets(&sets), [Arc::from(expected.concat())]);
        assert_eq!(packets(&sets[1..2]), [Arc::from(sets[1].clone())]);
    }

    #[test]
    fn aggregate_has_the_lowest_layer_and_sub_layer() {
        let payloads = packets(&[nal(1, 2, 3, 4), nal(1, 1, 4, 4), nal(1, 3, 2, 4)]);
        assert_eq!(payloads[0][..2], [48 << 1, 1 << 3 | 2]);
        let mut damaged = nal(1, 0, 1, 4);
        damaged[0] |= 0x80;
        let payloads = packets(&[nal(1, 0, 1, 4), damaged]);
        assert_eq!(payloads[0][..2], [0x80 | 48 << 1, 1]);
    }

    #[test]
    fn large_units_travel_in_pieces_of_one_size() {
        let unit = nal(19, 0, 2, 3_000);
        let payloads = packets(std::slice::from_ref(&unit));
        let lengths: Vec<_> = payloads.iter().map(|payload| payload.len()).collect();
        assert_eq!(lengths, [1_200, 1_200, 3 + 3_000 - 2 * 1_197]);
        let heads: Vec<_> = payloads.iter().map(|payload| &payload[..3]).collect();
        let head = |bits| [49 << 1, 2, bits | 19];
        assert_eq!(heads, [head(FU_START), head(0), head(FU_END)]);
        let body: Vec<u8> = payloads.iter().flat_map(|p| p[3..].to_vec()).collect();
        assert_eq!(body, unit[2..]);
    }

    #[test]
    fn delimiters_filler_and_nonsense_stay_behind() {
        let delimiter = nal(35, 0, 1, 1);
        let units = [
            delimiter,
            nal(38, 0, 1, 9),
            nal(48, 0, 1, 9),
            nal(50, 0, 1, 9),
        ];
        assert!(packets(&units).is_empty());
        assert!(packets(&[vec![0x26], vec![]]).is_empty());
        let end = nal(36, 0, 1, 0);
        assert_eq!(packets(std::slice::from_ref(&end)), [Arc::from(end)]);
    }
}
