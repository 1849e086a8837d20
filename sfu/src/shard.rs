//! One shard: the sessions that it owns, the streams they belong to, and nothing else.
//!
//! It has no socket and no clock: datagrams, messages and the time come in as arguments, and what is
//! to be sent lies in its queues afterwards. [`crate::thread`] drives it in the real world, tests
//! drive it in virtual time.
//!
//! Invariants: a session is in exactly one shard (or pending in the registry); an address is known
//! only after a STUN request with a valid HMAC came from it; whatever belongs to no session is
//! dropped without an answer; a panic inside a session ends that session.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use slab::Slab;
use str0m::Input;
use str0m::net::{Protocol, Receive};
use tokio::sync::oneshot;

use crate::demux;
use crate::handle::{CloseReason, Event, LayerChoice, LayerError, PatchError, Patched, Role};
use crate::ids::{SessionId, StreamId};
use crate::packet::Slice;
use crate::registry::Registry;
use crate::session::{Kind, Outbox, Session};
use crate::settings::Settings;
use crate::stats::{SessionStats, StreamStats, count, count_by, gauge};
use crate::stream::Stream;

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
    Stray {
        protocol: Protocol,
        source: SocketAddr,
        local: Option<IpAddr>,
        contents: Vec<u8>,
    },
    Command(Command),
}

/// A call on the handle.
#[derive(Debug)]
pub(crate) enum Command {
    Close {
        session: SessionId,
        reason: CloseReason,
        reply: oneshot::Sender<bool>,
    },
    EndStream {
        stream: StreamId,
        reply: oneshot::Sender<()>,
    },
    Patch {
        session: SessionId,
        fragment: String,
        reply: oneshot::Sender<Result<Patched, PatchError>>,
    },
    ChooseLayer {
        session: SessionId,
        choice: LayerChoice,
        reply: oneshot::Sender<Result<(), LayerError>>,
    },
    SendData {
        session: SessionId,
        payload: Bytes,
        binary: bool,
        reply: oneshot::Sender<bool>,
    },
    StreamStats {
        stream: StreamId,
        reply: oneshot::Sender<Option<StreamStats>>,
    },
    SessionStats {
        session: SessionId,
        reply: oneshot::Sender<Option<SessionStats>>,
    },
}

