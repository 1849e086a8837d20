//! All SQL about accounts and logins.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Account, AccountId, Role};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, change, first, on, tx_change};

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: String,
    name: String,
    level: String,
    avatar: Option<String>,
    password_hash: String,
    created_at: i64,
}

impl AccountRow {
    fn into_account(self) -> Result<(Account, String), StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "account",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        let account = Account {
            id: AccountId(Uuid::parse_str(&self.id).map_err(|_| corrupt("a UUID", &self.id))?),
            role: Role::read(&self.level)
                .ok_or_else(|| corrupt("admin, creator or viewer", &self.level))?,
            name: self.name,
            avatar: self.avatar,
            created_at: from_millis(self.created_at),
        };
        Ok((account, self.password_hash))
    }
}

pub(super) async fn insert_account(
    tx: &mut Tx,
    account: &Account,
    name_folded: &str,
    password_hash: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO account (id, name, name_folded, role, level, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        account.id.to_string(),
        &account.name,
        name_folded,
        old_role(account.role),
        account.role.as_str(),
        password_hash,
        account.created_at.as_millisecond(),
    )
    .map_err(on("account"))?;
    Ok(())
}

/// The column `role` is from before there were three, and still wants one of its two words.
fn old_role(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Creator | Role::Viewer => "member",
    }
}

pub(super) async fn account_by_id(db: &Db, id: AccountId) -> Result<Option<Account>, StoreError> {
    let row: Option<AccountRow> = first!(
        db,
        "SELECT id, name, level, avatar, password_hash, created_at FROM account WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("account"))?;
    Ok(row
        .map(AccountRow::into_account)
        .transpose()?
        .map(|row| row.0))
}

/// The account of that folded name, with its password hash.
pub(super) async fn account_by_name(
    db: &Db,
    name_folded: &str,
) -> Result<Option<(Account, String)>, StoreError> {
    let row: Option<AccountRow> = first!(
        db,
        "SELECT id, name, level, avatar, password_hash, created_at FROM account
         WHERE name_folded = $1",
        name_folded,
    )
    .map_err(on("account"))?;
    row.map(AccountRow::into_account).transpose()
}

pub(super) async fn has_no_account(db: &Db) -> Result<bool, StoreError> {
    let row: Option<(String,)> =
        first!(db, "SELECT id FROM account LIMIT 1").map_err(on("account"))?;
    Ok(row.is_none())
}

pub(super) async fn insert_login(
    db: &Db,
    token_hash: &str,
    account: AccountId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO login (token_hash, account_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
        token_hash,
        account.to_string(),
        now.as_millisecond(),
        expires.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(())
}

pub(super) async fn account_by_login(
    db: &Db,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<Account>, StoreError> {
    let row: Option<AccountRow> = first!(
        db,
        "SELECT account.id, name, level, avatar, password_hash, account.created_at
         FROM login JOIN account ON account.id = login.account_id
         WHERE token_hash = $1 AND expires_at > $2 AND suspended_at IS NULL",
        token_hash,
        now.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(row
        .map(AccountRow::into_account)
        .transpose()?
        .map(|row| row.0))
}

pub(super) async fn delete_login(db: &Db, token_hash: &str) -> Result<(), StoreError> {
    change!(db, "DELETE FROM login WHERE token_hash = $1", token_hash).map_err(on("login"))?;
    Ok(())
}

pub(super) async fn delete_expired_logins(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM login WHERE expires_at <= $1",
        now.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(())
}
