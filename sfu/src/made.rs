//! [`MadeLayer`]: the entrance for a layer that the server makes itself, as of a ladder.

use std::time::Duration;

use bytes::Bytes;

use crate::fed::{Door, Handed};
use crate::thread::Mailbox;

/// A layer of H264 that the server makes of what a publisher sends. Dropping it removes the layer
/// within a fraction of a second; so does the end of the publisher, or another that takes over.
#[derive(Debug)]
pub struct MadeLayer {
    door: Door,
    mailbox: Mailbox,
}

impl MadeLayer {
    pub(crate) fn new(door: Door, mailbox: Mailbox) -> Self {
        Self { door, mailbox }
    }

    /// Hands the next access unit over: with start codes (annex B), key frames with their parameter
    /// sets in front, no B-frames, captured `pts` behind the zero that the layer was opened with. Times
    /// rise. Behind a unit that is lost all up to the next key frame are dropped.
    ///
    /// Never waits. Returns false when there was no room, or the publisher is gone.
    pub fn push(&self, pts: Duration, keyframe: bool, bytes: Bytes) -> bool {
        let handed = Handed::at(pts, keyframe, bytes);
        self.door.push(&self.mailbox, handed)
    }

    /// Whether the publisher is still there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.door.is_open()
    }
}
