//! AV1 payloads (AOM "RTP Payload Format for AV1", version 1.0): the aggregation header, and the
//! sequence header OBU ("AV1 Bitstream & Decoding Process Specification").

use bytes::BufMut;

use super::bits::BitReader;
use super::{PayloadFacts, Profile, plausible};

/// A payload behind its aggregation header (AOM RTP §4.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Av1Payload<'a> {
    /// Z: the first element continues the last one of the packet before.
    pub(crate) continues_obu: bool,
    /// Y: the last element goes on in the next packet.
    pub(crate) is_continued: bool,
    /// N: a coded video sequence begins.
    pub(crate) opens_sequence: bool,
    /// W: how many elements there are, where not 0.
    count: u8,
    elements: &'a [u8],
}

/// An open bitstream unit (AV1 §5.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Av1Obu<'a> {
    header: u8,
    extension: Option<u8>,
    pub(crate) payload: &'a [u8],
}

/// Types of OBUs (AV1 §6.2.2), as far as we tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Av1ObuKind {
    SequenceHeader,
    TemporalDelimiter,
    /// A frame header, alone or with its tiles.
    Frame,
    TileList,
    Padding,
    Other,
}

/// Reads the aggregation header and looks for a sequence header among the OBU elements. Whether a
/// frame is dispensable takes the state of a decoder, or the dependency descriptor.
pub(super) fn inspect(payload: &[u8]) -> PayloadFacts {
    let Some(payload) = Av1Payload::parse(payload) else {
        return PayloadFacts::default();
    };
    let sequence = payload
        .elements()
        .map_while(|element| element)
        .skip(usize::from(payload.continues_obu))
        .find_map(sequence_header);
    PayloadFacts {
        // Z with N contradicts itself (§4.4).
        starts_keyframe: payload.opens_sequence && !payload.continues_obu,
        size: sequence.and_then(|sequence| sequence.size),
        profile: sequence.map(|sequence| sequence.profile),
        discardable: false,
    }
}

impl<'a> Av1Payload<'a> {
    /// Reads the aggregation header.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&aggregation, elements) = payload.split_first()?;
        Some(Self {
            continues_obu: aggregation & CONTINUES_OBU != 0,
            is_continued: aggregation & IS_CONTINUED != 0,
            opens_sequence: aggregation & NEW_SEQUENCE != 0,
            count: aggregation >> 4 & 0b11,
            elements,
        })
    }

    /// OBU elements, each behind its length in leb128; the last of a known count has none (AOM RTP
    /// §4.3, §4.4). The last is `None` where the packet does not hold what it says.
    pub(crate) fn elements(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut rest = self.elements;
        let mut nth = 0_u8;
        let mut is_over = false;
        std::iter::from_fn(move || {
            let is_end = match self.count {
                0 => rest.is_empty(),
                count => nth == count,
            };
            if is_over || is_end {
                return None;
            }
            nth = nth.saturating_add(1);
            let element = element(&mut rest, nth == self.count);
            is_over = element.is_none();
            Some(element)
        })
    }
}

fn element<'a>(rest: &mut &'a [u8], has_no_length: bool) -> Option<&'a [u8]> {
    let length = if has_no_length {
        rest.len()
    } else {
        leb128(rest)?
    };
    let (element, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(element)
}

