//! The one task that owns who is live and which sessions there are.
//!
//! It never waits for the SFU itself: each call runs beside it and its result comes back as
//! [`Done`], so that one slow shard does not hold up the others' channels.

mod attempts;
mod effects;
mod elsewhere;
mod events;
mod leasing;
mod peers;
mod publishing;
mod pulling;
mod reports;
mod room;
mod viewing;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sfu::{Answer, CloseReason, OfferError, Role, SessionId, Sfu, StreamId, StreamStats};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use attempts::Attempts;
use elsewhere::Found;
pub(super) use elsewhere::Others;
use leasing::{Leased, Wanted};
use peers::Peers;

use super::audience::{Audiences, Changed};
use super::live::{Effect, Live, LiveChannels, Rules};
use super::playback::Playback;
use super::presence::{Beat, ByTransport, Who};
use super::watchers::Guarded;
use super::{
    Ingest, Inputs, LiveChannel, PeerData, Publish, Receive, Refused, SessionFacts, Stream,
    StreamEvent, View, ViewerEvent, Watch, signalling,
};
use crate::channels::{Barred, ChannelId, StreamKeyId};
use crate::clock::Clock;
use crate::cluster::{ClaimError, Directory, Lease, Lost, Record};
use crate::config::{Config, Limits, SecondPublisher};
use crate::ice::IceServers;

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// With the stream that it gets unless the channel is live.
    Publish(
        Publish,
        Arc<Stream>,
        oneshot::Sender<Result<Answer, Refused>>,
    ),
    Receive(
        Receive,
        Arc<Stream>,
        oneshot::Sender<Result<sfu::Ingest, Refused>>,
    ),
    View(View, oneshot::Sender<Result<Answer, Refused>>),
    Session(SessionId, oneshot::Sender<Option<SessionFacts>>),
    Restarted {
        session: SessionId,
        ice_tag: String,
        ufrag: String,
    },
    HangUp(SessionId, oneshot::Sender<bool>),
    Watch(SessionId, oneshot::Sender<Option<Watch>>),
    Live(oneshot::Sender<Vec<LiveChannel>>),
    LiveOn(ChannelId, oneshot::Sender<Option<LiveChannel>>),
    Ingest(ChannelId, oneshot::Sender<Ingest>),
    End(ChannelId, oneshot::Sender<bool>),
    EndStream(StreamId, oneshot::Sender<bool>),
    /// Something else is said of a stream.
    Retell(Arc<Stream>),
    Attempt(ChannelId, String),
    /// A player on the channel of that handle tells of its viewer. False: it is not on air.
    Beat(String, Beat, oneshot::Sender<bool>),
    /// What is on air and has a gate, and who watches it.
    Guarded(oneshot::Sender<Vec<Guarded>>),
    /// A viewer may watch no more, and why.
    Bar(SessionId, Barred),
    /// How many watch a stream on air, and the most that did.
    Viewers(StreamId, oneshot::Sender<Option<(ByTransport, i64)>>),
    TakeViewers(bool, oneshot::Sender<Vec<Changed>>),
    /// Another server wants a stream that is on air here, by that lease, for its own viewers.
    Relay {
        stream: StreamId,
        fence: u64,
        offer: String,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    },
    /// The database says that another server has it.
    Lost(ChannelId),
    /// Another server wants it to end, if it is here.
    EndHere(StreamId, oneshot::Sender<bool>),
}

