//! Packets of access units that are handed over: of layers that the server makes, and of publishers
//! that are no peers of ours.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::rtp::ExtensionValues;

use super::arriving::{Arrived, LayerIn, TrackIn};
use super::capture_clock::CaptureClock;
use super::publisher::Publisher;
use super::{Link, Outbox, specs};
use crate::config::Config;
use crate::fed::{FedUnit, Line};
use crate::ingest::{Ingest, IngestTracks};
use crate::packet::{AUDIO_CLOCK, HandedOver, LayerFormat, Origin, Packet, Source, VIDEO_CLOCK};
use crate::packetise::{MOST_PAYLOAD, packetise};
use crate::tap::{self, Track, Whole};
use crate::video;

/// What a publisher has that is no peer: all of its packets are made of what is handed over.
#[derive(Debug)]
pub(super) struct Ingesting {
    line: Arc<Line>,
    /// When something after a loss came.
    lost_at: Option<Instant>,
    video: Numbers,
    audio: Numbers,
    /// Units since the last were taken, for the tap.
    pending: Vec<Arc<Whole>>,
    /// Units from the newest key frame on, for a tap that is opened.
    recent: VecDeque<Arc<Whole>>,
    recent_bytes: usize,
    /// Numbers of units for the tap.
    video_units: u64,
    audio_units: u64,
    /// Since when viewers have no picture.
    reordered_since: Option<Instant>,
    /// How long they wait for one that is made.
    patience: Duration,
}

/// Sequence numbers of packets that are made here.
#[derive(Debug)]
pub(super) struct Numbers {
    next_seq: u64,
    timestamp: Option<u32>,
    /// Whether something is missing since the last key frame.
    is_broken: bool,
}

/// What packets are made of a unit.
struct Made {
    payloads: Vec<(Arc<[u8]>, video::PayloadFacts)>,
    timestamp: u32,
}

/// Units that are kept for a tap: those of [`tap::FRESH`], in numbers and bytes.
const MOST_RECENT: usize = 600;
const MOST_RECENT_BYTES: usize = 16 * 1024 * 1024;
/// Where numbers begin; room for what is counted below.
pub(super) const FIRST_SEQ: u64 = 1 << 16;

impl Publisher {
    /// A publisher that is no peer.
    pub(crate) fn ingest(
        epoch: u32,
        now: Instant,
        config: &Config,
        tracks: IngestTracks,
        line: Arc<Line>,
    ) -> Self {
        let mut publisher = Self::new(epoch, now, config);
        // What was captured before it began has a time too.
        let zero = now.checked_sub(Ingest::LEAD).unwrap_or(now);
        publisher.clock = CaptureClock::new(zero);
        let layout = Arc::make_mut(&mut publisher.layout);
        layout.handed = Some(HandedOver {
            audio: tracks.audio,
        });
        if let Some(video) = tracks.video
            && let Some(codec) = video.codec.video()
        {
            layout.layers.push(LayerFormat {
                rid: None,
                codec,
                spec: specs::video(codec),
                size: None,
                origin: Origin::Sent,
                reordered: video.reordered,
            });
            let track = TrackIn::new(now, FIRST_SEQ, 0, VIDEO_CLOCK, None);
            let layer = LayerIn::new(now, None, track, publisher.request_interval);
            publisher.layers.push(layer);
        }
        if tracks.audio.is_some() {
            layout.audio = Some(specs::opus());
            publisher.audio = Some(TrackIn::new(now, FIRST_SEQ, 0, AUDIO_CLOCK, None));
        }
        let is_reordered = tracks.video.is_some_and(|video| video.reordered);
        publisher.ingesting = Some(Ingesting {
            line,
            lost_at: None,
            video: Numbers::new(),
            audio: Numbers::new(),
            pending: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            video_units: 0,
            audio_units: 0,
            reordered_since: is_reordered.then_some(now),
            patience: tracks.video.map_or(Duration::ZERO, |video| video.patience),
        });
        publisher
    }

    /// Whether it is no peer, and nobody feeds it any more.
    pub(crate) fn is_left(&self) -> bool {
        let ingesting = self.ingesting.as_ref();
        ingesting.is_some_and(|ingesting| Line::is_left(&ingesting.line))
    }

    /// Takes an access unit that is handed over.
    pub(crate) fn take_fed(
        &mut self,
        link: &mut Link,
        now: Instant,
        unit: &FedUnit,
        outbox: &mut Outbox,
    ) {
        if unit.source == Source::Audio && unit.bytes.len() > MOST_PAYLOAD {
            return;
        }
        let is_own = self.is_own(unit.source);
        if is_own {
            link.last_received = now;
            self.note_flow(link, now, outbox);
        }
        if let Some(ingesting) = self.ingesting.as_mut().filter(|_| unit.is_after_loss) {
            ingesting.lost_at = Some(now);
        }
        if unit.reordered && is_own {
            self.note_reordering(link, now, outbox);
        }
        let made = unit.reach.has_viewers().then(|| self.make(unit));
        let size = made.iter().flat_map(|made| &made.payloads);
        let size = size.rev().find_map(|(_, facts)| facts.size);
        if let Some(made) = made {
            self.push_made(link, now, unit, made, outbox);
        }
        if unit.reach.has_tap() {
            self.push_whole(now, unit, size);
        }
    }

