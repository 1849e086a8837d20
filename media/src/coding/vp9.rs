//! VP9 frames: samples as they are.

use bytes::Bytes;

use super::bits::Bits;
use super::{Format, Parameters, Picture};

/// Takes a frame apart.
pub(super) fn take_apart(unit: &Bytes) -> Picture {
    Picture {
        sample: unit.clone(),
        parameters: parameters(unit),
    }
}

/// What the uncompressed header of a key frame says (VP9 bitstream §6.2).
fn parameters(frame: &[u8]) -> Option<Parameters> {
    let mut bits = Bits::new(frame);
    let is_frame = bits.number(2)? == 2;
    let profile = bits.number(1)? | bits.number(1)? << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let shows_existing = bits.flag()?;
    let is_inter = bits.flag()?;
    if !is_frame || shows_existing || is_inter {
        return None;
    }
    bits.skip(2)?;
    let has_sync_code = bits.number(24)? == 0x49_83_42;
    let bit_depth = match profile >= 2 {
        true if bits.flag()? => 12,
        true => 10,
        false => 8,
    };
    let rgb = 7;
    let color_space = bits.number(3)?;
    let chroma = if color_space == rgb {
        "4:4:4"
    } else {
        bits.skip(1)?;
        // Profiles with an even number have one format only.
        match profile {
            1 | 3 => match (bits.flag()?, bits.flag()?) {
                (true, true) => "4:2:0",
                (true, false) => "4:2:2",
                _ => "4:4:4",
            },
            _ => "4:2:0",
        }
    };
    has_sync_code.then(|| Parameters {
        // As high a level as 1080p60 needs: players hardly look at it.
        codec: format!("vp09.{profile:02}.41.{bit_depth:02}"),
        format: Format::Vp9 {
            profile: u8::try_from(profile).unwrap_or_default(),
            bit_depth,
            chroma,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_says_what_it_is() {
        // Profile 0, shown, 8 bits, BT.601.
        let key = Bytes::from_static(&[0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0]);
        let parameters = take_apart(&key).parameters.unwrap();
        assert_eq!(parameters.codec, "vp09.00.41.08");
        let inter = Bytes::from_static(&[0x86, 0, 0x40, 0x92]);
        assert_eq!(take_apart(&inter).parameters, None);
        assert_eq!(take_apart(&Bytes::new()).parameters, None);
    }
}
