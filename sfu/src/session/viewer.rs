//! The side that gets media from us: one audio and one video stream, rewritten so that the viewer
//! sees no seam, whatever layer or publisher the packets come from.
//!
//! Video begins with a catch-up ([`super::catch_up`]): the cached group from its key frame on, at
//! whose end the viewer is live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::media::{MediaKind, Mid};

use super::catch_up::{CATCH_UP_TICK, CatchUp, LONG_GROUP, MOST_BURST_BYTES, Replayed};
use super::loss::LossEstimate;
use super::outgoing::{Outgoing, Timing};
use super::{Link, Outbox, bits};
use crate::calls::{LayerChoice, LayerError};
use crate::egress::Str0mEgress;
use crate::keyframe::GopCache;
use crate::layer::{Candidate, LayerSelector};
use crate::packet::{AUDIO_CLOCK, LayerFormat, Packet, Source, VIDEO_CLOCK};
use crate::rate::RateMeter;
use crate::stats::SessionStats;
use crate::stream::Media;

/// A viewer's tracks.
#[derive(Debug)]
pub(crate) struct Viewer {
    epoch: u32,
    audio: Option<Outgoing>,
    pub(super) video: Option<Outgoing>,
    pub(super) state: VideoState,
    /// The layer to be sent; differs from the one being sent until its key frame comes.
    pub(super) target: Option<usize>,
    pub(super) selector: LayerSelector,
    /// Whether str0m estimates the bandwidth: settled when the session is built, for who joins a
    /// stream of one layer not. A later publisher may have more; then loss decides.
    pub(super) estimates: bool,
    by_loss: LossEstimate,
    /// Whether it is in a network of ours and not behind a line of unknown width.
    pub(super) is_near: bool,
    /// Share of video packets lost by the newest receiver report.
    reported_loss: Option<f32>,
    pub(super) estimate: Option<u64>,
    desired: u64,
    minimum: u64,
    /// Frames that no other needs are left out: there is no lower layer to go to.
    is_thinned: bool,
    /// Set when the viewer asked for a key frame.
    pub(super) wants_keyframe: bool,
    pub(crate) is_started: bool,
    pub(super) replayed: Option<Replayed>,
    egress: Str0mEgress,
    bytes: RateMeter,
    pub(crate) packets: u64,
    pub(crate) switches: u64,
    pub(crate) cached_joins: u64,
    nacks: u64,
    plis: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum VideoState {
    /// Nothing to send before a key frame comes.
    Waiting {
        since: Option<Instant>,
    },
    CatchingUp(CatchUp),
    Live {
        layer: usize,
    },
}

/// Sent packets kept for NACKs: what a replay sends in [`RTX_AGE`].
const RTX_PACKETS: usize = 4_096;
const RTX_AGE: Duration = Duration::from_secs(1);
/// Share of sent bytes that may be retransmissions.
const RTX_SHARE: f32 = 0.3;
/// Probing goes for this much more than the largest layer needs, in per cent.
const DESIRED_PERCENT: u64 = 130;
/// From this share of lost packets on, loss counts as lack of bandwidth.
const HEAVY_LOSS: f64 = 0.2;
/// Share of lost packets from which frames are left out, and until which they stay out.
const THIN_FROM: f32 = 0.1;
const THIN_UNTIL: f32 = 0.02;
/// Header, tag and extension bytes of a media packet, for rates.
const OVERHEAD_PERCENT: u64 = 106;

impl Viewer {
    pub(crate) fn new(now: Instant, estimates: bool) -> Self {
        Self {
            epoch: 0,
            audio: None,
            video: None,
            state: VideoState::Waiting { since: None },
            target: None,
            selector: LayerSelector::default(),
            estimates,
            by_loss: LossEstimate::default(),
            is_near: false,
            reported_loss: None,
            estimate: None,
            desired: 0,
            minimum: 0,
            is_thinned: false,
            wants_keyframe: false,
            is_started: false,
            replayed: None,
            egress: Str0mEgress,
            bytes: RateMeter::new(now),
            packets: 0,
            switches: 0,
            cached_joins: 0,
            nacks: 0,
            plis: 0,
        }
    }

    pub(super) fn take_event(
        &mut self,
        link: &mut Link,
        _now: Instant,
        event: str0m::Event,
        _outbox: &mut Outbox,
    ) {
        match event {
            str0m::Event::MediaAdded(media) => self.add_track(link, media.mid, media.kind),
            str0m::Event::KeyframeRequest(_) => {
                self.plis += 1;
                self.wants_keyframe = true;
            }
            str0m::Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.estimate = Some(estimate.as_u64());
            }
            str0m::Event::MediaEgressStats(stats)
                if self.video.as_ref().is_some_and(|v| v.mid == stats.mid) =>
            {
                self.nacks = stats.nacks;
                self.reported_loss = stats.loss.or(self.reported_loss);
            }
            _ => {}
        }
    }

