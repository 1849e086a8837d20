//! All SQL about who somebody is to providers.

use jiff::Timestamp;
use uuid::Uuid;

use super::Identity;
use crate::accounts::AccountId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    issuer: String,
    label: String,
    created_at: i64,
    last_used_at: i64,
}

fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table: "identity",
        key: text.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

pub(super) async fn account_by_subject(
    db: &Db,
    issuer: &str,
    subject: &str,
) -> Result<Option<AccountId>, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT account_id FROM identity WHERE issuer = $1 AND subject = $2",
        issuer,
        subject,
    )
    .map_err(on("identity"))?;
    row.map(|row| uuid(&row.0).map(AccountId)).transpose()
}

pub(super) async fn touch(
    db: &Db,
    issuer: &str,
    subject: &str,
    label: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE identity SET last_used_at = $3, label = $4 WHERE issuer = $1 AND subject = $2",
        issuer,
        subject,
        now.as_millisecond(),
        label,
    )
    .map_err(on("identity"))?;
    Ok(())
}

pub(super) async fn insert(
    tx: &mut Tx,
    identity: &Identity,
    subject: &str,
    account: AccountId,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO identity (id, issuer, subject, account_id, label, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        identity.id.to_string(),
        &identity.issuer,
        subject,
        account.to_string(),
        &identity.label,
        identity.created_at.as_millisecond(),
        identity.last_used_at.as_millisecond(),
    )
    .map_err(on("identity"))?;
    Ok(())
}

pub(super) async fn identities(db: &Db, account: AccountId) -> Result<Vec<Identity>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        "SELECT id, issuer, label, created_at, last_used_at FROM identity
         WHERE account_id = $1 ORDER BY created_at, id",
        account.to_string(),
    )
    .map_err(on("identity"))?;
    let identities = rows.into_iter().map(|row| {
        Ok(Identity {
            id: uuid(&row.id)?,
            issuer: row.issuer,
            label: row.label,
            created_at: from_millis(row.created_at),
            last_used_at: from_millis(row.last_used_at),
        })
    });
    identities.collect()
}

pub(super) async fn delete(tx: &mut Tx, account: AccountId, id: Uuid) -> Result<bool, StoreError> {
    // The account's row stays locked on PostgreSQL, so that two links cannot go at once.
    tx_change!(
        tx,
        "UPDATE account SET level = level WHERE id = $1",
        account.to_string(),
    )
    .map_err(on("account"))?;
    let deleted = tx_change!(
        tx,
        "DELETE FROM identity WHERE account_id = $1 AND id = $2",
        account.to_string(),
        id.to_string(),
    )
    .map_err(on("identity"))?;
    Ok(deleted > 0)
}

/// Whether an account has a password or a provider.
pub(super) async fn has_way_in(tx: &mut Tx, account: AccountId) -> Result<bool, StoreError> {
    let row: Option<(String,)> = tx_first!(
        tx,
        "SELECT id FROM account WHERE id = $1 AND (password_hash <> ''
             OR EXISTS (SELECT 1 FROM identity WHERE identity.account_id = account.id))",
        account.to_string(),
    )
    .map_err(on("account"))?;
    Ok(row.is_some())
}
