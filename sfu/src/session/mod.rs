//! One peer connection: str0m's `Rtc`, and what we know beside it.
//!
//! A session is made by signalling, waits in the registry for its first valid STUN request, and is
//! then owned by one shard for life. It touches no socket and no other session: what it has to say
//! goes into an [`Outbox`].

mod arriving;
mod capture_clock;
mod catch_up;
mod fed;
mod lately;
mod loss;
mod making;
mod numbering;
mod outgoing;
mod publisher;
mod specs;
mod viewer;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Transmit};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{IceCreds, Input, Rtc, RtcConfig};

use crate::calls::{Answer, OfferError, PatchError, Patched};
use crate::egress::{Path, TransmitQueue, drain_into};
use crate::event::{CloseReason, Event, Role};
use crate::fed::Line;
use crate::ids::{SessionId, StreamId};
use crate::ingest::{IngestTracks, IngestVideo};
use crate::lane::{self, KeySlot, Lane};
use crate::lenient::{self, Incomplete};
use crate::lips;
use crate::registry::StreamShared;
use crate::sdp::{self, Accepted, Offer};
use crate::settings::{self, Settings};
use crate::stats::SessionStats;
use crate::wire::Wire;

pub(crate) use arriving::{PAUSED_AFTER, bits};
pub(crate) use outgoing::Leaving;
pub(crate) use publisher::Publisher;
pub(crate) use viewer::Viewer;

/// A session with its side.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) kind: Kind,
}

/// The side of a session with its state.
#[derive(Debug)]
pub(crate) enum Kind {
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

/// What both sides have.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) shared: Arc<StreamShared>,
    pub(crate) rtc: Rtc,
    ufrag: String,
    password: String,
    /// The cleaned offer, for ICE restarts.
    offer: String,
    pub(crate) created: Instant,
    pub(crate) connected_at: Option<Instant>,
    pub(crate) last_received: Instant,
    /// Addresses that this session's valid STUN requests came from, newest last.
    pub(crate) remotes: Vec<(Protocol, SocketAddr)>,
    /// Addresses of relays, behind which anybody may be.
    relays: Arc<[IpAddr]>,
    /// How often it took another address for its own.
    moves: u32,
    /// Since its ICE was restarted, it has not been heard of from a new address.
    is_restarted: bool,
    /// When the session wants to be woken.
    pub(crate) deadline: Instant,
    /// When its shard's earliest timer for it goes off.
    pub(crate) scheduled: Option<Instant>,
    pub(crate) closing: Option<CloseReason>,
    channels: Vec<(ChannelId, String)>,
    limits: ChannelLimits,
    rtt: Option<Duration>,
    transport: Protocol,
    ingress_loss: Option<f32>,
}

#[derive(Debug, Clone, Copy)]
struct ChannelLimits {
    channels: usize,
    message_bytes: usize,
}

/// What a check from a new address comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The peer stays where it is.
    None,
    /// The peer speaks from where it was: this may be a replay, by which whoever can listen could send
    /// media away. A peer that has moved asks again.
    TooEarly,
    /// The check, made so that str0m follows it.
    To(Vec<u8>),
}

/// What a session hands to its shard.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: TransmitQueue,
    /// Where they leave; without one they wait for who looks after the outbox.
    pub(crate) wire: Option<Box<dyn Wire>>,
    pub(crate) events: Vec<Event>,
    /// Key frames wanted of the publisher of a stream, by layer.
    pub(crate) keyframes: Vec<(StreamId, usize)>,
    /// Addresses over TCP that no session has any more.
    pub(crate) left: Vec<SocketAddr>,
}

impl Outbox {
    /// Sends what waits.
    pub(crate) fn send(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.send(&mut self.transmits);
        }
    }

    /// Sends what waits when it is much: what was just written is still in the cache, and the first
    /// viewers need not wait for the last.
    pub(crate) fn send_if_much(&mut self) {
        if self.transmits.is_much() {
            self.send();
        }
    }

    /// Tells that tracks or layers changed, once for a run of changes.
    pub(crate) fn layers_changed(&mut self, stream: StreamId) {
        let is_told =
            matches!(self.events.last(), Some(Event::LayersChanged { stream: s }) if *s == stream);
        if !is_told {
            self.events.push(Event::LayersChanged { stream });
        }
    }
}