    fn add_track(&mut self, link: &mut Link, mid: Mid, kind: MediaKind) {
        let is_video = kind == MediaKind::Video;
        let mut direct = link.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else {
            return;
        };
        let ssrc = stream.ssrc();
        if is_video {
            stream.set_rtx_cache(RTX_PACKETS, RTX_AGE, Some(RTX_SHARE));
            // The pacer would cut frames into single packets; catch-ups are spread by us.
            stream.set_unpaced(true);
        }
        let clock = if is_video { VIDEO_CLOCK } else { AUDIO_CLOCK };
        let track = Outgoing::new(mid, ssrc, clock);
        let slot = if is_video {
            &mut self.video
        } else {
            &mut self.audio
        };
        *slot = Some(track);
    }

    /// Begins to send: the choice of a layer, and what is cached of it.
    pub(crate) fn start(
        &mut self,
        link: &mut Link,
        now: Instant,
        media: &mut Media,
        outbox: &mut Outbox,
    ) {
        self.is_started = true;
        self.epoch = media.epoch;
        self.decide(link, now, media, outbox);
        self.is_near = link.is_near();
        self.join_from_cache(link, now, media);
        self.ask_if_stale(link, now, media, outbox);
    }

    /// Takes packets that just arrived.
    pub(crate) fn forward(&mut self, link: &mut Link, packets: &[Arc<Packet>], media: &Media) {
        if media.epoch != self.epoch {
            self.change_publisher(media.epoch);
        }
        for (at, packet) in packets.iter().enumerate() {
            match packet.source {
                Source::Audio => self.forward_audio(link, packet, media),
                Source::Video(layer) => {
                    let rest = packets.get(at + 1..).unwrap_or_default();
                    self.forward_video(link, packet, rest, layer, media);
                }
            }
        }
    }

    /// Another publisher: everything goes on behind the last packet sent.
    fn change_publisher(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.state = VideoState::Waiting { since: None };
        self.target = None;
        for track in self.audio.iter_mut().chain(&mut self.video) {
            track.rewriter.end_source();
        }
    }

    fn forward_audio(&mut self, link: &mut Link, packet: &Arc<Packet>, media: &Media) {
        let (Some(track), Some(spec)) = (&mut self.audio, media.layout.audio) else {
            return;
        };
        if !track.rewriter.has_source() {
            track.rewriter.switch(packet);
        }
        let sent = track.write(link, &mut self.egress, packet, spec, Timing::Live);
        self.packets += u64::from(sent);
    }

    fn forward_video(
        &mut self,
        link: &mut Link,
        packet: &Arc<Packet>,
        rest: &[Arc<Packet>],
        layer: usize,
        media: &Media,
    ) {
        let opens = packet.starts_keyframe;
        let is_here = self.current() == Some(layer);
        match self.state {
            VideoState::Live { .. } if is_here => {
                if self.is_late_opening(packet, layer, media) {
                    self.switch_to_group(link, packet, rest, layer, media);
                } else {
                    self.write_video(link, packet, layer, media, Timing::Live);
                }
            }
            // A fresh key frame: the rest of the old group is not needed any more.
            VideoState::CatchingUp(_) if is_here && opens => {
                self.switch_to_group(link, packet, rest, layer, media);
            }
            VideoState::CatchingUp(_) if is_here => {}
            _ if opens && self.target.is_none_or(|target| target == layer) => {
                self.target = Some(layer);
                self.switch_to_group(link, packet, rest, layer, media);
            }
            _ => {}
        }
    }

    /// Whether a packet of a key frame came after the viewer was switched behind it: what it has is
    /// of no use without.
    fn is_late_opening(&self, packet: &Packet, layer: usize, media: &Media) -> bool {
        let Some(gop) = media.layers.get(layer).map(|layer| &layer.gop) else {
            return false;
        };
        gop.first().is_some_and(|first| first.seq == packet.seq)
            && gop.frames() <= LONG_GROUP
            && gop.bytes() <= MOST_BURST_BYTES
            && (self.video.as_ref()).is_some_and(|video| video.rewriter.is_before_source(packet))
    }

