//! VP8 payloads (RFC 7741): the payload descriptor, and the frame header where a key frame starts.

use super::bits::BitReader;
use super::{PayloadFacts, plausible};

/// Reads the descriptor and, at the start of a frame, its header. What a short payload does not
/// reach stays unknown.
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let mut facts = PayloadFacts::default();
    let mut bits = BitReader::new(payload);
    if let Some(starts_frame) = descriptor(&mut bits, &mut facts)
        && starts_frame
    {
        facts.starts_keyframe = is_keyframe(&mut bits).unwrap_or(false);
    }
    if facts.starts_keyframe {
        facts.size = picture_size(&mut bits);
    }
    facts
}

/// Payload descriptor (RFC 7741 §4.2). Answers whether the frame's first byte follows.
fn descriptor(bits: &mut BitReader<'_>, facts: &mut PayloadFacts) -> Option<bool> {
    let is_extended = bits.bit()?; // X
    bits.skip(1)?; // R
    let is_non_reference = bits.bit()?; // N
    let starts_partition = bits.bit()?; // S
    bits.skip(1)?; // R
    let partition = bits.bits(3)?; // PID
    facts.discardable = is_non_reference;
    if is_extended {
        skip_extension(bits)?;
    }
    Some(starts_partition && partition == 0)
}

fn skip_extension(bits: &mut BitReader<'_>) -> Option<()> {
    let has_picture_id = bits.bit()?; // I
    let has_tl0picidx = bits.bit()?; // L
    let has_temporal_id = bits.bit()?; // T
    let has_keyidx = bits.bit()?; // K
    bits.skip(4)?; // RSV
    if has_picture_id {
        let is_long = bits.bit()?; // M
        bits.skip(if is_long { 15 } else { 7 })?;
    }
    if has_tl0picidx {
        bits.skip(8)?;
    }
    if has_temporal_id || has_keyidx {
        bits.skip(8)?;
    }
    Some(())
}

/// The three bytes that open every frame (RFC 7741 §4.3, RFC 6386 §9.1): P is the inverse key frame
/// flag.
fn is_keyframe(bits: &mut BitReader<'_>) -> Option<bool> {
    bits.skip(7)?; // Size0, H, VER
    let is_predicted = bits.bit()?; // P
    bits.skip(16)?; // Size1, Size2
    Some(!is_predicted)
}

/// Start code, width and height of a key frame; each side is 14 bits, little-endian, under two bits
/// of scaling hint (RFC 6386 §9.1).
fn picture_size(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    if bits.bits(24)? != START_CODE {
        return None;
    }
    let width = side(bits)?;
    let height = side(bits)?;
    plausible(width, height)
}

fn side(bits: &mut BitReader<'_>) -> Option<u32> {
    let low = bits.bits(8)?;
    bits.skip(2)?; // scale
    let high = bits.bits(6)?;
    Some(high << 8 | low)
}

/// RFC 6386 §9.1.
const START_CODE: u32 = 0x9d012a;

#[cfg(test)]
mod tests {
    use super::super::VideoCodec;
    use super::super::testing::{hex, survives_damage};
    use super::*;

    fn size_of(payload: &str) -> Option<(u32, u32)> {
        let payload = hex(payload);
        survives_damage(VideoCodec::Vp8, &payload);
        let facts = inspect(&payload);
        assert!(facts.starts_keyframe);
        facts.size
    }

    // First packets that ffmpeg sends for libvpx.

    #[test]
    fn keyframe_tells_its_size() {
        assert_eq!(
            size_of("90808000d009029d012a0005d00200070885"),
            Some((1280, 720))
        );
        assert_eq!(
            size_of("90808000f0c6009d012a8002680100070885"),
            Some((640, 360))
        );
        assert_eq!(
            size_of("9080800050dd039d012a8007380400070885"),
            Some((1920, 1080))
        );
    }

    #[test]
    fn every_descriptor_field_is_passed_over() {
        assert_eq!(size_of("10 d009029d012a0005d002"), Some((1280, 720)));
        assert_eq!(size_of("90 80 11 d009029d012a0005d002"), Some((1280, 720)));
        assert_eq!(
            size_of("90 f0 8011 22 33 d009029d012a0005d002"),
            Some((1280, 720))
        );
        assert_eq!(size_of("90 10 33 d009029d012a0005d002"), Some((1280, 720)));
    }

    #[test]
    fn scaling_hint_is_not_part_of_the_size() {
        assert_eq!(size_of("10 d009029d012a0045d0c2"), Some((1280, 720)));
    }

    #[test]
    fn keyframe_without_start_code_has_no_size() {
        assert_eq!(size_of("10 d009029d012b0005d002"), None);
    }

    #[test]
    fn later_packets_and_partitions_start_no_keyframe() {
        assert!(!inspect(&hex("8080800048a4935249542e42")).starts_keyframe);
        assert!(!inspect(&hex("91808000d009029d012a0005d002")).starts_keyframe);
        assert!(!inspect(&hex("908080003102009d012a0005d002")).starts_keyframe);
    }

    #[test]
    fn non_reference_bit_makes_every_packet_of_the_frame_discardable() {
        assert!(inspect(&hex("b08080003102009d")).discardable);
        assert!(inspect(&hex("a0808000310200")).discardable);
        assert!(!inspect(&hex("90808000310200")).discardable);
    }
}
