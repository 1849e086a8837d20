//! Stream keys: several for a channel, each with a name, rotated and revoked.

use uuid::Uuid;

use super::{
    Channel, ChannelEvent, ChannelId, Channels, StreamKey, StreamKeyId, store, stream_key,
};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::form;
use crate::secret::Secret;

/// Stream keys of one channel, at most.
const MOST_STREAM_KEYS: i64 = 20;

impl Channels {
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
        let name = form::line("name_invalid", name, 1, 80)?;
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

    /// Which key a text is, and whose. It compares in constant time. While the database is away, keys that were right before
    /// still are.
    ///
    /// # Errors
    /// When the database fails, and the key is not known.
    pub async fn verify_stream_key(
        &self,
        text: &Secret,
    ) -> Result<Option<(StreamKeyId, Channel)>, StoreError> {
        let Some(prefix) = stream_key::prefix(text.reveal()) else {
            return Ok(None);
        };
        let read = store::stream_key_by_prefix(&self.db, prefix).await;
        let found = match read {
            Err(error) if error.is_unavailable() => match self.known_keys.find(prefix) {
                Some(known) => known,
                None => return Err(error),
            },
            read => match read? {
                Some(found) => found,
                None => {
                    self.known_keys.forget(prefix);
                    return Ok(None);
                }
            },
        };
        let (id, mac, _) = &found;
        if !self.pepper.fits(text.reveal(), mac) {
            return Ok(None);
        }
        self.known_keys.learn(prefix, &found);
        Ok(Some((*id, found.2)))
    }

    /// Notes that a key was used now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_use(&self, id: StreamKeyId) -> Result<(), StoreError> {
        store::touch_stream_key(&self.db, id, self.clock.now()).await
    }

    async fn tell_revoked(&self, key: StreamKeyId) {
        self.tell_streams(ChannelEvent::StreamKeyRevoked { key })
            .await;
    }
}

fn no_such_key() -> ApiError {
    ApiError::NotFound {
        code: "stream_key_not_found",
        detail: "the channel has no such stream key",
    }
}
