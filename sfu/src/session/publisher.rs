//! The side that sends media to us: RTP packets in, inspected and shared packets out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::IceConnectionState;
use str0m::format::CodecSpec;
use str0m::media::{KeyframeRequestKind, Mid, Rid};
use str0m::rtp::{RtpPacket, Ssrc, Vp8Descriptor};
use str0m::stats::MediaIngressStats;

use super::arriving::{Arrived, LayerIn, PAUSED_AFTER, TrackIn};
use super::capture_clock::{CaptureClock, capture_time};
use super::excess::Excess;
use super::fed::Ingesting;
use super::lately::Pauses;
use super::pulled::Pulling;
use super::{Link, Outbox, millis};
use crate::caption::Caption;
use crate::config::Config;
use crate::event::Event;
use crate::keyframe::Hearing;
use crate::packet::{
    AUDIO_CLOCK, LayerFormat, Layout, Origin, Packet, Source, VIDEO_CLOCK, forwarded_extensions,
};
use crate::ranks::{LayerCounters, Rank, Way};
use crate::stats::{AudioStats, LayerStats, PublisherStats, SessionStats};
use crate::tap::TapCodec;
use crate::video::{self, PayloadFacts, VideoCodec};

/// A publisher's tracks and what is known of them.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) epoch: u32,
    pub(crate) layout: Arc<Layout>,
    /// Packets since the last slice was cut.
    pub(crate) pending: Vec<Arc<Packet>>,
    pub(super) sources: Vec<(Ssrc, Source)>,
    /// SSRCs that another took the place of; what still comes of them is late.
    pub(super) replaced: Vec<(Ssrc, Instant)>,
    pub(super) layers: Vec<LayerIn>,
    pub(super) audio: Option<TrackIn>,
    /// For one that is no peer.
    pub(super) ingesting: Option<Ingesting>,
    /// For one that is another node.
    pub(super) pulling: Option<Pulling>,
    pub(super) clock: CaptureClock,
    last_media: Option<Instant>,
    pauses: Pauses,
    is_flowing: bool,
    silence: Duration,
    pub(super) request_interval: Duration,
    pub(super) most_layers: usize,
    hearing: Hearing,
    keyframe_requests: u64,
    /// How old key frames may get; only while the stream is tapped.
    keyframe_age: Option<Duration>,
    excess: Excess,
}

/// A publisher that makes no key frame within this time, and a round trip, of being asked did not
/// listen.
const ANSWER_TIME: Duration = Duration::from_millis(400);
/// No tap asks for key frames more often, whatever is configured.
const LEAST_KEYFRAME_AGE: Duration = Duration::from_millis(500);
/// Packets of an SSRC that was replaced are late for this long; then it may come back.
const LATE_FOR: Duration = Duration::from_secs(2);
/// Longest payload that is forwarded: what fits a datagram of 1,500 bytes with all headers.
const MOST_PAYLOAD: usize = 1_400;

impl Publisher {
    pub(crate) fn new(epoch: u32, now: Instant, config: &Config) -> Self {
        Self {
            epoch,
            layout: Arc::default(),
            pending: Vec::new(),
            sources: Vec::new(),
            replaced: Vec::new(),
            layers: Vec::new(),
            audio: None,
            ingesting: None,
            pulling: None,
            clock: CaptureClock::new(now),
            last_media: None,
            pauses: Pauses::new(now),
            is_flowing: false,
            silence: config.silence,
            request_interval: config.limits.keyframe_request_interval,
            most_layers: config.limits.layers,
            hearing: Hearing::default(),
            keyframe_requests: 0,
            keyframe_age: None,
            excess: Excess::new(now, config.limits.publisher_bitrate),
        }
    }

    pub(super) fn take_event(
        &mut self,
        link: &mut Link,
        now: Instant,
        event: str0m::Event,
        outbox: &mut Outbox,
    ) {
        match event {
            str0m::Event::RtpPacket(packet) => self.take_packet(link, now, packet, outbox),
            str0m::Event::MediaIngressStats(stats) => self.take_stats(&stats),
            str0m::Event::IceConnectionStateChange(IceConnectionState::Completed) => {
                // After an ICE restart packets are missing: viewers need a fresh start.
                for layer in self.sent_layers() {
                    layer.requests.want();
                }
                self.send_requests(link, now);
            }
            _ => {}
        }
    }

