//! H265 payloads (RFC 7798): single NAL units, aggregation packets and fragments, without the
//! decoding order numbers that nobody negotiates with us.

use super::bits::BitReader;
use super::nal::{UnitFacts, chroma_subsampling, crop, is_first_slice, length_prefixed, merge};
use super::{PayloadFacts, Profile, plausible};

/// Reads one payload by the type in its payload header (RFC 7798 §4.4).
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some((&header, body)) = payload.split_first_chunk::<2>() else {
        return PayloadFacts::default();
    };
    let header = UnitHeader::read(header);
    match header.kind {
        AP => merge(length_prefixed(body).filter_map(unit)),
        FU => merge(fragment(header, body)),
        _ => merge([unit_facts(header, body)]),
    }
}

/// NAL unit header (RFC 7798 §1.1.4).
#[derive(Clone, Copy)]
struct UnitHeader {
    kind: u8,
    layer_id: u8,
    temporal_id_plus1: u8,
}

impl UnitHeader {
    fn read([high, low]: [u8; 2]) -> Self {
        Self {
            kind: high >> 1 & KIND,
            layer_id: (high & 1) << 5 | low >> 3,
            temporal_id_plus1: low & 7,
        }
    }

    /// A picture is certainly dispensable where its type says that no picture of the same sub-layer
    /// refers to it (H.265 table 7-1) and it is of the lowest one. Higher up a dispensable-looking
    /// picture may still serve the sub-layers above it, of which one packet knows nothing. Delimiters,
    /// filler and SEI say nothing; all the rest is kept.
    fn is_needed(self) -> Option<bool> {
        match self.kind {
            TRAIL_N | RADL_N | RASL_N => Some(self.layer_id != 0 || self.temporal_id_plus1 != 1),
            35..=40 => None,
            _ => Some(true),
        }
    }
}

fn unit(bytes: &[u8]) -> Option<UnitFacts> {
    let (&header, body) = bytes.split_first_chunk::<2>()?;
    Some(unit_facts(UnitHeader::read(header), body))
}

/// FU: the FU header has the unit's type and whether the fragment starts it (RFC 7798 §4.4.3).
fn fragment(payload_header: UnitHeader, rest: &[u8]) -> Option<UnitFacts> {
    let (&fu_header, body) = rest.split_first()?;
    let header = UnitHeader {
        kind: fu_header & KIND,
        ..payload_header
    };
    if fu_header & FU_START != 0 {
        return Some(unit_facts(header, body));
    }
    Some(UnitFacts {
        is_needed: header.is_needed(),
        ..UnitFacts::default()
    })
}

/// `body` is what follows the unit's header, perhaps cut. Layers above the base are not looked into:
/// nobody can start there.
fn unit_facts(header: UnitHeader, body: &[u8]) -> UnitFacts {
    let is_base = header.layer_id == 0;
    let starts_keyframe = match header.kind {
        VPS | SPS => is_base,
        FIRST_IRAP..=LAST_IRAP => is_base && is_first_slice(body),
        _ => false,
    };
    let sps = (header.kind == SPS && is_base).then_some(body);
    UnitFacts {
        starts_keyframe,
        size: sps.and_then(picture_size),
        profile: sps.and_then(profile),
        is_needed: header.is_needed(),
    }
}

/// From `profile_tier_level()` in the beginning of `seq_parameter_set_rbsp()` (H.265 §7.3.2.2.1).
fn profile(sps: &[u8]) -> Option<Profile> {
    let mut bits = BitReader::rbsp(sps);
    bits.skip(4 + 3 + 1)?; // up to sps_temporal_id_nesting_flag
    bits.skip(2 + 1)?; // general_profile_space, general_tier_flag
    let idc = u8::try_from(bits.bits(5)?).ok()?;
    bits.skip(PROFILE_BITS - 8)?;
    let level_idc = u8::try_from(bits.bits(LEVEL_BITS)?).ok()?;
    Some(Profile::H265 { idc, level_idc })
}

/// Size inside the conformance window, from `seq_parameter_set_rbsp()` (H.265 §7.3.2.2.1).
fn picture_size(sps: &[u8]) -> Option<(u32, u32)> {
    let mut bits = BitReader::rbsp(sps);
    bits.skip(4)?; // sps_video_parameter_set_id
    let sub_layers_minus1 = bits.bits(3)?;
    if sub_layers_minus1 > 6 {
        return None;
    }
    bits.skip(1)?; // sps_temporal_id_nesting_flag
    skip_profile_tier_level(&mut bits, sub_layers_minus1)?;
    bits.ue()?; // sps_seq_parameter_set_id
    let chroma_format = bits.ue()?;
    if chroma_format == YUV444 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    let size = (bits.ue()?, bits.ue()?);
    if !bits.bit()? {
        return plausible(size.0, size.1);
    }
    let (width, height) = crop(&mut bits, size, chroma_subsampling(chroma_format)?)?;
    plausible(width, height)
}

/// `profile_tier_level(1, sub_layers_minus1)` (H.265 §7.3.3).
fn skip_profile_tier_level(bits: &mut BitReader<'_>, sub_layers_minus1: u32) -> Option<()> {
    bits.skip(PROFILE_BITS)?;
    bits.skip(LEVEL_BITS)?;
    if sub_layers_minus1 == 0 {
        return Some(());
    }
    let mut sub_layer_bits = 0_u32;
    for _ in 0..sub_layers_minus1 {
        let profile = if bits.bit()? { PROFILE_BITS } else { 0 };
        let level = if bits.bit()? { LEVEL_BITS } else { 0 };
        sub_layer_bits = sub_layer_bits.checked_add(profile)?.checked_add(level)?;
    }
    for _ in sub_layers_minus1..8 {
        bits.skip(2)?; // reserved_zero_2bits
    }
    bits.skip(sub_layer_bits)
}

