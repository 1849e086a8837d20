//! All SQL about second steps and recovery codes.

use jiff::Timestamp;

use super::Stored;
use crate::accounts::AccountId;
use crate::db::{Db, StoreError, Tx, change, first, on, tx_change};
use crate::secret::Secret;

pub(super) async fn second_step(db: &Db, account: AccountId) -> Result<Option<Stored>, StoreError> {
    let row: Option<(String, Option<i64>)> = first!(
        db,
        "SELECT secret, confirmed_at FROM second_step WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("second_step"))?;
    Ok(row.map(|(secret, confirmed_at)| Stored {
        secret: Secret::new(secret),
        is_confirmed: confirmed_at.is_some(),
    }))
}

/// Whether it could be begun: one that is confirmed stays.
pub(super) async fn begin_second_step(
    db: &Db,
    account: AccountId,
    secret: &Secret,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let begun = change!(
        db,
        "INSERT INTO second_step (account_id, secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE
         SET secret = excluded.secret, created_at = excluded.created_at, last_step = 0
         WHERE second_step.confirmed_at IS NULL",
        account.to_string(),
        secret.reveal(),
        now.as_millisecond(),
    )
    .map_err(on("second_step"))?;
    Ok(begun > 0)
}

pub(super) async fn confirm_second_step(
    tx: &mut Tx,
    account: AccountId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE second_step SET confirmed_at = $2 WHERE account_id = $1",
        account.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("second_step"))?;
    Ok(())
}

/// Whether no code of that step or a later one was used before.
pub(super) async fn advance_second_step(
    db: &Db,
    account: AccountId,
    step: i64,
) -> Result<bool, StoreError> {
    let moved = change!(
        db,
        "UPDATE second_step SET last_step = $2 WHERE account_id = $1 AND last_step < $2",
        account.to_string(),
        step,
    )
    .map_err(on("second_step"))?;
    Ok(moved > 0)
}

pub(super) async fn delete_second_step(tx: &mut Tx, account: AccountId) -> Result<(), StoreError> {
    let key = account.to_string();
    tx_change!(tx, "DELETE FROM second_step WHERE account_id = $1", &key)
        .map_err(on("second_step"))?;
    delete_recovery_codes(tx, account).await
}

pub(super) async fn delete_recovery_codes(
    tx: &mut Tx,
    account: AccountId,
) -> Result<(), StoreError> {
    let key = account.to_string();
    tx_change!(tx, "DELETE FROM recovery_code WHERE account_id = $1", &key)
        .map_err(on("recovery_code"))?;
    Ok(())
}

pub(super) async fn insert_recovery_code(
    tx: &mut Tx,
    account: AccountId,
    code_hash: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO recovery_code (account_id, code_hash) VALUES ($1, $2)",
        account.to_string(),
        code_hash,
    )
    .map_err(on("recovery_code"))?;
    Ok(())
}

pub(super) async fn spend_recovery_code(
    db: &Db,
    account: AccountId,
    code_hash: &str,
) -> Result<bool, StoreError> {
    let spent = change!(
        db,
        "DELETE FROM recovery_code WHERE account_id = $1 AND code_hash = $2",
        account.to_string(),
        code_hash,
    )
    .map_err(on("recovery_code"))?;
    Ok(spent > 0)
}