    fn take_packet(&mut self, link: &mut Link, now: Instant, rtp: RtpPacket, outbox: &mut Outbox) {
        if rtp.payload.is_empty() || rtp.payload.len() > MOST_PAYLOAD {
            return;
        }
        let caption = rtp.header.ext_vals.user_values.get::<Caption>();
        if self.is_pulled() {
            let is_followed = |caption| self.follow_caption(link, now, caption);
            if !caption.is_some_and(is_followed) {
                return;
            }
        }
        let Some(source) = self.source_of(link, now, &rtp, outbox) else {
            return;
        };
        if let Some(caption) = caption {
            self.follow_order(link, source, caption, outbox);
        }
        self.note_flow(link, now, outbox);
        let clock = match source {
            Source::Audio => AUDIO_CLOCK,
            Source::Video(_) => VIDEO_CLOCK,
        };
        let Some((seq, timestamp)) = self.renumber(now, source, &rtp) else {
            return;
        };
        let capture_us = capture_time(&rtp, clock);
        let facts = self.inspect(source, &rtp);
        let starts_keyframe = self.count(link, now, source, (&rtp).into(), facts, outbox);
        if facts.discardable {
            self.look_for_b_frames(source, &rtp.payload);
        }
        let is_vp8 = matches!(source, Source::Video(index)
            if self.layout.layers.get(index).is_some_and(|l| l.codec == VideoCodec::Vp8));
        self.pending.push(Arc::new(Packet {
            source,
            seq,
            timestamp,
            marker: rtp.header.marker,
            arrival: rtp.timestamp,
            capture_us,
            wallclock: self.clock.wallclock(rtp.timestamp, capture_us),
            starts_keyframe,
            discardable: facts.discardable,
            is_past: caption.is_some_and(|caption| caption.is_past),
            lead: caption.and_then(|caption| caption.lead),
            vp8: if is_vp8 {
                Vp8Descriptor::parse(&rtp.payload).ok()
            } else {
                None
            },
            extensions: forwarded_extensions(&rtp.header.ext_vals),
            payload: rtp.payload,
        }));
    }

    /// The track or layer of a packet; a new SSRC is looked up once.
    fn source_of(
        &mut self,
        link: &mut Link,
        now: Instant,
        rtp: &RtpPacket,
        outbox: &mut Outbox,
    ) -> Option<Source> {
        let ssrc = rtp.header.ssrc;
        if let Some((_, source)) = self.sources.iter().find(|(known, _)| *known == ssrc) {
            return Some(*source);
        }
        self.replaced
            .retain(|(_, at)| now.saturating_duration_since(*at) < LATE_FOR);
        if self.replaced.iter().any(|(known, _)| *known == ssrc) {
            return None;
        }
        let params = link.rtc.codec_config().params();
        let spec = params
            .iter()
            .find(|p| p.pt() == rtp.header.payload_type)?
            .spec();
        let mut direct = link.rtc.direct_api();
        let stream = direct.stream_rx(&ssrc)?;
        let from = (stream.mid(), stream.rid());
        let source = match VideoCodec::from_str0m(spec.codec) {
            None => self.add_audio(now, spec, rtp),
            Some(codec) => self.add_layer(link, now, (codec, spec), from, rtp)?,
        };
        // Its statistics start anew; for viewers it goes on, once its next key frame is there.
        if let Some(at) = self.sources.iter().position(|(_, known)| *known == source) {
            let (old, _) = self.sources.swap_remove(at);
            self.replaced.push((old, now));
        }
        self.sources.push((ssrc, source));
        outbox.layers_changed(link.stream);
        Some(source)
    }

    fn renumber(&mut self, now: Instant, source: Source, rtp: &RtpPacket) -> Option<(u64, u32)> {
        let track = match source {
            Source::Audio => self.audio.as_mut()?,
            Source::Video(index) => &mut self.layers.get_mut(index)?.track,
        };
        track
            .numbering
            .apply(now, *rtp.seq_no, rtp.header.timestamp)
    }

    fn add_audio(&mut self, now: Instant, spec: CodecSpec, rtp: &RtpPacket) -> Source {
        let before = self.audio.take();
        let (seq, timestamp) = (*rtp.seq_no, rtp.header.timestamp);
        let track = TrackIn::new(now, seq, timestamp, AUDIO_CLOCK, before.as_ref());
        self.audio = Some(track);
        Arc::make_mut(&mut self.layout).audio = Some(spec);
        Source::Audio
    }

