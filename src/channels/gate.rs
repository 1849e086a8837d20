//! Who may watch a channel that is not open to all. What is asked several times a second, whether a
//! channel has a gate, is answered from memory; for public channels that is all that happens.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Channel, ChannelId, Channels, Visibility, store};
use crate::accounts::{self, Account, AccountId};
use crate::db::StoreError;
use crate::error::{ApiError, Problem, log_store_error, store_problem};
use crate::form::Form;
use crate::rate::Rate;
use crate::request::{Client, cookie};
use crate::secret::{Secret, same};

/// What stands before a channel that is not open to all.
#[derive(Debug)]
pub(super) struct Gate {
    channel: Channel,
    password_hash: Option<String>,
    /// What the cookie of somebody who gave the password holds.
    ticket: String,
    /// Hash of the password, once somebody gave the right one: the dear one is not computed for each
    /// segment of a player that sends it along.
    known: OnceLock<String>,
}

/// Why somebody may not watch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Barred {
    /// The password is asked for.
    #[error(
        "this channel asks for a password: open its page, or send the password as \
         Authorization: Bearer"
    )]
    Password,
    /// It is for members, from this tier on.
    #[error("{}", for_members(*.0))]
    Members(u8),
    /// It is for those who follow the channel.
    #[error("this is for followers: sign in and follow the channel")]
    Followers,
    /// It is for those who have a ticket.
    #[error("this is for those who have a ticket: the channel's page sells it")]
    Ticket,
    /// They are banned from the channel.
    #[error("you are banned from this channel")]
    Banned,
    /// Too many wrong passwords.
    #[error("too many wrong passwords")]
    TooMany(Duration),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of ours failed.
    #[error("{0}")]
    Failed(String),
}

impl Barred {
    /// The problem that tells of it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let refused = |code| Problem::new(StatusCode::FORBIDDEN, code, self.to_string());
        match self {
            Self::Password => refused("channel_password_required"),
            Self::Members(_) => refused("members_only"),
            Self::Followers => refused("followers_only"),
            Self::Ticket => refused("ticket_required"),
            Self::Banned => refused("banned"),
            Self::TooMany(after) => Problem::too_many(*after),
            Self::Store(error) => store_problem(error),
            Self::Failed(words) => ApiError::Internal(words.clone()).problem(),
        }
    }
}

impl IntoResponse for Barred {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            log_store_error(error);
        }
        self.problem().into_response()
    }
}

impl From<ApiError> for Barred {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::TooMany(after) => Self::TooMany(after),
            ApiError::Store(error) => Self::Store(error),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// By what somebody was let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Admitted {
    /// As a member, for as long as they are one. None: by what does not end by itself.
    pub member: Option<AccountId>,
}

/// Who knows the members of channels: those who sell memberships.
pub trait Memberships: fmt::Debug + Send + Sync {
    /// The tier of an account's membership of a channel, if it is a member.
    fn tier(&self, channel: ChannelId, account: AccountId) -> Looking<'_>;
}

/// The look for a tier.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Option<u8>, StoreError>> + Send + 'a>>;

/// Whether somebody may watch a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChannelAccess)]
pub enum Access {
    /// Yes.
    Granted,
    /// Once the password is given.
    Password,
    /// Once they are a member.
    Members,
    /// Once they follow the channel.
    Followers,
    /// Once they have a ticket.
    Ticket,
    /// No: they are banned.
    Banned,
}

/// All gates, and how often passwords are tried.
#[derive(Debug)]
pub(super) struct Gates {
    by_handle: RwLock<HashMap<String, Arc<Gate>>>,
    tries: Rate<(ChannelId, IpAddr)>,
    pub(super) turn: tokio::sync::Mutex<()>,
}

const QUARTER_HOUR: Duration = Duration::from_secs(15 * 60);
/// Wrong passwords for one channel from one address.
const MOST_TRIES: u32 = 20;
/// The cookie is good for this long, or until there is another password.
const TICKET_SECONDS: u64 = 7 * 24 * 3600;