/// What a call to the SFU gave.
enum Done {
    Published {
        publish: Publish,
        stream: StreamId,
        result: Result<Answer, OfferError>,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    },
    Received {
        receive: Receive,
        stream: StreamId,
        result: Result<sfu::Ingest, OfferError>,
        reply: oneshot::Sender<Result<sfu::Ingest, Refused>>,
    },
    Viewed {
        view: View,
        stream: StreamId,
        result: Result<Answer, OfferError>,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    },
    Stats(StreamId, Option<StreamStats>),
    /// A channel may be on air here, or not, as servers agreed.
    Leased(Leased),
    /// The same of one that is already.
    Claimed(ChannelId, Result<Option<Lease>, ClaimError>),
    /// A stream that is on air elsewhere, as it was looked up.
    Found(StreamId, Found),
    /// Whether the database has seen the publisher of one a moment ago.
    Vouched(StreamId, bool),
    /// An offer to pull one.
    Offered(StreamId, (Arc<Record>, u64), Result<sfu::Pull, String>),
    /// And what came of it.
    Pulled(StreamId, u64, Result<(), String>),
    Nothing,
}

/// One session, from its answer to its end.
struct Session {
    facts: SessionFacts,
    key: Option<StreamKeyId>,
    address: IpAddr,
    connected: bool,
    answered: Instant,
    /// Who watches by it.
    viewer: Option<Who>,
}

pub(super) struct Lifecycle {
    sfu: Sfu,
    clock: Clock,
    limits: Limits,
    media_port: u16,
    live: LiveChannels,
    sessions: HashMap<SessionId, Session>,
    audiences: Audiences,
    playback: Playback,
    attempts: Attempts,
    calls: JoinSet<Done>,
    events: broadcast::Sender<StreamEvent>,
    draining: CancellationToken,
    peers: Peers,
    ice: IceServers,
    others: Others,
    /// Other servers are to hear how things stand.
    has_news: bool,
    second_publisher: SecondPublisher,
}

/// An offer is answered within this time, else the SFU counts as full.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often viewers hear of bit rates and of their own number.
const NEWS: Duration = Duration::from_secs(2);

impl Lifecycle {
    pub(super) fn new(
        config: &Config,
        sfu: Sfu,
        clock: Clock,
        playback: Playback,
        events: broadcast::Sender<StreamEvent>,
        draining: CancellationToken,
        (peers, ice, others): (mpsc::Sender<PeerData>, IceServers, Others),
    ) -> Self {
        let media_port = sfu
            .media_addresses()
            .first()
            .map(std::net::SocketAddr::port);
        Self {
            media_port: media_port.unwrap_or(config.media.port),
            sfu,
            clock,
            limits: config.limits.clone(),
            live: LiveChannels::new(Rules::from(&config.streams)),
            sessions: HashMap::new(),
            audiences: Audiences::default(),
            playback,
            attempts: Attempts::default(),
            calls: JoinSet::new(),
            events,
            draining,
            peers: Peers::new(peers),
            ice,
            others,
            has_news: false,
            second_publisher: config.streams.second_publisher,
        }
    }

    /// With what was on air before the start.
    pub(super) fn resume(mut self, resumed: Vec<LiveChannel>) -> Self {
        let now = self.clock.instant();
        for LiveChannel { channel, about, .. } in resumed {
            self.audiences.open(about.id);
            self.live.resume(channel, about, now);
        }
        self
    }

