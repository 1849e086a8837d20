//! Peers in virtual time over a simulated net: publishers with an encoder that answers requests (or
//! does not), viewers that decode in order and count what a person would see.
//!
//! The shard under test is the real one; only the sockets and the clock are not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use str0m_netem::{Input as NetIn, Netem, NetemConfig, Output as NetOut};

use crate::calls::OfferError;
use crate::config::Config;
use crate::egress::Path;
use crate::event::Event;
use crate::ids::{SessionId, StreamId};
use crate::packet::{Packet, Slice, Source};
use crate::registry::Registry;
use crate::sdp::Offer;
use crate::session::Session;
use crate::settings::Settings;
use crate::shard::{Datagram, Message, Shard, Target};

mod encoder;
mod faults;
mod ingest;
mod lane;
mod lossy;
mod making;
mod mark;
mod nodes;
mod payload;
mod player;
mod relaying;
mod starting;
mod tapping;

use encoder::Encoder;
pub(crate) use encoder::EncoderSpec;
use mark::Mark;
use player::Player;

/// One datagram on its way.
#[derive(Debug, Clone)]
struct Flying {
    source: SocketAddr,
    contents: Vec<u8>,
}

impl AsRef<[u8]> for Flying {
    fn as_ref(&self) -> &[u8] {
        &self.contents
    }
}

/// The world of a test: shards, peers, links, one clock.
pub(crate) struct World {
    pub(crate) now: Instant,
    start: Instant,
    /// Its own address.
    server: SocketAddr,
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    shards: Vec<Shard>,
    peers: Vec<Peer>,
    /// Whether peers that come are in a network of the house.
    pub(crate) is_near: bool,
    pub(crate) events: Vec<(Duration, Event)>,
    /// The newest answer.
    pub(crate) answer: String,
    /// Datagrams to addresses that are no peer's.
    pub(crate) stray: Vec<(Path, Vec<u8>)>,
}

/// A browser, an encoder or a player at the other end of a link.
pub(crate) struct Peer {
    rtc: Rtc,
    /// As the server sees it.
    address: SocketAddr,
    /// As the peer sees it.
    local: SocketAddr,
    /// Sees what is sent to the peer, and may lose it.
    watch: Option<Watch>,
    /// The same of what the peer sends.
    watch_up: Option<Watch>,
    to_server: Netem<Flying>,
    from_server: Netem<Flying>,
    session: SessionId,
    deadline: Instant,
    is_cut_off: bool,
    role: PeerRole,
}

/// Looks at a datagram. Returns whether it is lost.
pub(crate) type Watch = Box<dyn FnMut(&[u8]) -> bool>;

enum PeerRole {
    Encoder(Encoder),
    Player(Player),
}

pub(crate) const PERFECT: fn() -> NetemConfig =
    || NetemConfig::new().latency(Duration::from_millis(10));

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8189);

/// Bytes that a test makes the code under it panic with.
pub(crate) const TRIPWIRE: &[u8] = b"tripwire";

