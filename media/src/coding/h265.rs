//! H.265 access units: lengths instead of start codes, parameter sets apart.

use bytes::{Bytes, BytesMut};

use super::bits::Bits;
use super::nal::{nal_units, put_sample, put_set, unescaped};
use super::{Format, Parameters, Picture};

const VPS: u8 = 32;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
/// Parameter sets of a kind of which a stranger may make us keep a copy.
const MOST_SETS: usize = 16;

/// Takes an access unit with start codes apart.
pub(super) fn take_apart(unit: &Bytes) -> Picture {
    let mut sample = BytesMut::with_capacity(unit.len() + 16);
    let mut sets: [Vec<&[u8]>; 3] = Default::default();
    for nal in nal_units(unit) {
        let kind = nal.first().map(|head| head >> 1 & 0x3f);
        match kind {
            Some(kind @ VPS..=PPS) => {
                if let Some(sets) = sets.get_mut(usize::from(kind - VPS))
                    && sets.len() < MOST_SETS
                {
                    sets.push(nal);
                }
            }
            None | Some(DELIMITER) => {}
            Some(_) => put_sample(&mut sample, nal),
        }
    }
    Picture {
        sample: sample.freeze(),
        parameters: parameters(&sets),
    }
}

/// What the first sequence parameter set says (ITU-T H.265 §7.3.2.2).
fn parameters(sets: &[Vec<&[u8]>; 3]) -> Option<Parameters> {
    if sets.iter().any(Vec::is_empty) {
        return None;
    }
    let [_, sps, _] = sets;
    let sps = unescaped(sps.first()?);
    // Behind the head of two bytes and one of ids: twelve bytes of profile, tier and level.
    let (sub_layers, nested) = (sps.get(2)? >> 1 & 7, sps.get(2)? & 1);
    let profile: &[u8; 12] = sps.get(3..15)?.first_chunk()?;
    let details = Details::read(&sps, sub_layers)?;
    let mut record = vec![1];
    record.extend_from_slice(profile);
    // No spatial segmentation, no parallelism known.
    record.extend_from_slice(&[0xf0, 0, 0xfc]);
    record.push(0xfc | details.chroma_format);
    record.push(0xf8 | details.luma_depth);
    record.push(0xf8 | details.chroma_depth);
    // No rate known; lengths of four bytes.
    record.extend_from_slice(&[0, 0, (sub_layers + 1) << 3 | nested << 2 | 3]);
    record.push(3);
    for (kind, sets) in (VPS..).zip(sets) {
        record.push(0x80 | kind);
        record.extend_from_slice(&u16::try_from(sets.len()).unwrap_or_default().to_be_bytes());
        for set in sets {
            put_set(&mut record, set);
        }
    }
    Some(Parameters {
        codec: codec(profile),
        format: Format::H265(record),
    })
}

/// Of a sequence parameter set, what stands behind its profile.
struct Details {
    chroma_format: u8,
    /// Bits above eight.
    luma_depth: u8,
    chroma_depth: u8,
}

impl Details {
    fn read(sps: &[u8], sub_layers: u8) -> Option<Self> {
        let mut bits = Bits::new(sps.get(15..)?);
        // Profiles and levels of sub-layers.
        let mut present = Vec::new();
        for _ in 0..sub_layers {
            present.push((bits.flag()?, bits.flag()?));
        }
        if sub_layers > 0 {
            bits.skip(2 * (8 - u32::from(sub_layers)))?;
        }
        for (profile, level) in present {
            bits.skip(if profile { 88 } else { 0 })?;
            bits.skip(if level { 8 } else { 0 })?;
        }
        bits.golomb()?;
        let chroma_format = bits.golomb()?;
        if chroma_format == 3 {
            bits.skip(1)?;
        }
        let _size = (bits.golomb()?, bits.golomb()?);
        if bits.flag()? {
            for _ in 0..4 {
                bits.golomb()?;
            }
        }
        let (luma, chroma) = (bits.golomb()?, bits.golomb()?);
        let small = |number: u32, most: u8| u8::try_from(number).ok().filter(|n| *n <= most);
        Some(Self {
            chroma_format: small(chroma_format, 3)?,
            luma_depth: small(luma, 7)?,
            chroma_depth: small(chroma, 7)?,
        })
    }
}

/// ISO/IEC 14496-15 §E.3, such as `hvc1.1.6.L93.b0`.
fn codec(profile: &[u8; 12]) -> String {
    let [first, compatible @ .., level] = profile;
    let [c0, c1, c2, c3, constraints @ ..] = compatible;
    let space = ["", "A", "B", "C"]
        .get(usize::from(first >> 6))
        .copied()
        .unwrap_or_default();
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let compatible = u32::from_be_bytes([*c0, *c1, *c2, *c3]).reverse_bits();
    let mut codec = format!("hvc1.{space}{}.{compatible:x}.{tier}{level}", first & 0x1f);
    let used = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    for byte in constraints.iter().take(used) {
        codec.push_str(&format!(".{byte:x}"));
    }
    codec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names() {
        let main = [1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(codec(&main), "hvc1.1.6.L93.b0");
        let main10 = [0x22, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 120];
        assert_eq!(codec(&main10), "hvc1.2.4.H120");
    }

    #[test]
    fn without_all_sets_there_are_no_parameters() {
        let unit = Bytes::from_static(&[0, 0, 1, 0x26, 1, 0xaf]);
        let picture = take_apart(&unit);
        assert_eq!(picture.parameters, None);
        assert_eq!(&picture.sample[..], [0, 0, 0, 3, 0x26, 1, 0xaf]);
    }
}
