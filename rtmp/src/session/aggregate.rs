//! Aggregate messages (RTMP 1.0 §7.1.6): several media messages in one, as FLV tags.

use bytes::{Buf, Bytes};

use crate::chunk::{Message, kind};

/// The messages of one, taken one at a time.
pub(super) struct Aggregate {
    rest: Bytes,
    stream: u32,
    timestamp: u32,
    /// Timestamp of the first tag: the message's own is where that one stands.
    first: Option<u32>,
}

impl Aggregate {
    pub(super) fn new(message: &Message) -> Self {
        Self {
            rest: message.payload.clone(),
            stream: message.stream,
            timestamp: message.timestamp,
            first: None,
        }
    }

    /// Ends at the first tag that is not whole. An aggregate within is not looked into.
    pub(super) fn next(&mut self) -> Option<Message> {
        loop {
            let (&[kind, l2, l1, l0, t2, t1, t0, t3, ..], _) =
                self.rest.split_first_chunk::<HEADER>()?;
            self.rest.advance(HEADER);
            let length = usize::try_from(u32::from_be_bytes([0, l2, l1, l0])).ok()?;
            if length > self.rest.len() {
                return None;
            }
            let payload = self.rest.split_to(length);
            self.rest.advance(BACK_POINTER.min(self.rest.len()));
            let timestamp = u32::from_be_bytes([t3, t2, t1, t0]);
            let first = *self.first.get_or_insert(timestamp);
            if kind == kind::AGGREGATE {
                continue;
            }
            return Some(Message {
                kind,
                stream: self.stream,
                timestamp: self.timestamp.wrapping_add(timestamp.wrapping_sub(first)),
                payload,
            });
        }
    }
}

/// Type, length, timestamp and message stream id.
const HEADER: usize = 11;
const BACK_POINTER: usize = 4;
