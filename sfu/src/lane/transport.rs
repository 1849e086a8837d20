//! Packets numbered across a transport, and what the viewer says of their arrival
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::{Duration, Instant};

use super::numbers::{extended, short};
use super::ring::Ring;
use crate::rate::RateMeter;

/// Everything that went to one viewer lately.
#[derive(Debug)]
pub(super) struct TransportLog {
    start: Instant,
    next: u64,
    sent: Ring<Sent>,
    /// Packets that reports may still speak of: a few bytes can speak of thousands, and reading them
    /// all is work.
    credit: usize,
    /// The newest reference time that came, in units of its own, without wrap-around.
    reference: Option<i64>,
    received: RateMeter,
    lost: RateMeter,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Since the start of the log.
    at_us: u64,
    bytes: u16,
    probe: u8,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Lost,
    Arrived,
}

/// A packet that came to its viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// On our clock, from the start of the log.
    pub(super) sent_us: u64,
    /// On the viewer's clock.
    pub(super) arrived_us: i64,
    pub(super) bytes: u64,
    /// The probe that it was part of; 0 for none.
    pub(super) probe: u8,
}

const FEWEST: usize = 256;
const MOST: usize = 8_192;
/// A viewer that says nothing of a packet for so long will not any more.
const OF_USE_US: u64 = 2_000_000;
/// Of a delta, and of a reference time.
const TICK_US: i64 = 250;
const REFERENCE_US: i64 = 64_000;
const REFERENCE_BITS: u32 = 24;
/// Packets that one report may speak of; more is nonsense.
const MOST_REPORTED: usize = 4_096;
/// How often reports may speak of a packet. A viewer does once, and again of one that came late.
const MENTIONS: usize = 4;

impl TransportLog {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            start: now,
            next: 1,
            sent: Ring::new(FEWEST, MOST),
            credit: 0,
            reference: None,
            received: RateMeter::new(now),
            lost: RateMeter::new(now),
        }
    }

    /// Notes a packet that leaves now. Returns its number.
    pub(super) fn note(&mut self, now: Instant, bytes: usize, probe: u8) -> u16 {
        let at_us = self.micros(now);
        let sent = Sent {
            at_us,
            bytes: u16::try_from(bytes).unwrap_or(u16::MAX),
            probe,
            fate: Fate::Unknown,
        };
        let number = self.next;
        self.next += 1;
        self.credit = (self.credit + MENTIONS).min(MENTIONS * MOST_REPORTED);
        let is_of_use = |old: &Sent| old.fate == Fate::Unknown && old.at_us + OF_USE_US > at_us;
        self.sent.put(number, sent, is_of_use);
        short(number)
    }

    /// The number of the next packet.
    pub(super) fn next(&self) -> u16 {
        short(self.next)
    }

    pub(super) fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Takes a report. What arrived is appended to `arrivals`, in the order of its numbers.
    pub(super) fn apply(&mut self, now: Instant, report: &[u8], arrivals: &mut Vec<Arrival>) {
        let Some(report) = Feedback::parse(report) else {
            return;
        };
        let Some(credit) = self.credit.checked_sub(report.count) else {
            return;
        };
        self.credit = credit;
        let reference = self.unwrap_reference(report.reference);
        let mut time_us = reference.saturating_mul(REFERENCE_US);
        let base = extended(self.next - 1, report.base);
        for (number, delta) in (base..).zip(report.deltas()) {
            if let Some(ticks) = delta {
                time_us = time_us.saturating_add(i64::from(ticks) * TICK_US);
            }
            let Some(sent) = self.sent.get_mut(number) else {
                continue;
            };
            match (delta, sent.fate) {
                (Some(_), Fate::Arrived) | (None, Fate::Lost | Fate::Arrived) => {}
                (Some(_), _) => {
                    sent.fate = Fate::Arrived;
                    arrivals.push(Arrival {
                        sent_us: sent.at_us,
                        arrived_us: time_us,
                        bytes: u64::from(sent.bytes),
                        probe: sent.probe,
                    });
                    self.received.add(now, 1);
                }
                (None, Fate::Unknown) => {
                    sent.fate = Fate::Lost;
                    self.lost.add(now, 1);
                }
            }
        }
    }

    /// Share of packets lost by the reports of the last second.
    pub(super) fn loss(&mut self, now: Instant) -> Option<f32> {
        let (lost, received) = (self.lost.per_second(now), self.received.per_second(now));
        let all = lost + received;
        #[expect(clippy::cast_possible_truncation, reason = "a share")]
        (all > 0.0).then_some((lost / all) as f32)
    }

    fn unwrap_reference(&mut self, reference: u32) -> i64 {
        let reference = i64::from(reference);
        let unwrapped = match self.reference {
            None => reference,
            Some(before) => {
                let span = 1 << REFERENCE_BITS;
                let ahead = (reference - before).rem_euclid(span);
                before
                    + if ahead < span / 2 {
                        ahead
                    } else {
                        ahead - span
                    }
            }
        };
        self.reference = Some(self.reference.unwrap_or(unwrapped).max(unwrapped));
        unwrapped
    }
}

