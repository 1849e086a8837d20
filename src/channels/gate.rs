//! Who may watch a channel that is not open to all. What is asked several times a second, whether a
//! channel has a gate, is answered from memory; for public channels that is all that happens.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

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
    door: Door,
}

/// A password that opens something: a channel, a stream, a recording.
#[derive(Debug)]
pub struct Door {
    id: Uuid,
    password_hash: Option<String>,
    /// What the cookie of somebody who gave the password holds. With another password it is another.
    ticket: String,
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
    /// The password of the stream, or of the recording, is asked for.
    #[error(
        "this asks for a password of its own: open its page, or send the password as \
         Authorization: Bearer"
    )]
    OwnPassword,
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
    /// They had a look for nothing, and it is over.
    #[error("the free preview is over: {0}")]
    PreviewOver(Box<Self>),
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
            Self::OwnPassword => refused("password_required"),
            Self::PreviewOver(_) => refused("preview_over"),
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
pub enum Admitted {
    /// Nothing stands there.
    #[default]
    Open,
    /// The password.
    Password,
    /// Making the channel, or running the server.
    Team(AccountId),
    /// A membership, for as long as it lasts.
    Member(AccountId),
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
    tries: Rate<(Uuid, IpAddr)>,
    /// Hashes of passwords that opened doors, by what stands in the cookie: the dear hash is not computed for each
    /// request of a player that sends the password along.
    known: Mutex<HashMap<String, String>>,
    pub(super) turn: tokio::sync::Mutex<()>,
}

const QUARTER_HOUR: Duration = Duration::from_secs(15 * 60);
/// Wrong passwords for one door from one address.
const MOST_TRIES: u32 = 20;
const MOST_KNOWN: usize = 10_000;
/// The cookie is good for this long, or until there is another password.
const TICKET_SECONDS: u64 = 7 * 24 * 3600;

