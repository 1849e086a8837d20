//! Packets of access units that are handed over: of layers that the server makes, and of publishers
//! that are no peers of ours.

use std::sync::Arc;
use std::time::Instant;

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::ExtensionValues;

use super::arriving::{Arrived, LayerIn, TrackIn};
use super::capture_clock::CaptureClock;
use super::publisher::Publisher;
use super::{Link, Outbox};
use crate::config::Config;
use crate::fed::{FedUnit, Line};
use crate::ingest::{Ingest, IngestTracks};
use crate::packet::{AUDIO_CLOCK, LayerFormat, Origin, Packet, Source, VIDEO_CLOCK};
use crate::packetise::packetise;
use crate::video::{self, VideoCodec};

/// What a publisher has that is no peer: all of its packets are made of what is handed over.
#[derive(Debug)]
pub(super) struct Ingesting {
    line: Arc<Line>,
    /// When something after a loss came.
    lost_at: Option<Instant>,
    video: Numbers,
    audio: Numbers,
}

/// Sequence numbers of packets that are made here.
#[derive(Debug)]
pub(super) struct Numbers {
    next_seq: u64,
    timestamp: Option<u32>,
    /// Whether something is missing since the last key frame.
    is_broken: bool,
}

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
        if tracks.video {
            layout.layers.push(LayerFormat {
                rid: None,
                codec: VideoCodec::H264,
                spec: h264(),
                size: None,
                origin: Origin::Sent,
            });
            let track = TrackIn::new(now, FIRST_SEQ, 0, VIDEO_CLOCK, None);
            let layer = LayerIn::new(now, None, track, publisher.request_interval);
            publisher.layers.push(layer);
        }
        if tracks.audio {
            layout.audio = Some(opus());
            publisher.audio = Some(TrackIn::new(now, FIRST_SEQ, 0, AUDIO_CLOCK, None));
        }
        publisher.ingesting = Some(Ingesting {
            line,
            lost_at: None,
            video: Numbers::new(),
            audio: Numbers::new(),
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
        let (payloads, clock) = match unit.source {
            Source::Video(_) => (packetise(&unit.bytes), VIDEO_CLOCK),
            Source::Audio => (vec![Arc::from(&unit.bytes[..])], AUDIO_CLOCK),
        };
        let timestamp = self.clock.timestamp_of(unit.captured, clock);
        let is_video = unit.source != Source::Audio;
        let inspect = |payload: &Arc<[u8]>| match is_video {
            true => video::inspect(VideoCodec::H264, payload),
            false => video::PayloadFacts::default(),
        };
        let facts: Vec<_> = payloads.iter().map(inspect).collect();
        let begins = !is_video || facts.iter().any(|facts| facts.starts_keyframe);
        let count = payloads.len();
        if let Some(ingesting) = self.ingesting.as_mut().filter(|_| unit.is_after_loss) {
            ingesting.lost_at = Some(now);
        }
        let Some(numbers) = self.numbers(unit.source) else {
            return;
        };
        numbers.is_broken |= unit.is_after_loss;
        let Some(first_seq) = numbers.take(timestamp, begins, count as u64) else {
            return;
        };
        let is_own = self.ingesting.is_some();
        if is_own {
            link.last_received = now;
            self.note_flow(link, now, outbox);
        }
        let packets = payloads.into_iter().zip(facts).enumerate();
        for ((number, (payload, facts)), seq) in packets.zip(first_seq..) {
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
                capture_us: is_own.then(|| self.clock.capture_us(unit.captured)),
                wallclock: unit.captured.min(now),
                starts_keyframe,
                discardable: facts.discardable,
                vp8: None,
                extensions: ExtensionValues::default(),
            }));
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

    /// The first number for the packets of the next access unit; `None` when it is of no use.
    fn take(&mut self, timestamp: u32, begins: bool, packets: u64) -> Option<u64> {
        let is_later = |before: u32| timestamp.wrapping_sub(before).cast_signed() > 0;
        let rises = self.timestamp.is_none_or(is_later);
        self.is_broken = !rises || self.is_broken && !begins;
        if self.is_broken {
            return None;
        }
        self.timestamp = Some(timestamp);
        let first = self.next_seq;
        self.next_seq += packets;
        Some(first)
    }
}

/// What every browser decodes; the bit stream says the rest.
fn h264() -> CodecSpec {
    CodecSpec {
        codec: Codec::H264,
        clock_rate: Frequency::NINETY_KHZ,
        channels: None,
        format: FormatParams {
            level_asymmetry_allowed: Some(true),
            packetization_mode: Some(1),
            profile_level_id: Some(0x42_e0_1f),
            ..FormatParams::default()
        },
    }
}

fn opus() -> CodecSpec {
    CodecSpec {
        codec: Codec::Opus,
        clock_rate: Frequency::FORTY_EIGHT_KHZ,
        channels: Some(2),
        format: FormatParams::default(),
    }
}
