//! Signing in with a provider of OpenID Connect: authorization code, PKCE, state and nonce.
//!
//! Who somebody is stands in the pair of issuer and subject alone. An address of mail never leads to an
//! account: providers let people write there what they like. The steps in between live in a cookie
//! ([`attempt`]); this server keeps only which of them were used.

mod attempt;
mod provider;
mod routes;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

pub use routes::routes;

use attempt::{Attempt, Signer};
use provider::{Person, Provider, ProviderError};

use super::account::{checked_name, fold};
use super::login::SECOND_STEP;
use super::{Account, AccountId, Accounts, Role, Visitor};
use crate::config::{self, Registration};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::secret::Secret;

/// Signing in with other providers: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Oidc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    accounts: Accounts,
    providers: Vec<Provider>,
    signer: Signer,
    /// States that came back, and until when they could come again.
    spent: Mutex<HashMap<String, Timestamp>>,
}

/// A provider as people see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct OidcChoice {
    /// Its name in addresses: `/api/auth/oidc/{name}` begins a sign-in.
    pub name: String,
    /// What its button says.
    pub label: String,
}

/// Who an account is to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: Uuid,
    /// The provider's issuer.
    pub issuer: String,
    /// What the provider calls them.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When they signed in with it last.
    pub last_used_at: Timestamp,
}

/// Why a sign-in did not succeed. The page has words for each code.
#[derive(Debug, thiserror::Error)]
enum OidcError {
    #[error("the sign-in is too old, was used already, or began in another browser")]
    Over,
    #[error("the provider said no: {0}")]
    Denied(String),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("nobody may sign up here that way")]
    NoSignUp,
    #[error("signing up needs an address that is confirmed and that nobody has here")]
    NoAddress,
    #[error("this provider's account belongs to somebody else here")]
    Taken,
    #[error(transparent)]
    Refused(#[from] ApiError),
}

/// Where a sign-in leads to.
enum Arrived {
    /// Signed in; the token goes into the cookie.
    In(Secret),
    /// A code of the second step must follow, with this.
    CodeNeeded(Secret),
    /// The provider's account belongs to whoever asked for that now.
    Linked,
}

/// Time for the second step.
const FOR_THE_CODE: std::time::Duration = std::time::Duration::from_secs(5 * 60);
/// Tries to find a name that is free.
const NAMES_TRIED: u32 = 20;

impl OidcError {
    /// The code by which the page finds words.
    fn code(&self) -> &'static str {
        match self {
            Self::Over => "oidc_over",
            Self::Denied(_) => "oidc_denied",
            Self::Provider(ProviderError::Unreachable(_)) => "oidc_unreachable",
            Self::Provider(_) => "oidc_refused",
            Self::NoSignUp => "oidc_no_sign_up",
            Self::NoAddress => "oidc_no_address",
            Self::Taken => "oidc_taken",
            Self::Refused(error) => error.problem().code(),
        }
    }
}

impl From<StoreError> for OidcError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl Oidc {
    /// With the providers of the configuration.
    #[must_use]
    pub fn new(config: &config::Oidc, accounts: Accounts) -> Self {
        let providers = config.providers.iter().cloned().map(Provider::new);
        Self(Arc::new(Inner {
            accounts,
            providers: providers.collect(),
            signer: Signer::new(),
            spent: Mutex::default(),
        }))
    }

    /// The providers, for the page.
    #[must_use]
    pub fn choices(&self) -> Vec<OidcChoice> {
        let choices = self.0.providers.iter().map(|provider| OidcChoice {
            name: provider.config.name.clone(),
            label: provider.config.label().to_owned(),
        });
        choices.collect()
    }

    fn provider(&self, name: &str) -> Option<&Provider> {
        let mut all = self.0.providers.iter();
        all.find(|provider| provider.config.name == name)
    }

    /// The name of the provider of that issuer, if it is still configured.
    fn name_of(&self, issuer: &str) -> Option<&str> {
        let mut all = self.0.providers.iter();
        let found = all.find(|provider| provider.config.issuer == issuer);
        found.map(|provider| provider.config.name.as_str())
    }

