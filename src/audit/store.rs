//! All SQL about the audit log.

use super::{AuditFilter, Row};
use crate::db::{Db, StoreError, Tx, all, first, on, tx_change, tx_first};

/// The next number, and the hash of the entry before it. Who else writes waits from here to the end
/// of the transaction, so that the chain has one end.
pub(super) async fn claim(tx: &mut Tx) -> Result<(i64, String), StoreError> {
    tx_change!(tx, "UPDATE audit_head SET seq = seq + 1 WHERE id = 1").map_err(on("audit_head"))?;
    let head: Option<(i64, String)> =
        tx_first!(tx, "SELECT seq, hash FROM audit_head WHERE id = 1").map_err(on("audit_head"))?;
    head.ok_or_else(no_head)
}

pub(super) async fn insert(tx: &mut Tx, row: &Row) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO audit (seq, at, actor_id, action, target, detail, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        row.seq,
        row.at,
        &row.actor_id,
        &row.action,
        &row.target,
        &row.detail,
        &row.previous_hash,
        &row.hash,
    )
    .map_err(on("audit"))?;
    tx_change!(
        tx,
        "UPDATE audit_head SET hash = $1 WHERE id = 1",
        &row.hash
    )
    .map_err(on("audit_head"))?;
    Ok(())
}

pub(super) async fn head(db: &Db) -> Result<(i64, String), StoreError> {
    let head: Option<(i64, String)> =
        first!(db, "SELECT seq, hash FROM audit_head WHERE id = 1").map_err(on("audit_head"))?;
    head.ok_or_else(no_head)
}

pub(super) async fn before(db: &Db, seq: i64, most: u16) -> Result<Vec<Row>, StoreError> {
    all!(
        db,
        "SELECT seq, at, actor_id, action, target, detail, previous_hash, hash
         FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        seq,
        i64::from(most),
    )
    .map_err(on("audit"))
}

pub(super) async fn search(
    db: &Db,
    filter: &AuditFilter,
    before: i64,
    most: u16,
) -> Result<Vec<Row>, StoreError> {
    // PostgreSQL has no NUL in texts, and nothing of ours has any.
    let plain = |text: &str| text.replace('\0', "");
    let action = plain(&filter.action)
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    let actor = filter.actor.map(|id| id.to_string());
    all!(
        db,
        "SELECT seq, at, actor_id, action, target, detail, previous_hash, hash
         FROM audit
         WHERE seq < $1 AND action LIKE $2 ESCAPE '\\' AND ($3 = '' OR actor_id = $3)
           AND ($4 = '' OR target = $4)
         ORDER BY seq DESC LIMIT $5",
        before,
        format!("{action}%"),
        actor.unwrap_or_default(),
        plain(&filter.target),
        i64::from(most),
    )
    .map_err(on("audit"))
}

pub(super) async fn by_actor(db: &Db, actor: &str, most: u16) -> Result<Vec<Row>, StoreError> {
    all!(
        db,
        "SELECT seq, at, actor_id, action, target, detail, previous_hash, hash
         FROM audit WHERE actor_id = $1 ORDER BY seq DESC LIMIT $2",
        actor,
        i64::from(most),
    )
    .map_err(on("audit"))
}

pub(super) async fn after(db: &Db, seq: i64, last: i64, most: i64) -> Result<Vec<Row>, StoreError> {
    all!(
        db,
        "SELECT seq, at, actor_id, action, target, detail, previous_hash, hash
         FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        seq,
        last,
        most,
    )
    .map_err(on("audit"))
}

fn no_head() -> StoreError {
    StoreError::Corrupt {
        table: "audit_head",
        key: "1".to_owned(),
        expected: "the end of the chain",
        found: "nothing".to_owned(),
    }
}