impl Gates {
    pub(super) fn new() -> Self {
        Self {
            by_handle: RwLock::default(),
            tries: Rate::new(QUARTER_HOUR),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn of(&self, handle: &str) -> Option<Arc<Gate>> {
        let gates = self
            .by_handle
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        gates.get(handle).map(Arc::clone)
    }

    pub(super) fn remove(&self, handle: &str) {
        let mut gates = self
            .by_handle
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        gates.remove(handle);
    }

    pub(super) fn remove_of(&self, channel: ChannelId) {
        let mut gates = self
            .by_handle
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| gate.channel.id != channel);
    }
}

impl Channels {
    /// Learns which channels are not open to all. Until then all are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn learn_gates(&self) -> Result<(), StoreError> {
        for (channel, password_hash) in store::gated(&self.db).await? {
            self.set_gate(channel, password_hash);
        }
        Ok(())
    }

    /// True: there is a gate, and it is another than before.
    pub(super) fn set_gate(&self, channel: Channel, password_hash: Option<String>) -> bool {
        if !channel.visibility.is_gated() {
            self.gates.remove(&channel.handle);
            return false;
        }
        let text = format!(
            "watch {} {}",
            channel.id,
            password_hash.as_deref().unwrap_or_default()
        );
        let handle = channel.handle.clone();
        let gate = Gate {
            ticket: self.pepper.mac(&text),
            channel,
            password_hash,
            known: OnceLock::new(),
        };
        let mut gates = self
            .gates
            .by_handle
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let ticket = gate.ticket.clone();
        let before = gates.insert(handle, Arc::new(gate));
        before.is_none_or(|before| before.ticket != ticket)
    }

    /// Whether not everybody may watch the channel of that handle.
    #[must_use]
    pub fn is_gated(&self, handle: &str) -> bool {
        self.gates.of(handle).is_some()
    }

    /// The handle of a channel that not everybody may watch; none of all others.
    #[must_use]
    pub fn gated_handle(&self, channel: ChannelId) -> Option<String> {
        let gates = self
            .gates
            .by_handle
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let gate = gates.values().find(|gate| gate.channel.id == channel)?;
        Some(gate.channel.handle.clone())
    }

    /// Lets somebody watch a channel, or not. Of a channel that is open to all nothing is asked.
    ///
    /// # Errors
    /// With the reason why not.
    pub async fn admit(
        &self,
        handle: &str,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Admitted, Barred> {
        let Some(gate) = self.gates.of(handle) else {
            return Ok(Admitted::default());
        };
        let ticket = cookie(headers, &cookie_name(&gate.channel, client.is_secure()));
        if gate.has_password() && ticket.is_some_and(|ticket| same(ticket, &gate.ticket)) {
            return Ok(Admitted::default());
        }
        let account = accounts::asking(&self.accounts, client, headers).await?;
        if self.knows(&gate, account.as_ref()).await? {
            return Ok(Admitted::default());
        }
        if !gate.has_password() {
            return self.admit_member(gate.channel.id, account.as_ref()).await;
        }
        match bearer(headers) {
            Some(password) if self.fits(&gate, &password, client.address).await? => {
                Ok(Admitted::default())
            }
            _ => Err(Barred::Password),
        }
    }

    /// Lets a member of a channel in that is for members.
    ///
    /// # Errors
    /// When the account is none.
    pub async fn admit_member(
        &self,
        channel: ChannelId,
        account: Option<&Account>,
    ) -> Result<Admitted, Barred> {
        let Some(account) = account.map(|account| account.id) else {
            return Err(Barred::Members(1));
        };
        match self.membership(channel, account).await? {
            Some(_) => Ok(Admitted {
                member: Some(account),
            }),
            None => Err(Barred::Members(1)),
        }
    }

    /// The tier of an account's membership of a channel, if it is a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn membership(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<Option<u8>, StoreError> {
        match self.memberships.get().and_then(Weak::upgrade) {
            Some(memberships) => memberships.tier(channel, account).await,
            None => Ok(None),
        }
    }

