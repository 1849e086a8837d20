//! Who taps a stream of packets that nobody promised anything of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::ExtensionValues;

use super::base;
use crate::ids::StreamId;
use crate::packet::{LayerFormat, Layout, Origin, Packet, Slice, Source};
use crate::tap::{AccessUnit, Portion, Reader, Tapped, Track};
use crate::video::{Av1Obu, Av1ObuKind, VideoCodec, Vp8Header, Vp9Header};

/// A script of packets, each behind its step, to who taps a stream.
pub fn tap(script: &[u8]) {
    let mut upstream = Upstream::default();
    let mut reader = Reader::new(base());
    let mut heard = BTreeMap::new();
    let mut rest = script;
    while let Some((step, tail)) = rest.split_first_chunk::<6>() {
        let (payload, tail) = tail.split_at(usize::from(step[5]).min(tail.len()));
        rest = tail;
        let slice = Arc::new(upstream.next(step, payload));
        reader.take_portion(&Portion::Slice(slice));
        listen(&mut reader, &mut heard);
    }
    reader.finish();
    listen(&mut reader, &mut heard);
}

/// Makes slices out of the steps of a script.
#[derive(Default)]
struct Upstream {
    epoch: u32,
    seq: u64,
    timestamp: u32,
    passed: Duration,
    layout: Arc<Layout>,
}

impl Upstream {
    /// A step: track, marker and delay, the distances in number, time and arrival, and how long the
    /// payload is.
    fn next(&mut self, step: &[u8; 6], payload: &[u8]) -> Slice {
        let [what, seq, time_high, time_low, later, _] = *step;
        let source = match what & 7 {
            0 => Source::Audio,
            // It begins an epoch too.
            7 => Source::Video(VP8_LAYER),
            layer => Source::Video(usize::from(layer) - 1),
        };
        if what & 7 == 7 || self.epoch == 0 {
            self.epoch += 1;
            self.layout = Arc::new(layout());
        }
        self.seq = self.seq.saturating_add_signed(seq.cast_signed().into());
        let ticks = i32::from(i16::from_be_bytes([time_high, time_low]));
        // In steps of a millisecond at 90 kHz, so that a script reaches all of them.
        self.timestamp = self.timestamp.wrapping_add_signed(ticks.wrapping_mul(90));
        self.passed += Duration::from_millis(later.into());
        let arrival = base() + self.passed;
        let delay = Duration::from_millis(u64::from(what >> 5) * 50);
        let packet = Packet {
            source,
            seq: self.seq,
            timestamp: self.timestamp,
            marker: what & 8 != 0,
            payload: Arc::from(payload),
            arrival,
            capture_us: (what & 16 != 0).then_some(0),
            wallclock: arrival.checked_sub(delay).unwrap_or(arrival),
            starts_keyframe: false,
            discardable: false,
            is_past: false,
            lead: None,
            vp8: None,
            extensions: ExtensionValues::default(),
        };
        Slice {
            stream: StreamId::from(1),
            epoch: self.epoch,
            layout: Arc::clone(&self.layout),
            packets: vec![Arc::new(packet)],
        }
    }
}

/// The layers that are tapped.
pub(super) const LAYERS: [VideoCodec; 6] = [
    VideoCodec::H264,
    VideoCodec::H264,
    VideoCodec::Vp8,
    VideoCodec::H265,
    VideoCodec::Vp9,
    VideoCodec::Av1,
];
/// Which of them holds VP8.
const VP8_LAYER: usize = 2;

pub(super) fn layout() -> Layout {
    let spec = |codec, clock_rate| CodecSpec {
        codec,
        clock_rate,
        channels: None,
        format: FormatParams::default(),
    };
    let layer = |codec: VideoCodec| LayerFormat {
        rid: None,
        codec,
        spec: spec(codec.for_str0m(), Frequency::NINETY_KHZ),
        size: None,
        origin: Origin::Sent,
        reordered: false,
    };
    Layout {
        layers: LAYERS.map(layer).to_vec(),
        audio: Some(spec(Codec::Opus, Frequency::FORTY_EIGHT_KHZ)),
        handed: None,
    }
}

/// Takes what was made. `heard` has the time of each track's newest unit.
fn listen(reader: &mut Reader, heard: &mut BTreeMap<Track, Duration>) {
    while let Some(tapped) = reader.next() {
        let Tapped::Unit(unit) = tapped else {
            continue;
        };
        let is_first = !heard.contains_key(&unit.track);
        let before = heard.insert(unit.track, unit.pts);
        assert!(before.is_none_or(|before| unit.pts > before), "time rises");
        assert!(unit.keyframe || !is_first, "it begins with a key frame");
        if let Track::Video(layer) = unit.track
            && let Some(codec) = LAYERS.get(layer)
        {
            check_unit(*codec, &unit);
        }
    }
}

fn check_unit(codec: VideoCodec, unit: &AccessUnit) {
    assert!(unit.size.is_none() || unit.keyframe);
    match codec {
        VideoCodec::H264 => {
            assert!(unit.bytes.starts_with(&[0, 0, 0, 1]), "a start code");
        }
        VideoCodec::H265 => {
            assert!(unit.bytes.starts_with(&[0, 0, 0, 1]), "a start code");
            let begins = unit.bytes.get(4).map(|header| header >> 1 & 0x3f);
            assert!(!unit.keyframe || begins == Some(32), "begins with its VPS");
        }
        VideoCodec::Vp8 => {
            let header = Vp8Header::parse(&unit.bytes);
            assert_eq!(header.map(|h| h.is_keyframe), Some(unit.keyframe));
            assert_eq!(unit.size.is_some(), unit.keyframe);
        }
        VideoCodec::Vp9 => {
            let header = Vp9Header::parse(&unit.bytes);
            assert!(header.is_some_and(|h| h.is_key || !unit.keyframe));
            assert_eq!(unit.size.is_some(), unit.keyframe);
        }
        VideoCodec::Av1 => check_temporal_unit(unit),
    }
}

/// Each OBU has its size, and a key frame its sequence header.
fn check_temporal_unit(unit: &AccessUnit) {
    let mut rest = &unit.bytes[..];
    let mut kinds = Vec::new();
    while let Some(obu) = Av1Obu::parse(rest) {
        kinds.push(obu.kind());
        let mut written = Vec::new();
        obu.write(&mut written);
        let tail = rest.strip_prefix(&written[..]);
        assert!(tail.is_some(), "an OBU without its size");
        rest = tail.unwrap_or_default();
    }
    assert!(rest.is_empty(), "no OBU is cut");
    assert!(!kinds.contains(&Av1ObuKind::TemporalDelimiter));
    assert!(kinds.contains(&Av1ObuKind::Frame));
    let first = kinds.first();
    assert!(!unit.keyframe || first == Some(&Av1ObuKind::SequenceHeader));
}
