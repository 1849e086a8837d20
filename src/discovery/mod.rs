//! Finding what there is to watch: the home page, categories and tags, search.
//!
//! What is live comes from memory, all else from the database. Unlisted channels and streams are in no
//! list here, whoever asks.

mod routes;
mod store;
mod words;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::streams::{LiveChannel, Streams};

pub use routes::routes;
pub use store::{FoundChannel, FoundRecording, FoundStream};
pub use words::Words;

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Discovery {
    db: Db,
    clock: Clock,
    streams: Streams,
}

/// What a list is narrowed to. Nothing: everything that is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Slug of a category.
    pub category: Option<String>,
    /// In lower case.
    pub tag: Option<String>,
    /// A tag of BCP 47.
    pub language: Option<String>,
}

/// Results of a search beyond these are not shown: better words find what is wanted sooner.
pub const MOST_FOUND: u32 = 240;

impl Discovery {
    /// Makes the service.
    #[must_use]
    pub fn new(db: Db, clock: Clock, streams: Streams) -> Self {
        Self { db, clock, streams }
    }

    /// Channels on air that are listed, those that the account follows first, then the most watched.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live(
        &self,
        account: Option<AccountId>,
        narrowed: &Narrowed,
    ) -> Result<Vec<(LiveChannel, bool)>, StoreError> {
        let mut live = self.streams.live().await;
        live.retain(|live| {
            live.is_listed() && live.channel.visibility.is_listed() && narrowed.takes(live)
        });
        let followed = match account {
            Some(account) if !live.is_empty() => store::followed(&self.db, account).await?,
            _ => HashSet::new(),
        };
        let mut live: Vec<(LiveChannel, bool)> = live
            .into_iter()
            .map(|live| {
                let is_followed = followed.contains(&live.channel.id);
                (live, is_followed)
            })
            .collect();
        live.sort_by(|(a, a_followed), (b, b_followed)| {
            (b_followed, b.viewers, &a.channel.handle).cmp(&(
                a_followed,
                a.viewers,
                &b.channel.handle,
            ))
        });
        Ok(live)
    }

    /// Planned streams, the next first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upcoming(
        &self,
        narrowed: &Narrowed,
        most: u32,
    ) -> Result<Vec<FoundStream>, StoreError> {
        store::upcoming(&self.db, narrowed, self.clock.now(), most).await
    }

    /// Recordings, the newest first, from the one behind that time on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings(
        &self,
        narrowed: &Narrowed,
        before: Timestamp,
        most: u32,
    ) -> Result<Vec<FoundRecording>, StoreError> {
        store::newest_recordings(&self.db, narrowed, before, most).await
    }

    /// Whether there is a channel that everybody may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_channels(&self) -> Result<bool, StoreError> {
        store::has_channels(&self.db).await
    }

    /// Channels, those with the most followers first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn channels(
        &self,
        narrowed: &Narrowed,
        most: u32,
    ) -> Result<Vec<FoundChannel>, StoreError> {
        store::channels(&self.db, narrowed, most).await
    }

    /// Channels that fit, the best first, after so many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_channels(
        &self,
        words: &Words,
        skip: u32,
        most: u32,
    ) -> Result<Vec<FoundChannel>, StoreError> {
        store::find_channels(&self.db, words, skip, most).await
    }

    /// Planned streams and those on air that fit, the best first, after so many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_streams(
        &self,
        words: &Words,
        skip: u32,
        most: u32,
    ) -> Result<Vec<FoundStream>, StoreError> {
        store::find_streams(&self.db, words, skip, most).await
    }

    /// Recordings that fit, the best first, after so many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_recordings(
        &self,
        words: &Words,
        skip: u32,
        most: u32,
    ) -> Result<Vec<FoundRecording>, StoreError> {
        store::find_recordings(&self.db, words, skip, most).await
    }

    /// How many channels are on air in each category, and how many watch them.
    pub async fn categories(&self) -> HashMap<String, (u32, u32)> {
        let mut counts: HashMap<String, (u32, u32)> = HashMap::new();
        for live in self.streams.live().await {
            let is_listed = live.is_listed() && live.channel.visibility.is_listed();
            let Some(category) = category_of(&live).filter(|_| is_listed) else {
                continue;
            };
            let count = counts.entry(category.to_owned()).or_default();
            count.0 = count.0.saturating_add(1);
            count.1 = count.1.saturating_add(live.viewers);
        }
        counts
    }

    /// Which of these channels are on air now.
    async fn on_air(&self) -> HashSet<ChannelId> {
        let live = self.streams.live().await.into_iter();
        live.filter(LiveChannel::is_listed)
            .map(|live| live.channel.id)
            .collect()
    }
}

impl Narrowed {
    fn takes(&self, live: &LiveChannel) -> bool {
        let details = &live.about.details;
        let language = details.language.as_ref().or(live.channel.language.as_ref());
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let has_tag = |tag: &String| details.tags.contains(tag);
        fits(&self.category, category_of(live))
            && fits(&self.language, language.map(String::as_str))
            && self.tag.as_ref().is_none_or(has_tag)
    }
}

/// What a stream is about; as its channel says where it does not say so itself.
fn category_of(live: &LiveChannel) -> Option<&str> {
    let own = live.about.details.category.as_deref();
    own.or(live.channel.category.as_deref())
}
