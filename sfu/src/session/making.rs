//! Layers of a publisher that the server makes, beside those that it sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::format::CodecSpec;
use str0m::rtp::ExtensionValues;

use super::arriving::{Arrived, LayerIn, TrackIn};
use super::publisher::Publisher;
use super::{Link, Outbox};
use crate::made::{Line, MadeUnit};
use crate::packet::{LayerFormat, Origin, Packet, Source, VIDEO_CLOCK};
use crate::packetise::packetise;
use crate::video::{self, VideoCodec};

/// What a layer has beside its track when the server makes it.
#[derive(Debug)]
pub(super) struct Making {
    /// `None` when nobody feeds it any more.
    line: Option<Arc<Line>>,
    next_seq: u64,
    timestamp: Option<u32>,
    /// Whether something is missing since the last key frame.
    is_broken: bool,
    /// When key frames were asked for on its behalf, until it has one.
    asked: Option<Instant>,
}

/// A made layer that got no key frame in this time asks again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

impl Publisher {
    /// Opens a layer beside those of the publisher, which sends H264. Returns its place among them.
    pub(crate) fn make_layer(
        &mut self,
        link: &Link,
        now: Instant,
        rid: &str,
        outbox: &mut Outbox,
    ) -> Option<(usize, Arc<Line>)> {
        let formats = &self.layout.layers;
        let mut sent = formats.iter().filter(|f| f.origin == Origin::Sent);
        let mut spec = sent.clone().next()?.spec;
        spec.format.packetization_mode = Some(1);
        let is_h264 = sent.all(|format| format.codec == VideoCodec::H264);
        let is_known = |f: &LayerFormat| f.rid.as_deref() == Some(rid);
        let is_taken = formats
            .iter()
            .any(|f| is_known(f) && f.origin != Origin::Withdrawn);
        if !is_h264 || is_taken {
            return None;
        }
        let mut places = formats.iter();
        let withdrawn = places.position(|f| is_known(f) && f.origin == Origin::Withdrawn);
        let index = match withdrawn {
            Some(index) => index,
            None => self.add_making(now, rid, spec)?,
        };
        let line = Arc::new(Line::default());
        self.layers.get_mut(index)?.making.as_mut()?.line = Some(Arc::clone(&line));
        self.set_origin(index, Origin::Made);
        link.shared.change_layers(self.epoch, 1);
        outbox.layers_changed(link.stream);
        Some((index, line))
    }

    fn add_making(&mut self, now: Instant, rid: &str, spec: CodecSpec) -> Option<usize> {
        let made = self.layers.iter().filter(|layer| layer.making.is_some());
        if made.count() >= self.most_layers {
            return None;
        }
        let track = TrackIn::new(now, FIRST_SEQ, 0, VIDEO_CLOCK, None);
        let making = Making {
            line: None,
            next_seq: FIRST_SEQ,
            timestamp: None,
            is_broken: false,
            asked: None,
        };
        let mut layer = LayerIn::new(now, None, track, self.request_interval);
        layer.making = Some(making);
        self.layers.push(layer);
        let layout = Arc::make_mut(&mut self.layout);
        layout.layers.push(LayerFormat {
            rid: Some(rid.to_owned()),
            codec: VideoCodec::H264,
            spec,
            size: None,
            origin: Origin::Withdrawn,
        });
        Some(layout.layers.len() - 1)
    }

    fn set_origin(&mut self, index: usize, origin: Origin) {
        if let Some(format) = Arc::make_mut(&mut self.layout).layers.get_mut(index) {
            format.origin = origin;
        }
    }

    /// Takes an access unit of a made layer.
    pub(crate) fn take_made(
        &mut self,
        link: &Link,
        now: Instant,
        unit: &MadeUnit,
        outbox: &mut Outbox,
    ) {
        let timestamp = self.clock.timestamp_of(unit.captured);
        let payloads = packetise(&unit.bytes);
        let inspect = |payload: &Arc<[u8]>| video::inspect(VideoCodec::H264, payload);
        let is_keyframe = payloads
            .iter()
            .any(|payload| inspect(payload).starts_keyframe);
        let count = payloads.len();
        let making = (self.layers.get_mut(unit.layer)).and_then(|l| l.making.as_mut());
        let Some(making) = making.filter(|making| making.line.is_some()) else {
            return;
        };
        making.is_broken |= unit.is_after_loss;
        let Some(first_seq) = making.number(timestamp, is_keyframe, count as u64) else {
            return;
        };
        let source = Source::Video(unit.layer);
        for ((number, payload), seq) in payloads.into_iter().enumerate().zip(first_seq..) {
            let facts = inspect(&payload);
            let arrived = Arrived {
                seq,
                timestamp,
                marker: number + 1 == count,
                bytes: payload.len(),
            };
            let starts_keyframe = self.count(link, now, source, arrived, facts, outbox);
            self.pending.push(Arc::new(Packet {
                source,
                seq,
                timestamp,
                marker: arrived.marker,
                payload,
                arrival: now,
                // It comes later than what was captured with it: at a switch time goes on by
                // arrivals, as it does where nobody tells of captures.
                capture_us: None,
                wallclock: unit.captured.min(now),
                starts_keyframe,
                discardable: facts.discardable,
                vp8: None,
                extensions: ExtensionValues::default(),
            }));
        }
    }

    /// Withdraws layers that nobody feeds any more.
    pub(super) fn withdraw_left(&mut self, link: &Link, outbox: &mut Outbox) {
        for index in 0..self.layers.len() {
            let making = self.layers.get_mut(index).and_then(|l| l.making.as_mut());
            let Some(making) = making else { continue };
            if making.line.take_if(|line| Line::is_left(line)).is_some() {
                self.set_origin(index, Origin::Withdrawn);
                link.shared.change_layers(self.epoch, -1);
                outbox.layers_changed(link.stream);
            }
        }
    }
}

impl Making {
    /// The first number for the packets of the next access unit; `None` when it is of no use.
    fn number(&mut self, timestamp: u32, is_keyframe: bool, packets: u64) -> Option<u64> {
        let is_later = |before: u32| timestamp.wrapping_sub(before).cast_signed() > 0;
        let rises = self.timestamp.is_none_or(is_later);
        self.is_broken = !rises || self.is_broken && !is_keyframe;
        if self.is_broken {
            return None;
        }
        self.timestamp = Some(timestamp);
        let first = self.next_seq;
        self.next_seq += packets;
        Some(first)
    }

    /// Whether the wish for a key frame of this layer is one of the publisher's layers: their key
    /// frames become its own, a moment later.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        let may_ask = self.asked.is_none_or(|asked| now >= asked + ASK_AGAIN);
        if may_ask {
            self.asked = Some(now);
        }
        may_ask
    }

    /// A key frame of it came.
    pub(super) fn satisfy(&mut self) {
        self.asked = None;
    }
}

/// Where the numbers of a made layer begin; room for what is counted below.
const FIRST_SEQ: u64 = 1 << 16;
