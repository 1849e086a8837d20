//! What one RTP payload of a video tells about its frame: key frame, picture size, dispensable.
//!
//! Pure functions over bytes of strangers: nothing is kept between packets, nothing is allocated,
//! the work is linear in the payload, and no input panics. What spans packets (a lost first
//! fragment, parameter sets in a packet of their own) is for the caller to put together by RTP
//! timestamp. Header extensions, encrypted payloads and whole-frame decoding are not looked at.

mod av1;
mod bits;
mod h264;
mod h265;
mod nal;
mod profile;
#[cfg(test)]
mod testing;
mod vp8;
mod vp9;

pub(crate) use av1::{Av1Obu, Av1ObuKind, Av1Payload, put_leb128};
pub(crate) use h264::{frame_num, frame_num_bits, is_b_slice};
pub(crate) use nal::is_first_slice;
pub(crate) use profile::Profile;
pub(crate) use vp8::{Vp8Header, Vp8Payload, renumber as renumber_vp8};
pub(crate) use vp9::{Vp9Header, Vp9Payload};

/// Video codecs that we forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoCodec {
    /// RFC 6184.
    H264,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// AOM "RTP Payload Format for AV1".
    Av1,
    /// RFC 7798.
    H265,
}

/// What one RTP payload tells about its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PayloadFacts {
    /// A decoder can start at this packet: it opens a key frame, or carries the parameter sets that
    /// come before one. Packets of one key frame may be marked more than once (SPS, then IDR).
    pub(crate) starts_keyframe: bool,
    /// Width and height in luma samples as they are shown (after cropping), where the payload
    /// carries them; each 1..=16384. The whole picture where there are spatial layers.
    pub(crate) size: Option<(u32, u32)>,
    /// Where the payload carries it.
    pub(crate) profile: Option<Profile>,
    /// Dropping the whole frame harms no later frame. False whenever the payload does not say so:
    /// for VP9 only the first packet of a frame can, for AV1 none.
    pub(crate) discardable: bool,
}

/// Reads one RTP payload (after the RTP header, its extensions and padding).
pub(crate) fn inspect(codec: VideoCodec, payload: &[u8]) -> PayloadFacts {
    let facts = match codec {
        VideoCodec::H264 => h264::inspect(payload),
        VideoCodec::Vp8 => vp8::inspect(payload),
        VideoCodec::Vp9 => vp9::inspect(payload),
        VideoCodec::Av1 => av1::inspect(payload),
        VideoCodec::H265 => h265::inspect(payload),
    };
    PayloadFacts {
        // Whatever the payload says: all that follows needs a key frame.
        discardable: facts.discardable && !facts.starts_keyframe,
        ..facts
    }
}

/// Refuses sizes that no stream of ours can have, so that nonsense never reaches a menu.
fn plausible(width: u32, height: u32) -> Option<(u32, u32)> {
    let fits = |side| (1..=LONGEST_SIDE).contains(&side);
    (fits(width) && fits(height)).then_some((width, height))
}

/// Longest side of a picture that is taken for real.
const LONGEST_SIDE: u32 = 16384;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::CODECS;
    use super::*;

    #[test]
    fn empty_payload_tells_nothing() {
        for codec in CODECS {
            assert_eq!(inspect(codec, &[]), PayloadFacts::default(), "{codec:?}");
        }
    }

    #[test]
    fn sizes_outside_the_bounds_are_refused() {
        assert_eq!(plausible(0, 720), None);
        assert_eq!(plausible(1280, 0), None);
        assert_eq!(plausible(16385, 720), None);
        assert_eq!(plausible(16384, 1), Some((16384, 1)));
    }

    /// Openings that lead each parser to its deepest branch, before random bytes follow.
    const OPENINGS: [&[u8]; 12] = [
        &[0x67, 0x64, 0x00],             // H264 SPS, High
        &[0x7c, 0x87, 0xf4],             // H264 FU-A start of an SPS, High 4:4:4
        &[0x78, 0x00, 0x30],             // H264 STAP-A
        &[0x42, 0x01, 0x0c],             // H265 SPS with seven sub-layers
        &[0x62, 0x01, 0xa1],             // H265 FU start of an SPS
        &[0x60, 0x01, 0x00, 0x30],       // H265 AP
        &[0x90, 0xf0],                   // VP8 with the whole descriptor
        &[0xfa],                         // VP9 with layers, P_DIFF and scalability structure
        &[0x08, 0x82, 0x49, 0x83, 0x42], // VP9 key frame
        &[0x08, 0xb0],                   // VP9 profile 3
        &[0x18, 0x0a],                   // AV1 sequence header with size field
        &[0x08],                         // AV1 elements with lengths
    ];

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for codec in CODECS {
                inspect(codec, &bytes);
            }
        }

        #[test]
        fn no_bytes_behind_a_valid_opening_panic(
            opening in proptest::sample::select(OPENINGS.as_slice()),
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let payload = [opening, &bytes].concat();
            for codec in CODECS {
                if let Some((width, height)) = inspect(codec, &payload).size {
                    prop_assert!((1..=LONGEST_SIDE).contains(&width));
                    prop_assert!((1..=LONGEST_SIDE).contains(&height));
                }
            }
        }
    }
}