    /// Runs until the token is cancelled; then it ends every stream in the books whose publisher may not
    /// come back to the next start.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut inputs: Inputs,
        stop: CancellationToken,
    ) {
        let draining = self.draining.clone();
        let (mut tick, mut news) = (every(TICK), every(NEWS));
        let mut told_drain = false;
        let mut directory = self.others.cluster.watch();
        loop {
            // Results of calls come first: what the SFU then reports of a session finds it known.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = self.calls.join_next() => self.take_result(done),
                Some(event) = inputs.sfu.recv() => self.handle_event(event),
                Some(event) = inputs.channels.recv() => self.handle_channel_event(event),
                Some(Lost { channel, .. }) = inputs.lost.recv() => self.hand_over(ChannelId(channel)),
                () = changes(&mut directory) => self.take_directory(),
                Some(command) = commands.recv() => self.handle(command),
                () = draining.cancelled(), if !told_drain => {
                    told_drain = true;
                    self.audiences.tell_all(&ViewerEvent::Reconnect);
                    self.settle_leases();
                    self.has_news = true;
                }
                _ = tick.tick() => {
                    let effects = self.live.tick(self.clock.instant(), self.clock.now());
                    self.carry_out(effects);
                    self.tend_pulls();
                    self.settle_leases();
                    self.has_news = true;
                }
                _ = news.tick() => {
                    self.tell_news();
                    // What could not be looked up then.
                    self.take_directory();
                }
            }
            if std::mem::take(&mut self.has_news) {
                self.tell_others();
            }
        }
        if self.live.is_without_window() {
            self.end_all();
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Publish(publish, about, reply) => {
                self.start(Wanted::Publish(publish, reply), about);
            }
            Command::Receive(receive, about, reply) => {
                self.start(Wanted::Receive(receive, reply), about);
            }
            Command::View(view, reply) => self.start_view(view, reply),
            Command::Session(id, reply) => {
                let facts = self.sessions.get(&id).map(|session| session.facts.clone());
                answer(reply, facts);
            }
            Command::Restarted {
                session,
                ice_tag,
                ufrag,
            } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.facts.ice_tag = ice_tag;
                    session.facts.remote_ufrag = Some(ufrag);
                }
            }
            Command::HangUp(session, reply) => answer(reply, self.hang_up(session)),
            Command::Watch(session, reply) => answer(reply, self.watch(session)),
            Command::Live(reply) => answer(reply, self.all_live()),
            Command::LiveOn(channel, reply) => {
                let live = self.live.get(channel).and_then(|live| self.describe(live));
                answer(reply, live);
            }
            Command::Ingest(channel, reply) => answer(reply, self.ingest(channel)),
            Command::End(channel, reply) => answer(reply, self.end(channel)),
            Command::EndStream(stream, reply) => answer(reply, self.end_stream(stream)),
            Command::Retell(about) => self.retell(about),
            Command::Attempt(channel, detail) => {
                self.attempts.note(self.clock.now(), channel, detail)
            }
            Command::Guarded(reply) => answer(reply, self.guarded()),
            Command::Bar(session, barred) => self.bar(session, &barred),
            Command::Beat(handle, beat, reply) => answer(reply, self.beat(&handle, beat)),
            Command::Viewers(stream, reply) => answer(reply, self.audiences.numbers(stream)),
            Command::TakeViewers(all, reply) => {
                let changed = self.audiences.take_changes(self.now_ms(), all);
                answer(reply, changed);
            }
            Command::Relay {
                stream,
                fence,
                offer,
                reply,
            } => self.start_relay(stream, fence, offer, reply),
            Command::Lost(channel) => self.hand_over(channel),
            Command::EndHere(stream, reply) => {
                answer(reply, self.is_here(stream) && self.end_stream(stream));
            }
        }
    }

    fn take_result(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Published {
                publish,
                stream,
                result,
                reply,
            }) => self.published(publish, stream, result, reply),
            Ok(Done::Received {
                receive,
                stream,
                result,
                reply,
            }) => self.received(receive, stream, result, reply),
            Ok(Done::Viewed {
                view,
                stream,
                result,
                reply,
            }) => self.viewed(view, stream, result, reply),
            Ok(Done::Stats(stream, Some(stats))) => self.audiences.take_stats(stream, stats),
            Ok(Done::Leased(leased)) => self.leased(leased),
            Ok(Done::Claimed(channel, claimed)) => self.claimed(channel, claimed),
            Ok(Done::Found(stream, found)) => self.found(stream, found),
            Ok(Done::Vouched(stream, is_seen)) => self.vouched(stream, is_seen),
            Ok(Done::Offered(stream, from, offered)) => self.offered(stream, from, offered),
            Ok(Done::Pulled(stream, fence, result)) => self.pulled(stream, fence, result),
            Ok(Done::Stats(_, None) | Done::Nothing) => {}
            Err(error) => tracing::error!(%error, "A call to the SFU failed: {error}"),
        }
    }

    fn remember(
        &mut self,
        id: SessionId,
        facts: SessionFacts,
        key: Option<StreamKeyId>,
        address: IpAddr,
    ) {
        let session = Session {
            facts,
            key,
            address: sfu::neighbourhood(address),
            connected: false,
            answered: self.clock.instant(),
            viewer: None,
        };
        self.sessions.insert(id, session);
    }

    fn is_here(&self, stream: StreamId) -> bool {
        let live = self.live.of_stream(stream);
        live.is_some_and(Live::is_here)
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn fetch_stats(&mut self, stream: StreamId) {
        let sfu = self.sfu.clone();
        self.calls
            .spawn(async move { Done::Stats(stream, sfu.stream_stats(stream).await) });
    }

    fn hang_up(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.get(&id) else {
            return false;
        };
        let stream = session.facts.stream;
        let publishes = session.facts.role == Role::Publisher
            && self
                .live
                .of_stream(stream)
                .and_then(|live| live.publisher)
                .is_some_and(|by| by.session == id);
        self.close(id, CloseReason::Requested);
        if publishes {
            let effects = self.live.end(stream, self.clock.now());
            self.carry_out(effects);
        }
        true
    }

    fn end(&mut self, channel: ChannelId) -> bool {
        let stream = self.live.get(channel).map(|live| live.stream);
        stream.is_some_and(|stream| self.end_stream(stream))
    }

    fn retell(&mut self, about: Arc<Stream>) {
        let stream = about.id;
        self.forget_password(&about);
        if self.live.retell(about)
            && let Some(live) = self.live.of_stream(stream)
        {
            let (about, is_here) = (Arc::clone(&live.about), live.is_here());
            self.audiences.tell(stream, ViewerEvent::Updated(about));
            if !is_here {
                self.show_elsewhere();
            }
        }
    }

    fn end_stream(&mut self, stream: StreamId) -> bool {
        let Some(live) = self.live.of_stream(stream) else {
            return false;
        };
        if let Some(origin) = &live.origin {
            let server = origin.server.clone();
            return self.end_elsewhere(stream, server);
        }
        let effects = self.live.end(stream, self.clock.now());
        self.carry_out(effects);
        true
    }

    fn end_all(&mut self) {
        let streams: Vec<StreamId> = self.live.iter().map(|live| live.stream).collect();
        for stream in streams {
            for effect in self.live.end(stream, self.clock.now()) {
                // Viewers were told to come back; only the books close.
                if let Effect::Tell(event) = effect {
                    let _ = self.events.send(event);
                }
            }
        }
    }
}

fn facts(
    role: Role,
    channel: ChannelId,
    stream: StreamId,
    given: &Answer,
    offer: &str,
) -> SessionFacts {
    SessionFacts {
        ice_tag: given.ice_tag.clone(),
        remote_ufrag: sfu::ice_ufrag(offer).map(str::to_owned),
        video_index: signalling::video_index(offer),
        ..SessionFacts::new(role, channel, stream)
    }
}

/// An answer takes milliseconds; one that does not come must not hold a channel for ever.
async fn in_time<T>(answer: impl Future<Output = Result<T, OfferError>>) -> Result<T, OfferError> {
    let in_time = tokio::time::timeout(ANSWER_WITHIN, answer).await;
    in_time.unwrap_or(Err(OfferError::Busy {
        retry_after: ANSWER_WITHIN,
    }))
}

/// Replies; that the asker has gone away is no matter.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}

/// Waits until what other servers have on air is told anew; for ever, where there are none.
async fn changes(directory: &mut Option<watch::Receiver<Arc<Directory>>>) {
    let changed = match directory {
        Some(directory) => directory.changed().await,
        None => std::future::pending().await,
    };
    if changed.is_err() {
        // The server stops.
        std::future::pending::<()>().await;
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
