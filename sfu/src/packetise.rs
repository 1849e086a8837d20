//! H264 access units as RTP payloads of packetization-mode 1: single NAL units, STAP-A and FU-A
//! (RFC 6184 §5.6, §5.7.1, §5.8). Pure.

use std::sync::Arc;

/// Longest payload, in bytes.
pub(crate) const MOST_PAYLOAD: usize = 1_200;

/// The payloads of an access unit with start codes (ITU-T H.264 annex B). Delimiters and filler are
/// left out; small units that follow each other travel together.
pub(crate) fn packetise(unit: &[u8]) -> Vec<Arc<[u8]>> {
    let mut payloads = Vec::new();
    let mut small: Vec<&[u8]> = Vec::new();
    let mut small_bytes = STAP_HEADER;
    for nal in nal_units(unit).filter(|nal| travels(nal)) {
        let bytes = nal.len() + LENGTH;
        if small_bytes + bytes > MOST_PAYLOAD {
            flush(&mut small, &mut payloads);
            small_bytes = STAP_HEADER;
        }
        if nal.len() > MOST_PAYLOAD {
            fragment(nal, &mut payloads);
        } else {
            small.push(nal);
            small_bytes += bytes;
        }
    }
    flush(&mut small, &mut payloads);
    payloads
}

/// NAL units between start codes, without the zero bytes around them.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = behind_start_code(bytes).map(|(_, rest)| rest);
    std::iter::from_fn(move || {
        let (nal, next) = match behind_start_code(rest?) {
            Some((nal, next)) => (nal, Some(next)),
            None => (rest?, None),
        };
        rest = next;
        let end = nal.iter().rposition(|byte| *byte != 0);
        Some(nal.get(..end.map_or(0, |end| end + 1)).unwrap_or_default())
    })
}

/// What lies before and behind the first start code.
fn behind_start_code(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes
        .windows(START_CODE.len())
        .position(|three| three == START_CODE)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(START_CODE.len()..)?))
}

fn travels(nal: &[u8]) -> bool {
    let kind = nal.first().map(|header| header & TYPE);
    kind.is_some_and(|kind| (1..STAP_A).contains(&kind) && kind != DELIMITER && kind != FILLER)
}

/// One unit alone, or several behind their lengths.
fn flush(small: &mut Vec<&[u8]>, payloads: &mut Vec<Arc<[u8]>>) {
    if let [nal] = small.as_slice() {
        payloads.push(Arc::from(*nal));
    } else if !small.is_empty() {
        let headers = || small.iter().filter_map(|nal| nal.first());
        let forbidden = headers().fold(0, |all, header| all | header & FORBIDDEN);
        let nri = headers().map(|header| header & NAL_REF_IDC).max();
        let mut payload = vec![forbidden | nri.unwrap_or_default() | STAP_A];
        for nal in small.iter() {
            let length = u16::try_from(nal.len()).unwrap_or_default();
            payload.extend(length.to_be_bytes());
            payload.extend_from_slice(nal);
        }
        payloads.push(payload.into());
    }
    small.clear();
}

fn fragment(nal: &[u8], payloads: &mut Vec<Arc<[u8]>>) {
    let Some((header, body)) = nal.split_first() else {
        return;
    };
    let last = body
        .len()
        .div_ceil(MOST_PAYLOAD - FU_HEADERS)
        .saturating_sub(1);
    for (number, part) in body.chunks(MOST_PAYLOAD - FU_HEADERS).enumerate() {
        let start = if number == 0 { FU_START } else { 0 };
        let end = if number == last { FU_END } else { 0 };
        let headers = [header & !TYPE | FU_A, start | end | header & TYPE];
        payloads.push([&headers, part].concat().into());
    }
}

/// ITU-T H.264 §B.1.1, without the zero byte that may be before it.
const START_CODE: [u8; 3] = [0, 0, 1];
/// Bytes before the units of a STAP-A, before each of them, and before a fragment.
const STAP_HEADER: usize = 1;
const LENGTH: usize = 2;
const FU_HEADERS: usize = 2;

/// Bits of the NAL unit header (RFC 6184 §1.3).
const FORBIDDEN: u8 = 0x80;
const NAL_REF_IDC: u8 = 0x60;
const TYPE: u8 = 0x1f;
/// Bits of the FU header (RFC 6184 §5.8).
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let payloads = packetise(&annex_b(&units));
        let kinds: Vec<u8> = payloads.iter().map(|payload| payload[0] & TYPE).collect();
        assert_eq!(kinds, [STAP_A, FU_A, FU_A, FU_A, 5]);
        let ends: Vec<u8> = payloads[1..4].iter().map(|payload| payload[1]).collect();
        assert_eq!(ends, [FU_START | 5, 5, FU_END | 5]);
    }

    #[test]
    fn delimiters_filler_and_nonsense_stay_behind() {
        let units = [nal(9, 1), nal(1, 9), nal(12, 50), nal(28, 9), vec![]];
        assert_eq!(packetise(&annex_b(&units)), [Arc::from(nal(1, 9))]);
        assert!(packetise(&[]).is_empty());
        assert!(packetise(&[1, 2, 3]).is_empty());
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
        assert_eq!(received(&packetise(&bytes)), [nal(1, 3), nal(1, 4)]);
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
            let payloads = packetise(&annex_b(&units));
            prop_assert!(payloads.iter().all(|payload| payload.len() <= MOST_PAYLOAD));
            prop_assert_eq!(received(&payloads), units);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(0_u8..3, 0..300)) {
            for payload in packetise(&bytes) {
                prop_assert!((1..=MOST_PAYLOAD).contains(&payload.len()));
            }
        }
    }
}
