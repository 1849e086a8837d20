//! [`Link`]: the connection of a session, and what all sides have in common.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::net::Protocol;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{IceCreds, Rtc, RtcConfig};

use super::Outbox;
use crate::calls::{Answer, OfferError, PatchError, Patched};
use crate::caption;
use crate::event::{CloseReason, Event, Role};
use crate::ids::{SessionId, StreamId};
use crate::lane::{self, KeySlot};
use crate::lips;
use crate::registry::StreamShared;
use crate::sdp::{self, Accepted};
use crate::settings::{self, Settings};
use crate::stats::SessionStats;

/// What both sides have.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) shared: Arc<StreamShared>,
    pub(crate) rtc: Rtc,
    pub(super) ufrag: String,
    pub(super) password: String,
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
    pub(super) moves: u32,
    /// Since its ICE was restarted, it has not been heard of from a new address.
    pub(super) is_restarted: bool,
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

/// Addresses kept for one session; more come only from a peer that changes network often.
const MOST_REMOTES: usize = 8;
/// How often figures of a connection are refreshed; loss in them steers the choice of layers.
pub(super) const STATS_INTERVAL: Duration = Duration::from_millis(250);
/// What may wait in a data channel towards a peer, in bytes.
const MOST_CHANNEL_BUFFER: usize = 256 * 1024;

impl Link {
    /// For a session without a peer: its `Rtc` is there for what all sessions have, and connects to
    /// nobody.
    pub(super) fn detached(
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

    pub(super) fn new(
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

    pub(super) fn open(
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
            .set_extension_map(extensions(role))
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
    pub(super) fn take_event(
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

    pub(super) fn stats(&self, now: Instant, role: Role) -> SessionStats {
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
/// that may not send it turns them before it encodes. Between nodes nothing is estimated by when packets
/// arrive, so that those are not numbered.
pub(super) fn extensions(role: Role) -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    if role == Role::Relay {
        map.set(4, Extension::RtpMid);
        map.set(1, Extension::AudioLevel);
        map.set(5, Extension::PlayoutDelay);
        map.set(7, Extension::AbsoluteCaptureTime);
        map.set(8, caption::extension());
        return map;
    }
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
