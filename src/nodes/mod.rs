//! [`Node`]: which server this is, of those that share a database.

mod store;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::secret::random_bytes;

/// A server among those that share a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// It stays the same as long as its data folder does.
    pub id: Uuid,
    /// Below [`SLOTS`]; no other server has the same.
    pub slot: u8,
    /// This process.
    run: Uuid,
    /// There are no others.
    is_alone: bool,
    /// When it started, none had been there before.
    is_first: bool,
}

/// Why it is not known which server this is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The file that says it.
    #[error("cannot use {path}: {source}; delete it, and another is made", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// All places are taken.
    #[error(
        "{SLOTS} servers share this database already; one that has been stopped for ten minutes makes room"
    )]
    Full,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Servers that can share a database.
pub const SLOTS: u8 = 32;
/// A server says so often that it runs.
const BEAT: Duration = Duration::from_secs(15);
/// One that has not said so for this long does not.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// When all slots are taken, that of one which has not said so for this long is free.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

impl Node {
    /// The one that runs in that data folder, among others.
    ///
    /// # Errors
    /// When the folder cannot be used, or too many servers share the database.
    pub async fn open(data: &Path, db: &Db, clock: &Clock) -> Result<Self, NodeError> {
        let mut node = Self::alone(data)?;
        let now = clock.now();
        let slot = store::take_slot(db, node.id, node.run, now, now - FORGOTTEN_AFTER).await?;
        let slot = slot.and_then(|slot| u8::try_from(slot).ok());
        node.slot = slot.filter(|slot| *slot < SLOTS).ok_or(NodeError::Full)?;
        node.is_alone = false;
        node.is_first = store::count(db).await? == 1;
        Ok(node)
    }

    /// The one that runs in that data folder, with a database of its own.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn alone(data: &Path) -> Result<Self, NodeError> {
        let path = data.join("node");
        let id = read_or_make(&path).map_err(|source| NodeError::File { path, source })?;
        Ok(Self {
            id,
            slot: 0,
            run: uuid::Builder::from_random_bytes(random_bytes()).into_uuid(),
            is_alone: true,
            is_first: true,
        })
    }

    /// Says again and again that this server runs, until the token is cancelled.
    pub async fn beat(self, db: Db, clock: Clock, stop: CancellationToken) {
        if self.is_alone {
            return;
        }
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = stop.cancelled() => return,
            }
            match store::see(&db, self.id, self.run, clock.now()).await {
                Ok(true) => {}
                Ok(false) => tracing::error!(
                    "Another server goes by the identity of this one, and messages get lost; stop \
                     it, delete the file `node` in its data folder if that was copied from here, \
                     and start both again"
                ),
                Err(error) => log_store_error(&error),
            }
        }
    }

    /// Whether there are no others.
    #[must_use]
    pub fn is_alone(self) -> bool {
        self.is_alone
    }

    /// Servers that have said nothing since then do not run; a server that is alone knows that of all.
    #[must_use]
    pub fn lost_before(self, now: Timestamp) -> Timestamp {
        match self.is_alone {
            true => Timestamp::MAX,
            false => now - LOST_AFTER,
        }
    }

    /// Whether there was no other when it started, so that what is nobody's is its own.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.is_first
    }

    /// By what it is told whose something is; empty, where all is this server's.
    #[must_use]
    pub fn owner(self) -> String {
        match self.is_alone {
            true => String::new(),
            false => self.id.to_string(),
        }
    }
}

fn read_or_make(path: &Path) -> io::Result<Uuid> {
    match fs::read_to_string(path) {
        Ok(text) => Uuid::parse_str(text.trim())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it holds no UUID")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = uuid::Builder::from_random_bytes(random_bytes()).into_uuid();
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            writeln!(file, "{id}")?;
            file.sync_all()?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_stays_who_it_is_and_no_two_have_one_slot() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let shared = tempfile::tempdir().unwrap();
        let db = Db::open("", 1, shared.path()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Clock::system();
        let mut slots = Vec::new();
        for folder in &folders {
            let node = Node::open(folder.path(), &db, &clock).await.unwrap();
            let again = Node::open(folder.path(), &db, &clock).await.unwrap();
            assert_eq!((again.id, again.slot), (node.id, node.slot));
            let (before, now) = (node.run, again.run);
            assert!(!store::see(&db, node.id, before, clock.now()).await.unwrap());
            assert!(store::see(&db, node.id, now, clock.now()).await.unwrap());
            slots.push(node.slot);
        }
        assert_eq!(slots, [0, 1, 2]);
        let alone = Node::alone(folders[1].path()).unwrap();
        assert_eq!(alone.lost_before(clock.now()), Timestamp::MAX);
    }

    #[tokio::test]
    async fn who_has_long_been_gone_makes_room() {
        let shared = tempfile::tempdir().unwrap();
        let db = Db::open("", 1, shared.path()).await.unwrap();
        db.migrate().await.unwrap();
        let now = Timestamp::now();
        let forgotten = now - FORGOTTEN_AFTER;
        let take = async |n: u128, at| {
            let id = Uuid::from_u128(n);
            let slot = store::take_slot(&db, id, Uuid::nil(), at, forgotten).await;
            slot.unwrap()
        };
        for n in 0..u128::from(SLOTS) {
            let at = if n == 7 { forgotten - BEAT } else { now };
            assert!(take(n, at).await.is_some());
        }
        assert_eq!(take(100, now).await, Some(7));
        assert_eq!(take(101, now).await, None);
    }
}
