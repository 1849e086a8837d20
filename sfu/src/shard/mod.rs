//! One shard: the sessions that it owns, the streams they belong to, and nothing else.
//!
//! It has no socket and no clock: datagrams, messages and the time come in as arguments, and what is
//! to be sent lies in its queues afterwards. [`crate::thread`] drives it in the real world, tests
//! drive it in virtual time.
//!
//! Invariants: a session is in exactly one shard (or pending in the registry); an address is known
//! only after a STUN request with a valid HMAC came from it; whatever belongs to no session is
//! dropped without an answer; a panic inside a session ends that session, one before any session is
//! found costs the datagram, one over a slice the slice and what is cached of its stream.

mod commands;
mod forwarding;
mod timers;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;
use str0m::Input;
use str0m::net::{Protocol, Receive};

use crate::demux;
use crate::egress::Path;
use crate::event::{CloseReason, Event, Role};
use crate::fed::FedUnit;
use crate::ids::{SessionId, StreamId};
use crate::lane;
use crate::lenient::Incomplete;
use crate::packet::Slice;
use crate::registry::Registry;
use crate::session::{Kind, Move, Outbox, Session};
use crate::settings::Settings;
use crate::stats::{count, count_by, gauge};
use crate::stream::Stream;

pub(crate) use commands::Command;

/// The sessions of one thread.
#[derive(Debug)]
pub(crate) struct Shard {
    index: usize,
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    sessions: Slab<Session>,
    by_id: HashMap<SessionId, usize>,
    by_ufrag: HashMap<String, usize>,
    by_remote: HashMap<(Protocol, SocketAddr), usize>,
    /// Addresses whose session another shard owns. Their HMAC was not checked here: whoever knows a
    /// ufrag can fill this, so it is bounded, and empties when it is full.
    strays: HashMap<(Protocol, SocketAddr), usize>,
    streams: HashMap<StreamId, Stream>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Publishers with packets that are not cut into a slice yet.
    uncut: Vec<usize>,
    outbox: Outbox,
    /// Messages for other shards.
    pub(crate) outgoing: Vec<(Target, Message)>,
    next_sweep: Instant,
}

/// A datagram, or a frame of an ICE-TCP connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    /// The address it was sent to, where the system tells.
    pub(crate) local: Option<IpAddr>,
    pub(crate) contents: &'a [u8],
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipt {
    Taken,
    Dropped,
    /// Another shard owns its session.
    Elsewhere(usize),
}

/// Which shards a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Shard(usize),
    Others,
}

/// What comes from outside the shard.
#[derive(Debug)]
pub(crate) enum Message {
    Slice(Arc<Slice>),
    Keyframe {
        stream: StreamId,
        layer: usize,
    },
    /// Of all layers.
    Keyframes {
        stream: StreamId,
    },
    /// What did not arrive as packets.
    Fed(FedUnit),
    Stray {
        protocol: Protocol,
        source: SocketAddr,
        local: Option<IpAddr>,
        contents: Vec<u8>,
    },
    Command(Command),
}

const MOST_STRAYS: usize = 4_096;

impl Shard {
    pub(crate) fn new(
        index: usize,
        settings: Arc<Settings>,
        registry: Arc<Registry>,
        now: Instant,
    ) -> Self {
        Self {
            index,
            settings,
            registry,
            sessions: Slab::new(),
            by_id: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_remote: HashMap::new(),
            strays: HashMap::new(),
            streams: HashMap::new(),
            timers: BinaryHeap::new(),
            uncut: Vec::new(),
            outbox: Outbox::default(),
            outgoing: Vec::new(),
            next_sweep: now,
        }
    }

