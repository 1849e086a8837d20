//! The thread of a shard: its sockets, its clock, its queue. The only place where the SFU meets the
//! outside.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use mio::event::Event as MioEvent;
use mio::{Events, Interest, Poll, Token, Waker};
use str0m::net::Protocol;
use tokio::sync::{mpsc, oneshot};

use crate::event::Event;
use crate::pulls::Pulls;
use crate::registry::Registry;
use crate::session::Session;
use crate::settings::Settings;
use crate::shard::{Command, Datagram, Message, Receipt, Shard, Target};
use crate::socket::MediaSockets;
use crate::stats::{count, count_by};
use crate::tcp::{BadFrame, Connection, Frames, Progress, Strangers};
use crate::wire::UdpWire;

/// What a shard's queue takes.
#[derive(Debug)]
pub(crate) enum Parcel {
    Message(Message),
    /// Say goodbye to all peers and stop; answered when the goodbyes are sent.
    Shutdown(oneshot::Sender<()>),
    /// A pull, with the port that it has for itself.
    Pull {
        session: Box<Session>,
        sockets: Box<MediaSockets>,
        reply: oneshot::Sender<()>,
    },
    /// A connection whose session another shard owns, with a frame that was read already.
    Connection(Box<Connection>, Vec<u8>),
}

/// How to reach a shard. When its queue is full, media is dropped and commands are refused.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: SyncSender<Parcel>,
    waker: Arc<Waker>,
}

/// A shard on its thread.
#[derive(Debug)]
pub(crate) struct ShardThread {
    index: usize,
    shard: Shard,
    registry: Arc<Registry>,
    poll: Poll,
    inbox: Receiver<Parcel>,
    mailboxes: Vec<Mailbox>,
    sockets: MediaSockets,
    pulls: Pulls,
    connections: HashMap<Token, Connection>,
    by_peer: HashMap<std::net::SocketAddr, Token>,
    next_token: usize,
    strangers: Strangers,
    /// Connections that may hold more than was read in this round: the system tells only once.
    unread: Vec<Token>,
    has_unaccepted: bool,
    events: mpsc::Sender<Event>,
    /// Life-cycle events that found no room.
    delayed: VecDeque<Event>,
    goodbye: Option<oneshot::Sender<()>>,
}

pub(crate) const WAKE: Token = Token(0);
const UDP: Token = Token(1);
const TCP: Token = Token(2);
const FIRST_CONNECTION: usize = 3;

/// Parcels that may wait for a shard.
pub(crate) const MAILBOX: usize = 8_192;
/// Batches read before what they brought is sent on.
const BATCHES: usize = 8;
const PARCELS: usize = 512;
/// Reads of one connection before others get their turn.
const READS: usize = 8;
const MOST_CONNECTIONS: usize = 4_096;
/// Life-cycle events kept for a receiver that lags; far more than there are sessions.
const MOST_DELAYED: usize = 65_536;

impl Mailbox {
    pub(crate) fn new(sender: SyncSender<Parcel>, waker: Arc<Waker>) -> Self {
        Self { sender, waker }
    }

    /// Leaves a parcel. Gives it back when the queue is full or the thread is gone.
    pub(crate) fn send(&self, parcel: Parcel) -> Result<(), Parcel> {
        self.sender.try_send(parcel).map_err(|error| match error {
            TrySendError::Full(parcel) | TrySendError::Disconnected(parcel) => parcel,
        })?;
        // The thread also looks at each of its deadlines; a lost wake delays, it loses nothing.
        let _ = self.waker.wake();
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop of a shard is where time comes in"
)]
fn clock() -> Instant {
    Instant::now()
}