    /// Whether the publisher itself hands it over, and not a ladder.
    fn is_own(&self, source: Source) -> bool {
        let is_made = match source {
            Source::Video(index) => self.layers.get(index).is_some_and(|l| l.making.is_some()),
            Source::Audio => false,
        };
        self.ingesting.is_some() && !is_made
    }

    /// Of a picture that is shown in another order than it is decoded: by how many ticks later.
    fn lead(&self, unit: &FedUnit) -> Option<u32> {
        let Source::Video(index) = unit.source else {
            return None;
        };
        let is_reordered = self.layout.layers.get(index)?.reordered;
        let lead = unit.captured.saturating_duration_since(unit.decoded);
        let ticks = lead.as_micros() * u128::from(VIDEO_CLOCK) / 1_000_000;
        is_reordered.then(|| u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// Packets of a unit.
    fn make(&self, unit: &FedUnit) -> Made {
        let codec = match unit.source {
            Source::Video(index) => self.layout.layers.get(index).map(|layer| layer.codec),
            Source::Audio => None,
        };
        let (payloads, clock) = match codec {
            Some(codec) => (packetise(codec, &unit.bytes), VIDEO_CLOCK),
            None => (vec![Arc::from(&unit.bytes[..])], AUDIO_CLOCK),
        };
        let inspect = |payload: Arc<[u8]>| {
            let facts = codec.map(|codec| video::inspect(codec, &payload));
            (payload, facts.unwrap_or_default())
        };
        Made {
            payloads: payloads.into_iter().map(inspect).collect(),
            timestamp: match self.lead(unit) {
                Some(_) => self.clock.timestamp_of(unit.decoded, clock),
                None => self.clock.timestamp_of(unit.captured, clock),
            },
        }
    }

    fn push_made(
        &mut self,
        link: &Link,
        now: Instant,
        unit: &FedUnit,
        made: Made,
        outbox: &mut Outbox,
    ) {
        let Made {
            payloads,
            timestamp,
        } = made;
        let is_own = self.is_own(unit.source);
        let lead = self.lead(unit);
        let time = if lead.is_some() {
            unit.decoded
        } else {
            unit.captured
        };
        let begins =
            unit.source == Source::Audio || payloads.iter().any(|(_, facts)| facts.starts_keyframe);
        let count = payloads.len();
        let Some(numbers) = self.numbers(unit.source) else {
            return;
        };
        numbers.is_broken |= unit.is_after_loss;
        let Some((first_seq, timestamp)) = numbers.take(timestamp, begins, count as u64) else {
            return;
        };
        for ((number, (payload, facts)), seq) in payloads.into_iter().enumerate().zip(first_seq..) {
            let arrived = Arrived {
                seq,
                timestamp,
                marker: number + 1 == count,
                bytes: payload.len(),
            };
            let starts_keyframe = self.count(link, now, unit.source, arrived, facts, outbox);
            self.pending.push(Arc::new(Packet {
                source: unit.source,
                seq,
                timestamp,
                marker: arrived.marker,
                payload,
                arrival: now,
                // What is made comes later than what was captured with it: at a switch time goes on by
                // arrivals, as it does where nobody tells of captures.
                capture_us: is_own.then(|| self.clock.capture_us(time)),
                wallclock: time.min(now),
                starts_keyframe,
                discardable: facts.discardable,
                is_past: false,
                lead,
                vp8: None,
                extensions: ExtensionValues::default(),
            }));
        }
    }

    fn push_whole(&mut self, now: Instant, unit: &FedUnit, size: Option<(u32, u32)>) {
        let (epoch, layout) = (self.epoch, Arc::clone(&self.layout));
        if let Some(ingesting) = &mut self.ingesting {
            let number = ingesting.next_unit(unit);
            let whole = Arc::new(Whole {
                epoch,
                layout,
                track: unit.source.into(),
                number,
                decoded: unit.decoded,
                captured: unit.captured,
                keyframe: unit.keyframe,
                size: size.and_then(tap::short_sides),
                bytes: unit.bytes.clone(),
            });
            ingesting.keep(now, &whole);
            ingesting.pending.push(whole);
        }
    }

    /// The units for the tap since the last call.
    pub(crate) fn take_wholes(&mut self) -> Vec<Arc<Whole>> {
        let ingesting = self.ingesting.as_mut();
        ingesting.map_or_else(Vec::new, |own| std::mem::take(&mut own.pending))
    }

    /// Whether there are such.
    pub(crate) fn has_wholes(&self) -> bool {
        let ingesting = self.ingesting.as_ref();
        ingesting.is_some_and(|own| !own.pending.is_empty())
    }

    /// Units that a tap is opened with.
    pub(crate) fn recent_wholes(&self) -> impl Iterator<Item = &Arc<Whole>> {
        self.ingesting.iter().flat_map(|own| &own.recent)
    }

    /// From here on viewers get no picture but those that are made.
    fn note_reordering(&mut self, link: &Link, now: Instant, outbox: &mut Outbox) {
        let first = self.layout.layers.first();
        if first.is_some_and(|layer| !layer.reordered) {
            if let Some(layer) = Arc::make_mut(&mut self.layout).layers.first_mut() {
                layer.reordered = true;
            }
            if let Some(ingesting) = &mut self.ingesting {
                ingesting.reordered_since = Some(now);
            }
            outbox.layers_changed(link.stream);
        }
    }

    /// Tells new and old viewers when there is no picture for them, and none to come.
    pub(super) fn judge_reordering(&mut self, link: &Link, now: Instant) {
        let is_for_viewers = self.layout.layers.iter().any(LayerFormat::is_for_viewers);
        let Some(ingesting) = &mut self.ingesting else {
            return;
        };
        if is_for_viewers || self.layout.layers.is_empty() {
            ingesting.reordered_since = None;
            link.shared.set_reordered(self.epoch, false);
            return;
        }
        let since = *ingesting.reordered_since.get_or_insert(now);
        if now >= since + ingesting.patience {
            link.shared.set_reordered(self.epoch, true);
        }
    }

    fn numbers(&mut self, source: Source) -> Option<&mut Numbers> {
        if let Source::Video(index) = source
            && let Some(making) = self.layers.get_mut(index)?.making.as_mut()
        {
            return making.numbers();
        }
        let ingesting = self.ingesting.as_mut()?;
        Some(match source {
            Source::Video(_) => &mut ingesting.video,
            Source::Audio => &mut ingesting.audio,
        })
    }
}

impl Ingesting {
    /// The number of a unit for the tap. One that was lost before it had one too.
    fn next_unit(&mut self, unit: &FedUnit) -> u64 {
        let units = match unit.source {
            Source::Video(_) => &mut self.video_units,
            Source::Audio => &mut self.audio_units,
        };
        *units += 1 + u64::from(unit.is_after_loss);
        *units
    }

    /// Keeps what a tap that is opened now would begin with.
    fn keep(&mut self, now: Instant, whole: &Arc<Whole>) {
        let is_picture = whole.track != Track::Audio;
        if is_picture && whole.keyframe {
            // Sound of that moment came before it.
            let is_of_moment =
                |w: &Arc<Whole>| w.track == Track::Audio && w.captured >= whole.decoded;
            self.recent.retain(is_of_moment);
            self.recent_bytes = self.recent.iter().map(|w| w.bytes.len()).sum();
        }
        self.recent.push_back(Arc::clone(whole));
        self.recent_bytes += whole.bytes.len();
        let is_old = |w: &Arc<Whole>| now.saturating_duration_since(w.decoded) > tap::FRESH;
        let is_over = self.recent.len() > MOST_RECENT || self.recent_bytes > MOST_RECENT_BYTES;
        if is_over || self.recent.front().is_some_and(is_old) {
            self.recent.clear();
            self.recent_bytes = 0;
        }
    }

    /// How many access units found no room, and when that was last seen.
    pub(super) fn dropping(&self) -> (u64, Option<Instant>) {
        (self.line.dropped(), self.lost_at)
    }
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            next_seq: FIRST_SEQ,
            timestamp: None,
            is_broken: false,
        }
    }

