//! [`Pending`]: what is to be written, until it is. It is bounded: where the database stays away, the
//! oldest is lost.

use std::collections::HashMap;

use uuid::Uuid;

use super::device;
use super::health::Moment;
use crate::channels::Pepper;
use crate::clock::from_millis;
use crate::streams::{ByTransport, Changed, Watching};

/// A time that somebody watched, as a row has it.
#[derive(Debug, Clone)]
pub(super) struct ViewingRow {
    pub(super) id: Uuid,
    pub(super) stream: Uuid,
    pub(super) viewer: String,
    pub(super) account: Option<String>,
    pub(super) transport: &'static str,
    pub(super) device: &'static str,
    pub(super) started_ms: i64,
    pub(super) last_seen_ms: i64,
    pub(super) watch_ms: i64,
}

/// What is added to a stream's numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Added {
    pub(super) peak: i64,
    pub(super) watched_ms: ByTransport,
    pub(super) is_over: bool,
}

/// A minute of a stream's audience.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minute {
    pub(super) at_ms: i64,
    pub(super) viewers: f64,
    pub(super) most: i64,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) viewings: Vec<ViewingRow>,
    pub(super) replaced: Vec<Uuid>,
    pub(super) numbers: HashMap<Uuid, Added>,
    pub(super) minutes: Vec<(Uuid, Minute)>,
    pub(super) moments: Vec<(Uuid, Moment)>,
    /// Minutes that still run.
    running: HashMap<Uuid, Running>,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    minute_ms: i64,
    sum: i64,
    looks: i64,
    most: i64,
}

/// Rows of a kind that wait, at most.
pub(super) const MOST: usize = 20_000;
const MINUTE_MS: i64 = 60_000;

impl Pending {
    /// Takes in what changed among a stream's viewers.
    pub(super) fn take(&mut self, stream: Uuid, changed: Changed, pepper: &Pepper, now_ms: i64) {
        let Changed {
            is_over, changes, ..
        } = changed;
        let rows = changes.watchings.into_iter();
        let rows = rows.map(|watching| row(stream, &watching, pepper));
        self.viewings.extend(rows);
        self.replaced.extend(changes.replaced);
        let added = self.numbers.entry(stream).or_default();
        added.peak = added.peak.max(changes.peak);
        added.watched_ms = added.watched_ms + changes.watched_ms;
        added.is_over |= is_over;
        self.look(stream, changes.now.all(), is_over, now_ms);
        bound(&mut self.viewings);
        bound(&mut self.minutes);
    }

    pub(super) fn take_moment(&mut self, stream: Uuid, moment: Moment) {
        self.moments.push((stream, moment));
        bound(&mut self.moments);
    }

    /// Puts the minutes that run among those that are to be written, as they are.
    pub(super) fn close_minutes(&mut self) {
        let running = self.running.drain();
        let closed = running.map(|(stream, running)| (stream, running.minute()));
        self.minutes.extend(closed);
    }

    fn look(&mut self, stream: Uuid, now: i64, is_over: bool, now_ms: i64) {
        let minute_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let before = self.running.get(&stream).copied();
        if let Some(before) = before.filter(|before| before.minute_ms != minute_ms) {
            self.minutes.push((stream, before.minute()));
            self.running.remove(&stream);
        }
        if is_over {
            let last = self.running.remove(&stream);
            self.minutes
                .extend(last.map(|last| (stream, last.minute())));
            return;
        }
        let running = self.running.entry(stream).or_insert(Running {
            minute_ms,
            sum: 0,
            looks: 0,
            most: 0,
        });
        running.sum += now;
        running.looks += 1;
        running.most = running.most.max(now);
    }
}

impl Running {
    fn minute(self) -> Minute {
        let number = |whole: i64| f64::from(i32::try_from(whole).unwrap_or(i32::MAX));
        Minute {
            at_ms: self.minute_ms,
            viewers: number(self.sum) / number(self.looks.max(1)),
            most: self.most,
        }
    }
}

fn bound<T>(rows: &mut Vec<T>) {
    let too_many = rows.len().saturating_sub(MOST);
    if too_many > 0 {
        tracing::warn!(
            too_many,
            "Lost {too_many} figures that the database did not take"
        );
        rows.drain(..too_many);
    }
}

fn row(stream: Uuid, watching: &Watching, pepper: &Pepper) -> ViewingRow {
    let who = &watching.who;
    let account = who.account.map(|account| account.to_string());
    ViewingRow {
        id: watching.id,
        stream,
        viewer: viewer(watching, pepper),
        account,
        transport: watching.transport.label(),
        device: device::class(&who.agent),
        started_ms: watching.started_ms,
        last_seen_ms: watching.last_seen_ms,
        watch_ms: watching.watch_ms,
    }
}

/// The same for the same account, or for the same address and player on the same day; and nothing that
/// could be traced back to them without the server's secret.
fn viewer(watching: &Watching, pepper: &Pepper) -> String {
    let who = &watching.who;
    match who.account {
        Some(account) => pepper.mac(&format!("viewer account {account}")),
        None => {
            let day = from_millis(watching.started_ms).strftime("%Y-%m-%d");
            let salt = pepper.mac(&format!("viewers of {day}"));
            pepper.mac(&format!("{salt} {} {}", who.address, who.agent))
        }
    }
}
