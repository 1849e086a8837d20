//! Who follows a channel, and who looks after it.

mod store;

use jiff::Timestamp;

use super::{Channel, ChannelEvent, ChannelId, Channels};
use crate::accounts::AccountId;
use crate::db::StoreError;
use crate::error::ApiError;
use crate::page::Cursor;

/// Somebody who follows a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Who.
    pub account: AccountId,
    /// The account's name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

/// A channel that somebody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Which.
    pub channel: Channel,
    /// Since when.
    pub since: Timestamp,
}

/// Somebody who looks after a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moderator {
    /// Who.
    pub account: AccountId,
    /// The account's name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

/// Channels that one account follows, at most.
const MOST_FOLLOWED: i64 = 5_000;
/// Moderators of one channel, at most.
const MOST_MODERATORS: i64 = 50;

impl Channels {
    /// Makes an account follow a channel. Once more changes nothing.
    ///
    /// # Errors
    /// When the account follows too many, or the database fails.
    pub async fn follow(&self, channel: ChannelId, account: AccountId) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let is_new =
            store::insert_follow(&mut tx, channel, account, self.clock.now(), MOST_FOLLOWED)
                .await?;
        if !is_new {
            let is_there = store::follows(&mut tx, channel, account).await?;
            return match is_there {
                true => Ok(()),
                false => Err(ApiError::Conflict {
                    code: "too_many_follows",
                    detail: format!("an account follows at most {MOST_FOLLOWED} channels"),
                }),
            };
        }
        tx.commit().await?;
        self.tell(ChannelEvent::Followed { channel, account });
        Ok(())
    }

    /// Makes an account follow a channel no longer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfollow(&self, channel: ChannelId, account: AccountId) -> Result<(), StoreError> {
        if store::delete_follow(&self.db, channel, account).await? {
            self.tell(ChannelEvent::Unfollowed { channel, account });
        }
        Ok(())
    }

    /// Who follows a channel, the newest first, from the one behind the cursor on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn followers(
        &self,
        channel: ChannelId,
        after: &Cursor,
        most: u16,
    ) -> Result<Vec<Follower>, StoreError> {
        store::followers_of(&self.db, channel, after, most).await
    }

    /// What an account follows, the newest first, from the one behind the cursor on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn follows_of(
        &self,
        account: AccountId,
        after: &Cursor,
        most: u16,
    ) -> Result<Vec<Followed>, StoreError> {
        store::followed_by(&self.db, account, after, most).await
    }

    /// Whether an account follows a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_following(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<bool, StoreError> {
        Ok(self.follows_since(channel, account).await?.is_some())
    }

    /// Since when an account follows a channel, if it does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn follows_since(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<Option<Timestamp>, StoreError> {
        store::follows_since(&self.db, channel, account).await
    }

    /// How many follow a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn follower_count(&self, channel: ChannelId) -> Result<u64, StoreError> {
        let count = store::count_followers(&self.db, channel).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Who looks after a channel, the first first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moderators(&self, channel: ChannelId) -> Result<Vec<Moderator>, StoreError> {
        store::moderators_of(&self.db, channel).await
    }

    /// Channels that an account looks after, by handle.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moderated_by(&self, account: AccountId) -> Result<Vec<Channel>, StoreError> {
        store::moderated_by(&self.db, account).await
    }

    /// Whether an account looks after a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_moderator(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<bool, StoreError> {
        store::is_moderator(&self.db, channel, account).await
    }

    /// Makes an account look after a channel. Once more changes nothing.
    ///
    /// # Errors
    /// When it is the owner's, there are too many, or the database fails.
    pub async fn add_moderator(
        &self,
        channel: &Channel,
        account: AccountId,
    ) -> Result<(), ApiError> {
        if channel.owner == account {
            return Err(ApiError::Conflict {
                code: "is_owner",
                detail: "the owner may do everything that moderators may".to_owned(),
            });
        }
        let mut tx = self.db.begin().await?;
        if store::count_moderators(&mut tx, channel.id).await? >= MOST_MODERATORS {
            return Err(ApiError::Conflict {
                code: "too_many_moderators",
                detail: format!("a channel has at most {MOST_MODERATORS} moderators"),
            });
        }
        let is_new =
            store::insert_moderator(&mut tx, channel.id, account, self.clock.now()).await?;
        tx.commit().await?;
        if is_new {
            let channel = channel.id;
            self.tell(ChannelEvent::ModeratorAdded { channel, account });
        }
        Ok(())
    }

    /// Makes an account look after a channel no longer.
    ///
    /// # Errors
    /// When it did not, or the database fails.
    pub async fn remove_moderator(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<(), ApiError> {
        if !store::delete_moderator(&self.db, channel, account).await? {
            return Err(ApiError::NotFound {
                code: "moderator_not_found",
                detail: "nobody of that name looks after this channel",
            });
        }
        self.tell(ChannelEvent::ModeratorRemoved { channel, account });
        if self.gated_handle(channel).is_some() {
            self.tell_of_door(channel).await;
        }
        Ok(())
    }
}
