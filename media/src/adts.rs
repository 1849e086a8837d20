//! ADTS: AAC frames, each with a header that says what it is (ISO/IEC 14496-3 §1.A.2.2).

use bytes::Bytes;

/// What frames are, by their headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Such as 2, for AAC-LC (§1.5.1.1). HE-AAC is not told apart: its decoders find out.
    pub(crate) object_type: u8,
    /// Samples a second.
    pub(crate) rate: u32,
    pub(crate) channels: u8,
    /// `AudioSpecificConfig` (§1.6.2.1).
    pub(crate) config: [u8; 2],
}

/// Why a unit is not packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AdtsError {
    /// It is cut off, or something else.
    #[error("it is no AAC with ADTS headers")]
    Malformed,
    /// Whose rate or channels have no number.
    #[error("AAC that tells its rate or channels elsewhere is not packaged")]
    Elsewhere,
    /// Which cannot be parted without decoding.
    #[error("AAC with several blocks in a frame is not packaged")]
    Blocks,
}

/// Samples a second, by their index (§1.6.3.4).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Channels, by the configuration of them (§1.6.3.5).
const CHANNELS: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 8];

/// The length of a header without and with its checksum.
const HEADER: usize = 7;
const HEADER_WITH_CHECKSUM: usize = 9;

/// What a frame is, and the frame without its header.
///
/// # Errors
/// When it is not one whole frame of a kind that MP4 can hold.
pub(crate) fn take_apart(unit: &Bytes) -> Result<(Header, Bytes), AdtsError> {
    let header: [u8; HEADER] = *unit.first_chunk().ok_or(AdtsError::Malformed)?;
    // Read as one number, the header has 56 bits.
    let bits = header
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let field = |first: u32, count: u32| (bits >> (56 - first - count)) & ((1 << count) - 1);
    let number = |first, count| usize::try_from(field(first, count)).unwrap_or(usize::MAX);
    let begins = match field(15, 1) {
        0 => HEADER_WITH_CHECKSUM,
        _ => HEADER,
    };
    // Syncword, and a layer that is always zero.
    if field(0, 12) != 0xfff || field(13, 2) != 0 || number(30, 13) != unit.len() {
        return Err(AdtsError::Malformed);
    }
    if field(54, 2) != 0 {
        return Err(AdtsError::Blocks);
    }
    let frame = unit.get(begins..).filter(|frame| !frame.is_empty());
    let frame = unit.slice_ref(frame.ok_or(AdtsError::Malformed)?);
    let rate = RATES.get(number(18, 4));
    let channels = CHANNELS.get(number(23, 3)).filter(|count| **count > 0);
    let object_type = field(16, 2) + 1;
    let header = Header {
        object_type: u8::try_from(object_type).unwrap_or_default(),
        rate: *rate.ok_or(AdtsError::Elsewhere)?,
        channels: *channels.ok_or(AdtsError::Elsewhere)?,
        config: config(object_type, field(18, 4), field(23, 3)),
    };
    Ok((header, frame))
}

/// Type, rate and channels, and three bits that say that there is nothing more.
fn config(object_type: u64, rate: u64, channels: u64) -> [u8; 2] {
    let bits = object_type << 11 | rate << 7 | channels << 3;
    u16::try_from(bits).unwrap_or_default().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame of three bytes with that header, up to its length.
    fn unit(protection_absent: u8, rate: u8, channels: u8) -> Bytes {
        let checksum: &[u8] = if protection_absent == 1 { &[] } else { &[7, 7] };
        let length = 7 + checksum.len() + 3;
        let mut unit = vec![
            0xff,
            0xf0 | protection_absent,
            1 << 6 | rate << 2 | channels >> 2,
            channels << 6,
            u8::try_from(length >> 3).unwrap(),
            u8::try_from((length & 7) << 5).unwrap() | 0x1f,
            0xfc,
        ];
        unit.extend(checksum);
        unit.extend([1, 2, 3]);
        unit.into()
    }

    #[test]
    fn a_frame_is_taken_out_of_its_header() {
        for protection_absent in [0, 1] {
            let (header, frame) = take_apart(&unit(protection_absent, 4, 2)).unwrap();
            assert_eq!(&frame[..], [1, 2, 3]);
            assert_eq!((header.rate, header.channels), (44_100, 2));
            // As every encoder writes it for AAC-LC, 44.1 kHz, stereo.
            assert_eq!(header.config, [0x12, 0x10]);
            assert_eq!(header.object_type, 2);
        }
        let (surround, _) = take_apart(&unit(1, 3, 6)).unwrap();
        assert_eq!((surround.rate, surround.channels), (48_000, 6));
        assert_eq!(surround.config, [0x11, 0xb0]);
        let (most, _) = take_apart(&unit(1, 11, 7)).unwrap();
        assert_eq!((most.rate, most.channels), (8_000, 8));
    }

    #[test]
    fn what_cannot_be_packaged_is_told_why() {
        assert_eq!(take_apart(&unit(1, 3, 0)), Err(AdtsError::Elsewhere));
        assert_eq!(take_apart(&unit(1, 15, 2)), Err(AdtsError::Elsewhere));
        let mut blocks = unit(1, 3, 2).to_vec();
        blocks[6] |= 1;
        assert_eq!(take_apart(&blocks.into()), Err(AdtsError::Blocks));
        let whole = unit(1, 3, 2);
        for length in 0..whole.len() {
            assert_eq!(
                take_apart(&whole.slice(..length)),
                Err(AdtsError::Malformed)
            );
        }
        assert_eq!(
            take_apart(&Bytes::from_static(&[0x11; 40])),
            Err(AdtsError::Malformed)
        );
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(mut unit in prop::collection::vec(any::<u8>(), 0..40), like in any::<bool>()) {
            if let (true, Some(head)) = (like, unit.first_chunk_mut()) {
                *head = [0xff, 0xf1];
            }
            let _ = take_apart(&unit.into());
        }
    }
}
