//! H264 and H265 as FLV and MP4 have them (ISO/IEC 14496-15): NAL units behind their lengths, and
//! parameter sets in a record; to annex B.

use bytes::{BufMut, Bytes, BytesMut};

use super::TagError;

/// What a record says: how long lengths are, and the parameter sets with start codes.
#[derive(Debug)]
pub(super) struct NalStream {
    length_size: usize,
    parameter_sets: Bytes,
}

/// Which of the two it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum NalFormat {
    H264,
    H265,
}

/// `AVCDecoderConfigurationRecord` (§5.3.3.1). What profiles add at its end is of no use.
pub(super) fn avc_record(record: &[u8]) -> Result<NalStream, TagError> {
    let (&[version, .., lengths, count], mut rest) =
        record.split_first_chunk::<6>().ok_or(TagError::Broken)?;
    let mut sets = BytesMut::new();
    parameter_sets(count & 0x1f, &mut rest, &mut sets)?;
    let (&count, mut rest) = rest.split_first().ok_or(TagError::Broken)?;
    parameter_sets(count, &mut rest, &mut sets)?;
    NalStream::new(version, lengths, sets)
}

/// `HEVCDecoderConfigurationRecord` (§8.3.3.1).
pub(super) fn hevc_record(record: &[u8]) -> Result<NalStream, TagError> {
    let (&[version, .., lengths, arrays], mut rest) =
        record.split_first_chunk::<23>().ok_or(TagError::Broken)?;
    let mut sets = BytesMut::new();
    for _ in 0..arrays {
        let (&[_kind, high, low], tail) = rest.split_first_chunk().ok_or(TagError::Broken)?;
        let count = u16::from_be_bytes([high, low]);
        rest = tail;
        parameter_sets(count, &mut rest, &mut sets)?;
    }
    NalStream::new(version, lengths, sets)
}

/// Moves so many parameter sets, each behind its length of 16 bits, to annex B.
fn parameter_sets(
    count: impl Into<u16>,
    rest: &mut &[u8],
    sets: &mut BytesMut,
) -> Result<(), TagError> {
    for _ in 0..count.into() {
        let unit = take_unit(rest, 2)?;
        put_unit(unit, sets);
    }
    Ok(())
}

impl NalStream {
    /// `lengths` holds `lengthSizeMinusOne` in its last two bits.
    fn new(version: u8, lengths: u8, sets: BytesMut) -> Result<Self, TagError> {
        let length_size = usize::from(lengths & 3).saturating_add(1);
        // Some encoders write version 0.
        if version > 1 || length_size == 3 || sets.is_empty() {
            return Err(TagError::Broken);
        }
        Ok(Self {
            length_size,
            parameter_sets: sets.freeze(),
        })
    }

    /// Looks through what a message holds.
    pub(super) fn read<'a>(
        &self,
        format: NalFormat,
        units: &'a [u8],
    ) -> Result<NalMessage<'a>, TagError> {
        let mut message = NalMessage {
            format,
            units,
            length_size: self.length_size,
            length: 0,
            keyframe: false,
            has_slice: false,
            has_sets: false,
        };
        let mut rest = units;
        while !rest.is_empty() {
            let unit = take_unit(&mut rest, self.length_size)?;
            let Some(&header) = unit.first().filter(|header| !format.is_padding(**header)) else {
                continue;
            };
            message.keyframe |= format.is_keyframe(header);
            message.has_slice |= format.is_slice(header);
            message.has_sets |= format.is_sequence_set(header);
            let length = unit.len().saturating_add(START_CODE.len());
            message.length = message.length.saturating_add(length);
        }
        Ok(message)
    }

    /// The parameter sets of the record, with start codes.
    pub(super) fn parameter_sets(&self) -> &[u8] {
        &self.parameter_sets
    }
}

/// The NAL units of one message.
#[derive(Debug)]
pub(super) struct NalMessage<'a> {
    format: NalFormat,
    units: &'a [u8],
    length_size: usize,
    /// In bytes, as [`NalMessage::write`] writes it.
    pub(super) length: usize,
    pub(super) keyframe: bool,
    /// Whether there is anything of a picture.
    pub(super) has_slice: bool,
    /// Whether there is a sequence parameter set.
    pub(super) has_sets: bool,
}

impl NalMessage<'_> {
    /// With start codes, without delimiters and filler.
    pub(super) fn write(&self, output: &mut BytesMut) {
        let mut rest = self.units;
        while let Ok(unit) = take_unit(&mut rest, self.length_size) {
            let header = unit.first();
            if header.is_some_and(|header| !self.format.is_padding(*header)) {
                put_unit(unit, output);
            }
        }
    }
}

/// Takes what stands behind a length of so many bytes.
fn take_unit<'a>(rest: &mut &'a [u8], length_size: usize) -> Result<&'a [u8], TagError> {
    let (length, tail) = rest.split_at_checked(length_size).ok_or(TagError::Broken)?;
    let length = length
        .iter()
        .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let length = usize::try_from(length).map_err(|_| TagError::Broken)?;
    let (unit, tail) = tail.split_at_checked(length).ok_or(TagError::Broken)?;
    *rest = tail;
    Ok(unit)
}

/// Writes nothing for a unit without bytes, which some encoders send.
fn put_unit(unit: &[u8], output: &mut BytesMut) {
    if !unit.is_empty() {
        output.put_slice(&START_CODE);
        output.put_slice(unit);
    }
}

impl NalFormat {
    /// `nal_unit_type` (H.264 table 7-1, H.265 table 7-1).
    fn kind(self, header: u8) -> u8 {
        match self {
            Self::H264 => header & 0x1f,
            Self::H265 => header >> 1 & 0x3f,
        }
    }

    /// IDR with H264, IRAP with H265.
    fn is_keyframe(self, header: u8) -> bool {
        match self {
            Self::H264 => self.kind(header) == 5,
            Self::H265 => (16..=23).contains(&self.kind(header)),
        }
    }

    /// Of whatever layer or view.
    fn is_slice(self, header: u8) -> bool {
        match self {
            Self::H264 => matches!(self.kind(header), 1..=5 | 19..=21),
            Self::H265 => self.kind(header) < 32,
        }
    }

    fn is_sequence_set(self, header: u8) -> bool {
        match self {
            Self::H264 => self.kind(header) == 7,
            Self::H265 => self.kind(header) == 33,
        }
    }

    /// Access unit delimiters, which would stand behind the parameter sets, and filler.
    fn is_padding(self, header: u8) -> bool {
        match self {
            Self::H264 => matches!(self.kind(header), 9 | 12),
            Self::H265 => matches!(self.kind(header), 35 | 38),
        }
    }
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];
