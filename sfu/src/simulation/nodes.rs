//! Several nodes with a net between them: one pulls a stream from another.

use tokio::sync::oneshot;

use super::*;
use crate::calls::AnswerError;
use crate::event::{CloseReason, Role};
use crate::shard::Command;

/// Nodes with one clock. The first is mostly the origin, the second the edge.
pub(super) struct Nodes {
    worlds: Vec<World>,
    pulls: Vec<Wired>,
}

/// A pull with the net under it.
struct Wired {
    edge: usize,
    origin: usize,
    /// At the edge.
    session: SessionId,
    /// Of the edge's own port.
    address: SocketAddr,
    to_origin: Netem<Flying>,
    to_edge: Netem<Flying>,
    /// Sees what goes to the edge, and may lose it.
    watch: Option<Watch>,
    is_cut_off: bool,
}

/// How finely time passes between nodes.
const STEP: Duration = Duration::from_millis(1);
const FIRST_PORT: u16 = 50_000;

impl Nodes {
    pub(super) fn new(count: u8) -> Self {
        Self::with(count, 1)
    }

    /// Nodes of so many shards.
    pub(super) fn with(count: u8, shards: usize) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the base of virtual time")]
        let now = Instant::now();
        let server = |number: u8| SocketAddr::from(([192, 0, 2, number], 8_189));
        let world = |number| World::at(now, server(number), Config::default(), shards);
        Self {
            worlds: (1..=count).map(world).collect(),
            pulls: Vec::new(),
        }
    }

    pub(super) fn origin(&mut self) -> &mut World {
        &mut self.worlds[0]
    }

    pub(super) fn edge(&mut self) -> &mut World {
        &mut self.worlds[1]
    }

    pub(super) fn edge_events(&self) -> &[(Duration, Event)] {
        &self.worlds[1].events
    }

    pub(super) fn world(&mut self, number: usize) -> &mut World {
        &mut self.worlds[number]
    }

    /// Lets a node pull a stream from another over `link`, as HTTP would. Returns the pull's number.
    pub(super) fn pull(
        &mut self,
        stream: StreamId,
        (edge, origin): (usize, usize),
        link: NetemConfig,
    ) -> usize {
        let seed = self.pulls.len() as u64 * 2;
        let port = FIRST_PORT + u16::try_from(self.pulls.len()).expect("few");
        let (session, offer) = self.worlds[edge].begin_pull(stream, port);
        let answer = self.worlds[origin].relay(stream, &offer);
        self.worlds[edge]
            .answer_pull(session, &answer)
            .expect("it answers the offer");
        self.pulls.push(Wired {
            edge,
            origin,
            session,
            address: SocketAddr::new(self.worlds[edge].server.ip(), port),
            to_origin: Netem::new(link.seed(seed + 101)),
            to_edge: Netem::new(link.seed(seed + 102)),
            watch: None,
            is_cut_off: false,
        });
        self.pulls.len() - 1
    }

    pub(super) fn cut_off(&mut self, pull: usize) {
        self.pulls[pull].is_cut_off = true;
    }

    pub(super) fn pull_session(&self, pull: usize) -> SessionId {
        self.pulls[pull].session
    }

    /// Lets `watch` see, and lose, what goes to the edge.
    pub(super) fn watch(&mut self, pull: usize, watch: Watch) {
        self.pulls[pull].watch = Some(watch);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        self.run_by(duration, |origin, step| origin.run(step));
    }

    /// Lets time pass, at the first node in a way of its own.
    pub(super) fn run_by(&mut self, duration: Duration, mut run: impl FnMut(&mut World, Duration)) {
        let end = self.worlds[0].now + duration;
        while self.worlds[0].now < end {
            run(&mut self.worlds[0], STEP);
            let now = self.worlds[0].now;
            for world in &mut self.worlds[1..] {
                world.run(now.saturating_duration_since(world.now));
                world.now = now;
            }
            self.exchange(now);
        }
    }

    /// What the nodes have sent goes on its way, and what has arrived is taken in.
    fn exchange(&mut self, now: Instant) {
        for number in 0..self.worlds.len() {
            for (path, contents) in std::mem::take(&mut self.worlds[number].stray) {
                let mut pulls = self.pulls.iter_mut();
                let ours = pulls
                    .find(|pull| pull.address == path.source || pull.address == path.destination);
                let Some(pull) = ours.filter(|pull| !pull.is_cut_off) else {
                    continue;
                };
                let is_down = pull.address == path.destination;
                let watch = pull.watch.as_mut().filter(|_| is_down);
                if watch.is_some_and(|watch| watch(&contents)) {
                    continue;
                }
                let net = if is_down {
                    &mut pull.to_edge
                } else {
                    &mut pull.to_origin
                };
                let source = path.source;
                net.handle_input(NetIn::Packet(now, Flying { source, contents }));
            }
        }
        for pull in &mut self.pulls {
            pull.to_edge.handle_input(NetIn::Timeout(now));
            pull.to_origin.handle_input(NetIn::Timeout(now));
            let edge = &mut self.worlds[pull.edge];
            while let Some(NetOut::Packet(flying)) = next_packet(&mut pull.to_edge) {
                // Whatever shard has it: the others do not know it.
                for shard in &mut edge.shards {
                    shard.receive_own(now, pull.session, flying.source, &flying.contents);
                }
            }
            let origin = &mut self.worlds[pull.origin];
            while let Some(NetOut::Packet(flying)) = next_packet(&mut pull.to_origin) {
                let shard = usize::from(flying.source.port()) % origin.shards.len();
                origin.shards[shard].receive(
                    now,
                    Datagram {
                        protocol: Protocol::Udp,
                        source: flying.source,
                        local: Some(origin.server.ip()),
                        contents: &flying.contents,
                    },
                );
            }
        }
        for world in &mut self.worlds {
            world.settle();
        }
    }
}

