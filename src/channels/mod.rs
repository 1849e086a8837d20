//! Channels: permanent, owned, known by their handle; and the stream keys that publish on them.

mod pepper;
mod routes;
mod store;
mod stream_key;

use std::fmt;

use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

pub use pepper::{Pepper, PepperError};
pub use routes::routes;
pub use stream_key::{StreamKey, StreamKeyId};

use crate::accounts::{Account, AccountId};
use crate::clock::Clock;
use crate::db::{Db, StoreError, Tx};
use crate::error::ApiError;
use crate::secret::Secret;

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
}

/// What others must know of a change here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A stream key works no longer: its session must end.
    StreamKeyRevoked {
        /// The key.
        key: StreamKeyId,
    },
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Channels {
    db: Db,
    clock: Clock,
    pepper: Pepper,
    events: mpsc::Sender<ChannelEvent>,
}

/// Events wait here for the one who reads them; when it is full, the change itself waits.
const EVENTS: usize = 256;
/// Channels of one account, at most.
const MOST_CHANNELS: i64 = 50;
/// Stream keys of one channel, at most.
const MOST_STREAM_KEYS: i64 = 20;
/// Handles that are words of ours in URLs.
const RESERVED: [&str; 21] = [
    "admin",
    "api",
    "assets",
    "dashboard",
    "embed",
    "healthz",
    "hls",
    "live",
    "login",
    "logout",
    "me",
    "metrics",
    "new",
    "readyz",
    "sessions",
    "settings",
    "setup",
    "studio",
    "vod",
    "whep",
    "whip",
];

impl Channels {
    /// Makes the service and the receiver of its events, which must be read while it is in use.
    #[must_use]
    pub fn new(db: Db, clock: Clock, pepper: Pepper) -> (Self, mpsc::Receiver<ChannelEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let channels = Self {
            db,
            clock,
            pepper,
            events,
        };
        (channels, receiver)
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
        let channel = Channel {
            id: ChannelId(Uuid::now_v7()),
            handle: checked_handle(handle)?,
            name: checked_name(name)?,
            owner: owner.id,
            created_at: self.clock.now(),
            record: true,
        };
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
        if !is_shaped(&handle) {
            return Ok(None);
        }
        store::channel_by_handle(&self.db, &handle).await
    }

