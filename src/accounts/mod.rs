//! Accounts: who may sign in, who is signed in, and who is asking.
//!
//! A login is a random 256-bit token in a cookie, of which the database keeps the SHA-256.

mod asker;
mod password;
mod store;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;
use uuid::Uuid;

pub use asker::{Asker, IsAdmin, SignedIn, asking, clear_cookie, identify, login_cookie};
pub use password::{MAX_PASSWORD, MIN_PASSWORD, Passwords};

use crate::clock::Clock;
use crate::config::Limits;
use crate::db::{Db, StoreError, Tx};
use crate::error::ApiError;
use crate::rate::Rate;
use crate::secret::{Secret, same};

/// Names an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub Uuid);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an account may do on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the server.
    Admin,
    /// Owns channels.
    Creator,
    /// Watches and follows.
    Viewer,
}

impl Role {
    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Creator => "creator",
            Self::Viewer => "viewer",
        }
    }

    /// From what the database has.
    fn read(text: &str) -> Option<Self> {
        [Self::Admin, Self::Creator, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The name it signs in with.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its picture, by the id that `images` gave it.
    pub avatar: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What everybody may see of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Face {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The id of its picture.
    pub avatar: Option<String>,
}

impl From<&Account> for Face {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.clone(),
            avatar: account.avatar.clone(),
        }
    }
}

impl Account {
    /// Refuses viewers, who have no channels.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`], with whom to ask.
    pub fn require_creator(&self) -> Result<(), ApiError> {
        match self.role {
            Role::Admin | Role::Creator => Ok(()),
            Role::Viewer => Err(ApiError::Forbidden(
                "your account may watch and follow, but not make channels; ask an admin of this \
                 server to make you a creator",
            )),
        }
    }

    /// Whether it runs the server.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Accounts {
    db: Db,
    clock: Clock,
    passwords: Passwords,
    /// Hash of the one-time set-up token, while no account exists.
    setup: Arc<Mutex<Option<String>>>,
    limits: SignInLimits,
}

#[derive(Debug, Clone)]
struct SignInLimits {
    tries: u32,
    by_account: Arc<Rate<(String, IpAddr)>>,
    by_address: Arc<Rate<IpAddr>>,
}

/// Wrong passwords are counted over this time.
const QUARTER_HOUR: Duration = Duration::from_secs(15 * 60);
/// One address may try this many times as often over all accounts, because a household or an
/// office shares it.
const ACCOUNTS_BEHIND_AN_ADDRESS: u32 = 6;
/// A login ends after this long.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

impl Accounts {
    /// Makes the service.
    #[must_use]
    pub fn new(db: Db, clock: Clock, limits: &Limits) -> Self {
        Self {
            db,
            clock,
            passwords: Passwords::new(),
            setup: Arc::default(),
            limits: SignInLimits {
                tries: limits.sign_ins_per_quarter_hour,
                by_account: Arc::new(Rate::new(QUARTER_HOUR)),
                by_address: Arc::new(Rate::new(QUARTER_HOUR)),
            },
        }
    }

    /// Uses cheap password hashes, so that tests do not wait for the dear ones.
    #[must_use]
    pub fn with_passwords(self, passwords: Passwords) -> Self {
        Self { passwords, ..self }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the name or the password does not fit the rules, or the name is taken.
    pub async fn create(
        &self,
        name: &str,
        password: &Secret,
        role: Role,
    ) -> Result<Account, ApiError> {
        let (account, hash) = self.prepare(name, password, role).await?;
        let mut tx = self.db.begin().await?;
        Self::insert(&mut tx, &account, &hash).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Checks name and password and hashes the latter, for an account made in a transaction.
    ///
    /// # Errors
    /// When the name or the password does not fit the rules.
    pub async fn prepare(
        &self,
        name: &str,
        password: &Secret,
        role: Role,
    ) -> Result<(Account, String), ApiError> {
        let name = checked_name(name)?;
        password::check(password)?;
        let account = Account {
            id: AccountId(Uuid::now_v7()),
            name,
            role,
            avatar: None,
            created_at: self.clock.now(),
        };
        Ok((account, self.passwords.hash(password).await?))
    }

    /// Stores a prepared account in the caller's transaction.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn insert(tx: &mut Tx, account: &Account, hash: &str) -> Result<(), ApiError> {
        store::insert_account(tx, account, &fold(&account.name), hash)
            .await
            .map_err(|error| {
                if error.is_duplicate() {
                    ApiError::Conflict {
                        code: "name_taken",
                        detail: format!("there is an account named {} already", account.name),
                    }
                } else {
                    error.into()
                }
            })
    }

    /// The account of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let row = self.find(&fold(name.trim())).await?;
        Ok(row.map(|(account, _)| account))
    }

