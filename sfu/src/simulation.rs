//! Peers in virtual time over a simulated net: publishers with an encoder that answers requests (or
//! does not), viewers that decode in order and count what a person would see.
//!
//! The shard under test is the real one; only the sockets and the clock are not.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use str0m_netem::{Input as NetIn, Netem, NetemConfig, Output as NetOut};

use crate::config::Config;
use crate::handle::{Event, OfferError};
use crate::ids::{SessionId, StreamId};
use crate::registry::Registry;
use crate::sdp::Offer;
use crate::session::Session;
use crate::settings::Settings;
use crate::shard::{Datagram, Message, Shard, Target};

mod faults;
mod lossy;
mod starting;

/// One datagram on its way.
#[derive(Debug, Clone)]
struct Flying {
    source: SocketAddr,
    destination: SocketAddr,
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
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    shards: Vec<Shard>,
    peers: Vec<Peer>,
    pub(crate) events: Vec<(Duration, Event)>,
}

/// A browser, an encoder or a player at the other end of a link.
pub(crate) struct Peer {
    rtc: Rtc,
    address: SocketAddr,
    to_server: Netem<Flying>,
    from_server: Netem<Flying>,
    session: SessionId,
    deadline: Instant,
    is_cut_off: bool,
    role: PeerRole,
}

enum PeerRole {
    Encoder(Encoder),
    Player(Player),
}

/// Makes frames of the right sizes whose bytes say which they are.
pub(crate) struct Encoder {
    video: Mid,
    audio: Mid,
    layers: Vec<EncoderLayer>,
    keyframe_every: Duration,
    listens: bool,
    video_delay: Duration,
    next_frame: Instant,
    next_audio: Instant,
    audio_seq: u64,
    is_connected: bool,
    pub(crate) is_paused: bool,
    pub(crate) requests: usize,
}

struct EncoderLayer {
    rid: Option<Rid>,
    index: u8,
    bitrate: u64,
    sps: &'static [u8],
    frame: u32,
    seq: u64,
    timestamp: u32,
    last_keyframe: Option<Instant>,
    wants_keyframe: bool,
}

/// Decodes in order, as a browser does, and counts what a person would see.
#[derive(Default)]
pub(crate) struct Player {
    video: Option<Mid>,
    frames: BTreeMap<u32, Arriving>,
    decoded: Option<Decoded>,
    last_request: Option<Instant>,
    pub(crate) connected_at: Option<Duration>,
    /// When each frame was shown, which layer it was of, how old it was.
    pub(crate) shown: Vec<Shown>,
    pub(crate) requests: usize,
    pub(crate) audio: Vec<Duration>,
    /// What the newest sender reports say: capture time less the time that the sender marked, in µs.
    pub(crate) audio_clock: Option<i64>,
    pub(crate) video_clock: Option<i64>,
    /// Sequence numbers of video, extended, as they came.
    pub(crate) sequence: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) at: Duration,
    pub(crate) layer: u8,
    pub(crate) age: Duration,
}

#[derive(Debug, Clone, Default)]
struct Arriving {
    mark: Mark,
    parts: Vec<u16>,
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Decoded {
    timestamp: u32,
    mark: Mark,
}

/// What each payload ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    epoch: u8,
    layer: u8,
    is_key: bool,
    frame: u32,
    part: u16,
    parts: u16,
    captured_us: u64,
}

impl Mark {
    const BYTES: usize = 19;

    fn write(self, payload: &mut Vec<u8>) {
        payload.extend([self.epoch, self.layer, u8::from(self.is_key)]);
        payload.extend(self.frame.to_be_bytes());
        payload.extend(self.part.to_be_bytes());
        payload.extend(self.parts.to_be_bytes());
        payload.extend(self.captured_us.to_be_bytes());
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let tail = &payload[payload.len().checked_sub(Self::BYTES)?..];
        Some(Self {
            epoch: tail[0],
            layer: tail[1],
            is_key: tail[2] == 1,
            frame: u32::from_be_bytes(tail[3..7].try_into().ok()?),
            part: u16::from_be_bytes(tail[7..9].try_into().ok()?),
            parts: u16::from_be_bytes(tail[9..11].try_into().ok()?),
            captured_us: u64::from_be_bytes(tail[11..19].try_into().ok()?),
        })
    }
}

/// H264 sequence parameter sets of x264 for 320x180, 640x360 and 1280x720.
const SPS_180: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0xa4, 0x80,
];
const SPS_360: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
    0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48,
];
const SPS_720: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x24, 0x80,
];