    /// Tells who knows the members. Called once, before requests come; the caller keeps it, for it stands
    /// on channels, and the two would keep each other for ever.
    pub fn know_members(&self, memberships: &Arc<dyn Memberships>) {
        if self.memberships.set(Arc::downgrade(memberships)).is_err() {
            tracing::error!("Who knows the members was told twice");
        }
    }

    /// Whether somebody may watch a channel, for its page.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn access(
        &self,
        channel: &Channel,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Access, ApiError> {
        match self.admit(&channel.handle, client, headers).await {
            Ok(_) => Ok(Access::Granted),
            Err(Barred::Password) => Ok(Access::Password),
            Err(Barred::Members(_)) => Ok(Access::Members),
            Err(Barred::Followers) => Ok(Access::Followers),
            Err(Barred::Ticket) => Ok(Access::Ticket),
            Err(Barred::Banned) => Ok(Access::Banned),
            Err(Barred::TooMany(after)) => Err(ApiError::TooMany(after)),
            Err(Barred::Store(error)) => Err(error.into()),
            Err(Barred::Failed(words)) => Err(ApiError::Internal(words)),
        }
    }

    async fn knows(&self, gate: &Gate, account: Option<&Account>) -> Result<bool, StoreError> {
        let rights = self.rights(&gate.channel, account).await?;
        Ok(rights.may_moderate())
    }

    /// Whether it is the channel's password. Wrong ones are counted.
    async fn fits(&self, gate: &Gate, password: &Secret, from: IpAddr) -> Result<bool, ApiError> {
        let hash = password.hash();
        if gate.known.get().is_some_and(|known| same(known, &hash)) {
            return Ok(true);
        }
        let key = (gate.channel.id, sfu::neighbourhood(from));
        self.gates
            .tries
            .take(&key, MOST_TRIES, self.clock.instant())
            .map_err(ApiError::TooMany)?;
        let fits = self
            .passwords
            .verify(password, gate.password_hash.clone())
            .await?;
        if fits {
            self.gates.tries.give_back(&key);
            // Another may have been faster, with the same.
            let _ = gate.known.set(hash);
        }
        Ok(fits)
    }

    /// The cookie of somebody who gave the right password.
    pub(super) async fn ticket(
        &self,
        channel: &Channel,
        password: &Secret,
        client: &Client,
    ) -> Result<Option<HeaderValue>, ApiError> {
        let gate = self
            .gates
            .of(&channel.handle)
            .filter(|gate| gate.has_password());
        let Some(gate) = gate else {
            return Err(ApiError::Conflict {
                code: "no_password_wanted",
                detail: "this channel asks for no password".to_owned(),
            });
        };
        if !self.fits(&gate, password, client.address).await? {
            let mut form = Form::new();
            form.add(
                "password",
                "password_wrong",
                "this is not the channel's password",
            );
            form.done()?;
        }
        let secure = client.is_secure();
        let name = cookie_name(channel, secure);
        let tail = if secure { "; Secure" } else { "" };
        let ticket = &gate.ticket;
        let text = format!(
            "{name}={ticket}; Path=/; Max-Age={TICKET_SECONDS}; HttpOnly; SameSite=Lax{tail}"
        );
        let value = HeaderValue::from_str(&text).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Ok(value)
    }
}

impl Gate {
    fn has_password(&self) -> bool {
        self.channel.visibility == Visibility::Password
    }
}

fn for_members(tier: u8) -> String {
    match tier {
        0 | 1 => "this is for members: sign in, and join on the channel's page".to_owned(),
        _ => format!(
            "this is for members from tier {tier} on: join, or change the tier, on the \
                      channel's page"
        ),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty();
    is_bearer.then(|| Secret::new(token.trim()))
}

fn cookie_name(channel: &Channel, secure: bool) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}watch-{}", channel.id.0.simple())
}
