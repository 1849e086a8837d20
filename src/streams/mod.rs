//! Going live and watching: [`Streams`] stands between the HTTP endpoints and the SFU.
//!
//! One task (`lifecycle`) owns who is live; [`Streams`] is the handle to it. What happens to a
//! stream goes out as [`StreamEvent`]s.

mod asking;
mod audience;
mod belonging;
mod between;
mod catalogue;
mod entry;
mod events;
mod figures;
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod history;
mod hooks;
mod layers;
mod lifecycle;
mod live;
mod playback;
mod presence;
mod requests;
mod resuming;
mod routes;
mod rtmp;
mod schema;
mod session;
mod signalling;
mod spans;
mod standing;
mod watchers;
mod whep;
mod whip;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use sfu::{SessionId, Sfu};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::accounts::Accounts;
use crate::answer;
use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::channels::{ChannelEvent, ChannelId, Channels};
use crate::clock::Clock;
use crate::cluster::{Cluster, Lost};
use crate::config::{Config, Limits};
use crate::db::Db;
use crate::gates::Gates;
use crate::ice::IceServers;
use crate::images::Images;
use crate::nodes::Node;
use crate::rate::Rate;

pub use catalogue::{
    ChatMode, Details, Latency, Schedule, Stream, StreamSettings, StreamState, StreamVisibility,
    stream_uuid,
};
use hooks::Hooks;
use lifecycle::{Command, Lifecycle, Others};
use playback::Playback;

pub(crate) use audience::Changed;
pub(crate) use health::{Alert, Sample};
pub use playback::{Entered, MediaRequest};
pub(crate) use presence::{Beat, ByTransport, Transport, ViewerId, Watching, Who};
pub(crate) use requests::{
    Attempt, Ingest, IngestPublisher, IngestSource, Publish, Receive, Refused, SessionFacts, View,
    ViewerEvent, Watch,
};
pub use resuming::Resumed;
use rtmp::RtmpPorts;
pub use rtmp::{MOST_CONNECTIONS as MOST_RTMP_CONNECTIONS, RtmpListeners};
pub(crate) use signalling::answered;
pub use standing::{ChannelState, LiveChannel, StreamEvent};

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Streams {
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<StreamEvent>,
    sfu: Sfu,
    db: Db,
    channels: Channels,
    gates: Gates,
    clock: Clock,
    limits: Arc<Limiters>,
    hooks: Hooks,
    playback: Playback,
    ice: IceServers,
    /// Viewers by WebRTC without priority, at most.
    most_viewers: usize,
    reconnect_window: Duration,
    rtmp_ports: RtmpPorts,
    draining: CancellationToken,
    node: Node,
    cluster: Cluster,
    bus: Bus,
}

/// What [`Streams::start`] needs of the outside.
#[derive(Debug)]
pub struct Inputs {
    /// The SFU's events.
    pub sfu: mpsc::Receiver<sfu::Event>,
    /// The channels' events.
    pub channels: mpsc::Receiver<ChannelEvent>,
    /// The program that is a media-worker when it is told `media-worker`: this one.
    pub program: PathBuf,
    /// Where publishers by RTMP come.
    pub rtmp: RtmpListeners,
    /// Who hears what peers send on data channels. What finds no room there is lost.
    pub peers: mpsc::Sender<PeerData>,
    /// Which server this is.
    pub node: Node,
    /// What goes on that was on air before the start.
    pub resumed: Vec<Resumed>,
    /// STUN and TURN servers.
    pub ice: IceServers,
    /// What servers tell one another.
    pub bus: Bus,
    /// Other servers, and what they took over from this one.
    pub cluster: Cluster,
    /// The latter.
    pub lost: mpsc::UnboundedReceiver<Lost>,
    /// The store, where there is one.
    pub bucket: Option<Bucket>,
}

/// What a peer did with a data channel.
#[derive(Debug)]
pub enum PeerData {
    /// One is open.
    Opened {
        /// The peer's session.
        session: SessionId,
        /// The channel whose stream it is about.
        channel: ChannelId,
        /// The network it came from.
        address: IpAddr,
        /// The data channel's label.
        label: String,
        /// Whether they have but a preview, which shows no chat.
        is_preview: bool,
    },
    /// A message came on one with a label of chat's.
    Came {
        /// The peer's session.
        session: SessionId,
        /// What.
        payload: Bytes,
    },
    /// The session is over.
    Closed {
        /// The peer's session.
        session: SessionId,
    },
}

/// Labels of the data channels that messages are taken from.
const CHAT_LABELS: [&str; 2] = ["chat", "reactions"];

/// Tasks that [`Streams::start`] started; they end after the token is cancelled.
#[derive(Debug)]
pub struct Tasks {
    lifecycle: JoinHandle<()>,
    packaging: JoinHandle<()>,
    rtmp: JoinHandle<()>,
    history: JoinHandle<()>,
    watch: JoinHandle<()>,
    watchers: JoinHandle<()>,
    stop_history: CancellationToken,
}

/// How often one address may do what.
#[derive(Debug)]
struct Limiters {
    limits: Limits,
    publishes: Rate<IpAddr>,
    views: Rate<IpAddr>,
    requests: Rate<IpAddr>,
}

/// Commands wait here for the task; when it is full, requests wait.
const COMMANDS: usize = 1024;
/// Stream events that a slow subscriber may be behind before it loses some.
const EVENTS: usize = 1024;
const MINUTE: Duration = Duration::from_secs(60);

