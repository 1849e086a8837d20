//! The side that gets media from us: one audio and one video stream, rewritten so that the viewer
//! sees no seam, whatever layer or publisher the packets come from.
//!
//! Video begins with a catch-up ([`super::catch_up`]): the cached group from its key frame on, at
//! whose end the viewer is live.

use std::sync::Arc;
use std::time::Instant;

use str0m::media::MediaKind;

use super::catch_up::{CATCH_UP_TICK, CatchUp, LONG_GROUP, MOST_BURST_BYTES, Replayed};
use super::loss::{LossEstimate, share_of};
use super::outgoing::{self, Leaving, Outgoing, Timing};
use super::{Link, Outbox};
use crate::calls::{LayerChoice, LayerError};
use crate::egress::TransmitQueue;
use crate::keyframe::GopCache;
use crate::lane::Lane;
use crate::layer::{Candidate, LayerSelector};
use crate::packet::{AUDIO_CLOCK, LayerFormat, Layout, Packet, Source, VIDEO_CLOCK};
use crate::ranks::{Rank, Way};
use crate::registry::Registry;
use crate::stats::{SessionStats, count_by};
use crate::stream::Media;

/// A viewer's tracks.
#[derive(Debug)]
pub(crate) struct Viewer {
    epoch: u32,
    /// That its payload types were looked up for.
    layout: Arc<Layout>,
    audio: Option<Outgoing>,
    pub(super) video: Option<Outgoing>,
    pub(super) state: VideoState,
    /// The layer to be sent; differs from the one being sent until its key frame comes.
    pub(super) target: Option<usize>,
    pub(super) selector: LayerSelector,
    pub(crate) lane: Lane,
    /// Where arrivals are not told of, loss decides.
    by_loss: LossEstimate,
    /// Whether it is in a network of ours and not behind a line of unknown width.
    pub(super) is_near: bool,
    /// Frames that no other needs are left out: there is no lower layer to go to.
    is_thinned: bool,
    /// Set when the viewer asked for a key frame.
    pub(super) wants_keyframe: bool,
    pub(crate) is_started: bool,
    pub(super) replayed: Option<Replayed>,
    pub(crate) packets: u64,
    pub(crate) switches: u64,
    pub(crate) cached_joins: u64,
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

/// Probing goes for this much more than the largest layer needs, in per cent.
const DESIRED_PERCENT: u64 = 130;
/// From this share of lost packets on, loss counts as lack of bandwidth.
const HEAVY_LOSS: f32 = 0.2;
/// Share of lost packets from which frames are left out, and until which they stay out.
const THIN_FROM: f32 = 0.1;
const THIN_UNTIL: f32 = 0.02;
/// Header, tag and extension bytes of a media packet, for rates.
const OVERHEAD_PERCENT: u64 = 106;

impl Viewer {
    pub(crate) fn new(lane: Lane) -> Self {
        let track = |kind, clock| {
            let negotiated = lane.tracks(kind).next();
            negotiated.map(|track| Outgoing::new(track, clock))
        };
        Self {
            epoch: 0,
            layout: Arc::default(),
            audio: track(MediaKind::Audio, AUDIO_CLOCK),
            video: track(MediaKind::Video, VIDEO_CLOCK),
            state: VideoState::Waiting { since: None },
            target: None,
            selector: LayerSelector::default(),
            lane,
            by_loss: LossEstimate::default(),
            is_near: false,
            is_thinned: false,
            wants_keyframe: false,
            is_started: false,
            replayed: None,
            packets: 0,
            switches: 0,
            cached_joins: 0,
            plis: 0,
        }
    }

    /// Takes a report. Returns whether it is the viewer's.
    pub(super) fn hear(&mut self, now: Instant, report: &[u8], queue: &mut TransmitQueue) -> bool {
        let Some(heard) = self.lane.hear(now, report, queue) else {
            return false;
        };
        if !heard.lost.is_empty() {
            self.plis += 1;
            self.wants_keyframe = true;
        }
        true
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
        let queue = &mut outbox.transmits;
        self.join_from_cache(link, media, &mut Leaving { now, queue });
        self.ask_if_stale(link, now, media, outbox);
    }

