//! [`Tap`]: whole access units of a stream, for packaging.
//!
//! A shard hands the publisher's slices over through a [`Feed`], a bounded channel into which it
//! never waits: what finds no room is lost and counted, and forwarding goes on. All else, from the
//! order of packets to the clock that picture and sound share, happens on the listener's task
//! (`reader`). What a publisher hands over as access units goes the same way as it is (`whole`).
//!
//! While a stream is tapped, key frames of all its layers are asked for together, so that segments of
//! all renditions begin together.

mod assembler;
mod av1;
mod clock;
mod h264;
mod h265;
mod nal;
mod parameter_sets;
mod picture;
mod picture_ids;
mod reader;
mod reorder;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod vp8;
mod vp9;
mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ids::StreamId;
use crate::packet::{Slice, Source};
use crate::registry::StreamShared;
use crate::shard::Message;
use crate::stats::count_by;
use crate::thread::{Mailbox, Parcel};
use crate::video::VideoCodec;

pub(crate) use picture::short_sides;
pub(crate) use reader::Reader;
pub(crate) use whole::Whole;

/// Listens to one stream. Dropping it ends that, and the requests for key frames.
#[derive(Debug)]
pub struct Tap {
    portions: mpsc::Receiver<Portion>,
    reader: Reader,
    zero: Instant,
    line: RequestLine,
    is_over: bool,
}

/// What a tap gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tapped {
    /// The publisher's tracks, before any unit of them: first, and again when one is added, or
    /// changes its codec, or another publisher came.
    Tracks(Vec<TapTrack>),
    /// The next access unit. Units of one track come in the order in which they are decoded.
    Unit(AccessUnit),
}

/// A track of the publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapTrack {
    /// What its units are known by.
    pub track: Track,
    /// What it holds.
    pub codec: TapCodec,
    /// RTP stream id of a simulcast layer (RFC 8851).
    pub rid: Option<String>,
    /// Width and height in pixels, where the bit stream has told them by now.
    pub size: Option<(u32, u32)>,
    /// Whether its pictures are shown in another order than they are decoded (B-frames).
    pub reordered: bool,
}

/// Names a track of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// The sound.
    Audio,
    /// A simulcast layer, or the only picture, by its place among the publisher's layers; in no
    /// order of size.
    Video(usize),
}

/// The codec of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TapCodec {
    /// RFC 6716; a unit is a packet.
    Opus,
    /// ISO/IEC 14496-3; a unit is a frame with its ADTS header (§1.A.3.2).
    Aac,
    /// ITU-T H.264; a unit is an access unit with start codes (annex B), key frames with their parameter
    /// sets in front.
    H264,
    /// ITU-T H.265; a unit is an access unit of the base layer with start codes (annex B), key frames
    /// (IRAP) with their video, sequence and picture parameter sets in front.
    H265,
    /// RFC 6386; a unit is a frame, without any payload descriptor.
    Vp8,
    /// RFC 9628; a unit is a frame, without any payload descriptor. Of several spatial layers it is the
    /// lowest, and a key frame has that one's size.
    Vp9,
    /// AOM "RTP Payload Format for AV1"; a unit is a temporal unit of OBUs that all have their size
    /// fields (AV1 §5), without temporal delimiters, key frames with their sequence header in front.
    Av1,
}

/// A picture, or a packet of sound, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// The track that it belongs to.
    pub track: Track,
    /// When it is decoded, since [`Tap::zero`]. It rises from unit to unit of a track.
    pub dts: Duration,
    /// When it was captured, and is shown or heard, since [`Tap::zero`]: one clock for all tracks, and
    /// over all publishers of the stream. Where pictures are not reordered it is `dts`, else it is not
    /// before it.
    pub pts: Duration,
    /// Whether decoding can begin here. It always can with sound.
    pub keyframe: bool,
    /// Width and height in pixels of a key frame.
    pub size: Option<(u16, u16)>,
    /// Its bytes, as [`TapCodec`] has them.
    pub bytes: Bytes,
}

/// A shard's end of a tap. The listener is gone when it is closed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    portions: mpsc::Sender<Portion>,
    lost: Arc<AtomicU64>,
}

/// What goes through a tap.
#[derive(Debug, Clone)]
pub(crate) enum Portion {
    Slice(Arc<Slice>),
    Whole(Arc<Whole>),
}