impl Streams {
    /// Starts the task that owns who is live, and the one that writes it down.
    #[must_use]
    pub fn start(
        config: &Config,
        sfu: Sfu,
        db: Db,
        (channels, gates): (Channels, Gates),
        clock: Clock,
        mut inputs: Inputs,
        stop: CancellationToken,
    ) -> (Self, Tasks) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (events, _) = broadcast::channel(EVENTS);
        let hooks = Hooks::new(&config.hooks, clock.clone());
        let streams = Self {
            commands,
            events: events.clone(),
            sfu: sfu.clone(),
            db: db.clone(),
            channels,
            gates: gates.clone(),
            clock: clock.clone(),
            limits: Arc::new(Limiters::new(config.limits.clone())),
            playback: Playback::new(
                config,
                clock.clone(),
                inputs.program.clone(),
                (hooks.clone(), gates.clone(), inputs.cluster.clone()),
                inputs.bucket.take(),
            ),
            hooks,
            ice: inputs.ice.clone(),
            most_viewers: config.limits.viewers_for(false),
            reconnect_window: config.streams.reconnect_window(),
            rtmp_ports: inputs.rtmp.ports(),
            draining: CancellationToken::new(),
            node: inputs.node,
            cluster: inputs.cluster.clone(),
            bus: inputs.bus.clone(),
        };
        let stop_history = CancellationToken::new();
        let payments = streams.gates.payments().clone();
        let told = events.subscribe();
        let history = history::run(
            db.clone(),
            inputs.node,
            payments,
            (told, events.clone()),
            stop_history.clone(),
        );
        let history = tokio::spawn(history);
        let watch = tokio::spawn(catalogue::watch(streams.clone(), stop.clone()));
        let watchers = watchers::watch(streams.clone(), events.subscribe(), stop.clone());
        let watchers = tokio::spawn(watchers);
        let resumed = std::mem::take(&mut inputs.resumed);
        let on_air: Vec<LiveChannel> = resumed.iter().map(|one| one.live.clone()).collect();
        // Before there are requests for it.
        let resumed = streams.playback.resume(resumed);
        let packaging = playback::run(
            streams.playback.clone(),
            streams.clone(),
            (events.subscribe(), resumed),
            stop.clone(),
        );
        let packaging = tokio::spawn(packaging);
        let tools = rtmp::Tools {
            streams: streams.clone(),
            program: inputs.program.clone(),
        };
        let listeners = std::mem::take(&mut inputs.rtmp);
        let rtmp = tokio::spawn(rtmp::run(tools, listeners, stop.clone()));
        let (playback, draining) = (streams.playback.clone(), streams.draining.clone());
        let lifecycle = {
            let others = (inputs.cluster.clone(), inputs.node);
            let others = Others::new(others, db, streams.channels.clone());
            let peers = (inputs.peers.clone(), inputs.ice.clone(), others);
            Lifecycle::new(config, sfu, clock, playback, events, draining, peers).resume(on_air)
        };
        let lifecycle = tokio::spawn(lifecycle.run(receiver, inputs, stop));
        let tasks = Tasks {
            lifecycle,
            packaging,
            rtmp,
            history,
            watch,
            watchers,
            stop_history,
        };
        (streams, tasks)
    }

    /// The routes under `/api` of this domain.
    pub fn routes(&self, images: Images) -> OpenApiRouter {
        let rooms = routes::Rooms {
            streams: self.clone(),
            channels: self.channels.clone(),
            images,
        };
        let entry = entry::routes().with_state(self.clone());
        let streams = catalogue::routes(rooms.clone());
        routes::routes(rooms).merge(streams).merge(entry)
    }

    /// The routes of WHIP and WHEP, which pages of other sites may use, too.
    pub fn signalling(&self, accounts: &Accounts) -> OpenApiRouter {
        signalling::routes(self.clone(), accounts.clone())
    }

    /// The routes that servers of ours ask one another by.
    pub fn between_servers(&self) -> OpenApiRouter {
        between::routes(self.clone())
    }

    /// The routes of HLS, which pages of other sites may use, too.
    pub fn playback(&self) -> OpenApiRouter {
        playback::routes(self.playback.clone())
    }

    /// Lets a player of live HLS in; none: not without looking at more of the request.
    pub async fn enter(&self, asked: &MediaRequest<'_>, from: IpAddr) -> Option<Entered> {
        self.playback.enter(asked, from).await
    }

    /// Answers a player of live HLS that was let in, as [`Streams::playback`] would.
    pub async fn media(&self, asked: &MediaRequest<'_>, entered: Entered) -> Response {
        answer::opened(self.playback.media(asked, entered).await)
    }

    /// Who may watch.
    #[must_use]
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Events of all streams from now on. A subscriber that lags loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<StreamEvent> {
        self.events.subscribe()
    }
}

impl Tasks {
    /// Waits until all have ended, and what they knew is written down.
    pub async fn join(self) {
        report(self.lifecycle.await);
        report(self.packaging.await);
        report(self.rtmp.await);
        report(self.watch.await);
        report(self.watchers.await);
        self.stop_history.cancel();
        report(self.history.await);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A task of streams failed: {error}");
    }
}

impl Limiters {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            publishes: Rate::new(MINUTE),
            views: Rate::new(MINUTE),
            requests: Rate::new(MINUTE),
        }
    }
}
