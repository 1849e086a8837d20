//! NAL units, which H.264 and H.265 have in common.

use bytes::{BufMut as _, BytesMut};

/// The NAL units between start codes (annex B).
pub(super) fn nal_units(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start_code(unit).and_then(|(_, after)| unit.get(after..));
    std::iter::from_fn(move || {
        let now = rest.take()?;
        let nal = match start_code(now) {
            Some((at, after)) => {
                rest = now.get(after..);
                now.get(..at)?
            }
            None => now,
        };
        // Zeros before a start code belong to it.
        let end = nal.iter().rposition(|byte| *byte != 0);
        Some(end.map_or(&[][..], |end| nal.get(..=end).unwrap_or_default()))
    })
}

/// Where the next start code begins and ends.
fn start_code(bytes: &[u8]) -> Option<(usize, usize)> {
    let at = bytes.windows(3).position(|three| three == [0, 0, 1])?;
    Some((at, at + 3))
}

/// Adds a NAL unit with its length in four bytes before it (ISO/IEC 14496-15 §5.3.3).
pub(super) fn put_sample(sample: &mut BytesMut, nal: &[u8]) {
    if let Ok(length) = u32::try_from(nal.len()) {
        sample.put_u32(length);
        sample.put_slice(nal);
    }
}

/// Adds a parameter set with its length in two bytes before it.
pub(super) fn put_set(record: &mut Vec<u8>, set: &[u8]) {
    let length = u16::try_from(set.len()).unwrap_or_default();
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(set);
}

/// The bytes of a NAL unit without those that keep start codes out of it.
pub(super) fn unescaped(nal: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_start_codes_out_is_left_out() {
        assert_eq!(unescaped(&[1, 0, 0, 3, 0, 0, 3, 1]), [1, 0, 0, 0, 0, 1]);
        assert_eq!(unescaped(&[0, 0, 3]), [0, 0]);
    }
}