impl Gates {
    pub(super) fn new() -> Self {
        Self {
            by_handle: RwLock::default(),
            tries: Rate::new(QUARTER_HOUR),
            known: Mutex::default(),
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

    fn knows(&self, ticket: &str, hash: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(ticket).is_some_and(|known| same(known, hash))
    }

    fn learn(&self, ticket: &str, hash: String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(ticket.to_owned(), hash);
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
        let handle = channel.handle.clone();
        let gate = Gate {
            door: self.door(channel.id.0, password_hash),
            channel,
        };
        let mut gates = self
            .gates
            .by_handle
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let ticket = gate.door.ticket.clone();
        let before = gates.insert(handle, Arc::new(gate));
        before.is_none_or(|before| before.door.ticket != ticket)
    }

    /// The door of something that a password opens.
    #[must_use]
    pub fn door(&self, id: Uuid, password_hash: Option<String>) -> Door {
        let hash = password_hash.as_deref().unwrap_or_default();
        Door {
            ticket: self.pepper.mac(&format!("watch {id} {hash}")),
            id,
            password_hash,
        }
    }

    /// HMAC of a text by the secret of this server, in hexadecimal digits.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.pepper.mac(text)
    }

    /// What stands for the gate of a channel in what is signed: with another password, another text.
    #[must_use]
    pub fn gate_mark(&self, handle: &str) -> String {
        let gate = self.gates.of(handle);
        gate.map(|gate| gate.door.ticket.clone())
            .unwrap_or_default()
    }

    /// Whether not everybody may watch the channel of that handle.
    #[must_use]
    pub fn is_gated(&self, handle: &str) -> bool {
        self.gates.of(handle).is_some()
    }

    /// Whether only members may watch the channel of that handle.
    #[must_use]
    pub fn is_for_members(&self, handle: &str) -> bool {
        let gate = self.gates.of(handle);
        gate.is_some_and(|gate| gate.channel.visibility == Visibility::Members)
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
        if !self.is_gated(handle) {
            return Ok(Admitted::Open);
        }
        let account = accounts::asking(&self.accounts, client, headers).await?;
        self.admit_as(handle, account.as_ref(), client, headers)
            .await
    }

    /// As [`Channels::admit`], of an account that is known already.
    ///
    /// # Errors
    /// With the reason why not.
    pub async fn admit_as(
        &self,
        handle: &str,
        account: Option<&Account>,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Admitted, Barred> {
        let Some(gate) = self.gates.of(handle) else {
            return Ok(Admitted::Open);
        };
        if gate.has_password() && gate.door.is_opened_by_cookie(client, headers) {
            return Ok(Admitted::Password);
        }
        if let Some(account) = account
            && self
                .rights(&gate.channel, Some(account))
                .await?
                .may_moderate()
        {
            return Ok(Admitted::Team(account.id));
        }
        if !gate.has_password() {
            return self.admit_member(gate.channel.id, account).await;
        }
        match self.opens(&gate.door, client, headers).await? {
            true => Ok(Admitted::Password),
            false => Err(Barred::Password),
        }
    }

    /// Whether a request brings what opens a door: the cookie of who gave the password, or the password
    /// itself. Wrong ones are counted.
    ///
    /// # Errors
    /// After too many wrong ones, or when something of ours fails.
    pub async fn opens(
        &self,
        door: &Door,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<bool, ApiError> {
        if door.is_opened_by_cookie(client, headers) {
            return Ok(true);
        }
        match bearer(headers) {
            Some(password) => self.fits(door, &password, client.address).await,
            None => Ok(false),
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
            Some(_) => Ok(Admitted::Member(account)),
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
            Err(barred) => barred.access(),
        }
    }

    /// Whether it is the password of that door. Wrong ones are counted.
    async fn fits(&self, door: &Door, password: &Secret, from: IpAddr) -> Result<bool, ApiError> {
        let hash = password.hash();
        if self.gates.knows(&door.ticket, &hash) {
            return Ok(true);
        }
        let key = (door.id, sfu::neighbourhood(from));
        self.gates
            .tries
            .take(&key, MOST_TRIES, self.clock.instant())
            .map_err(ApiError::TooMany)?;
        let fits = self
            .passwords
            .verify(password, door.password_hash.clone())
            .await?;
        if fits {
            self.gates.tries.give_back(&key);
            self.gates.learn(&door.ticket, hash);
        }
        Ok(fits)
    }

    /// The hash of a password that viewers are to give, as doors hold it.
    ///
    /// # Errors
    /// When it cannot be computed.
    pub async fn hash_of_password(&self, password: &Secret) -> Result<String, ApiError> {
        self.passwords.hash(password).await
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
        self.unlock(&gate.door, password, client).await
    }

    /// The cookie of somebody who gave the password that opens a door.
    ///
    /// # Errors
    /// When it is another password, or was tried too often.
    pub async fn unlock(
        &self,
        door: &Door,
        password: &Secret,
        client: &Client,
    ) -> Result<Option<HeaderValue>, ApiError> {
        if !self.fits(door, password, client.address).await? {
            let mut form = Form::new();
            let words = "this is not the password";
            form.add("password", "password_wrong", words);
            form.done()?;
        }
        let secure = client.is_secure();
        let name = door.cookie_name(secure);
        let tail = if secure { "; Secure" } else { "" };
        let ticket = &door.ticket;
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

impl Door {
    fn is_opened_by_cookie(&self, client: &Client, headers: &HeaderMap) -> bool {
        let ticket = cookie(headers, &self.cookie_name(client.is_secure()));
        self.password_hash.is_some() && ticket.is_some_and(|ticket| same(ticket, &self.ticket))
    }

    fn cookie_name(&self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}watch-{}", self.id.simple())
    }
}

impl Barred {
    /// What is lacking, for a page; else what failed.
    ///
    /// # Errors
    /// When it is no answer but a failure.
    pub fn access(self) -> Result<Access, ApiError> {
        match self {
            Self::Password | Self::OwnPassword => Ok(Access::Password),
            Self::Members(_) => Ok(Access::Members),
            Self::Followers => Ok(Access::Followers),
            Self::Ticket => Ok(Access::Ticket),
            Self::Banned => Ok(Access::Banned),
            Self::PreviewOver(lacking) => lacking.access(),
            Self::TooMany(after) => Err(ApiError::TooMany(after)),
            Self::Store(error) => Err(error.into()),
            Self::Failed(words) => Err(ApiError::Internal(words)),
        }
    }

    /// From which tier on one has to be a member, when that is lacking.
    #[must_use]
    pub fn tier(&self) -> Option<u8> {
        match self {
            Self::Members(tier) => Some(*tier),
            Self::PreviewOver(lacking) => lacking.tier(),
            _ => None,
        }
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
