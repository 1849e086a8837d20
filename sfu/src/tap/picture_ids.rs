//! [`PictureIds`]: what the picture ids of VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) tell of missing
//! packets. Pure.

/// Follows the ids of a layer, each one above the one before it.
#[derive(Debug, Default)]
pub(super) struct PictureIds {
    /// That of the newest frame behind which nothing is needed that is missing.
    last: Option<u16>,
}

/// A picture id has 15 bits; shorter ones soon come again, and tell nothing.
const LARGEST: u16 = 0x7fff;

impl PictureIds {
    /// Takes the id of the next frame. Returns whether no frame that is needed can be missing before
    /// it.
    pub(super) fn follows(&mut self, id: Option<u16>) -> bool {
        let before = std::mem::replace(&mut self.last, id);
        let expected = before.map(|before| before.wrapping_add(1) & LARGEST);
        expected.is_some() && expected == id
    }

    /// The frame whose id was taken is missing, and needed.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}
