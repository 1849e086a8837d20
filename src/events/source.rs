//! Where events come from: the one task that hears what streams, channels, recordings and chat tell, and
//! counts viewers once a minute.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Audience, Content, EventStream, Events, Kind};
use crate::accounts::{AccountId, Accounts};
use crate::channels::{Channel, ChannelEvent, ChannelId};
use crate::chat::{Chat, ChatEvent};
use crate::db::StoreError;
use crate::error::log_store_error;
use crate::recordings::{Recording, RecordingEvent, Recordings, Visibility};
use crate::streams::{Stream, StreamEvent, Streams, stream_uuid};

/// Viewers are counted this often.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// Of so many counts one also deletes what is too old.
const SWEEP_EVERY: u32 = 60;

/// Whom events come from.
#[derive(Debug)]
pub struct Sources {
    /// Streams that begin and end.
    pub streams: Streams,
    /// Recordings that are ready.
    pub recordings: Recordings,
    /// Who follows.
    pub accounts: Accounts,
    /// What is said.
    pub chat: Chat,
    /// Whether anybody wants what there is too much of to be written down for nobody.
    pub wants: Arc<dyn Wants>,
}

/// Knows what is wanted of a channel.
pub trait Wants: fmt::Debug + Send + Sync {
    /// Whether anybody wants such events of that channel.
    fn wants(&self, channel: ChannelId, kind: Kind) -> Wish<'_>;
}

/// Whether somebody wants something, once that is known.
pub type Wish<'a> = Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'a>>;

/// The task that [`Events::listen`] started.
#[derive(Debug)]
pub struct Tasks {
    listener: JoinHandle<()>,
}

impl Tasks {
    /// Waits for its end, which follows the token.
    pub async fn join(self) {
        // It fails only by a panic, which is logged where it happens.
        let _ = self.listener.await;
    }
}

impl Events {
    /// Writes down what the sources tell, in a task, until the token is cancelled.
    #[must_use]
    pub fn listen(&self, sources: Sources, stop: CancellationToken) -> Tasks {
        let listener = Listener {
            events: self.clone(),
            of_streams: sources.streams.subscribe(),
            of_recordings: sources.recordings.subscribe(),
            of_channels: self.0.channels.subscribe(),
            of_chat: sources.chat.subscribe(),
            wants: sources.wants,
            streams: sources.streams,
            accounts: sources.accounts,
        };
        Tasks {
            listener: tokio::spawn(listener.run(stop)),
        }
    }
}

struct Listener {
    events: Events,
    streams: Streams,
    accounts: Accounts,
    of_streams: Receiver<StreamEvent>,
    of_recordings: Receiver<RecordingEvent>,
    of_channels: Receiver<ChannelEvent>,
    of_chat: Receiver<ChatEvent>,
    wants: Arc<dyn Wants>,
}

