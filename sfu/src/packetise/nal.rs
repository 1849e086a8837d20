//! Access units of NAL units with start codes, as H264 and H265 have them, as single units, aggregates
//! and fragments. Pure.

use std::sync::Arc;

use super::MOST_PAYLOAD;

/// What H264 and H265 do not have in common.
pub(super) trait Syntax {
    /// The NAL unit header.
    type Header: Copy + AsRef<[u8]>;

    /// Parts the header of a unit from its body.
    fn split(unit: &[u8]) -> Option<(Self::Header, &[u8])>;

    /// Whether a unit is of use to a receiver, and can be told from an aggregate or a fragment.
    fn travels(header: Self::Header) -> bool;

    /// The header in front of an aggregate of units with these headers.
    fn aggregate(headers: &[Self::Header]) -> Self::Header;

    /// The header in front of the fragments of a unit, and the unit's type for the FU header.
    fn fragment(header: Self::Header) -> (Self::Header, u8);
}

/// Small units that wait to travel together.
struct Small<'a> {
    units: Vec<&'a [u8]>,
    /// What an aggregate of them has.
    bytes: usize,
}

/// The payloads of an access unit with start codes (ITU-T H.264 and H.265, annex B). What no receiver
/// needs is left out; small units that follow each other travel together.
pub(super) fn packetise<S: Syntax>(unit: &[u8]) -> Vec<Arc<[u8]>> {
    let mut payloads = Vec::new();
    let mut small = Small::new::<S>();
    for nal in nal_units(unit) {
        let Some((header, body)) = S::split(nal).filter(|(header, _)| S::travels(*header)) else {
            continue;
        };
        let bytes = nal.len() + LENGTH;
        if small.bytes + bytes > MOST_PAYLOAD {
            small.flush::<S>(&mut payloads);
        }
        if nal.len() > MOST_PAYLOAD {
            fragment::<S>(header, body, &mut payloads);
        } else {
            small.units.push(nal);
            small.bytes += bytes;
        }
    }
    small.flush::<S>(&mut payloads);
    payloads
}

/// NAL units between start codes, without the zero bytes around them.
pub(super) fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
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

impl Small<'_> {
    fn new<S: Syntax>() -> Self {
        Self {
            units: Vec::new(),
            bytes: size_of::<S::Header>(),
        }
    }

    /// One unit goes alone, several behind their lengths.
    fn flush<S: Syntax>(&mut self, payloads: &mut Vec<Arc<[u8]>>) {
        if let [nal] = self.units.as_slice() {
            payloads.push(Arc::from(*nal));
        } else if !self.units.is_empty() {
            payloads.push(aggregate::<S>(&self.units).into());
        }
        *self = Self::new::<S>();
    }
}

fn aggregate<S: Syntax>(units: &[&[u8]]) -> Vec<u8> {
    let headers = units.iter().filter_map(|nal| S::split(nal));
    let headers: Vec<_> = headers.map(|(header, _)| header).collect();
    let mut payload = S::aggregate(&headers).as_ref().to_vec();
    for nal in units {
        let length = u16::try_from(nal.len()).unwrap_or_default();
        payload.extend(length.to_be_bytes());
        payload.extend_from_slice(nal);
    }
    payload
}

fn fragment<S: Syntax>(header: S::Header, body: &[u8], payloads: &mut Vec<Arc<[u8]>>) {
    let (header, kind) = S::fragment(header);
    let most = MOST_PAYLOAD - size_of::<S::Header>() - FU_HEADER;
    let last = body.len().div_ceil(most).saturating_sub(1);
    for (number, part) in body.chunks(most).enumerate() {
        let start = if number == 0 { FU_START } else { 0 };
        let end = if number == last { FU_END } else { 0 };
        let payload = [header.as_ref(), &[start | end | kind], part].concat();
        payloads.push(payload.into());
    }
}

/// ITU-T H.264 §B.1.1 and H.265 §B.2.1, without the zero byte that may be before it.
const START_CODE: [u8; 3] = [0, 0, 1];
/// Bytes before each unit of an aggregate, and before a fragment.
const LENGTH: usize = 2;
const FU_HEADER: usize = 1;

/// Bits of the FU header (RFC 6184 §5.8, RFC 7798 §4.4.3).
pub(super) const FU_START: u8 = 0x80;
pub(super) const FU_END: u8 = 0x40;
