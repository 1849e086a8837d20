//! H264 in RTP payloads of packetization-mode 1: single NAL units, STAP-A and FU-A (RFC 6184 §5.6,
//! §5.7.1, §5.8). Pure.

use super::nal::Syntax;

/// NAL units of H264. Delimiters and filler stay behind.
pub(super) struct H264;

impl Syntax for H264 {
    type Header = [u8; 1];

    fn split(unit: &[u8]) -> Option<([u8; 1], &[u8])> {
        let (header, body) = unit.split_first_chunk()?;
        Some((*header, body))
    }

    fn travels([header]: [u8; 1]) -> bool {
        let kind = header & TYPE;
        (1..STAP_A).contains(&kind) && kind != DELIMITER && kind != FILLER
    }

    fn aggregate(headers: &[[u8; 1]]) -> [u8; 1] {
        let headers = || headers.iter().flatten();
        let forbidden = headers().fold(0, |all, header| all | header & FORBIDDEN);
        let nri = headers().map(|header| header & NAL_REF_IDC).max();
        [forbidden | nri.unwrap_or_default() | STAP_A]
    }

    fn fragment([header]: [u8; 1]) -> ([u8; 1], u8) {
        ([header & !TYPE | FU_A], header & TYPE)
    }
}

/// Bits of the NAL unit header (RFC 6184 §1.3).
const FORBIDDEN: u8 = 0x80;
const NAL_REF_IDC: u8 = 0x60;
const TYPE: u8 = 0x1f;

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::MOST_PAYLOAD;
    use super::super::nal::{FU_END, FU_START, packetise};
    use super::*;

    /// A NAL unit whose bytes hold no start code and do not end in zero, as the standard has it.
    fn nal(kind: u8, size: usize) -> Vec<u8> {
        let mut nal = vec![0x60 | kind];
        nal.extend((0..size).map(|at| u8::try_from(at % 251 + 1).expect("a byte")));
        nal
    }

    fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
        let coded = |unit: &Vec<u8>| [&[0, 0, 0, 1], unit.as_slice()].concat();
        units.iter().flat_map(coded).collect()
    }

    /// The NAL units in payloads, as a receiver reads them.
    fn received(payloads: &[Arc<[u8]>]) -> Vec<Vec<u8>> {
        let mut units: Vec<Vec<u8>> = Vec::new();
        for payload in payloads {
            match payload[0] & TYPE {
                STAP_A => {
                    let mut rest = &payload[1..];
                    while let [high, low, tail @ ..] = rest {
                        let length = usize::from(u16::from_be_bytes([*high, *low]));
                        units.push(tail[..length].to_vec());
                        rest = &tail[length..];
                    }
                }
                FU_A => {
                    if payload[1] & FU_START != 0 {
                        units.push(vec![payload[0] & !TYPE | payload[1] & TYPE]);
                    }
                    units.last_mut().expect("it began").extend(&payload[2..]);
                }
                _ => units.push(payload.to_vec()),
            }
        }
        units
    }

    #[test]
    fn small_units_travel_together_and_large_ones_in_pieces() {
        let units = [nal(7, 20), nal(8, 4), nal(5, 3_000), nal(5, 700)];
        let payloads = packetise::<H264>(&annex_b(&units));
        let kinds: Vec<u8> = payloads.iter().map(|payload| payload[0] & TYPE).collect();
        assert_eq!(kinds, [STAP_A, FU_A, FU_A, FU_A, 5]);
        let ends: Vec<u8> = payloads[1..4].iter().map(|payload| payload[1]).collect();
        assert_eq!(ends, [FU_START | 5, 5, FU_END | 5]);
    }

    #[test]
    fn delimiters_filler_and_nonsense_stay_behind() {
        let units = [nal(9, 1), nal(1, 9), nal(12, 50), nal(28, 9), vec![]];
        assert_eq!(packetise::<H264>(&annex_b(&units)), [Arc::from(nal(1, 9))]);
        assert!(packetise::<H264>(&[]).is_empty());
        assert!(packetise::<H264>(&[1, 2, 3]).is_empty());
    }

    #[test]
    fn start_codes_of_three_bytes_and_zeros_behind_are_read() {
        let bytes = [
            &[0, 0, 1],
            &nal(1, 3)[..],
            &[0, 0, 0, 0, 1],
            &nal(1, 4),
            &[0],
        ]
        .concat();
        assert_eq!(received(&packetise::<H264>(&bytes)), [nal(1, 3), nal(1, 4)]);
    }

    proptest! {
        #[test]
        fn what_is_packetised_is_received(
            units in proptest::collection::vec(
                (prop_oneof![Just(1_u8), Just(5), Just(6), Just(7), Just(8)], 1_usize..4_000),
                1..8,
            ),
        ) {
            let units: Vec<_> = units.into_iter().map(|(kind, size)| nal(kind, size)).collect();
            let payloads = packetise::<H264>(&annex_b(&units));
            prop_assert!(payloads.iter().all(|payload| payload.len() <= MOST_PAYLOAD));
            prop_assert_eq!(received(&payloads), units);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(0_u8..3, 0..300)) {
            for payload in packetise::<H264>(&bytes) {
                prop_assert!((1..=MOST_PAYLOAD).contains(&payload.len()));
            }
        }
    }
}