impl Listener {
    async fn run(mut self, stop: CancellationToken) {
        let mut count = interval(COUNT_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut until_sweep = 0;
        loop {
            let written = tokio::select! {
                event = self.of_streams.recv() => match heard(event) {
                    Heard::Event(event) => self.stream(event).await,
                    Heard::Nothing => Ok(()),
                    Heard::End => return,
                },
                event = self.of_recordings.recv() => match heard(event) {
                    Heard::Event(event) => self.recording(event).await,
                    Heard::Nothing => Ok(()),
                    Heard::End => return,
                },
                event = self.of_channels.recv() => match heard(event) {
                    Heard::Event(ChannelEvent::Followed { channel, account }) => {
                        self.followed(channel, account).await
                    }
                    Heard::Event(_) | Heard::Nothing => Ok(()),
                    Heard::End => return,
                },
                event = self.of_chat.recv() => match heard(event) {
                    Heard::Event(event) => self.chat(event).await,
                    Heard::Nothing => Ok(()),
                    Heard::End => return,
                },
                _ = count.tick() => {
                    if until_sweep == 0 {
                        self.events.sweep().await;
                        until_sweep = SWEEP_EVERY;
                    }
                    until_sweep -= 1;
                    count_viewers(&self.events, &self.streams).await
                }
                () = stop.cancelled() => return,
            };
            // A database that is away holds up nobody: the event is lost and the log says so.
            if let Err(error) = written {
                log_store_error(&error);
            }
        }
    }

    async fn stream(&self, event: StreamEvent) -> Result<(), StoreError> {
        let (kind, id, about) = match event {
            StreamEvent::Started { stream, about, .. }
            | StreamEvent::Published { stream, about, .. } => {
                (Kind::StreamStarted, stream, Some(about))
            }
            StreamEvent::Ended { stream, about, .. } => (Kind::StreamEnded, stream, Some(about)),
            StreamEvent::Scheduled { stream, .. } => (Kind::StreamScheduled, stream, None),
            StreamEvent::Updated { stream, .. } => (Kind::StreamUpdated, stream, None),
            StreamEvent::Cancelled { stream, .. } => (Kind::StreamCancelled, stream, None),
            StreamEvent::Interrupted { .. }
            | StreamEvent::Resumed { .. }
            | StreamEvent::TakenOver { .. }
            | StreamEvent::HandedOver { .. }
            | StreamEvent::Packaged { .. } => return Ok(()),
        };
        let about = match about {
            Some(about) => Some(about),
            None => self.streams.find(id).await?,
        };
        match about {
            Some(about) => {
                self.tell(about.channel, Told::of_stream(kind, &about))
                    .await
            }
            None => Ok(()),
        }
    }

    async fn followed(&self, channel: ChannelId, account: AccountId) -> Result<(), StoreError> {
        let Some(account) = self.accounts.by_id(account).await? else {
            return Ok(());
        };
        let told = Told {
            kind: Kind::ChannelFollowed,
            stream: None,
            title: String::new(),
            // Whom somebody follows is nobody's business but the channel's.
            is_public: false,
            data: map(json!({ "account": { "id": account.id.0, "name": account.name } })),
        };
        self.tell(channel, told).await
    }

    async fn chat(&self, event: ChatEvent) -> Result<(), StoreError> {
        let (kind, channel, name, about) = match event {
            ChatEvent::Said { channel, message } => {
                if !self.wants.wants(channel, Kind::ChatMessage).await? {
                    return Ok(());
                }
                (Kind::ChatMessage, channel, "message", message)
            }
            ChatEvent::Moderated { channel, action } => {
                (Kind::ChatModerated, channel, "action", action)
            }
            ChatEvent::PollEnded { channel, poll } => (Kind::PollEnded, channel, "poll", poll),
        };
        let mut data = Map::new();
        data.insert(name.to_owned(), (*about).clone());
        let told = Told {
            kind,
            stream: None,
            title: String::new(),
            is_public: kind == Kind::PollEnded && self.is_open(&about).await,
            data,
        };
        self.tell(channel, told).await
    }

    /// Whether what a poll was about was open to everybody.
    async fn is_open(&self, poll: &Value) -> bool {
        let stream = poll["stream"].as_str();
        let Some(stream) = stream.and_then(|id| Uuid::parse_str(id).ok()) else {
            return true;
        };
        let place = self.streams.place_of_replay(stream).await;
        place.is_ok_and(|place| place.lock.is_open())
    }

    async fn recording(&self, event: RecordingEvent) -> Result<(), StoreError> {
        let RecordingEvent::Ready { recording } = event;
        let told = Told {
            kind: Kind::RecordingReady,
            stream: Some(stream_uuid(recording.whole_stream())),
            title: recording.title.clone(),
            is_public: recording.visibility == Visibility::Public,
            data: of_recording(&recording),
        };
        self.tell(recording.channel, told).await
    }

    async fn tell(&self, channel: ChannelId, told: Told) -> Result<(), StoreError> {
        let inner = &self.events.0;
        match inner.channels.by_id(channel).await? {
            Some(channel) => told.append(&self.events, &channel).await,
            None => Ok(()),
        }
    }
}

enum Heard<T> {
    Event(T),
    Nothing,
    End,
}

fn heard<T>(received: Result<T, RecvError>) -> Heard<T> {
    match received {
        Ok(event) => Heard::Event(event),
        Err(RecvError::Lagged(lost)) => {
            tracing::warn!(lost, "Lost {lost} events before they were written");
            Heard::Nothing
        }
        Err(RecvError::Closed) => Heard::End,
    }
}

/// What is told of a channel.
struct Told {
    kind: Kind,
    stream: Option<Uuid>,
    title: String,
    is_public: bool,
    data: Map<String, Value>,
}

impl Told {
    fn of_stream(kind: Kind, stream: &Stream) -> Self {
        let details = &stream.details;
        let mut data = map(json!({
            "category": details.category,
            "tags": details.tags,
            "language": details.language,
        }));
        if let Some(schedule) = &stream.schedule {
            data.insert("scheduled_at".to_owned(), json!(schedule.at));
            data.insert("time_zone".to_owned(), json!(schedule.time_zone));
        }
        Self {
            kind,
            stream: Some(stream_uuid(stream.id)),
            title: details.title.clone(),
            is_public: stream.is_listed(),
            data,
        }
    }

    async fn append(self, events: &Events, channel: &Channel) -> Result<(), StoreError> {
        let audience = match self.is_public && channel.visibility.is_listed() {
            true => Audience::Public,
            false => Audience::Owner,
        };
        let content = Content {
            channel: channel.into(),
            stream: self.stream.map(|id| EventStream {
                id,
                title: self.title,
            }),
            data: self.data,
        };
        let now = events.0.clock.now();
        events.append(self.kind, now, audience, content).await
    }
}

/// Tells of every live channel how many watch.
///
/// # Errors
/// When the database fails.
pub async fn count_viewers(events: &Events, streams: &Streams) -> Result<(), StoreError> {
    let here = streams.live().await.into_iter().filter(|live| live.is_here);
    for live in here {
        let mut told = Told::of_stream(Kind::ViewerCount, &live.about);
        told.data = map(json!({ "viewers": live.viewers }));
        told.append(events, &live.channel).await?;
    }
    Ok(())
}

fn of_recording(recording: &Arc<Recording>) -> Map<String, Value> {
    map(json!({
        "recording": {
            "id": recording.id.0,
            "title": recording.title,
            "duration_ms": recording.duration_ms,
        },
    }))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
