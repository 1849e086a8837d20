//! Media inside the SFU: RTP packets whose payload all viewers share.
//!
//! A publisher's shard decrypts and inspects each packet once and hands slices of them to every
//! shard. Nothing here is changed after it is made.

use std::sync::Arc;
use std::time::Instant;

use str0m::format::{Codec, CodecSpec};
use str0m::rtp::{ExtensionValues, Vp8Descriptor};

use crate::ids::StreamId;
use crate::tap::TapCodec;
use crate::video::VideoCodec;

/// RTP clock of video (RFC 3551 §5).
pub(crate) const VIDEO_CLOCK: u32 = 90_000;
/// RTP clock of Opus (RFC 7587 §4.1).
pub(crate) const AUDIO_CLOCK: u32 = 48_000;

/// Which track of a publisher a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Audio,
    /// Index into [`Layout::layers`].
    Video(usize),
}

/// One RTP packet from a publisher.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) source: Source,
    /// Extended sequence number of its source.
    pub(crate) seq: u64,
    /// RTP timestamp of its source, in the clock of its codec.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Arc<[u8]>,
    /// When it arrived here.
    pub(crate) arrival: Instant,
    /// Capture time on the publisher's clock by its sender reports (RFC 3550 §6.4.1), in µs.
    /// Comparable between the sources of one publisher.
    pub(crate) capture_us: Option<i64>,
    /// The capture time on this host's clock as far as known, else the arrival; never later than
    /// the arrival. Sender reports to viewers are made of it.
    pub(crate) wallclock: Instant,
    /// Opens a key frame.
    pub(crate) starts_keyframe: bool,
    /// No other frame needs this one.
    pub(crate) discardable: bool,
    /// Of pictures that are shown in another order than they are decoded, which no viewer gets: how many
    /// ticks later it is shown. The timestamp is then that of decoding.
    pub(crate) lead: Option<u32>,
    /// From another node's cache: for our cache, and not live.
    pub(crate) is_past: bool,
    pub(crate) vp8: Option<Vp8Descriptor>,
    /// Header extensions that speak of the media, and so go on to viewers (RFC 8285). Those that
    /// speak of the connection do not.
    pub(crate) extensions: ExtensionValues,
}

/// The extensions of an incoming packet that go on to viewers.
pub(crate) fn forwarded_extensions(incoming: &ExtensionValues) -> ExtensionValues {
    ExtensionValues {
        audio_level: incoming.audio_level,
        voice_activity: incoming.voice_activity,
        abs_capture_time: incoming.abs_capture_time,
        play_delay_min: incoming.play_delay_min,
        play_delay_max: incoming.play_delay_max,
        ..ExtensionValues::default()
    }
}

/// The tracks of one publisher, as its packets name them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) layers: Vec<LayerFormat>,
    /// As viewers get it.
    pub(crate) audio: Option<CodecSpec>,
    /// Of a publisher that is no peer: the tap gets what it hands over, and no packets.
    pub(crate) handed: Option<HandedOver>,
}

/// What is particular to a publisher that hands access units over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandedOver {
    /// Its sound.
    pub(crate) audio: Option<TapCodec>,
}

/// What is known of one layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerFormat {
    pub(crate) rid: Option<String>,
    pub(crate) codec: VideoCodec,
    pub(crate) spec: CodecSpec,
    /// Width and height in pixels, once seen.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) origin: Origin,
    /// Its pictures are shown in another order than they are decoded: no viewer can have them.
    pub(crate) reordered: bool,
}

/// Where a layer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The publisher sends it.
    Sent,
    /// The server makes it.
    Made,
    /// The server made it once. It keeps its place, so that all others keep theirs.
    Withdrawn,
}

impl Layout {
    /// Whether the publisher sent a packet itself, as a packet.
    pub(crate) fn is_sent(&self, packet: &Packet) -> bool {
        match packet.source {
            _ if self.handed.is_some() => false,
            Source::Audio => true,
            Source::Video(index) => {
                let layer = self.layers.get(index);
                layer.is_some_and(|layer| layer.origin == Origin::Sent)
            }
        }
    }
}

impl LayerFormat {
    /// Whether there is something of it for viewers.
    pub(crate) fn is_for_viewers(&self) -> bool {
        self.origin != Origin::Withdrawn && !self.reordered
    }

    /// Pixels in a picture, for ordering layers by what they really are.
    pub(crate) fn area(&self) -> u64 {
        self.size
            .map_or(0, |(width, height)| u64::from(width) * u64::from(height))
    }
}

/// Packets of one publisher that arrived together, for all shards.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) stream: StreamId,
    /// Counts the publishers of the stream: a new one starts new sources.
    pub(crate) epoch: u32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) packets: Vec<Arc<Packet>>,
}

impl VideoCodec {
    /// The name in SDP, in upper case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::H265 => "H265",
        }
    }

    pub(crate) fn for_str0m(self) -> Codec {
        match self {
            Self::H264 => Codec::H264,
            Self::Vp8 => Codec::Vp8,
            Self::Vp9 => Codec::Vp9,
            Self::Av1 => Codec::Av1,
            Self::H265 => Codec::H265,
        }
    }

    pub(crate) fn from_str0m(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self::H264),
            Codec::Vp8 => Some(Self::Vp8),
            Codec::Vp9 => Some(Self::Vp9),
            Codec::Av1 => Some(Self::Av1),
            Codec::H265 => Some(Self::H265),
            _ => None,
        }
    }
}
