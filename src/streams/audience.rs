//! Those who watch: how many there are on each stream, and what they are told.

use std::collections::HashMap;
use std::sync::Arc;

use sfu::{SessionId, StreamId, StreamStats};
use tokio::sync::broadcast;

use super::presence::{Beat, ByTransport, Changes, Presence, Who};
use super::{ViewerEvent, Watch};

/// Viewer events that a slow event stream may be behind before it loses some.
const EVENTS: usize = 32;

/// The audiences of all streams on air.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    on_air: HashMap<StreamId, Audience>,
    /// Of streams that are over, until they are taken.
    ended: Vec<Changed>,
}

/// What changed among a stream's viewers.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) stream: StreamId,
    pub(crate) is_over: bool,
    pub(crate) changes: Changes,
}

/// Streams that ended and whose viewers nobody wrote down yet, at most; the oldest are lost.
const MOST_ENDED: usize = 1_000;

#[derive(Debug)]
struct Audience {
    events: broadcast::Sender<ViewerEvent>,
    presence: Presence,
    /// How many watch, as of the last look.
    now: ByTransport,
    /// How many watch at other servers.
    elsewhere: u32,
    told_viewers: u32,
    /// Somebody who came since was told another number.
    is_told_otherwise: bool,
    stats: Option<Arc<StreamStats>>,
}

impl Audiences {
    /// A stream is on air: it may be watched from now on.
    pub(super) fn open(&mut self, stream: StreamId) {
        if self.on_air.contains_key(&stream) {
            // It was so at another server.
            return;
        }
        let audience = Audience {
            events: broadcast::Sender::new(EVENTS),
            presence: Presence::default(),
            now: ByTransport::default(),
            elsewhere: 0,
            told_viewers: 0,
            is_told_otherwise: false,
            stats: None,
        };
        self.on_air.insert(stream, audience);
    }

    /// A stream is over: tells its viewers and lets them go.
    pub(super) fn close(&mut self, stream: StreamId, now_ms: i64) {
        self.tell(stream, ViewerEvent::Ended);
        let Some(audience) = self.on_air.remove(&stream) else {
            return;
        };
        if self.ended.len() >= MOST_ENDED {
            self.ended.remove(0);
        }
        self.ended.push(Changed {
            stream,
            is_over: true,
            changes: audience.presence.end(now_ms),
        });
    }

    /// One more viewer is connected.
    pub(super) fn joined(&mut self, stream: StreamId, session: SessionId, who: Who, now_ms: i64) {
        if let Some(audience) = self.on_air.get_mut(&stream) {
            audience.presence.joined(session, who, now_ms);
            audience.look(now_ms);
        }
    }

    /// One viewer fewer is connected.
    pub(super) fn left(&mut self, stream: StreamId, session: SessionId, now_ms: i64) {
        if let Some(audience) = self.on_air.get_mut(&stream) {
            audience.presence.left(session, now_ms);
            audience.look(now_ms);
        }
    }

    /// A player tells of its viewer.
    pub(super) fn beat(&mut self, stream: StreamId, beat: Beat, now_ms: i64) {
        if let Some(audience) = self.on_air.get_mut(&stream) {
            audience.presence.beat(beat, now_ms);
        }
    }

    /// About so many read playlists.
    pub(super) fn read_by_hls(&mut self, stream: StreamId, readers: u32) {
        if let Some(audience) = self.on_air.get_mut(&stream) {
            audience.presence.read(readers);
        }
    }

    /// How many watch a stream on air, and the most that did.
    pub(super) fn numbers(&self, stream: StreamId) -> Option<(ByTransport, i64)> {
        let audience = self.on_air.get(&stream)?;
        Some((audience.now, audience.presence.peak()))
    }

    /// What changed among all viewers since the last call; with `all`, also those who only went on.
    pub(super) fn take_changes(&mut self, now_ms: i64, all: bool) -> Vec<Changed> {
        let mut changed = std::mem::take(&mut self.ended);
        changed.extend(self.on_air.iter_mut().map(|(stream, audience)| Changed {
            stream: *stream,
            is_over: false,
            changes: audience.presence.changes(now_ms, all),
        }));
        changed
    }

    /// Viewers of a stream, however they watch.
    pub(super) fn viewers(&self, stream: StreamId) -> u32 {
        self.on_air.get(&stream).map_or(0, Audience::all)
    }

