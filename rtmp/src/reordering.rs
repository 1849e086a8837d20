//! [`Reordering`]: whether pictures are shown in another order than they are decoded.

use std::time::Duration;

use crate::bits::BitReader;
use crate::flv::{VideoCodec, VideoUnit};

/// Finds B-frames in a stream of pictures in decoding order, within its first group of pictures.
///
/// A constant composition time is none, nor does a profile say it: it is that presentation goes back
/// while decoding goes on, or a slice of H264 that says so itself. H265 encoders write slices of type
/// B that reorder nothing, so those are not asked.
#[derive(Debug, Clone, Default)]
pub struct Reordering {
    last: Option<(Duration, Duration)>,
    is_found: bool,
}

impl Reordering {
    /// Looks at the next picture, and tells whether there was reordering by now.
    pub fn observe(&mut self, unit: &VideoUnit) -> bool {
        let goes_back = self.last.is_some_and(|(dts, pts)| {
            // Where both go back, the publisher's clock jumped.
            unit.dts >= dts && unit.pts < pts
        });
        self.last = Some((unit.dts, unit.pts));
        self.is_found = self.is_found
            || goes_back
            || unit.codec == VideoCodec::H264 && has_b_slice(&unit.bytes);
        self.is_found
    }

    /// Whether there was reordering by now.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.is_found
    }
}

/// Whether the first slice of an access unit with start codes is a B slice (H.264 §7.3.3, table 7-6).
fn has_b_slice(access_unit: &[u8]) -> bool {
    // An IDR slice, of type 5, is looked for as well, so that a key frame is not searched to its end.
    let slice = nal_units(access_unit).find_map(|unit| {
        let (header, body) = unit.split_first()?;
        matches!(header & 0x1f, 1 | 2 | 5).then_some(body)
    });
    let slice_type = slice.and_then(|slice| {
        let mut bits = BitReader::rbsp(slice);
        bits.ue()?; // first_mb_in_slice
        bits.ue()
    });
    slice_type.is_some_and(|slice_type| slice_type % 5 == B)
}

/// Beginnings of the NAL units behind start codes of three bytes, of which those of four are made.
fn nal_units(access_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let codes = access_unit.windows(3).enumerate();
    let codes = codes.filter(|(_, window)| *window == [0, 0, 1]);
    codes.filter_map(|(at, _)| access_unit.get(at.saturating_add(3)..))
}

/// `slice_type` B.
const B: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(dts_ms: u64, pts_ms: u64, nal: &'static [u8]) -> VideoUnit {
        VideoUnit {
            codec: VideoCodec::H264,
            dts: Duration::from_millis(dts_ms),
            pts: Duration::from_millis(pts_ms),
            keyframe: false,
            is_after_loss: false,
            bytes: [&[0, 0, 0, 1], nal].concat().into(),
        }
    }

    /// Slices that begin with `first_mb_in_slice` 0 and a slice type.
    const P: &[u8] = &[0x41, 0b1100_0000];
    const P_ALL: &[u8] = &[0x41, 0b1001_1000];
    const B: &[u8] = &[0x01, 0b1010_0000];
    const B_ALL: &[u8] = &[0x01, 0b1001_1100];

    #[test]
    fn a_constant_composition_time_is_no_reordering() {
        let mut reordering = Reordering::default();
        for time in [0, 33, 67, 100] {
            assert!(!reordering.observe(&unit(time, time + 80, P)));
            assert!(!reordering.observe(&unit(time, time + 80, P_ALL)));
        }
    }

    #[test]
    fn presentation_that_goes_back_is_reordering_for_good() {
        let mut reordering = Reordering::default();
        assert!(!reordering.observe(&unit(0, 67, P)));
        assert!(!reordering.observe(&unit(33, 200, P)));
        assert!(reordering.observe(&unit(67, 134, P)));
        assert!(reordering.observe(&unit(100, 300, P)));
    }

    #[test]
    fn a_clock_that_jumps_is_no_reordering() {
        let mut reordering = Reordering::default();
        assert!(!reordering.observe(&unit(9_000, 9_040, P)));
        assert!(!reordering.observe(&unit(1_000, 1_040, P)));
    }

    #[test]
    fn a_slice_says_it_itself() {
        for slice in [B, B_ALL] {
            assert!(Reordering::default().observe(&unit(0, 0, slice)));
        }
        let mut other = unit(0, 0, B);
        other.codec = VideoCodec::H265;
        assert!(!Reordering::default().observe(&other));
        assert!(!Reordering::default().observe(&unit(0, 0, &[])));
    }
}
