//! All SQL about accounts that admins alone use.

use jiff::Timestamp;
use uuid::Uuid;

use super::AccountRecord;
use crate::accounts::{Account, AccountId, Role};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, first, on, tx_change};
use crate::page::Cursor;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    level: String,
    avatar: Option<String>,
    created_at: i64,
    email: Option<String>,
    email_verified_at: Option<i64>,
    suspended_at: Option<i64>,
    suspended_reason: String,
    confirmed_at: Option<i64>,
    last_seen_at: Option<i64>,
}

impl Row {
    fn into_record(self) -> Result<AccountRecord, StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "account",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        let id = Uuid::parse_str(&self.id).map_err(|_| corrupt("a UUID", &self.id))?;
        let role = Role::read(&self.level)
            .ok_or_else(|| corrupt("admin, creator or viewer", &self.level))?;
        let at = |millis: Option<i64>| millis.map(from_millis) as Option<Timestamp>;
        Ok(AccountRecord {
            suspended_at: at(self.suspended_at),
            last_seen_at: at(self.last_seen_at),
            is_email_confirmed: self.email_verified_at.is_some(),
            has_second_step: self.confirmed_at.is_some(),
            email: self.email,
            suspended_reason: self.suspended_reason,
            account: Account {
                id: AccountId(id),
                name: self.name,
                role,
                avatar: self.avatar,
                created_at: from_millis(self.created_at),
            },
        })
    }
}

/// What lies in a text is looked for as it is, so that `%` and `_` mean themselves.
fn pattern(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

pub(super) async fn search(
    db: &Db,
    text: &str,
    role: Option<&str>,
    is_suspended: Option<bool>,
    behind: &Cursor,
    most: u16,
) -> Result<Vec<AccountRecord>, StoreError> {
    let suspended = match is_suspended {
        None => "",
        Some(true) => "yes",
        Some(false) => "no",
    };
    let rows: Vec<Row> = all!(
        db,
        "SELECT account.id, name, level, avatar, account.created_at, email, email_verified_at,
                suspended_at, suspended_reason, confirmed_at,
                (SELECT MAX(last_seen_at) FROM login WHERE login.account_id = account.id)
                    AS last_seen_at
         FROM account LEFT JOIN second_step ON second_step.account_id = account.id
         WHERE (name_folded LIKE $1 ESCAPE '\\' OR LOWER(COALESCE(email, '')) LIKE $1 ESCAPE '\\')
           AND ($2 = '' OR level = $2)
           AND ($3 = '' OR ($3 = 'yes' AND suspended_at IS NOT NULL)
                OR ($3 = 'no' AND suspended_at IS NULL))
           AND (account.created_at < $4 OR (account.created_at = $4 AND account.id < $5))
         ORDER BY account.created_at DESC, account.id DESC LIMIT $6",
        pattern(text),
        role.unwrap_or_default(),
        suspended,
        behind.at_ms(),
        behind.id(),
        i64::from(most),
    )
    .map_err(on("account"))?;
    rows.into_iter().map(Row::into_record).collect()
}

pub(super) async fn record(db: &Db, id: AccountId) -> Result<Option<AccountRecord>, StoreError> {
    let row: Option<Row> = first!(
        db,
        "SELECT account.id, name, level, avatar, account.created_at, email, email_verified_at,
                suspended_at, suspended_reason, confirmed_at,
                (SELECT MAX(last_seen_at) FROM login WHERE login.account_id = account.id)
                    AS last_seen_at
         FROM account LEFT JOIN second_step ON second_step.account_id = account.id
         WHERE account.id = $1",
        id.to_string(),
    )
    .map_err(on("account"))?;
    row.map(Row::into_record).transpose()
}

pub(super) async fn by_role(db: &Db) -> Result<Vec<(String, i64)>, StoreError> {
    all!(
        db,
        "SELECT level, CAST(COUNT(*) AS BIGINT) FROM account GROUP BY level ORDER BY level",
    )
    .map_err(on("account"))
}

pub(super) async fn suspended(db: &Db) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM account WHERE suspended_at IS NOT NULL",
    )
    .map_err(on("account"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn set_role(tx: &mut Tx, id: AccountId, role: Role) -> Result<(), StoreError> {
    let old = match role {
        Role::Admin => "admin",
        Role::Creator | Role::Viewer => "member",
    };
    tx_change!(
        tx,
        "UPDATE account SET level = $2, role = $3 WHERE id = $1",
        id.to_string(),
        role.as_str(),
        old,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn set_reason(tx: &mut Tx, id: AccountId, reason: &str) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET suspended_reason = $2 WHERE id = $1",
        id.to_string(),
        reason,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn restore(tx: &mut Tx, id: AccountId) -> Result<bool, StoreError> {
    let restored = tx_change!(
        tx,
        "UPDATE account SET suspended_at = NULL, suspended_reason = ''
         WHERE id = $1 AND suspended_at IS NOT NULL",
        id.to_string(),
    )
    .map_err(on("account"))?;
    Ok(restored > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_mean_themselves() {
        assert_eq!(pattern("50%_a\\"), "%50\\%\\_a\\\\%");
    }
}