/// Round trip of the newest arrival, the time included in which the viewer gathered its report.
pub(super) fn round_trip(now_us: u64, arrivals: &[Arrival]) -> Option<Duration> {
    let newest = arrivals.iter().map(|arrival| arrival.sent_us).max()?;
    Some(Duration::from_micros(now_us.saturating_sub(newest)))
}

/// A report, read up to the deltas.
struct Feedback<'a> {
    base: u16,
    count: usize,
    reference: u32,
    /// Chunks, then deltas.
    body: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Missing,
    Small,
    Large,
}

impl<'a> Feedback<'a> {
    fn parse(report: &'a [u8]) -> Option<Self> {
        let (head, body) = report.split_at_checked(8)?;
        let [b0, b1, c0, c1, r0, r1, r2, _]: [u8; 8] = head.try_into().ok()?;
        let count = usize::from(u16::from_be_bytes([c0, c1]));
        (count <= MOST_REPORTED).then_some(Self {
            base: u16::from_be_bytes([b0, b1]),
            count,
            reference: u32::from_be_bytes([0, r0, r1, r2]),
            body,
        })
    }

    /// For each packet from the base on the ticks since the one before it that came, or nothing for
    /// one that did not. Ends where the report does.
    fn deltas(&self) -> impl Iterator<Item = Option<i16>> + use<'a> {
        let mut chunks = Chunks::new(self.body, self.count);
        // The deltas begin where the chunks end.
        let mut deltas = self.body.get(chunks.clone().length()..).unwrap_or_default();
        std::iter::from_fn(move || {
            Some(match chunks.next()? {
                Symbol::Missing => None,
                Symbol::Small => {
                    let (ticks, rest) = deltas.split_first()?;
                    deltas = rest;
                    Some(i16::from(*ticks))
                }
                Symbol::Large => {
                    let (ticks, rest) = deltas.split_first_chunk()?;
                    deltas = rest;
                    Some(i16::from_be_bytes(*ticks))
                }
            })
        })
    }
}

/// The symbols of a report, out of run lengths and vectors.
#[derive(Clone)]
struct Chunks<'a> {
    rest: &'a [u8],
    read: usize,
    left: usize,
    chunk: u16,
    /// Symbols of the chunk that are taken.
    taken: u16,
}

impl<'a> Chunks<'a> {
    fn new(body: &'a [u8], count: usize) -> Self {
        Self {
            rest: body,
            read: 0,
            left: count,
            chunk: 0,
            taken: 0,
        }
    }

    /// Bytes of all chunks.
    fn length(mut self) -> usize {
        while self.next().is_some() {}
        self.read
    }

    fn is_used_up(&self) -> bool {
        self.read == 0 || self.taken >= symbols_of(self.chunk)
    }
}

fn symbols_of(chunk: u16) -> u16 {
    match chunk >> 14 {
        0 | 1 => chunk & 0x1fff,
        2 => 14,
        _ => 7,
    }
}

