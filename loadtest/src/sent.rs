//! When each frame left the publisher, so that a viewer can tell how long it was on its way.
//!
//! A frame is known by the bytes of its last payload, which every forwarding server leaves as they
//! are: time stamps and sequence numbers it may rewrite.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The frames that were sent lately; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Mutex<Log>>);

/// One frame as it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentFrame {
    /// Time since 1970 just before the first packet left.
    pub at: Duration,
    /// Which layer, in the order of the offer.
    pub layer: usize,
    /// Which frame, counted from 0 since the publisher began.
    pub number: u64,
    /// Whether a decoder can start here.
    pub is_key: bool,
}

#[derive(Debug, Default)]
struct Log {
    frames: HashMap<u64, SentFrame>,
    order: VecDeque<(u64, Duration)>,
}

/// Frames that are remembered, some 40 s of three layers; older ones are forgotten.
const MOST: usize = 4_096;

impl Sent {
    /// Notes a frame by its last payload.
    pub fn note(&self, last_payload: &[u8], frame: SentFrame) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = fingerprint(last_payload);
        log.frames.insert(key, frame);
        log.order.push_back((key, frame.at));
        if log.order.len() > MOST
            && let Some((oldest, at)) = log.order.pop_front()
            // A clip starts over: the same bytes may have left again since.
            && log.frames.get(&oldest).is_some_and(|frame| frame.at == at)
        {
            log.frames.remove(&oldest);
        }
    }

    /// The frame whose last payload this is, as it was last sent.
    #[must_use]
    pub fn find(&self, last_payload: &[u8]) -> Option<SentFrame> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.frames.get(&fingerprint(last_payload)).copied()
    }
}

/// FNV-1a over length and tail.
fn fingerprint(payload: &[u8]) -> u64 {
    const TAIL: usize = 64;
    let tail = payload.get(payload.len().saturating_sub(TAIL)..);
    let length = (payload.len() as u64).to_be_bytes();
    let bytes = tail.unwrap_or_default().iter().chain(&length);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64) -> SentFrame {
        SentFrame {
            at: Duration::from_secs(number),
            layer: 0,
            number,
            is_key: false,
        }
    }

    #[test]
    fn a_frame_sent_again_is_the_newer_one() {
        let sent = Sent::default();
        sent.note(b"a", frame(1));
        sent.note(b"b", frame(2));
        sent.note(b"a", frame(3));
        assert_eq!(sent.find(b"a").unwrap().number, 3);
        assert_eq!(sent.find(b"b").unwrap().number, 2);
        assert_eq!(sent.find(b"c"), None);
    }

    #[test]
    fn old_frames_are_forgotten() {
        let sent = Sent::default();
        for number in 0..2 * MOST as u64 {
            sent.note(&number.to_be_bytes(), frame(number));
        }
        assert_eq!(sent.find(&0u64.to_be_bytes()), None);
        assert!(sent.find(&(2 * MOST as u64 - 1).to_be_bytes()).is_some());
        assert!(sent.0.lock().unwrap().frames.len() <= MOST);
    }
}