    /// The account of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        store::account_by_id(&self.db, id).await
    }

    /// The account of a folded name, and the hash of its password.
    async fn find(&self, name: &str) -> Result<Option<(Account, String)>, StoreError> {
        // No name has control characters, and PostgreSQL cannot even be asked for a NUL.
        if name.chars().any(char::is_control) {
            return Ok(None);
        }
        store::account_by_name(&self.db, name).await
    }

    /// Checks a password and makes a login; its token goes into the cookie.
    ///
    /// # Errors
    /// When name or password is wrong, or there were too many wrong ones.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<(Account, Secret), ApiError> {
        let name = fold(name.trim());
        // Counted before the password is looked at, so that many tries at once are many.
        self.limits
            .take(&name, from, self.clock.instant())
            .map_err(ApiError::TooMany)?;
        let found = self.find(&name).await?;
        let (account, hash) = found.unzip();
        // A name that does not exist costs as much time as one that does.
        let right = self.passwords.verify(password, hash).await?;
        let Some(account) = account.filter(|_| right) else {
            tracing::warn!("A sign-in failed");
            return Err(ApiError::WrongPassword);
        };
        self.limits.forgive(name, from);
        let token = self.open_login(&account).await?;
        tracing::info!(account.id = %account.id, "Account {} signed in", account.id);
        Ok((account, token))
    }

    /// Makes a login without a password, as after set-up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_login(&self, account: &Account) -> Result<Secret, StoreError> {
        let token = Secret::random::<32>();
        let now = self.clock.now();
        store::delete_expired_logins(&self.db, now).await?;
        let expires = now + LOGIN_LIFETIME;
        store::insert_login(&self.db, &token.hash(), account.id, now, expires).await?;
        Ok(token)
    }

    /// Ends a login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, token: &Secret) -> Result<(), StoreError> {
        store::delete_login(&self.db, &token.hash()).await
    }

    /// Whose login this token is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signed_in(&self, token: &Secret) -> Result<Option<Account>, StoreError> {
        store::account_by_login(&self.db, &token.hash(), self.clock.now()).await
    }

    /// Whether there is no account yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_needed(&self) -> Result<bool, StoreError> {
        store::has_no_account(&self.db).await
    }

    /// Makes the one-time set-up token, when there is no account yet. It stays good until the
    /// first account exists or the server stops.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn arm_setup(&self) -> Result<Option<Secret>, StoreError> {
        if !self.is_setup_needed().await? {
            return Ok(None);
        }
        let token = Secret::random::<20>();
        *self.setup.lock().await = Some(token.hash());
        Ok(Some(token))
    }

    /// Runs the set-up if the token is right and no account exists. The token is used up when
    /// `setup` succeeds; only one set-up runs at a time.
    ///
    /// # Errors
    /// When the token is wrong or used, or `setup` fails.
    pub async fn spend_setup_token<T>(
        &self,
        token: &Secret,
        setup: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let mut armed = self.setup.lock().await;
        let right = armed.as_ref().is_some_and(|hash| same(hash, &token.hash()));
        if !right || !self.is_setup_needed().await? {
            return Err(ApiError::SetupTokenInvalid);
        }
        let done = setup.await?;
        *armed = None;
        Ok(done)
    }

    /// Begins a transaction on the accounts' database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.db.begin().await
    }
}

impl SignInLimits {
    /// Counts a try.
    fn take(&self, name: &str, from: IpAddr, now: std::time::Instant) -> Result<(), Duration> {
        let from = sfu::neighbourhood(from);
        let account = (name.to_owned(), from);
        self.by_account.take(&account, self.tries, now)?;
        let most = self.tries.saturating_mul(ACCOUNTS_BEHIND_AN_ADDRESS);
        let taken = self.by_address.take(&from, most, now);
        taken.inspect_err(|_| self.by_account.give_back(&account))
    }

    /// A right password: its try does not count, nor do the wrong ones before it.
    fn forgive(&self, name: String, from: IpAddr) {
        let from = sfu::neighbourhood(from);
        self.by_account.forget(&(name, from));
        self.by_address.give_back(&from);
    }
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let length = name.chars().count();
    if (2..=60).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(ApiError::Invalid {
        code: "name_invalid",
        detail: "a name has 2 to 60 characters".to_owned(),
    })
}

/// What makes two spellings the same name.
fn fold(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert_eq!(checked_name("  Ada Lovelace ").unwrap(), "Ada Lovelace");
        for name in ["", "a", "tab\there", &"x".repeat(61)] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }
}