    /// Whether a state comes for the first time.
    fn spend(&self, attempt: &Attempt, now: Timestamp) -> bool {
        let mut spent = self.0.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| *until > now);
        spent
            .insert(attempt.state.clone(), attempt.expires_at)
            .is_none()
    }

    /// What a person whom a provider has shown comes to.
    async fn arrive(
        &self,
        provider: &Provider,
        person: &Person,
        attempt: &Attempt,
        visitor: &Visitor,
    ) -> Result<Arrived, OidcError> {
        let accounts = &self.0.accounts;
        let issuer = provider.config.issuer.as_str();
        let found = store::account_by_subject(&accounts.db, issuer, &person.subject).await?;
        if let Some(linking) = attempt.account {
            return self.link(issuer, person, AccountId(linking), found).await;
        }
        let account = match found {
            Some(id) => {
                let account = accounts.by_id(id).await?.ok_or(OidcError::Over)?;
                let now = accounts.clock.now();
                store::touch(&accounts.db, issuer, &person.subject, &person.label(), now).await?;
                account
            }
            None => self.sign_up(provider, person).await?,
        };
        accounts.require_good_standing(&account).await?;
        if accounts.has_second_step(account.id).await? {
            let name = fold(&account.name);
            let ticket = accounts.ticket(SECOND_STEP, account.id, &name, FOR_THE_CODE);
            return Ok(Arrived::CodeNeeded(ticket.await?));
        }
        let token = accounts.open_login(&account, visitor).await?;
        tracing::info!(account.id = %account.id, "Account {} signed in by a provider", account.id);
        Ok(Arrived::In(token))
    }

    async fn link(
        &self,
        issuer: &str,
        person: &Person,
        account: AccountId,
        found: Option<AccountId>,
    ) -> Result<Arrived, OidcError> {
        match found {
            Some(owner) if owner == account => return Ok(Arrived::Linked),
            Some(_) => return Err(OidcError::Taken),
            None => {}
        }
        let accounts = &self.0.accounts;
        let mut tx = accounts.db.begin().await?;
        self.insert(&mut tx, issuer, person, account).await?;
        let (actor, target) = (Some(account.0), account.to_string());
        let detail = json!({ "issuer": issuer });
        let audit = &accounts.audit;
        audit
            .note(&mut tx, actor, "account.identity_linked", &target, &detail)
            .await?;
        tx.commit().await?;
        Ok(Arrived::Linked)
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        issuer: &str,
        person: &Person,
        account: AccountId,
    ) -> Result<(), OidcError> {
        let now = self.0.accounts.clock.now();
        let identity = Identity {
            id: Uuid::now_v7(),
            issuer: issuer.to_owned(),
            label: person.label(),
            created_at: now,
            last_used_at: now,
        };
        let inserted = store::insert(tx, &identity, &person.subject, account).await;
        inserted.map_err(|error| match error.is_duplicate() {
            true => OidcError::Taken,
            false => error.into(),
        })
    }

    /// Makes an account for somebody who is here for the first time, where everybody may sign up.
    async fn sign_up(&self, provider: &Provider, person: &Person) -> Result<Account, OidcError> {
        let accounts = &self.0.accounts;
        let rules = accounts.settings.now();
        let is_open = rules.registration == Registration::Open && provider.config.allow_sign_up;
        if !is_open || accounts.is_setup_needed().await? {
            return Err(OidcError::NoSignUp);
        }
        let email = self.confirmed_email(person).await?;
        if rules.require_email && email.is_none() {
            return Err(OidcError::NoAddress);
        }
        let account = Account {
            id: AccountId(Uuid::now_v7()),
            name: self.free_name(person).await?,
            role: Role::from(rules.new_accounts),
            avatar: None,
            created_at: accounts.clock.now(),
        };
        let mut tx = accounts.db.begin().await?;
        // No password fits an empty hash.
        Accounts::insert(&mut tx, &account, "").await?;
        if let Some(email) = email {
            let now = accounts.clock.now();
            super::store::set_email(&mut tx, account.id, email, &fold(email), now).await?;
        }
        let issuer = provider.config.issuer.as_str();
        self.insert(&mut tx, issuer, person, account.id).await?;
        let (actor, target) = (Some(account.id.0), account.id.to_string());
        let detail = json!({ "role": account.role, "issuer": issuer });
        let audit = &accounts.audit;
        audit
            .note(&mut tx, actor, "account.created", &target, &detail)
            .await?;
        tx.commit().await?;
        tracing::info!(account.id = %account.id, "Account {} was made by a provider", account.id);
        Ok(account)
    }

    /// The address that the provider has seen confirmed, unless another account has it.
    async fn confirmed_email<'a>(&self, person: &'a Person) -> Result<Option<&'a str>, StoreError> {
        let Some(email) = person.confirmed_email.as_deref() else {
            return Ok(None);
        };
        if crate::mail::checked_address(email).is_err() {
            return Ok(None);
        }
        let taken = super::store::account_by_email(&self.0.accounts.db, &fold(email)).await?;
        Ok(taken.is_none().then_some(email))
    }

    async fn free_name(&self, person: &Person) -> Result<String, OidcError> {
        let wished = person.name.as_deref().map(|name| name.replace('@', " "));
        let wished = wished.and_then(|name| checked_name(&name).ok());
        let base: String = wished
            .unwrap_or_else(|| "member".to_owned())
            .chars()
            .take(50)
            .collect();
        for number in 1..=NAMES_TRIED {
            let name = match number {
                1 => base.clone(),
                _ => format!("{base} {number}"),
            };
            if self.0.accounts.by_name(&name).await?.is_none() {
                return Ok(name);
            }
        }
        let tail: String = Secret::random::<5>().reveal().to_owned();
        Ok(format!("{base} {tail}"))
    }

    /// Who an account is to providers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, account: AccountId) -> Result<Vec<Identity>, StoreError> {
        store::identities(&self.0.accounts.db, account).await
    }

    /// Lets go of one of them, unless it is the last way in.
    ///
    /// # Errors
    /// When the account has no such one, or nothing else to sign in with.
    pub async fn unlink(&self, account: &Account, id: Uuid) -> Result<(), ApiError> {
        let accounts = &self.0.accounts;
        let mut tx = accounts.db.begin().await?;
        if !store::delete(&mut tx, account.id, id).await? {
            return Err(ApiError::NotFound {
                code: "identity_not_found",
                detail: "your account has no such link to a provider",
            });
        }
        if !store::has_way_in(&mut tx, account.id).await? {
            return Err(ApiError::Conflict {
                code: "last_way_in",
                detail: "you sign in with this alone; set a password first".to_owned(),
            });
        }
        let (actor, target) = (Some(account.id.0), account.id.to_string());
        let audit = &accounts.audit;
        audit
            .note(
                &mut tx,
                actor,
                "account.identity_unlinked",
                &target,
                &json!({}),
            )
            .await?;
        Ok(tx.commit().await?)
    }

    fn expiry(&self) -> Timestamp {
        self.0.accounts.clock.now() + SignedDuration::from_mins(10)
    }
}
