//! Rows of `idempotency_key`.

use jiff::Timestamp;
use uuid::Uuid;

use super::Key;
use crate::db::{Db, StoreError, Tx, change, on, tx_change, tx_first};

/// Who is at work, and until when that is believed.
pub(super) struct Lease {
    pub(super) worker: Uuid,
    pub(super) until: Timestamp,
    pub(super) expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) request_hash: String,
    pub(super) answer: Option<String>,
}

const TABLE: &str = "idempotency_key";

/// Takes a key that nobody has, or whose worker died; tells whether it is taken.
pub(super) async fn take(
    tx: &mut Tx,
    key: &Key,
    request_hash: &str,
    lease: &Lease,
    now: Timestamp,
) -> Result<bool, StoreError> {
    // A conflict waits for the other's transaction, so that of two at once one gets it.
    let taken = tx_change!(
        tx,
        "INSERT INTO idempotency_key
         (account_id, key_hash, request_hash, worker, leased_until, expires_at, answer)
         VALUES ($1, $2, $3, $4, $5, $6, CAST(NULL AS TEXT))
         ON CONFLICT (account_id, key_hash) DO UPDATE
         SET request_hash = excluded.request_hash, worker = excluded.worker,
             leased_until = excluded.leased_until, expires_at = excluded.expires_at
         WHERE idempotency_key.answer IS NULL AND idempotency_key.leased_until <= $7",
        key.account.to_string(),
        &key.hash,
        request_hash,
        lease.worker.to_string(),
        lease.until.as_millisecond(),
        lease.expires_at.as_millisecond(),
        now.as_millisecond(),
    )
    .map_err(on(TABLE))?;
    Ok(taken == 1)
}

pub(super) async fn find(tx: &mut Tx, key: &Key) -> Result<Option<Row>, StoreError> {
    tx_first!(
        tx,
        "SELECT request_hash, answer FROM idempotency_key WHERE account_id = $1 AND key_hash = $2",
        key.account.to_string(),
        &key.hash,
    )
    .map_err(on(TABLE))
}

/// Keeps the answer, unless somebody else is at work by now.
pub(super) async fn answer(
    db: &Db,
    key: &Key,
    worker: Uuid,
    sealed: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE idempotency_key SET answer = $1
         WHERE account_id = $2 AND key_hash = $3 AND worker = $4",
        sealed,
        key.account.to_string(),
        &key.hash,
        worker.to_string(),
    )
    .map_err(on(TABLE))?;
    Ok(())
}

/// Lets go of a key, unless somebody else is at work by now.
pub(super) async fn give_up(db: &Db, key: &Key, worker: Uuid) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM idempotency_key WHERE account_id = $1 AND key_hash = $2 AND worker = $3",
        key.account.to_string(),
        &key.hash,
        worker.to_string(),
    )
    .map_err(on(TABLE))?;
    Ok(())
}

pub(super) async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "DELETE FROM idempotency_key WHERE expires_at <= $1",
        now.as_millisecond(),
    )
    .map_err(on(TABLE))?;
    Ok(())
}

pub(super) async fn forget_unanswered(db: &Db) -> Result<(), StoreError> {
    change!(db, "DELETE FROM idempotency_key WHERE answer IS NULL").map_err(on(TABLE))?;
    Ok(())
}
