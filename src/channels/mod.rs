//! Channels: permanent, owned, known by their handle; and the stream keys that publish on them.

mod accent;
mod administration;
mod belonging;
mod blocks;
mod categories;
mod elsewhere;
mod gate;
mod handle;
mod keys;
mod known_keys;
mod people;
mod pepper;
mod profile;
mod routes;
mod shown;
mod store;
mod stream_key;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use utoipa::ToSchema;
use uuid::Uuid;

pub use administration::ChannelRecord;
pub use belonging::Ties;
pub use categories::{CATEGORIES, Category, LANGUAGES};
pub use gate::{Access, Admitted, Barred, Door, Looking, Memberships};
pub use people::{Followed, Follower, Moderator};
pub use pepper::{Pepper, PepperError};
pub use profile::{About, Link, Panel};
pub use routes::routes;
pub use shown::ChannelProfile;
pub use stream_key::{StreamKey, StreamKeyId};

use gate::Gates;
use known_keys::KnownKeys;

use crate::accounts::{Account, AccountId, Accounts, Passwords};
use crate::bus::Bus;
use crate::clock::Clock;
use crate::db::{Db, StoreError, Tx};
use crate::error::ApiError;
use crate::form::{self, Form};
use crate::images::ImageId;
use crate::rate::Rate;

/// Names a channel for ever; handles may change one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub Uuid);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place to go live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// The part of its URL after `@`.
    pub handle: String,
    /// Its name for people.
    pub name: String,
    /// Whose it is.
    pub owner: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether its streams are recorded.
    pub record: bool,
    /// What it is about, in a few sentences.
    pub description: String,
    /// The colour that tints its page, `#rrggbb`.
    pub accent: Option<String>,
    /// What is spoken on it: one of [`LANGUAGES`].
    pub language: Option<String>,
    /// The slug of one of [`CATEGORIES`].
    pub category: Option<String>,
    /// Who may watch, and who is told of it.
    pub visibility: Visibility,
    /// Its picture.
    pub avatar: Option<ImageId>,
    /// The picture at the top of its page.
    pub banner: Option<ImageId>,
}

impl Channel {
    /// A channel as it is when it was made.
    #[must_use]
    pub fn new(handle: String, name: String, owner: AccountId, created_at: Timestamp) -> Self {
        Self {
            id: ChannelId(Uuid::now_v7()),
            handle,
            name,
            owner,
            created_at,
            record: true,
            description: String::new(),
            accent: None,
            language: None,
            category: None,
            visibility: Visibility::Public,
            avatar: None,
            banner: None,
        }
    }
}

/// Who may watch a channel, and who is told of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChannelVisibility)]
pub enum Visibility {
    /// Everybody, and it is in lists.
    #[default]
    Public,
    /// Everybody who has the link.
    Unlisted,
    /// The owner, moderators and members.
    Members,
    /// Who knows the password.
    Password,
}

impl Visibility {
    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Members => "members",
            Self::Password => "password",
        }
    }

    /// Whether lists and searches show the channel.
    #[must_use]
    pub fn is_listed(self) -> bool {
        self == Self::Public
    }

    /// Whether not everybody may watch.
    #[must_use]
    pub fn is_gated(self) -> bool {
        matches!(self, Self::Members | Self::Password)
    }
}

/// What an account may do with a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// It is the account's own.
    pub owner: bool,
    /// The account looks after it.
    pub moderator: bool,
    /// The account runs the server.
    pub admin: bool,
}

impl Rights {
    /// Whether it may change the channel.
    #[must_use]
    pub fn may_edit(self) -> bool {
        self.owner || self.admin
    }

    /// Whether it may moderate, and sees what the channel keeps from strangers.
    #[must_use]
    pub fn may_moderate(self) -> bool {
        self.may_edit() || self.moderator
    }
}

/// What others must know of a change here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A stream key works no longer: its session must end.
    StreamKeyRevoked {
        /// The key.
        key: StreamKeyId,
    },
    /// The channel is no more: its stream must end.
    Deleted {
        /// Which.
        channel: ChannelId,
    },
    /// Something that its page shows is different now.
    Updated {
        /// As it is now.
        channel: Arc<Channel>,
    },
    /// It is not open to all, and who may watch is different now: all have to come in anew.
    DoorChanged {
        /// Which.
        channel: ChannelId,
    },
    /// Somebody follows it now.
    Followed {
        /// Which.
        channel: ChannelId,
        /// Who.
        account: AccountId,
    },
    /// Somebody follows it no longer.
    Unfollowed {
        /// Which.
        channel: ChannelId,
        /// Who.
        account: AccountId,
    },
    /// Somebody looks after it now.
    ModeratorAdded {
        /// Which.
        channel: ChannelId,
        /// Who.
        account: AccountId,
    },
    /// Somebody looks after it no longer.
    ModeratorRemoved {
        /// Which.
        channel: ChannelId,
        /// Who.
        account: AccountId,
    },
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Channels {
    db: Db,
    clock: Clock,
    pepper: Pepper,
    passwords: Passwords,
    accounts: Accounts,
    gates: Arc<Gates>,
    memberships: Arc<OnceLock<Weak<dyn Memberships>>>,
    uploads: Arc<Rate<AccountId>>,
    known_keys: Arc<KnownKeys>,
    to_streams: mpsc::Sender<ChannelEvent>,
    to_all: broadcast::Sender<ChannelEvent>,
    bus: Bus,
}

/// Events wait here for who reads them. What ends sessions waits for room; of the rest, a reader that
/// is slower than this misses the oldest.
const EVENTS: usize = 256;
/// Channels of one account, at most.
const MOST_CHANNELS: i64 = 50;

