//! From publishers to viewers: slices, and key frame requests the other way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::{Message, Shard, Target};
use crate::event::CloseReason;
use crate::fed::{Door, FedUnit, Reach};
use crate::ids::StreamId;
use crate::packet::{Packet, Slice, Source};
use crate::registry::StreamShared;
use crate::session::{Kind, Leaving, Publisher, Session};
use crate::stats::{count, count_by};
use crate::stream::Stream;
use crate::tap::{Portion, Whole};

impl Shard {
    /// Cuts slices, gives them to the viewers here and to the other shards, asks for key frames.
    ///
    /// Called after every batch of input, so that the packets of a frame leave together.
    pub(crate) fn finish(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.uncut) {
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            let stream = session.link.stream;
            let Kind::Publisher(publisher) = &mut session.kind else {
                continue;
            };
            let wholes = publisher.take_wholes();
            let slice = Slice {
                stream,
                epoch: publisher.epoch,
                layout: Arc::clone(&publisher.layout),
                packets: std::mem::take(&mut publisher.pending),
            };
            self.give_to_tap(stream, wholes);
            if slice.packets.is_empty() {
                continue;
            }
            count_by(
                &self.registry.counters.packets_in,
                slice.packets.len() as u64,
            );
            let slice = Arc::new(slice);
            self.distribute(now, &slice, true);
            self.outgoing.push((Target::Others, Message::Slice(slice)));
        }
        for (stream, layer) in std::mem::take(&mut self.outbox.keyframes) {
            self.request_keyframe(now, stream, layer);
        }
    }

    fn give_to_tap(&self, stream: StreamId, wholes: Vec<Arc<Whole>>) {
        let stream = self.streams.get(&stream);
        if let Some(feed) = stream.and_then(|stream| stream.tap.as_ref()) {
            for whole in wholes {
                feed.offer(Portion::Whole(whole), &self.registry.counters.tap_lost);
            }
        }
    }

    /// Gives a slice to the viewers here, and one of our own publisher to who taps the stream.
    pub(super) fn distribute(&mut self, now: Instant, slice: &Arc<Slice>, is_ours: bool) {
        let Some(shared) = self.registry_stream(slice.stream) else {
            return;
        };
        let limits = &self.settings.config.limits;
        let mut stream = self
            .streams
            .remove(&slice.stream)
            .unwrap_or_else(|| Stream::new(shared, limits));
        let share = || {
            if stream.media.absorb(now, slice) {
                self.forward(now, slice, &mut stream);
                if is_ours
                    && let Some(feed) = &stream.tap
                    && let Some(slice) = for_tap(slice, stream.media.is_first)
                {
                    feed.offer(Portion::Slice(slice), &self.registry.counters.tap_lost);
                }
            }
        };
        if catch_unwind(AssertUnwindSafe(share)).is_err() {
            count(&self.registry.counters.panics);
            stream.media.forget();
        }
        let is_older = |session: &Session| matches!(&session.kind, Kind::Publisher(p) if p.epoch < stream.media.epoch);
        let superseded: Vec<usize> = stream
            .publishers
            .iter()
            .filter(|key| self.sessions.get(**key).is_some_and(is_older))
            .copied()
            .collect();
        self.streams.insert(slice.stream, stream);
        for key in superseded {
            self.close(now, key, CloseReason::Superseded);
        }
    }

    /// The stream's shared part; from our own copy where there is one, so that no lock is taken.
    pub(super) fn registry_stream(&self, stream: StreamId) -> Option<Arc<StreamShared>> {
        match self.streams.get(&stream) {
            Some(known) => Some(Arc::clone(&known.shared)),
            None => self.registry.stream(stream),
        }
    }

    fn forward(&mut self, now: Instant, slice: &Slice, stream: &mut Stream) {
        let media = &stream.media;
        let mut forwarded = 0;
        let mut changed = Vec::new();
        for key in &stream.viewers {
            let Some(session) = self.sessions.get_mut(*key) else {
                continue;
            };
            let queue = &mut self.outbox.transmits;
            let mut leaving = Leaving { now, queue };
            let forward = || session.forward(&slice.packets, media, &mut leaving);
            let result = catch_unwind(AssertUnwindSafe(forward));
            let has_panicked = result.is_err();
            let (sent, has_deadline) = result.unwrap_or_default();
            forwarded += sent;
            // Of most nothing has changed that others look at: there is no more to touch of them.
            if has_panicked || has_deadline {
                changed.push((*key, has_panicked));
            }
            self.outbox.send_if_much();
        }
        for (key, has_panicked) in changed {
            if has_panicked {
                self.end_panicked(now, key);
            } else {
                self.settle(now, key);
            }
            if !self.sessions.contains(key) {
                stream.viewers.retain(|viewer| *viewer != key);
            }
        }
        count_by(&self.registry.counters.packets_forwarded, forwarded);
    }

    pub(super) fn request_keyframe(&mut self, now: Instant, stream: StreamId, layer: usize) {
        let message = Message::Keyframe { stream, layer };
        self.ask_publisher(now, stream, message, |publisher| {
            publisher.want_keyframe(now, layer);
        });
    }

    pub(super) fn request_keyframes(&mut self, now: Instant, stream: StreamId) {
        let message = Message::Keyframes { stream };
        self.ask_publisher(now, stream, message, |publisher| {
            publisher.want_keyframes(now);
        });
    }

    /// Opens a layer of H264 beside those of the stream's publisher.
    pub(super) fn make_layer(
        &mut self,
        now: Instant,
        stream: StreamId,
        rid: &str,
        zero: Instant,
    ) -> Option<Door> {
        // Of the newest: nothing for viewers may have come of it so far.
        let key = *self.streams.get(&stream)?.publishers.last()?;
        let mut door = None;
        self.with_session(now, key, |session, outbox| {
            if let Kind::Publisher(publisher) = &mut session.kind {
                let epoch = publisher.epoch;
                let made = publisher.make_layer(&session.link, now, rid, outbox);
                door = made.map(|(layer, line)| {
                    let line = Arc::downgrade(&line);
                    Door::new(
                        stream,
                        epoch,
                        (Source::Video(layer), Reach::Viewers),
                        zero,
                        line,
                    )
                });
            }
        });
        door
    }

    /// Takes an access unit that is handed over, unless its publisher is gone.
    pub(super) fn take_fed(&mut self, now: Instant, unit: &FedUnit) {
        let Some(key) = self.publisher_of(unit.stream, unit.epoch) else {
            return;
        };
        self.with_session(now, key, |session, outbox| {
            if let Kind::Publisher(publisher) = &mut session.kind {
                publisher.take_fed(&mut session.link, now, unit, outbox);
            }
        });
    }

    /// Our publisher of a stream that has this number.
    fn publisher_of(&self, stream: StreamId, epoch: u32) -> Option<usize> {
        let is_it =
            |session: &Session| matches!(&session.kind, Kind::Publisher(p) if p.epoch == epoch);
        let mut keys = self.streams.get(&stream)?.publishers.iter().copied();
        keys.find(|key| self.sessions.get(*key).is_some_and(is_it))
    }

    /// Asks the stream's publisher, or with `message` the shard that has it.
    fn ask_publisher(
        &mut self,
        now: Instant,
        stream: StreamId,
        message: Message,
        ask: impl FnOnce(&mut Publisher),
    ) {
        let Some(state) = self.streams.get(&stream) else {
            return;
        };
        if let Some(key) = state.publishers.last().copied() {
            self.with_session(now, key, |session, _| {
                if let Kind::Publisher(publisher) = &mut session.kind {
                    ask(publisher);
                }
            });
            self.send_requests(now, key);
        } else if let Some(shard) = state.shared.publisher_shard()
            && shard != self.index
        {
            self.outgoing.push((Target::Shard(shard), message));
        }
    }
}

/// What a tap gets of a slice: what the publisher sent as packets, and of what another node had cached
/// nothing that the tap may have had from a publisher before.
fn for_tap(slice: &Arc<Slice>, is_first: bool) -> Option<Arc<Slice>> {
    let is_new = |packet: &Packet| is_first || !packet.is_past;
    let packets = &slice.packets;
    if !packets.iter().any(|p| slice.layout.is_sent(p) && is_new(p)) {
        return None;
    }
    if packets.iter().all(|packet| is_new(packet)) {
        return Some(Arc::clone(slice));
    }
    let new = packets.iter().filter(|packet| is_new(packet));
    Some(Arc::new(Slice {
        stream: slice.stream,
        epoch: slice.epoch,
        layout: Arc::clone(&slice.layout),
        packets: new.cloned().collect(),
    }))
}
