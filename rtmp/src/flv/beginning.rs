//! [`Beginning`]: what comes of a picture in messages before it.
//!
//! Some encoders send parameter sets or SEI of H264 and H265 in messages of their own, with the timestamp
//! of the picture that follows. They are held until it comes, so that a picture is one unit; there is a
//! bound on that, and what is beyond it is dropped and counted.

use bytes::{Bytes, BytesMut};

use super::avc::NalMessage;

/// NAL units that wait for their picture.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    /// Of the newest.
    timestamp: u32,
    bytes: BytesMut,
    has_sets: bool,
    /// Messages in it.
    messages: u64,
    dropped: u64,
}

/// Most that is held, in bytes.
const MOST: usize = 64 * 1024;
/// What is further from its picture than this belongs to none.
const MOST_APART_MS: u32 = 1_000;

impl Beginning {
    /// Holds what a message has, which has nothing of a picture.
    pub(super) fn add(&mut self, timestamp: u32, message: &NalMessage<'_>) {
        if message.length == 0 {
            return;
        }
        self.leave_behind(timestamp);
        self.messages = self.messages.saturating_add(1);
        if self.bytes.len().saturating_add(message.length) > MOST {
            return self.drop_all();
        }
        message.write(&mut self.bytes);
        self.has_sets |= message.has_sets;
        self.timestamp = timestamp;
    }

    /// What belongs to the picture of that timestamp, with start codes, and whether there is a sequence
    /// parameter set in it. Nothing is held then.
    pub(super) fn take(&mut self, timestamp: u32) -> (Bytes, bool) {
        self.leave_behind(timestamp);
        let taken = (self.bytes.split().freeze(), self.has_sets);
        self.forget();
        taken
    }

    /// Another configuration says all that was held, or it is of another codec.
    pub(super) fn forget(&mut self) {
        *self = Self {
            dropped: self.dropped,
            ..Self::default()
        };
    }

    /// How many messages were dropped since this was last asked.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn leave_behind(&mut self, timestamp: u32) {
        let apart = timestamp.wrapping_sub(self.timestamp).cast_signed();
        if apart.unsigned_abs() > MOST_APART_MS {
            self.drop_all();
        }
    }

    fn drop_all(&mut self) {
        self.dropped = self.dropped.saturating_add(self.messages);
        self.forget();
    }
}
