//! [`TrackClock`]: from the RTP timestamps of one track to the tap's time. Pure.
//!
//! Distances come from the timestamps, so that they are exact. Where they lie on the tap's clock comes
//! from sender reports, which put all tracks of a publisher on one clock, and without reports from
//! the arrival of what was delayed least. An error of that place is corrected slowly; a large one is
//! a clock that jumped, or a pause, and is followed at once.
//!
//! Invariant: the times of a track rise.

use std::time::{Duration, Instant};

use crate::packet::{Packet, VIDEO_CLOCK};

/// When something came and was captured, in nanoseconds since the tap's zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where its timestamp lies on the track's line without wrap-around, in nanoseconds.
    place: i64,
    arrival: i64,
    /// When it was captured, as far as known; never after it arrived.
    capture: i64,
    /// Whether a sender report tells the capture.
    is_reported: bool,
    /// How much later it is shown.
    lead: Duration,
}

/// The clock of one track.
#[derive(Debug)]
pub(super) struct TrackClock {
    /// Ticks a second.
    rate: i64,
    /// The newest timestamp, and its place in ticks on a line without wrap-around.
    newest: Option<(u32, i64)>,
    /// What is added to a place on that line to have the time.
    offset: Option<i64>,
    /// Added to captures: the publisher's clock was set back by this much.
    set_back: i64,
    /// The offset by the newest report.
    reported: Option<i64>,
    /// Whether a report told of the newest unit.
    was_reported: bool,
    arrivals: LeastDelayed,
    /// Place of the newest unit.
    last: Option<i64>,
    /// Time of the newest unit: the next one's lies above it.
    floor: i64,
}

/// The least offset by arrival over a window.
#[derive(Debug, Default)]
struct LeastDelayed {
    since: Option<i64>,
    least: Option<i64>,
    /// That of the last whole window.
    settled: Option<i64>,
}

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
/// Times of two units are at least this far apart.
const LEAST_STEP: i64 = MS;
/// A larger error is not drift.
const JUMP: i64 = 300 * MS;
/// Errors that are left as they are: reports are no more exact.
const NEGLIGIBLE: i64 = 5 * MS;
/// Share of the time passed by which an error is corrected: 1 ms in 100 ms.
const SLEW: i64 = 100;
/// Places further from zero are no places.
const FARTHEST: i64 = 1 << 60;
/// In each there is a packet that was not delayed.
const WINDOW: i64 = 2 * SECOND;

impl Seen {
    /// What is known by two packets that were captured at once.
    pub(super) fn meet(self, other: Self) -> Self {
        let arrival = self.arrival.min(other.arrival);
        let capture = match (self.is_reported, other.is_reported) {
            (true, false) => self.capture,
            (false, true) => other.capture,
            _ => self.capture.min(other.capture),
        };
        Self {
            place: self.place,
            arrival,
            capture: capture.min(arrival),
            is_reported: self.is_reported || other.is_reported,
            lead: self.lead,
        }
    }

    /// How much later than it is decoded it is shown.
    pub(super) fn lead(self) -> Duration {
        self.lead
    }

    /// Time from another of the track to this.
    pub(super) fn behind(self, other: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.place - other.place).unwrap_or(0))
    }
}

/// How much later than it is decoded a packet's picture is shown.
fn lead_of(packet: &Packet) -> Duration {
    let ticks = u64::from(packet.lead.unwrap_or(0));
    Duration::from_nanos(ticks * 1_000_000_000 / u64::from(VIDEO_CLOCK))
}

/// Nanoseconds from `zero` to `at`, negative before it.
fn since(zero: Instant, at: Instant) -> i64 {
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    match at.checked_duration_since(zero) {
        Some(after) => nanos(after),
        None => -nanos(zero.saturating_duration_since(at)),
    }
}

impl TrackClock {
    /// For an RTP clock of `rate` Hz. Its times are not before `floor`.
    pub(super) fn new(rate: u32, floor: Option<Duration>) -> Self {
        let floor = floor.and_then(|floor| i64::try_from(floor.as_nanos()).ok());
        Self {
            rate: i64::from(rate.max(1)),
            newest: None,
            offset: None,
            set_back: 0,
            reported: None,
            was_reported: false,
            arrivals: LeastDelayed::default(),
            last: None,
            floor: floor.unwrap_or(0) - LEAST_STEP,
        }
    }

    /// The next unit's time is not before it.
    pub(super) fn next_floor(&self) -> Duration {
        let floor = self.floor + LEAST_STEP;
        Duration::from_nanos(u64::try_from(floor).unwrap_or(0))
    }

