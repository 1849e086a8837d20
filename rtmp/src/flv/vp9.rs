//! VP9 frames, as far as it takes to know a key frame.

/// Whether a frame, or the first of a superframe, is one (VP9 §6.2). `None`: it is no VP9.
pub(super) fn is_keyframe(frame: &[u8]) -> Option<bool> {
    let first = *frame.first()?;
    if first >> 6 != FRAME_MARKER {
        return None;
    }
    // Profile 3 has a reserved bit.
    let header = match first >> 4 & 3 {
        3 => first << 5,
        _ => first << 4,
    };
    let (shows_existing, is_inter) = (header & 0x80 != 0, header & 0x40 != 0);
    Some(!shows_existing && !is_inter)
}

const FRAME_MARKER: u8 = 2;
