//! H264 payloads (RFC 6184): single NAL units, STAP-A and FU-A, as packetization modes 0 and 1 have
//! them. The interleaved mode is never negotiated with us.

use super::bits::BitReader;
use super::nal::{UnitFacts, chroma_subsampling, crop, is_first_slice, length_prefixed, merge};
use super::{PayloadFacts, Profile, plausible};

/// Reads one payload by the type of its first byte (RFC 6184 §5.4).
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some((&header, body)) = payload.split_first() else {
        return PayloadFacts::default();
    };
    match header & TYPE {
        STAP_A => merge(length_prefixed(body).filter_map(unit)),
        FU_A => merge(fragment(header, body)),
        _ => merge(unit(payload)),
    }
}

/// Length of `frame_num` in bits, as a sequence parameter set with its header tells it.
pub(crate) fn frame_num_bits(sps: &[u8]) -> Option<u32> {
    let mut bits = BitReader::rbsp(sps.get(1..)?);
    skip_to_frame_num(&mut bits)?;
    let bits = bits.ue()?.checked_add(4)?; // log2_max_frame_num_minus4
    (bits <= MOST_FRAME_NUM_BITS).then_some(bits)
}

/// `frame_num` of a slice with its header (H.264 §7.3.3). `None` also where three colour planes are
/// coded apart.
pub(crate) fn frame_num(slice: &[u8], length_in_bits: u32) -> Option<u32> {
    let mut bits = BitReader::rbsp(slice.get(1..)?);
    bits.ue()?; // first_mb_in_slice
    bits.ue()?; // slice_type
    bits.ue()?; // pic_parameter_set_id
    bits.bits(length_in_bits.min(MOST_FRAME_NUM_BITS))
}

/// Whether a payload begins a B slice (table 7-6), which encoders of calls never make.
pub(crate) fn is_b_slice(payload: &[u8]) -> bool {
    let slice = match payload {
        [indicator, header, body @ ..] if indicator & TYPE == FU_A => {
            (header & FU_START != 0 && header & TYPE == SLICE).then_some(body)
        }
        [header, body @ ..] => (header & TYPE == SLICE).then_some(body),
        [] => None,
    };
    let slice_type = slice.and_then(|slice| {
        let mut bits = BitReader::rbsp(slice);
        bits.ue()?; // first_mb_in_slice
        bits.ue()
    });
    slice_type.is_some_and(|slice_type| slice_type % 5 == B)
}

fn unit(bytes: &[u8]) -> Option<UnitFacts> {
    let (&header, body) = bytes.split_first()?;
    Some(unit_facts(header, body))
}

/// FU-A: the FU indicator has the unit's reference bits, the FU header its type and whether the
/// fragment starts it (RFC 6184 §5.8).
fn fragment(indicator: u8, rest: &[u8]) -> Option<UnitFacts> {
    let (&fu_header, body) = rest.split_first()?;
    let header = (indicator & !TYPE) | (fu_header & TYPE);
    if fu_header & FU_START != 0 {
        return Some(unit_facts(header, body));
    }
    Some(UnitFacts {
        is_needed: is_needed(header),
        ..UnitFacts::default()
    })
}

/// `header` is the NAL unit header (RFC 6184 §1.3), `body` what follows it, perhaps cut.
fn unit_facts(header: u8, body: &[u8]) -> UnitFacts {
    let kind = header & TYPE;
    let sps = (kind == SPS).then_some(body);
    UnitFacts {
        starts_keyframe: kind == SPS || kind == IDR_SLICE && is_first_slice(body),
        size: sps.and_then(picture_size),
        profile: sps.and_then(profile),
        is_needed: is_needed(header),
    }
}

/// A slice with `nal_ref_idc` 0 is of a picture that no other refers to (H.264 §7.4.1). SEI,
/// delimiters and filler always carry 0 and so say nothing; all the rest is kept.
fn is_needed(header: u8) -> Option<bool> {
    match header & TYPE {
        1..=IDR_SLICE => Some(header & NAL_REF_IDC != 0),
        6 | 9..=12 => None,
        _ => Some(true),
    }
}

/// The first three bytes of `seq_parameter_set_data()`, none of which can be escaped.
fn profile(sps: &[u8]) -> Option<Profile> {
    let &[idc, constraints, level_idc] = sps.first_chunk::<3>()?;
    Some(Profile::H264 {
        idc,
        constraints,
        level_idc,
    })
}