/// How a tap asks for key frames.
#[derive(Debug)]
pub(crate) struct RequestLine {
    pub(crate) stream: StreamId,
    pub(crate) shared: Arc<StreamShared>,
    pub(crate) mailboxes: Vec<Mailbox>,
}

/// Slices or units that may wait for the listener: a second or two. What comes when it is full is lost, and
/// the tap goes on at the next key frame.
const QUEUE: usize = 512;
/// How far the zero lies before the tap, so that what was captured before it has a time too.
pub(crate) const LEAD: Duration = Duration::from_secs(3);
/// A cached group that is no older opens the tap.
pub(crate) const FRESH: Duration = Duration::from_secs(2);

impl Tap {
    /// A tap and what feeds it, for a stream of which nothing is known before `zero`.
    pub(crate) fn new(zero: Instant, line: RequestLine) -> (Self, Feed) {
        let (feed, portions) = Feed::open();
        let tap = Self {
            portions,
            reader: Reader::new(zero),
            zero,
            line,
            is_over: false,
        };
        (tap, feed)
    }

    /// What [`AccessUnit::pts`] counts from: some seconds before the tap began.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// The next of the stream. `None` when it has ended, or another tap has replaced this one.
    ///
    /// Who does not call it for long loses packets, and with them pictures up to the next key frame.
    /// Cancel safe: nothing is lost when the call is dropped.
    pub async fn next(&mut self) -> Option<Tapped> {
        loop {
            if let Some(tapped) = self.reader.next() {
                return Some(tapped);
            }
            if self.is_over {
                return None;
            }
            match self.portions.recv().await {
                Some(portion) => self.reader.take_portion(&portion),
                None => {
                    self.reader.finish();
                    self.is_over = true;
                }
            }
            // One that does not listen is asked by its shard, now and then.
            if self.reader.take_request() && self.line.shared.answers_pli() != Some(false) {
                self.want_keyframes();
            }
        }
    }

    /// Asks for a key frame of every layer. Requests are coalesced with those of viewers.
    pub fn want_keyframes(&self) {
        let RequestLine {
            stream,
            shared,
            mailboxes,
        } = &self.line;
        let shard = shared.publisher_shard();
        if let Some(mailbox) = shard.and_then(|shard| mailboxes.get(shard)) {
            let message = Message::Keyframes { stream: *stream };
            // Full: what is lost there costs viewers key frames, who ask for them too.
            let _ = mailbox.send(Parcel::Message(message));
        }
    }
}

impl Feed {
    /// A feed and where its slices come out.
    pub(crate) fn open() -> (Self, mpsc::Receiver<Portion>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let feed = Self {
            portions: sender,
            lost: Arc::default(),
        };
        (feed, receiver)
    }

    /// Hands packets or a unit over, or counts them as lost in `total` too. Never waits.
    pub(crate) fn offer(&self, portion: Portion, total: &AtomicU64) {
        if let Err(TrySendError::Full(portion)) = self.portions.try_send(portion) {
            let packets = match portion {
                Portion::Slice(slice) => slice.packets.len() as u64,
                Portion::Whole(_) => 1,
            };
            count_by(&self.lost, packets);
            count_by(total, packets);
        }
    }

    /// Packets and units that were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether somebody listens.
    pub(crate) fn is_open(&self) -> bool {
        !self.portions.is_closed()
    }
}

impl From<Source> for Track {
    fn from(source: Source) -> Self {
        match source {
            Source::Audio => Self::Audio,
            Source::Video(index) => Self::Video(index),
        }
    }
}

impl TapCodec {
    /// Among those of pictures.
    pub(crate) fn video(self) -> Option<VideoCodec> {
        match self {
            Self::Opus | Self::Aac => None,
            Self::H264 => Some(VideoCodec::H264),
            Self::H265 => Some(VideoCodec::H265),
            Self::Vp8 => Some(VideoCodec::Vp8),
            Self::Vp9 => Some(VideoCodec::Vp9),
            Self::Av1 => Some(VideoCodec::Av1),
        }
    }
}

impl From<VideoCodec> for TapCodec {
    fn from(codec: VideoCodec) -> Self {
        match codec {
            VideoCodec::H264 => Self::H264,
            VideoCodec::H265 => Self::H265,
            VideoCodec::Vp8 => Self::Vp8,
            VideoCodec::Vp9 => Self::Vp9,
            VideoCodec::Av1 => Self::Av1,
        }
    }
}
