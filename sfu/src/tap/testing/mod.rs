//! A sender whose packets are as the payload formats have them, for tests. H264, VP8 and Opus (RFC
//! 6184, RFC 7741, RFC 7587) are here, other codecs in files of their own.

mod av1;
mod h265;
mod vp9;

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::ExtensionValues;

use crate::ids::StreamId;
use crate::packet::{LayerFormat, Layout, Origin, Packet, Slice, Source};
use crate::video::VideoCodec;

pub(crate) use av1::SEQUENCE as AV1_SEQUENCE;
pub(super) use av1::{av1_frame_header, with_size};
pub(crate) use h265::SETS as H265_SETS;
pub(super) use vp9::vp9_header;

/// Kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    /// Others may refer to it.
    Reference,
    /// None does.
    Disposable,
}

/// How parameter sets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sets {
    /// In one packet with the same timestamp, and with others.
    Aggregated,
    /// Each in a packet of its own, a moment before their picture.
    Before,
}

/// Sends pictures of one layer, or sound.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(super) source: Source,
    pub(crate) codec: VideoCodec,
    pub(super) seq: u64,
    pub(crate) timestamp: u32,
    pub(super) sets: Sets,
    /// Largest payload.
    pub(super) most: usize,
    /// `frame_num` of the next picture.
    frame_num: u32,
    /// VP8 or VP9 picture id of the next picture.
    pub(super) picture_id: Option<u16>,
    count: u32,
}

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(super) packets: Vec<Packet>,
    /// The access unit that is to come out.
    pub(crate) bytes: Vec<u8>,
    pub(super) kind: Kind,
}

/// Constrained baseline of x264 for 1280x720, `frame_num` in 4 bits.
pub(super) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x24, 0x80,
];
pub(super) const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

