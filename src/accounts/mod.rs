//! Accounts: who may sign in, who is signed in, who is asking, and by what.
//!
//! Whoever is signed in has a random 256-bit token in a cookie, of which the database keeps the
//! SHA-256; so it is with personal tokens, invites and the links in mails.

mod account;
mod administration;
mod asker;
mod belongings;
mod change;
mod email;
mod invite;
mod leaving;
mod login;
pub mod oidc;
mod password;
mod registration;
mod reset;
mod routes;
pub(crate) mod scope;
mod second_step;
mod set_up;
mod store;
mod token;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use uuid::Uuid;

pub use account::{Account, AccountId, Face, Profile, Role};
pub use administration::{AccountRecord, AccountSearch};
pub use asker::{
    Asker, IsAdmin, SignedIn, asking, bearer, clear_cookie, identify, identify_by_cookie,
    login_cookie,
};
pub use belongings::{Belonging, Belongings, Working};
pub use change::{Change, Proof};
pub use invite::{Invite, NewInvite};
pub use login::{Login, LoginId, Visitor, Welcome};
pub use password::{MAX_PASSWORD, MIN_PASSWORD, Passwords};
pub use registration::{Registered, SignUp};
pub use routes::routes;
pub use scope::{Need, Scope, need};
pub use second_step::Enrolment;
pub use token::{AccessToken, NewToken, TOKEN_PREFIX};

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, StoreError, Tx};
use crate::error::ApiError;
use crate::jobs::Jobs;
use crate::mail::Mail;
use crate::rate::Rate;
use crate::secret::Secret;
use crate::settings::Settings;

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Accounts {
    db: Db,
    clock: Clock,
    audit: Audit,
    jobs: Jobs,
    mail: Mail,
    passwords: Passwords,
    settings: Settings,
    /// Hash of the one-time set-up token, while no account exists.
    setup: Arc<Mutex<Option<String>>>,
    limits: Arc<Limits>,
    belongings: Arc<OnceLock<Weak<Belongings>>>,
}

#[derive(Debug)]
struct Limits {
    tries: u32,
    by_account: Rate<(String, IpAddr)>,
    by_address: Rate<IpAddr>,
    most_sign_ups: u32,
    sign_ups: Rate<IpAddr>,
    most_mails: u32,
    mails: Rate<IpAddr>,
}

/// Wrong passwords are counted over this time.
const QUARTER_HOUR: Duration = Duration::from_secs(15 * 60);
/// Sign-ups and mails are counted over this time.
const HOUR: Duration = Duration::from_secs(3600);
/// One address may try this many times as often over all accounts, because a household or an
/// office shares it.
const ACCOUNTS_BEHIND_AN_ADDRESS: u32 = 6;
/// A login ends after this long.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

impl Accounts {
    /// Makes the service.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        config: &Config,
        audit: Audit,
        jobs: Jobs,
        mail: Mail,
        settings: Settings,
    ) -> Self {
        let limits = &config.limits;
        Self {
            db,
            clock,
            audit,
            jobs,
            mail,
            passwords: Passwords::new(),
            settings,
            setup: Arc::default(),
            limits: Arc::new(Limits {
                tries: limits.sign_ins_per_quarter_hour,
                by_account: Rate::new(QUARTER_HOUR),
                by_address: Rate::new(QUARTER_HOUR),
                most_sign_ups: limits.sign_ups_per_hour,
                sign_ups: Rate::new(HOUR),
                most_mails: limits.mails_per_hour,
                mails: Rate::new(HOUR),
            }),
            belongings: Arc::default(),
        }
    }

    /// The pictures of all accounts, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pictures(&self) -> Result<Vec<String>, StoreError> {
        store::avatars(&self.db).await
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
        let name = account::checked_name(name)?;
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
        let name = account::fold(&account.name);
        let inserted = store::insert_account(tx, account, &name, hash).await;
        inserted.map_err(|error| name_taken(error, &account.name))
    }

    /// The account of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        // No name has control characters, and PostgreSQL cannot even be asked for a NUL.
        if name.chars().any(char::is_control) {
            return Ok(None);
        }
        let row = store::account_by_name(&self.db, &account::fold(name)).await?;
        Ok(row.map(|(account, _)| account))
    }

    /// The account of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        store::account_by_id(&self.db, id).await
    }

    /// The account of that id, unless it is suspended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsuspended(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let profile = store::profile(&self.db, id).await?;
        match profile.is_some_and(|profile| !profile.is_suspended) {
            true => self.by_id(id).await,
            false => Ok(None),
        }
    }

    /// What only the account itself sees of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profile(&self, id: AccountId) -> Result<Profile, ApiError> {
        let profile = store::profile(&self.db, id).await?;
        profile.ok_or(ApiError::NotSignedIn)
    }

    /// Gives an account another picture, by its id; none takes it away. Gives the one before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_avatar(
        &self,
        account: &Account,
        avatar: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        store::set_avatar(&self.db, account.id, avatar).await?;
        Ok(account.avatar.clone())
    }

    /// Whether mail can be sent to accounts.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mail.is_configured()
    }

    /// Begins a transaction on the accounts' database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.db.begin().await
    }
}

impl Limits {
    /// Counts a try to sign in.
    fn take(&self, name: &str, from: IpAddr, now: std::time::Instant) -> Result<(), ApiError> {
        let from = sfu::neighbourhood(from);
        let account = (name.to_owned(), from);
        let taken = self.by_account.take(&account, self.tries, now);
        taken.map_err(ApiError::TooMany)?;
        let most = self.tries.saturating_mul(ACCOUNTS_BEHIND_AN_ADDRESS);
        let taken = self.by_address.take(&from, most, now);
        let taken = taken.inspect_err(|_| self.by_account.give_back(&account));
        taken.map_err(ApiError::TooMany)
    }

    /// A try at which no password was looked at.
    fn give_back(&self, name: &str, from: IpAddr) {
        let from = sfu::neighbourhood(from);
        self.by_account.give_back(&(name.to_owned(), from));
        self.by_address.give_back(&from);
    }

    /// A right password: its try does not count, nor do the wrong ones before it.
    fn forgive(&self, name: &str, from: IpAddr) {
        let from = sfu::neighbourhood(from);
        self.by_account.forget(&(name.to_owned(), from));
        self.by_address.give_back(&from);
    }

    /// Counts a sign-up.
    fn take_sign_up(&self, from: IpAddr, now: std::time::Instant) -> Result<(), ApiError> {
        let from = sfu::neighbourhood(from);
        let taken = self.sign_ups.take(&from, self.most_sign_ups, now);
        taken.map_err(ApiError::TooMany)
    }

    /// Counts a mail.
    fn take_mail(&self, from: IpAddr, now: std::time::Instant) -> Result<(), ApiError> {
        let from = sfu::neighbourhood(from);
        let taken = self.mails.take(&from, self.most_mails, now);
        taken.map_err(ApiError::TooMany)
    }
}

fn name_taken(error: StoreError, name: &str) -> ApiError {
    match error.is_duplicate() {
        true => ApiError::Conflict {
            code: "name_taken",
            detail: format!("there is an account named {name} already"),
        },
        false => error.into(),
    }
}
