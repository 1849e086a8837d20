//! One peer connection: str0m's `Rtc`, and what we know beside it.
//!
//! A session is made by signalling, waits in the registry for its first valid STUN request, and is
//! then owned by one shard for life. It touches no socket and no other session: what it has to say
//! goes into an [`Outbox`].

mod arriving;
mod capture_clock;
mod catch_up;
mod excess;
mod fed;
mod lately;
mod link;
mod loss;
mod making;
mod numbering;
mod outgoing;
mod publisher;
mod pulled;
mod relay;
mod specs;
mod viewer;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::Input;
use str0m::net::{Protocol, Transmit};

use crate::calls::{Answer, OfferError};
use crate::egress::{Path, TransmitQueue, drain_into};
use crate::event::{CloseReason, Event, Role};
use crate::fed::Line;
use crate::ids::{SessionId, StreamId};
use crate::ingest::{IngestTracks, IngestVideo};
use crate::lane::{self, Lane};
use crate::lenient::{self, Incomplete};
use crate::packet::Packet;
use crate::registry::StreamShared;
use crate::sdp::Offer;
use crate::settings::Settings;
use crate::stats::SessionStats;
use crate::stream::Media;
use crate::wire::Wire;

pub(crate) use arriving::{PAUSED_AFTER, bits};
pub(crate) use link::{Link, millis, name_of};
pub(crate) use outgoing::Leaving;
pub(crate) use publisher::Publisher;
pub(crate) use relay::Relay;
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
    Relay(Box<Relay>),
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
    /// Pulls that are over, whose ports are of no use any more.
    pub(crate) hung_up: Vec<SessionId>,
    /// Key frames wanted of the publisher of a stream, by layer.
    pub(crate) keyframes: Vec<(StreamId, usize)>,
    /// Addresses over TCP that no session has any more.
    pub(crate) left: Vec<SocketAddr>,
}

