//! VP9 payloads (RFC 9628): the payload descriptor with its scalability structure, and the
//! uncompressed header where a frame starts ("VP9 Bitstream & Decoding Process Specification").

use super::bits::BitReader;
use super::{PayloadFacts, Profile, plausible};

/// A payload without its descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vp9Payload<'a> {
    /// Whether the frame is predicted from other pictures.
    pub(crate) is_inter_predicted: bool,
    /// Whether the first byte of a frame follows, of one spatial layer where there are several.
    pub(crate) starts_frame: bool,
    /// Whether it has the last byte of a frame.
    pub(crate) ends_frame: bool,
    /// Where it has 15 bits: shorter ones soon come again.
    pub(crate) picture_id: Option<u16>,
    /// Spatial layer, where there are layer indices.
    pub(crate) spatial_id: Option<u32>,
    /// Size of the largest spatial layer.
    largest_layer: Option<(u32, u32)>,
    pub(crate) body: &'a [u8],
}

/// What a frame says of itself in its uncompressed header (VP9 §6.2), as far as we use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vp9Header {
    pub(crate) is_key: bool,
    /// Width and height, where they are written out.
    pub(crate) size: Option<(u32, u32)>,
    profile: u8,
    /// No reference buffer is written, and nothing else lives on: an error-resilient frame neither
    /// takes nor hands on probabilities and motion vectors.
    leaves_no_trace: bool,
}

/// Reads the descriptor and, at the start of a frame, the frame's uncompressed header.
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some(payload) = Vp9Payload::parse(payload) else {
        return PayloadFacts::default();
    };
    let structure = payload.largest_layer.and_then(|(w, h)| plausible(w, h));
    if !payload.starts_frame {
        return PayloadFacts {
            size: structure,
            ..PayloadFacts::default()
        };
    }
    let header = Vp9Header::parse(payload.body);
    let is_base = payload.is_base();
    let is_key = header.is_none_or(|header| header.is_key);
    // A frame of one spatial layer has the picture's size only where there are no others: with
    // layer indices that is taken for granted at key frames alone, which lack the structure then.
    let has_picture_size = payload.spatial_id.is_none() || is_base && is_key;
    let own_size = header
        .filter(|_| has_picture_size)
        .and_then(|header| header.size);
    let starts_keyframe = is_base && is_key && !payload.is_inter_predicted;
    PayloadFacts {
        starts_keyframe,
        size: structure.or(own_size),
        profile: header
            .filter(|_| starts_keyframe)
            .map(|header| Profile::Vp9 {
                profile: header.profile,
            }),
        discardable: header.is_some_and(|header| header.leaves_no_trace),
    }
}

impl<'a> Vp9Payload<'a> {
    /// Reads the payload descriptor (RFC 9628 §4.2), as far as we use it.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut bits = BitReader::new(payload);
        let has_picture_id = bits.bit()?; // I
        let is_inter_predicted = bits.bit()?; // P
        let has_layer_indices = bits.bit()?; // L
        let is_flexible = bits.bit()?; // F
        let starts_frame = bits.bit()?; // B
        let ends_frame = bits.bit()?; // E
        let has_structure = bits.bit()?; // V
        bits.skip(1)?; // Z
        let picture_id = if has_picture_id {
            picture_id(&mut bits)?
        } else {
            None
        };
        let spatial_id = if has_layer_indices {
            Some(layer_indices(&mut bits, is_flexible)?)
        } else {
            None
        };
        if is_flexible && is_inter_predicted {
            skip_reference_indices(&mut bits)?;
        }
        let largest_layer = if has_structure {
            scalability_structure(&mut bits)?
        } else {
            None
        };
        Some(Self {
            is_inter_predicted,
            starts_frame,
            ends_frame,
            picture_id,
            spatial_id,
            largest_layer,
            body: bits.rest(),
        })
    }

    /// Whether it is of the lowest spatial layer, or the only one.
    pub(crate) fn is_base(&self) -> bool {
        self.spatial_id.is_none_or(|id| id == 0)
    }
}