impl Iterator for Chunks<'_> {
    type Item = Symbol;

    fn next(&mut self) -> Option<Symbol> {
        if self.left == 0 {
            return None;
        }
        while self.is_used_up() {
            let (chunk, rest) = self.rest.split_first_chunk()?;
            self.chunk = u16::from_be_bytes(*chunk);
            self.rest = rest;
            self.read += 2;
            self.taken = 0;
        }
        let bits = match self.chunk >> 14 {
            0 | 1 => self.chunk >> 13,
            2 => self.chunk >> (13 - self.taken) & 1,
            _ => self.chunk >> (12 - 2 * self.taken) & 3,
        };
        self.taken += 1;
        self.left -= 1;
        Some(match bits & 3 {
            1 => Symbol::Small,
            2 => Symbol::Large,
            _ => Symbol::Missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    fn log(now: Instant, packets: u64) -> TransportLog {
        let mut log = TransportLog::new(now);
        for number in 0..packets {
            log.note(now + Duration::from_millis(number), 100, 0);
        }
        log
    }

    #[test]
    fn report_of_runs_and_vectors_is_read() {
        let now = base();
        let mut log = log(now, 40);
        let report = [
            0, 1, 0, 20, 0, 0, 2, 0, // from 1 on, 20 packets, 128 ms
            0x20, 4, // a run of 4 small deltas
            0xa0, 0, // 14 bits: 1, then 13 missing
            0xe4, 0, // pairs: large, small, then missing
            4, 4, 4, 4, 8, 0xff, 0xfc, 12,
        ];
        let mut arrivals = Vec::new();
        log.apply(now, &report, &mut arrivals);
        let seen: Vec<_> = arrivals
            .iter()
            .map(|a| (a.sent_us / 1_000, a.arrived_us))
            .collect();
        assert_eq!(
            seen,
            [
                (0, 129_000),
                (1, 130_000),
                (2, 131_000),
                (3, 132_000),
                (4, 134_000),
                (18, 133_000),
                (19, 136_000),
            ]
        );
        assert_eq!(log.loss(now), Some(13.0 / 20.0));
    }

    #[test]
    fn packet_that_was_given_up_and_came_counts_once() {
        let now = base();
        let mut log = log(now, 3);
        let mut arrivals = Vec::new();
        log.apply(now, &[0, 1, 0, 2, 0, 0, 0, 0, 0xa0, 0, 0], &mut arrivals);
        assert_eq!(arrivals.len(), 1);
        for _ in 0..2 {
            log.apply(now, &[0, 2, 0, 1, 0, 0, 0, 1, 0x20, 1, 0], &mut arrivals);
        }
        assert_eq!(arrivals.len(), 2);
    }

    #[test]
    fn viewer_that_repeats_itself_is_not_listened_to_for_ever() {
        let now = base();
        let mut log = log(now, 100);
        // 24 bytes on the wire that speak of 100 packets, of which none came.
        let report = [0, 1, 0, 100, 0, 0, 0, 0, 0, 100];
        let mut arrivals = Vec::new();
        for _ in 0..MENTIONS {
            assert!(log.credit >= 100);
            log.apply(now, &report, &mut arrivals);
        }
        assert_eq!(log.credit, 0);
        // The first packet came after all, but this viewer has said enough.
        let late = [0, 1, 0, 1, 0, 0, 0, 1, 0x20, 1, 0];
        log.apply(now, &late, &mut arrivals);
        assert_eq!(arrivals, []);
        // One that is sent is one to speak of.
        log.note(now, 100, 0);
        log.apply(now, &late, &mut arrivals);
        assert_eq!(arrivals.len(), 1);
    }

    #[test]
    fn numbers_go_round_and_none_is_taken_for_one_of_the_round_before() {
        let now = base();
        let mut log = log(now, 65_530);
        let mut arrivals = Vec::new();
        for number in 65_531..65_541u64 {
            assert_eq!(log.note(now, 100, 0), short(number));
        }
        // From 65,531 on, ten packets.
        let report = [0xff, 0xfb, 0, 10, 0, 0, 2, 0, 0x20, 10];
        log.apply(now, &[&report[..], &[4; 10]].concat(), &mut arrivals);
        assert_eq!(arrivals.len(), 10);
        // Number 1 is 65,537 now, which was told of, and 5 is 65,541, which is not sent yet: that of the
        // first round is long forgotten.
        for base in [1, 5] {
            log.apply(now, &[0, base, 0, 1, 0, 0, 2, 0, 0x20, 1, 4], &mut arrivals);
        }
        assert_eq!(arrivals.len(), 10);
    }

    #[test]
    fn report_older_than_the_log_says_nothing() {
        let now = base();
        let mut log = log(now, 30_000);
        let mut arrivals = Vec::new();
        let report = [0, 1, 0, 4, 0, 0, 2, 0, 0x20, 4, 4, 4, 4, 4];
        log.apply(now, &report, &mut arrivals);
        assert_eq!((arrivals.len(), log.loss(now)), (0, None));
    }

    #[test]
    fn reference_that_runs_away_is_no_overflow() {
        let now = base();
        let mut log = log(now, 100);
        log.reference = Some(i64::MAX / REFERENCE_US);
        let mut arrivals = Vec::new();
        let far =
            u32::try_from(((i64::MAX / REFERENCE_US) + 9_999) & 0x00ff_ffff).expect("24 bits");
        let [_, a, b, c] = far.to_be_bytes();
        let report = [0, 1, 0, 2, a, b, c, 0, 0x40, 2, 0x7f, 0xff, 0x7f, 0xff];
        log.apply(now, &report, &mut arrivals);
        assert_eq!(arrivals.len(), 2);
    }

    #[test]
    fn reference_time_goes_round() {
        let mut log = TransportLog::new(base());
        assert_eq!(log.unwrap_reference(0x00ff_fffe), 0x00ff_fffe);
        assert_eq!(log.unwrap_reference(2), 0x0100_0002);
        assert_eq!(log.unwrap_reference(0x00ff_ffff), 0x00ff_ffff);
        assert_eq!(log.unwrap_reference(3), 0x0100_0003);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(
            report in proptest::collection::vec(any::<u8>(), 0..200),
            packets in 0u64..300,
        ) {
            let now = base();
            let mut arrivals = Vec::new();
            log(now, packets).apply(now, &report, &mut arrivals);
            prop_assert!(arrivals.len() as u64 <= packets);
        }
    }
}
