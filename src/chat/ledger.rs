//! [`Ledger`]: what was said is written down in batches, by one task, while the room goes on.
//!
//! While the database is away, up to [`MOST_WAITING`] entries wait for it; then nothing more may be said,
//! so that nothing that was accepted is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::message::Message;
use super::refusal::Refusal;
use super::store;
use crate::channels::ChannelId;
use crate::db::{Db, StoreError};
use crate::error::log_store_error;

/// What is to be written.
#[derive(Debug)]
pub(crate) enum Entry {
    Message {
        channel: ChannelId,
        message: Arc<Message>,
        is_held: bool,
    },
    Reactions(Vec<Reacted>),
    /// All before it is written, when this is answered.
    Settle(oneshot::Sender<()>),
}

/// So many reacted so within a second of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reacted {
    pub(crate) channel: ChannelId,
    pub(crate) stream: Uuid,
    pub(crate) stream_time_ms: i64,
    pub(crate) emoji: &'static str,
    pub(crate) amount: u32,
}

/// The way to the one who writes.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(mpsc::Sender<Entry>);

/// A place for one entry.
pub(crate) struct Place<'a>(mpsc::Permit<'a, Entry>);

impl Place<'_> {
    pub(crate) fn write(self, entry: Entry) {
        self.0.send(entry);
    }
}

const MOST_WAITING: usize = 10_000;
const BATCH: usize = 500;
/// What comes within this time is written together.
const TOGETHER: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// At the end: until those who are speaking have spoken, and until the database is given up.
const LAST_WORDS: Duration = Duration::from_millis(500);
const LAST_TRIES: Duration = Duration::from_secs(5);
/// A request waits this long for what was said before it.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

impl Ledger {
    /// Starts to write. What waits is written before the task ends, which the token makes it do.
    pub(crate) fn start(db: Db, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let task = tokio::spawn(run(db, receiver, stop));
        (Self(sender), task)
    }

    /// A place for what is about to be accepted.
    ///
    /// # Errors
    /// When too much waits.
    pub(crate) fn reserve(&self) -> Result<Place<'_>, Refusal> {
        self.0.try_reserve().map(Place).map_err(|_| {
            let words = "the server cannot write down what is said; try again in a moment";
            Refusal::new("busy", words).wait(LONGEST_PAUSE)
        })
    }

    /// Writes what may be lost.
    pub(crate) fn try_write(&self, entry: Entry) {
        if self.0.try_send(entry).is_err() {
            tracing::debug!("Reactions were not written down: too much waits");
        }
    }

    /// Waits until all that was said so far is written, or for two seconds.
    pub(crate) async fn settle(&self) {
        let (done, wait) = oneshot::channel();
        let settled = async {
            if self.0.send(Entry::Settle(done)).await.is_ok() {
                // The writer is gone only when the server stops.
                let _ = wait.await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_WITHIN, settled).await;
    }
}

async fn run(db: Db, mut entries: mpsc::Receiver<Entry>, stop: CancellationToken) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            taken = entries.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
            }
            () = stop.cancelled() => break,
        }
        let is_awaited = |entry: &Entry| matches!(entry, Entry::Settle(_));
        if !batch.iter().any(is_awaited) {
            tokio::time::sleep(TOGETHER).await;
            while batch.len() < BATCH
                && let Ok(entry) = entries.try_recv()
            {
                batch.push(entry);
            }
        }
        write_until_it_works(&db, &mut batch, &stop).await;
    }
    entries.close();
    // Who has a place already may still use it.
    let rest = async {
        while let Some(entry) = entries.recv().await {
            batch.push(entry);
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    let last = async {
        while let Err(error) = write(&db, &batch).await {
            if !error.is_unavailable() {
                return write_one_by_one(&db, &batch).await;
            }
            tokio::time::sleep(FIRST_PAUSE).await;
        }
    };
    if tokio::time::timeout(LAST_TRIES, last).await.is_err() {
        let lost = batch.len();
        tracing::error!(
            lost,
            "The database was away at the end: {lost} entries of the chat are lost"
        );
    }
}

/// Writes a batch, however long the database is away, but for the end of the server.
async fn write_until_it_works(db: &Db, batch: &mut Vec<Entry>, stop: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        match write(db, batch).await {
            Ok(()) => break,
            Err(error) if error.is_unavailable() => {
                if pause == FIRST_PAUSE {
                    log_store_error(&error);
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(_) => {
                write_one_by_one(db, batch).await;
                break;
            }
        }
    }
    for entry in batch.drain(..) {
        if let Entry::Settle(done) = entry {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }
}

/// One that cannot be written, as of a channel that was deleted meanwhile, must not keep the others.
async fn write_one_by_one(db: &Db, batch: &[Entry]) {
    for entry in batch {
        if let Err(error) = write(db, std::slice::from_ref(entry)).await {
            tracing::warn!(%error, "An entry of the chat could not be written: {error}");
        }
    }
}

async fn write(db: &Db, batch: &[Entry]) -> Result<(), StoreError> {
    let is_something = |entry: &Entry| !matches!(entry, Entry::Settle(_));
    if !batch.iter().any(is_something) {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for entry in batch {
        match entry {
            Entry::Message {
                channel,
                message,
                is_held,
            } => store::insert_message(&mut tx, *channel, message, *is_held).await?,
            Entry::Reactions(all) => {
                for reacted in all {
                    store::add_reactions(&mut tx, reacted).await?;
                }
            }
            Entry::Settle(_) => {}
        }
    }
    tx.commit().await
}