impl<'a> Av1Obu<'a> {
    /// Reads a whole OBU, with or without a size field (AV1 §5.3.1). What lies behind its size is
    /// none of it.
    pub(crate) fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        Self::take(&mut bytes)
    }

    /// Takes the first OBU off `rest`; one without a size field is all of it.
    pub(crate) fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let (header, extension, mut body) = obu_header(rest)?;
        if header & FORBIDDEN != 0 {
            return None;
        }
        let size = if header & HAS_SIZE == 0 {
            body.len()
        } else {
            leb128(&mut body)?
        };
        let (payload, tail) = body.split_at_checked(size)?;
        *rest = tail;
        Some(Self {
            header,
            extension,
            payload,
        })
    }

    /// What it holds.
    pub(crate) fn kind(&self) -> Av1ObuKind {
        Av1ObuKind::of(self.header)
    }

    /// Whether its frame header is one of a key frame that is shown at once, and so one at which
    /// decoding can begin (`uncompressed_header()`, AV1 §5.9.2, §7.6.2). Still pictures with a
    /// reduced header are no video.
    pub(crate) fn is_shown_key_frame(&self) -> bool {
        // show_existing_frame 0, frame_type KEY_FRAME, show_frame 1
        let first = self.payload.first();
        first.is_some_and(|first| first & 0b1111_0000 == 0b0001_0000)
    }

    /// Width and height of the largest frame of the sequence whose header it is.
    pub(crate) fn sequence_size(&self) -> Option<(u32, u32)> {
        sequence(&mut BitReader::new(self.payload))?.size
    }

    /// Writes it with a size field (AV1 §5.3.1).
    pub(crate) fn write(&self, out: &mut impl BufMut) {
        out.put_u8(self.header | HAS_SIZE);
        if let Some(extension) = self.extension {
            out.put_u8(extension);
        }
        put_leb128(out, self.payload.len());
        out.put_slice(self.payload);
    }

    /// Writes it without a size field, for where its length is known (AOM RTP §4.5).
    pub(crate) fn write_without_size(&self, out: &mut impl BufMut) {
        out.put_u8(self.header & !HAS_SIZE);
        if let Some(extension) = self.extension {
            out.put_u8(extension);
        }
        out.put_slice(self.payload);
    }
}

impl Av1ObuKind {
    /// That of an OBU of which perhaps only the beginning is there.
    pub(crate) fn of_opening(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|header| Self::of(*header))
    }

    fn of(header: u8) -> Self {
        match obu_type(header) {
            OBU_SEQUENCE_HEADER => Self::SequenceHeader,
            OBU_TEMPORAL_DELIMITER => Self::TemporalDelimiter,
            OBU_FRAME_HEADER | OBU_FRAME => Self::Frame,
            OBU_TILE_LIST => Self::TileList,
            OBU_PADDING => Self::Padding,
            _ => Self::Other,
        }
    }
}

/// The header byte, the extension byte, and what follows.
fn obu_header(bytes: &[u8]) -> Option<(u8, Option<u8>, &[u8])> {
    let (&header, body) = bytes.split_first()?;
    if header & HAS_EXTENSION == 0 {
        return Some((header, None, body));
    }
    let (&extension, body) = body.split_first()?;
    Some((header, Some(extension), body))
}

fn obu_type(header: u8) -> u8 {
    header >> 3 & 0b1111
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

/// `leb128()` in as few bytes as it takes.
pub(crate) fn put_leb128(out: &mut impl BufMut, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            return out.put_u8(low);
        }
        out.put_u8(low | 0x80);
    }
}

/// What a sequence header tells.
#[derive(Clone, Copy)]
struct Sequence {
    profile: Profile,
    /// Largest frame.
    size: Option<(u32, u32)>,
}

/// From an OBU, perhaps cut, if it is a sequence header (`open_bitstream_unit()`, AV1 §5.3).
fn sequence_header(obu: &[u8]) -> Option<Sequence> {
    let (header, _, mut body) = obu_header(obu)?;
    if obu_type(header) != OBU_SEQUENCE_HEADER {
        return None;
    }
    if header & HAS_SIZE != 0 {
        leb128(&mut body)?;
    }
    sequence(&mut BitReader::new(body))
}

/// `sequence_header_obu()` (AV1 §5.5.1), as far as we use it.
fn sequence(bits: &mut BitReader<'_>) -> Option<Sequence> {
    let profile = u8::try_from(bits.bits(3)?).ok()?; // seq_profile
    bits.skip(1)?; // still_picture
    let level_idx = if bits.bit()? {
        bits.bits(5)? // reduced_still_picture_header: seq_level_idx only
    } else {
        operating_points(bits)?
    };
    let level_idx = u8::try_from(level_idx).ok()?;
    Some(Sequence {
        profile: Profile::Av1 { profile, level_idx },
        size: picture_size(bits),
    })
}

fn picture_size(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    let width_bits = bits.bits(4)?.checked_add(1)?;
    let height_bits = bits.bits(4)?.checked_add(1)?;
    let width = bits.bits(width_bits)?.checked_add(1)?;
    let height = bits.bits(height_bits)?.checked_add(1)?;
    plausible(width, height)
}

