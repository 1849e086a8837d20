//! AV1 payloads (AOM "RTP Payload Format for AV1", version 1.0): the aggregation header, and the
//! sequence header OBU ("AV1 Bitstream & Decoding Process Specification").

use super::bits::BitReader;
use super::{PayloadFacts, plausible};

/// Reads the aggregation header and looks for a sequence header among the OBU elements. Whether a
/// frame is dispensable takes the state of a decoder, or the dependency descriptor.
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some((&aggregation, rest)) = payload.split_first() else {
        return PayloadFacts::default();
    };
    let continues_obu = aggregation & CONTINUES_OBU != 0;
    let elements = elements(aggregation >> 4 & 0b11, rest);
    PayloadFacts {
        // Z with N contradicts itself (§4.4).
        starts_keyframe: aggregation & NEW_SEQUENCE != 0 && !continues_obu,
        size: elements
            .skip(usize::from(continues_obu))
            .find_map(sequence_size),
        discardable: false,
    }
}

/// OBU elements of a packet, each behind its length in leb128; the last of a known `count` (W) has
/// none (AOM RTP §4.3, §4.4). Ends at the first length that the packet does not hold.
fn elements(count: u8, mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut nth = 0_u8;
    std::iter::from_fn(move || {
        nth = nth.saturating_add(1);
        let length = if nth == count {
            rest.len()
        } else {
            leb128(&mut rest)?
        };
        let (element, tail) = rest.split_at_checked(length)?;
        rest = tail;
        Some(element)
    })
}

/// `leb128()` (AV1 §4.10.5): at most eight bytes, of which we take no more than a `u32` can hold.
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value)
                .ok()
                .and_then(|value| usize::try_from(value).ok());
        }
    }
    None
}

/// Size from an OBU if it is a sequence header (`open_bitstream_unit()`, AV1 §5.3).
fn sequence_size(obu: &[u8]) -> Option<(u32, u32)> {
    let (&header, mut body) = obu.split_first()?;
    if header >> 3 & 0b1111 != OBU_SEQUENCE_HEADER {
        return None;
    }
    if header & HAS_EXTENSION != 0 {
        body = body.get(1..)?;
    }
    if header & HAS_SIZE != 0 {
        leb128(&mut body)?;
    }
    picture_size(&mut BitReader::new(body))
}

/// Largest frame of the sequence, from `sequence_header_obu()` (AV1 §5.5.1).
fn picture_size(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    bits.skip(3 + 1)?; // seq_profile, still_picture
    if bits.bit()? {
        bits.skip(5)?; // reduced_still_picture_header: seq_level_idx only
    } else {
        skip_operating_points(bits)?;
    }
    let width_bits = bits.bits(4)?.checked_add(1)?;
    let height_bits = bits.bits(4)?.checked_add(1)?;
    let width = bits.bits(width_bits)?.checked_add(1)?;
    let height = bits.bits(height_bits)?.checked_add(1)?;
    plausible(width, height)
}

/// From `timing_info_present_flag` to the last operating point.
fn skip_operating_points(bits: &mut BitReader<'_>) -> Option<()> {
    let has_timing = bits.bit()?;
    let delay_bits = if has_timing { timing(bits)? } else { None };
    let has_initial_delay = bits.bit()?;
    let points_minus1 = bits.bits(5)?;
    for _ in 0..=points_minus1 {
        bits.skip(12)?; // operating_point_idc
        if bits.bits(5)? > LAST_LEVEL_WITHOUT_TIER {
            bits.skip(1)?; // seq_tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(delay_bits)?; // decoder_buffer_delay
            bits.skip(delay_bits)?; // encoder_buffer_delay
            bits.skip(1)?; // low_delay_mode_flag
        }
        if has_initial_delay && bits.bit()? {
            bits.skip(4)?; // initial_display_delay_minus_1
        }
    }
    Some(())
}

/// `timing_info()` and, where present, `decoder_model_info()` (AV1 §5.5.3, §5.5.4), of which the
/// length of the buffer delays is answered.
#[expect(
    clippy::option_option,
    reason = "the outer one is the end of the payload"
)]
fn timing(bits: &mut BitReader<'_>) -> Option<Option<u32>> {
    bits.skip(32 + 32)?; // num_units_in_display_tick, time_scale
    if bits.bit()? {
        bits.ue()?; // num_ticks_per_picture_minus_1, a uvlc()
    }
    if !bits.bit()? {
        return Some(None);
    }
    let delay_bits = bits.bits(5)?.checked_add(1)?;
    bits.skip(32 + 5 + 5)?; // num_units_in_decoding_tick and two lengths
    Some(Some(delay_bits))
}