    /// Takes a packet in, in the order of numbers.
    pub(super) fn observe(&mut self, packet: &Packet, zero: Instant) -> Seen {
        let place = self.place(packet.timestamp);
        let arrival = since(zero, packet.arrival);
        let seen = Seen {
            place,
            arrival,
            capture: since(zero, packet.wallclock).min(arrival),
            is_reported: packet.capture_us.is_some(),
            lead: lead_of(packet),
        };
        if seen.is_reported {
            self.reported = Some(seen.capture - place);
            // Whatever is known by arrivals is old when reports end.
            self.arrivals = LeastDelayed::default();
        } else {
            self.arrivals.observe(arrival - place, arrival);
        }
        seen
    }

    fn place(&mut self, timestamp: u32) -> i64 {
        let ticks = self.newest.map_or(0, |(newest, ticks)| {
            ticks + i64::from(timestamp.wrapping_sub(newest).cast_signed())
        });
        // Nobody streams for years: it is nonsense, and a new line as good as the old one.
        let place = self.nanos(ticks).filter(|place| place.abs() < FARTHEST);
        self.newest = Some((timestamp, place.map_or(0, |_| ticks)));
        place.unwrap_or(0)
    }

    fn nanos(&self, ticks: i64) -> Option<i64> {
        let nanos = i128::from(ticks) * i128::from(SECOND) / i128::from(self.rate);
        i64::try_from(nanos).ok()
    }

    /// The time of a unit, in nanoseconds since the tap's zero. Units come in the order of numbers.
    pub(super) fn time(&mut self, seen: Seen) -> Duration {
        let place = seen.place;
        if seen.capture + self.set_back > seen.arrival + JUMP {
            self.set_back = (seen.arrival - seen.capture).max(0);
        }
        let by_capture = (seen.capture + self.set_back).min(seen.arrival) - place;
        let before = self.offset;
        let mut offset = match before {
            Some(offset) => offset + self.correction(offset, by_capture, seen),
            None => self.first_offset(by_capture, seen),
        };
        if place + offset <= self.floor {
            let jumps = before.is_some_and(|before| before - offset > JUMP);
            let is_step = jumps || self.last.is_some_and(|last| place < last);
            offset = self.after_step_back(offset, by_capture, seen, is_step);
        }
        self.offset = Some(offset);
        self.floor = (place + offset).max(self.floor + LEAST_STEP);
        self.was_reported = seen.is_reported;
        self.last = Some(place);
        Duration::from_nanos(u64::try_from(self.floor).unwrap_or(0))
    }

    /// The offset of a unit that would come before the one before it. `is_step`: by a step of its
    /// clock, and not because units crowd behind one.
    ///
    /// A small step, or one by the first report, is waited out: units crowd until their times have
    /// caught up, and are right from then on.
    fn after_step_back(&mut self, offset: i64, by_capture: i64, seen: Seen, is_step: bool) -> i64 {
        if !seen.is_reported {
            // The timestamps were set back.
            self.arrivals = LeastDelayed::default();
            return offset.max(by_capture);
        }
        let lacking = self.floor + LEAST_STEP - (seen.place + offset);
        if self.was_reported && is_step && lacking > JUMP {
            self.set_back += lacking;
            return offset + lacking;
        }
        offset
    }

    fn first_offset(&self, by_capture: i64, seen: Seen) -> i64 {
        let by_arrival = || self.arrivals.least.filter(|_| !seen.is_reported);
        self.reported.or_else(by_arrival).unwrap_or(by_capture)
    }

    fn correction(&mut self, offset: i64, by_capture: i64, seen: Seen) -> i64 {
        let error = by_capture - offset;
        let is_impossible = error < -JUMP;
        let error = if seen.is_reported || is_impossible {
            error
        } else {
            self.arrivals.settled.map_or(0, |settled| settled - offset)
        };
        if error.abs() > JUMP {
            self.arrivals = LeastDelayed::default();
            return error;
        }
        if error.abs() <= NEGLIGIBLE {
            return 0;
        }
        let passed = self.last.map_or(0, |last| seen.place - last);
        let most = passed.clamp(0, SECOND) / SLEW;
        error.clamp(-most, most)
    }
}

impl LeastDelayed {
    fn observe(&mut self, offset: i64, arrival: i64) {
        let since = *self.since.get_or_insert(arrival);
        if arrival - since > WINDOW {
            self.settled = self.least.take();
            self.since = Some(arrival);
        }
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
    }
}
