//! Going live and watching: [`Streams`] stands between the HTTP endpoints and the SFU.
//!
//! One task (`lifecycle`) owns who is live; [`Streams`] is the handle to it. What happens to a
//! stream goes out as [`StreamEvent`]s.

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
use jiff::Timestamp;
use sfu::{OfferError, SessionId, Sfu, StreamId, StreamStats};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use utoipa_axum::router::OpenApiRouter;

use crate::accounts::Accounts;
use crate::answer;
use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::channels::{Channel, ChannelEvent, ChannelId, Channels, StreamKeyId};
use crate::clock::Clock;
use crate::cluster::{Cluster, Lost};
use crate::config::{Config, Limits};
use crate::db::{Db, StoreError};
use crate::gates::{By, Gates, Place};
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
pub use resuming::Resumed;
use rtmp::RtmpPorts;
pub use rtmp::{MOST_CONNECTIONS as MOST_RTMP_CONNECTIONS, RtmpListeners};
pub(crate) use signalling::answered;
pub use standing::{ChannelState, LiveChannel, StreamEvent};
use watchers::Barring;

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

/// A session as its URL's handlers need it.
#[derive(Debug, Clone)]
pub(crate) struct SessionFacts {
    pub(crate) role: sfu::Role,
    pub(crate) channel: ChannelId,
    pub(crate) stream: StreamId,
    pub(crate) ice_tag: String,
    /// `ice-ufrag` of the peer, to tell a restart from a trickle.
    pub(crate) remote_ufrag: Option<String>,
    /// SHA-256 of the `Authorization` that a viewer sent with its offer.
    pub(crate) credential: Option<String>,
    /// How it publishes, if it does.
    pub(crate) source: IngestSource,
    /// Index of the video section in the session's SDP.
    pub(crate) video_index: Option<usize>,
    /// By what its viewer may watch.
    pub(crate) by: By,
    /// Told when they may no more, before the session ends.
    pub(crate) barring: Barring,
    /// Event streams that its viewer asked for.
    pub(crate) subscriptions: events::Subscriptions,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

/// An offer to publish that may do so.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) channel: Channel,
    pub(crate) key: Option<StreamKeyId>,
    pub(crate) address: IpAddr,
    pub(crate) offer: String,
}

impl SessionFacts {
    /// Of a session that nothing else is known of.
    fn new(role: sfu::Role, channel: ChannelId, stream: StreamId) -> Self {
        Self {
            role,
            channel,
            stream,
            ice_tag: String::new(),
            remote_ufrag: None,
            credential: None,
            source: IngestSource::Whip,
            video_index: None,
            by: By::Open,
            barring: Barring::default(),
            subscriptions: events::Subscriptions::default(),
            over: CancellationToken::new(),
        }
    }
}

/// A publisher that is no peer of ours, and may publish.
#[derive(Debug)]
pub(crate) struct Receive {
    pub(crate) channel: Channel,
    pub(crate) key: StreamKeyId,
    pub(crate) address: IpAddr,
    pub(crate) tracks: sfu::IngestTracks,
    /// The session of the same publisher in whose place it comes.
    pub(crate) continued: Option<SessionId>,
}

/// An offer to watch.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) channel: ChannelId,
    pub(crate) address: IpAddr,
    /// The player's `User-Agent`.
    pub(crate) agent: Arc<str>,
    pub(crate) credential: Option<String>,
    pub(crate) offer: String,
    /// What they were let into.
    pub(crate) place: Place,
    /// By what they may watch it.
    pub(crate) by: By,
    /// Whether they get one of the last places.
    pub(crate) has_priority: bool,
}

/// Why an offer got no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another publisher holds the channel.
    AlreadyLive,
    /// Nobody is live on the channel.
    NotLive,
    /// Its stream was on air before the start, and its publisher is not back yet.
    PublisherAway,
    /// The address has too many sessions that never connected.
    HalfOpen,
    /// Servers cannot agree who publishes.
    Apart,
    /// The SFU refuses.
    Offer(OfferError),
    /// The server shuts down.
    Draining,
    /// What is said of the stream, and who may watch it, cannot be looked up.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a channel's owner sees of what arrives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ingest {
    pub(crate) stream: Option<StreamId>,
    pub(crate) state: ChannelState,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) viewers: u32,
    /// The publisher's session, if there is one.
    pub(crate) publisher: Option<IngestPublisher>,
    pub(crate) last_attempt: Option<Attempt>,
}

