//! All SQL about invites.

use jiff::Timestamp;
use uuid::Uuid;

use super::Invite;
use crate::accounts::Role;
use crate::accounts::store::{role, uuid};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, on, tx_change, tx_first};
use crate::page::Cursor;

#[derive(sqlx::FromRow)]
struct InviteRow {
    id: String,
    note: String,
    level: String,
    created_by: Option<String>,
    created_at: i64,
    expires_at: i64,
    most_uses: i64,
    uses: i64,
}

impl InviteRow {
    fn into_invite(self) -> Result<Invite, StoreError> {
        let by = self.created_by.as_deref();
        Ok(Invite {
            id: uuid("invite", &self.id)?,
            role: role("invite", &self.id, &self.level)?,
            created_by: by.map(|id| uuid("invite", id)).transpose()?,
            note: self.note,
            created_at: from_millis(self.created_at),
            expires_at: from_millis(self.expires_at),
            most_uses: u32::try_from(self.most_uses).unwrap_or(u32::MAX),
            uses: u32::try_from(self.uses).unwrap_or(u32::MAX),
        })
    }
}

pub(super) async fn insert_invite(
    tx: &mut Tx,
    invite: &Invite,
    code_hash: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO invite
         (id, code_hash, note, level, created_by, created_at, expires_at, most_uses)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        invite.id.to_string(),
        code_hash,
        &invite.note,
        invite.role.as_str(),
        invite.created_by.map(|by| by.to_string()),
        invite.created_at.as_millisecond(),
        invite.expires_at.as_millisecond(),
        i64::from(invite.most_uses),
    )
    .map_err(on("invite"))?;
    Ok(())
}

pub(super) async fn invites(
    db: &Db,
    behind: &Cursor,
    most: u16,
) -> Result<Vec<Invite>, StoreError> {
    let rows: Vec<InviteRow> = all!(
        db,
        "SELECT id, note, level, created_by, created_at, expires_at, most_uses, uses FROM invite
         WHERE created_at < $1 OR (created_at = $1 AND id < $2)
         ORDER BY created_at DESC, id DESC LIMIT $3",
        behind.at_ms(),
        behind.id(),
        i64::from(most),
    )
    .map_err(on("invite"))?;
    rows.into_iter().map(InviteRow::into_invite).collect()
}

pub(super) async fn delete_invite(tx: &mut Tx, id: Uuid) -> Result<bool, StoreError> {
    let gone =
        tx_change!(tx, "DELETE FROM invite WHERE id = $1", id.to_string()).map_err(on("invite"))?;
    Ok(gone > 0)
}

/// Uses an invite once, if it still may be; gives what accounts by it may do.
pub(super) async fn spend_invite(
    tx: &mut Tx,
    code_hash: &str,
    now: Timestamp,
) -> Result<Option<Role>, StoreError> {
    let row: Option<(String, String)> = tx_first!(
        tx,
        "UPDATE invite SET uses = uses + 1
         WHERE code_hash = $1 AND expires_at > $2 AND uses < most_uses RETURNING id, level",
        code_hash,
        now.as_millisecond(),
    )
    .map_err(on("invite"))?;
    row.map(|(id, level)| role("invite", &id, &level))
        .transpose()
}