impl Sender {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            codec: VideoCodec::H264,
            seq: 7,
            timestamp: 1_000,
            sets: Sets::Aggregated,
            most: 1_000,
            frame_num: 0,
            picture_id: Some(0x7ff0),
            count: 0,
        }
    }

    /// The next picture, of slices or partitions of these sizes, `at` which its packets come. Time
    /// does not pass.
    pub(crate) fn picture(&mut self, kind: Kind, sizes: &[usize], at: Instant) -> Sent {
        self.count += 1;
        let mut sent = match self.codec {
            VideoCodec::H264 => self.slices(kind, sizes, at),
            VideoCodec::H265 => self.h265_slices(kind, sizes, at),
            VideoCodec::Vp9 => self.vp9_frame(kind, sizes, at),
            VideoCodec::Vp8 => self.partitions(kind, sizes, at),
            VideoCodec::Av1 => self.av1_unit(kind, sizes, at),
        };
        sent.packets.last_mut().expect("a packet").marker = true;
        sent
    }

    fn slices(&mut self, kind: Kind, slices: &[usize], at: Instant) -> Sent {
        let mut packets = Vec::new();
        let mut bytes = Vec::new();
        if kind == Kind::Key {
            self.frame_num = 0;
            self.send_sets(&mut packets, at);
            for set in [SPS, PPS] {
                bytes.extend([0, 0, 0, 1]);
                bytes.extend(set);
            }
        }
        for (number, size) in slices.iter().enumerate() {
            let unit = self.slice(kind, number, *size);
            bytes.extend([0, 0, 0, 1]);
            bytes.extend(&unit);
            self.send_unit(&unit, &mut packets, at);
        }
        if kind != Kind::Disposable {
            self.frame_num = (self.frame_num + 1) % 16;
        }
        Sent {
            packets,
            bytes,
            kind,
        }
    }

    /// A VP8 frame of 1280x720.
    fn partitions(&mut self, kind: Kind, partitions: &[usize], at: Instant) -> Sent {
        let header: &[u8] = match kind {
            Kind::Key => &[0xd0, 0x09, 0x02, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02],
            _ => &[0x31, 0x02, 0x00],
        };
        let first = [header, &self.count.to_be_bytes()].concat();
        let mut packets = Vec::new();
        let mut bytes = Vec::new();
        for (number, size) in partitions.iter().enumerate() {
            let mut partition = if number == 0 {
                first.clone()
            } else {
                Vec::new()
            };
            partition.resize(partition.len() + size, 0xee);
            bytes.extend(&partition);
            for (part, body) in partition.chunks(self.most - 4).enumerate() {
                let number = u8::try_from(number).expect("few partitions");
                let bits = u8::from(kind == Kind::Disposable) << 5 | u8::from(part == 0) << 4;
                let descriptor = match self.picture_id.map(u16::to_be_bytes) {
                    Some([high, low]) => vec![0x80 | bits | number, 0x80, 0x80 | high, low],
                    None => vec![bits | number],
                };
                packets.push(self.packet(&[&descriptor, body].concat(), at));
            }
        }
        self.picture_id = self.picture_id.map(|id| (id + 1) & 0x7fff);
        Sent {
            packets,
            bytes,
            kind,
        }
    }

    /// A packet of sound.
    pub(super) fn sound(&mut self, at: Instant) -> Sent {
        self.count += 1;
        let bytes = self.count.to_be_bytes().to_vec();
        Sent {
            packets: vec![self.packet(&bytes, at)],
            bytes,
            kind: Kind::Key,
        }
    }

    fn send_sets(&mut self, packets: &mut Vec<Packet>, at: Instant) {
        match self.sets {
            Sets::Aggregated => {
                let mut payload = vec![0x78];
                for set in [SPS, PPS] {
                    payload.extend(u16::try_from(set.len()).expect("short").to_be_bytes());
                    payload.extend(set);
                }
                packets.push(self.packet(&payload, at));
            }
            Sets::Before => {
                let timestamp = self.timestamp;
                self.timestamp = timestamp.wrapping_sub(90);
                packets.push(self.packet(SPS, at));
                packets.push(self.packet(PPS, at));
                self.timestamp = timestamp;
            }
        }
    }

    /// A slice whose header can be read, and whose bytes tell it from all others.
    fn slice(&self, kind: Kind, number: usize, size: usize) -> Vec<u8> {
        // first_mb_in_slice, slice_type, pic_parameter_set_id, frame_num, and ones up to a byte.
        let (first, second) = if number == 0 { (0b1, 1) } else { (0b010, 3) };
        let (nal, header, bits) = match kind {
            Kind::Key => (0x65, 0b1_0001, 8),
            Kind::Reference => (0x41, 0b1101, 6),
            Kind::Disposable => (0x01, 0b1101, 6),
        };
        let all: u32 = ((first << bits | header) << 4) | self.frame_num;
        let length = second + bits + 4;
        let padded = (all << (32 - length)) | ((1 << (32 - length)) - 1);
        let mut unit = vec![nal];
        unit.extend(padded.to_be_bytes());
        let count = self.count;
        unit.extend(
            [21, 14, 7, 0].map(|shift| u8::try_from(count >> shift & 0x7f).expect("7 bits") | 0x80),
        );
        unit.push(u8::try_from(number).expect("few slices") | 0x80);
        unit.resize(unit.len() + size, 0xee);
        unit
    }

    fn send_unit(&mut self, unit: &[u8], packets: &mut Vec<Packet>, at: Instant) {
        if unit.len() <= self.most {
            packets.push(self.packet(unit, at));
            return;
        }
        let (header, body) = unit.split_first().expect("a unit");
        let parts = body.chunks(self.most - 2).count();
        for (number, part) in body.chunks(self.most - 2).enumerate() {
            let start = u8::from(number == 0) << 7;
            let end = u8::from(number + 1 == parts) << 6;
            let fu = [(header & 0x60) | 28, start | end | (header & 0x1f)];
            packets.push(self.packet(&[&fu, part].concat(), at));
        }
    }

    pub(crate) fn packet(&mut self, payload: &[u8], at: Instant) -> Packet {
        self.seq += 1;
        Packet {
            source: self.source,
            seq: self.seq,
            timestamp: self.timestamp,
            marker: false,
            payload: Arc::from(payload),
            arrival: at,
            capture_us: None,
            wallclock: at,
            starts_keyframe: false,
            discardable: false,
            is_past: false,
            lead: None,
            vp8: None,
            extensions: ExtensionValues::default(),
        }
    }
}

/// A slice of a publisher with sound and so many layers of H264.
pub(super) fn slice(epoch: u32, layers: usize, packets: Vec<Packet>) -> Slice {
    slice_of(VideoCodec::H264, epoch, layers, packets)
}

/// A slice of a publisher with sound and so many layers.
pub(crate) fn slice_of(
    codec: VideoCodec,
    epoch: u32,
    layers: usize,
    packets: Vec<Packet>,
) -> Slice {
    let layer = |index: usize| LayerFormat {
        rid: Some(index.to_string()),
        codec,
        spec: spec(codec.for_str0m(), Frequency::NINETY_KHZ),
        size: None,
        origin: Origin::Sent,
        reordered: false,
    };
    let layout = Layout {
        layers: (0..layers).map(layer).collect(),
        audio: Some(spec(Codec::Opus, Frequency::FORTY_EIGHT_KHZ)),
        handed: None,
    };
    Slice {
        stream: StreamId::from(1),
        epoch,
        layout: Arc::new(layout),
        packets: packets.into_iter().map(Arc::new).collect(),
    }
}

fn spec(codec: Codec, clock_rate: Frequency) -> CodecSpec {
    CodecSpec {
        codec,
        clock_rate,
        channels: None,
        format: FormatParams::default(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
pub(crate) fn base() -> Instant {
    Instant::now()
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
