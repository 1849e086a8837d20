//! The table `node`.

use jiff::Timestamp;
use uuid::Uuid;

use super::SLOTS;
use crate::db::{Db, StoreError, change, first, on};

/// The slot of a server, as which that process runs from now on: the one that it has, else the lowest
/// that is free, else that of one which is forgotten. None: there is none.
pub(super) async fn take_slot(
    db: &Db,
    id: Uuid,
    run: Uuid,
    now: Timestamp,
    forgotten: Timestamp,
) -> Result<Option<i64>, StoreError> {
    for may_take in [false, true] {
        for slot in 0..i64::from(SLOTS) {
            if let Some(own) = slot_of(db, id).await? {
                enter(db, id, run, now).await?;
                return Ok(Some(own));
            }
            if may_take {
                change!(
                    db,
                    "DELETE FROM node WHERE slot = $1 AND seen_at < $2",
                    slot,
                    forgotten.as_millisecond(),
                )
                .map_err(on("node"))?;
            }
            // Another may take it at the same time.
            change!(
                db,
                "INSERT INTO node (id, slot, run, seen_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                id.to_string(),
                slot,
                run.to_string(),
                now.as_millisecond(),
            )
            .map_err(on("node"))?;
        }
    }
    slot_of(db, id).await
}

async fn slot_of(db: &Db, id: Uuid) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> =
        first!(db, "SELECT slot FROM node WHERE id = $1", id.to_string()).map_err(on("node"))?;
    Ok(row.map(|row| row.0))
}

async fn enter(db: &Db, id: Uuid, run: Uuid, now: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE node SET run = $2, seen_at = $3 WHERE id = $1",
        id.to_string(),
        run.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("node"))?;
    Ok(())
}

/// A server runs. False: it is another process that runs as this server.
pub(super) async fn see(db: &Db, id: Uuid, run: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let seen = change!(
        db,
        "UPDATE node SET seen_at = $3 WHERE id = $1 AND run = $2",
        id.to_string(),
        run.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("node"))?;
    Ok(seen == 1)
}

/// How many servers there are, or were lately.
pub(super) async fn count(db: &Db) -> Result<i64, StoreError> {
    let row: Option<(i64,)> =
        first!(db, "SELECT CAST(COUNT(*) AS BIGINT) FROM node").map_err(on("node"))?;
    Ok(row.map_or(0, |row| row.0))
}