    /// Takes packets that just arrived.
    pub(crate) fn forward(
        &mut self,
        link: &Link,
        packets: &[Arc<Packet>],
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) {
        if media.epoch != self.epoch {
            self.change_publisher(media.epoch);
        }
        self.follow(media);
        for (at, packet) in packets.iter().enumerate() {
            match packet.source {
                Source::Audio => {
                    if let Some(track) = &mut self.audio {
                        let (lane, layout) = (&mut self.lane, &media.layout);
                        let sent = track.write_sound(link, lane, leaving, packet, layout);
                        self.packets += u64::from(sent);
                    }
                }
                Source::Video(layer) => {
                    let rest = packets.get(at + 1..).unwrap_or_default();
                    self.forward_video(link, packet, rest, layer, media, leaving);
                }
            }
        }
    }

    /// Takes note when the publisher's tracks have changed.
    pub(super) fn follow(&mut self, media: &Media) {
        if Arc::ptr_eq(&self.layout, &media.layout) {
            return;
        }
        self.layout = Arc::clone(&media.layout);
        for track in self.audio.iter_mut().chain(&mut self.video) {
            track.forget_layers();
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

    fn forward_video(
        &mut self,
        link: &Link,
        packet: &Arc<Packet>,
        rest: &[Arc<Packet>],
        layer: usize,
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) {
        if packet.lead.is_some() {
            return;
        }
        let opens = packet.starts_keyframe;
        let is_here = self.current() == Some(layer);
        match self.state {
            VideoState::Live { .. } if is_here => {
                if self.is_late_opening(packet, layer, media) {
                    self.switch_to_group(link, packet, rest, layer, media, leaving);
                } else {
                    self.write_video(link, packet, layer, media, Timing::Live, leaving);
                }
            }
            // A fresh key frame: the rest of the old group is not needed any more.
            VideoState::CatchingUp(_) if is_here && opens && !packet.is_past => {
                self.switch_to_group(link, packet, rest, layer, media, leaving);
            }
            VideoState::CatchingUp(_) if is_here => {}
            VideoState::Waiting { since: None }
                if self.is_wanted(layer) && is_past(media, layer) =>
            {
                self.begin_catch_up(leaving.now, media, layer, u32::MAX);
            }
            // For the cache, out of which the viewer gets it.
            _ if packet.is_past => {}
            _ if opens && self.is_wanted(layer) => {
                self.target = Some(layer);
                self.switch_to_group(link, packet, rest, layer, media, leaving);
            }
            _ => {}
        }
    }

    fn is_wanted(&self, layer: usize) -> bool {
        self.target.is_none_or(|target| target == layer)
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
        link: &Link,
        packet: &Arc<Packet>,
        rest: &[Arc<Packet>],
        layer: usize,
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) {
        let gop = media.layers.get(layer).map(|layer| &layer.gop);
        let first = gop.and_then(GopCache::first);
        let (Some(gop), Some(first)) = (gop, first.filter(|f| f.timestamp == packet.timestamp))
        else {
            self.switch(packet, layer);
            self.write_video(link, packet, layer, media, Timing::Live, leaving);
            return;
        };
        self.switch(first, layer);
        for early in gop.from(first.seq) {
            let comes = |p: &Arc<Packet>| p.seq == early.seq && p.source == early.source;
            if !rest.iter().any(comes) {
                self.write_video(link, early, layer, media, Timing::Live, leaving);
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
        link: &Link,
        packet: &Arc<Packet>,
        layer: usize,
        media: &Media,
        timing: Timing,
        leaving: &mut Leaving<'_>,
    ) {
        let (Some(track), Some(format)) = (&mut self.video, media.layout.layers.get(layer)) else {
            return;
        };
        if self.is_thinned && packet.discardable && track.rewriter.skip(packet) {
            return;
        }
        let lane = &mut self.lane;
        if track.write(link, lane, leaving, packet, &format.spec, timing) {
            self.packets += 1;
        }
    }

    /// When the next part of a replay, or a lost picture, is to be seen to.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.wants_keyframe {
            return Some(now);
        }
        let is_catching_up = matches!(self.state, VideoState::CatchingUp(_));
        let catch_up = is_catching_up.then(|| now + CATCH_UP_TICK);
        catch_up.into_iter().chain(self.lane.deadline(now)).min()
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
        self.lane.report(now, &mut outbox.transmits);
    }

    fn decide(&mut self, link: &mut Link, now: Instant, media: &mut Media, outbox: &mut Outbox) {
        if self.video.is_none() || media.layers.is_empty() {
            return;
        }
        let candidates = media.candidates(now);
        self.lane.measure(now, candidates.len() > 1);
        let audio = media.audio_bitrate(now);
        let estimate = self
            .bandwidth(now)
            .filter(|_| candidates.len() > 1)
            .map(|carried| (carried * 100 / OVERHEAD_PERCENT).saturating_sub(audio));
        let current = self.current();
        let Some(chosen) =
            self.selector
                .select(now, &candidates, self.target.or(current), estimate)
        else {
            return;
        };
        self.probe(now, &candidates, audio);
        self.thin(now, &candidates, chosen, estimate);
        let is_new = self.target != Some(chosen);
        self.target = Some(chosen);
        if is_new {
            tracing::debug!(
                session.id = %link.id,
                from = ?current,
                to = chosen,
                ?estimate,
                loss = ?self.lane.loss(now),
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
    fn bandwidth(&mut self, now: Instant) -> Option<u64> {
        if self.lane.estimates(now) {
            return (self.lane.estimate()).map(|estimate| self.carried(now, estimate));
        }
        let sent = self.lane.media_rate(now);
        let loss = self.lane.loss(now);
        self.by_loss.update(now, sent, loss)
    }

    /// The estimate, or where much is lost what comes through: the estimator believes in delay and is
    /// slow to believe in loss.
    fn carried(&mut self, now: Instant, estimate: u64) -> u64 {
        let loss = self.lane.loss(now).unwrap_or(0.0);
        if loss < HEAVY_LOSS {
            return estimate;
        }
        estimate.min(share_of(self.lane.media_rate(now), 1.0 - loss))
    }

    /// Before the picture freezes, the frame rate yields.
    fn thin(&mut self, now: Instant, layers: &[Candidate], chosen: usize, estimate: Option<u64>) {
        let bitrate = layers.iter().find(|l| l.index == chosen).map(|l| l.bitrate);
        let loss = self.lane.loss(now).unwrap_or(0.0);
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
    fn probe(&mut self, now: Instant, candidates: &[Candidate], audio: u64) {
        if candidates.len() < 2 {
            return;
        }
        let top = self.selector.most_rate(candidates);
        self.lane.want(now, (top + audio) * DESIRED_PERCENT / 100);
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

    /// Begins with another number of video.
    #[cfg(test)]
    pub(crate) fn begin_video_at(&mut self, seq: u64) {
        let video = self.video.as_mut().expect("it has video");
        video.rewriter.begin_at(seq);
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

    /// Counts what went since the last call, pictures as of the layer that is being sent now.
    pub(crate) fn count_sent(&mut self, media: &Media, registry: &Registry) {
        let rank = (self.current()).map_or(Rank::Layer(0), |layer| Rank::of(&media.layout, layer));
        let kinds = [(MediaKind::Video, rank), (MediaKind::Audio, Rank::Sound)];
        for (kind, rank) in kinds {
            registry
                .layers
                .add(Way::Out, rank, self.lane.take_sent(kind));
        }
        let resent = self.lane.take_resent();
        count_by(&registry.counters.packets_resent, resent);
    }

    /// Whether it is to have pictures.
    pub(crate) fn has_video(&self) -> bool {
        self.video.is_some()
    }

    pub(crate) fn fill(&mut self, stats: &mut SessionStats, now: Instant) {
        outgoing::fill(&mut self.lane, stats, now);
        stats.estimate = self.lane.estimate();
        stats.pinned = *self.selector.choice() != LayerChoice::Auto;
        stats.packets = self.packets;
        stats.loss = self.lane.loss(now).map(f64::from);
        stats.plis = self.plis;
    }
}

/// Whether what is cached of a layer began before we had it.
fn is_past(media: &Media, layer: usize) -> bool {
    let first = media.layers.get(layer).and_then(|layer| layer.gop.first());
    first.is_some_and(|first| first.is_past)
}