impl Kind {
    /// The way of media, of who gets some from us.
    fn lane(&mut self) -> Option<&mut Lane> {
        match self {
            Self::Publisher(_) => None,
            Self::Viewer(viewer) => Some(&mut viewer.lane),
            Self::Relay(relay) => Some(&mut relay.lane),
        }
    }
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

/// A peer that nothing came of for so long may be elsewhere. Browsers tell of arrivals every 50 to 250 ms,
/// and where they are not asked to, of what they receive every second.
const QUIET: Duration = Duration::from_millis(250);
const QUIET_UNASKED: Duration = Duration::from_millis(1_200);
/// Timers are driven no finer than this: finer wakes cost more than they give.
const TIMER_GRID: Duration = Duration::from_millis(4);

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
        let role = Role::Viewer;
        let (link, answer, lane) = Self::fed(settings, now, stream, shared, offer, role)?;
        let kind = Kind::Viewer(Box::new(Viewer::new(lane)));
        Ok((Self { link, kind }, answer))
    }

    /// Answers another node that wants all of a stream.
    pub(crate) fn relay(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        offer: &Offer,
    ) -> Result<(Self, Answer), OfferError> {
        let role = Role::Relay;
        let (link, answer, lane) = Self::fed(settings, now, stream, shared, offer, role)?;
        let kind = Kind::Relay(Box::new(Relay::new(lane, now)));
        Ok((Self { link, kind }, answer))
    }

    /// The connection and the lane of who gets media from us.
    fn fed(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        offer: &Offer,
        role: Role,
    ) -> Result<(Link, Answer, Lane), OfferError> {
        let accepted = offer.accept_viewer(role, shared.video())?;
        let (mut link, answer, slot) = Link::open(settings, now, stream, shared, accepted, role)?;
        let lane = Lane::take_over(&mut link.rtc, &answer.sdp, slot, now);
        Ok((link, answer, lane))
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
            Role::Viewer | Role::Relay => None,
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
            Kind::Viewer(viewer) if viewer.lane.estimates(now) => QUIET,
            Kind::Publisher(_) => QUIET,
            Kind::Viewer(_) | Kind::Relay(_) => QUIET_UNASKED,
        };
        now.saturating_duration_since(self.link.last_received) >= quiet
    }

    /// Turns a viewer's media to an address that is known and that it nominates now, unless it speaks
    /// from where it was. Where the priority is lower str0m would stay for as long as the other may live.
    pub(crate) fn turn(&mut self, now: Instant, way: Path, request: &[u8]) {
        let is_quiet = self.is_quiet(now);
        let Some(lane) = self.kind.lane() else {
            return;
        };
        let is_other = |at: Path| at.protocol == way.protocol && at.destination != way.destination;
        if lane.path().is_some_and(is_other)
            && is_quiet
            && lenient::nominates(request, &self.link.password)
        {
            lane.turn(way);
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self.kind {
            Kind::Publisher(_) => Role::Publisher,
            Kind::Viewer(_) => Role::Viewer,
            Kind::Relay(_) => Role::Relay,
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
        if is_received && self.kind.lane().is_some_and(|lane| lane.is_open()) {
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
        let queue = &mut outbox.transmits;
        let is_real = match &mut self.kind {
            Kind::Viewer(viewer) => viewer.hear(now, report, queue),
            Kind::Relay(relay) => relay.hear(now, report, queue),
            Kind::Publisher(_) => false,
        };
        if is_real && let Some(lane) = self.kind.lane() {
            self.link.last_received = now;
            let is_other =
                |at: Path| at.protocol == way.protocol && at.destination != way.destination;
            if lane.path().is_some_and(is_other) {
                lane.turn(way);
            }
        }
        is_real
    }

    /// Takes all output until str0m wants to sleep.
    pub(crate) fn drain(&mut self, now: Instant, outbox: &mut Outbox) {
        let mut events = Vec::new();
        loop {
            let kind = &mut self.kind;
            let may_leave = |transmit: &Transmit| match kind.lane() {
                Some(lane) => lane.let_through(transmit),
                None => true,
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

    /// Tells a peer that gets media from us that there is no more.
    pub(crate) fn say_goodbye(&mut self, now: Instant, outbox: &mut Outbox) {
        if let Some(lane) = self.kind.lane() {
            lane.say_goodbye(now, &mut outbox.transmits);
        }
    }

    /// Begins to send to a peer that gets media from us.
    pub(crate) fn start(&mut self, now: Instant, media: &mut Media, outbox: &mut Outbox) {
        match &mut self.kind {
            Kind::Publisher(_) => {}
            Kind::Viewer(viewer) => {
                self.link.shared.add_viewer();
                viewer.start(&mut self.link, now, media, outbox);
            }
            Kind::Relay(relay) => relay.start(&self.link, now, media, outbox),
        }
    }

    /// Whether it is a peer that gets media from us, and they have begun.
    pub(crate) fn is_started(&self) -> bool {
        match &self.kind {
            Kind::Publisher(_) => false,
            Kind::Viewer(viewer) => viewer.is_started,
            Kind::Relay(relay) => relay.is_started,
        }
    }

    /// When there is something to be sent beside what arrives.
    pub(crate) fn sends_at(&self, now: Instant) -> Option<Instant> {
        match &self.kind {
            Kind::Publisher(_) => None,
            Kind::Viewer(viewer) => viewer.deadline(now),
            Kind::Relay(relay) => relay.deadline(now),
        }
    }

    /// Sends that.
    pub(crate) fn catch_up(&mut self, now: Instant, media: &Media, outbox: &mut Outbox) {
        let queue = &mut outbox.transmits;
        let mut leaving = Leaving { now, queue };
        match &mut self.kind {
            Kind::Publisher(_) => {}
            Kind::Viewer(viewer) => {
                viewer.catch_up(&self.link, media, &mut leaving);
                viewer.lane.pad(now, leaving.queue);
                viewer.recover(&self.link, now, media, outbox);
            }
            Kind::Relay(relay) => {
                relay.catch_up(&self.link, media, &mut leaving);
                relay.recover(&self.link, outbox);
            }
        }
    }

    /// Passes on packets that just arrived. Returns how many went, and whether there is more to be sent.
    pub(crate) fn forward(
        &mut self,
        packets: &[Arc<Packet>],
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) -> (u64, bool) {
        let link = &self.link;
        let sent = match &mut self.kind {
            Kind::Viewer(viewer) if viewer.is_started => {
                let before = viewer.packets;
                viewer.forward(link, packets, media, leaving);
                viewer.packets - before
            }
            Kind::Relay(relay) if relay.is_started => {
                let before = relay.packets;
                relay.forward(link, packets, media, leaving);
                relay.packets - before
            }
            _ => return (0, false),
        };
        (sent, self.sends_at(leaving.now).is_some())
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
                Kind::Viewer(_) | Kind::Relay(_) => {
                    let opens = matches!(event, str0m::Event::Connected);
                    if opens && !self.kind.lane().is_some_and(Lane::open) {
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
            Kind::Relay(relay) => relay.fill(&mut stats, now),
        }
        stats
    }
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