/// The publisher's session as its owner sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IngestPublisher {
    pub(crate) source: IngestSource,
    pub(crate) connected: bool,
    pub(crate) flowing: bool,
    pub(crate) age: Duration,
}

/// How media comes from a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IngestSource {
    /// From a peer: a browser, OBS, any client of RFC 9725.
    Whip,
    /// Over a connection of its own.
    Rtmp,
}

/// The last try to publish that came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    pub(crate) detail: String,
}

/// What a viewer's event stream tells.
#[derive(Debug, Clone)]
pub(crate) enum ViewerEvent {
    Active,
    Inactive,
    ViewerCount(u32),
    Layers(Arc<StreamStats>),
    /// Something else is said of the stream.
    Updated(Arc<Stream>),
    Reconnect,
    /// Who watches may not any more; the name of the reason, and the reason in words.
    Barred(&'static str, String),
    Ended,
}

/// Where an event stream begins, and what follows.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) first: Vec<ViewerEvent>,
    pub(crate) then: broadcast::Receiver<ViewerEvent>,
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

    /// All channels that are live now.
    pub async fn live(&self) -> Vec<LiveChannel> {
        self.ask(Command::Live).await.unwrap_or_default()
    }

    /// How a channel stands, if it is live.
    pub async fn live_on(&self, channel: ChannelId) -> Option<LiveChannel> {
        self.ask(|reply| Command::LiveOn(channel, reply))
            .await
            .flatten()
    }

    /// Figures of every live channel in Prometheus' text format.
    pub async fn figures(&self) -> String {
        let mut streams = Vec::new();
        let here = self.live().await.into_iter().filter(|live| live.is_here);
        for live in here.take(figures::MOST_CHANNELS) {
            let stats = self.sfu.stream_stats(live.stream).await;
            streams.push((live, stats.unwrap_or_default()));
        }
        figures::in_text(&streams)
    }

    /// How well the media of every stream on air arrives, with its channel.
    pub(crate) async fn samples(&self) -> Vec<(LiveChannel, Sample)> {
        let mut samples = Vec::new();
        for live in self.live().await.into_iter().filter(|live| live.is_here) {
            let stats = self.sfu.stream_stats(live.stream).await;
            let sample = Sample::of(&live, &stats.unwrap_or_default());
            samples.extend(sample.map(|sample| (live, sample)));
        }
        samples
    }

    /// Takes note of a viewer, as a player on the channel of that handle tells. False: it is not live.
    pub(crate) async fn beat(&self, handle: String, beat: Beat) -> bool {
        self.ask(|reply| Command::Beat(handle, beat, reply))
            .await
            .unwrap_or(false)
    }

    /// How many watch a stream now, and the most that did. `None`: it is not on air.
    pub(crate) async fn viewers_of(&self, stream: StreamId) -> Option<(ByTransport, i64)> {
        self.ask(|reply| Command::Viewers(stream, reply))
            .await
            .flatten()
    }

    /// What changed among the viewers of all streams since the last call: whoever calls writes it down.
    /// With `all`, also of those of whom there is nothing new.
    pub(crate) async fn take_viewers(&self, all: bool) -> Vec<Changed> {
        self.ask(|reply| Command::TakeViewers(all, reply))
            .await
            .unwrap_or_default()
    }

    /// The stream that a channel has, also while its first publisher is only connecting.
    pub async fn stream_on(&self, channel: ChannelId) -> Option<StreamId> {
        self.ingest(channel).await.stream
    }

    /// Ends a channel's stream now. False: it was not live.
    pub async fn end(&self, channel: ChannelId) -> bool {
        self.ask(|reply| Command::End(channel, reply))
            .await
            .unwrap_or(false)
    }

    /// Why this server packages nothing for HLS, in words for its operator.
    #[must_use]
    pub fn lacks_for_hls(&self) -> Option<String> {
        self.playback.lacks_for_operator()
    }