/// Addresses kept for one session; more come only from a peer that changes network often.
const MOST_REMOTES: usize = 8;
/// A peer that nothing came of for so long may be elsewhere. Browsers tell of arrivals every 50 to 250 ms,
/// and where they are not asked to, of what they receive every second.
const QUIET: Duration = Duration::from_millis(250);
const QUIET_UNASKED: Duration = Duration::from_millis(1_200);
/// Timers are driven no finer than this: finer wakes cost more than they give.
const TIMER_GRID: Duration = Duration::from_millis(4);
/// How often figures of a connection are refreshed; loss in them steers the choice of layers.
const STATS_INTERVAL: Duration = Duration::from_millis(250);
/// What may wait in a data channel towards a peer, in bytes.
const MOST_CHANNEL_BUFFER: usize = 256 * 1024;

impl Session {
    /// Answers a WHIP offer.
    pub(crate) fn publish(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        offer: &Offer,
    ) -> Result<(Self, Answer), OfferError> {
        let accepted = offer.accept_publisher(settings.config.limits.layers)?;
        let (video, layers) = (accepted.video, accepted.layers);
        let (link, answer, _) = Link::open(
            settings,
            now,
            stream,
            Arc::clone(&shared),
            accepted,
            Role::Publisher,
        )?;
        let epoch = shared.begin_epoch(video, layers);
        let kind = Kind::Publisher(Box::new(Publisher::new(epoch, now, &settings.config)));
        Ok((Self { link, kind }, answer))
    }

    /// A publisher that is no peer of ours. Returns the line that it is fed over, and its number, too.
    pub(crate) fn ingest(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        tracks: IngestTracks,
    ) -> (Self, Arc<Line>, u32) {
        let codec = tracks.video.and_then(|video| video.codec.video());
        let epoch = shared.begin_epoch(codec, usize::from(codec.is_some()));
        let is_hopeless = |video: IngestVideo| video.reordered && video.patience.is_zero();
        shared.set_reordered(epoch, tracks.video.is_some_and(is_hopeless));
        // It makes key frames when it likes.
        shared.set_answers_pli(false);
        let line = Arc::new(Line::default());
        let fed = Arc::clone(&line);
        let publisher = Publisher::ingest(epoch, now, &settings.config, tracks, fed);
        let session = Self {
            link: Link::detached(settings, now, stream, shared),
            kind: Kind::Publisher(Box::new(publisher)),
        };
        (session, line, epoch)
    }

    /// Answers a WHEP offer.
    pub(crate) fn view(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        offer: &Offer,
    ) -> Result<(Self, Answer), OfferError> {
        if shared.is_reordered() {
            return Err(OfferError::Reordered);
        }
        let accepted = offer.accept_viewer(shared.video())?;
        let (mut link, answer, slot) =
            Link::open(settings, now, stream, shared, accepted, Role::Viewer)?;
        let lane = Lane::take_over(&mut link.rtc, &answer.sdp, slot, now);
        let kind = Kind::Viewer(Box::new(Viewer::new(lane)));
        Ok((Self { link, kind }, answer))
    }

    pub(crate) fn id(&self) -> SessionId {
        self.link.id
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.link.ufrag
    }

    /// A publisher's binding request that str0m would not read, made one that it does.
    pub(crate) fn complete(&self, request: &Incomplete<'_>) -> Option<Vec<u8>> {
        match self.role() {
            Role::Publisher => request.complete(&self.link.password),
            Role::Viewer => None,
        }
    }

