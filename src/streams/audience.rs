//! Those who watch: how many there are on each stream, and what they are told.

use std::collections::HashMap;
use std::sync::Arc;

use sfu::{StreamId, StreamStats};
use tokio::sync::broadcast;

use super::{ViewerEvent, Watch};

/// Viewer events that a slow event stream may be behind before it loses some.
const EVENTS: usize = 32;

/// The audiences of all streams on air.
#[derive(Debug, Default)]
pub(super) struct Audiences(HashMap<StreamId, Audience>);

#[derive(Debug)]
struct Audience {
    events: broadcast::Sender<ViewerEvent>,
    viewers: u32,
    /// About so many more, by HLS.
    by_hls: u32,
    told_viewers: u32,
    stats: Option<Arc<StreamStats>>,
}

impl Audiences {
    /// A stream is on air: it may be watched from now on.
    pub(super) fn open(&mut self, stream: StreamId) {
        let audience = Audience {
            events: broadcast::Sender::new(EVENTS),
            viewers: 0,
            by_hls: 0,
            told_viewers: 0,
            stats: None,
        };
        self.0.insert(stream, audience);
    }

    /// A stream is over: tells its viewers and lets them go.
    pub(super) fn close(&mut self, stream: StreamId) {
        self.tell(stream, ViewerEvent::Ended);
        self.0.remove(&stream);
    }

    /// One more viewer is connected.
    pub(super) fn joined(&mut self, stream: StreamId) {
        if let Some(audience) = self.0.get_mut(&stream) {
            audience.viewers = audience.viewers.saturating_add(1);
        }
    }

    /// One viewer fewer is connected.
    pub(super) fn left(&mut self, stream: StreamId) {
        if let Some(audience) = self.0.get_mut(&stream) {
            audience.viewers = audience.viewers.saturating_sub(1);
        }
    }

    /// About so many watch by HLS now.
    pub(super) fn set_by_hls(&mut self, stream: StreamId, viewers: u32) {
        if let Some(audience) = self.0.get_mut(&stream) {
            audience.by_hls = viewers;
        }
    }

    /// Viewers of a stream, however they watch.
    pub(super) fn viewers(&self, stream: StreamId) -> u32 {
        self.0.get(&stream).map_or(0, Audience::all)
    }

    /// Width and height of a stream's largest layer, once they are known.
    pub(super) fn size(&self, stream: StreamId) -> Option<(u32, u32)> {
        let layer = self.0.get(&stream)?.stats.as_ref()?.layers.first()?;
        layer.width.zip(layer.height)
    }

    /// Tells the viewers of one stream. Nobody may be listening.
    pub(super) fn tell(&self, stream: StreamId, event: ViewerEvent) {
        if let Some(audience) = self.0.get(&stream) {
            let _ = audience.events.send(event);
        }
    }

    /// Tells the viewers of all streams.
    pub(super) fn tell_all(&self, event: &ViewerEvent) {
        for audience in self.0.values() {
            let _ = audience.events.send(event.clone());
        }
    }

    /// New figures of a stream.
    pub(super) fn take_stats(&mut self, stream: StreamId, stats: StreamStats) {
        if let Some(audience) = self.0.get_mut(&stream) {
            let stats = Arc::new(stats);
            audience.stats = Some(Arc::clone(&stats));
            let _ = audience.events.send(ViewerEvent::Layers(stats));
        }
    }

    /// Tells viewers their number where it changed; gives the streams where somebody listens, whose
    /// figures are worth asking for.
    pub(super) fn tell_numbers(&mut self) -> Vec<StreamId> {
        let mut listening = Vec::new();
        for (stream, audience) in &mut self.0 {
            let all = audience.all();
            if all != audience.told_viewers {
                audience.told_viewers = all;
                let count = ViewerEvent::ViewerCount(all);
                let _ = audience.events.send(count);
            }
            if audience.events.receiver_count() > 0 {
                listening.push(*stream);
            }
        }
        let sum = |of: fn(&Audience) -> u32| {
            let all = self.0.values().map(of);
            all.fold(0, u32::saturating_add)
        };
        metrics::gauge!("tallylight_viewers").set(sum(|audience| audience.viewers));
        metrics::gauge!("tallylight_hls_viewers").set(sum(|audience| audience.by_hls));
        let live = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        metrics::gauge!("tallylight_streams_live").set(live);
        listening
    }

    /// Where an event stream begins, and what follows.
    pub(super) fn watch(&self, stream: StreamId, is_on_air: bool) -> Option<Watch> {
        let audience = self.0.get(&stream)?;
        let mut first = Vec::new();
        if is_on_air {
            first.push(ViewerEvent::Active);
        }
        first.push(ViewerEvent::ViewerCount(audience.all()));
        first.extend(audience.stats.clone().map(ViewerEvent::Layers));
        if !is_on_air {
            first.push(ViewerEvent::Inactive);
        }
        Some(Watch {
            first,
            then: audience.events.subscribe(),
        })
    }
}

impl Audience {
    fn all(&self) -> u32 {
        self.viewers.saturating_add(self.by_hls)
    }
}