impl World {
    pub(super) fn begin_pull(&mut self, stream: StreamId, port: u16) -> (SessionId, String) {
        let known = self.registry.stream(stream);
        let shared = known.clone().unwrap_or_default();
        let (session, offer) =
            Session::pull(&self.settings, self.now, stream, Arc::clone(&shared), port);
        if known.is_none() {
            self.registry.add_stream(stream, shared);
        }
        let shard = usize::from(port) % self.shards.len();
        self.registry.add_owned(&session, shard);
        let id = session.id();
        let (reply, _) = oneshot::channel();
        let session = Box::new(session);
        self.tell(shard, Message::Command(Command::Adopt { session, reply }));
        (id, offer)
    }

    pub(super) fn answer_pull(
        &mut self,
        session: SessionId,
        answer: &str,
    ) -> Result<(), AnswerError> {
        let mut results = Vec::new();
        for shard in 0..self.shards.len() {
            let (reply, mut result) = oneshot::channel();
            let answer = answer.to_owned();
            self.tell(
                shard,
                Message::Command(Command::Answer {
                    session,
                    answer,
                    reply,
                }),
            );
            results.push(result.try_recv().expect("it is answered"));
        }
        let is_of_owner = |result: &Result<_, _>| *result != Err(AnswerError::UnknownSession);
        let of_owner = results.into_iter().find(is_of_owner);
        of_owner.unwrap_or(Err(AnswerError::UnknownSession))
    }

    fn relay(&mut self, stream: StreamId, offer: &str) -> String {
        let shared = self.registry.stream(stream).expect("the stream is live");
        let offer = Offer::parse(offer, 65_536).expect("it can be read");
        let (session, answer) = Session::relay(&self.settings, self.now, stream, shared, &offer)
            .expect("the offer is taken");
        self.registry.add_pending(Box::new(session));
        answer.sdp
    }

    /// Ends a stream with all its sessions.
    pub(super) fn end(&mut self, stream: StreamId) {
        self.registry.forget_stream(stream);
        self.tell_all(|| {
            let (reply, _) = oneshot::channel();
            Message::Command(Command::EndStream { stream, reply })
        });
    }

    /// How often sessions of a role were connected, and why they ended.
    pub(super) fn lives(&self, role: Role) -> (usize, Vec<CloseReason>) {
        let mut connected = 0;
        let mut ends = Vec::new();
        for (_, event) in &self.events {
            match event {
                Event::Connected { role: of, .. } if *of == role => connected += 1,
                Event::Closed {
                    role: of, reason, ..
                } if *of == role => ends.push(reason.clone()),
                _ => {}
            }
        }
        (connected, ends)
    }
}