const MOST_STRAYS: usize = 4_096;
const SWEEP: Duration = Duration::from_millis(200);
/// A cached group older than this is renewed, so that it never outgrows its bounds. Publishers that
/// do not listen are not asked.
const RENEW_GROUP: Duration = Duration::from_secs(8);

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
        let remote = (datagram.protocol, datagram.source);
        let known = self.by_remote.get(&remote).copied();
        let receipt = if known.is_some_and(|key| self.deliver(now, key, datagram)) {
            Receipt::Taken
        } else {
            self.receive_unknown(now, datagram)
        };
        match receipt {
            Receipt::Dropped => count(&self.registry.counters.datagrams_dropped),
            Receipt::Elsewhere(_) => count(&self.registry.counters.datagrams_strayed),
            Receipt::Taken => {}
        }
        receipt
    }

    fn receive_unknown(&mut self, now: Instant, datagram: Datagram<'_>) -> Receipt {
        let remote = (datagram.protocol, datagram.source);
        let Some(ufrag) = demux::requested_ufrag(datagram.contents) else {
            let stray = self.strays.get(&remote);
            return stray.map_or(Receipt::Dropped, |shard| Receipt::Elsewhere(*shard));
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
            Role::Viewer => stream.viewers.push(key),
            Role::Publisher => {
                stream.publishers.push(key);
                shared.set_publisher_shard(Some(self.index));
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
        if let Some(old) = pushed_out
            && self.by_remote.get(&old) == Some(&key)
        {
            self.by_remote.remove(&old);
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
        let input = Input::Receive(now, receive);
        let accepts = |s: &Session| s.link.closing.is_none() && s.link.rtc.accepts(&input);
        if !self.sessions.get(key).is_some_and(accepts) {
            return false;
        }
        self.with_session(now, key, |session, outbox| {
            session.drive(now, input, outbox)
        });
        true
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
            session.link.closing = Some(CloseReason::Failed("internal error".to_owned()));
            self.remove(key, false, now);
            return;
        }
        self.settle(now, key);
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
                if !publisher.pending.is_empty() && !self.uncut.contains(&key) {
                    self.uncut.push(key);
                }
                if let Some(at) = publisher.deadline() {
                    session.link.deadline = session.link.deadline.min(at);
                }
            }
            Kind::Viewer(viewer) => {
                if session.link.is_connected() && !viewer.is_started {
                    self.start_viewer(now, key);
                    return;
                }
                if let Some(at) = viewer.deadline(now) {
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
            if let Kind::Viewer(viewer) = &mut session.kind {
                session.link.shared.add_viewer();
                viewer.start(&mut session.link, now, media, outbox);
                session.flush(now, outbox);
            }
        });
    }

    /// Runs `f` on a viewer and its stream.
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
        // The session may have ended, and taken itself off a list that was not there.
        let sessions = &self.sessions;
        stream_state.viewers.retain(|key| sessions.contains(*key));
        self.streams.insert(stream, stream_state);
    }

    /// Takes a message from the handle or from another shard.
    pub(crate) fn handle(&mut self, now: Instant, message: Message) {
        match message {
            Message::Slice(slice) => self.distribute(now, &slice),
            Message::Keyframe { stream, layer } => self.request_keyframe(now, stream, layer),
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

    fn obey(&mut self, now: Instant, command: Command) {
        // A reply that nobody waits for any more is no error.
        match command {
            Command::Close {
                session,
                reason,
                reply,
            } => {
                let key = self.by_id.get(&session).copied();
                if let Some(key) = key {
                    self.close(now, key, reason);
                }
                let _ = reply.send(key.is_some());
            }
            Command::EndStream { stream, reply } => {
                self.end_stream(now, stream);
                let _ = reply.send(());
            }
            Command::Patch {
                session,
                fragment,
                reply,
            } => {
                let _ = reply.send(self.patch(now, session, &fragment));
            }
            Command::ChooseLayer {
                session,
                choice,
                reply,
            } => {
                let _ = reply.send(self.choose_layer(now, session, choice));
            }
            Command::SendData {
                session,
                payload,
                binary,
                reply,
            } => {
                let _ = reply.send(self.send_data(now, session, &payload, binary));
            }
            Command::StreamStats { stream, reply } => {
                let _ = reply.send(self.stream_stats(now, stream));
            }
            Command::SessionStats { session, reply } => {
                let _ = reply.send(self.session_stats(now, session));
            }
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
                if session.link.rtc.close().is_ok() {
                    session.drain(now, outbox);
                }
            };
            if catch_unwind(AssertUnwindSafe(goodbye)).is_err() {
                count(&self.registry.counters.sessions_failed);
            }
        }
        let (id, stream) = (session.link.id, session.link.stream);
        let (role, shared) = (session.role(), Arc::clone(&session.link.shared));
        self.by_id.remove(&id);
        self.by_ufrag.remove(session.ufrag());
        self.registry.forget(id, session.ufrag());
        for remote in &session.link.remotes {
            if self.by_remote.get(remote) == Some(&key) {
                self.by_remote.remove(remote);
            }
        }
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.viewers.retain(|viewer| *viewer != key);
            if stream.publishers.last() == Some(&key) {
                shared.set_publisher_shard(None);
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
            Kind::Publisher(_) => gauge(&counters.publishers, -1),
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

    fn end_stream(&mut self, now: Instant, stream: StreamId) {
        for key in self.keys() {
            let belongs = self
                .sessions
                .get(key)
                .is_some_and(|s| s.link.stream == stream);
            if belongs {
                self.close(now, key, CloseReason::StreamEnded);
            }
        }
        self.streams.remove(&stream);
    }

    fn patch(
        &mut self,
        now: Instant,
        session: SessionId,
        fragment: &str,
    ) -> Result<Patched, PatchError> {
        let key = *self.by_id.get(&session).ok_or(PatchError::UnknownSession)?;
        let mut result = Err(PatchError::UnknownSession);
        let mut ufrags = None;
        self.with_session(now, key, |session, outbox| {
            let old = session.ufrag().to_owned();
            result = session.link.patch(fragment);
            ufrags = Some((old, session.ufrag().to_owned()));
            session.flush(now, outbox);
        });
        if let Some((old, new)) = ufrags
            && old != new
        {
            self.by_ufrag.remove(&old);
            self.by_ufrag.insert(new.clone(), key);
            self.registry.rename(session, &old, &new);
        }
        result
    }

    fn choose_layer(
        &mut self,
        now: Instant,
        session: SessionId,
        choice: LayerChoice,
    ) -> Result<(), LayerError> {
        let key = *self.by_id.get(&session).ok_or(LayerError::UnknownSession)?;
        let stream = self
            .sessions
            .get(key)
            .map(|s| s.link.stream)
            .ok_or(LayerError::UnknownSession)?;
        let mut result = Err(LayerError::UnknownSession);
        self.with_viewer(now, key, stream, |session, media, outbox| {
            if let Kind::Viewer(viewer) = &mut session.kind {
                result = viewer.choose(choice, media);
                viewer.sweep(&mut session.link, now, media, outbox);
                session.flush(now, outbox);
            }
        });
        self.finish(now);
        result
    }

    fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        payload: &[u8],
        binary: bool,
    ) -> bool {
        let Some(key) = self.by_id.get(&session).copied() else {
            return false;
        };
        let mut is_sent = false;
        self.with_session(now, key, |session, outbox| {
            is_sent = session.link.send_data(payload, binary);
            session.flush(now, outbox);
        });
        is_sent
    }

    fn stream_stats(&mut self, now: Instant, stream: StreamId) -> Option<StreamStats> {
        let stream = self.streams.get(&stream)?;
        let mut stats = StreamStats {
            viewers: stream.shared.viewers(),
            ..StreamStats::default()
        };
        if let Some(session) =
            (stream.publishers.last()).and_then(|key| self.sessions.get_mut(*key))
            && let Kind::Publisher(publisher) = &mut session.kind
        {
            stats.publisher = Some(publisher.publisher_stats(&session.link, now));
            stats.layers = publisher.layer_stats(now);
            stats.audio = publisher.audio_stats(now);
        }
        Some(stats)
    }

    fn session_stats(&mut self, now: Instant, session: SessionId) -> Option<SessionStats> {
        let session = self.sessions.get_mut(*self.by_id.get(&session)?)?;
        let mut stats = session.stats(now);
        if let Kind::Viewer(viewer) = &session.kind
            && let Some(stream) = self.streams.get(&session.link.stream)
            && let Some(format) = viewer
                .current()
                .and_then(|index| stream.media.layout.layers.get(index))
        {
            stats.layer = format.rid.clone();
            stats.codec = Some(format.codec.name().to_owned());
            stats.width = format.size.map(|(width, _)| width);
            stats.height = format.size.map(|(_, height)| height);
        }
        Some(stats)
    }

    /// Drives what is due, and from time to time looks after everything.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.wake(now, key, at);
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now);
        }
        self.finish(now);
    }

    fn wake(&mut self, now: Instant, key: usize, at: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.link.scheduled == Some(at) {
            session.link.scheduled = None;
        }
        if session.link.deadline > now {
            self.schedule(key);
            return;
        }
        let stream = session.link.stream;
        if matches!(&session.kind, Kind::Viewer(viewer) if viewer.is_started) {
            self.with_viewer(now, key, stream, |session, media, outbox| {
                if let Kind::Viewer(viewer) = &mut session.kind {
                    viewer.catch_up(&mut session.link, now, media);
                    viewer.recover(&session.link, now, media, outbox);
                }
                session.flush(now, outbox);
            });
        } else {
            self.with_session(now, key, |session, outbox| {
                session.flush(now, outbox);
            });
            self.send_requests(now, key);
        }
    }

    fn send_requests(&mut self, now: Instant, key: usize) {
        let mut sent = 0;
        self.with_session(now, key, |session, outbox| {
            if let Kind::Publisher(publisher) = &mut session.kind {
                sent = publisher.send_requests(&mut session.link, now);
                if sent > 0 {
                    session.flush(now, outbox);
                }
            }
        });
        count_by(&self.registry.counters.keyframe_requests, sent as u64);
    }

    fn sweep(&mut self, now: Instant) {
        for key in self.keys() {
            self.sweep_session(now, key);
        }
        self.renew_groups(now);
        self.drop_dead_streams(now);
        if self.index == 0 {
            self.sweep_pending(now);
        }
    }

    fn sweep_session(&mut self, now: Instant, key: usize) {
        let limits = &self.settings.config.limits;
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let link = &session.link;
        let age = |since: Instant| now.saturating_duration_since(since);
        if !link.is_connected() && age(link.created) > limits.handshake {
            self.close(now, key, CloseReason::HandshakeTimeout);
            return;
        }
        if age(link.last_received) > limits.inactivity {
            self.close(now, key, CloseReason::Inactive);
            return;
        }
        let stream = link.stream;
        if matches!(session.kind, Kind::Publisher(_)) {
            self.with_session(now, key, |session, outbox| {
                if let Kind::Publisher(publisher) = &mut session.kind {
                    publisher.sweep(&session.link, now, outbox);
                }
            });
            self.send_requests(now, key);
            return;
        }
        if !link.is_connected() {
            return;
        }
        self.with_viewer(now, key, stream, |session, media, outbox| {
            if let Kind::Viewer(viewer) = &mut session.kind {
                viewer.sweep(&mut session.link, now, media, outbox);
                if viewer.cannot_play(media) {
                    session.link.closing = Some(CloseReason::CodecMismatch);
                }
            }
        });
    }

    fn renew_groups(&mut self, now: Instant) {
        let mut wanted = Vec::new();
        for (id, stream) in &self.streams {
            if stream.publishers.is_empty() || stream.shared.answers_pli() == Some(false) {
                continue;
            }
            for (index, layer) in stream.media.layers.iter().enumerate() {
                let is_old = layer.gop.age(now).is_none_or(|age| age > RENEW_GROUP);
                if layer.gop.is_empty() || is_old {
                    wanted.push((*id, index));
                }
            }
        }
        self.outbox.keyframes.extend(wanted);
    }

    /// Ends what joined a stream in the moment in which it ended.
    fn drop_dead_streams(&mut self, now: Instant) {
        let dead: Vec<StreamId> = self
            .streams
            .keys()
            .filter(|id| self.registry.stream(**id).is_none())
            .copied()
            .collect();
        for stream in dead {
            self.end_stream(now, stream);
        }
    }

    fn sweep_pending(&mut self, now: Instant) {
        let handshake = self.settings.config.limits.handshake;
        let is_over = |s: &Session| now.saturating_duration_since(s.link.created) > handshake;
        for session in self.registry.take_pending_if(is_over) {
            self.outbox.events.push(pending_closed(
                &self.registry,
                &session,
                CloseReason::HandshakeTimeout,
            ));
        }
    }

    /// Cuts slices, gives them to the viewers here and to the other shards, asks for key frames.
    ///
    /// Called after every batch of input, so that the packets of a frame leave together.
    pub(crate) fn finish(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.uncut) {
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            let stream = session.link.stream;
            let Kind::Publisher(publisher) = &mut session.kind else {
                continue;
            };
            let packets = std::mem::take(&mut publisher.pending);
            count_by(&self.registry.counters.packets_in, packets.len() as u64);
            let slice = Arc::new(Slice {
                stream,
                epoch: publisher.epoch,
                layout: Arc::clone(&publisher.layout),
                packets,
            });
            self.distribute(now, &slice);
            self.outgoing.push((Target::Others, Message::Slice(slice)));
        }
        for (stream, layer) in std::mem::take(&mut self.outbox.keyframes) {
            self.request_keyframe(now, stream, layer);
        }
    }

    fn distribute(&mut self, now: Instant, slice: &Slice) {
        let Some(shared) = self.registry_stream(slice.stream) else {
            return;
        };
        let limits = &self.settings.config.limits;
        let mut stream = self
            .streams
            .remove(&slice.stream)
            .unwrap_or_else(|| Stream::new(shared, limits));
        if stream.media.absorb(now, slice) {
            self.forward(now, slice, &mut stream);
        }
        let is_older = |session: &Session| matches!(&session.kind, Kind::Publisher(p) if p.epoch < stream.media.epoch);
        let superseded: Vec<usize> = stream
            .publishers
            .iter()
            .filter(|key| self.sessions.get(**key).is_some_and(is_older))
            .copied()
            .collect();
        self.streams.insert(slice.stream, stream);
        for key in superseded {
            self.close(now, key, CloseReason::Superseded);
        }
    }

    /// The stream's shared part; from our own copy where there is one, so that no lock is taken.
    fn registry_stream(&self, stream: StreamId) -> Option<Arc<crate::registry::StreamShared>> {
        match self.streams.get(&stream) {
            Some(known) => Some(Arc::clone(&known.shared)),
            None => self.registry.stream(stream),
        }
    }

    fn forward(&mut self, now: Instant, slice: &Slice, stream: &mut Stream) {
        let media = &stream.media;
        let mut forwarded = 0;
        for key in &stream.viewers {
            let is_ready = |s: &Session| matches!(&s.kind, Kind::Viewer(v) if v.is_started);
            if !self.sessions.get(*key).is_some_and(is_ready) {
                continue;
            }
            self.with_session(now, *key, |session, outbox| {
                if let Kind::Viewer(viewer) = &mut session.kind {
                    let before = viewer.packets;
                    viewer.forward(&mut session.link, &slice.packets, media);
                    forwarded += viewer.packets - before;
                    session.flush(now, outbox);
                }
            });
        }
        let sessions = &self.sessions;
        stream.viewers.retain(|key| sessions.contains(*key));
        count_by(&self.registry.counters.packets_forwarded, forwarded);
    }

    fn request_keyframe(&mut self, now: Instant, stream: StreamId, layer: usize) {
        let Some(state) = self.streams.get(&stream) else {
            return;
        };
        if let Some(key) = state.publishers.last().copied() {
            self.with_session(now, key, |session, _| {
                if let Kind::Publisher(publisher) = &mut session.kind {
                    publisher.want_keyframe(layer);
                }
            });
            self.send_requests(now, key);
        } else if let Some(shard) = state.shared.publisher_shard()
            && shard != self.index
        {
            self.outgoing
                .push((Target::Shard(shard), Message::Keyframe { stream, layer }));
        }
    }
}

/// The event for a session that ended before any shard had it.
pub(crate) fn pending_closed(registry: &Registry, session: &Session, reason: CloseReason) -> Event {
    let role = session.role();
    match role {
        Role::Publisher => gauge(&registry.counters.publishers, -1),
        Role::Viewer => gauge(&registry.counters.viewers, -1),
    }
    count(&registry.counters.sessions_closed);
    Event::Closed {
        session: session.link.id,
        stream: session.link.stream,
        role,
        reason,
    }
}