    /// What waits to be sent and told.
    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        let events = std::mem::take(&mut self.outbox.events);
        for event in &events {
            if matches!(event, Event::Connected { .. }) {
                count(&self.registry.counters.sessions_connected);
            }
        }
        events
    }

    /// When [`Self::handle_timeout`] is to be called at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        timer.map_or(self.next_sweep, |at| at.min(self.next_sweep))
    }

    /// Takes a datagram: by its address, else by its ufrag, else not at all.
    pub(crate) fn receive(&mut self, now: Instant, datagram: Datagram<'_>) -> Receipt {
        count(&self.registry.counters.datagrams_in);
        count_by(
            &self.registry.counters.bytes_in,
            datagram.contents.len() as u64,
        );
        // Bytes of strangers are read in there, before any session is found: a panic costs them.
        let taken = catch_unwind(AssertUnwindSafe(|| self.take_datagram(now, datagram)));
        let receipt = taken.unwrap_or_else(|_| {
            count(&self.registry.counters.panics);
            Receipt::Dropped
        });
        match receipt {
            Receipt::Dropped => count(&self.registry.counters.datagrams_dropped),
            Receipt::Elsewhere(_) => count(&self.registry.counters.datagrams_strayed),
            Receipt::Taken => {}
        }
        receipt
    }

    fn take_datagram(&mut self, now: Instant, datagram: Datagram<'_>) -> Receipt {
        let remote = (datagram.protocol, datagram.source);
        let known = self.by_remote.get(&remote).copied();
        if known.is_some_and(|key| self.deliver(now, key, datagram)) {
            Receipt::Taken
        } else {
            self.receive_unknown(now, datagram)
        }
    }

    fn receive_unknown(&mut self, now: Instant, datagram: Datagram<'_>) -> Receipt {
        let remote = (datagram.protocol, datagram.source);
        let Some(ufrag) = demux::requested_ufrag(datagram.contents) else {
            let stray = self.strays.get(&remote);
            return stray.map_or(Receipt::Dropped, |shard| Receipt::Elsewhere(*shard));
        };
        let completed = match self.follow(now, &ufrag, datagram) {
            Move::None => self.complete(&ufrag, datagram.contents),
            Move::TooEarly => {
                // Its next report from there shows whether it has moved.
                if let Some(key) = self.by_ufrag.get(&ufrag).copied() {
                    self.learn_remote(key, remote);
                }
                return Receipt::Dropped;
            }
            Move::To(check) => Some(check),
        };
        let datagram = Datagram {
            contents: completed.as_deref().unwrap_or(datagram.contents),
            ..datagram
        };
        if let Some(key) = self.by_ufrag.get(&ufrag).copied() {
            if !self.deliver(now, key, datagram) {
                return Receipt::Dropped;
            }
            self.learn_remote(key, remote);
            return Receipt::Taken;
        }
        if let Some(key) = self.adopt(now, &ufrag, datagram) {
            self.deliver(now, key, datagram);
            self.learn_remote(key, remote);
            return Receipt::Taken;
        }
        match self.registry.owner_of_ufrag(&ufrag) {
            Some(shard) if shard != self.index => {
                if self.strays.len() >= MOST_STRAYS {
                    self.strays.clear();
                }
                self.strays.insert(remote, shard);
                Receipt::Elsewhere(shard)
            }
            _ => Receipt::Dropped,
        }
    }

    /// Makes a request that lacks something one that its session can read.
    fn complete(&self, ufrag: &str, contents: &[u8]) -> Option<Vec<u8>> {
        let request = Incomplete::parse(contents)?;
        let owned = self.by_ufrag.get(ufrag);
        match owned.and_then(|key| self.sessions.get(*key)) {
            Some(session) => session.complete(&request),
            None => (self.registry).look_at(ufrag, |session| session.complete(&request))?,
        }
    }

    /// Whether a check from an address that is not known moves its session there.
    fn follow(&mut self, now: Instant, ufrag: &str, datagram: Datagram<'_>) -> Move {
        let key = self.by_ufrag.get(ufrag).copied();
        let session = key.and_then(|key| self.sessions.get_mut(key));
        session.map_or(Move::None, |session| {
            session.follow(now, datagram.protocol, datagram.contents)
        })
    }

    /// Takes a pending session whose first valid STUN request this is.
    fn adopt(&mut self, now: Instant, ufrag: &str, datagram: Datagram<'_>) -> Option<usize> {
        let receive = self.parse(datagram)?;
        let input = Input::Receive(now, receive);
        let session = self.registry.adopt(ufrag, self.index, |session| {
            session.link.rtc.accepts(&input)
        })?;
        Some(self.insert(*session))
    }

    /// Takes ownership of a session.
    fn insert(&mut self, session: Session) -> usize {
        let (id, stream) = (session.link.id, session.link.stream);
        let shared = Arc::clone(&session.link.shared);
        let ufrag = session.ufrag().to_owned();
        let is_pulled = matches!(&session.kind, Kind::Publisher(p) if p.is_pulled());
        let role = session.role();
        let deadline = session.link.deadline;
        let key = self.sessions.insert(session);
        self.by_id.insert(id, key);
        self.by_ufrag.insert(ufrag, key);
        let limits = &self.settings.config.limits;
        let stream = self
            .streams
            .entry(stream)
            .or_insert_with(|| Stream::new(Arc::clone(&shared), limits));
        match role {
            Role::Viewer | Role::Relay => stream.viewers.push(key),
            // It is one when there is an answer.
            Role::Publisher if is_pulled => {}
            Role::Publisher => {
                stream.publishers.push(key);
                shared.set_publisher_shard(self.index);
            }
        }
        self.timers.push(Reverse((deadline, key)));
        key
    }

    fn learn_remote(&mut self, key: usize, remote: (Protocol, SocketAddr)) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let pushed_out = session.link.note_remote(remote);
        self.by_remote.insert(remote, key);
        self.strays.remove(&remote);
        if let Some(old) = pushed_out {
            self.forget_remote(key, old);
        }
    }

    fn forget_remote(&mut self, key: usize, remote: (Protocol, SocketAddr)) {
        if self.by_remote.get(&remote) != Some(&key) {
            return;
        }
        self.by_remote.remove(&remote);
        let (protocol, address) = remote;
        if protocol == Protocol::Tcp {
            self.outbox.left.push(address);
        }
    }

    fn parse<'a>(&self, datagram: Datagram<'a>) -> Option<Receive<'a>> {
        let destination = self.settings.advertised_for(datagram.local)?;
        Receive::new(
            datagram.protocol,
            datagram.source,
            destination,
            datagram.contents,
        )
        .ok()
    }

    /// Gives a datagram to a session, if the session accepts it.
    fn deliver(&mut self, now: Instant, key: usize, datagram: Datagram<'_>) -> bool {
        let Some(receive) = self.parse(datagram) else {
            return false;
        };
        let way = Path {
            protocol: datagram.protocol,
            source: receive.destination,
            destination: datagram.source,
        };
        if lane::is_rtcp(datagram.contents) && self.is_fed(key) {
            return self.hear(now, key, way, datagram.contents);
        }
        let input = Input::Receive(now, receive);
        let accepts = |s: &Session| s.link.closing.is_none() && s.link.rtc.accepts(&input);
        if !self.sessions.get(key).is_some_and(accepts) {
            return false;
        }
        self.with_session(now, key, |session, outbox| {
            session.turn(now, way, datagram.contents);
            session.drive(now, input, outbox);
        });
        true
    }

    /// Whether it is a session that gets media from us.
    fn is_fed(&self, key: usize) -> bool {
        let session = self.sessions.get(key);
        session.is_some_and(|session| session.role() != Role::Publisher)
    }

    /// Gives a report to who sent it.
    fn hear(&mut self, now: Instant, key: usize, way: Path, report: &[u8]) -> bool {
        let mut is_real = false;
        self.with_session(now, key, |session, outbox| {
            is_real = session.hear(now, way, report, outbox);
        });
        is_real
    }

    /// Runs `f` on a session, and what must follow any change of it.
    fn with_session(
        &mut self,
        now: Instant,
        key: usize,
        f: impl FnOnce(&mut Session, &mut Outbox),
    ) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let outbox = &mut self.outbox;
        // Bytes of strangers are parsed in here: a panic costs its session, not the server.
        if catch_unwind(AssertUnwindSafe(|| f(session, outbox))).is_err() {
            self.end_panicked(now, key);
            return;
        }
        self.settle(now, key);
    }

    /// Ends a session whose code panicked, without running more of it.
    fn end_panicked(&mut self, now: Instant, key: usize) {
        count(&self.registry.counters.panics);
        if let Some(session) = self.sessions.get_mut(key) {
            session.link.closing = Some(CloseReason::Failed("internal error".to_owned()));
        }
        self.remove(key, false, now);
    }

    /// After a session changed: its end, its start, its packets, its timer.
    fn settle(&mut self, now: Instant, key: usize) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.link.closing.is_some() || !session.link.rtc.is_alive() {
            session
                .link
                .closing
                .get_or_insert(CloseReason::RemoteClosed);
            self.remove(key, true, now);
            return;
        }
        match &mut session.kind {
            Kind::Publisher(publisher) => {
                let has_media = !publisher.pending.is_empty() || publisher.has_wholes();
                if has_media && !self.uncut.contains(&key) {
                    self.uncut.push(key);
                }
                if let Some(at) = publisher.deadline(now) {
                    session.link.deadline = session.link.deadline.min(at);
                }
            }
            Kind::Viewer(_) | Kind::Relay(_) => {
                if session.link.is_connected() && !session.is_started() {
                    self.start_viewer(now, key);
                    return;
                }
                if let Some(at) = session.sends_at(now) {
                    session.link.deadline = session.link.deadline.min(at);
                }
            }
        }
        self.schedule(key);
    }

    fn schedule(&mut self, key: usize) {
        if let Some(session) = self.sessions.get_mut(key) {
            let deadline = session.link.deadline;
            if session.link.scheduled.is_none_or(|at| deadline < at) {
                session.link.scheduled = Some(deadline);
                self.timers.push(Reverse((deadline, key)));
            }
        }
    }

    fn start_viewer(&mut self, now: Instant, key: usize) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let stream = session.link.stream;
        self.with_viewer(now, key, stream, |session, media, outbox| {
            session.start(now, media, outbox);
        });
    }

    /// Runs `f` on a viewer, or what is fed like one, and its stream.
    fn with_viewer(
        &mut self,
        now: Instant,
        key: usize,
        stream: StreamId,
        f: impl FnOnce(&mut Session, &mut crate::stream::Media, &mut Outbox),
    ) {
        let Some(mut stream_state) = self.streams.remove(&stream) else {
            return;
        };
        self.with_session(now, key, |session, outbox| {
            f(session, &mut stream_state.media, outbox);
        });
        if !self.sessions.contains(key) {
            // It has ended, and took itself off a list that was not there.
            stream_state.viewers.retain(|viewer| *viewer != key);
        }
        self.streams.insert(stream, stream_state);
    }

    /// Takes a message from the handle or from another shard.
    pub(crate) fn handle(&mut self, now: Instant, message: Message) {
        match message {
            Message::Slice(slice) => self.distribute(now, &slice, false),
            Message::Keyframe { stream, layer } => self.request_keyframe(now, stream, layer),
            Message::Keyframes { stream } => self.request_keyframes(now, stream),
            Message::Fed(unit) => self.take_fed(now, &unit),
            Message::Stray {
                protocol,
                source,
                local,
                contents,
            } => {
                self.receive(
                    now,
                    Datagram {
                        protocol,
                        source,
                        local,
                        contents: &contents,
                    },
                );
            }
            Message::Command(command) => self.obey(now, command),
        }
    }

    /// Ends all sessions.
    pub(crate) fn close_all(&mut self, now: Instant) {
        for key in self.keys() {
            self.close(now, key, CloseReason::Shutdown);
        }
    }

    fn keys(&self) -> Vec<usize> {
        self.sessions.iter().map(|(key, _)| key).collect()
    }

    fn close(&mut self, now: Instant, key: usize, reason: CloseReason) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.link.closing = Some(reason);
            self.remove(key, true, now);
        }
    }

    /// Takes a session out. `says_goodbye`: with RTCP BYE and DTLS `close_notify`.
    fn remove(&mut self, key: usize, says_goodbye: bool, now: Instant) {
        let Some(mut session) = self.sessions.try_remove(key) else {
            return;
        };
        if says_goodbye {
            let outbox = &mut self.outbox;
            let goodbye = || {
                session.say_goodbye(now, outbox);
                if session.link.rtc.close().is_ok() {
                    session.drain(now, outbox);
                }
            };
            if catch_unwind(AssertUnwindSafe(goodbye)).is_err() {
                count(&self.registry.counters.panics);
                count(&self.registry.counters.sessions_failed);
            }
        }
        let (id, stream) = (session.link.id, session.link.stream);
        let (role, shared) = (session.role(), Arc::clone(&session.link.shared));
        self.by_id.remove(&id);
        self.by_ufrag.remove(session.ufrag());
        self.registry.forget(id, session.ufrag());
        for remote in std::mem::take(&mut session.link.remotes) {
            self.forget_remote(key, remote);
        }
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.viewers.retain(|viewer| *viewer != key);
            if stream.publishers.last() == Some(&key) {
                shared.clear_publisher_shard(self.index);
            }
            stream.publishers.retain(|publisher| *publisher != key);
        }
        self.uncut.retain(|publisher| *publisher != key);
        let counters = &self.registry.counters;
        match &session.kind {
            Kind::Viewer(viewer) => {
                if viewer.is_started {
                    shared.remove_viewer();
                }
                gauge(&counters.viewers, -1);
                count_by(&counters.layer_switches, viewer.switches);
                count_by(&counters.joins_from_cache, viewer.cached_joins);
            }
            Kind::Publisher(publisher) => {
                gauge(&counters.publishers, -1);
                if publisher.is_pulled() {
                    self.outbox.hung_up.push(id);
                }
            }
            Kind::Relay(_) => gauge(&counters.relays, -1),
        }
        count(&counters.sessions_closed);
        let reason = session
            .link
            .closing
            .take()
            .unwrap_or(CloseReason::RemoteClosed);
        if matches!(reason, CloseReason::Failed(_)) {
            count(&counters.sessions_failed);
        }
        self.outbox.events.push(Event::Closed {
            session: id,
            stream,
            role,
            reason,
        });
    }
}

/// The event for a session that ended before any shard had it.
pub(crate) fn pending_closed(registry: &Registry, session: &Session, reason: CloseReason) -> Event {
    let role = session.role();
    match role {
        Role::Publisher => gauge(&registry.counters.publishers, -1),
        Role::Viewer => gauge(&registry.counters.viewers, -1),
        Role::Relay => gauge(&registry.counters.relays, -1),
    }
    count(&registry.counters.sessions_closed);
    Event::Closed {
        session: session.link.id,
        stream: session.link.stream,
        role,
        reason,
    }
}
