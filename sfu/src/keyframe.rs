//! Key frames: the cache that lets a viewer start at once, and the restraint in asking for new ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::packet::Packet;

/// The packets of one layer from its newest key frame on, in sequence order.
///
/// Bounded by age and bytes: past a bound the cache empties, since what is left of a group without
/// its key frame is of no use, and stays empty until the next key frame.
#[derive(Debug)]
pub(crate) struct GopCache {
    packets: VecDeque<Arc<Packet>>,
    bytes: usize,
    most_age: Duration,
    most_bytes: usize,
    /// Frames cached, by counting timestamps.
    frames: usize,
    /// Packets ever pushed out in front: position 0 of `packets` is number `first`.
    generation: u64,
    keyframe_at: Option<Instant>,
}

impl GopCache {
    pub(crate) fn new(most_age: Duration, most_bytes: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            bytes: 0,
            most_age,
            most_bytes,
            frames: 0,
            generation: 0,
            keyframe_at: None,
        }
    }

    /// Takes the next packet. Returns whether it opened a new group.
    pub(crate) fn push(&mut self, packet: &Arc<Packet>) -> bool {
        let opens = packet.starts_keyframe && self.opens_new_group(packet);
        if opens {
            self.keyframe_at = Some(packet.arrival);
            self.clear();
        } else if self.packets.is_empty() {
            return false;
        }
        self.insert(packet);
        if self.exceeds_bounds(packet.arrival) {
            self.clear();
        }
        opens
    }

    /// A key frame may open with several packets that say so (parameter sets, then the picture):
    /// they share a timestamp.
    fn opens_new_group(&self, packet: &Packet) -> bool {
        match self.packets.front() {
            None => true,
            Some(first) => first.timestamp != packet.timestamp && packet.seq > first.seq,
        }
    }

    fn insert(&mut self, packet: &Arc<Packet>) {
        let mut at = self.packets.len();
        while let Some(before) = at.checked_sub(1).and_then(|i| self.packets.get(i)) {
            if before.seq == packet.seq {
                return;
            }
            if before.seq < packet.seq {
                break;
            }
            at -= 1;
        }
        let is_older = at == 0
            && self
                .packets
                .front()
                .is_some_and(|first| first.timestamp != packet.timestamp);
        if is_older {
            return;
        }
        if at == self.packets.len()
            && self
                .packets
                .back()
                .is_none_or(|last| last.timestamp != packet.timestamp)
        {
            self.frames += 1;
        }
        self.bytes += packet.payload.len();
        self.packets.insert(at, Arc::clone(packet));
    }

    fn exceeds_bounds(&self, now: Instant) -> bool {
        let too_old = self
            .keyframe_at
            .is_some_and(|at| now.saturating_duration_since(at) > self.most_age);
        too_old || self.bytes > self.most_bytes
    }

    fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
        self.frames = 0;
        self.generation += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Frames from the key frame on.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Payload bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Names the cached group; another key frame makes another.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Time since the key frame that came last, cached or not.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.keyframe_at.map(|at| now.saturating_duration_since(at))
    }

    /// The cached packets with a sequence number of at least `seq`.
    pub(crate) fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Packet>> {
        let start = self.packets.partition_point(|p| p.seq < seq);
        self.packets.range(start..)
    }

    /// The first packet of the key frame.
    pub(crate) fn first(&self) -> Option<&Arc<Packet>> {
        self.packets.front()
    }
}

/// Finds out whether a publisher makes key frames when it is asked.
///
/// One request that stays without answer says little: it may have been lost, or the key frame late.
/// Only several in a row make a publisher deaf, and only answers in a row undo that.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    score: i8,
    listens: Option<bool>,
}

impl Hearing {
    /// Notes how one request ended. Returns the verdict so far.
    pub(crate) fn note(&mut self, is_answered: bool) -> Option<bool> {
        let step = if is_answered { 1 } else { -1 };
        self.score = (self.score + step).clamp(-SURE, SURE);
        if self.score > 0 {
            self.listens = Some(true);
        } else if self.score <= -SURE {
            self.listens = Some(false);
        }
        self.listens
    }
}

/// Score at which nothing more is learnt.
const SURE: i8 = 2;

/// What is known of the key frame requests for one layer that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The newest of them.
    newest: Option<Instant>,
    /// From when on the next miss is counted.
    since: Option<Instant>,
}

impl Asked {
    /// A request was sent.
    pub(crate) fn send(&mut self, now: Instant) {
        self.newest = Some(now);
        self.since.get_or_insert(now);
    }

    /// A key frame came. Returns whether it answers a request; `None` when nobody asked.
    pub(crate) fn answer(&mut self, now: Instant, patience: Duration) -> Option<bool> {
        self.since = None;
        let asked = self.newest.take()?;
        Some(now.saturating_duration_since(asked) <= patience)
    }

    /// Whether a request has to be taken for unheard by now; said once for each.
    pub(crate) fn is_missed(&mut self, now: Instant, patience: Duration) -> bool {
        let Some(since) = self.since else {
            return false;
        };
        if now.saturating_duration_since(since) <= patience {
            return false;
        }
        // Whoever asked again since waits for that.
        self.since = self.newest.filter(|newest| *newest > since);
        if self.since.is_none() {
            self.newest = None;
        }
        true
    }
}

/// Lets at most one request through in each interval, and remembers a held-back one.
#[derive(Debug)]
pub(crate) struct RequestLimiter {
    interval: Duration,
    last: Option<Instant>,
    is_wanted: bool,
}

impl RequestLimiter {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            is_wanted: false,
        }
    }

    /// Notes that a key frame is wanted.
    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// A key frame came; nothing is wanted any more.
    pub(crate) fn satisfy(&mut self) {
        self.is_wanted = false;
    }

    /// Whether to ask now. A request that came too early is let through once the interval is over.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due.is_none_or(|at| now >= at));
        if is_due {
            self.last = Some(now);
            self.is_wanted = false;
        }
        is_due
    }

    /// When a held-back request becomes due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due().flatten()
    }

    fn due(&self) -> Option<Option<Instant>> {
        self.is_wanted
            .then(|| self.last.map(|last| last + self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(400);

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn one_request_without_answer_makes_nobody_deaf() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.note(false), None);
        assert_eq!(hearing.note(false), Some(false));
        assert_eq!(hearing.note(true), Some(false), "it may be chance");
        assert_eq!(hearing.note(true), Some(false));
        assert_eq!(hearing.note(true), Some(true));
        for _ in 0..2 {
            assert_eq!(hearing.note(false), Some(true), "it has listened before");
        }
        assert_eq!(hearing.note(false), Some(false));
    }

    #[test]
    fn answer_to_a_repeated_request_is_an_answer() {
        let now = base();
        let mut asked = Asked::default();
        assert_eq!(asked.answer(now, PATIENCE), None);
        asked.send(now);
        asked.send(now + ms(500));
        assert_eq!(asked.answer(now + ms(700), PATIENCE), Some(true));
        assert_eq!(asked.answer(now + ms(710), PATIENCE), None);
    }

    #[test]
    fn each_request_is_missed_once() {
        let now = base();
        let mut asked = Asked::default();
        asked.send(now);
        assert!(!asked.is_missed(now + ms(400), PATIENCE));
        asked.send(now + ms(500));
        assert!(asked.is_missed(now + ms(600), PATIENCE));
        assert!(!asked.is_missed(now + ms(800), PATIENCE));
        assert!(asked.is_missed(now + ms(1_000), PATIENCE));
        assert!(!asked.is_missed(now + ms(9_000), PATIENCE));
    }
}
