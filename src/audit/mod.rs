//! The audit log: who did what that matters, such as a role that was given or a stream that was ended.
//!
//! Rows are added in the transaction of what they tell, so that both happen or neither. Each carries
//! the hash of the one before it, and the head that of the last: a row that was changed, left out or
//! cut off afterwards shows in [`Audit::check`]. It keeps no secrets, no addresses and no mail.

mod store;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Db, StoreError, Tx};
use crate::secret::hex;

/// The log: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Audit {
    db: Db,
    clock: Clock,
}

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Counts from 1, without gaps.
    pub seq: i64,
    /// When it was done.
    pub at: Timestamp,
    /// The account that did it; none for the server itself and for its commands.
    pub actor: Option<Uuid>,
    /// What it did, such as `account.role_changed`.
    pub action: String,
    /// What it did it to, such as the id of an account.
    pub target: String,
    /// More, by the action.
    pub detail: Value,
}

/// Which entries somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// How the action begins; empty: any.
    pub action: String,
    /// Who did it; none: anybody.
    pub actor: Option<Uuid>,
    /// What it was done to; empty: anything.
    pub target: String,
}

/// What [`Audit::check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soundness {
    /// Every entry is there and as it was written; this many.
    Whole(i64),
    /// The entry of this number was changed, or is missing.
    BrokenAt(i64),
}

/// An entry as it lies in the table.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    actor_id: Option<String>,
    action: String,
    target: String,
    detail: String,
    previous_hash: String,
    hash: String,
}

/// Rows that are checked at once.
const CHUNK: i64 = 1_000;

impl Audit {
    /// The log in a database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Writes down what an account does, in the transaction that does it. Others who write wait for
    /// that one to end: call it last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(
        &self,
        tx: &mut Tx,
        actor: Option<Uuid>,
        action: &'static str,
        target: &str,
        detail: &impl Serialize,
    ) -> Result<(), StoreError> {
        let detail = serde_json::to_string(detail).map_err(|error| StoreError::Corrupt {
            table: "audit",
            key: action.to_owned(),
            expected: "what JSON can hold",
            found: error.to_string(),
        })?;
        let (seq, previous_hash) = store::claim(tx).await?;
        let mut row = Row {
            seq,
            at: self.clock.now().as_millisecond(),
            actor_id: actor.map(|actor| actor.to_string()),
            action: action.to_owned(),
            target: target.to_owned(),
            detail,
            previous_hash,
            hash: String::new(),
        };
        row.hash = row.digest();
        store::insert(tx, &row).await
    }

    /// [`Audit::note`] in a transaction of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_now(
        &self,
        actor: Option<Uuid>,
        action: &'static str,
        target: &str,
        detail: &impl Serialize,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        self.note(&mut tx, actor, action, target, detail).await?;
        tx.commit().await
    }

    /// At most so many entries, newest first, of those numbered below `before`; none: all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(&self, before: Option<i64>, most: u16) -> Result<Vec<Entry>, StoreError> {
        let rows = store::before(&self.db, before.unwrap_or(i64::MAX), most).await?;
        rows.into_iter().map(Row::into_entry).collect()
    }

    /// [`Audit::page`] of what somebody looks for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        most: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let rows = store::search(&self.db, filter, before, most).await?;
        rows.into_iter().map(Row::into_entry).collect()
    }

    /// What an account did, newest first, for its own export.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, actor: Uuid, most: u16) -> Result<Vec<Entry>, StoreError> {
        let rows = store::by_actor(&self.db, &actor.to_string(), most).await?;
        rows.into_iter().map(Row::into_entry).collect()
    }

    /// Reads the whole chain and holds each hash against what it stands for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> Result<Soundness, StoreError> {
        // The head first: what is written meanwhile lies behind it.
        let (last, head) = store::head(&self.db).await?;
        let (mut seq, mut hash) = (0, String::new());
        while seq < last {
            let rows = store::after(&self.db, seq, last, CHUNK).await?;
            if rows.is_empty() {
                return Ok(Soundness::BrokenAt(seq + 1));
            }
            for row in rows {
                seq += 1;
                if row.seq != seq || row.previous_hash != hash || row.hash != row.digest() {
                    return Ok(Soundness::BrokenAt(seq));
                }
                hash = row.hash;
            }
        }
        match hash == head {
            true => Ok(Soundness::Whole(last)),
            false => Ok(Soundness::BrokenAt(last)),
        }
    }
}

impl Row {
    /// The hash of all else; lengths keep a field from running into the next.
    fn digest(&self) -> String {
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        let fields = [
            &self.previous_hash,
            &seq,
            &at,
            self.actor_id.as_deref().unwrap_or_default(),
            &self.action,
            &self.target,
            &self.detail,
        ];
        let mut digest = Sha256::new();
        for field in fields {
            digest.update(field.len().to_be_bytes());
            digest.update(field.as_bytes());
        }
        hex(&digest.finalize())
    }

    fn into_entry(self) -> Result<Entry, StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "audit",
            key: self.seq.to_string(),
            expected,
            found: found.to_owned(),
        };
        let actor = self.actor_id.as_deref();
        let actor = actor.map(|id| Uuid::parse_str(id).map_err(|_| corrupt("a UUID", id)));
        let detail = serde_json::from_str(&self.detail);
        Ok(Entry {
            actor: actor.transpose()?,
            detail: detail.map_err(|_| corrupt("JSON", &self.detail))?,
            seq: self.seq,
            at: crate::clock::from_millis(self.at),
            action: self.action,
            target: self.target,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            seq: 1,
            at: 2,
            actor_id: None,
            action: "account.created".to_owned(),
            target: "ab".to_owned(),
            detail: "c".to_owned(),
            previous_hash: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let hash = row().digest();
        let others = [
            Row { seq: 2, ..row() },
            Row { at: 3, ..row() },
            Row {
                actor_id: Some("x".to_owned()),
                ..row()
            },
            Row {
                target: "a".to_owned(),
                detail: "bc".to_owned(),
                ..row()
            },
            Row {
                previous_hash: "y".to_owned(),
                ..row()
            },
        ];
        for other in others {
            assert_ne!(other.digest(), hash, "{other:?}");
        }
    }
}