    fn add_layer(
        &mut self,
        link: &Link,
        now: Instant,
        (codec, spec): (VideoCodec, CodecSpec),
        from: (Mid, Option<Rid>),
        rtp: &RtpPacket,
    ) -> Option<Source> {
        let caption = rtp.header.ext_vals.user_values.get::<Caption>();
        let format = LayerFormat {
            rid: match caption {
                Some(caption) => caption.rid.clone(),
                None => from.1.map(|rid| rid.to_string()),
            },
            codec,
            spec,
            size: None,
            origin: Origin::Sent,
            reordered: false,
        };
        let mut layers = self.layers.iter().zip(&self.layout.layers);
        let known = layers.position(|(known, of)| known.making.is_none() && of.rid == format.rid);
        if known.is_none() && self.sent_layers().count() >= self.most_layers {
            return None;
        }
        let before = known.and_then(|index| Some(&self.layers.get(index)?.track));
        let (seq, timestamp) = (*rtp.seq_no, rtp.header.timestamp);
        let track = TrackIn::new(now, seq, timestamp, VIDEO_CLOCK, before);
        let mut layer = LayerIn::new(now, Some(from), track, self.request_interval);
        if before.is_some() {
            layer.requests.want();
        } else if caption.is_some() {
            // Of others the offer told.
            link.shared.set_video(self.epoch, codec);
            link.shared.change_layers(self.epoch, 1);
        }
        let layout = Arc::make_mut(&mut self.layout);
        let index = known.unwrap_or(self.layers.len());
        match (self.layers.get_mut(index), layout.layers.get_mut(index)) {
            (Some(old), Some(old_format)) => {
                *old = layer;
                *old_format = format;
            }
            _ => {
                self.layers.push(layer);
                layout.layers.push(format);
            }
        }
        Some(Source::Video(index))
    }

    /// A peer should make none: some decoders show them in the wrong order, or late.
    fn look_for_b_frames(&mut self, source: Source, payload: &[u8]) {
        let Source::Video(index) = source else { return };
        let format = self.layout.layers.get(index);
        if let Some(layer) = self.layers.get_mut(index)
            && format.is_some_and(|format| format.codec == VideoCodec::H264)
        {
            layer.has_b_frames |= video::is_b_slice(payload);
        }
    }

    fn inspect(&self, source: Source, rtp: &RtpPacket) -> PayloadFacts {
        let Source::Video(index) = source else {
            return PayloadFacts::default();
        };
        let format = self.layout.layers.get(index);
        format.map_or_else(PayloadFacts::default, |format| {
            video::inspect(format.codec, &rtp.payload)
        })
    }

    /// Counts a packet. Returns whether it opens a key frame: of the packets of one key frame that
    /// say so (parameter sets, then slices) only the first does.
    pub(super) fn count(
        &mut self,
        link: &Link,
        now: Instant,
        source: Source,
        arrived: Arrived,
        facts: PayloadFacts,
        outbox: &mut Outbox,
    ) -> bool {
        let Source::Video(index) = source else {
            if let Some(audio) = &mut self.audio {
                audio.count(now, arrived);
            }
            return false;
        };
        let Some(layer) = self.layers.get_mut(index) else {
            return false;
        };
        layer.track.count(now, arrived);
        if arrived.marker {
            layer.count_frame(now);
        }
        layer.profile = facts.profile.or(layer.profile);
        if facts.size.is_some() {
            let known = self.layout.layers.get(index).and_then(|format| format.size);
            if known != facts.size {
                if let Some(format) = Arc::make_mut(&mut self.layout).layers.get_mut(index) {
                    format.size = facts.size;
                }
                outbox.layers_changed(link.stream);
            }
        }
        let opens = facts.starts_keyframe && layer.keyframe_timestamp != Some(arrived.timestamp);
        if opens {
            layer.keyframe_timestamp = Some(arrived.timestamp);
            layer.keyframe_interval = layer
                .keyframe_at
                .map(|at| now.saturating_duration_since(at));
            layer.keyframe_at = Some(now);
            layer.requests.satisfy();
            if let Some(making) = &mut layer.making {
                making.satisfy();
            }
            let answer = layer.asked.answer(now, patience(link));
            layer.is_unasked = answer.is_none();
            if let Some(is_answered) = answer {
                self.learn(link, is_answered);
            }
        }
        opens
    }

    fn learn(&mut self, link: &Link, is_answered: bool) {
        // Another node tells it.
        if self.pulling.is_none()
            && let Some(listens) = self.hearing.note(is_answered)
        {
            link.shared.set_answers_pli(listens);
        }
    }

