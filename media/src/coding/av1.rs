//! AV1 temporal units: samples as they are, with their sequence headers.

use bytes::Bytes;

use super::bits::Bits;
use super::{Format, Parameters, Picture};

const SEQUENCE_HEADER: u8 = 1;

/// Takes a temporal unit apart, whose OBUs all tell their sizes.
pub(super) fn take_apart(unit: &Bytes) -> Picture {
    Picture {
        sample: unit.clone(),
        parameters: sequence_header(unit).and_then(parameters),
    }
}

/// The payload of the first sequence header (AV1 bitstream §5.3).
fn sequence_header(unit: &[u8]) -> Option<&[u8]> {
    let mut rest = unit;
    loop {
        let (head, mut after) = rest.split_first()?;
        let has_extension = head & 4 != 0;
        let has_size = head & 2 != 0;
        if has_extension {
            (_, after) = after.split_first()?;
        }
        let size = match has_size {
            true => leb128(&mut after)?,
            false => after.len(),
        };
        let (payload, next) = after.split_at_checked(size)?;
        if head >> 3 & 0xf == SEQUENCE_HEADER {
            return Some(payload);
        }
        rest = next;
    }
}

fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..28).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What a sequence header says (AV1 bitstream §5.5).
fn parameters(header: &[u8]) -> Option<Parameters> {
    let mut bits = Bits::new(header);
    let profile = bits.number(3)?;
    bits.skip(1)?;
    let is_reduced = bits.flag()?;
    let (level, tier) = match is_reduced {
        true => (bits.number(5)?, 0),
        false => operating_point(&mut bits)?,
    };
    skip_to_colors(&mut bits, is_reduced)?;
    let colors = Colors::read(&mut bits, profile)?;
    let byte = |number: u32| u8::try_from(number).unwrap_or_default();
    let tier_letter = if tier == 1 { 'H' } else { 'M' };
    Some(Parameters {
        codec: format!(
            "av01.{profile}.{level:02}{tier_letter}.{:02}",
            colors.bit_depth
        ),
        format: Format::Av1 {
            record: [
                0x81,
                byte(profile << 5 | level),
                byte(tier << 7) | colors.flags(),
                0,
            ],
            profile: ["main", "high", "professional"]
                .get(usize::try_from(profile).ok()?)
                .copied()?,
            bit_depth: colors.bit_depth,
            chroma: colors.chroma,
        },
    })
}

/// Level and tier of the first operating point; reads on to the end of all.
fn operating_point(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?;
        if bits.flag()? {
            bits.golomb()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.skip(42)?;
        }
    }
    let has_delays = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.number(5)? {
        bits.skip(12)?;
        let level = bits.number(5)?;
        let tier = if level > 7 { bits.number(1)? } else { 0 };
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_delays && bits.flag()? {
            bits.skip(4)?;
        }
        first = first.or(Some((level, tier)));
    }
    first
}

fn skip_to_colors(bits: &mut Bits<'_>, is_reduced: bool) -> Option<()> {
    let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
    bits.skip(width_bits + height_bits)?;
    if !is_reduced && bits.flag()? {
        bits.skip(7)?;
    }
    // Superblocks, intra filters and edges.
    bits.skip(3)?;
    if !is_reduced {
        skip_tools(bits)?;
    }
    // Super-resolution, CDEF, restoration.
    bits.skip(3)
}

fn skip_tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4)?;
    let has_order_hints = bits.flag()?;
    if has_order_hints {
        bits.skip(2)?;
    }
    let chooses = bits.flag()?;
    let screen_content = chooses || bits.flag()?;
    if screen_content && !bits.flag()? {
        bits.skip(1)?;
    }
    if has_order_hints {
        bits.skip(3)?;
    }
    Some(())
}

struct Colors {
    bit_depth: u8,
    chroma: &'static str,
    /// Where chroma samples lie.
    position: u8,
}

impl Colors {
    fn read(bits: &mut Bits<'_>, profile: u32) -> Option<Self> {
        let is_high = bits.flag()?;
        let bit_depth = match is_high {
            true if profile == 2 && bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        let is_monochrome = profile != 1 && bits.flag()?;
        let described = match bits.flag()? {
            true => (bits.number(8)?, bits.number(8)?, bits.number(8)?),
            false => (2, 2, 2),
        };
        let colors = |chroma, position| Self {
            bit_depth,
            chroma,
            position,
        };
        if is_monochrome {
            return Some(colors("4:0:0", 0));
        }
        let is_srgb = described == (1, 13, 0);
        if is_srgb {
            return Some(colors("4:4:4", 0));
        }
        // Range.
        bits.skip(1)?;
        let chroma = match profile {
            0 => "4:2:0",
            1 => "4:4:4",
            _ if bit_depth < 12 => "4:2:2",
            _ => match (bits.flag()?, bits.flag()) {
                (true, Some(true)) => "4:2:0",
                (true, _) => "4:2:2",
                (false, _) => "4:4:4",
            },
        };
        let position = match chroma {
            "4:2:0" => bits.number(2)?,
            _ => 0,
        };
        Some(colors(chroma, u8::try_from(position).ok()?))
    }

    /// As the third byte of `av1C` has them, below the tier.
    fn flags(&self) -> u8 {
        let depth = match self.bit_depth {
            12 => 0x60,
            10 => 0x40,
            _ => 0,
        };
        let subsampling = match self.chroma {
            "4:0:0" => 0x1c,
            "4:2:0" => 0x0c,
            "4:2:2" => 0x08,
            _ => 0,
        };
        depth | subsampling | self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_without_sequence_header_has_no_parameters() {
        assert_eq!(take_apart(&Bytes::new()).parameters, None);
        let frame = Bytes::from_static(&[0x32, 0x02, 0x10, 0x00]);
        assert_eq!(take_apart(&frame).parameters, None);
    }

    #[test]
    fn a_size_that_is_too_long_ends_the_search() {
        assert_eq!(sequence_header(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(sequence_header(&[0x0a, 0x7f]), None);
    }
}
