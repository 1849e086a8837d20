//! What people say of streams, before, while and after they are on air: [`Stream`].
//!
//! A row of the database is the truth of a stream that is planned or over. While one is on air the
//! task in `lifecycle` has a copy, which every change reaches as well, so that lists of what is live
//! need no database.

mod body;
mod calendar;
mod changes;
mod elsewhere;
mod forms;
mod routes;
mod steps;
mod store;
mod taking;
mod times;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sfu::StreamId;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use body::StreamBody;
pub(super) use changes::{no_such_stream, watch};
pub(super) use routes::routes;
pub(super) use store::{
    by_id, end_left_open, end_stream, is_seen_on_air, last_end, left_on_air, lock_of_recording,
    media_of, of_account, open_elsewhere, take_over, write_start,
};

use super::{IngestSource, LiveChannel, Streams};
use crate::accounts::Account;
use crate::channels::{Channel, ChannelId};
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::gates::{Lock, Place};

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Planned for a time.
    Scheduled,
    /// Started by hand: it waits for its publisher.
    Preparing,
    /// On air.
    Live,
    /// Over, or its time passed and nobody came.
    Ended,
    /// It will not take place.
    Cancelled,
}

/// Who is told of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamVisibility {
    /// Everybody.
    Public,
    /// Whoever has the address of its channel.
    Unlisted,
}

/// Which way of watching the player takes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// WebRTC: well under a second.
    #[default]
    Instant,
    /// Low-latency HLS: some seconds.
    Low,
    /// HLS: it forgives a bad network most.
    Stable,
}

/// Who may write in the chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatMode {
    /// Everybody who is signed in.
    #[default]
    On,
    /// Who follows the channel.
    Followers,
    /// Nobody.
    Off,
}

/// Reads and writes the names that the database keeps.
macro_rules! named {
    ($kind:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $kind {
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
named!(StreamState {
    Scheduled = "scheduled", Preparing = "preparing", Live = "live", Ended = "ended",
    Cancelled = "cancelled",
});
named!(StreamVisibility { Public = "public", Unlisted = "unlisted" });
named!(Latency { Instant = "instant", Low = "low", Stable = "stable" });
named!(ChatMode { On = "on", Followers = "followers", Off = "off" });
named!(IngestSource { Whip = "whip", Rtmp = "rtmp" });

/// What viewers are told of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// One line; empty where nobody gave one.
    pub title: String,
    /// Some lines.
    pub description: String,
    /// Slug of a category.
    pub category: Option<String>,
    /// In lower case.
    pub tags: Vec<String>,
    /// A tag of BCP 47.
    pub language: Option<String>,
    /// A picture that was uploaded for it.
    pub thumbnail: Option<String>,
    /// None: as its channel.
    pub visibility: Option<StreamVisibility>,
    /// What stands before it, beside the gate of its channel.
    pub lock: Lock,
}

/// How a stream is made and watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamSettings {
    /// Whether it is recorded; none: as its channel has it.
    pub record: Option<bool>,
    /// Layers that the studio sends, at most.
    pub max_layers: Option<u8>,
    /// What its publisher should send, at most.
    pub max_bitrate_kbps: Option<u32>,
    /// Which way of watching the player takes first.
    pub latency: Latency,
    /// Who may write in the chat.
    pub chat: ChatMode,
}

/// When a stream is planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The time.
    pub at: Timestamp,
    /// The IANA name of the zone that its creator thinks in.
    pub time_zone: String,
}

/// A stream, planned, on air or over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub channel: ChannelId,
    /// How far it is.
    pub state: StreamState,
    /// What viewers are told of it.
    pub details: Details,
    /// How it is made and watched.
    pub settings: StreamSettings,
    /// When it is planned for, if it is.
    pub schedule: Option<Schedule>,
    /// Whether it is unlisted until somebody presses a button.
    pub publish_at_button: bool,
    /// When that was.
    pub published_at: Option<Timestamp>,
    /// Until when it waits for its publisher, having been started by hand.
    pub preparing_until: Option<Timestamp>,
    /// How it was published, once it was.
    pub(crate) source: Option<IngestSource>,
    /// When it went on air, once it did; else when it is planned for, or was made.
    pub(crate) placed_at: Timestamp,
    /// When it ended or was cancelled.
    pub ended_at: Option<Timestamp>,
    /// Rises with every change that calendars must hear of.
    pub revision: u32,
    /// When the last change was.
    pub changed_at: Timestamp,
}

impl Stream {
    /// One that nothing is said of yet.
    #[must_use]
    pub fn new(channel: ChannelId, now: Timestamp) -> Self {
        Self {
            id: StreamId::from(Uuid::now_v7().as_u128()),
            channel,
            state: StreamState::Preparing,
            details: Details::default(),
            settings: StreamSettings::default(),
            schedule: None,
            publish_at_button: false,
            published_at: None,
            preparing_until: None,
            source: None,
            placed_at: now,
            ended_at: None,
            revision: 0,
            changed_at: now,
        }
    }

