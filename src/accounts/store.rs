//! All SQL about accounts and logins; that about tickets is below.

mod tickets;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Account, AccountId, Login, LoginId, Profile, Role};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

pub(super) use tickets::*;

#[derive(sqlx::FromRow)]
pub(super) struct AccountRow {
    id: String,
    name: String,
    level: String,
    avatar: Option<String>,
    password_hash: String,
    created_at: i64,
}

fn corrupt(table: &'static str, key: &str, expected: &'static str, found: &str) -> StoreError {
    StoreError::Corrupt {
        table,
        key: key.to_owned(),
        expected,
        found: found.to_owned(),
    }
}

pub(super) fn uuid(table: &'static str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| corrupt(table, text, "a UUID", text))
}

pub(super) fn role(table: &'static str, key: &str, text: &str) -> Result<Role, StoreError> {
    Role::read(text).ok_or_else(|| corrupt(table, key, "admin, creator or viewer", text))
}

impl AccountRow {
    pub(super) fn into_account(self) -> Result<(Account, String), StoreError> {
        let account = Account {
            id: AccountId(uuid("account", &self.id)?),
            role: role("account", &self.id, &self.level)?,
            name: self.name,
            avatar: self.avatar,
            created_at: from_millis(self.created_at),
        };
        Ok((account, self.password_hash))
    }
}

fn account_of(row: Option<AccountRow>) -> Result<Option<(Account, String)>, StoreError> {
    row.map(AccountRow::into_account).transpose()
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
    let row = first!(
        db,
        "SELECT id, name, level, avatar, password_hash, created_at FROM account WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("account"))?;
    Ok(account_of(row)?.map(|row| row.0))
}

/// The account of that folded name, with its password hash.
pub(super) async fn account_by_name(
    db: &Db,
    name_folded: &str,
) -> Result<Option<(Account, String)>, StoreError> {
    let row = first!(
        db,
        "SELECT id, name, level, avatar, password_hash, created_at FROM account
         WHERE name_folded = $1",
        name_folded,
    )
    .map_err(on("account"))?;
    account_of(row)
}

/// The account that has confirmed that folded address, with its password hash.
pub(super) async fn account_by_email(
    db: &Db,
    email_folded: &str,
) -> Result<Option<(Account, String)>, StoreError> {
    let row = first!(
        db,
        "SELECT id, name, level, avatar, password_hash, created_at FROM account
         WHERE email_folded = $1",
        email_folded,
    )
    .map_err(on("account"))?;
    account_of(row)
}

pub(super) async fn has_no_admin(db: &Db) -> Result<bool, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT id FROM account WHERE level = $1 LIMIT 1",
        Role::Admin.as_str(),
    )
    .map_err(on("account"))?;
    Ok(row.is_none())
}

#[derive(sqlx::FromRow)]
struct ProfileRow {
    email: Option<String>,
    email_verified_at: Option<i64>,
    language: String,
    has_password: bool,
    suspended_at: Option<i64>,
    confirmed_at: Option<i64>,
    recovery_codes: i64,
}

impl From<ProfileRow> for Profile {
    fn from(row: ProfileRow) -> Self {
        Self {
            is_email_confirmed: row.email_verified_at.is_some(),
            email: row.email,
            language: row.language,
            has_password: row.has_password,
            is_suspended: row.suspended_at.is_some(),
            has_second_step: row.confirmed_at.is_some(),
            recovery_codes: row.recovery_codes,
        }
    }
}

const PROFILE: &str =
    "SELECT email, email_verified_at, language, password_hash <> '' AS has_password,
        suspended_at, confirmed_at,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM recovery_code
         WHERE recovery_code.account_id = account.id) AS recovery_codes
     FROM account LEFT JOIN second_step ON second_step.account_id = account.id
     WHERE account.id = $1";

pub(super) async fn profile(db: &Db, id: AccountId) -> Result<Option<Profile>, StoreError> {
    let row: Option<ProfileRow> = first!(db, PROFILE, id.to_string()).map_err(on("account"))?;
    Ok(row.map(Profile::from))
}

pub(super) async fn profile_in(tx: &mut Tx, id: AccountId) -> Result<Option<Profile>, StoreError> {
    let row: Option<ProfileRow> = tx_first!(tx, PROFILE, id.to_string()).map_err(on("account"))?;
    Ok(row.map(Profile::from))
}