/// The picture id behind M, if it has 15 bits.
#[expect(
    clippy::option_option,
    reason = "the outer one is the end of the payload"
)]
fn picture_id(bits: &mut BitReader<'_>) -> Option<Option<u16>> {
    let is_long = bits.bit()?; // M
    let id = bits.bits(if is_long { 15 } else { 7 })?;
    Some(u16::try_from(id).ok().filter(|_| is_long))
}

/// Answers the SID.
fn layer_indices(bits: &mut BitReader<'_>, is_flexible: bool) -> Option<u32> {
    bits.skip(3 + 1)?; // TID, U
    let spatial_id = bits.bits(3)?;
    bits.skip(1)?; // D
    if !is_flexible {
        bits.skip(8)?; // TL0PICIDX
    }
    Some(spatial_id)
}

/// Up to three P_DIFF, as long as N says that another follows.
fn skip_reference_indices(bits: &mut BitReader<'_>) -> Option<()> {
    for _ in 0..3 {
        bits.skip(7)?; // P_DIFF
        if !bits.bit()? {
            break;
        }
    }
    Some(())
}

/// Scalability structure (RFC 9628 §4.2.1): the size of the largest spatial layer, if there are
/// sizes.
#[expect(
    clippy::option_option,
    reason = "the outer one is the end of the payload"
)]
fn scalability_structure(bits: &mut BitReader<'_>) -> Option<Option<(u32, u32)>> {
    let layers_minus1 = bits.bits(3)?; // N_S
    let has_sizes = bits.bit()?; // Y
    let has_pictures = bits.bit()?; // G
    bits.skip(3)?; // RESERVED
    let mut largest = None;
    if has_sizes {
        for _ in 0..=layers_minus1 {
            let size = (bits.bits(16)?, bits.bits(16)?);
            largest = std::cmp::max_by_key(largest, Some(size), |size| {
                size.map(|(width, height)| width.saturating_mul(height))
            });
        }
    }
    if has_pictures {
        skip_picture_group(bits)?;
    }
    Some(largest)
}

fn skip_picture_group(bits: &mut BitReader<'_>) -> Option<()> {
    let pictures = bits.bits(8)?; // N_G
    for _ in 0..pictures {
        bits.skip(3 + 1)?; // TID, U
        let references = bits.bits(2)?; // R
        bits.skip(2)?; // RESERVED
        bits.skip(references.saturating_mul(8))?; // P_DIFF
    }
    Some(())
}

impl Vp9Header {
    /// Reads the beginning of a frame. `None` where the bytes are no VP9 frame.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let bits = &mut BitReader::new(frame);
        if bits.bits(2)? != FRAME_MARKER {
            return None;
        }
        let profile = u8::from(bits.bit()?) | u8::from(bits.bit()?) << 1;
        if profile == 3 {
            bits.skip(1)?; // reserved_zero
        }
        if bits.bit()? {
            return Some(Self::default()); // show_existing_frame
        }
        let is_key = !bits.bit()?; // frame_type
        let is_shown = bits.bit()?;
        let is_error_resilient = bits.bit()?;
        if is_key {
            sync_code(bits)?;
            skip_color_config(bits, profile)?;
            return Some(Self {
                is_key,
                size: frame_size(bits),
                profile,
                leaves_no_trace: false,
            });
        }
        let is_intra_only = !is_shown && bits.bit()?;
        if !is_error_resilient {
            bits.skip(2)?; // reset_frame_context
        }
        if is_intra_only {
            sync_code(bits)?;
            if profile > 0 {
                skip_color_config(bits, profile)?;
            }
        }
        let refresh_frame_flags = bits.bits(8)?;
        let size = if is_intra_only {
            frame_size(bits)
        } else {
            frame_size_with_refs(bits)
        };
        // A hidden one is the first of a superframe, and says nothing of those behind it.
        let leaves_no_trace = refresh_frame_flags == 0 && is_error_resilient && is_shown;
        Some(Self {
            is_key,
            size,
            profile,
            leaves_no_trace,
        })
    }
}