    /// Whether only those with priority find a place by WebRTC.
    pub(crate) fn is_crowded(&self) -> bool {
        let viewers = usize::try_from(self.sfu.totals().viewers).unwrap_or_default();
        viewers >= self.most_viewers
    }

    /// Refuses new sessions from now on and tells viewers to come back later. What is on air goes on with
    /// the next start, where a publisher may be away for a while.
    pub fn drain(&self) {
        if !self.reconnect_window.is_zero() {
            self.playback.leave();
        }
        self.draining.cancel();
    }

    /// Whether new sessions are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) async fn publish(&self, publish: Publish) -> Result<sfu::Answer, Refused> {
        let span = spans::publish(&publish.channel, "whip");
        let publishing = async {
            let about = self
                .stream_for(&publish.channel, IngestSource::Whip)
                .await?;
            let answer = self
                .ask(|reply| Command::Publish(publish, about, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            let facts = self.session(answer.session).await;
            spans::note(&Span::current(), answer.session, facts.as_ref());
            Ok(answer)
        };
        publishing.instrument(span).await
    }

    pub(crate) async fn receive(&self, receive: Receive) -> Result<sfu::Ingest, Refused> {
        let connection = Span::current();
        connection.record("channel.handle", &receive.channel.handle);
        let span = spans::publish(&receive.channel, "rtmp");
        let receiving = async {
            let about = self
                .stream_for(&receive.channel, IngestSource::Rtmp)
                .await?;
            let ingest = self
                .ask(|reply| Command::Receive(receive, about, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            let facts = self.session(ingest.session()).await;
            for span in [&Span::current(), &connection] {
                spans::note(span, ingest.session(), facts.as_ref());
            }
            Ok(ingest)
        };
        receiving.instrument(span).await
    }

    pub(crate) async fn view(&self, view: View) -> Result<sfu::Answer, Refused> {
        let span = spans::view(&view.place);
        let viewing = async {
            let answer = self
                .ask(|reply| Command::View(view, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            spans::note(&Span::current(), answer.session, None);
            Ok(answer)
        };
        viewing.instrument(span).await
    }

    /// Answers another server that wants a stream which is on air here, by that lease or a newer one.
    async fn relay(
        &self,
        stream: StreamId,
        fence: u64,
        offer: String,
    ) -> Result<sfu::Answer, Refused> {
        let command = |reply| Command::Relay {
            stream,
            fence,
            offer,
            reply,
        };
        self.ask(command).await.unwrap_or(Err(Refused::Draining))
    }

    /// Ends a stream if it is on air here.
    async fn end_here(&self, stream: StreamId) -> bool {
        let ended = self.ask(|reply| Command::EndHere(stream, reply)).await;
        ended.unwrap_or(false)
    }

    pub(crate) async fn session(&self, session: SessionId) -> Option<SessionFacts> {
        self.ask(|reply| Command::Session(session, reply))
            .await
            .flatten()
    }

    pub(crate) async fn restarted(&self, session: SessionId, ice_tag: String, ufrag: String) {
        let command = Command::Restarted {
            session,
            ice_tag,
            ufrag,
        };
        // The task is gone only when the server stops, and the session with it.
        let _ = self.commands.send(command).await;
    }

    /// Ends a session at its peer's wish; a publisher's ends the stream. False: no such session.
    pub(crate) async fn hang_up(&self, session: SessionId) -> bool {
        self.ask(|reply| Command::HangUp(session, reply))
            .await
            .unwrap_or(false)
    }

    pub(crate) async fn watch(&self, session: SessionId) -> Option<Watch> {
        self.ask(|reply| Command::Watch(session, reply))
            .await
            .flatten()
    }

    pub(crate) async fn ingest(&self, channel: ChannelId) -> Ingest {
        self.ask(|reply| Command::Ingest(channel, reply))
            .await
            .unwrap_or_default()
    }

    /// Notes why a try to publish on the channel came to nothing, for its owner to see.
    pub(crate) async fn note_attempt(&self, channel: ChannelId, detail: String) {
        let _ = self.commands.send(Command::Attempt(channel, detail)).await;
    }

    /// Sends a command with a reply channel. `None`: the task is gone.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
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