    /// Switches to a layer whose key frame `packet` belongs to, and sends what came of it so far.
    /// What stands in `rest` is still to be forwarded.
    fn switch_to_group(
        &mut self,
        link: &mut Link,
        packet: &Arc<Packet>,
        rest: &[Arc<Packet>],
        layer: usize,
        media: &Media,
    ) {
        let gop = media.layers.get(layer).map(|layer| &layer.gop);
        let first = gop.and_then(GopCache::first);
        let (Some(gop), Some(first)) = (gop, first.filter(|f| f.timestamp == packet.timestamp))
        else {
            self.switch(packet, layer);
            self.write_video(link, packet, layer, media, Timing::Live);
            return;
        };
        self.switch(first, layer);
        for early in gop.from(first.seq) {
            let comes = |p: &Arc<Packet>| p.seq == early.seq && p.source == early.source;
            if !rest.iter().any(comes) {
                self.write_video(link, early, layer, media, Timing::Live);
            }
        }
    }

    fn switch(&mut self, first: &Packet, layer: usize) {
        if let Some(video) = &mut self.video {
            video.rewriter.switch(first);
        }
        if !matches!(self.state, VideoState::Waiting { .. }) && self.current() != Some(layer) {
            self.switches += 1;
        }
        self.state = VideoState::Live { layer };
    }

    pub(super) fn write_video(
        &mut self,
        link: &mut Link,
        packet: &Arc<Packet>,
        layer: usize,
        media: &Media,
        timing: Timing,
    ) {
        let (Some(track), Some(format)) = (&mut self.video, media.layout.layers.get(layer)) else {
            return;
        };
        if self.is_thinned && packet.discardable && track.rewriter.skip(packet) {
            return;
        }
        if track.write(link, &mut self.egress, packet, format.spec, timing) {
            self.packets += 1;
            self.bytes.add(packet.arrival, packet.payload.len() as u64);
        }
    }

