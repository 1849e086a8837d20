//! Key frames: the cache that lets a viewer start at once, and the restraint in asking for new ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::packet::Packet;

/// The packets of one layer from its newest key frame on, in sequence order.
///
/// A key frame may be recognised late, by a packet that was sent again: what came of its frame and
/// behind it meanwhile belongs to the group. So the newest packets are kept also while there is no
/// group.
///
/// Bounded by age and bytes: past a bound the cache empties, since what is left of a group without
/// its key frame is of no use, and stays empty until the next key frame.
#[derive(Debug)]
pub(crate) struct GopCache {
    /// A group, or while there is none the packets of the last moments.
    packets: VecDeque<Arc<Packet>>,
    is_open: bool,
    bytes: usize,
    most_age: Duration,
    most_bytes: usize,
    /// Frames cached, by counting timestamps.
    frames: usize,
    generation: u64,
    keyframe_at: Option<Instant>,
}

/// How late the first packet of a key frame may come.
const LATEST_OPENING: Duration = Duration::from_secs(1);

impl GopCache {
    pub(crate) fn new(most_age: Duration, most_bytes: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            is_open: false,
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
            self.open(packet);
        }
        self.insert(packet, opens);
        if !self.is_open {
            self.forget_passed(packet.arrival);
        } else if self.exceeds_bounds(packet.arrival) {
            self.clear();
        }
        opens
    }

    /// A key frame may open with several packets that say so (parameter sets, then the picture):
    /// they share a timestamp.
    fn opens_new_group(&self, packet: &Packet) -> bool {
        match self.first() {
            None => true,
            Some(first) => first.timestamp != packet.timestamp && packet.seq > first.seq,
        }
    }

    /// Drops what is older than the key frame; packets of its frame may have come before this one.
    fn open(&mut self, opening: &Packet) {
        // One of its own number that did not say so makes room for it.
        self.packets.retain(|p| {
            p.seq > opening.seq || p.timestamp == opening.timestamp && p.seq != opening.seq
        });
        self.bytes = self.packets.iter().map(|p| p.payload.len()).sum();
        let mut newest = None;
        self.frames = 0;
        for packet in &self.packets {
            if newest.replace(packet.timestamp) != Some(packet.timestamp) {
                self.frames += 1;
            }
        }
        self.is_open = true;
        self.generation += 1;
        self.keyframe_at = Some(opening.arrival);
    }

    fn insert(&mut self, packet: &Arc<Packet>, opens: bool) {
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
        let timestamp_at = |at: Option<usize>| Some(self.packets.get(at?)?.timestamp);
        let is_new_frame = |other: Option<u32>| other != Some(packet.timestamp);
        let (before, after) = (timestamp_at(at.checked_sub(1)), timestamp_at(Some(at)));
        let is_older = self.first().is_some() && before.is_none() && is_new_frame(after);
        if is_older && !opens {
            return;
        }
        if is_new_frame(before) && is_new_frame(after) {
            self.frames += 1;
        }
        self.bytes += packet.payload.len();
        self.packets.insert(at, Arc::clone(packet));
    }

    /// While there is no group only the last moments are of use.
    fn forget_passed(&mut self, now: Instant) {
        while let Some(first) = self.packets.front() {
            let is_passed = now.saturating_duration_since(first.arrival) > LATEST_OPENING;
            if !is_passed && self.bytes <= self.most_bytes {
                return;
            }
            self.bytes -= first.payload.len();
            self.packets.pop_front();
        }
    }

    fn exceeds_bounds(&self, now: Instant) -> bool {
        let too_old = self
            .keyframe_at
            .is_some_and(|at| now.saturating_duration_since(at) > self.most_age);
        too_old || self.bytes > self.most_bytes
    }

    /// Drops the group; the next key frame begins another.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.is_open = false;
        self.bytes = 0;
        self.frames = 0;
        self.generation += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.is_open
    }

    /// Frames from the key frame on.
    pub(crate) fn frames(&self) -> usize {
        if self.is_open { self.frames } else { 0 }
    }

    /// Payload bytes from the key frame on.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_open { self.bytes } else { 0 }
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
        let start = if self.is_open {
            self.packets.partition_point(|p| p.seq < seq)
        } else {
            self.packets.len()
        };
        self.packets.range(start..)
    }

    /// The first packet of the key frame, of those that came.
    pub(crate) fn first(&self) -> Option<&Arc<Packet>> {
        self.packets.front().filter(|_| self.is_open)
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
    /// Whether the publisher is known not to listen.
    pub(crate) fn is_deaf(&self) -> bool {
        self.listens == Some(false)
    }

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

    /// A key frame is wanted at once, however soon after the last request.
    pub(crate) fn want_at_once(&mut self) {
        self.is_wanted = true;
        self.last = None;
    }

    /// Whether a key frame is wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// When it was last asked for.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Whether one is wanted, and may be asked for.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due.is_none_or(|at| now >= at))
    }

    /// A key frame came; nothing is wanted any more.
    pub(crate) fn satisfy(&mut self) {
        self.is_wanted = false;
    }

    /// Whether to ask now. A request that came too early is let through once the interval is over.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let is_due = self.is_due(now);
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
    use proptest::prelude::*;
    use str0m::rtp::ExtensionValues;

    use super::*;
    use crate::packet::Source;

    fn packet(base: Instant, seq: u64, frame: u32, opens: bool) -> Arc<Packet> {
        let arrival = base + Duration::from_millis(seq * 2);
        Arc::new(Packet {
            source: Source::Video(0),
            seq,
            timestamp: frame * 3_000,
            marker: false,
            payload: Arc::from([0u8; 4]),
            arrival,
            capture_us: None,
            wallclock: arrival,
            starts_keyframe: opens,
            discardable: false,
            is_past: false,
            lead: None,
            vp8: None,
            extensions: ExtensionValues::default(),
        })
    }

    fn numbers(cache: &GopCache) -> Vec<u64> {
        cache.from(0).map(|p| p.seq).collect()
    }

    #[test]
    fn parameter_sets_that_come_late_complete_the_key_frame() {
        let base = base();
        let mut cache = GopCache::new(Duration::from_secs(12), 1 << 20);
        for (seq, frame, opens) in [(98, 1, true), (99, 2, false), (101, 3, false)] {
            cache.push(&packet(base, seq, frame, opens));
        }
        assert!(cache.push(&packet(base, 102, 3, true)));
        assert_eq!(numbers(&cache), [101, 102]);
        cache.push(&packet(base, 103, 4, false));
        cache.push(&packet(base, 100, 3, false));
        assert_eq!(numbers(&cache), [100, 101, 102, 103]);
        assert_eq!(cache.frames(), 2);
    }

    #[test]
    fn key_frame_that_is_recognised_late_keeps_what_came_behind_it() {
        let base = base();
        let mut cache = GopCache::new(Duration::from_secs(12), 1 << 20);
        for (seq, frame) in [(99, 2), (101, 3), (102, 3), (103, 4)] {
            cache.push(&packet(base, seq, frame, false));
        }
        assert!(cache.is_empty() && cache.first().is_none() && numbers(&cache).is_empty());
        assert!(cache.push(&packet(base, 100, 3, true)));
        assert_eq!(numbers(&cache), [100, 101, 102, 103]);
        assert_eq!((cache.frames(), cache.bytes()), (2, 16));
    }

    proptest! {
        /// However packets are delayed, what is cached in the end is the newest group, whole.
        #[test]
        fn newest_group_is_whole(
            sizes in proptest::collection::vec(1usize..6, 1..40),
            every in 1usize..12,
            delays in proptest::collection::vec(0u64..30, 240),
            opening in 0usize..6,
        ) {
            let base = base();
            let mut sent = Vec::new();
            let mut newest = 0;
            for (frame, size) in sizes.iter().enumerate() {
                let is_key = frame % every == 0;
                if is_key {
                    newest = sent.len();
                }
                for part in 0..*size {
                    let opens = is_key && part == opening.min(size - 1);
                    let number = u32::try_from(frame).expect("few");
                    sent.push(packet(base, sent.len() as u64, number, opens));
                }
            }
            let wanted: Vec<u64> = (newest..sent.len()).map(|seq| seq as u64).collect();
            let mut arriving: Vec<_> = sent.iter().zip(&delays).collect();
            arriving.sort_by_key(|(packet, delay)| packet.seq + **delay);
            let mut cache = GopCache::new(Duration::from_secs(12), 1 << 20);
            for (packet, _) in arriving {
                cache.push(packet);
            }
            prop_assert_eq!(numbers(&cache), wanted);
            let frames = sizes.len() - (sizes.len() - 1) / every * every;
            prop_assert_eq!(cache.frames(), frames);
        }
    }

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
