//! Chat: a room for each channel, reached by data channel and WebSocket with one protocol (docs/CHAT.md).
//!
//! A [`Hall`] is a room with its readers, in memory while somebody is there: what is said is numbered,
//! delivered at once and written down in batches by the [`Ledger`]. The rules of a room are pure
//! (`room.rs`); moderation, polls and questions change the database first and then tell the hall.

mod belonging;
mod connections;
mod deeds;
mod elsewhere;
mod emotes;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod hall;
mod ledger;
mod listener;
mod members;
mod message;
mod moderation;
mod modes;
mod outbox;
mod people;
mod polls;
mod protocol;
mod questions;
mod raids;
mod reactions;
mod refusal;
mod room;
mod routes;
mod screening;
mod store;
mod support;
mod terms;
mod text;
mod threads;
mod tokens;
mod visit;
mod websocket;
mod words;
mod writers;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sfu::Sfu;
use tokio::sync::{OnceCell, Semaphore, broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use connections::Connections;
use hall::Hall;
use ledger::Ledger;
use modes::Modes;
use room::{HISTORY, OnAir, Room};
use terms::Terms;
use threads::Threads;
use tokens::Tokens;

use crate::accounts::Accounts;
use crate::bus::Bus;
use crate::channels::{Channel, ChannelId, Channels, Pepper};
use crate::clock::Clock;
use crate::config::Limits;
use crate::db::{Db, StoreError};
use crate::images::Images;
use crate::nodes::Node;
use crate::payments::Payments;
use crate::streams::{PeerData, Streams, stream_uuid};

pub use listener::ChatEvent;
pub use support::{Support, SupportKind};

/// What chat stands on.
#[derive(Debug)]
pub struct Grounds {
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// Who there is.
    pub accounts: Accounts,
    /// Whose rooms they are.
    pub channels: Channels,
    /// Who is a member.
    pub payments: Payments,
    /// What is on air.
    pub streams: Streams,
    /// Emotes.
    pub images: Images,
    /// The secret of tokens.
    pub pepper: Pepper,
    /// The way out by data channels.
    pub sfu: Sfu,
    /// The way in by data channels.
    pub peers: mpsc::Receiver<PeerData>,
    /// Bounds.
    pub limits: Limits,
    /// The way to other servers.
    pub bus: Bus,
    /// Which server this is.
    pub node: Node,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Chat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    accounts: Accounts,
    channels: Channels,
    payments: Payments,
    streams: Streams,
    images: Images,
    pepper: Pepper,
    sfu: Sfu,
    ledger: Ledger,
    tokens: Tokens,
    connections: Connections,
    halls: Mutex<HashMap<ChannelId, Arc<OnceCell<Arc<Hall>>>>>,
    events: broadcast::Sender<ChatEvent>,
    threads: Threads,
    /// Rises when somebody may come in no more, or do less, somewhere.
    doors: AtomicU64,
    /// Polls that are due are being ended.
    is_ending: AtomicBool,
    bus: Bus,
    node: Node,
    /// So many rooms are read anew at a time.
    refreshing: Semaphore,
    /// Who wants everybody told that sessions end.
    partings: mpsc::Sender<gateway::Parting>,
    stop: CancellationToken,
}

/// What runs beside the requests. It ends with the token that [`Chat::start`] was given.
#[derive(Debug)]
pub struct Tasks {
    listener: JoinHandle<()>,
    members: JoinHandle<()>,
    gateway: JoinHandle<()>,
    ledger: JoinHandle<()>,
    stop_ledger: CancellationToken,
}

/// Events that a slow subscriber may be behind before it loses some.
const EVENTS: usize = 1_024;
/// Messages that wait for a moderator, as many as a room remembers.
const MOST_HELD: i64 = 500;
/// Rooms that are read anew at a time, after an outage that all have missed something in.
const REFRESHED_AT_ONCE: usize = 2;
/// Questions that a room shows.
const MOST_QUESTIONS: i64 = 200;

impl Chat {
    /// Opens the doors.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(grounds: Grounds, stop: CancellationToken) -> io::Result<(Self, Tasks)> {
        let threads = Threads::start()?;
        let stop_ledger = CancellationToken::new();
        let (ledger, writing) = Ledger::start(grounds.db.clone(), stop_ledger.clone());
        let (events, _) = broadcast::channel(EVENTS);
        let (partings, parting) = mpsc::channel(1);
        let (of_streams, of_channels) = (grounds.streams.subscribe(), grounds.channels.subscribe());
        let chat = Self(Arc::new(Inner {
            tokens: Tokens::new(grounds.pepper.clone()),
            connections: Connections::new(&grounds.limits),
            db: grounds.db,
            clock: grounds.clock,
            accounts: grounds.accounts,
            channels: grounds.channels,
            payments: grounds.payments,
            streams: grounds.streams,
            images: grounds.images,
            pepper: grounds.pepper,
            sfu: grounds.sfu,
            ledger,
            halls: Mutex::default(),
            events,
            threads,
            doors: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            bus: grounds.bus,
            node: grounds.node,
            refreshing: Semaphore::new(REFRESHED_AT_ONCE),
            partings,
            stop: stop.clone(),
        }));
        let listener = listener::run(chat.clone(), of_streams, of_channels, stop.clone());
        let members = members::watch(chat.clone(), stop.clone());
        let gateway = gateway::run(chat.clone(), grounds.peers, parting, stop);
        let tasks = Tasks {
            listener: tokio::spawn(listener),
            members: tokio::spawn(members),
            gateway: tokio::spawn(gateway),
            ledger: writing,
            stop_ledger,
        };
        Ok((chat, tasks))
    }

    /// The routes under `/api` of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// What happens in all rooms, from now on. A subscriber that lags loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<ChatEvent> {
        self.0.events.subscribe()
    }

    /// The pictures of all emotes: they are shown somewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pictures(&self) -> Result<Vec<String>, StoreError> {
        store::emote_images(&self.0.db).await
    }

    /// How many read the chats of this server now.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.open_halls()
            .iter()
            .map(|hall| hall.lock().readers())
            .sum()
    }

    /// How many doors were shut so far: whoever was looked at before the last, and comes in behind it, must
    /// be looked at again.
    fn doors(&self) -> u64 {
        self.0.doors.load(Ordering::Acquire)
    }

    fn tell(&self, event: ChatEvent) {
        // Without a reader there is nobody to tell.
        let _ = self.0.events.send(event);
    }

    /// The room of a channel, with what is known of it.
    async fn hall(&self, channel: &Channel) -> Result<Arc<Hall>, StoreError> {
        let cell = {
            let mut halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(halls.entry(channel.id).or_default())
        };
        let mut is_new = false;
        let opened = cell.get_or_try_init(|| {
            is_new = true;
            self.open(channel)
        });
        let hall = opened.await?;
        if is_new {
            self.meet_others(hall);
        }
        Ok(Arc::clone(hall))
    }

    /// The room of a channel, while it is open.
    fn open_hall(&self, channel: ChannelId) -> Option<Arc<Hall>> {
        let halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
        halls.get(&channel)?.get().map(Arc::clone)
    }

    fn forget_hall(&self, channel: ChannelId) -> Option<Arc<Hall>> {
        let mut halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
        let hall = halls.remove(&channel)?;
        self.0.bus.leave(&words::topic(channel));
        hall.get().map(Arc::clone)
    }

    fn open_halls(&self) -> Vec<Arc<Hall>> {
        let halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
        halls
            .values()
            .filter_map(|cell| cell.get().map(Arc::clone))
            .collect()
    }

    async fn open(&self, channel: &Channel) -> Result<Arc<Hall>, StoreError> {
        let (db, id) = (&self.0.db, channel.id);
        // What was said a moment ago, before the room was closed, may be on its way.
        self.0.ledger.settle().await;
        let on_air = self.on_air(id).await?;
        let stream = on_air.map(|on_air| on_air.id);
        let settings = self.read_settings(id, stream).await?;
        let mut room = Room::of(self.0.node.slot);
        room.modes = settings.modes;
        room.before_shield = settings.before_shield;
        room.pinned = settings.pinned;
        room.terms = self.read_terms(id).await?;
        room.emotes = self.read_emotes(id).await?;
        room.restraints = self.read_restraints(id).await?;
        room.poll = store::shown_poll(db, id, stream).await?;
        room.questions = self.read_questions(id, stream).await?;
        room.on_air = on_air;
        let recent = i64::try_from(HISTORY).unwrap_or(i64::MAX);
        room.recall(
            store::recent(db, id, stream, recent).await?,
            store::held(db, id, MOST_HELD).await?,
        );
        Ok(Hall::new(
            channel,
            room,
            self.0.clock.clone(),
            self.0.ledger.clone(),
            self.0.bus.clone(),
        ))
    }

    async fn read_terms(&self, channel: ChannelId) -> Result<Terms, StoreError> {
        let terms = store::terms(&self.0.db, channel).await?;
        Ok(Terms::new(
            terms.iter().map(|term| (term.term.as_str(), term.kind)),
        ))
    }

    /// What the channel's viewers see, here or at another server: nobody is told of a preview.
    async fn on_air(&self, channel: ChannelId) -> Result<Option<OnAir>, StoreError> {
        let streams = &self.0.streams;
        let (stream, started_at) = match streams.live_on(channel).await {
            Some(live) => (live.about, live.started_at),
            None if self.0.bus.is_shared() => {
                let Some(found) = streams.live_elsewhere(channel).await? else {
                    return Ok(None);
                };
                let started_at = found.started_at();
                (Arc::new(found), started_at)
            }
            None => return Ok(None),
        };
        let started_at = started_at.filter(|_| !stream.is_preview());
        Ok(started_at.map(|started_at| OnAir {
            id: stream_uuid(stream.id),
            started_at,
        }))
    }
}

impl Tasks {
    /// Waits until all have ended, and what was said is written down.
    pub async fn join(self) {
        for ended in [self.listener.await, self.members.await, self.gateway.await] {
            report(ended);
        }
        self.stop_ledger.cancel();
        report(self.ledger.await);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A task of chat failed: {error}");
    }
}

fn read_modes(json: &str) -> Modes {
    serde_json::from_str(json).unwrap_or_else(|error| {
        tracing::warn!(%error, "A room's modes cannot be read: {error}");
        Modes::default()
    })
}
