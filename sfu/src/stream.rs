//! A stream as one shard sees it: the newest publisher's tracks, their cached groups, our viewers.
//!
//! Every shard keeps its own copy, fed by the same slices: packets are shared, nothing is locked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::keyframe::GopCache;
use crate::layer::Candidate;
use crate::packet::{Layout, Packet, Slice, Source};
use crate::rate::RateMeter;
use crate::registry::StreamShared;
use crate::session::{PAUSED_AFTER, bits};
use crate::tap::Feed;

/// A layer's rate is what it takes for long: a key frame more or less must move no viewer.
const RATE_WINDOW: Duration = Duration::from_secs(4);

/// A stream with this shard's viewers.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) shared: Arc<StreamShared>,
    /// Keys of this shard's publishers of the stream, the newest last: while one takes over there
    /// are two.
    pub(crate) publishers: Vec<usize>,
    /// Keys of this shard's viewers, connected or not.
    pub(crate) viewers: Vec<usize>,
    pub(crate) media: Media,
    /// Every shard has it; the publisher's feeds it.
    pub(crate) tap: Option<Feed>,
}

/// What viewers read of a stream.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) epoch: u32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: Vec<LayerMedia>,
    /// Whether there was no publisher before this one.
    pub(crate) is_first: bool,
    audio: Option<RateMeter>,
    limits: (Duration, usize),
    /// As they were worked out last: all viewers are swept in one moment.
    candidates: Option<(Instant, Arc<[Candidate]>)>,
}

/// One layer's packets.
#[derive(Debug)]
pub(crate) struct LayerMedia {
    pub(crate) gop: GopCache,
    bytes: RateMeter,
    last: Option<Instant>,
}

impl Stream {
    pub(crate) fn new(shared: Arc<StreamShared>, limits: &Limits) -> Self {
        Self {
            shared,
            publishers: Vec::new(),
            viewers: Vec::new(),
            media: Media {
                epoch: 0,
                layout: Arc::default(),
                layers: Vec::new(),
                is_first: true,
                audio: None,
                limits: (limits.gop_age, limits.gop_bytes),
                candidates: None,
            },
            tap: None,
        }
    }

    /// Whether somebody listens to the tap.
    pub(crate) fn is_tapped(&self) -> bool {
        self.tap.as_ref().is_some_and(Feed::is_open)
    }
}

impl Media {
    /// Takes a slice in. Returns false for one of a publisher that was replaced.
    pub(crate) fn absorb(&mut self, now: Instant, slice: &Slice) -> bool {
        if slice.epoch < self.epoch {
            return false;
        }
        if slice.epoch > self.epoch {
            self.is_first = self.epoch == 0;
            self.epoch = slice.epoch;
            self.layers.clear();
            self.audio = None;
        }
        self.layout = Arc::clone(&slice.layout);
        self.candidates = None;
        let (age, bytes) = self.limits;
        while self.layers.len() < self.layout.layers.len() {
            self.layers.push(LayerMedia {
                gop: GopCache::new(age, bytes),
                bytes: RateMeter::over(now, RATE_WINDOW),
                last: None,
            });
        }
        self.drop_unwatchable();
        for packet in &slice.packets {
            self.take(now, packet);
        }
        true
    }

    /// What is cached of layers that no viewer can have is of no use, also when they come again. Of one
    /// whose pictures are reordered other nodes have the use, from where on it is so.
    fn drop_unwatchable(&mut self) {
        for (layer, format) in self.layers.iter_mut().zip(&self.layout.layers) {
            let first = layer.gop.first();
            let is_in_order = first.is_none_or(|first| first.lead.is_none());
            let is_of_use = format.is_for_viewers() || format.reordered && !is_in_order;
            if !is_of_use && !layer.gop.is_empty() {
                layer.gop.clear();
            }
        }
    }

    /// A layer that viewers can have.
    pub(crate) fn for_viewers(&self, layer: usize) -> Option<&LayerMedia> {
        let format = self.layout.layers.get(layer)?;
        self.layers.get(layer).filter(|_| format.is_for_viewers())
    }

    /// The packets of cached groups that are not older than `age`.
    pub(crate) fn fresh_groups(&self, now: Instant, age: Duration) -> Vec<Arc<Packet>> {
        let is_fresh = |layer: &&LayerMedia| layer.gop.age(now).is_some_and(|of| of <= age);
        let layers = self.layers.iter().filter(is_fresh);
        layers.flat_map(|l| l.gop.from(0)).map(Arc::clone).collect()
    }

    /// Drops what is cached and measured; the next slices fill it again.
    pub(crate) fn forget(&mut self) {
        self.layers.clear();
        self.audio = None;
        self.candidates = None;
    }

    fn take(&mut self, now: Instant, packet: &Arc<Packet>) {
        #[cfg(test)]
        crate::simulation::trip(&packet.payload);
        let size = packet.payload.len() as u64;
        match packet.source {
            Source::Audio => {
                let meter = self.audio.get_or_insert_with(|| RateMeter::new(now));
                meter.add(now, size);
            }
            Source::Video(index) => {
                if let Some(layer) = self.layers.get_mut(index) {
                    layer.bytes.add(now, size);
                    layer.last = Some(now);
                    layer.gop.push(packet);
                }
            }
        }
    }

    /// The layers as the choice sees them.
    pub(crate) fn candidates(&mut self, now: Instant) -> Arc<[Candidate]> {
        if let Some((at, candidates)) = &self.candidates
            && *at == now
        {
            return Arc::clone(candidates);
        }
        let layers = self.layers.iter_mut().zip(&self.layout.layers).enumerate();
        let candidates: Arc<[Candidate]> = layers
            .map(|(index, (layer, format))| Candidate {
                index,
                rid: format.rid.clone(),
                size: format.size,
                bitrate: bits(layer.bytes.per_second(now)),
                is_active: format.is_for_viewers()
                    && layer
                        .last
                        .is_some_and(|last| now.saturating_duration_since(last) <= PAUSED_AFTER),
            })
            .collect();
        self.candidates = Some((now, Arc::clone(&candidates)));
        candidates
    }

    /// Bit/s of the audio track.
    pub(crate) fn audio_bitrate(&mut self, now: Instant) -> u64 {
        self.audio
            .as_mut()
            .map_or(0, |meter| bits(meter.per_second(now)))
    }
}
