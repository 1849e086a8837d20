//! The table `node`.

use jiff::Timestamp;
use uuid::Uuid;

use super::SLOTS;
use crate::db::{Db, StoreError, change, first, on};

/// The slot of a server: the one that it has, else the lowest that is free. None: there is none.
pub(super) async fn take_slot(
    db: &Db,
    id: Uuid,
    now: Timestamp,
    forgotten: Timestamp,
) -> Result<Option<i64>, StoreError> {
    for slot in 0..i64::from(SLOTS) {
        if let Some(own) = slot_of(db, id).await? {
            see(db, id, now).await?;
            return Ok(Some(own));
        }
        change!(
            db,
            "DELETE FROM node WHERE slot = $1 AND seen_at < $2",
            slot,
            forgotten.as_millisecond(),
        )
        .map_err(on("node"))?;
        // Another may take it at the same time.
        change!(
            db,
            "INSERT INTO node (id, slot, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            id.to_string(),
            slot,
            now.as_millisecond(),
        )
        .map_err(on("node"))?;
    }
    slot_of(db, id).await
}

async fn slot_of(db: &Db, id: Uuid) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> =
        first!(db, "SELECT slot FROM node WHERE id = $1", id.to_string()).map_err(on("node"))?;
    Ok(row.map(|row| row.0))
}

/// A server runs.
pub(super) async fn see(db: &Db, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE node SET seen_at = $2 WHERE id = $1",
        id.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("node"))?;
    Ok(())
}