impl Channels {
    /// Makes the service and the receiver of its events, which must be read while it is in use.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        pepper: Pepper,
        passwords: Passwords,
        accounts: Accounts,
    ) -> (Self, mpsc::Receiver<ChannelEvent>) {
        let (to_streams, receiver) = mpsc::channel(EVENTS);
        let channels = Self {
            db,
            clock,
            pepper,
            passwords,
            accounts,
            gates: Arc::new(Gates::new()),
            memberships: Arc::default(),
            uploads: Arc::new(Rate::new(Duration::from_secs(3600))),
            known_keys: Arc::default(),
            to_streams,
            to_all: broadcast::Sender::new(EVENTS),
            bus: Bus::alone(),
        };
        (channels, receiver)
    }

    /// The pictures of all channels, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pictures(&self) -> Result<Vec<String>, StoreError> {
        store::pictures(&self.db).await
    }

    /// What happens from now on. Who lags misses the oldest: not for what must not be missed.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<ChannelEvent> {
        self.to_all.subscribe()
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// When handle or name do not fit the rules, the handle is taken, or the account has too many.
    pub async fn create(
        &self,
        owner: &Account,
        handle: &str,
        name: &str,
    ) -> Result<Channel, ApiError> {
        owner.require_creator()?;
        let mut tx = self.db.begin().await?;
        if store::count_channels(&mut tx, owner.id).await? >= MOST_CHANNELS {
            return Err(ApiError::Conflict {
                code: "too_many_channels",
                detail: format!("an account has at most {MOST_CHANNELS} channels"),
            });
        }
        let channel = self.insert(&mut tx, owner, handle, name).await?;
        tx.commit().await?;
        // Of whoever had the handle before, and left with the account.
        self.gates.remove(&channel.handle);
        Ok(channel)
    }

    /// Makes a channel in the caller's transaction.
    ///
    /// # Errors
    /// When handle or name do not fit the rules or the handle is taken.
    pub async fn insert(
        &self,
        tx: &mut Tx,
        owner: &Account,
        handle: &str,
        name: &str,
    ) -> Result<Channel, ApiError> {
        let mut form = Form::new();
        let handle = form.take("handle", handle::checked(handle));
        let name = form.take("name", checked_name(name));
        form.done()?;
        let channel = Channel::new(handle, name, owner.id, self.clock.now());
        match store::insert_channel(tx, &channel).await {
            Ok(()) => Ok(channel),
            Err(error) if error.is_duplicate() => Err(ApiError::Conflict {
                code: "handle_taken",
                detail: format!("@{} is taken", channel.handle),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The channel of that handle, however it is capitalised.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_handle(&self, handle: &str) -> Result<Option<Channel>, StoreError> {
        let handle = handle.to_lowercase();
        // Not every text may be asked for: PostgreSQL has no NUL.
        if !handle::is_shaped(&handle) {
            return Ok(None);
        }
        store::channel_by_handle(&self.db, &handle).await
    }

    /// The channel of that handle.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn expect(&self, handle: &str) -> Result<Channel, ApiError> {
        self.by_handle(handle).await?.ok_or_else(no_such_channel)
    }

    /// The channel of that handle, which must be the account's own, or the account an admin's.
    ///
    /// # Errors
    /// When there is none, it is another's, or the database fails.
    pub async fn expect_own(&self, handle: &str, account: &Account) -> Result<Channel, ApiError> {
        let channel = self.expect(handle).await?;
        if account.has_say_over(channel.owner) {
            Ok(channel)
        } else {
            Err(ApiError::Forbidden("this channel belongs to somebody else"))
        }
    }

    /// What an account, or nobody, may do with a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rights(
        &self,
        channel: &Channel,
        account: Option<&Account>,
    ) -> Result<Rights, StoreError> {
        let Some(account) = account else {
            return Ok(Rights::default());
        };
        Ok(Rights {
            owner: channel.owner == account.id,
            admin: account.is_admin(),
            moderator: self.is_moderator(channel.id, account.id).await?,
        })
    }

    /// The channel of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        store::channel_by_id(&self.db, id).await
    }

    /// Public channels in the order of their handles, from the one after `after` on; all when it is empty.
    ///
    /// # Errors
    /// When `after` is no handle, or the database fails.
    pub async fn page(&self, after: &str, most: u16) -> Result<Vec<Channel>, ApiError> {
        if !after.is_empty() && !handle::is_shaped(after) {
            return Err(ApiError::Invalid {
                code: "cursor_invalid",
                detail: "give the next_cursor of the page before, or none".to_owned(),
            });
        }
        Ok(store::channels_after(&self.db, after, most).await?)
    }

    /// An account's channels, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owned_by(&self, account: AccountId) -> Result<Vec<Channel>, StoreError> {
        store::channels_of(&self.db, account).await
    }

    /// Tells what must end a session; it waits until there is room.
    async fn tell_streams(&self, event: ChannelEvent) {
        self.tell_elsewhere(&event);
        self.tell_streams_here(event).await;
    }

    fn tell(&self, event: ChannelEvent) {
        self.tell_elsewhere(&event);
        self.tell_here(event);
    }

    async fn tell_streams_here(&self, event: ChannelEvent) {
        if let ChannelEvent::StreamKeyRevoked { key } = &event {
            self.known_keys.revoke(*key);
        }
        if self.to_streams.send(event.clone()).await.is_err() {
            tracing::debug!("Nobody listens for channel events");
        }
        self.tell_here(event);
    }

    fn tell_here(&self, event: ChannelEvent) {
        // Without a reader there is nobody to tell.
        let _ = self.to_all.send(event);
    }
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    form::line("name_invalid", name, 1, 80)
}

fn no_such_channel() -> ApiError {
    ApiError::NotFound {
        code: "channel_not_found",
        detail: "there is no channel of that handle",
    }
}