/// Z of the aggregation header (AOM RTP §4.4).
const CONTINUES_OBU: u8 = 0x80;
/// N of the aggregation header: the packet opens a coded video sequence (AOM RTP §4.4).
const NEW_SEQUENCE: u8 = 0x08;

/// `obu_type` (AV1 §6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;
/// `obu_extension_flag` (AV1 §5.3.2).
const HAS_EXTENSION: u8 = 0x04;
/// `obu_has_size_field` (AV1 §5.3.2).
const HAS_SIZE: u8 = 0x02;
/// `seq_level_idx` above this is followed by `seq_tier` (AV1 §5.5.1).
const LAST_LEVEL_WITHOUT_TIER: u32 = 7;

#[cfg(test)]
mod tests {
    use super::super::VideoCodec;
    use super::super::testing::{BitWriter, hex, survives_damage};
    use super::*;

    /// Reads a packet that opens a sequence with one OBU.
    fn size_of(obu: &str) -> Option<(u32, u32)> {
        read(&[&[0x18], hex(obu).as_slice()].concat())
    }

    fn read(payload: &[u8]) -> Option<(u32, u32)> {
        survives_damage(VideoCodec::Av1, payload);
        let facts = inspect(payload);
        assert!(facts.starts_keyframe);
        facts.size
    }

    // Sequence headers of SVT-AV1, libaom and rav1e, with the size field that files have.

    #[test]
    fn sequence_header_tells_the_size() {
        assert_eq!(size_of("0a0b 0000002d4cffb3cfbf9004"), Some((1280, 720)));
        assert_eq!(size_of("0a0b 0000002d4cffb3cdaf9004"), Some((1280, 720)));
        assert_eq!(size_of("0a0b 0000000cc4ff673efe4010"), Some((640, 360)));
        assert_eq!(size_of("0a0b 00000042abbfc3776be401"), Some((1920, 1080)));
        assert_eq!(
            size_of("0a0e 000000fa627fb38842a204040428"),
            Some((640, 360))
        );
        assert_eq!(size_of("0a0a 200000043d06d4daf902"), Some((322, 182)));
    }

    #[test]
    fn reduced_still_picture_header_tells_the_size() {
        assert_eq!(size_of("0a07 1821e836adc040"), Some((322, 182)));
    }

    #[test]
    fn timing_and_decoder_model_are_passed_over() {
        assert_eq!(
            size_of("0a14 04000000040000007b400001bcc4ff6736be4010"),
            Some((640, 360))
        );
        let model = "0a1e 040000000400000079780000000a530000075f915f90bcc4ff6736be4010";
        assert_eq!(size_of(model), Some((640, 360)));
    }

    #[test]
    fn every_operating_point_is_passed_over() {
        let mut sequence = BitWriter::default();
        sequence
            .bits(3, 0)
            .bits(2, 0)
            .bits(1, 0)
            .bits(1, 1)
            .bits(5, 1);
        sequence
            .bits(12, 0x301)
            .bits(5, 8)
            .bits(1, 1)
            .bits(1, 1)
            .bits(4, 9);
        sequence.bits(12, 0x101).bits(5, 7).bits(1, 0);
        sequence.bits(4, 9).bits(4, 8).bits(10, 639).bits(9, 359);
        assert_eq!(
            read(&sequence.bytes_behind(&[0x18, 0x08])),
            Some((640, 360))
        );
    }

    #[test]
    fn sequence_header_is_found_in_every_form_of_aggregation() {
        // As WebRTC senders have it: no size field, an extension byte, other OBUs around.
        let sequence = "0000002d4cffb3cfbf9004";
        for packet in [
            format!("18 08 {sequence}"),
            format!("18 0c 00 {sequence}"),
            format!("28 0c 08 {sequence} 30112233"),
            format!("08 01 10 0c 08 {sequence} 04 30112233"),
            format!("38 01 10 0e 0a0b {sequence} 00 30112233"),
        ] {
            // In the last one the element is one byte longer than its OBU.
            assert_eq!(read(&hex(&packet)), Some((1280, 720)), "{packet}");
        }
    }

    #[test]
    fn continued_packets_tell_nothing() {
        assert_eq!(
            inspect(&hex("90 0a0b0000002d4cffb3cfbf9004")),
            PayloadFacts::default()
        );
        assert_eq!(
            inspect(&hex("98 0a0b0000002d4cffb3cfbf9004")),
            PayloadFacts::default()
        );
        assert_eq!(inspect(&hex("10 30112233445566")), PayloadFacts::default());
    }

    #[test]
    fn length_beyond_the_packet_ends_the_search() {
        assert_eq!(
            inspect(&hex("00 ffffffffffffffffff 0a0b")),
            PayloadFacts::default()
        );
        assert_eq!(
            inspect(&hex("00 7f 0a0b0000002d4cffb3cfbf9004")),
            PayloadFacts::default()
        );
    }
}