    pub(super) fn note_flow(&mut self, link: &Link, now: Instant, outbox: &mut Outbox) {
        self.last_media = Some(now);
        self.pauses.note(now);
        if !self.is_flowing {
            self.is_flowing = true;
            outbox.events.push(Event::MediaFlowing {
                session: link.id,
                stream: link.stream,
            });
        }
    }

    fn take_stats(&mut self, stats: &MediaIngressStats) {
        let from = Some((stats.mid, stats.rid));
        if let Some(layer) = self.sent_layers().find(|l| l.from == from) {
            layer.nacks = stats.nacks;
            layer.plis = stats.plis;
        }
    }

    /// Notes that a key frame of a layer is wanted.
    pub(crate) fn want_keyframe(&mut self, now: Instant, index: usize) {
        let Some(layer) = self.layers.get_mut(index) else {
            return;
        };
        match &mut layer.making {
            None => layer.requests.want(),
            Some(making) => {
                if layer.track.is_active(now) && making.asks(now) {
                    self.want_keyframes(now);
                }
            }
        }
    }

    /// Notes that key frames of all layers are wanted.
    pub(crate) fn want_keyframes(&mut self, now: Instant) {
        for layer in self.sent_layers().filter(|l| l.track.is_active(now)) {
            layer.requests.want();
        }
    }

    /// The layers that the publisher sends itself.
    fn sent_layers(&mut self) -> impl Iterator<Item = &mut LayerIn> {
        self.layers.iter_mut().filter(|l| l.making.is_none())
    }

    /// Learns whether the stream is tapped: how old its key frames may get then.
    pub(crate) fn follow_tap(&mut self, keyframe_age: Option<Duration>) {
        self.keyframe_age = keyframe_age.map(|age| age.max(LEAST_KEYFRAME_AGE));
    }

    /// When the tap's next key frames are due: those of a layer that sends, and has none to come.
    fn tap_deadline(&self, now: Instant) -> Option<Instant> {
        let age = self.keyframe_age?;
        let is_deaf = self.hearing.is_deaf();
        self.layers
            .iter()
            .filter(|layer| layer.making.is_none())
            .filter(|layer| layer.track.is_active(now) && !layer.requests.is_wanted())
            .map(|layer| layer.tap_deadline(age, is_deaf))
            .min()
    }

    /// Wants what the tap needs, and of all layers at once: segments of all begin together.
    fn want_for_tap(&mut self, now: Instant) {
        if self.keyframe_age.is_none() {
            return;
        }
        let is_due = self.tap_deadline(now).is_some_and(|at| now >= at);
        let asks = |layer: &LayerIn| layer.track.is_active(now) && layer.requests.is_due(now);
        if is_due || self.layers.iter().any(asks) {
            for layer in self.sent_layers() {
                layer.requests.want_at_once();
            }
        }
    }