    /// Looks at a check from an address that is not known: a peer that is connected may take another
    /// address. From one protocol to another it is the peer's priorities that decide.
    pub(crate) fn follow(&mut self, now: Instant, protocol: Protocol, request: &[u8]) -> Move {
        let is_quiet = self.is_quiet(now);
        let link = &mut self.link;
        let is_alike = link.remotes.iter().any(|(known, _)| *known == protocol);
        if !link.is_connected() || !is_alike {
            return Move::None;
        }
        let Some(raised) = lenient::raised(request, &link.password, link.moves + 1) else {
            return Move::None;
        };
        if std::mem::take(&mut link.is_restarted) {
            return Move::None;
        }
        if !is_quiet {
            return Move::TooEarly;
        }
        link.moves += 1;
        Move::To(raised)
    }

    /// Whether so little comes that the peer may be elsewhere.
    fn is_quiet(&self, now: Instant) -> bool {
        let quiet = match &self.kind {
            Kind::Viewer(viewer) if !viewer.lane.estimates(now) => QUIET_UNASKED,
            _ => QUIET,
        };
        now.saturating_duration_since(self.link.last_received) >= quiet
    }

    /// Turns a viewer's media to an address that is known and that it nominates now, unless it speaks
    /// from where it was. Where the priority is lower str0m would stay for as long as the other may live.
    pub(crate) fn turn(&mut self, now: Instant, way: Path, request: &[u8]) {
        let is_quiet = self.is_quiet(now);
        let Kind::Viewer(viewer) = &mut self.kind else {
            return;
        };
        let is_other = |at: Path| at.protocol == way.protocol && at.destination != way.destination;
        if viewer.lane.path().is_some_and(is_other)
            && is_quiet
            && lenient::nominates(request, &self.link.password)
        {
            viewer.lane.turn(way);
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self.kind {
            Kind::Publisher(_) => Role::Publisher,
            Kind::Viewer(_) => Role::Viewer,
        }
    }

    /// Gives str0m an input and takes what it has to say.
    pub(crate) fn drive(&mut self, now: Instant, input: Input<'_>, outbox: &mut Outbox) {
        let is_received = matches!(input, Input::Receive(..));
        if is_received {
            self.link.last_received = now;
        }
        if let Err(error) = self.link.rtc.handle_input(input) {
            self.fail(&error);
        }
        if is_received && matches!(&self.kind, Kind::Viewer(viewer) if viewer.lane.is_open()) {
            // It may have chosen another way.
            lane::ask_way(&mut self.link.rtc);
        }
        self.drain(now, outbox);
    }

    /// Takes a report of a viewer. Returns whether it is the viewer's.
    ///
    /// A report cannot be replayed: who sends it from another address that showed it knows the password is
    /// there now.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        way: Path,
        report: &[u8],
        outbox: &mut Outbox,
    ) -> bool {
        let Kind::Viewer(viewer) = &mut self.kind else {
            return false;
        };
        let is_real = viewer.hear(now, report, &mut outbox.transmits);
        if is_real {
            self.link.last_received = now;
            let is_other =
                |at: Path| at.protocol == way.protocol && at.destination != way.destination;
            if viewer.lane.path().is_some_and(is_other) {
                viewer.lane.turn(way);
            }
        }
        is_real
    }

    /// Takes all output until str0m wants to sleep.
    pub(crate) fn drain(&mut self, now: Instant, outbox: &mut Outbox) {
        let mut events = Vec::new();
        loop {
            let kind = &mut self.kind;
            let may_leave = |transmit: &Transmit| match kind {
                Kind::Viewer(viewer) => viewer.lane.let_through(transmit),
                Kind::Publisher(_) => true,
            };
            let result = drain_into(
                &mut self.link.rtc,
                &mut outbox.transmits,
                may_leave,
                |event| events.push(event),
            );
            match result {
                Ok(at) => self.link.deadline = at.max(now + TIMER_GRID),
                Err(error) => {
                    self.fail(&error);
                    self.link.deadline = now + TIMER_GRID;
                }
            }
            if events.is_empty() {
                return;
            }
            for event in events.drain(..) {
                self.take_event(now, event, outbox);
            }
        }
    }

    /// Lets time pass for str0m, which sends only then.
    pub(crate) fn flush(&mut self, now: Instant, outbox: &mut Outbox) {
        self.drive(now, Input::Timeout(now), outbox);
    }

