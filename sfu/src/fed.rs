//! Access units that are handed over instead of arriving as packets: of a layer that the server makes
//! ([`crate::MadeLayer`]), or of a publisher that is no peer of ours ([`crate::Ingest`]).
//!
//! They travel as messages to the shard of their publisher, which makes packets of them for viewers
//! ([`crate::packetise`]) and hands them to the tap as they are. The publisher holds the [`Line`], who
//! feeds it only looks at it: so each of them sees when the other is gone.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ids::StreamId;
use crate::packet::Source;
use crate::shard::Message;
use crate::thread::{Mailbox, Parcel};

/// A track or layer as who feeds it knows it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    stream: StreamId,
    epoch: u32,
    source: Source,
    reach: Reach,
    /// What times count from.
    zero: Instant,
    line: Weak<Line>,
    /// Whether a unit was lost since the last that found room.
    has_lost: Arc<AtomicBool>,
}

/// Who gets what goes through a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Viewers,
    Tap,
    All,
}

/// An access unit as it is handed over.
#[derive(Debug, Clone)]
pub(crate) struct Handed {
    pub(crate) dts: Duration,
    pub(crate) pts: Duration,
    pub(crate) keyframe: bool,
    /// Whether it is of pictures that are shown in another order than they are decoded.
    pub(crate) reordered: bool,
    pub(crate) bytes: Bytes,
}

/// What a feeder and its publisher share.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Access units on their way.
    waiting: AtomicUsize,
    /// How many were lost.
    lost: AtomicU64,
}

/// An access unit on its way.
#[derive(Debug)]
pub(crate) struct FedUnit {
    pub(crate) stream: StreamId,
    pub(crate) epoch: u32,
    pub(crate) source: Source,
    pub(crate) reach: Reach,
    /// When it is decoded, and when it is shown or heard.
    pub(crate) decoded: Instant,
    pub(crate) captured: Instant,
    pub(crate) keyframe: bool,
    pub(crate) reordered: bool,
    pub(crate) bytes: Bytes,
    /// Whether one before it was lost.
    pub(crate) is_after_loss: bool,
    _place: Place,
}

/// A place among those that wait, given back when it is dropped.
#[derive(Debug)]
struct Place(Arc<Line>);

/// Access units of all tracks that may wait for the shard: a second of them. What comes when there is no
/// room is lost, with all up to the next key frame.
const MOST_WAITING: usize = 128;
/// Longest access unit, in bytes.
const MOST_BYTES: usize = 2 * 1024 * 1024;

impl Door {
    pub(crate) fn new(
        stream: StreamId,
        epoch: u32,
        (source, reach): (Source, Reach),
        zero: Instant,
        line: Weak<Line>,
    ) -> Self {
        Self {
            stream,
            epoch,
            source,
            reach,
            zero,
            line,
            has_lost: Arc::default(),
        }
    }

    /// Sends an access unit on its way. Returns whether there was room, and a publisher.
    pub(crate) fn push(&self, mailbox: &Mailbox, handed: Handed) -> bool {
        let is_sent = self.unit(handed).is_some_and(|unit| {
            let parcel = Parcel::Message(Message::Fed(unit));
            mailbox.send(parcel).is_ok()
        });
        if !is_sent {
            self.note_loss();
        }
        is_sent
    }

    /// Whether the publisher is still there.
    pub(crate) fn is_open(&self) -> bool {
        self.line.strong_count() > 0
    }

    /// An access unit that finds room.
    pub(crate) fn unit(&self, handed: Handed) -> Option<FedUnit> {
        if handed.bytes.len() > MOST_BYTES {
            return None;
        }
        let captured = self.zero.checked_add(handed.pts)?;
        let decoded = self.zero.checked_add(handed.dts)?;
        let place = Place::take(self.line.upgrade()?)?;
        Some(FedUnit {
            stream: self.stream,
            epoch: self.epoch,
            source: self.source,
            reach: self.reach,
            decoded,
            captured,
            keyframe: handed.keyframe,
            reordered: handed.reordered,
            bytes: handed.bytes,
            is_after_loss: self.has_lost.swap(false, Ordering::Relaxed),
            _place: place,
        })
    }

    /// Something is missing before the next unit.
    pub(crate) fn note_gap(&self) {
        self.has_lost.store(true, Ordering::Relaxed);
    }

    /// A unit was lost.
    pub(crate) fn note_loss(&self) {
        self.note_gap();
        if let Some(line) = self.line.upgrade() {
            line.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Handed {
    /// A unit that is decoded when it is shown or heard.
    pub(crate) fn at(pts: Duration, keyframe: bool, bytes: Bytes) -> Self {
        Self {
            dts: pts,
            pts,
            keyframe,
            reordered: false,
            bytes,
        }
    }
}

impl Reach {
    pub(crate) fn has_viewers(self) -> bool {
        self != Self::Tap
    }

    pub(crate) fn has_tap(self) -> bool {
        self != Self::Viewers
    }
}

impl Line {
    /// Whether nobody feeds it any more.
    pub(crate) fn is_left(line: &Arc<Self>) -> bool {
        Arc::weak_count(line) == 0
    }

    /// Units that were lost on the way.
    pub(crate) fn dropped(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Place {
    fn take(line: Arc<Line>) -> Option<Self> {
        let before = line.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(line);
        (before < MOST_WAITING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
        let zero = Instant::now();
        let line = Arc::new(Line::default());
        let door = Door::new(
            StreamId::from(1),
            1,
            (Source::Video(1), Reach::All),
            zero,
            Arc::downgrade(&line),
        );
        let handed = |bytes| Handed::at(Duration::ZERO, true, bytes);
        let unit = || door.unit(handed(Bytes::from_static(&[0, 0, 1, 0x65])));
        let mut waiting: Vec<_> = (0..MOST_WAITING).filter_map(|_| unit()).collect();
        assert_eq!(waiting.len(), MOST_WAITING);
        assert!(unit().is_none() && unit().is_none());
        door.note_loss();
        assert_eq!(line.dropped(), 1);
        waiting.pop();
        let told: Vec<_> = (0..2)
            .map(|_| unit().map(|unit| unit.is_after_loss))
            .collect();
        assert_eq!(told, [Some(true), Some(false)]);
        waiting.clear();
        let large = Bytes::from(vec![0; MOST_BYTES + 1]);
        assert!(door.unit(handed(large)).is_none());
        assert!(!Line::is_left(&line));
        drop(line);
        assert!(unit().is_none(), "the publisher is gone");
    }
}