    /// The channel of that handle.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn expect(&self, handle: &str) -> Result<Channel, ApiError> {
        self.by_handle(handle).await?.ok_or(ApiError::NotFound {
            code: "channel_not_found",
            detail: "there is no channel of that handle",
        })
    }

    /// The channel of that handle, which must be the account's own.
    ///
    /// # Errors
    /// When there is none, it is another's, or the database fails.
    pub async fn expect_own(&self, handle: &str, account: &Account) -> Result<Channel, ApiError> {
        let channel = self.expect(handle).await?;
        if channel.owner == account.id {
            Ok(channel)
        } else {
            Err(ApiError::Forbidden("this channel belongs to somebody else"))
        }
    }

    /// The channel of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        store::channel_by_id(&self.db, id).await
    }

    /// Sets whether the streams of a channel are recorded, from the next one on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_record(&self, id: ChannelId, record: bool) -> Result<(), StoreError> {
        store::set_record(&self.db, id, record).await
    }

    /// Channels in the order of their handles, from the one after `after` on; all when it is empty.
    ///
    /// # Errors
    /// When `after` is no handle, or the database fails.
    pub async fn page(&self, after: &str, most: u16) -> Result<Vec<Channel>, ApiError> {
        if !after.is_empty() && !is_shaped(after) {
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

    /// A channel's stream keys, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stream_keys(&self, channel: ChannelId) -> Result<Vec<StreamKey>, StoreError> {
        store::stream_keys_of(&self.db, channel).await
    }

    /// Makes a stream key. This is the only time that its text is known.
    ///
    /// # Errors
    /// When the name does not fit the rules or the channel has too many keys.
    pub async fn create_stream_key(
        &self,
        channel: ChannelId,
        name: &str,
    ) -> Result<(StreamKey, Secret), ApiError> {
        let name = checked_name(name)?;
        if store::count_stream_keys(&self.db, channel).await? >= MOST_STREAM_KEYS {
            return Err(ApiError::Conflict {
                code: "too_many_stream_keys",
                detail: format!(
                    "a channel has at most {MOST_STREAM_KEYS} stream keys; revoke one in the \
                     dashboard, or rotate it"
                ),
            });
        }
        let (prefix, text) = stream_key::generate();
        let key = StreamKey {
            id: StreamKeyId(Uuid::now_v7()),
            channel,
            name,
            prefix,
            created_at: self.clock.now(),
            last_used_at: None,
        };
        let mac = self.pepper.mac(text.reveal());
        store::insert_stream_key(&self.db, &key, &mac).await?;
        Ok((key, text))
    }

    /// Gives a stream key a new text; the old one works no longer and its session ends.
    ///
    /// # Errors
    /// When the channel has no such key.
    pub async fn rotate_stream_key(
        &self,
        channel: ChannelId,
        id: StreamKeyId,
    ) -> Result<(StreamKey, Secret), ApiError> {
        let (prefix, text) = stream_key::generate();
        let mac = self.pepper.mac(text.reveal());
        let now = self.clock.now();
        let changed = store::replace_stream_key(&self.db, channel, id, &prefix, &mac, now).await?;
        if !changed {
            return Err(no_such_key());
        }
        self.tell_revoked(id).await;
        let keys = self.stream_keys(channel).await?;
        let key = keys.into_iter().find(|key| key.id == id);
        Ok((key.ok_or_else(no_such_key)?, text))
    }

    /// Removes a stream key; its session ends.
    ///
    /// # Errors
    /// When the channel has no such key.
    pub async fn revoke_stream_key(
        &self,
        channel: ChannelId,
        id: StreamKeyId,
    ) -> Result<(), ApiError> {
        if !store::delete_stream_key(&self.db, channel, id).await? {
            return Err(no_such_key());
        }
        self.tell_revoked(id).await;
        Ok(())
    }

    /// Which key a text is, and whose. It compares in constant time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_stream_key(
        &self,
        text: &Secret,
    ) -> Result<Option<(StreamKeyId, Channel)>, StoreError> {
        let Some(prefix) = stream_key::prefix(text.reveal()) else {
            return Ok(None);
        };
        let Some((id, mac, channel)) = store::stream_key_by_prefix(&self.db, prefix).await? else {
            return Ok(None);
        };
        Ok(self
            .pepper
            .fits(text.reveal(), &mac)
            .then_some((id, channel)))
    }

    /// Notes that a key was used now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_use(&self, id: StreamKeyId) -> Result<(), StoreError> {
        store::touch_stream_key(&self.db, id, self.clock.now()).await
    }

    async fn tell_revoked(&self, key: StreamKeyId) {
        let event = ChannelEvent::StreamKeyRevoked { key };
        if self.events.send(event).await.is_err() {
            tracing::debug!("Nobody listens for channel events");
        }
    }
}

fn no_such_key() -> ApiError {
    ApiError::NotFound {
        code: "stream_key_not_found",
        detail: "the channel has no such stream key",
    }
}

fn checked_handle(handle: &str) -> Result<String, ApiError> {
    let handle = handle.trim().trim_start_matches('@').to_lowercase();
    let invalid = |detail: &str| ApiError::Invalid {
        code: "handle_invalid",
        detail: detail.to_owned(),
    };
    if !is_shaped(&handle) {
        return Err(invalid(
            "a handle has 2 to 30 letters a to z, digits, hyphens or underscores, and starts with \
             a letter or digit",
        ));
    }
    if RESERVED.contains(&handle.as_str()) {
        return Err(invalid("this handle is reserved; choose another"));
    }
    Ok(handle)
}

fn is_shaped(handle: &str) -> bool {
    (2..=30).contains(&handle.len())
        && handle.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && handle
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if (1..=80).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(ApiError::Invalid {
        code: "name_invalid",
        detail: "a name has 1 to 80 characters".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_lower_case_and_plain() {
        assert_eq!(checked_handle("@Ada-1").unwrap(), "ada-1");
        for handle in [
            "",
            "a",
            "-ada",
            "ada lovelace",
            "ädä",
            "../etc",
            "sessions",
            &"x".repeat(31),
        ] {
            assert!(checked_handle(handle).is_err(), "{handle}");
        }
    }
}