/// From `timing_info_present_flag` to the last operating point; answers the level of the first, which
/// has all layers.
fn operating_points(bits: &mut BitReader<'_>) -> Option<u32> {
    let has_timing = bits.bit()?;
    let delay_bits = if has_timing { timing(bits)? } else { None };
    let has_initial_delay = bits.bit()?;
    let points_minus1 = bits.bits(5)?;
    let mut first = None;
    for _ in 0..=points_minus1 {
        bits.skip(12)?; // operating_point_idc
        let level_idx = bits.bits(5)?;
        first.get_or_insert(level_idx);
        if level_idx > LAST_LEVEL_WITHOUT_TIER {
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
    first
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
/// Y of the aggregation header.
const IS_CONTINUED: u8 = 0x40;
/// N of the aggregation header: the packet opens a coded video sequence (AOM RTP §4.4).
const NEW_SEQUENCE: u8 = 0x08;

/// `obu_type` (AV1 §6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;
const OBU_FRAME_HEADER: u8 = 3;
const OBU_FRAME: u8 = 6;
const OBU_TILE_LIST: u8 = 8;
const OBU_PADDING: u8 = 15;
/// `obu_forbidden_bit` (AV1 §5.3.2).
const FORBIDDEN: u8 = 0x80;
/// `obu_extension_flag` (AV1 §5.3.2).
const HAS_EXTENSION: u8 = 0x04;
/// `obu_has_size_field` (AV1 §5.3.2).
const HAS_SIZE: u8 = 0x02;
/// `seq_level_idx` above this is followed by `seq_tier` (AV1 §5.5.1).
const LAST_LEVEL_WITHOUT_TIER: u32 = 7;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

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
    fn sequence_header_tells_profile_and_level() {
        let named = |obu: &str| {
            let payload = [&[0x18], hex(obu).as_slice()].concat();
            inspect(&payload).profile.unwrap().to_string()
        };
        assert_eq!(named("0a0b 0000002d4cffb3cfbf9004"), "Main, level 3.1");
        assert_eq!(named("0a0a 200000043d06d4daf902"), "High, level 2.0");
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

    /// What a packet says that it holds.
    fn elements_of(payload: &str) -> Vec<Option<Vec<u8>>> {
        let payload = hex(payload);
        let elements = Av1Payload::parse(&payload).unwrap().elements();
        elements
            .map(|element| element.map(<[u8]>::to_vec))
            .collect()
    }

    #[test]
    fn elements_end_where_the_packet_does_not_hold_them() {
        let (one, two) = (Some(vec![0x30]), Some(vec![0x31, 0x32]));
        assert_eq!(elements_of("00 01 30 02 3132"), [one.clone(), two.clone()]);
        assert_eq!(elements_of("20 01 30 3132"), [one.clone(), two]);
        assert_eq!(elements_of("00 01 30 02 31"), [one.clone(), None]);
        assert_eq!(elements_of("00 01 30 80"), [one.clone(), None]);
        assert_eq!(elements_of("30 01 30"), [one, None]);
        assert_eq!(elements_of("00"), []);
        assert!(Av1Payload::parse(&[]).is_none());
    }

    #[test]
    fn obu_is_written_with_its_size() {
        let written = |obu: &str| {
            let mut out = Vec::new();
            Av1Obu::parse(&hex(obu)).unwrap().write(&mut out);
            out
        };
        assert_eq!(written("30 1122"), hex("32 02 1122"));
        assert_eq!(written("34 28 1122"), hex("36 28 02 1122"));
        assert_eq!(written("32 8100 11 ff"), hex("32 01 11"));
        assert_eq!(written("10"), hex("12 00"));
        assert!(Av1Obu::parse(&hex("b0 11")).is_none(), "forbidden bit");
        assert!(Av1Obu::parse(&hex("32 02 11")).is_none());
        assert!(Av1Obu::parse(&hex("34")).is_none());
        assert!(Av1Obu::parse(&[]).is_none());
    }

    proptest! {
        #[test]
        fn obu_survives_the_round_trip(header in 0..0x80_u8, body in vec(any::<u8>(), 1..20_000)) {
            let bytes = [&[header & !HAS_SIZE], &body[..]].concat();
            let obu = Av1Obu::parse(&bytes).unwrap();
            let mut written = Vec::new();
            obu.write(&mut written);
            let again = Av1Obu::parse(&written).unwrap();
            prop_assert_eq!(again.payload, obu.payload);
            prop_assert_eq!(again.extension, obu.extension);
            prop_assert_eq!(again.header, header | HAS_SIZE);
        }
    }
}