pub(super) async fn set_name(
    tx: &mut Tx,
    id: AccountId,
    name: &str,
    folded: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET name = $2, name_folded = $3 WHERE id = $1",
        id.to_string(),
        name,
        folded,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn set_language(
    tx: &mut Tx,
    id: AccountId,
    language: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET language = $2 WHERE id = $1",
        id.to_string(),
        language,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn avatars(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> =
        all!(db, "SELECT avatar FROM account WHERE avatar IS NOT NULL").map_err(on("account"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(super) async fn set_avatar(
    db: &Db,
    id: AccountId,
    avatar: Option<&str>,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE account SET avatar = $2 WHERE id = $1",
        id.to_string(),
        avatar,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn set_email(
    tx: &mut Tx,
    id: AccountId,
    email: &str,
    folded: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET email = $2, email_folded = $3, email_verified_at = $4 WHERE id = $1",
        id.to_string(),
        email,
        folded,
        now.as_millisecond(),
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn set_unconfirmed_email(
    tx: &mut Tx,
    id: AccountId,
    email: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET email = $2, email_folded = NULL, email_verified_at = NULL
         WHERE id = $1",
        id.to_string(),
        email,
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn forget_email(tx: &mut Tx, id: AccountId) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET email = NULL, email_folded = NULL, email_verified_at = NULL
         WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn set_password(tx: &mut Tx, id: AccountId, hash: &str) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE account SET password_hash = $2 WHERE id = $1",
        id.to_string(),
        hash,
    )
    .map_err(on("account"))?;
    Ok(())
}

/// How many others run the server. On PostgreSQL the rows of all admins stay locked, so that two of
/// them cannot leave at once; SQLite has one who writes anyway.
pub(super) async fn count_other_admins(tx: &mut Tx, id: AccountId) -> Result<i64, StoreError> {
    tx_change!(tx, "UPDATE account SET level = level WHERE level = 'admin'")
        .map_err(on("account"))?;
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM account
         WHERE level = 'admin' AND suspended_at IS NULL AND id <> $1",
        id.to_string(),
    )
    .map_err(on("account"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// No way in is left: neither logins nor tokens nor mails under way.
pub(super) async fn suspend_for_leaving(
    tx: &mut Tx,
    id: AccountId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = id.to_string();
    delete_other_logins(tx, id, "").await?;
    delete_tickets(tx, id).await?;
    tx_change!(tx, "DELETE FROM access_token WHERE account_id = $1", &key)
        .map_err(on("access_token"))?;
    tx_change!(
        tx,
        "UPDATE account SET suspended_at = $2 WHERE id = $1",
        &key,
        now.as_millisecond(),
    )
    .map_err(on("account"))?;
    Ok(())
}

pub(super) async fn delete_account(tx: &mut Tx, id: AccountId) -> Result<(), StoreError> {
    tx_change!(tx, "DELETE FROM account WHERE id = $1", id.to_string()).map_err(on("account"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LoginRow {
    id: String,
    user_agent: String,
    address: String,
    created_at: i64,
    last_seen_at: i64,
}

impl From<LoginRow> for Login {
    fn from(row: LoginRow) -> Self {
        Self {
            id: LoginId(row.id),
            user_agent: row.user_agent,
            address: row.address,
            created_at: from_millis(row.created_at),
            last_seen_at: from_millis(row.last_seen_at),
        }
    }
}

pub(super) async fn insert_login(
    tx: &mut Tx,
    token_hash: &str,
    account: AccountId,
    login: &Login,
    expires: Timestamp,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO login
         (token_hash, id, account_id, user_agent, address, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        token_hash,
        &login.id.0,
        account.to_string(),
        &login.user_agent,
        &login.address,
        login.created_at.as_millisecond(),
        login.last_seen_at.as_millisecond(),
        expires.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SignedInRow {
    #[sqlx(flatten)]
    account: AccountRow,
    login_id: String,
    last_seen_at: i64,
}

/// Whose login it is, its id, and when it was last used.
pub(super) async fn account_by_login(
    db: &Db,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<(Account, LoginId, Timestamp)>, StoreError> {
    let row: Option<SignedInRow> = first!(
        db,
        "SELECT account.id AS id, name, level, avatar, password_hash,
                account.created_at AS created_at, login.id AS login_id, last_seen_at
         FROM login JOIN account ON account.id = login.account_id
         WHERE token_hash = $1 AND expires_at > $2 AND suspended_at IS NULL",
        token_hash,
        now.as_millisecond(),
    )
    .map_err(on("login"))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (account, _) = row.account.into_account()?;
    let seen = from_millis(row.last_seen_at);
    Ok(Some((account, LoginId(row.login_id), seen)))
}

/// When a login began.
pub(super) async fn login_began(
    db: &Db,
    token_hash: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT created_at FROM login WHERE token_hash = $1",
        token_hash,
    )
    .map_err(on("login"))?;
    Ok(row.map(|row| from_millis(row.0)))
}

pub(super) async fn touch_login(
    db: &Db,
    token_hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE login SET last_seen_at = $2 WHERE token_hash = $1",
        token_hash,
        now.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(())
}

pub(super) async fn logins_of(
    db: &Db,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<Login>, StoreError> {
    let rows: Vec<LoginRow> = all!(
        db,
        "SELECT id, user_agent, address, created_at, last_seen_at FROM login
         WHERE account_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC, id LIMIT 200",
        account.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("login"))?;
    Ok(rows.into_iter().map(Login::from).collect())
}

pub(super) async fn delete_login(db: &Db, token_hash: &str) -> Result<(), StoreError> {
    change!(db, "DELETE FROM login WHERE token_hash = $1", token_hash).map_err(on("login"))?;
    Ok(())
}

pub(super) async fn delete_login_by_id(
    db: &Db,
    account: AccountId,
    id: &str,
) -> Result<bool, StoreError> {
    let gone = change!(
        db,
        "DELETE FROM login WHERE account_id = $1 AND id = $2",
        account.to_string(),
        id,
    )
    .map_err(on("login"))?;
    Ok(gone > 0)
}

pub(super) async fn delete_other_logins(
    tx: &mut Tx,
    account: AccountId,
    kept: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "DELETE FROM login WHERE account_id = $1 AND id <> $2",
        account.to_string(),
        kept,
    )
    .map_err(on("login"))?;
    Ok(())
}

/// Logins and tickets whose time is over.
pub(super) async fn delete_expired(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    let now = now.as_millisecond();
    change!(db, "DELETE FROM login WHERE expires_at <= $1", now).map_err(on("login"))?;
    change!(db, "DELETE FROM ticket WHERE expires_at <= $1", now).map_err(on("ticket"))?;
    Ok(())
}