/// Size after cropping, from `seq_parameter_set_data()` (H.264 §7.3.2.1.1).
fn picture_size(sps: &[u8]) -> Option<(u32, u32)> {
    let mut bits = BitReader::rbsp(sps);
    let chroma = skip_to_frame_num(&mut bits)?;
    bits.ue()?; // log2_max_frame_num_minus4
    skip_picture_order(&mut bits)?;
    bits.ue()?; // max_num_ref_frames
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    let width = bits.ue()?.checked_add(1)?.checked_mul(MACROBLOCK)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let is_progressive = bits.bit()?; // frame_mbs_only_flag
    if !is_progressive {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    // A map unit of field coding is a pair of macroblocks: 2 - frame_mbs_only_flag.
    let fields = if is_progressive { 1 } else { 2 };
    let height = map_units.checked_mul(fields)?.checked_mul(MACROBLOCK)?;
    bits.skip(1)?; // direct_8x8_inference_flag
    if !bits.bit()? {
        return plausible(width, height);
    }
    let crop_unit = (chroma.0, chroma.1.checked_mul(fields)?);
    let (width, height) = crop(&mut bits, (width, height), crop_unit)?;
    plausible(width, height)
}

/// The fields before `log2_max_frame_num_minus4`; answers the luma samples per chroma sample.
fn skip_to_frame_num(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    let profile = bits.bits(8)?;
    bits.skip(8 + 8)?; // constraint flags, level_idc
    bits.ue()?; // seq_parameter_set_id
    if HIGH_PROFILES.contains(&profile) {
        high_profile(bits)
    } else {
        Some((2, 2))
    }
}

/// The fields that only the High profiles have; answers the luma samples per chroma sample.
fn high_profile(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    let chroma_format = bits.ue()?;
    if chroma_format == YUV444 {
        bits.skip(1)?; // separate_colour_plane_flag: crops by single samples as 4:4:4 does
    }
    bits.ue()?; // bit_depth_luma_minus8
    bits.ue()?; // bit_depth_chroma_minus8
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.bit()? {
        skip_scaling_matrix(bits, chroma_format)?;
    }
    chroma_subsampling(chroma_format)
}

/// `seq_scaling_list_present_flag` and `scaling_list()` (H.264 §7.3.2.1.1.1): six lists of 16, then
/// two or, for 4:4:4, six of 64.
fn skip_scaling_matrix(bits: &mut BitReader<'_>, chroma_format: u32) -> Option<()> {
    let lists = if chroma_format == YUV444 { 12 } else { 8 };
    for list in 0..lists {
        if bits.bit()? {
            skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
        }
    }
    Some(())
}

fn skip_scaling_list(bits: &mut BitReader<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            next = last.checked_add(bits.se()?)?.rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// `pic_order_cnt_type` and what depends on it.
fn skip_picture_order(bits: &mut BitReader<'_>) -> Option<()> {
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?; // at most 255; the payload's end bounds the loop in any case
            for _ in 0..cycle {
                bits.se()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

/// Bits of the NAL unit header (RFC 6184 §1.3).
const TYPE: u8 = 0x1f;
const NAL_REF_IDC: u8 = 0x60;
/// S bit of the FU header (RFC 6184 §5.8).
const FU_START: u8 = 0x80;

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Values of `profile_idc` with a chroma format in the SPS (H.264 §7.3.2.1.1).
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// `chroma_format_idc` of 4:4:4.
const YUV444: u32 = 3;
/// Longest `frame_num`: `log2_max_frame_num_minus4` is at most 12 (H.264 §7.4.2.1.1).
const MOST_FRAME_NUM_BITS: u32 = 16;
/// Samples along the side of a macroblock.
const MACROBLOCK: u32 = 16;

/// `slice_type` B.
const B: u32 = 1;

#[cfg(test)]
mod tests {
    use super::super::VideoCodec;
    use super::super::testing::{BitWriter, hex, survives_damage};
    use super::*;

    fn size_of(stap: &str) -> Option<(u32, u32)> {
        let payload = hex(stap);
        survives_damage(VideoCodec::H264, &payload);
        let facts = inspect(&payload);
        assert!(facts.starts_keyframe);
        assert!(!facts.discardable);
        facts.size
    }

    // The payloads are the first packets that ffmpeg sends for x264: SPS and PPS in a STAP-A.

    #[test]
    fn size_of_high_profile() {
        let stap = "18001a 6764001facd9405005bb0110000003001000000303c0f1831960 000668ebe3cb22c0";
        assert_eq!(size_of(stap), Some((1280, 720)));
        let stap = "18001a 6764001eacd940a02ff970110000030001000003003c0f162d96 000668ebe3cb22c0";
        assert_eq!(size_of(stap), Some((640, 360)));
        let stap = "18001b 67640028acd940780227e5c044000003000400000300f03c60c658 000668ebe3cb22c0";
        assert_eq!(size_of(stap), Some((1920, 1080)));
    }

    #[test]
    fn profile_is_that_of_the_parameter_set() {
        let named = |stap: &str| inspect(&hex(stap)).profile.unwrap().to_string();
        let stap = "18001b 67640028acd940780227e5c044000003000400000300f03c60c658 000668ebe3cb22c0";
        assert_eq!(named(stap), "High, level 4.0");
        let stap = "180019 6742c01fd9005005bb0110000003001000000303c0f1832480 000568cb83cb20";
        assert_eq!(named(stap), "Constrained Baseline, level 3.1");
        assert_eq!(inspect(&hex("6588842100")).profile, None);
    }

    #[test]
    fn size_of_baseline_profile() {
        let stap = "180019 6742c01fd9005005bb0110000003001000000303c0f1832480 000568cb83cb20";
        assert_eq!(size_of(stap), Some((1280, 720)));
        let stap = "180019 6742c01ed900a02ff970110000030001000003003c0f162e48 000568cb83cb20";
        assert_eq!(size_of(stap), Some((640, 360)));
        let stap = "18001a 6742c028d900780227e5c044000003000400000300f03c60c920 000568cb83cb20";
        assert_eq!(size_of(stap), Some((1920, 1080)));
    }

    #[test]
    fn size_of_every_chroma_format_and_of_fields() {
        let yuv444 =
            "18001b 67f4000d919b282a33c7c5e022000003000200000300781e28532c 000668ebe3c44844";
        assert_eq!(size_of(yuv444), Some((322, 182)));
        let yuv422 =
            "18001a 677a000db6cd941519e222f0110000030001000003003c0f1429 96000668ebe3cb22c0";
        assert_eq!(size_of(yuv422), Some((322, 182)));
        let grey = "180019 6764000df36505067e37016c80000003008000001e078a14cb 000668ebe3cb22c0";
        assert_eq!(size_of(grey), Some((320, 180)));
        let fields =
            "18001a 67640028acd94078044fde0220000003002000000783e2c5b2c0 000768fba3cb3002c0";
        assert_eq!(size_of(fields), Some((1920, 1080)));
    }

    #[test]
    fn size_behind_scaling_lists_and_picture_order_type_1() {
        let mut sps = BitWriter::default();
        sps.ue(0)
            .ue(YUV444)
            .bits(1, 0)
            .ue(0)
            .ue(0)
            .bits(1, 0)
            .bits(1, 1);
        sps.bits(1, 1).se(-8); // a list that falls back to the default one
        sps.bits(1, 1);
        for _ in 0..16 {
            sps.se(1);
        }
        sps.bits(9, 0);
        sps.bits(1, 1).se(120).se(-127);
        for _ in 0..62 {
            sps.se(0);
        }
        sps.ue(0).ue(1).bits(1, 0).se(-1).se(2).ue(2).se(3).se(-3);
        sps.ue(1).bits(1, 0).ue(39).ue(22).bits(1, 1).bits(1, 1);
        sps.bits(1, 1).ue(1).ue(0).ue(3).ue(5);
        let payload = sps.bytes_behind(&[0x67, 244, 0, 30]);
        survives_damage(VideoCodec::H264, &payload);
        assert_eq!(inspect(&payload).size, Some((639, 360)));
    }

    #[test]
    fn number_of_a_frame_lies_where_its_parameter_set_says() {
        let sps = hex("6764001eacd940a02ff970110000030001000003003c0f162d96");
        assert_eq!(frame_num_bits(&sps), Some(4));
        let mut long = BitWriter::default();
        long.ue(0).ue(12).ue(0).ue(4).ue(1).bits(1, 0).ue(9).ue(9);
        let sps = long.bytes_behind(&[0x67, 66, 0, 30]);
        assert_eq!(frame_num_bits(&sps), Some(16));
        let mut slice = BitWriter::default();
        slice.ue(0).ue(5).ue(0).bits(16, 40_000).ue(1);
        let slice = slice.bytes_behind(&[0x41]);
        assert_eq!(frame_num(&slice, 16), Some(40_000));
        assert_eq!(frame_num(&slice, 4), Some(40_000 >> 12));
        assert_eq!(frame_num(&slice[..2], 16), None);
        let mut nonsense = BitWriter::default();
        nonsense.ue(0).ue(13).ue(0);
        assert_eq!(
            frame_num_bits(&nonsense.bytes_behind(&[0x67, 66, 0, 30])),
            None
        );
    }

    #[test]
    fn cropping_beyond_the_picture_gives_no_size() {
        let mut sps = BitWriter::default();
        sps.ue(0)
            .ue(0)
            .ue(0)
            .ue(0)
            .ue(1)
            .bits(1, 0)
            .ue(9)
            .ue(9)
            .bits(2, 0b11);
        sps.bits(1, 1).ue(80).ue(0).ue(0).ue(0);
        let facts = inspect(&sps.bytes_behind(&[0x67, 66, 0, 30]));
        assert_eq!(facts.size, None);
        assert!(facts.starts_keyframe);
    }

    #[test]
    fn only_the_first_fragment_of_an_idr_starts_a_keyframe() {
        assert!(inspect(&hex("7c8588840067ccff9e72d499")).starts_keyframe);
        assert!(!inspect(&hex("7c052e968a486cb3ac39eabe")).starts_keyframe);
        assert!(!inspect(&hex("7c45111c3aa7d17f1189f1e7")).starts_keyframe);
    }

    #[test]
    fn second_slice_of_an_idr_starts_no_keyframe() {
        assert!(inspect(&hex("6588840067")).starts_keyframe);
        assert!(!inspect(&hex("6508840067")).starts_keyframe);
        assert!(!inspect(&hex("7c8508840067")).starts_keyframe);
    }

    #[test]
    fn sps_alone_and_in_fragments_tells_the_size() {
        let sps = hex("6764001facd9405005bb0110000003001000000303c0f18319");
        assert_eq!(inspect(&sps).size, Some((1280, 720)));
        let start = [&[0x7c, 0x87], &sps[1..]].concat();
        assert_eq!(inspect(&start).size, Some((1280, 720)));
        assert!(inspect(&start).starts_keyframe);
    }

    #[test]
    fn slices_that_nobody_refers_to_are_discardable() {
        // B frames of x264 at one RTP timestamp: start, middle and end of an FU-A, a single unit.
        for payload in [
            "1c819e626a42dff1",
            "1c01fbe7001f409b",
            "1c41226aec7174a1",
            "019e626a42df",
        ] {
            assert!(inspect(&hex(payload)).discardable, "{payload}");
        }
        for payload in ["5c819a236c49ffba", "7c8588840067", "419e626a42df"] {
            assert!(!inspect(&hex(payload)).discardable, "{payload}");
        }
    }

    #[test]
    fn messages_and_delimiters_alone_are_not_discardable() {
        assert!(!inspect(&hex("0605ffff")).discardable);
        assert!(!inspect(&hex("09f0")).discardable);
        assert!(inspect(&hex("18 0002 09f0 0004 019e626a")).discardable);
        assert!(!inspect(&hex("18 0002 09f0 0004 019e626a 0004 419e626a")).discardable);
    }

    #[test]
    fn b_slices_are_told_from_others() {
        // `first_mb_in_slice` 0, then the types B (1), "all B" (6), P (0).
        for (slice, is_b) in [
            (0b1010_0000, true),
            (0b1001_1100, true),
            (0b1100_0000, false),
        ] {
            assert_eq!(is_b_slice(&[0x01, slice]), is_b);
            assert_eq!(is_b_slice(&[0x1c, 0x81, slice]), is_b, "a first fragment");
        }
        assert!(!is_b_slice(&[0x1c, 0x01, 0b1010_0000]), "a later fragment");
        assert!(!is_b_slice(&[0x06, 0b1010_0000]), "SEI");
        assert!(!is_b_slice(&[]) && !is_b_slice(&[0x01]));
    }
}
