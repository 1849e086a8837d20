//! What admins do with channels of others.

mod store;

use std::sync::Arc;

use super::{Channel, ChannelEvent, ChannelId, Channels, no_such_channel};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::page::Cursor;

/// A channel as admins see it.
#[derive(Debug, Clone)]
pub struct ChannelRecord {
    /// The channel.
    pub channel: Channel,
    /// Name of its owner.
    pub owner: String,
    /// Whether an admin took it out of all lists.
    pub is_hidden: bool,
}

impl Channels {
    /// Channels of any visibility with a text in handle or name, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_all(
        &self,
        text: &str,
        behind: &Cursor,
        most: u16,
    ) -> Result<Vec<ChannelRecord>, StoreError> {
        let text = text.trim().trim_start_matches('@').to_lowercase();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        store::search(&self.db, &text, behind, most).await
    }

    /// One channel, as admins see it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn record(&self, id: ChannelId) -> Result<ChannelRecord, ApiError> {
        let found = store::record(&self.db, id).await?;
        found.ok_or_else(no_such_channel)
    }

    /// Takes a channel out of all lists or puts it back, in the caller's transaction. Who has its
    /// address finds it all the same. False: it was so already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_hidden(
        &self,
        tx: &mut Tx,
        id: ChannelId,
        is_hidden: bool,
    ) -> Result<bool, StoreError> {
        match is_hidden {
            true => store::hide(tx, id, self.clock.now()).await,
            false => store::show(tx, id).await,
        }
    }

    /// Begins a transaction on the channels' database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.db.begin().await
    }

    /// Tells that [`Channels::set_hidden`] is committed.
    pub async fn tell_of_change(&self, channel: Channel) {
        let channel = Arc::new(channel);
        self.tell_streams(ChannelEvent::Updated { channel }).await;
    }
}
