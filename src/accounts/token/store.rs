//! All SQL about personal tokens.

use jiff::Timestamp;
use uuid::Uuid;

use super::{AccessToken, joined};
use crate::accounts::scope::Scope;
use crate::accounts::store::{AccountRow, uuid};
use crate::accounts::{Account, AccountId};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct TokenRow {
    token_id: String,
    token_name: String,
    prefix: String,
    scopes: String,
    token_created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl TokenRow {
    fn into_token(self) -> Result<AccessToken, StoreError> {
        // A scope that there is no more gives nothing.
        let scopes = self.scopes.split(' ').filter_map(Scope::read).collect();
        Ok(AccessToken {
            id: uuid("access_token", &self.token_id)?,
            name: self.token_name,
            prefix: self.prefix,
            scopes,
            created_at: from_millis(self.token_created_at),
            expires_at: self.expires_at.map(from_millis),
            last_used_at: self.last_used_at.map(from_millis),
        })
    }
}

pub(super) async fn count_tokens(tx: &mut Tx, account: AccountId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM access_token WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("access_token"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn insert_token(
    tx: &mut Tx,
    account: AccountId,
    token: &AccessToken,
    hash: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO access_token
         (id, account_id, name, token_hash, prefix, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        token.id.to_string(),
        account.to_string(),
        &token.name,
        hash,
        &token.prefix,
        joined(&token.scopes),
        token.created_at.as_millisecond(),
        token.expires_at.map(|expires| expires.as_millisecond()),
    )
    .map_err(on("access_token"))?;
    Ok(())
}

pub(super) async fn tokens_of(db: &Db, account: AccountId) -> Result<Vec<AccessToken>, StoreError> {
    let rows: Vec<TokenRow> = all!(
        db,
        "SELECT id AS token_id, name AS token_name, prefix, scopes, created_at AS token_created_at,
                expires_at, last_used_at
         FROM access_token WHERE account_id = $1 ORDER BY created_at DESC, id DESC",
        account.to_string(),
    )
    .map_err(on("access_token"))?;
    rows.into_iter().map(TokenRow::into_token).collect()
}

pub(super) async fn delete_token(
    tx: &mut Tx,
    account: AccountId,
    id: Uuid,
) -> Result<bool, StoreError> {
    let gone = tx_change!(
        tx,
        "DELETE FROM access_token WHERE account_id = $1 AND id = $2",
        account.to_string(),
        id.to_string(),
    )
    .map_err(on("access_token"))?;
    Ok(gone > 0)
}

#[derive(sqlx::FromRow)]
struct ByTokenRow {
    #[sqlx(flatten)]
    account: AccountRow,
    #[sqlx(flatten)]
    token: TokenRow,
}

pub(super) async fn account_by_token(
    db: &Db,
    hash: &str,
) -> Result<Option<(Account, AccessToken)>, StoreError> {
    let row: Option<ByTokenRow> = first!(
        db,
        "SELECT account.id AS id, account.name AS name, level, avatar, password_hash,
                account.created_at AS created_at, access_token.id AS token_id,
                access_token.name AS token_name, prefix, scopes,
                access_token.created_at AS token_created_at, expires_at, last_used_at
         FROM access_token JOIN account ON account.id = access_token.account_id
         WHERE token_hash = $1 AND suspended_at IS NULL",
        hash,
    )
    .map_err(on("access_token"))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (account, _) = row.account.into_account()?;
    Ok(Some((account, row.token.into_token()?)))
}

pub(super) async fn touch_token(db: &Db, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE access_token SET last_used_at = $2 WHERE id = $1",
        id.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("access_token"))?;
    Ok(())
}