    /// When it went on air, if it ever did.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.source.map(|_| self.placed_at)
    }

    /// Whether it is shown to nobody, because its button was not pressed when it was on air, or not
    /// yet. That it is planned is told before.
    #[must_use]
    pub fn is_preview(&self) -> bool {
        let was_on_air = matches!(self.state, StreamState::Live | StreamState::Ended);
        was_on_air && self.publish_at_button && self.published_at.is_none()
    }

    /// Who is told of it; none: as its channel has it.
    #[must_use]
    pub fn visibility(&self) -> Option<StreamVisibility> {
        match self.is_preview() {
            true => Some(StreamVisibility::Unlisted),
            false => self.details.visibility,
        }
    }

    /// It, as a place that somebody wants into.
    #[must_use]
    pub fn place(&self, handle: &str) -> Place {
        let id = stream_uuid(self.id);
        Place {
            id,
            door: id,
            stream: id,
            channel: self.channel,
            handle: handle.to_owned(),
            lock: self.details.lock.clone(),
            is_recorded: false,
        }
    }

    /// Whether it stands in lists, as far as the stream itself has a say in that.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.visibility() != Some(StreamVisibility::Unlisted)
    }
}

/// The stream of that id, while it is on air.
pub(super) async fn on_air_by_id(db: &Db, id: StreamId) -> Result<Option<Stream>, StoreError> {
    let found = by_id(db, id).await?;
    Ok(found.filter(|stream| stream.state == StreamState::Live))
}

/// The id of a stream as the API and the database write it.
#[must_use]
pub fn stream_uuid(stream: StreamId) -> Uuid {
    Uuid::from_u128(stream.into())
}

impl LiveChannel {
    /// Whether it stands in lists, as far as its stream has a say in that.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.about.is_listed()
    }

    /// Whether somebody sees that it is on air: a preview is there for those who make it.
    #[must_use]
    pub fn is_shown_to(&self, account: Option<&Account>) -> bool {
        let makes_it = |account: &Account| account.has_say_over(self.channel.owner);
        !self.about.is_preview() || account.is_some_and(makes_it)
    }
}

impl Streams {
    /// What is ahead on a channel, the next first: with those that were cancelled and whose time has
    /// not come yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ahead(&self, channel: ChannelId) -> Result<Vec<Stream>, StoreError> {
        store::ahead(&self.db, channel, self.clock.now()).await
    }

    /// The stream of that id, planned, on air or over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, id: StreamId) -> Result<Option<Arc<Stream>>, StoreError> {
        if let Some(found) = by_id(&self.db, id).await? {
            return Ok(Some(Arc::new(found)));
        }
        // One that went on air a moment ago may not be written yet.
        let live = self.live().await.into_iter();
        Ok(live.map(|live| live.about).find(|about| about.id == id))
    }

    /// What is on air on a channel at another server of those that share the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_elsewhere(&self, channel: ChannelId) -> Result<Option<Stream>, StoreError> {
        match self.node.is_alone() {
            true => Ok(None),
            false => {
                let now = self.clock.now();
                store::live_elsewhere(&self.db, channel, self.node, now).await
            }
        }
    }

    /// The pictures of all streams, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pictures(&self) -> Result<Vec<String>, StoreError> {
        store::pictures(&self.db).await
    }

    /// The stream that somebody who publishes on a channel now gets, unless the channel is live: the
    /// one that was started by hand, or one that is planned for about now, or a new one, of which the
    /// same is said as of the last. While the database is away only who goes on with a stream is served: who may
    /// watch another is not known.
    pub(super) async fn stream_for(
        &self,
        channel: &Channel,
        source: IngestSource,
    ) -> Result<Arc<Stream>, StoreError> {
        let now = self.clock.now();
        let found = match store::awaited(&self.db, channel.id, now).await {
            Ok(Some(stream)) => Ok(stream),
            Ok(None) => self.like_the_last(channel, now).await,
            Err(error) => Err(error),
        };
        let stream = match found {
            Err(error) if self.stream_on(channel.id).await.is_some() => {
                log_store_error(&error);
                Stream::new(channel.id, now)
            }
            found => found?,
        };
        Ok(Arc::new(Stream {
            source: Some(source),
            ..stream
        }))
    }

    async fn like_the_last(&self, channel: &Channel, now: Timestamp) -> Result<Stream, StoreError> {
        let mut stream = Stream::new(channel.id, now);
        if let Some(last) = store::last_of(&self.db, channel.id).await? {
            stream.details = Details {
                description: String::new(),
                ..last.details
            };
            stream.settings = last.settings;
            stream.publish_at_button = last.publish_at_button;
        }
        Ok(stream)
    }
}