    /// When the next part of a replay, or a lost picture, is to be seen to.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.wants_keyframe {
            return Some(now);
        }
        matches!(self.state, VideoState::CatchingUp(_)).then(|| now + CATCH_UP_TICK)
    }

    /// What is to be done from time to time: the choice of the layer, lost pictures.
    pub(crate) fn sweep(
        &mut self,
        link: &mut Link,
        now: Instant,
        media: &mut Media,
        outbox: &mut Outbox,
    ) {
        self.decide(link, now, media, outbox);
        self.recover(link, now, media, outbox);
        self.give_up_waiting(now, media);
    }

    fn decide(&mut self, link: &mut Link, now: Instant, media: &mut Media, outbox: &mut Outbox) {
        if self.video.is_none() || media.layers.is_empty() {
            return;
        }
        let candidates = media.candidates(now);
        let audio = media.audio_bitrate(now);
        let estimate = self
            .bandwidth(link, now)
            .filter(|_| candidates.len() > 1)
            .map(|carried| (carried * 100 / OVERHEAD_PERCENT).saturating_sub(audio));
        let current = self.current();
        let Some(chosen) =
            self.selector
                .select(now, &candidates, self.target.or(current), estimate)
        else {
            return;
        };
        self.probe(link, &candidates, audio);
        self.thin(link, &candidates, chosen, estimate);
        let is_new = self.target != Some(chosen);
        self.target = Some(chosen);
        if is_new {
            tracing::debug!(
                session.id = %link.id,
                from = ?current,
                to = chosen,
                ?estimate,
                loss = ?link.egress_loss(),
                ?candidates,
                "A viewer gets another layer"
            );
        }
        if current == Some(chosen) {
            return;
        }
        // Asked again at each sweep until the key frame comes; coalesced on the way.
        outbox.keyframes.push((link.stream, chosen));
        let is_deaf = link.shared.answers_pli() == Some(false);
        let may_replay = is_new && is_deaf && current.is_some();
        let is_down = self.is_flooded(&candidates, current, estimate);
        if may_replay && (is_down || self.is_worth_replaying(now, media, chosen)) {
            self.switches += 1;
            self.begin_catch_up(now, media, chosen, u32::MAX);
        } else if is_new && is_down && !is_deaf {
            // What the link does not carry only delays the key frame that helps.
            self.state = VideoState::Waiting { since: Some(now) };
        }
    }

    /// Whether the layer being sent is far more than the link carries.
    fn is_flooded(
        &self,
        layers: &[Candidate],
        current: Option<usize>,
        estimate: Option<u64>,
    ) -> bool {
        let bitrate = layers
            .iter()
            .find(|l| Some(l.index) == current)
            .map(|l| l.bitrate);
        bitrate
            .zip(estimate)
            .is_some_and(|(bitrate, estimate)| bitrate > estimate * 3 / 2)
    }

    /// Bit/s that the link carries, as far as known.
    fn bandwidth(&mut self, link: &Link, now: Instant) -> Option<u64> {
        if self.estimates {
            return self
                .estimate
                .map(|estimate| self.carried(link, now, estimate));
        }
        let sent = bits(self.bytes.per_second(now));
        let loss = link.egress_loss().or(self.reported_loss);
        self.by_loss.update(now, sent, loss)
    }

    /// The estimate, or where much is lost what comes through: the estimator believes in delay and is
    /// slow to believe in loss.
    fn carried(&mut self, link: &Link, now: Instant, estimate: u64) -> u64 {
        let loss = f64::from(link.egress_loss().unwrap_or(0.0));
        if loss < HEAVY_LOSS {
            return estimate;
        }
        estimate.min(bits(self.bytes.per_second(now) * (1.0 - loss)))
    }

    /// Before the picture freezes, the frame rate yields.
    fn thin(&mut self, link: &Link, layers: &[Candidate], chosen: usize, estimate: Option<u64>) {
        let bitrate = layers.iter().find(|l| l.index == chosen).map(|l| l.bitrate);
        let loss = link.egress_loss().unwrap_or(0.0);
        let most_loss = if self.is_thinned {
            THIN_UNTIL
        } else {
            THIN_FROM
        };
        let is_over = estimate
            .zip(bitrate)
            .is_some_and(|(estimate, bitrate)| bitrate * 100 > estimate * 110);
        self.is_thinned = is_over || loss > most_loss;
    }

    /// Tells the estimator what there is to gain.
    fn probe(&mut self, link: &mut Link, candidates: &[Candidate], audio: u64) {
        if !self.estimates {
            return;
        }
        let allowed = self.selector.ladder(candidates);
        let top = allowed.iter().map(|c| c.bitrate).max().unwrap_or(0);
        let desired = (top + audio) * DESIRED_PERCENT / 100;
        let next = self.selector.next_rate(candidates, self.target);
        let minimum = next.map_or(0, |rate| (rate + audio) * OVERHEAD_PERCENT / 100);
        let changed = |old: u64, new: u64| old.abs_diff(new) * 10 > old;
        if changed(self.desired, desired) || changed(self.minimum, minimum) {
            self.desired = desired;
            self.minimum = minimum;
            link.rtc
                .bwe()
                .set_bitrate(Bitrate::from(minimum), Bitrate::from(desired));
        }
    }

    /// A long group is slow to decode, and none at all shows nothing: a fresh key frame is wanted.
    fn ask_if_stale(&self, link: &Link, now: Instant, media: &Media, outbox: &mut Outbox) {
        let Some(layer) = self.target else { return };
        let is_fresh = media.layers.get(layer).is_some_and(|layer| {
            !layer.gop.is_empty()
                && layer.gop.frames() <= LONG_GROUP
                && layer.gop.age(now).is_some()
        });
        if !is_fresh {
            outbox.keyframes.push((link.stream, layer));
        }
    }

    /// Takes the viewer's wish.
    pub(crate) fn choose(&mut self, choice: LayerChoice, media: &Media) -> Result<(), LayerError> {
        if let LayerChoice::Rid(wanted) = &choice {
            let open = |l: &&LayerFormat| l.is_for_viewers();
            let layers = media.layout.layers.iter().filter(open);
            if !layers.clone().any(|l| l.rid.as_ref() == Some(wanted)) {
                let known: Vec<_> = layers.filter_map(|l| l.rid.clone()).collect();
                return Err(LayerError::UnknownLayer {
                    wanted: wanted.chars().take(64).collect(),
                    known: if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    },
                });
            }
        }
        self.selector.set_choice(choice);
        Ok(())
    }

    /// The layer being sent.
    pub(crate) fn current(&self) -> Option<usize> {
        match self.state {
            VideoState::Waiting { .. } => None,
            VideoState::CatchingUp(CatchUp { layer, .. }) | VideoState::Live { layer } => {
                Some(layer)
            }
        }
    }

    /// Whether the viewer negotiated video and cannot play any layer of what is published.
    pub(crate) fn cannot_play(&self, media: &Media) -> bool {
        let layers = &media.layout.layers;
        self.video.as_ref().is_some_and(|video| {
            !layers.is_empty() && layers.iter().all(|layer| video.cannot_play(layer.spec))
        })
    }

    /// Whether it is to have pictures.
    pub(crate) fn has_video(&self) -> bool {
        self.video.is_some()
    }

    pub(crate) fn fill(&mut self, stats: &mut SessionStats, now: Instant) {
        stats.bitrate = bits(self.bytes.per_second(now));
        stats.estimate = self.estimate;
        stats.pinned = *self.selector.choice() != LayerChoice::Auto;
        stats.packets = self.packets;
        stats.nacks = self.nacks;
        stats.plis = self.plis;
    }
}