/// Type field, of the NAL unit header after its shift and of the FU header.
const KIND: u8 = 0x3f;
/// S bit of the FU header (RFC 7798 §4.4.3).
const FU_START: u8 = 0x80;

/// NAL unit types (H.265 table 7-1, RFC 7798 §4.4).
const TRAIL_N: u8 = 0;
const RADL_N: u8 = 6;
const RASL_N: u8 = 8;
const FIRST_IRAP: u8 = 16;
const LAST_IRAP: u8 = 21;
const VPS: u8 = 32;
const SPS: u8 = 33;
const AP: u8 = 48;
const FU: u8 = 49;

/// `chroma_format_idc` of 4:4:4.
const YUV444: u32 = 3;
/// From `general_profile_space` up to, and without, `general_level_idc`.
const PROFILE_BITS: u32 = 88;
/// `general_level_idc`.
const LEVEL_BITS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::super::VideoCodec;
    use super::super::testing::{BitWriter, hex, survives_damage};
    use super::*;

    fn size_of(payload: &[u8]) -> Option<(u32, u32)> {
        survives_damage(VideoCodec::H265, payload);
        let facts = inspect(payload);
        assert!(facts.starts_keyframe);
        assert!(!facts.discardable);
        facts.size
    }

    // Made with x265; the first is the aggregation packet that ffmpeg sends for it.

    #[test]
    fn size_in_an_aggregation_packet() {
        let ap = "6001 0018 40010c01ffff01600000030090000003000003005d959809 \
                  002b 42010101600000030090000003000003005da00280802d1659596566924caf0168080000030008000003 \
                  00f040 0007 4401c172b46240";
        assert_eq!(size_of(&hex(ap)), Some((1280, 720)));
        let profile = inspect(&hex(ap)).profile.unwrap();
        assert_eq!(profile.to_string(), "Main, level 3.1");
    }

    #[test]
    fn size_inside_the_conformance_window() {
        let sps = "420101016000000300900000030000030078a003c08010e596566924caf0168080";
        assert_eq!(size_of(&hex(sps)), Some((1920, 1080)));
        let yuv422 = "4201010408000003009d0800000300003cb00a480b9c96d96566924caf016808";
        assert_eq!(size_of(&hex(yuv422)), Some((322, 182)));
    }

    #[test]
    fn size_behind_temporal_sub_layers() {
        let sps = "42010201600000030090000003000003003f0000a005020169659594acb24995e02d01";
        assert_eq!(size_of(&hex(sps)), Some((640, 360)));
    }

    #[test]
    fn size_behind_sub_layers_with_profile_and_level() {
        let mut sps = BitWriter::default();
        sps.bits(4, 0).bits(3, 2).bits(1, 1);
        sps.bits(32, u32::MAX).bits(32, 1).bits(32, 1);
        sps.bits(4, 0b1101).bits(12, 0);
        sps.bits(32, 7).bits(32, 8).bits(32, 9).bits(8, 93);
        sps.ue(0)
            .ue(3)
            .bits(1, 0)
            .ue(320)
            .ue(184)
            .bits(1, 1)
            .ue(1)
            .ue(0)
            .ue(0)
            .ue(4);
        assert_eq!(size_of(&sps.bytes_behind(&[0x42, 0x01])), Some((319, 180)));
    }

    #[test]
    fn only_the_first_fragment_of_an_irap_starts_a_keyframe() {
        assert!(inspect(&hex("620194af08460d3370ea")).starts_keyframe);
        assert!(!inspect(&hex("62011483a96a9d27f025")).starts_keyframe);
        assert!(!inspect(&hex("62015489aa533cf81aa2")).starts_keyframe);
        assert!(!inspect(&hex("620181d0115784318406")).starts_keyframe);
    }

    #[test]
    fn clean_random_access_starts_a_keyframe_with_its_first_slice_only() {
        assert!(inspect(&hex("2a01af0846")).starts_keyframe);
        assert!(!inspect(&hex("2a012f0846")).starts_keyframe);
    }

    #[test]
    fn messages_and_picture_parameters_start_no_keyframe() {
        assert!(!inspect(&hex("6201a705ffffffff")).starts_keyframe);
        assert!(!inspect(&hex("4401c172b46240")).starts_keyframe);
    }

    #[test]
    fn enhancement_layers_are_not_looked_into() {
        let sps = "420901016000000300900000030000030078a003c08010e596566924caf0168080";
        assert_eq!(inspect(&hex(sps)), PayloadFacts::default());
    }

    #[test]
    fn unreferenced_pictures_of_the_lowest_sub_layer_are_discardable() {
        assert!(inspect(&hex("0001e024bf86")).discardable);
        assert!(inspect(&hex("620180e024bf86")).discardable);
        assert!(inspect(&hex("620140e024bf86")).discardable);
        assert!(inspect(&hex("1001e024bf86")).discardable);
    }

    #[test]
    fn pictures_that_may_serve_others_are_not_discardable() {
        // TRAIL_R, TRAIL_N one sub-layer up, TSA_N, an SEI alone.
        for payload in [
            "0201e024bf86",
            "0002e024bf86",
            "620182e024bf86",
            "4e0105ffff",
        ] {
            assert!(!inspect(&hex(payload)).discardable, "{payload}");
        }
    }
}
