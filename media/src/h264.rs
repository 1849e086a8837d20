//! H.264 access units as MP4 wants them: lengths instead of start codes, parameter sets apart.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Sequence and picture parameter sets (ITU-T H.264 §7.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters {
    sps: Bytes,
    /// One, but of some encoders.
    pps: Vec<Bytes>,
}

/// An access unit taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// NAL units with their lengths in four bytes before them (ISO/IEC 14496-15 §5.3.3).
    pub(crate) sample: Bytes,
    /// The parameter sets in it, if it has both kinds.
    pub(crate) parameters: Option<Parameters>,
}

const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
/// Picture parameter sets of which a stranger may make us keep a copy.
const MOST_PPS: usize = 32;

/// Takes an access unit with start codes apart.
pub(crate) fn take_apart(unit: &Bytes) -> Picture {
    let mut sample = BytesMut::with_capacity(unit.len() + 16);
    let (mut sps, mut pps) = (None, Vec::new());
    for nal in nal_units(unit) {
        match nal.first().map(|head| head & 0x1f) {
            Some(SPS) if nal.len() >= 4 => sps = Some(unit.slice_ref(nal)),
            Some(PPS) if pps.len() < MOST_PPS => pps.push(unit.slice_ref(nal)),
            None | Some(SPS | PPS | DELIMITER) => {}
            Some(_) => {
                let Ok(length) = u32::try_from(nal.len()) else {
                    continue;
                };
                sample.put_u32(length);
                sample.put_slice(nal);
            }
        }
    }
    Picture {
        sample: sample.freeze(),
        parameters: sps
            .filter(|_| !pps.is_empty())
            .map(|sps| Parameters { sps, pps }),
    }
}

/// The NAL units between start codes (annex B).
fn nal_units(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
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

impl Parameters {
    /// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1).
    pub(crate) fn configuration(&self) -> Vec<u8> {
        let profile = self.sps.get(1..4).unwrap_or(&[66, 192, 31]);
        let mut record = vec![1];
        record.extend_from_slice(profile);
        record.extend_from_slice(&[0xff, 0xe1]);
        put_set(&mut record, &self.sps);
        record.push(u8::try_from(self.pps.len()).unwrap_or_default());
        for pps in &self.pps {
            put_set(&mut record, pps);
        }
        record
    }

    /// As playlists name it (RFC 6381 §3.3), such as `avc1.42e01f`.
    pub(crate) fn codec(&self) -> String {
        let profile = self.sps.get(1..4).unwrap_or(&[66, 192, 31]);
        let digits: String = profile.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("avc1.{digits}")
    }
}

fn put_set(record: &mut Vec<u8>, set: &[u8]) {
    let length = u16::try_from(set.len()).unwrap_or_default();
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(set);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_access_unit_is_taken_apart() {
        let unit = Bytes::from_static(&[
            0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0xaa, 0, 0, 1, 0x68, 0xce,
            0, 0, 1, 0x65, 1, 2, 3,
        ]);
        let picture = take_apart(&unit);
        assert_eq!(&picture.sample[..], [0, 0, 0, 4, 0x65, 1, 2, 3]);
        let parameters = picture.parameters.unwrap();
        assert_eq!(parameters.codec(), "avc1.42e01f");
        assert_eq!(
            parameters.configuration(),
            [
                1, 0x42, 0xe0, 0x1f, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xe0, 0x1f, 0xaa, 1, 0, 2, 0x68,
                0xce
            ]
        );
    }

    #[test]
    fn all_picture_parameter_sets_are_kept() {
        let unit = Bytes::from_static(&[
            0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x68, 0xcf, 0x01, 0, 0,
            1, 0x65, 1,
        ]);
        let record = take_apart(&unit).parameters.unwrap().configuration();
        assert_eq!(
            record[6..],
            [
                0, 4, 0x67, 0x42, 0xe0, 0x1f, 2, 0, 2, 0x68, 0xce, 0, 3, 0x68, 0xcf, 0x01
            ]
        );
    }

    proptest! {
        #[test]
        fn lengths_always_add_up(unit in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..400)) {
            let picture = take_apart(&Bytes::from(unit));
            let mut rest = &picture.sample[..];
            while !rest.is_empty() {
                let (length, after) = rest.split_at(4);
                let length = u32::from_be_bytes(length.try_into().unwrap());
                rest = &after[usize::try_from(length).unwrap()..];
            }
        }
    }
}