    /// The first number for the packets of the next access unit, and their timestamp; `None` when it is
    /// of no use. Two of one time are a tick apart.
    fn take(&mut self, timestamp: u32, begins: bool, packets: u64) -> Option<(u64, u32)> {
        let behind = |before: u32| timestamp.wrapping_sub(before).cast_signed();
        let timestamp = match self.timestamp.map(behind) {
            None | Some(1..) => Some(timestamp),
            Some(0) => Some(timestamp.wrapping_add(1)),
            // What was a tick too late is forgiven.
            Some(-1) => Some(timestamp.wrapping_add(2)),
            Some(_) => None,
        };
        self.is_broken = timestamp.is_none() || self.is_broken && !begins;
        let timestamp = timestamp.filter(|_| !self.is_broken)?;
        self.timestamp = Some(timestamp);
        let first = self.next_seq;
        self.next_seq += packets;
        Some((first, timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise_whatever_comes_and_what_goes_back_waits_for_a_key_frame() {
        let mut numbers = Numbers::new();
        let mut take = |timestamp, begins| numbers.take(timestamp, begins, 2);
        assert_eq!(take(100, true), Some((FIRST_SEQ, 100)));
        // Of one moment, as of an encoder that knows milliseconds only.
        assert_eq!(take(100, false), Some((FIRST_SEQ + 2, 101)));
        assert_eq!(take(100, false), Some((FIRST_SEQ + 4, 102)));
        assert_eq!(take(3_000, false), Some((FIRST_SEQ + 6, 3_000)));
        assert_eq!(take(50, false), None);
        assert_eq!(take(6_000, false), None, "it refers to what is missing");
        assert_eq!(take(9_000, true), Some((FIRST_SEQ + 8, 9_000)));
    }
}
