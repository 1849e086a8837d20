//! The task that looks at streams and writes down what it sees.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::health::{EVERY_MS, Moment, thin};
use super::pending::Pending;
use super::{row_id, store};
use crate::channels::Pepper;
use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::streams::Streams;

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Command {
    WriteNow(oneshot::Sender<()>),
    SampleNow(oneshot::Sender<()>),
    ThinNow(oneshot::Sender<()>),
    Unwritten(Uuid, oneshot::Sender<Vec<Moment>>),
}

pub(super) struct Keeper {
    db: Db,
    streams: Streams,
    clock: Clock,
    pepper: Pepper,
    pending: Pending,
    /// What each publisher had dropped when it was last looked at.
    dropped: std::collections::HashMap<Uuid, i64>,
    writes: u64,
}

const WRITE: Duration = Duration::from_secs(10);
const SAMPLE: Duration = Duration::from_millis(EVERY_MS.unsigned_abs());
const THIN: Duration = Duration::from_secs(1_800);
/// Numbers and samples are written with every so many writes of viewings: once a minute.
const WRITES_A_MINUTE: u64 = 6;
/// Older samples are made minutes.
const FINE_FOR_MS: i64 = 7 * 24 * 3_600_000;
const THINNED_SPAN_MS: i64 = 60_000;

impl Keeper {
    pub(super) fn new(db: Db, streams: Streams, clock: Clock, pepper: Pepper) -> Self {
        Self {
            db,
            streams,
            clock,
            pepper,
            pending: Pending::default(),
            dropped: std::collections::HashMap::new(),
            writes: 0,
        }
    }

    /// Runs until the token is cancelled; then writes what is known.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) {
        let (mut write, mut sample, mut thin) = (every(WRITE), every(SAMPLE), every(THIN));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = commands.recv() => self.handle(command).await,
                _ = sample.tick() => self.sample().await,
                _ = write.tick() => {
                    self.writes += 1;
                    self.write(self.writes.is_multiple_of(WRITES_A_MINUTE)).await;
                }
                _ = thin.tick() => report(self.thin().await),
            }
        }
        self.look(true).await;
        self.pending.close_minutes();
        self.write_all(true).await;
    }

    async fn handle(&mut self, command: Command) {
        // Whoever asked may have gone.
        match command {
            Command::WriteNow(reply) => {
                self.look(true).await;
                self.pending.close_minutes();
                self.write_all(true).await;
                let _ = reply.send(());
            }
            Command::SampleNow(reply) => {
                self.sample().await;
                let _ = reply.send(());
            }
            Command::ThinNow(reply) => {
                report(self.thin().await);
                let _ = reply.send(());
            }
            Command::Unwritten(stream, reply) => {
                let of_it = self.pending.moments.iter().filter(|(of, _)| *of == stream);
                let _ = reply.send(of_it.map(|(_, moment)| *moment).collect());
            }
        }
    }

    async fn sample(&mut self) {
        let now_ms = self.clock.now().as_millisecond();
        let samples = self.streams.samples().await;
        let mut dropped = std::collections::HashMap::new();
        for (live, mut sample) in samples {
            let stream = row_id(live.stream);
            let before = self.dropped.get(&stream).copied().unwrap_or(0);
            dropped.insert(stream, sample.dropped);
            // Another publisher begins to count anew.
            sample.dropped = match sample.dropped >= before {
                true => sample.dropped - before,
                false => sample.dropped,
            };
            self.pending
                .take_moment(stream, Moment::new(now_ms, sample));
        }
        self.dropped = dropped;
    }

    async fn look(&mut self, all: bool) {
        let now_ms = self.clock.now().as_millisecond();
        for changed in self.streams.take_viewers(all).await {
            let stream = row_id(changed.stream);
            self.pending.take(stream, changed, &self.pepper, now_ms);
        }
    }

    async fn write(&mut self, with_numbers: bool) {
        self.look(false).await;
        let is_any_over = self.pending.numbers.values().any(|added| added.is_over);
        self.write_all(with_numbers || is_any_over).await;
    }

    /// What is not taken stays for the next time.
    async fn write_all(&mut self, with_numbers: bool) {
        let pending = &mut self.pending;
        report(store::write_viewings(&self.db, &mut pending.viewings, &mut pending.replaced).await);
        if with_numbers {
            report(store::add_numbers(&self.db, &mut pending.numbers).await);
            report(store::write_minutes(&self.db, &mut pending.minutes).await);
            let now_ms = self.clock.now().as_millisecond();
            report(store::write_moments(&self.db, &mut pending.moments, now_ms).await);
        }
    }

    /// Makes minutes of what is old, a stream at a time.
    async fn thin(&self) -> Result<(), StoreError> {
        let before_ms = self.clock.now().as_millisecond() - FINE_FOR_MS;
        while let Some(stream) = store::fine_before(&self.db, before_ms).await? {
            let fine = store::moments(&self.db, stream, i64::MIN, before_ms).await?;
            let coarse = thin(&fine, THINNED_SPAN_MS);
            store::replace_moments(&self.db, stream, before_ms, &coarse).await?;
        }
        Ok(())
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn report(done: Result<(), StoreError>) {
    if let Err(error) = done {
        log_store_error(&error);
    }
}
