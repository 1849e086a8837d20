//! A publisher that is another node: the session is of our making, and packets say what they are of
//! ([`crate::caption`]).
//!
//! It is the client: it has a port for itself, because two streams of one origin would come from one
//! address, and it checks the origin's candidates, because that is ICE-lite. When a publisher takes
//! over at the origin, this one begins anew as another of our own would, in the same session.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, RtcConfig};

use super::capture_clock::CaptureClock;
use super::link::{STATS_INTERVAL, extensions};
use super::publisher::Publisher;
use super::{Kind, Link, Outbox, Session};
use crate::caption::Caption;
use crate::event::Role;
use crate::ids::StreamId;
use crate::packet::{Layout, Source};
use crate::registry::StreamShared;
use crate::sdp;
use crate::settings::Settings;

/// What a publisher has that is another node.
#[derive(Debug)]
pub(super) struct Pulling {
    /// Until there is an answer.
    pending: Option<Pending>,
    /// Our addresses, on the port that the session has for itself.
    locals: Vec<SocketAddr>,
    /// The publisher of the origin that packets are of.
    epoch: Option<u8>,
}

/// What an offer has room for, by the bounds on offers.
const MOST_PLACES: usize = 12;

struct Pending(SdpPendingOffer);

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

impl Session {
    /// Asks another node for a stream, from `port`. Returns the offer for it.
    pub(crate) fn pull(
        settings: &Settings,
        now: Instant,
        stream: StreamId,
        shared: Arc<StreamShared>,
        port: u16,
    ) -> (Self, String) {
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .set_stats_interval(Some(STATS_INTERVAL))
            .set_extension_map(extensions(Role::Relay))
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .enable_vp8(true)
            .enable_vp9(true)
            .enable_av1(true)
            .enable_h265(true)
            .build(now);
        let locals = settings.locals(port);
        let candidates = locals.iter().map(|local| Candidate::host(*local, "udp"));
        for candidate in candidates.flatten() {
            rtc.add_local_candidate(candidate);
        }
        let mut change = rtc.sdp_api();
        let mut add = |kind| change.add_media(kind, Direction::RecvOnly, None, None, None);
        add(MediaKind::Audio);
        for _ in 0..places(settings) {
            add(MediaKind::Video);
        }
        // Media were added: there is something to offer.
        let (offer, pending) = match change.apply() {
            Some((offer, pending)) => (offer.to_sdp_string(), Some(Pending(pending))),
            None => (String::new(), None),
        };
        let credentials = rtc.direct_api().local_ice_credentials();
        let mut publisher = Publisher::new(0, now, &settings.config);
        publisher.most_layers = places(settings);
        publisher.pulling = Some(Pulling {
            pending,
            locals,
            epoch: None,
        });
        let session = Self {
            link: Link::new(settings, now, stream, shared, rtc, credentials),
            kind: Kind::Publisher(Box::new(publisher)),
        };
        (session, offer)
    }

    /// Takes the origin's answer. From here on it is the stream's newest publisher.
    ///
    /// # Errors
    /// In words, when it cannot be read or is not one to the offer; the session is then over.
    pub(crate) fn take_answer(&mut self, answer: &str) -> Result<(), String> {
        let rtc = &mut self.link.rtc;
        let Kind::Publisher(publisher) = &mut self.kind else {
            return Err("it is no pull".to_owned());
        };
        let pulling = publisher.pulling.as_mut();
        let Some(Pending(pending)) = pulling.and_then(|pulling| pulling.pending.take()) else {
            return Err("it has an answer".to_owned());
        };
        let negotiate = || {
            let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| error.to_string())?;
            let accepted = rtc.sdp_api().accept_answer(pending, answer);
            accepted.map_err(|error| error.to_string())
        };
        let negotiated = catch_unwind(AssertUnwindSafe(negotiate))
            .unwrap_or_else(|_| Err("it cannot be negotiated".to_owned()))
            .map_err(|error| sdp::readable(&error));
        match &negotiated {
            Ok(()) => publisher.epoch = self.link.shared.begin_epoch(None, 0),
            Err(error) => self.fail(error),
        }
        negotiated
    }

    /// Takes a datagram that came to the session's own port. Returns whether it is the origin's.
    pub(crate) fn receive_own(
        &mut self,
        now: Instant,
        source: SocketAddr,
        contents: &[u8],
        outbox: &mut Outbox,
    ) -> bool {
        let Kind::Publisher(publisher) = &self.kind else {
            return false;
        };
        let locals = publisher.pulling.iter().flat_map(|own| &own.locals);
        let mut alike = locals.filter(|local| local.is_ipv4() == source.is_ipv4());
        let Some(local) = alike.next().copied() else {
            return false;
        };
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, contents) else {
            return false;
        };
        let input = Input::Receive(now, receive);
        let is_real = self.link.rtc.accepts(&input);
        if is_real {
            self.drive(now, input, outbox);
        }
        is_real
    }
}

impl Publisher {
    /// Whether it is another node.
    pub(crate) fn is_pulled(&self) -> bool {
        self.pulling.is_some()
    }

    /// Takes note of what a packet from another node says of itself. Returns false for one of a
    /// publisher that was replaced, here or there.
    pub(super) fn follow_caption(&mut self, link: &Link, now: Instant, caption: &Caption) -> bool {
        let Some(pulling) = &mut self.pulling else {
            return false;
        };
        let known = pulling.epoch.get_or_insert(caption.epoch);
        let ahead = caption.epoch.wrapping_sub(*known).cast_signed();
        // Who comes after us here is not to be taken over from because somebody does so there.
        let is_newest = link.shared.is_newest(self.epoch);
        if ahead < 0 || ahead > 0 && !is_newest {
            return false;
        }
        if ahead > 0 {
            *known = caption.epoch;
            self.begin_anew(link, now);
        }
        if is_newest
            && caption.answers_pli != link.shared.answers_pli()
            && let Some(answers) = caption.answers_pli
        {
            link.shared.set_answers_pli(answers);
        }
        if caption.is_reordered != link.shared.is_reordered() {
            link.shared.set_reordered(self.epoch, caption.is_reordered);
        }
        true
    }

    /// Takes note whether pictures of a layer are shown in the order in which they are decoded.
    pub(super) fn follow_order(
        &mut self,
        link: &Link,
        source: Source,
        caption: &Caption,
        outbox: &mut Outbox,
    ) {
        let Source::Video(index) = source else { return };
        let format = self.layout.layers.get(index);
        if caption.lead.is_none() || format.is_none_or(|format| format.reordered) {
            return;
        }
        if let Some(format) = Arc::make_mut(&mut self.layout).layers.get_mut(index) {
            format.reordered = true;
        }
        outbox.layers_changed(link.stream);
    }

    /// Another publisher has taken over at the origin.
    fn begin_anew(&mut self, link: &Link, now: Instant) {
        self.epoch = link.shared.begin_epoch(None, 0);
        self.layout = Arc::<Layout>::default();
        self.pending.clear();
        self.layers.clear();
        self.audio = None;
        self.sources.clear();
        self.replaced.clear();
        self.clock = CaptureClock::new(now);
    }
}

/// Tracks for pictures that are offered: for as many layers as a publisher may send, and as many as may
/// be made of them.
fn places(settings: &Settings) -> usize {
    (settings.config.limits.layers * 2).min(MOST_PLACES)
}