/// What a test says of an encoder.
#[derive(Debug, Clone)]
pub(crate) struct EncoderSpec {
    /// RID and bit/s, as the offer lists them.
    pub(crate) layers: Vec<(Option<&'static str>, u64)>,
    pub(crate) keyframe_every: Duration,
    /// Whether it makes a key frame when asked.
    pub(crate) listens: bool,
    /// How long its video takes to encode; sound takes no time.
    pub(crate) video_delay: Duration,
}

impl EncoderSpec {
    /// One layer of 2.5 Mbit/s.
    pub(crate) fn single(keyframe_every: Duration, listens: bool) -> Self {
        Self {
            layers: vec![(None, 2_500_000)],
            keyframe_every,
            listens,
            video_delay: Duration::ZERO,
        }
    }

    /// What a browser sends: three layers, key frames only when asked.
    pub(crate) fn simulcast() -> Self {
        Self {
            layers: vec![
                (Some("l"), 150_000),
                (Some("m"), 500_000),
                (Some("h"), 1_800_000),
            ],
            keyframe_every: Duration::from_secs(3_600),
            listens: true,
            video_delay: Duration::ZERO,
        }
    }
}

pub(crate) const PERFECT: fn() -> NetemConfig =
    || NetemConfig::new().latency(Duration::from_millis(10));

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8189);
const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO: Duration = Duration::from_millis(20);
const PART: usize = 1_150;
/// A key frame is this many times an ordinary frame.
const KEYFRAME_FACTOR: u64 = 6;
/// A player waits this long for a retransmission before it asks for a key frame (Chromium: until ten
/// NACKs went unanswered).
const PATIENCE: Duration = Duration::from_millis(500);

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), 1)
    }

    pub(crate) fn with(config: Config, shards: usize) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the base of virtual time")]
        let now = Instant::now();
        let config = Config {
            public_ips: vec![SERVER.ip()],
            ..config
        };
        let settings = Arc::new(Settings::new(config, SERVER.port()));
        let registry = Arc::new(Registry::default());
        let shards = (0..shards)
            .map(|index| Shard::new(index, Arc::clone(&settings), Arc::clone(&registry), now))
            .collect();
        Self {
            now,
            start: now,
            settings,
            registry,
            shards,
            peers: Vec::new(),
            events: Vec::new(),
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
        let mut rtc = self.client_rtc();
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
        let sps_of = |bitrate: u64| match bitrate {
            0..300_000 => SPS_180,
            300_000..1_000_000 => SPS_360,
            _ => SPS_720,
        };
        let layers = spec
            .layers
            .iter()
            .enumerate()
            .map(|(index, (rid, bitrate))| EncoderLayer {
                rid: rid.map(Rid::from),
                index: u8::try_from(index).expect("few layers"),
                bitrate: *bitrate,
                sps: sps_of(*bitrate),
                frame: 0,
                seq: 1_000 * (index as u64 + 1),
                timestamp: 77_000_000 * (u32::try_from(index).expect("few layers") + 1),
                last_keyframe: None,
                wants_keyframe: true,
            })
            .collect();
        let encoder = Encoder {
            video,
            audio,
            layers,
            keyframe_every: spec.keyframe_every,
            listens: spec.listens,
            video_delay: spec.video_delay,
            next_frame: self.now,
            next_audio: self.now,
            audio_seq: 1,
            is_connected: false,
            is_paused: false,
            requests: 0,
        };
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
        rtc.sdp_api()
            .accept_answer(pending, sdp)
            .expect("it answers the offer");
        Ok(answer.session)
    }

    /// A viewer. `down` is the net towards it. Returns the peer's number.
    pub(crate) fn view(&mut self, stream: StreamId, down: NetemConfig) -> usize {
        let mut rtc = self.client_rtc();
        let address = self.address();
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change.apply().expect("an offer");
        let offer = Offer::parse(&offer.to_sdp_string(), 65_536).expect("it can be read");
        let shared = self.registry.stream(stream).expect("the stream is live");
        let (session, answer) =
            Session::view(&self.settings, self.now, stream, shared, &offer).expect("it is taken");
        self.registry.add_pending(Box::new(session));
        let sdp = SdpAnswer::from_sdp_string(&answer.sdp).expect("our answer can be read");
        rtc.sdp_api()
            .accept_answer(pending, sdp)
            .expect("it answers the offer");
        let player = Player {
            video: Some(video),
            ..Player::default()
        };
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

    fn client_rtc(&self) -> Rtc {
        RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .build(self.now)
    }

    fn address(&self) -> SocketAddr {
        let number = u8::try_from(self.peers.len() + 1).expect("few peers");
        SocketAddr::from(([198, 51, 100, number], 4_000))
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

    pub(crate) fn player(&self, peer: usize) -> &Player {
        match &self.peers[peer].role {
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

    /// Datagrams of a stranger, straight to the first shard.
    pub(crate) fn inject(&mut self, source: SocketAddr, contents: &[u8]) -> crate::shard::Receipt {
        let datagram = Datagram {
            protocol: Protocol::Udp,
            source,
            local: Some(SERVER.ip()),
            contents,
        };
        let now = self.now;
        let receipt = self.shards[0].receive(now, datagram);
        self.settle();
        receipt
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
            let receive = Receive::new(
                Protocol::Udp,
                flying.source,
                flying.destination,
                &flying.contents,
            );
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
                local: Some(SERVER.ip()),
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
                let Some(peer) = self.peers.iter_mut().find(|p| p.address == run.destination)
                else {
                    continue;
                };
                for datagram in bytes.chunks(run.segment) {
                    let flying = Flying {
                        source: run.source,
                        destination: run.destination,
                        contents: datagram.to_vec(),
                    };
                    if !peer.is_cut_off {
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
                        destination: transmit.destination,
                        contents: transmit.contents.to_vec(),
                    };
                    if !self.is_cut_off {
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

impl Encoder {
    fn take_event(&mut self, event: &str0m::Event) {
        match event {
            str0m::Event::Connected => self.is_connected = true,
            str0m::Event::KeyframeRequest(request) => {
                self.requests += 1;
                if !self.listens {
                    return;
                }
                for layer in &mut self.layers {
                    if layer.rid == request.rid {
                        layer.wants_keyframe = true;
                    }
                }
            }
            _ => {}
        }
    }

    fn make(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) -> bool {
        let mut is_made = false;
        while now >= self.next_audio {
            self.next_audio += AUDIO;
            if self.is_connected && !self.is_paused {
                self.make_audio(rtc, now, start);
                is_made = true;
            }
        }
        while now >= self.next_frame {
            self.next_frame += FRAME;
            for layer in &mut self.layers {
                layer.timestamp = layer.timestamp.wrapping_add(3_000);
            }
            if self.is_connected && !self.is_paused {
                self.make_frame(rtc, now, start);
                is_made = true;
            }
        }
        is_made
    }

    fn make_audio(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let pt = payload_type(rtc, Codec::Opus);
        let mut direct = rtc.direct_api();
        let stream = direct
            .stream_tx_by_mid(self.audio, None)
            .expect("an audio stream");
        let elapsed = u32::try_from((now - start).as_millis()).expect("a short test");
        self.audio_seq += 1;
        let mut payload = vec![0xfc; 140];
        Mark {
            captured_us: u64::try_from((now - start).as_micros()).expect("short"),
            ..Mark::default()
        }
        .write(&mut payload);
        let write = RtpWrite::new(pt, self.audio_seq.into(), elapsed * 48, now, payload);
        stream.write_rtp(write);
    }

    fn make_frame(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let pt = payload_type(rtc, Codec::H264);
        let captured = (now - self.video_delay).max(start);
        for layer in &mut self.layers {
            let is_due = layer
                .last_keyframe
                .is_none_or(|last| now - last >= self.keyframe_every);
            let is_key = std::mem::take(&mut layer.wants_keyframe) || is_due;
            if is_key {
                layer.last_keyframe = Some(now);
            }
            let mut bytes = layer.bitrate / 8 / 30;
            if is_key {
                bytes *= KEYFRAME_FACTOR;
            }
            let parts = usize::try_from(bytes).expect("small") / PART + 1 + usize::from(is_key);
            let part_bytes = usize::try_from(bytes).expect("small") / parts;
            layer.frame += 1;
            for part in 0..parts {
                let mut payload = match (is_key, part) {
                    (true, 0) => layer.sps.to_vec(),
                    (true, _) => vec![0x65; part_bytes],
                    (false, _) => vec![0x41; part_bytes],
                };
                Mark {
                    epoch: 0,
                    layer: layer.index,
                    is_key,
                    frame: layer.frame,
                    part: u16::try_from(part).expect("few parts"),
                    parts: u16::try_from(parts).expect("few parts"),
                    captured_us: u64::try_from((captured - start).as_micros()).expect("short"),
                }
                .write(&mut payload);
                let mut direct = rtc.direct_api();
                let stream = direct
                    .stream_tx_by_mid(self.video, layer.rid)
                    .expect("a video stream");
                layer.seq += 1;
                let write = RtpWrite::new(pt, layer.seq.into(), layer.timestamp, captured, payload)
                    .marker(part + 1 == parts)
                    .nackable(true);
                stream.write_rtp(write);
            }
        }
    }
}

fn payload_type(rtc: &Rtc, codec: Codec) -> str0m::media::Pt {
    let params = rtc.codec_config().params();
    let wanted = |p: &&str0m::format::PayloadParams| {
        let spec = p.spec();
        spec.codec == codec && spec.format.packetization_mode != Some(0)
    };
    // The answer has one H264 entry first: constrained baseline.
    let baseline = params
        .iter()
        .filter(wanted)
        .find(|p| p.spec().format.profile_level_id == Some(0x42_e0_1f));
    baseline
        .or_else(|| params.iter().find(wanted))
        .expect("the codec is negotiated")
        .pt()
}

/// By the newest sender report: when the packet was captured, less when it says it was.
fn reported_clock(packet: &str0m::rtp::RtpPacket, clock: i64) -> Option<i64> {
    let report = packet.last_sender_info?;
    let mark = Mark::read(&packet.payload)?;
    let since = report.ntp_time.duration_since(std::time::UNIX_EPOCH).ok()?;
    let reported = u32::try_from(report.rtp_time.numer() & 0xffff_ffff).ok()?;
    let ticks = packet.header.timestamp.wrapping_sub(reported).cast_signed();
    let captured = i64::try_from(since.as_micros()).ok()? + i64::from(ticks) * 1_000_000 / clock;
    Some(captured - i64::try_from(mark.captured_us).ok()?)
}

impl Player {
    fn take_event(&mut self, rtc: &mut Rtc, now: Instant, start: Instant, event: str0m::Event) {
        match event {
            str0m::Event::Connected => self.connected_at = Some(now - start),
            str0m::Event::RtpPacket(packet) => {
                let codec = rtc
                    .codec_config()
                    .params()
                    .iter()
                    .find(|p| p.pt() == packet.header.payload_type)
                    .map(|p| p.spec().codec);
                if codec == Some(Codec::Opus) {
                    self.audio.push(now - start);
                    self.audio_clock = reported_clock(&packet, 48_000).or(self.audio_clock);
                    return;
                }
                self.video_clock = reported_clock(&packet, 90_000).or(self.video_clock);
                self.sequence.push(*packet.seq_no);
                if let Some(mark) = Mark::read(&packet.payload) {
                    let frame = self.frames.entry(packet.header.timestamp).or_default();
                    frame.mark = Mark { part: 0, ..mark };
                    frame.since.get_or_insert(now);
                    frame.parts.push(mark.part);
                }
                self.decode(rtc, now, start);
            }
            _ => {}
        }
    }

    fn decode(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let mut has_gap = false;
        let timestamps: Vec<u32> = self.frames.keys().copied().collect();
        for timestamp in timestamps {
            let frame = &self.frames[&timestamp];
            let is_whole = frame.parts.len() == usize::from(frame.mark.parts);
            let follows = self.decoded.is_some_and(|before| {
                before.mark.layer == frame.mark.layer && before.mark.frame + 1 == frame.mark.frame
            });
            let is_newer = self
                .decoded
                .is_none_or(|before| timestamp.wrapping_sub(before.timestamp) < u32::MAX / 2);
            if is_whole && is_newer && (frame.mark.is_key || follows) {
                let mark = frame.mark;
                let at = now - start;
                self.shown.push(Shown {
                    at,
                    layer: mark.layer,
                    age: at - Duration::from_micros(mark.captured_us),
                });
                self.decoded = Some(Decoded { timestamp, mark });
                self.frames.retain(|kept, _| {
                    kept.wrapping_sub(timestamp) < u32::MAX / 2 && *kept != timestamp
                });
                continue;
            }
            let waited = frame.since.is_some_and(|since| now - since > PATIENCE);
            has_gap |= waited;
        }
        let may_ask = self
            .last_request
            .is_none_or(|last| now - last > Duration::from_millis(300));
        if has_gap && may_ask {
            self.last_request = Some(now);
            self.requests += 1;
            let video = self.video.expect("it has video");
            if let Some(stream) = rtc.direct_api().stream_rx_by_mid(video, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
    }

    /// Time in which the picture stood still for longer than `pause`, from the first frame to `end`.
    pub(crate) fn frozen(&self, end: Duration, pause: Duration) -> Duration {
        let Some(first) = self.shown.first() else {
            return end;
        };
        let mut last = first.at;
        let mut frozen = Duration::ZERO;
        for at in self.shown.iter().map(|s| s.at).chain([end]) {
            let gap = at.saturating_sub(last);
            if gap > pause {
                frozen += gap - pause;
            }
            last = at;
        }
        frozen
    }

    /// Frames shown in a span.
    pub(crate) fn shown_between(
        &self,
        from: Duration,
        to: Duration,
    ) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |s| s.at >= from && s.at < to)
    }

    /// The layer of the newest frame.
    pub(crate) fn layer(&self) -> Option<u8> {
        self.shown.last().map(|s| s.layer)
    }
}