    fn fail(&mut self, error: &impl fmt::Display) {
        if self.link.closing.is_none() {
            self.link.closing = Some(CloseReason::Failed(error.to_string()));
        }
    }

    fn take_event(&mut self, now: Instant, event: str0m::Event, outbox: &mut Outbox) {
        let role = self.role();
        if let Some(event) = self.link.take_event(now, role, event, outbox) {
            match &mut self.kind {
                Kind::Publisher(publisher) => {
                    publisher.take_event(&mut self.link, now, event, outbox);
                }
                Kind::Viewer(viewer) => {
                    if matches!(event, str0m::Event::Connected) && !viewer.open() {
                        self.fail(&"the handshake came to no keys");
                    }
                }
            }
        }
    }

    /// Figures for the API.
    pub(crate) fn stats(&mut self, now: Instant) -> SessionStats {
        let mut stats = self.link.stats(now, self.role());
        match &mut self.kind {
            Kind::Publisher(publisher) => publisher.fill(&mut stats, now),
            Kind::Viewer(viewer) => viewer.fill(&mut stats, now),
        }
        stats
    }
}

impl Link {
    /// For a session without a peer: its `Rtc` is there for what all sessions have, and connects to
    /// nobody.
    fn detached(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
    ) -> Self {
        let mut rtc = RtcConfig::new().set_ice_lite(true).build(now);
        let credentials = rtc.direct_api().local_ice_credentials();
        let mut link = Self::new(settings, now, stream, shared, rtc, credentials);
        link.connected_at = Some(now);
        link
    }

    fn new(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        rtc: Rtc,
        credentials: IceCreds,
    ) -> Self {
        let limits = &settings.config.limits;
        Self {
            id: SessionId::random(),
            stream,
            shared,
            rtc,
            offer: String::new(),
            created: now,
            connected_at: None,
            last_received: now,
            remotes: Vec::new(),
            relays: Arc::clone(&settings.config.relays),
            moves: 0,
            is_restarted: false,
            deadline: now,
            scheduled: None,
            closing: None,
            channels: Vec::new(),
            limits: ChannelLimits {
                channels: limits.channels,
                message_bytes: limits.message_bytes,
            },
            rtt: None,
            transport: Protocol::Udp,
            ingress_loss: None,
            ufrag: credentials.ufrag,
            password: credentials.pass,
        }
    }

    fn open(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        accepted: Accepted,
        role: Role,
    ) -> Result<(Self, Answer, KeySlot), OfferError> {
        let limits = &settings.config.limits;
        let mut config = RtcConfig::new()
            .set_ice_lite(true)
            .set_rtp_mode(true)
            // The lane of a viewer counts by itself.
            .set_stats_interval((role == Role::Publisher).then_some(STATS_INTERVAL))
            .set_extension_map(extensions())
            .set_sctp_max_message_size(u32::try_from(limits.message_bytes).unwrap_or(u32::MAX));
        *config.codec_config() = accepted.codecs;
        let (mut rtc, slot) = lane::build(config, now);
        for candidate in settings.candidates() {
            rtc.add_local_candidate(candidate);
        }
        let answer = accept(&mut rtc, &accepted.sdp).map_err(OfferError::InvalidSdp)?;
        let credentials = rtc.direct_api().local_ice_credentials();
        let ice_tag = credentials.ufrag.clone();
        let mut link = Self::new(settings, now, stream, shared, rtc, credentials);
        link.offer = accepted.sdp;
        let answer = Answer {
            session: link.id,
            sdp: lips::as_one_stream(&answer),
            ice_tag,
        };
        Ok((link, answer, slot))
    }