    /// Those of them who watch at this server.
    pub(super) fn viewers_here(&self, stream: StreamId) -> u32 {
        let here = |audience: &Audience| u32::try_from(audience.now.all()).unwrap_or(u32::MAX);
        self.on_air.get(&stream).map_or(0, here)
    }

    /// So many watch a stream at other servers.
    pub(super) fn watched_elsewhere(&mut self, viewers_of: impl Fn(StreamId) -> u32) {
        for (stream, audience) in &mut self.on_air {
            audience.elsewhere = viewers_of(*stream);
        }
    }

    /// Width and height of a stream's largest layer, once they are known.
    pub(super) fn size(&self, stream: StreamId) -> Option<(u32, u32)> {
        let layer = self.on_air.get(&stream)?.stats.as_ref()?.layers.first()?;
        layer.width.zip(layer.height)
    }

    /// Tells the viewers of one stream. Nobody may be listening.
    pub(super) fn tell(&self, stream: StreamId, event: ViewerEvent) {
        if let Some(audience) = self.on_air.get(&stream) {
            let _ = audience.events.send(event);
        }
    }

    /// Tells the viewers of all streams.
    pub(super) fn tell_all(&self, event: &ViewerEvent) {
        for audience in self.on_air.values() {
            let _ = audience.events.send(event.clone());
        }
    }

    /// New figures of a stream.
    pub(super) fn take_stats(&mut self, stream: StreamId, stats: StreamStats) {
        if let Some(audience) = self.on_air.get_mut(&stream) {
            let stats = Arc::new(stats);
            audience.stats = Some(Arc::clone(&stats));
            let _ = audience.events.send(ViewerEvent::Layers(stats));
        }
    }

    /// Tells viewers their number where it changed; gives the streams where somebody listens, whose
    /// figures are worth asking for.
    pub(super) fn tell_numbers(&mut self, now_ms: i64) -> Vec<StreamId> {
        let mut listening = Vec::new();
        let (mut by_webrtc, mut by_hls) = (0, 0);
        for (stream, audience) in &mut self.on_air {
            audience.presence.pass(now_ms);
            audience.look(now_ms);
            by_webrtc += audience.now.webrtc;
            by_hls += audience.now.all() - audience.now.webrtc;
            let all = audience.all();
            let differs = all != audience.told_viewers;
            if std::mem::take(&mut audience.is_told_otherwise) || differs {
                audience.told_viewers = all;
                let count = ViewerEvent::ViewerCount(all);
                let _ = audience.events.send(count);
            }
            if audience.events.receiver_count() > 0 {
                listening.push(*stream);
            }
        }
        let shown = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        metrics::gauge!("tallylight_viewers").set(shown(by_webrtc));
        metrics::gauge!("tallylight_hls_viewers").set(shown(by_hls));
        let live = u32::try_from(self.on_air.len()).unwrap_or(u32::MAX);
        metrics::gauge!("tallylight_streams_live").set(live);
        listening
    }

    /// Where an event stream begins, and what follows.
    pub(super) fn watch(&mut self, stream: StreamId, is_on_air: bool) -> Option<Watch> {
        let audience = self.on_air.get_mut(&stream)?;
        audience.is_told_otherwise |= audience.all() != audience.told_viewers;
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
        let here = u32::try_from(self.now.all()).unwrap_or(u32::MAX);
        here.saturating_add(self.elsewhere)
    }

    fn look(&mut self, now_ms: i64) {
        self.now = self.presence.count(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(watch: &mut Watch) -> Vec<u32> {
        let mut counts = Vec::new();
        let mut take = |event: ViewerEvent| {
            if let ViewerEvent::ViewerCount(count) = event {
                counts.push(count);
            }
        };
        watch.first.drain(..).for_each(&mut take);
        while let Ok(event) = watch.then.try_recv() {
            take(event);
        }
        counts
    }

    /// Pages that are loaded anew all at once: the number is in the end what it was before.
    #[test]
    fn whoever_came_between_two_looks_hears_the_number_too() {
        let mut audiences = Audiences::default();
        let stream = StreamId::from(7);
        audiences.open(stream);
        audiences.tell_numbers(0);
        if let Some(audience) = audiences.on_air.get_mut(&stream) {
            audience.now.webrtc = 3;
        }
        let mut watch = audiences.watch(stream, true).unwrap();
        audiences.tell_numbers(2_000);
        assert_eq!(counts(&mut watch), [3, 0]);
        audiences.tell_numbers(3_000);
        assert_eq!(counts(&mut watch), [] as [u32; 0], "once");
    }
}