/// `frame_sync_code()` (VP9 §6.2.1).
fn sync_code(bits: &mut BitReader<'_>) -> Option<()> {
    (bits.bits(24)? == SYNC_CODE).then_some(())
}

/// `color_config()` (VP9 §6.2.2).
fn skip_color_config(bits: &mut BitReader<'_>, profile: u8) -> Option<()> {
    let has_chroma_fields = profile == 1 || profile == 3;
    if profile >= 2 {
        bits.skip(1)?; // ten_or_twelve_bit
    }
    if bits.bits(3)? != COLOR_SPACE_RGB {
        bits.skip(1)?; // color_range
        if has_chroma_fields {
            bits.skip(1 + 1)?; // subsampling_x, subsampling_y
        }
    }
    bits.skip(u32::from(has_chroma_fields)) // reserved_zero
}

/// `frame_size()` (VP9 §6.2.3).
fn frame_size(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    let width = bits.bits(16)?.checked_add(1)?;
    let height = bits.bits(16)?.checked_add(1)?;
    plausible(width, height)
}

/// `frame_size_with_refs()` behind the three reference indices (VP9 §6.2.5): the size is written out
/// only where no reference frame has it.
fn frame_size_with_refs(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    bits.skip(3 * (3 + 1))?; // ref_frame_idx, ref_frame_sign_bias
    for _ in 0..3 {
        if bits.bit()? {
            return None; // found_ref
        }
    }
    frame_size(bits)
}

/// `frame_marker` (VP9 §7.2).
const FRAME_MARKER: u32 = 2;
/// The three bytes of `frame_sync_code()` (VP9 §7.2.1).
const SYNC_CODE: u32 = 0x498342;
/// `CS_RGB` (VP9 §7.2.2).
const COLOR_SPACE_RGB: u32 = 7;

#[cfg(test)]
mod tests {
    use super::super::VideoCodec;
    use super::super::testing::{BitWriter, hex, survives_damage};
    use super::*;

    fn read(payload: &[u8]) -> PayloadFacts {
        survives_damage(VideoCodec::Vp9, payload);
        inspect(payload)
    }

    fn keyframe(width: u32, height: u32) -> PayloadFacts {
        keyframe_of(0, width, height)
    }

    fn keyframe_of(profile: u8, width: u32, height: u32) -> PayloadFacts {
        PayloadFacts {
            starts_keyframe: true,
            size: Some((width, height)),
            profile: Some(Profile::Vp9 { profile }),
            discardable: false,
        }
    }

    // Key frames and the headers below are of libvpx, the short descriptor ffmpeg's.

    #[test]
    fn keyframe_tells_its_size() {
        assert_eq!(
            read(&hex("0882498342004ff02cf60e38241c18aa")),
            keyframe(1280, 720)
        );
        assert_eq!(
            read(&hex("08824983420027f016760838241c185c")),
            keyframe(640, 360)
        );
        assert_eq!(
            read(&hex("0882498342 0077f043762238241c1916")),
            keyframe(1920, 1080)
        );
    }

    #[test]
    fn keyframe_of_other_profiles_tells_its_size() {
        assert_eq!(
            read(&hex("08a2498342000282016ac0870483830940")),
            keyframe_of(1, 322, 182)
        );
        assert_eq!(
            read(&hex("0892498342000a0805ab011c120e0c2c00")),
            keyframe_of(2, 322, 182)
        );
    }

    #[test]
    fn scalability_structure_tells_the_largest_layer() {
        // I, L, B, V; three layers; one group of three pictures with 0, 1 and 2 references.
        let ss = "58 0140 00b4 0280 0168 0500 02d0 03 00 14 01 28 01 02";
        let start = hex(&format!("aa 8123 00 07 {ss} 824983420013f00b3"));
        assert_eq!(read(&start), keyframe(1280, 720));
        let upper = hex(&format!("ea 8123 02 07 {ss} 8249834200"));
        assert_eq!(read(&upper).size, Some((1280, 720)));
        assert!(!read(&upper).starts_keyframe);
    }

