//! What H264 and H265 share: NAL units, alone or several in a packet.

use super::bits::BitReader;
use super::{PayloadFacts, Profile};

/// What one NAL unit tells about its frame.
#[derive(Default)]
pub(super) struct UnitFacts {
    /// See [`PayloadFacts::starts_keyframe`].
    pub(super) starts_keyframe: bool,
    /// See [`PayloadFacts::size`].
    pub(super) size: Option<(u32, u32)>,
    /// See [`PayloadFacts::profile`].
    pub(super) profile: Option<Profile>,
    /// Whether later frames need the unit. `None`: it says nothing (SEI, delimiters).
    pub(super) is_needed: Option<bool>,
}

/// Puts the units of one packet together: one needed unit makes the frame needed, and so does the
/// absence of any slice.
pub(super) fn merge(units: impl IntoIterator<Item = UnitFacts>) -> PayloadFacts {
    let mut facts = PayloadFacts::default();
    let mut is_needed = None;
    for unit in units {
        facts.starts_keyframe |= unit.starts_keyframe;
        facts.size = facts.size.or(unit.size);
        facts.profile = facts.profile.or(unit.profile);
        // None < Some(false) < Some(true)
        is_needed = is_needed.max(unit.is_needed);
    }
    facts.discardable = is_needed == Some(false);
    facts
}

/// Units of an aggregation packet, each behind its 16-bit length (STAP-A in RFC 6184 §5.7.1, AP in
/// RFC 7798 §4.4.2). Ends at the first length that the packet does not hold.
pub(super) fn length_prefixed(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, tail) = rest.split_first_chunk::<2>()?;
        let (unit, tail) = tail.split_at_checked(u16::from_be_bytes(length).into())?;
        rest = tail;
        Some(unit)
    })
}

/// Whether a slice is the first of its picture: `first_mb_in_slice` as `ue(v)` 0 is a single set bit
/// (H.264 §7.3.3), `first_slice_segment_in_pic_flag` is that bit (H.265 §7.3.6.1).
pub(crate) fn is_first_slice(body: &[u8]) -> bool {
    body.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Samples of luma per cropping unit, across and down, by `chroma_format_idc` (SubWidthC and
/// SubHeightC of H.264 table 6-1 and H.265 table 6-1; 1 for monochrome). `None` for other values.
pub(super) fn chroma_subsampling(chroma_format: u32) -> Option<(u32, u32)> {
    match chroma_format {
        0 | 3 => Some((1, 1)),
        1 => Some((2, 2)),
        2 => Some((2, 1)),
        _ => None,
    }
}

/// Reads the four offsets of a cropping rectangle (left, right, top, bottom) and takes them from the
/// size (H.264 §7.4.2.1.1, H.265 §7.4.3.2.1).
pub(super) fn crop(
    bits: &mut BitReader<'_>,
    (width, height): (u32, u32),
    (unit_across, unit_down): (u32, u32),
) -> Option<(u32, u32)> {
    let across = bits
        .ue()?
        .checked_add(bits.ue()?)?
        .checked_mul(unit_across)?;
    let down = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit_down)?;
    Some((width.checked_sub(across)?, height.checked_sub(down)?))
}