    /// Sends the requests that are due (RFC 4585 §6.3.1). Returns how many.
    pub(crate) fn send_requests(&mut self, link: &mut Link, now: Instant) -> usize {
        self.want_for_tap(now);
        let mut sent = 0;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if !layer.requests.poll(now) {
                continue;
            }
            let mut sources = self.sources.iter();
            let Some((ssrc, _)) = sources.find(|(_, s)| *s == Source::Video(index)) else {
                continue;
            };
            if let Some(stream) = link.rtc.direct_api().stream_rx(ssrc) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
                layer.asked.send(now);
                sent += 1;
            }
        }
        self.keyframe_requests += sent as u64;
        sent
    }

    /// Tells of silence, once it has lasted.
    pub(crate) fn check_silence(&mut self, link: &Link, now: Instant, outbox: &mut Outbox) {
        if let Some(last) = self.last_media
            && self.is_flowing
            && now >= last + self.silence
        {
            self.is_flowing = false;
            outbox.events.push(Event::MediaSilent {
                session: link.id,
                stream: link.stream,
                silent_for: now.saturating_duration_since(last),
            });
        }
    }

    /// What is to be done from time to time: layers that nobody makes any more, unanswered requests of
    /// layers that are not paused.
    pub(crate) fn sweep(&mut self, link: &Link, now: Instant, outbox: &mut Outbox) {
        self.withdraw_left(link, outbox);
        self.judge_reordering(link, now);
        let mut unanswered = 0;
        for layer in &mut self.layers {
            let is_paused = now.saturating_duration_since(layer.track.last) > PAUSED_AFTER;
            if layer.asked.is_missed(now, patience(link)) {
                unanswered += usize::from(!is_paused);
            }
        }
        for _ in 0..unanswered {
            self.learn(link, false);
        }
    }

    /// Counts what came since the last call. Returns whether that is far more than may come.
    pub(crate) fn count_received(&mut self, now: Instant, counters: &LayerCounters) -> bool {
        let mut bytes = 0;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if layer.making.is_none() {
                let rank = Rank::of(&self.layout, index);
                let new = layer.track.take_received();
                bytes += new.bytes;
                counters.add(Way::In, rank, new);
            }
        }
        if let Some(audio) = &mut self.audio {
            let new = audio.take_received();
            bytes += new.bytes;
            counters.add(Way::In, Rank::Sound, new);
        }
        // Whoever hands media over looks to it itself, and other nodes have looked.
        let is_peer = self.ingesting.is_none() && !self.is_pulled();
        is_peer && self.excess.is_reached_by(now, bytes)
    }

    /// When a key frame is to be asked for, or silence is to be told.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let silent_at = self.last_media.filter(|_| self.is_flowing);
        self.layers
            .iter()
            .filter_map(|l| l.requests.deadline())
            .chain(silent_at.map(|last| last + self.silence))
            .chain(self.tap_deadline(now))
            .min()
    }

    pub(crate) fn fill(&mut self, stats: &mut SessionStats, now: Instant) {
        let audio = self.audio.as_ref().map_or(0, |a| a.packets);
        stats.packets = audio + self.sent_layers().map(|l| l.track.packets).sum::<u64>();
        let audio = self.audio.as_mut().map_or(0, |a| a.bitrate(now));
        stats.bitrate = audio
            + self
                .sent_layers()
                .map(|l| l.track.bitrate(now))
                .sum::<u64>();
        stats.codec = self
            .layout
            .layers
            .first()
            .map(|l| l.codec.name().to_owned());
    }

    pub(crate) fn publisher_stats(&self, link: &Link, now: Instant) -> PublisherStats {
        let dropping = self.ingesting.as_ref().map(Ingesting::dropping);
        PublisherStats {
            session: link.id.to_string(),
            transport: match dropping {
                Some(_) => "none",
                None => link.transport_name(),
            },
            connected: link.is_connected(),
            rtt_ms: link.rtt().map(|rtt| rtt.as_secs_f64() * 1_000.0),
            loss: link.ingress_loss().map(f64::from),
            connected_ms: link.connected_at.map_or(0, |at| millis(now, at)),
            media_age_ms: self.last_media.map(|at| millis(now, at)),
            longest_gap_ms: self
                .pauses
                .longest(now)
                .and_then(|pause| u64::try_from(pause.as_millis()).ok()),
            dropped: dropping.map_or(0, |(dropped, _)| dropped),
            dropped_age_ms: dropping.and_then(|(_, last)| Some(millis(now, last?))),
            answers_pli: link.shared.answers_pli(),
        }
    }

    /// Layers, largest picture first.
    pub(crate) fn layer_stats(&mut self, now: Instant) -> Vec<LayerStats> {
        let mut stats: Vec<(u64, LayerStats)> = self
            .layers
            .iter_mut()
            .zip(&self.layout.layers)
            .filter(|(_, format)| format.origin != Origin::Withdrawn)
            .map(|(layer, format)| (format.area(), layer.stats(format, now)))
            .collect();
        stats.sort_by_key(|(area, stats)| std::cmp::Reverse((*area, stats.bitrate)));
        stats.into_iter().map(|(_, stats)| stats).collect()
    }

    pub(crate) fn audio_stats(&mut self, now: Instant) -> Option<AudioStats> {
        let audio = self.audio.as_mut()?;
        Some(AudioStats {
            codec: match self.layout.handed.and_then(|handed| handed.audio) {
                Some(TapCodec::Aac) => "AAC".to_owned(),
                _ => "opus".to_owned(),
            },
            bitrate: audio.bitrate(now),
            peak_bitrate: audio.peak_bitrate(now),
            packets: audio.packets,
            lost: audio.lost(),
            active: audio.is_active(now),
        })
    }
}

/// How long a publisher may take to answer a request.
fn patience(link: &Link) -> Duration {
    ANSWER_TIME + link.rtt().unwrap_or_default()
}
