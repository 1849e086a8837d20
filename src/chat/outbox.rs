//! [`Outbox`]: what waits for one reader, in bounds.
//!
//! Whoever fills it never waits. When it is full, reactions are left out first; when that is not enough, it
//! is closed, and whoever empties it tells the reader so.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that wait for one reader.
const MOST_BYTES: usize = 256 * 1024;

/// What one reader is to get.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    closed: Option<Closed>,
}

/// One frame.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) text: Bytes,
    /// Left out rather than waited for.
    pub(crate) is_droppable: bool,
    /// Part of what a newcomer is told, whose bound is another.
    is_welcome: bool,
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The reader takes less than there is to read.
    Slow,
    /// Who may come in is different now.
    Door,
    /// The channel is no more.
    Gone,
    /// The server stops.
    Stopping,
    /// Too many connections of one.
    TooMany,
    /// What the client sends is no chat.
    Malformed,
    /// A frame is larger than it may be.
    TooLarge,
}

impl Closed {
    /// The code and the words of the frame `closed`.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Slow => ("slow_reader", "you read more slowly than there is to read"),
            Self::Door => (
                "door_changed",
                "who may watch is different now; come in again",
            ),
            Self::Gone => ("channel_gone", "this channel is no more"),
            Self::Stopping => (
                "restarting",
                "the server restarts; come back in a few seconds",
            ),
            Self::TooMany => ("too_many_connections", "too many connections to this chat"),
            Self::Malformed => ("malformed", "what you send is no chat; see docs/CHAT.md"),
            Self::TooLarge => ("too_large", "a frame has at most 4 KiB"),
        }
    }
}

impl Outbox {
    /// Adds a frame of what a newcomer is told, which does not count: the room bounds it, and a reader
    /// who has not begun to read is not slow.
    pub(crate) fn welcome(&self, text: Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.frames.push_back(Frame {
            text,
            is_droppable: false,
            is_welcome: true,
        });
        drop(waiting);
        self.ready.notify_one();
    }

    /// Adds a frame, or leaves it out, or closes the box.
    pub(crate) fn push(&self, text: Bytes, is_droppable: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed.is_some() {
            return;
        }
        if waiting.bytes + text.len() > MOST_BYTES {
            if is_droppable {
                metrics::counter!("tallylight_chat_dropped_total").increment(1);
                return;
            }
            waiting.drop_reactions();
        }
        if waiting.bytes + text.len() > MOST_BYTES {
            waiting.close(Closed::Slow);
        } else {
            waiting.bytes += text.len();
            waiting.frames.push_back(Frame {
                text,
                is_droppable,
                is_welcome: false,
            });
        }
        drop(waiting);
        self.ready.notify_one();
    }

    /// Nothing more is added. What waits is still to be read, but not of a slow reader.
    pub(crate) fn close(&self, why: Closed) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed.is_none() {
            waiting.close(why);
        }
        drop(waiting);
        self.ready.notify_one();
    }

    /// Waits for frames, and takes all that there are.
    ///
    /// # Errors
    /// When nothing more comes. Cancel safe.
    pub(crate) async fn take(&self) -> Result<VecDeque<Frame>, Closed> {
        loop {
            let ready = self.ready.notified();
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.frames.is_empty() {
                    waiting.bytes = 0;
                    return Ok(std::mem::take(&mut waiting.frames));
                }
                if let Some(closed) = waiting.closed {
                    return Err(closed);
                }
            }
            ready.await;
        }
    }
}

impl Waiting {
    fn drop_reactions(&mut self) {
        let before = self.frames.len();
        self.frames.retain(|frame| !frame.is_droppable);
        let counted = self.frames.iter().filter(|frame| !frame.is_welcome);
        self.bytes = counted.map(|frame| frame.text.len()).sum();
        let dropped = u64::try_from(before - self.frames.len()).unwrap_or_default();
        metrics::counter!("tallylight_chat_dropped_total").increment(dropped);
    }

    fn close(&mut self, why: Closed) {
        if why == Closed::Slow {
            self.frames.clear();
            self.bytes = 0;
            metrics::counter!("tallylight_chat_slow_readers_total").increment(1);
        }
        self.closed = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: usize) -> Bytes {
        Bytes::from(vec![b'x'; size])
    }

    #[tokio::test]
    async fn frames_come_in_order_and_the_end_behind_them() {
        let outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"a"), false);
        outbox.push(Bytes::from_static(b"b"), true);
        outbox.close(Closed::Stopping);
        outbox.push(Bytes::from_static(b"c"), false);
        let frames = outbox.take().await.unwrap();
        let texts: Vec<_> = frames.iter().map(|frame| &frame.text[..]).collect();
        assert_eq!(texts, [b"a", b"b"]);
        assert_eq!(outbox.take().await.unwrap_err(), Closed::Stopping);
    }

    #[tokio::test]
    async fn reactions_are_left_out_before_a_reader_is_let_go() {
        let outbox = Outbox::default();
        outbox.push(frame(MOST_BYTES / 2), true);
        outbox.push(frame(MOST_BYTES / 2), false);
        outbox.push(frame(100), true);
        outbox.push(frame(100), false);
        let sizes: Vec<_> = outbox
            .take()
            .await
            .unwrap()
            .iter()
            .map(|f| f.text.len())
            .collect();
        assert_eq!(sizes, [MOST_BYTES / 2, 100]);
        outbox.push(frame(MOST_BYTES), false);
        outbox.push(frame(1), true);
        outbox.push(frame(1), false);
        assert_eq!(outbox.take().await.unwrap_err(), Closed::Slow);
    }
}
