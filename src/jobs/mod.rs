//! Work that outlives the request that asks for it: mails, pushes, webhooks.
//!
//! A job is a row, written in the transaction of whatever causes it, so that both happen or neither.
//! The worker takes rows that are due, some at once, puts off what failed, longer each time, and gives
//! up when a kind's patience is over. Work is done at least once: after a crash it is done again.

mod store;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

pub use worker::{JobError, Try, Worker};

use crate::clock::Clock;
use crate::db::{Db, StoreError, Tx};

/// The queue: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Jobs {
    db: Db,
    clock: Clock,
    wake: Arc<Notify>,
}

/// A job as it stands in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Which work it is, such as `mail`.
    pub kind: String,
    /// What the work is about, as JSON.
    pub payload: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How often it was taken.
    pub attempts: u32,
}

/// A job that was given up, without what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// Its id.
    pub id: Uuid,
    /// Which work it is.
    pub kind: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was given up.
    pub failed_at: Timestamp,
    /// How often it was taken.
    pub attempts: u32,
    /// What went wrong the last time.
    pub problem: String,
}

impl Jobs {
    /// The queue in a database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            wake: Arc::default(),
        }
    }

    /// Asks for work in the caller's transaction. It begins within [`worker::LOOK_EVERY`] of the
    /// commit, at once where [`Jobs::wake`] follows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(
        &self,
        tx: &mut Tx,
        kind: &'static str,
        payload: &impl Serialize,
    ) -> Result<(), StoreError> {
        self.enqueue_in(tx, kind, payload, Duration::ZERO).await
    }

    /// [`Jobs::enqueue`] of work that waits for so long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_in(
        &self,
        tx: &mut Tx,
        kind: &'static str,
        payload: &impl Serialize,
        wait: Duration,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let payload = serde_json::to_string(payload).map_err(|error| StoreError::Corrupt {
            table: "job",
            key: kind.to_owned(),
            expected: "what JSON can hold",
            found: error.to_string(),
        })?;
        let job = Job {
            id: Uuid::now_v7(),
            kind: kind.to_owned(),
            payload,
            created_at: now,
            attempts: 0,
        };
        store::insert(tx, &job, now + wait).await
    }

    /// [`Jobs::enqueue`] in a transaction of its own, and the worker is woken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_now(
        &self,
        kind: &'static str,
        payload: &impl Serialize,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        self.enqueue(&mut tx, kind, payload).await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    /// There is new work, and its transaction is committed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The last jobs that were given up, at most a hundred.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed(&self) -> Result<Vec<FailedJob>, StoreError> {
        store::failed(&self.db).await
    }

    /// Tries a job again that was given up. False: there is no such one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = store::retry(&self.db, id, self.clock.now()).await?;
        self.wake();
        Ok(found)
    }

    /// How many jobs wait or run, and how many were given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self) -> Result<(i64, i64), StoreError> {
        store::count(&self.db).await
    }
}