    /// Takes trickled candidates, or restarts ICE with the credentials of the fragment.
    pub(crate) fn patch(&mut self, fragment: &str) -> Result<Patched, PatchError> {
        let credentials =
            sdp::fragment_credentials(fragment).map_err(PatchError::InvalidFragment)?;
        let Some(credentials) = credentials else {
            return Ok(Patched::Trickled);
        };
        if sdp::offer_credentials(&self.offer).as_ref() == Some(&credentials) {
            return Ok(Patched::Trickled);
        }
        let offer = sdp::with_credentials(&self.offer, &credentials);
        let answer = accept(&mut self.rtc, &offer).map_err(PatchError::RestartFailed)?;
        lane::silence(&mut self.rtc, &answer);
        self.is_restarted = true;
        self.offer = offer;
        let IceCreds { ufrag, pass } = self.rtc.direct_api().local_ice_credentials();
        (self.ufrag, self.password) = (ufrag, pass);
        Ok(Patched::Restarted {
            fragment: sdp::answer_fragment(&answer),
            ice_tag: self.ufrag.clone(),
        })
    }

    /// Notes an address that a valid STUN request came from. Returns one that it pushed out.
    pub(crate) fn note_remote(
        &mut self,
        remote: (Protocol, SocketAddr),
    ) -> Option<(Protocol, SocketAddr)> {
        if self.remotes.contains(&remote) {
            return None;
        }
        self.remotes.push(remote);
        (self.remotes.len() > MOST_REMOTES).then(|| self.remotes.remove(0))
    }

    /// Whether all that it sends from are addresses of this machine or of a network of the house.
    pub(crate) fn is_near(&self) -> bool {
        let mut remotes = self.remotes.iter();
        let is_near =
            |ip: IpAddr| settings::is_local(ip) && !self.relays.contains(&ip.to_canonical());
        !self.remotes.is_empty() && remotes.all(|(_, remote)| is_near(remote.ip()))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// Sends a text on the first channel that has one of these labels. Returns whether the peer's buffer
    /// had room.
    pub(crate) fn send_data(&mut self, labels: &[&str], text: &[u8]) -> bool {
        let of = |wanted: &&str| self.channels.iter().find(|(_, label)| label == wanted);
        let Some((id, _)) = labels.iter().find_map(of) else {
            return false;
        };
        let Some(mut channel) = self.rtc.channel(*id) else {
            return false;
        };
        if channel.buffered_amount() + text.len() > MOST_CHANNEL_BUFFER {
            return false;
        }
        channel.write(false, text).unwrap_or(false)
    }

    /// Handles what both sides have in common; gives back the rest.
    fn take_event(
        &mut self,
        now: Instant,
        role: Role,
        event: str0m::Event,
        outbox: &mut Outbox,
    ) -> Option<str0m::Event> {
        let (session, stream) = (self.id, self.stream);
        match event {
            str0m::Event::Connected => {
                self.connected_at.get_or_insert(now);
                outbox.events.push(Event::Connected {
                    session,
                    stream,
                    role,
                });
                return Some(event);
            }
            str0m::Event::Closed => {
                self.closing.get_or_insert(CloseReason::RemoteClosed);
            }
            str0m::Event::PeerStats(stats) => {
                self.rtt = stats.rtt.or(self.rtt);
                self.ingress_loss = stats.ingress_loss_fraction;
                if let Some(pair) = stats.selected_candidate_pair {
                    self.transport = pair.protocol;
                    self.rtt = pair.current_round_trip_time.or(self.rtt);
                }
            }
            str0m::Event::ChannelOpen(id, label) => {
                if self.channels.len() >= self.limits.channels {
                    self.rtc.direct_api().close_data_channel(id);
                    return None;
                }
                let label: String = label.chars().take(64).collect();
                self.channels.push((id, label.clone()));
                outbox.events.push(Event::DataOpened {
                    session,
                    stream,
                    role,
                    label,
                });
            }
            str0m::Event::ChannelClose(id) => self.channels.retain(|(open, _)| *open != id),
            str0m::Event::ChannelData(data) => {
                let label = self.channels.iter().find(|(id, _)| *id == data.id);
                if let Some((_, label)) = label
                    && data.data.len() <= self.limits.message_bytes
                {
                    outbox.events.push(Event::Data {
                        session,
                        stream,
                        role,
                        label: label.clone(),
                        payload: Bytes::from(data.data),
                        binary: data.binary,
                    });
                }
            }
            other => return Some(other),
        }
        None
    }

    fn stats(&self, now: Instant, role: Role) -> SessionStats {
        SessionStats {
            role,
            transport: self.transport_name(),
            connected: self.is_connected(),
            connected_ms: self.connected_at.map_or(0, |at| millis(now, at)),
            rtt_ms: self.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
            loss: self.ingress_loss.map(f64::from),
            bitrate: 0,
            estimate: None,
            layer: None,
            width: None,
            height: None,
            codec: None,
            pinned: false,
            packets: 0,
            nacks: 0,
            plis: 0,
        }
    }

    pub(crate) fn transport_name(&self) -> &'static str {
        name_of(self.transport)
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub(crate) fn ingress_loss(&self) -> Option<f32> {
        self.ingress_loss
    }
}

/// As the API names it.
pub(crate) fn name_of(transport: Protocol) -> &'static str {
    match transport {
        Protocol::Udp => "udp",
        _ => "tcp",
    }
}

