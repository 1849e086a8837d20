//! All SQL about settings.

use jiff::Timestamp;
use uuid::Uuid;

use super::ChangedSetting;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, on, tx_change};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: String,
    changed_at: i64,
    changed_by: Option<String>,
}

impl Row {
    pub(super) fn into_changed(self) -> ChangedSetting {
        let by = self.changed_by.as_deref();
        ChangedSetting {
            changed_at: from_millis(self.changed_at),
            changed_by: by.and_then(|id| Uuid::parse_str(id).ok()),
            field: self.key,
        }
    }
}

pub(super) async fn all_of(db: &Db) -> Result<Vec<Row>, StoreError> {
    all!(
        db,
        "SELECT key, value, changed_at, changed_by FROM setting ORDER BY key",
    )
    .map_err(on("setting"))
}

/// Forgets what admins set. False: they did not.
pub(super) async fn delete(tx: &mut Tx, key: &str) -> Result<bool, StoreError> {
    let changed =
        tx_change!(tx, "DELETE FROM setting WHERE key = $1", key).map_err(on("setting"))?;
    Ok(changed == 1)
}

pub(super) async fn set(
    tx: &mut Tx,
    key: &str,
    value: &str,
    now: Timestamp,
    by: Uuid,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO setting (key, value, changed_at, changed_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value,
             changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        key,
        value,
        now.as_millisecond(),
        by.to_string(),
    )
    .map_err(on("setting"))?;
    Ok(())
}
