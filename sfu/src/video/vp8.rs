//! VP8 payloads (RFC 7741): the payload descriptor, and the frame header where a key frame starts.

use super::bits::BitReader;
use super::{PayloadFacts, plausible};

/// A payload without its descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vp8Payload<'a> {
    /// Whether the first byte of a frame follows.
    pub(crate) starts_frame: bool,
    /// Whether no other frame needs this one.
    pub(crate) is_discardable: bool,
    /// Where it has 15 bits: shorter ones soon come again.
    pub(crate) picture_id: Option<u16>,
    pub(crate) body: &'a [u8],
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vp8Header {
    pub(crate) is_keyframe: bool,
    /// Width and height of a key frame.
    pub(crate) size: Option<(u32, u32)>,
}

/// Writes a picture id and TL0PICIDX over those in the descriptor (RFC 7741 §4.2). One that is not
/// there is not added, and a picture id of seven bits that cannot hold the new one stays.
pub(crate) fn renumber(payload: &mut [u8], picture_id: u16, tl0_pic_idx: Option<u8>) {
    let (Some(&first), Some(&fields)) = (payload.first(), payload.get(1)) else {
        return;
    };
    if first & 0x80 == 0 {
        return;
    }
    let mut at = 2;
    if fields & 0x80 != 0 {
        let is_long = payload.get(at).is_some_and(|byte| byte & 0x80 != 0);
        let [high, low] = (picture_id & 0x7fff).to_be_bytes();
        if is_long {
            if let Some(bytes) = payload.get_mut(at..at + 2) {
                bytes.copy_from_slice(&[high | 0x80, low]);
            }
            at += 2;
        } else {
            if let Some(byte) = payload.get_mut(at).filter(|_| picture_id < 0x80) {
                *byte = low;
            }
            at += 1;
        }
    }
    if let Some(tl0) = tl0_pic_idx
        && fields & 0x40 != 0
        && let Some(byte) = payload.get_mut(at)
    {
        *byte = tl0;
    }
}

/// Reads the descriptor and, at the start of a frame, its header. What a short payload does not
/// reach stays unknown.
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some(payload) = Vp8Payload::parse(payload) else {
        return PayloadFacts::default();
    };
    let header = (payload.starts_frame)
        .then(|| Vp8Header::parse(payload.body))
        .flatten();
    PayloadFacts {
        starts_keyframe: header.is_some_and(|header| header.is_keyframe),
        size: header.and_then(|header| header.size),
        profile: None,
        discardable: payload.is_discardable,
    }
}

impl<'a> Vp8Payload<'a> {
    /// Reads the payload descriptor (RFC 7741 §4.2). `None` where nothing is behind it.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut bits = BitReader::new(payload);
        let is_extended = bits.bit()?; // X
        bits.skip(1)?; // R
        let is_discardable = bits.bit()?; // N
        let starts_partition = bits.bit()?; // S
        bits.skip(1)?; // R
        let partition = bits.bits(3)?; // PID
        let picture_id = if is_extended {
            extension(&mut bits)?
        } else {
            None
        };
        let body = bits.rest();
        (!body.is_empty()).then_some(Self {
            starts_frame: starts_partition && partition == 0,
            is_discardable,
            picture_id,
            body,
        })
    }
}

/// The fields behind X. Returns a picture id of 15 bits.
fn extension(bits: &mut BitReader<'_>) -> Option<Option<u16>> {
    let has_picture_id = bits.bit()?; // I
    let has_tl0picidx = bits.bit()?; // L
    let has_temporal_id = bits.bit()?; // T
    let has_keyidx = bits.bit()?; // K
    bits.skip(4)?; // RSV
    let mut picture_id = None;
    if has_picture_id {
        let is_long = bits.bit()?; // M
        let id = bits.bits(if is_long { 15 } else { 7 })?;
        picture_id = u16::try_from(id).ok().filter(|_| is_long);
    }
    if has_tl0picidx {
        bits.skip(8)?;
    }
    if has_temporal_id || has_keyidx {
        bits.skip(8)?;
    }
    Some(picture_id)
}

impl Vp8Header {
    /// Reads the beginning of a frame. `None` where it is too short for one.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(frame);
        let is_keyframe = is_keyframe(&mut bits)?;
        let size = is_keyframe.then(|| picture_size(&mut bits)).flatten();
        Some(Self { is_keyframe, size })
    }
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
    fn numbers_are_written_where_there_are_any() {
        let renumbered = |payload: &[u8], id, tl0| {
            let mut payload = payload.to_vec();
            renumber(&mut payload, id, tl0);
            payload
        };
        let long = [0x90, 0xe0, 0x81, 2, 3, 0, 9];
        assert_eq!(
            renumbered(&long, 0x1234, Some(7)),
            [0x90, 0xe0, 0x92, 0x34, 7, 0, 9]
        );
        assert_eq!(renumbered(&long, 1, None), [0x90, 0xe0, 0x80, 1, 3, 0, 9]);
        let short = [0x90, 0xc0, 2, 3, 9];
        assert_eq!(renumbered(&short, 0x7f, Some(7)), [0x90, 0xc0, 0x7f, 7, 9]);
        assert_eq!(renumbered(&short, 0x80, Some(7)), [0x90, 0xc0, 2, 7, 9]);
        assert_eq!(renumbered(&[0x10, 9], 1, Some(7)), [0x10, 9]);
        for length in 0..4 {
            renumbered(&long[..length], 1, Some(7));
        }
    }

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
    fn descriptor_is_taken_off() {
        let payload = hex("b0 f0 8011 22 33 3102009d");
        let read = Vp8Payload::parse(&payload).unwrap();
        assert!(read.starts_frame && read.is_discardable);
        assert_eq!(read.picture_id, Some(0x11));
        assert_eq!(read.body, hex("3102009d"));
        let short = hex("80 80 11 3102009d");
        let read = Vp8Payload::parse(&short).unwrap();
        assert!(!read.starts_frame && !read.is_discardable);
        assert_eq!(read.picture_id, None, "it has seven bits");
        assert_eq!(read.body, hex("3102009d"));
        assert!(Vp8Payload::parse(&hex("90 80 8011")).is_none());
    }

    #[test]
    fn non_reference_bit_makes_every_packet_of_the_frame_discardable() {
        assert!(inspect(&hex("b08080003102009d")).discardable);
        assert!(inspect(&hex("a0808000310200")).discardable);
        assert!(!inspect(&hex("90808000310200")).discardable);
    }
}