/// Milliseconds from `since` to `now`.
pub(crate) fn millis(now: Instant, since: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}

/// Negotiates. A panic over a stranger's offer is a refusal of that offer.
fn accept(rtc: &mut Rtc, offer: &str) -> Result<String, String> {
    let negotiate = || {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| error.to_string())?;
        let answer = rtc.sdp_api().accept_offer(offer);
        answer
            .map(|answer| answer.to_sdp_string())
            .map_err(|error| error.to_string())
    };
    catch_unwind(AssertUnwindSafe(negotiate))
        .unwrap_or_else(|_| Err("it cannot be negotiated".to_owned()))
        .map_err(|error| sdp::readable(&error))
}

/// Header extensions that we negotiate (RFC 8285), with the identifiers that Chromium uses.
///
/// Without video orientation (3GPP TS 26.114 §7.4.5): packaging cannot turn pictures, and a browser
/// that may not send it turns them before it encodes.
fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    for (id, extension) in [
        (1, Extension::AudioLevel),
        (2, Extension::AbsoluteSendTime),
        (3, Extension::TransportSequenceNumber),
        (4, Extension::RtpMid),
        (5, Extension::PlayoutDelay),
        (7, Extension::AbsoluteCaptureTime),
        (10, Extension::RtpStreamId),
        (11, Extension::RepairedRtpStreamId),
    ] {
        map.set(id, extension);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const PUBLISH: &str = include_str!("../../fuzz/corpus/session/chromium-publish-simulcast-data");
    const VIEW: &str = include_str!("../../fuzz/corpus/session/chromium-view-data");

    /// The names of the header extensions in the video section.
    fn extensions_of(sdp: &str) -> Vec<&str> {
        let video = sdp.split("m=").find(|part| part.starts_with("video"));
        let lines = video.expect("a video section").lines();
        lines
            .filter_map(|line| line.strip_prefix("a=extmap:")?.split_once(' '))
            .map(|(_, name)| name)
            .collect()
    }

    #[test]
    fn browser_is_let_to_turn_pictures_itself() {
        let offer = |text: &'static str| {
            let text = text.split('\0').next().expect("an offer");
            assert!(extensions_of(text).contains(&"urn:3gpp:video-orientation"));
            Offer::parse(text, 65_536).expect("it can be read")
        };
        let settings = Settings::new(Config::default(), 8_189);
        #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
        let now = Instant::now();
        let (stream, shared) = (StreamId::from(1), Arc::<StreamShared>::default());
        let published =
            Session::publish(&settings, now, stream, Arc::clone(&shared), &offer(PUBLISH));
        let viewed = Session::view(&settings, now, stream, shared, &offer(VIEW));
        for opened in [published, viewed] {
            let (_, answer) = opened.expect("it is taken");
            let extensions = extensions_of(&answer.sdp);
            assert!(extensions.contains(&"urn:ietf:params:rtp-hdrext:sdes:mid"));
            assert!(!extensions.contains(&"urn:3gpp:video-orientation"));
        }
    }
}