/// Panics over the bytes of [`TRIPWIRE`].
pub(crate) fn trip(bytes: &[u8]) {
    assert!(bytes != TRIPWIRE, "a test asked for this");
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), 1)
    }

    pub(crate) fn with(config: Config, shards: usize) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the base of virtual time")]
        let now = Instant::now();
        Self::at(now, SERVER, config, shards)
    }

    /// One that begins now, at an address.
    fn at(now: Instant, server: SocketAddr, config: Config, shards: usize) -> Self {
        let config = Config {
            public_ips: vec![server.ip()],
            ..config
        };
        let settings = Arc::new(Settings::new(config, server.port()));
        let registry = Arc::new(Registry::default());
        let shards = (0..shards)
            .map(|index| Shard::new(index, Arc::clone(&settings), Arc::clone(&registry), now))
            .collect();
        Self {
            now,
            start: now,
            server,
            settings,
            registry,
            shards,
            peers: Vec::new(),
            is_near: false,
            events: Vec::new(),
            answer: String::new(),
            stray: Vec::new(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A publisher that offers as a browser does. Returns the peer's number.
    pub(crate) fn publish(
        &mut self,
        stream: StreamId,
        spec: &EncoderSpec,
        link: NetemConfig,
    ) -> usize {
        let mut rtc = self.client_rtc(spec.codec);
        let address = self.address();
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let simulcast = (spec.layers.len() > 1).then(|| Simulcast {
            send: spec
                .layers
                .iter()
                .filter_map(|(rid, _)| rid.map(|rid| SimulcastLayer::new(&Rid::from(rid))))
                .collect(),
            recv: Vec::new(),
        });
        let mut change = rtc.sdp_api();
        let audio = change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let video = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, simulcast);
        let (offer, pending) = change.apply().expect("an offer");
        let session = self
            .offer_publish(stream, &offer.to_sdp_string(), &mut rtc, pending)
            .expect("the offer is taken");
        let encoder = Encoder::new(spec, video, audio, self.now);
        self.add_peer(
            rtc,
            address,
            session,
            link,
            link,
            PeerRole::Encoder(encoder),
        )
    }

    fn offer_publish(
        &mut self,
        stream: StreamId,
        offer: &str,
        rtc: &mut Rtc,
        pending: SdpPendingOffer,
    ) -> Result<SessionId, OfferError> {
        let offer = Offer::parse(offer, 65_536)?;
        let known = self.registry.stream(stream);
        let shared = known.clone().unwrap_or_default();
        let (session, answer) = Session::publish(
            &self.settings,
            self.now,
            stream,
            Arc::clone(&shared),
            &offer,
        )?;
        if known.is_none() {
            self.registry.add_stream(stream, shared);
        }
        self.registry.add_pending(Box::new(session));
        let sdp = SdpAnswer::from_sdp_string(&answer.sdp).expect("our answer can be read");
        self.answer = answer.sdp;
        rtc.sdp_api()
            .accept_answer(pending, sdp)
            .expect("it answers the offer");
        Ok(answer.session)
    }

    /// A viewer. `down` is the net towards it. Returns the peer's number.
    pub(crate) fn view(&mut self, stream: StreamId, down: NetemConfig) -> usize {
        self.view_as(stream, Codec::H264, down, |offer| offer, |_| {})
    }

    /// A viewer who plays another codec, whose offer is changed on its way, or of whose session other
    /// things are true.
    pub(crate) fn view_as(
        &mut self,
        stream: StreamId,
        codec: Codec,
        down: NetemConfig,
        change_offer: impl FnOnce(String) -> String,
        prepare: impl FnOnce(&mut Session),
    ) -> usize {
        let mut rtc = self.client_rtc(codec);
        let address = self.address();
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change.apply().expect("an offer");
        let offer = change_offer(offer.to_sdp_string());
        let offer = Offer::parse(&offer, 65_536).expect("it can be read");
        let shared = self.registry.stream(stream).expect("the stream is live");
        let (mut session, answer) =
            Session::view(&self.settings, self.now, stream, shared, &offer).expect("it is taken");
        prepare(&mut session);
        self.registry.add_pending(Box::new(session));
        let sdp = SdpAnswer::from_sdp_string(&answer.sdp).expect("our answer can be read");
        self.answer = answer.sdp;
        rtc.sdp_api()
            .accept_answer(pending, sdp)
            .expect("it answers the offer");
        let player = Player::new(video);
        let up = PERFECT();
        self.add_peer(
            rtc,
            address,
            answer.session,
            up,
            down,
            PeerRole::Player(player),
        )
    }

    fn client_rtc(&self, codec: Codec) -> Rtc {
        RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(codec == Codec::H264)
            .enable_h265(codec == Codec::H265)
            .enable_vp8(codec == Codec::Vp8)
            .enable_vp9(codec == Codec::Vp9)
            .enable_av1(codec == Codec::Av1)
            .build(self.now)
    }

    fn address(&self) -> SocketAddr {
        let number = u8::try_from(self.peers.len() + 1).expect("few peers");
        let network = if self.is_near {
            [192, 168, 1]
        } else {
            [198, 51, 100]
        };
        let [a, b, c] = network;
        SocketAddr::from(([a, b, c, number], 4_000))
    }

    fn add_peer(
        &mut self,
        rtc: Rtc,
        address: SocketAddr,
        session: SessionId,
        up: NetemConfig,
        down: NetemConfig,
        role: PeerRole,
    ) -> usize {
        let seed = self.peers.len() as u64;
        self.peers.push(Peer {
            rtc,
            address,
            local: address,
            watch: None,
            watch_up: None,
            to_server: Netem::new(up.seed(seed * 2 + 1)),
            from_server: Netem::new(down.seed(seed * 2 + 2)),
            session,
            deadline: self.now,
            is_cut_off: false,
            role,
        });
        self.peers.len() - 1
    }

    pub(crate) fn session(&self, peer: usize) -> SessionId {
        self.peers[peer].session
    }

    pub(crate) fn set_down_link(&mut self, peer: usize, config: NetemConfig) {
        self.peers[peer].from_server.set_config(config);
    }

    /// Lets `watch` see, and lose, what is sent to a peer.
    pub(crate) fn watch(&mut self, peer: usize, watch: Watch) {
        self.peers[peer].watch = Some(watch);
    }

    /// Lets `watch` see, and lose, what a peer sends.
    pub(crate) fn watch_up(&mut self, peer: usize, watch: Watch) {
        self.peers[peer].watch_up = Some(watch);
    }

    /// A peer's router gives it another address, and the peer does not notice.
    pub(crate) fn rebind(&mut self, peer: usize, address: SocketAddr) {
        self.peers[peer].address = address;
    }

    /// Loses everything to and from a peer.
    pub(crate) fn cut_off(&mut self, peer: usize, is_cut_off: bool) {
        self.peers[peer].is_cut_off = is_cut_off;
    }

    pub(crate) fn encoder(&mut self, peer: usize) -> &mut Encoder {
        match &mut self.peers[peer].role {
            PeerRole::Encoder(encoder) => encoder,
            PeerRole::Player(_) => panic!("peer {peer} is a player"),
        }
    }

    /// Lets a publisher go on with another SSRC for its video, and other numbers.
    pub(crate) fn change_ssrc(&mut self, peer: usize) {
        let Peer { rtc, role, .. } = &mut self.peers[peer];
        if let PeerRole::Encoder(encoder) = role {
            encoder.change_ssrc(rtc);
        }
    }

    pub(crate) fn player(&self, peer: usize) -> &Player {
        match &self.peers[peer].role {
            PeerRole::Player(player) => player,
            PeerRole::Encoder(_) => panic!("peer {peer} is an encoder"),
        }
    }

    pub(crate) fn player_mut(&mut self, peer: usize) -> &mut Player {
        match &mut self.peers[peer].role {
            PeerRole::Player(player) => player,
            PeerRole::Encoder(_) => panic!("peer {peer} is an encoder"),
        }
    }

    pub(crate) fn command(&mut self, command: crate::shard::Command) {
        // Tests with commands have one shard.
        let now = self.now;
        self.shards[0].handle(now, Message::Command(command));
        self.settle();
    }

    /// A message to every shard.
    pub(crate) fn tell_all(&mut self, message: impl Fn() -> Message) {
        let now = self.now;
        for shard in &mut self.shards {
            shard.handle(now, message());
        }
        self.settle();
    }

    /// A message to one shard.
    pub(crate) fn tell(&mut self, shard: usize, message: Message) {
        let now = self.now;
        self.shards[shard].handle(now, message);
        self.settle();
    }

    /// Datagrams of a stranger, straight to the first shard.
    pub(crate) fn inject(&mut self, source: SocketAddr, contents: &[u8]) -> crate::shard::Receipt {
        self.inject_over(Protocol::Udp, source, contents)
    }

    pub(crate) fn inject_over(
        &mut self,
        protocol: Protocol,
        source: SocketAddr,
        contents: &[u8],
    ) -> crate::shard::Receipt {
        let datagram = Datagram {
            protocol,
            source,
            local: Some(self.server.ip()),
            contents,
        };
        let now = self.now;
        let receipt = self.shards[0].receive(now, datagram);
        self.settle();
        receipt
    }

    /// Addresses over TCP that no session of the first shard has any more.
    pub(crate) fn left(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.shards[0].outbox().left)
    }

    /// User name and password for STUN requests of the newest peer, by our newest answer.
    pub(crate) fn credentials(&mut self) -> (String, String) {
        let newest = self.peers.last_mut().expect("a peer");
        let theirs = newest.rtc.direct_api().local_ice_credentials().ufrag;
        let value = |name: &str| {
            let line = self.answer.lines().find_map(|line| line.strip_prefix(name));
            line.expect("the answer has it").to_owned()
        };
        let username = format!("{}:{theirs}", value("a=ice-ufrag:"));
        (username, value("a=ice-pwd:"))
    }

    /// A slice of media, straight to the first shard.
    pub(crate) fn inject_slice(&mut self, slice: Slice) {
        let now = self.now;
        self.shards[0].handle(now, Message::Slice(Arc::new(slice)));
        self.settle();
    }

    /// What the server has sent to an address in this instant; for showing that it stays silent.
    pub(crate) fn peer_address(&self, peer: usize) -> SocketAddr {
        self.peers[peer].address
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
            let next = self.next_time().min(end);
            // Timers that are due at once must not stop the clock.
            self.now = next.max(self.now + Duration::from_micros(200));
        }
    }

    fn next_time(&self) -> Instant {
        let shards = self.shards.iter().map(Shard::deadline);
        let peers = self.peers.iter().map(|peer| {
            let media = match &peer.role {
                PeerRole::Encoder(e) => e.next_frame.min(e.next_audio),
                PeerRole::Player(_) => peer.deadline,
            };
            peer.deadline
                .min(media)
                .min(peer.to_server.poll_timeout())
                .min(peer.from_server.poll_timeout())
        });
        shards.chain(peers).min().unwrap_or(self.now)
    }

    fn step(&mut self) {
        let now = self.now;
        for shard in &mut self.shards {
            shard.handle_timeout(now);
        }
        for index in 0..self.peers.len() {
            self.step_peer(index);
        }
        self.settle();
    }

    fn step_peer(&mut self, index: usize) {
        let (now, start) = (self.now, self.start);
        let peer = &mut self.peers[index];
        peer.from_server.handle_input(NetIn::Timeout(now));
        while let Some(NetOut::Packet(flying)) = next_packet(&mut peer.from_server) {
            let receive = Receive::new(Protocol::Udp, flying.source, peer.local, &flying.contents);
            if let Ok(receive) = receive {
                peer.rtc
                    .handle_input(Input::Receive(now, receive))
                    .expect("the client goes on");
                peer.drain(now, start);
            }
        }
        peer.rtc
            .handle_input(Input::Timeout(now))
            .expect("the client goes on");
        peer.drain(now, start);
        peer.make_media(now, start);
        peer.to_server.handle_input(NetIn::Timeout(now));
        let mut arrived = Vec::new();
        while let Some(NetOut::Packet(flying)) = next_packet(&mut peer.to_server) {
            arrived.push(flying);
        }
        for flying in arrived {
            // The kernel's hash gives an address always the same socket.
            let shard = index % self.shards.len();
            let datagram = Datagram {
                protocol: Protocol::Udp,
                source: flying.source,
                local: Some(self.server.ip()),
                contents: &flying.contents,
            };
            self.shards[shard].receive(now, datagram);
        }
    }

    /// Lets shards talk to each other and to the net until nothing is left to say.
    fn settle(&mut self) {
        let now = self.now;
        loop {
            let mut messages = Vec::new();
            for (index, shard) in self.shards.iter_mut().enumerate() {
                shard.finish(now);
                for (target, message) in std::mem::take(&mut shard.outgoing) {
                    messages.push((index, target, message));
                }
            }
            if messages.is_empty() {
                break;
            }
            for (from, target, message) in messages {
                match (target, message) {
                    (Target::Shard(to), message) => self.shards[to].handle(now, message),
                    (Target::Others, Message::Slice(slice)) => {
                        for (index, shard) in self.shards.iter_mut().enumerate() {
                            if index != from {
                                shard.handle(now, Message::Slice(Arc::clone(&slice)));
                            }
                        }
                    }
                    (Target::Others, _) => {}
                }
            }
        }
        for shard in &mut self.shards {
            let elapsed = now - self.start;
            self.events.extend(
                shard
                    .take_events()
                    .into_iter()
                    .map(|event| (elapsed, event)),
            );
            let queue = &mut shard.outbox().transmits;
            for (run, bytes) in queue.runs() {
                let Some(peer) = self
                    .peers
                    .iter_mut()
                    .find(|p| p.address == run.path.destination)
                else {
                    let datagrams = bytes.chunks(run.segment).map(<[u8]>::to_vec);
                    self.stray
                        .extend(datagrams.map(|datagram| (run.path, datagram)));
                    continue;
                };
                for datagram in bytes.chunks(run.segment) {
                    let flying = Flying {
                        source: run.path.source,
                        contents: datagram.to_vec(),
                    };
                    let is_lost = (peer.watch.as_mut()).is_some_and(|watch| watch(datagram));
                    if !peer.is_cut_off && !is_lost {
                        peer.from_server.handle_input(NetIn::Packet(now, flying));
                    }
                }
            }
            queue.forget(usize::MAX);
        }
    }
}