impl ShardThread {
    #[expect(clippy::too_many_arguments, reason = "what a thread is made of, once")]
    pub(crate) fn new(
        index: usize,
        settings: Arc<Settings>,
        registry: Arc<Registry>,
        poll: Poll,
        inbox: Receiver<Parcel>,
        mailboxes: Vec<Mailbox>,
        mut sockets: MediaSockets,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut sockets.udp.socket, UDP, interest)?;
        if let Some(listener) = &mut sockets.tcp {
            poll.registry()
                .register(listener, TCP, Interest::READABLE)?;
        }
        let mut shard = Shard::new(index, Arc::clone(&settings), Arc::clone(&registry), clock());
        let wire = UdpWire::new(sockets.sender.try_clone()?, settings, Arc::clone(&registry))?;
        shard.outbox().wire = Some(Box::new(wire));
        Ok(Self {
            index,
            shard,
            registry,
            poll,
            inbox,
            mailboxes,
            sockets,
            pulls: Pulls::default(),
            connections: HashMap::new(),
            by_peer: HashMap::new(),
            next_token: FIRST_CONNECTION,
            strangers: Strangers::default(),
            unread: Vec::new(),
            has_unaccepted: false,
            events,
            delayed: VecDeque::new(),
            goodbye: None,
        })
    }

    /// Runs until told to shut down. Returns false when it could not.
    pub(crate) fn run(mut self) -> bool {
        let mut events = Events::with_capacity(256);
        let mut has_more = false;
        while self.goodbye.is_none() {
            let wait = if has_more {
                Duration::ZERO
            } else {
                self.shard.deadline().saturating_duration_since(clock())
            };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(shard = self.index, %error, "A media thread cannot wait for its sockets");
                return false;
            }
            let ready: Vec<Token> = events.iter().map(MioEvent::token).collect();
            count(&self.registry.counters.waits);
            let has_room = |event: &MioEvent| event.token() == UDP && event.is_writable();
            if events.iter().any(has_room)
                && let Some(wire) = &mut self.shard.outbox().wire
            {
                wire.unblock();
            }
            let now = clock();
            has_more = self.read_parcels(now);
            has_more |= self.read_datagrams(now);
            let counters = &self.registry.counters;
            has_more |= (self.pulls).read(now, &ready, &mut self.shard, counters);
            self.read_connections(now, &ready);
            has_more |= !self.unread.is_empty();
            self.shard.handle_timeout(now);
            self.shard.finish(now);
            self.send_messages();
            self.send_datagrams();
            self.send_events();
            self.close_forgotten();
            self.close_idle_connections(now);
        }
        if let Some(reply) = self.goodbye {
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
        true
    }

    fn read_parcels(&mut self, now: Instant) -> bool {
        for _ in 0..PARCELS {
            let Ok(parcel) = self.inbox.try_recv() else {
                return false;
            };
            match parcel {
                Parcel::Message(message) => {
                    self.shard.handle(now, message);
                }
                Parcel::Shutdown(reply) => {
                    self.shard.close_all(now);
                    self.goodbye = Some(reply);
                }
                Parcel::Pull {
                    session,
                    sockets,
                    reply,
                } => self.take_pull(now, session, *sockets, reply),
                Parcel::Connection(connection, frame) => {
                    self.take_connection(now, *connection, &frame);
                }
            }
        }
        true
    }

    fn read_datagrams(&mut self, now: Instant) -> bool {
        let mut strays = Vec::new();
        let shard = &mut self.shard;
        for _ in 0..BATCHES {
            count(&self.registry.counters.receive_calls);
            let result = self.sockets.udp.receive(|source, local, contents| {
                let datagram = Datagram {
                    protocol: Protocol::Udp,
                    source,
                    local,
                    contents,
                };
                if let Receipt::Elsewhere(owner) = shard.receive(now, datagram) {
                    let stray = Message::Stray {
                        protocol: Protocol::Udp,
                        source,
                        local,
                        contents: contents.to_vec(),
                    };
                    strays.push((owner, stray));
                }
            });
            match result {
                Ok(true) => {}
                Ok(false) => {
                    self.post(strays);
                    return false;
                }
                // An ICMP error of an earlier send; the next read goes on.
                Err(_) => break,
            }
        }
        self.post(strays);
        true
    }

    fn post(&self, messages: Vec<(usize, Message)>) {
        for (owner, message) in messages {
            if let Some(mailbox) = self.mailboxes.get(owner) {
                // Full: lost, as on the network.
                let _ = mailbox.send(Parcel::Message(message));
            }
        }
    }

    fn read_connections(&mut self, now: Instant, ready: &[Token]) {
        if self.has_unaccepted || ready.contains(&TCP) {
            self.accept(now);
        }
        for token in std::mem::take(&mut self.unread) {
            self.read_connection(now, token);
        }
        for token in ready {
            self.read_connection(now, *token);
        }
    }

    fn accept(&mut self, now: Instant) {
        self.has_unaccepted = false;
        while let Some(listener) = &self.sockets.tcp {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let has_room = self.connections.len() < MOST_CONNECTIONS
                        && self.strangers.has_room(peer.ip());
                    if has_room {
                        self.insert(Connection::new(stream, peer, now));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of file descriptors, say: the system will not tell again.
                Err(_) => {
                    self.has_unaccepted = true;
                    return;
                }
            }
        }
    }

    fn insert(&mut self, mut connection: Connection) -> Option<Token> {
        let token = Token(self.next_token);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut connection.stream, token, interest)
            .ok()?;
        self.next_token += 1;
        if !connection.is_known {
            self.strangers.come(connection.peer.ip());
        }
        self.by_peer.insert(connection.peer, token);
        self.connections.insert(token, connection);
        Some(token)
    }

    /// Takes a pull in, unless its port cannot be watched.
    fn take_pull(
        &mut self,
        now: Instant,
        session: Box<Session>,
        sockets: MediaSockets,
        reply: oneshot::Sender<()>,
    ) {
        let token = Token(self.next_token);
        let registry = self.poll.registry();
        match self.pulls.open(registry, token, session.id(), sockets) {
            Ok((port, sender)) => {
                self.next_token += 1;
                if let Some(wire) = &mut self.shard.outbox().wire {
                    wire.open(port, sender);
                }
                let command = Command::Adopt { session, reply };
                self.shard.handle(now, Message::Command(command));
            }
            Err(error) => {
                tracing::warn!(shard = self.index, %error, "A media thread cannot watch the port of a pull");
            }
        }
    }

    fn take_connection(&mut self, now: Instant, connection: Connection, frame: &[u8]) {
        if let Some(token) = self.insert(connection)
            && self.take_frame(now, token, frame)
        {
            self.read_connection(now, token);
        }
    }

    fn read_connection(&mut self, now: Instant, token: Token) {
        for _ in 0..READS {
            let Some(connection) = self.connections.get_mut(&token) else {
                return;
            };
            let progress = connection.read();
            if !self.take_frames(now, token) {
                return;
            }
            let is_open = self
                .connections
                .get_mut(&token)
                .is_some_and(Connection::write);
            if progress == Progress::Closed || !is_open {
                self.drop_connection(token);
                return;
            }
            if progress == Progress::Drained {
                return;
            }
        }
        self.unread.push(token);
    }

    /// Takes the whole frames that were read. Returns whether the connection is still here.
    fn take_frames(&mut self, now: Instant, token: Token) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else {
            return false;
        };
        // Out of the connection while it lasts, so that frames need not be copied.
        let mut incoming = std::mem::take(&mut connection.incoming);
        loop {
            let most = self
                .connections
                .get(&token)
                .map_or(0, Connection::most_frame);
            match incoming.next(most) {
                Ok(Some(frame)) => {
                    let owner = self.offer_frame(now, token, frame);
                    if let Some(owner) = owner {
                        let frame = frame.to_vec();
                        self.put_back(token, incoming);
                        self.hand_over(token, owner, frame);
                        return false;
                    }
                }
                Ok(None) => {
                    self.put_back(token, incoming);
                    return true;
                }
                Err(BadFrame) => {
                    self.drop_connection(token);
                    return false;
                }
            }
        }
    }

    fn put_back(&mut self, token: Token, mut incoming: Frames) {
        incoming.forget_read();
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.incoming = incoming;
        }
    }

    /// Takes a frame that another shard read. Returns whether the connection is still here.
    fn take_frame(&mut self, now: Instant, token: Token, frame: &[u8]) -> bool {
        match self.offer_frame(now, token, frame) {
            None => true,
            Some(owner) => {
                self.hand_over(token, owner, frame.to_vec());
                false
            }
        }
    }

    /// Offers a frame to the sessions here. Returns the shard that owns its session, if another.
    fn offer_frame(&mut self, now: Instant, token: Token, frame: &[u8]) -> Option<usize> {
        let connection = self.connections.get_mut(&token)?;
        let datagram = Datagram {
            protocol: Protocol::Tcp,
            source: connection.peer,
            local: connection.local,
            contents: frame,
        };
        match self.shard.receive(now, datagram) {
            Receipt::Taken if !connection.is_known => {
                connection.is_known = true;
                self.strangers.leave(connection.peer.ip());
                None
            }
            Receipt::Taken | Receipt::Dropped => None,
            Receipt::Elsewhere(owner) => Some(owner),
        }
    }

    /// Gives a connection to the shard that owns its session, still as a stranger's: only the ufrag
    /// was looked at.
    fn hand_over(&mut self, token: Token, owner: usize, frame: Vec<u8>) {
        let Some(connection) = self.drop_connection(token) else {
            return;
        };
        if let Some(mailbox) = self.mailboxes.get(owner) {
            let parcel = Parcel::Connection(Box::new(connection), frame);
            // Full: the peer tries again.
            let _ = mailbox.send(parcel);
        }
    }

    fn drop_connection(&mut self, token: Token) -> Option<Connection> {
        let mut connection = self.connections.remove(&token)?;
        if self.by_peer.get(&connection.peer) == Some(&token) {
            self.by_peer.remove(&connection.peer);
        }
        if !connection.is_known {
            self.strangers.leave(connection.peer.ip());
        }
        // A socket that is being dropped anyway.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        Some(connection)
    }

    /// Closes the connections and ports of sessions that are over, once their goodbyes are written.
    fn close_forgotten(&mut self) {
        if !self.shard.outbox().transmits.is_empty() {
            return;
        }
        for session in std::mem::take(&mut self.shard.outbox().hung_up) {
            let port = self.pulls.close(self.poll.registry(), session);
            if let (Some(port), Some(wire)) = (port, &mut self.shard.outbox().wire) {
                wire.close(port);
            }
        }
        for peer in std::mem::take(&mut self.shard.outbox().left) {
            if let Some(token) = self.by_peer.get(&peer).copied() {
                self.drop_connection(token);
            }
        }
    }

    fn close_idle_connections(&mut self, now: Instant) {
        let idle: Vec<Token> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_idle(now))
            .map(|(token, _)| *token)
            .collect();
        for token in idle {
            self.drop_connection(token);
        }
    }

    fn send_messages(&mut self) {
        for (target, message) in std::mem::take(&mut self.shard.outgoing) {
            match (target, message) {
                (Target::Shard(owner), message) => self.post(vec![(owner, message)]),
                (Target::Others, Message::Slice(slice)) => {
                    for (index, mailbox) in self.mailboxes.iter().enumerate() {
                        let parcel = Parcel::Message(Message::Slice(Arc::clone(&slice)));
                        if index != self.index && mailbox.send(parcel).is_err() {
                            count(&self.registry.counters.slices_dropped);
                        }
                    }
                }
                (Target::Others, _) => {}
            }
        }
    }

    fn send_datagrams(&mut self) {
        let unsent = self.shard.outbox().transmits.take_dropped();
        count_by(&self.registry.counters.datagrams_unsent, unsent);
        let mut touched = Vec::new();
        loop {
            let outbox = self.shard.outbox();
            outbox.send();
            let Some((run, bytes)) = outbox.transmits.runs().next() else {
                break;
            };
            if run.path.protocol == Protocol::Udp {
                // No room; the socket tells when there is.
                break;
            }
            if let Some(token) = self.by_peer.get(&run.path.destination)
                && let Some(connection) = self.connections.get_mut(token)
            {
                connection.push(bytes);
                count_by(&self.registry.counters.bytes_out, bytes.len() as u64);
                touched.push(*token);
            }
            self.shard.outbox().transmits.forget(1);
        }
        touched.dedup();
        for token in touched {
            let is_open = self
                .connections
                .get_mut(&token)
                .is_none_or(Connection::write);
            if !is_open {
                self.drop_connection(token);
            }
        }
    }

    fn send_events(&mut self) {
        for event in self.shard.take_events() {
            if self.delayed.is_empty() {
                match self.events.try_send(event) {
                    Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                    Err(mpsc::error::TrySendError::Full(event)) => self.delay(event),
                }
            } else {
                self.delay(event);
            }
        }
        while let Some(event) = self.delayed.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
                self.delayed.push_front(event);
                return;
            }
        }
    }

    /// Keeps what tells of a life cycle; messages of viewers are dropped.
    fn delay(&mut self, event: Event) {
        if !matches!(event, Event::Data { .. }) && self.delayed.len() < MOST_DELAYED {
            self.delayed.push_back(event);
        }
    }
}
