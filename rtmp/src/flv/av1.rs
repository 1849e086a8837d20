//! AV1 temporal units (AV1 bitstream §5.3, "AV1 Codec ISO Media File Format Binding" §2.3).

use bytes::{BufMut, Bytes, BytesMut};

use super::TagError;

/// The sequence header of an `AV1CodecConfigurationRecord`; empty if it has none, which is allowed.
pub(super) fn record(record: &[u8]) -> Result<Bytes, TagError> {
    let (&[marker, ..], obus) = record.split_first_chunk::<4>().ok_or(TagError::Broken)?;
    if marker != MARKER_AND_VERSION {
        return Err(TagError::Broken);
    }
    let mut header = BytesMut::new();
    for obu in Obus(obus) {
        let obu = obu?;
        if obu.kind() == obu_type::SEQUENCE_HEADER {
            obu.write(&mut header);
        }
    }
    Ok(header.freeze())
}

/// Whether a temporal unit is a key frame, and its bytes with a size for each OBU, without delimiter
/// and padding. The sequence header comes in front of a key frame that has none.
pub(super) fn temporal_unit(
    sequence_header: &[u8],
    unit: &[u8],
) -> Result<Option<(bool, Bytes)>, TagError> {
    let (mut keyframe, mut has_header) = (None, false);
    let mut bytes = BytesMut::with_capacity(unit.len());
    for obu in Obus(unit) {
        let obu = obu?;
        match obu.kind() {
            obu_type::TEMPORAL_DELIMITER | obu_type::PADDING => continue,
            obu_type::SEQUENCE_HEADER => has_header = true,
            // The first is of the lowest layer.
            obu_type::FRAME | obu_type::FRAME_HEADER => {
                keyframe.get_or_insert(obu.is_keyframe());
            }
            _ => {}
        }
        obu.write(&mut bytes);
    }
    let keyframe = keyframe.unwrap_or(false);
    if keyframe && !has_header {
        if sequence_header.is_empty() {
            return Err(TagError::BeforeConfiguration);
        }
        bytes = BytesMut::from_iter(sequence_header.iter().chain(&bytes));
    }
    Ok(Some((keyframe, bytes.freeze())).filter(|(_, bytes)| !bytes.is_empty()))
}

/// An open bitstream unit.
struct Obu<'a> {
    header: u8,
    extension: Option<u8>,
    payload: &'a [u8],
}

impl Obu<'_> {
    fn kind(&self) -> u8 {
        self.header >> 3 & 0x0f
    }

    /// `show_existing_frame` 0, `frame_type` KEY_FRAME, `show_frame` 1 (§5.9.2).
    fn is_keyframe(&self) -> bool {
        self.payload.first().is_some_and(|byte| byte >> 4 == 1)
    }

    fn write(&self, output: &mut BytesMut) {
        output.put_u8(self.header | HAS_SIZE);
        if let Some(extension) = self.extension {
            output.put_u8(extension);
        }
        let mut size = self.payload.len();
        loop {
            let low = u8::try_from(size & 0x7f).unwrap_or_default();
            size >>= 7;
            if size == 0 {
                output.put_u8(low);
                break;
            }
            output.put_u8(low | 0x80);
        }
        output.put_slice(self.payload);
    }
}

/// OBUs in their order; ends behind the first that is broken.
struct Obus<'a>(&'a [u8]);

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, TagError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let obu = self.take();
        if obu.is_none() {
            self.0 = &[];
        }
        Some(obu.ok_or(TagError::Broken))
    }
}

impl<'a> Obus<'a> {
    /// An OBU without size goes to the end.
    fn take(&mut self) -> Option<Obu<'a>> {
        let (&header, mut rest) = self.0.split_first()?;
        if header & FORBIDDEN != 0 {
            return None;
        }
        let mut extension = None;
        if header & HAS_EXTENSION != 0 {
            let (&byte, tail) = rest.split_first()?;
            (extension, rest) = (Some(byte), tail);
        }
        let size = match header & HAS_SIZE {
            0 => rest.len(),
            _ => leb128(&mut rest)?,
        };
        let (payload, rest) = rest.split_at_checked(size)?;
        self.0 = rest;
        Some(Obu {
            header,
            extension,
            payload,
        })
    }
}

/// §4.10.5, below 2^32.
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for position in 0..8_u32 {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << position.saturating_mul(7);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return usize::try_from(value).ok();
        }
    }
    None
}

/// Of the record: marker bit and version 1.
const MARKER_AND_VERSION: u8 = 0x81;
/// Bits of an OBU header (§5.3.2).
const FORBIDDEN: u8 = 0x80;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

/// `obu_type` (§6.2.2).
mod obu_type {
    pub(super) const SEQUENCE_HEADER: u8 = 1;
    pub(super) const TEMPORAL_DELIMITER: u8 = 2;
    pub(super) const FRAME_HEADER: u8 = 3;
    pub(super) const FRAME: u8 = 6;
    pub(super) const PADDING: u8 = 15;
}
