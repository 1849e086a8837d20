//! Layers of a publisher that the server makes, beside those that it sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::format::CodecSpec;

use super::arriving::{LayerIn, TrackIn};
use super::fed::{FIRST_SEQ, Numbers};
use super::publisher::Publisher;
use super::{Link, Outbox};
use crate::fed::Line;
use crate::packet::{LayerFormat, Origin, VIDEO_CLOCK};
use crate::video::VideoCodec;

/// What a layer has beside its track when the server makes it.
#[derive(Debug)]
pub(super) struct Making {
    /// `None` when nobody feeds it any more.
    line: Option<Arc<Line>>,
    numbers: Numbers,
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
        self.judge_reordering(link, now);
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
            numbers: Numbers::new(),
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
            reordered: false,
        });
        Some(layout.layers.len() - 1)
    }

    fn set_origin(&mut self, index: usize, origin: Origin) {
        if let Some(format) = Arc::make_mut(&mut self.layout).layers.get_mut(index) {
            format.origin = origin;
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
    /// The numbers for its packets, while somebody feeds it.
    pub(super) fn numbers(&mut self) -> Option<&mut Numbers> {
        self.line.is_some().then_some(&mut self.numbers)
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
