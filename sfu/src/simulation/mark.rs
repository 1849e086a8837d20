//! [`Mark`]: by which a payload tells what it is.

/// What each payload ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: u8,
    pub(super) layer: u8,
    pub(super) is_key: bool,
    pub(super) frame: u32,
    pub(super) part: u16,
    pub(super) parts: u16,
    pub(super) captured_us: u64,
}

impl Mark {
    pub(super) const BYTES: usize = 19;

    pub(super) fn write(self, payload: &mut Vec<u8>) {
        let start = payload.len();
        payload.extend([self.epoch, self.layer, u8::from(self.is_key)]);
        payload.extend(self.frame.to_be_bytes());
        payload.extend(self.captured_us.to_be_bytes());
        payload.extend(self.part.to_be_bytes());
        payload.extend(self.parts.to_be_bytes());
        veil(&mut payload[start..]);
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut tail = payload[payload.len().checked_sub(Self::BYTES)?..].to_vec();
        veil(&mut tail);
        Some(Self {
            epoch: tail[0],
            layer: tail[1],
            is_key: tail[2] == 1,
            frame: u32::from_be_bytes(tail[3..7].try_into().ok()?),
            captured_us: u64::from_be_bytes(tail[7..15].try_into().ok()?),
            part: u16::from_be_bytes(tail[15..17].try_into().ok()?),
            parts: u16::from_be_bytes(tail[17..19].try_into().ok()?),
        })
    }
}

/// Turns the zeros of a mark into something else, and back: in a NAL unit they would end it.
fn veil(mark: &mut [u8]) {
    for byte in mark {
        *byte ^= 0xa5;
    }
}