fn next_packet(netem: &mut Netem<Flying>) -> Option<NetOut<Flying>> {
    while let Some(output) = netem.poll_output() {
        if matches!(output, NetOut::Packet(_)) {
            return Some(output);
        }
    }
    None
}

impl Peer {
    fn drain(&mut self, now: Instant, start: Instant) {
        loop {
            match self.rtc.poll_output().expect("the client goes on") {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    let flying = Flying {
                        source: self.address,
                        contents: transmit.contents.to_vec(),
                    };
                    let mut watch = self.watch_up.as_mut();
                    let is_lost = watch.as_mut().is_some_and(|watch| watch(&flying.contents));
                    if !self.is_cut_off && !is_lost {
                        self.to_server.handle_input(NetIn::Packet(now, flying));
                    }
                }
                Output::Event(event) => match &mut self.role {
                    PeerRole::Encoder(encoder) => encoder.take_event(&event),
                    PeerRole::Player(player) => player.take_event(&mut self.rtc, now, start, event),
                },
            }
        }
    }

    fn make_media(&mut self, now: Instant, start: Instant) {
        let PeerRole::Encoder(encoder) = &mut self.role else {
            return;
        };
        if encoder.make(&mut self.rtc, now, start) {
            self.rtc
                .handle_input(Input::Timeout(now))
                .expect("the client goes on");
            self.drain(now, start);
        }
    }
}
