//! H.264 access units: lengths instead of start codes, parameter sets apart.

use bytes::{Bytes, BytesMut};

use super::nal::{nal_units, put_sample, put_set};
use super::{Format, Parameters, Picture};

const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
/// Picture parameter sets of which a stranger may make us keep a copy.
const MOST_PPS: usize = 32;

/// Takes an access unit with start codes apart.
pub(super) fn take_apart(unit: &Bytes) -> Picture {
    let mut sample = BytesMut::with_capacity(unit.len() + 16);
    let (mut sps, mut pps) = (None, Vec::new());
    for nal in nal_units(unit) {
        match nal.first().map(|head| head & 0x1f) {
            Some(SPS) if nal.len() >= 4 => sps = Some(nal),
            Some(PPS) if pps.len() < MOST_PPS => pps.push(nal),
            None | Some(SPS | PPS | DELIMITER) => {}
            Some(_) => put_sample(&mut sample, nal),
        }
    }
    Picture {
        sample: sample.freeze(),
        parameters: sps.and_then(|sps| parameters(sps, &pps)),
    }
}

fn parameters(sps: &[u8], pps: &[&[u8]]) -> Option<Parameters> {
    let profile = sps.get(1..4).filter(|_| !pps.is_empty())?;
    let digits: String = profile.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut record = vec![1];
    record.extend_from_slice(profile);
    record.extend_from_slice(&[0xff, 0xe1]);
    put_set(&mut record, sps);
    record.push(u8::try_from(pps.len()).unwrap_or_default());
    for pps in pps {
        put_set(&mut record, pps);
    }
    Some(Parameters {
        codec: format!("avc1.{digits}"),
        format: Format::H264(record),
    })
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
        assert_eq!(parameters.codec, "avc1.42e01f");
        assert_eq!(
            parameters.format,
            Format::H264(vec![
                1, 0x42, 0xe0, 0x1f, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xe0, 0x1f, 0xaa, 1, 0, 2, 0x68,
                0xce
            ])
        );
    }

    #[test]
    fn all_picture_parameter_sets_are_kept() {
        let unit = Bytes::from_static(&[
            0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x68, 0xcf, 0x01, 0, 0,
            1, 0x65, 1,
        ]);
        let Format::H264(record) = take_apart(&unit).parameters.unwrap().format else {
            panic!("another format");
        };
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