    #[test]
    fn upper_spatial_layers_start_no_keyframe_and_have_no_size_of_their_own() {
        assert_eq!(
            read(&hex("28 02 07 824983420027f0167608")),
            PayloadFacts::default()
        );
        assert_eq!(
            read(&hex("28 00 07 824983420027f0167608")),
            keyframe(640, 360)
        );
    }

    #[test]
    fn flexible_mode_has_references_and_no_tl0picidx() {
        assert_eq!(read(&hex("38 00 824983420027f0167608")), keyframe(640, 360));
        let inter = read(&hex("f8 05 20 03 05 06 8701024b001c120e"));
        assert_eq!(inter, PayloadFacts::default());
        let droppable = read(&hex("f8 05 20 03 05 06 8700024b001c120e"));
        assert!(droppable.discardable);
    }

    #[test]
    fn descriptor_is_taken_off() {
        // I, P, L, F, B; a picture id of 15 bits; the third spatial layer; two references.
        let payload = hex("f8 8123 44 03 06 8701024b");
        let read = Vp9Payload::parse(&payload).unwrap();
        assert!(read.starts_frame && !read.ends_frame && read.is_inter_predicted);
        assert_eq!(read.picture_id, Some(0x123));
        assert_eq!(read.spatial_id, Some(2));
        assert!(!read.is_base());
        assert_eq!(read.body, hex("8701024b"));
        let payload = hex("84 23 4b00");
        let read = Vp9Payload::parse(&payload).unwrap();
        assert!(!read.starts_frame && read.ends_frame && !read.is_inter_predicted);
        assert_eq!(read.picture_id, None, "it has seven bits");
        assert!(read.is_base());
        assert_eq!(read.body, hex("4b00"));
        assert!(Vp9Payload::parse(&hex("f8 8123 44 03")).is_none());
    }

    #[test]
    fn later_packets_start_no_keyframe() {
        assert_eq!(
            read(&hex("00c4757be1f676bdb0a844bf")),
            PayloadFacts::default()
        );
        assert_eq!(
            read(&hex("04877a2a64523a9a76675554")),
            PayloadFacts::default()
        );
    }

    #[test]
    fn intra_only_frame_starts_no_keyframe() {
        let mut frame = BitWriter::default();
        frame
            .bits(2, FRAME_MARKER)
            .bits(2, 0)
            .bits(1, 0)
            .bits(3, 0b100)
            .bits(1, 1)
            .bits(2, 0);
        frame
            .bits(24, SYNC_CODE)
            .bits(8, 0x80)
            .bits(16, 639)
            .bits(16, 359);
        let facts = read(&frame.bytes_behind(&[0x08]));
        assert_eq!(
            facts,
            PayloadFacts {
                size: Some((640, 360)),
                ..PayloadFacts::default()
            }
        );
    }

    #[test]
    fn resized_inter_frame_tells_its_size() {
        let mut frame = BitWriter::default();
        frame
            .bits(2, FRAME_MARKER)
            .bits(2, 0)
            .bits(1, 0)
            .bits(3, 0b110)
            .bits(2, 0);
        frame
            .bits(8, 1)
            .bits(12, 0)
            .bits(3, 0)
            .bits(16, 479)
            .bits(16, 269);
        assert_eq!(read(&frame.bytes_behind(&[0x48])).size, Some((480, 270)));
    }

    #[test]
    fn resilient_frame_that_refreshes_nothing_is_discardable() {
        // Two temporal layers: the first frame is of the upper one, the second of the lower.
        assert!(read(&hex("088700024b001c120e0c0008")).discardable);
        assert!(!read(&hex("088701024b111c120e0c7e08")).discardable);
    }

    #[test]
    fn superframe_is_not_judged_by_the_hidden_frame_before_the_others() {
        // As the first above, but not shown, and with the field that says whether it is intra-only.
        assert!(!read(&hex("0885000004")).discardable);
    }

    #[test]
    fn unreadable_frame_is_judged_by_its_descriptor() {
        assert!(read(&hex("08 00112233")).starts_keyframe);
        assert!(!read(&hex("48 00112233")).starts_keyframe);
    }
}
