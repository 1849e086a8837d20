//! What happens on channels, in order and with numbers, for programs that follow it.
//!
//! [`Events::append`] is the only way in. The table is what counts: whoever reads live and falls behind
//! goes on from the table, and a reader that comes back names the number it had last.

mod follow;
mod routes;
mod source;
mod store;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub use source::{Sources, Tasks, Wants, Wish, count_viewers};

use crate::channels::{Channel, ChannelId, Channels};
use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::error::log_store_error;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Kind {
    /// A stream is planned for a time.
    #[serde(rename = "stream.scheduled")]
    StreamScheduled,
    /// A stream is on air, or was published.
    #[serde(rename = "stream.started")]
    StreamStarted,
    /// Something else is said of a stream.
    #[serde(rename = "stream.updated")]
    StreamUpdated,
    /// A stream is over.
    #[serde(rename = "stream.ended")]
    StreamEnded,
    /// A planned stream will not take place.
    #[serde(rename = "stream.cancelled")]
    StreamCancelled,
    /// A recording can be watched.
    #[serde(rename = "recording.ready")]
    RecordingReady,
    /// How many watch, once a minute while a stream is on air.
    #[serde(rename = "viewer.count")]
    ViewerCount,
    /// Somebody follows a channel.
    #[serde(rename = "channel.followed")]
    ChannelFollowed,
    /// Somebody said something in a channel's chat; only while a webhook of the channel wants it.
    #[serde(rename = "chat.message")]
    ChatMessage,
    /// A moderator did something in a channel's chat.
    #[serde(rename = "chat.moderated")]
    ChatModerated,
    /// A poll is over.
    #[serde(rename = "poll.ended")]
    PollEnded,
    /// Somebody is a member of a channel now.
    #[serde(rename = "member.joined")]
    MemberJoined,
    /// Somebody is a member no more.
    #[serde(rename = "member.left")]
    MemberLeft,
    /// Somebody gives memberships to others.
    #[serde(rename = "gift.sent")]
    GiftSent,
    /// Somebody sent a tip.
    #[serde(rename = "tip.received")]
    TipReceived,
    /// Somebody bought a ticket.
    #[serde(rename = "ticket.sold")]
    TicketSold,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::StreamScheduled,
        Self::StreamStarted,
        Self::StreamUpdated,
        Self::StreamEnded,
        Self::StreamCancelled,
        Self::RecordingReady,
        Self::ViewerCount,
        Self::ChannelFollowed,
        Self::ChatMessage,
        Self::ChatModerated,
        Self::PollEnded,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::GiftSent,
        Self::TipReceived,
        Self::TicketSold,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamScheduled => "stream.scheduled",
            Self::StreamStarted => "stream.started",
            Self::StreamUpdated => "stream.updated",
            Self::StreamEnded => "stream.ended",
            Self::StreamCancelled => "stream.cancelled",
            Self::RecordingReady => "recording.ready",
            Self::ViewerCount => "viewer.count",
            Self::ChannelFollowed => "channel.followed",
            Self::ChatMessage => "chat.message",
            Self::ChatModerated => "chat.moderated",
            Self::PollEnded => "poll.ended",
            Self::MemberJoined => "member.joined",
            Self::MemberLeft => "member.left",
            Self::GiftSent => "gift.sent",
            Self::TipReceived => "tip.received",
            Self::TicketSold => "ticket.sold",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Who may know of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// Who runs the channel.
    Owner,
}

impl Audience {
    fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Owner => "owner",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "public" => Some(Self::Public),
            "owner" => Some(Self::Owner),
            _ => None,
        }
    }
}

/// The channel that an event is about, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventChannel {
    /// Its id.
    pub id: Uuid,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<&Channel> for EventChannel {
    fn from(channel: &Channel) -> Self {
        Self {
            id: channel.id.0,
            handle: channel.handle.clone(),
            name: channel.name.clone(),
        }
    }
}

/// The stream that an event is about, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventStream {
    /// Its id.
    pub id: Uuid,
    /// Empty where nobody gave one.
    pub title: String,
}

/// What is told of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The channel.
    pub channel: EventChannel,
    /// The stream, where it is about one.
    pub stream: Option<EventStream>,
    /// More, as its kind has it.
    pub data: Map<String, Value>,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// Where.
    pub channel: ChannelId,
    /// For whom.
    pub audience: Audience,
    /// What is told.
    pub content: Content,
}

/// An event as programs get it, by webhook and by event stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventBody {
    /// Rises with every event.
    pub id: String,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub channel: EventChannel,
    /// The stream, where it is about one.
    pub stream: Option<EventStream>,
    /// More, as its kind has it: `viewers` of `viewer.count`, `recording` of `recording.ready`,
    /// `account` of `channel.followed`, `scheduled_at` of `stream.scheduled`.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        let Content {
            channel,
            stream,
            data,
        } = event.content.clone();
        Self {
            id: event.seq.to_string(),
            kind: event.kind,
            at: event.at,
            channel,
            stream,
            data,
        }
    }
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    channels: Channels,
    live: broadcast::Sender<Arc<Event>>,
    /// What is told live has the order of the table.
    writing: Mutex<()>,
    readers: Arc<Semaphore>,
    /// Event streams end with it.
    closing: CancellationToken,
}

/// Events that a live reader may be behind before it goes back to the table.
const LIVE: usize = 1_024;
/// Event streams at once.
const MOST_READERS: usize = 5_000;
/// How long events stay.
const KEEP: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Events {
    /// Makes the service.
    #[must_use]
    pub fn new(db: Db, clock: Clock, channels: Channels) -> Self {
        let (live, _) = broadcast::channel(LIVE);
        Self(Arc::new(Inner {
            db,
            clock,
            channels,
            live,
            writing: Mutex::default(),
            readers: Arc::new(Semaphore::new(MOST_READERS)),
            closing: CancellationToken::new(),
        }))
    }

    /// The routes of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// Writes an event down and tells whoever reads live.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append(
        &self,
        kind: Kind,
        at: Timestamp,
        audience: Audience,
        content: Content,
    ) -> Result<(), StoreError> {
        let _writing = self.0.writing.lock().await;
        let payload = serde_json::to_string(&content).map_err(|error| StoreError::Corrupt {
            table: "event",
            key: kind.as_str().to_owned(),
            expected: "what JSON can hold",
            found: error.to_string(),
        })?;
        let mut tx = self.0.db.begin().await?;
        let event = Event {
            seq: store::next_seq(&mut tx).await?,
            at,
            kind,
            channel: ChannelId(content.channel.id),
            audience,
            content,
        };
        store::insert(&mut tx, &event, &payload).await?;
        tx.commit().await?;
        // Nobody may be reading.
        let _ = self.0.live.send(Arc::new(event));
        Ok(())
    }

    /// Is cancelled when event streams must end.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.0.closing.clone()
    }

    /// Ends all event streams: the server stops.
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Deletes what is too old.
    pub async fn sweep(&self) {
        let before = self.0.clock.now() - KEEP;
        if let Err(error) = store::sweep(&self.0.db, before).await {
            log_store_error(&error);
        }
    }
}
