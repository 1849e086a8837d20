//! The frames between the server and its media-worker: length, kind, body.
//!
//! Both sides read them with a cap on the length and no trust in the rest.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::message::{Codec, FromWorker, Init, Part, Thumbnail, ToWorker, Unit};

/// Longest body.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Length and kind.
const HEAD: usize = 5;

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The other side is gone or the socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Longer than any frame may be.
    #[error("a frame of {0} bytes is longer than {MOST_BYTES}")]
    TooLong(usize),
    /// A kind that this side does not know.
    #[error("a frame of unknown kind {0}")]
    UnknownKind(u8),
    /// The body is not that of its kind.
    #[error("a frame of kind {0} is malformed")]
    Malformed(u8),
}

/// A frame that can be written and read.
pub(crate) trait Frame: Sized {
    /// Kind and body.
    fn encode(&self, body: &mut BytesMut) -> u8;

    fn decode(kind: u8, body: Bytes) -> Result<Self, FrameError>;

    /// The frame as it goes over the socket.
    fn to_bytes(&self) -> Bytes {
        let mut all = BytesMut::new();
        all.put_bytes(0, HEAD);
        let kind = self.encode(&mut all);
        let length = u32::try_from(all.len() - HEAD).unwrap_or(u32::MAX);
        let (mut head, _) = all.split_at_mut(HEAD);
        head.put_u32(length);
        head.put_u8(kind);
        all.freeze()
    }
}

/// Reads a frame; none at the end of the stream.
pub(crate) fn read<F: Frame>(from: &mut impl Read) -> Result<Option<F>, FrameError> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let (kind, length) = begin(head)?;
    let mut body = BytesMut::zeroed(length);
    from.read_exact(&mut body)?;
    F::decode(kind, body.freeze()).map(Some)
}

/// Reads frames without holding up a thread.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    from: R,
    read: BytesMut,
}

/// Read at once: parts of a usual stream come whole.
const AT_ONCE: usize = 64 * 1024;

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            read: BytesMut::new(),
        }
    }

    /// The next frame; none at the end of the stream. Cancel safe: what has been read of a frame
    /// stays for the next call.
    pub(crate) async fn next<F: Frame>(&mut self) -> Result<Option<F>, FrameError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            self.read.reserve(AT_ONCE);
            if self.from.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A frame that has been read whole.
    fn take<F: Frame>(&mut self) -> Result<Option<F>, FrameError> {
        let Some(head) = self.read.first_chunk() else {
            return Ok(None);
        };
        let (kind, length) = begin(*head)?;
        if self.read.len() < HEAD + length {
            return Ok(None);
        }
        let mut frame = self.read.split_to(HEAD + length);
        frame.advance(HEAD);
        F::decode(kind, frame.freeze()).map(Some)
    }
}

/// Kind and length of the body.
fn begin(head: [u8; HEAD]) -> Result<(u8, usize), FrameError> {
    let mut head = head.as_slice();
    let length = usize::try_from(head.get_u32()).unwrap_or(usize::MAX);
    let kind = head.get_u8();
    if length > MOST_BYTES {
        return Err(FrameError::TooLong(length));
    }
    Ok((kind, length))
}

const SETTINGS: u8 = 1;
const TRACK: u8 = 2;
const UNIT: u8 = 3;
const PING: u8 = 4;
const LADDER: u8 = 5;
const TO_OPUS: u8 = 6;
const INIT: u8 = 11;
const PART: u8 = 12;
const PROBLEM: u8 = 13;
const ALIVE: u8 = 14;
const THUMBNAIL: u8 = 15;
const MADE_UNIT: u8 = 16;

impl Frame for ToWorker {
    fn encode(&self, body: &mut BytesMut) -> u8 {
        match self {
            Self::Settings(settings) => {
                put_json(body, settings);
                SETTINGS
            }
            Self::Track(track) => {
                put_json(body, track);
                TRACK
            }
            Self::Ladder(ladder) => {
                put_json(body, ladder);
                LADDER
            }
            Self::ToOpus(job) => {
                put_json(body, job);
                TO_OPUS
            }
            Self::Unit(unit) => {
                put_unit(body, unit);
                UNIT
            }
            Self::Ping => PING,
        }
    }

    fn decode(kind: u8, mut body: Bytes) -> Result<Self, FrameError> {
        let malformed = || FrameError::Malformed(kind);
        match kind {
            SETTINGS => json(&body).map(Self::Settings).ok_or_else(malformed),
            TRACK => json(&body).map(Self::Track).ok_or_else(malformed),
            TO_OPUS => json(&body).map(Self::ToOpus).ok_or_else(malformed),
            LADDER => json(&body).map(Self::Ladder).ok_or_else(malformed),
            UNIT => unit(&mut body).map(Self::Unit).ok_or_else(malformed),
            PING => Ok(Self::Ping),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

impl Frame for FromWorker {
    fn encode(&self, body: &mut BytesMut) -> u8 {
        match self {
            Self::Init(init) => {
                body.put_u8(init.track);
                body.put_u8(u8::from(init.discontinuity));
                let at = body.len();
                body.put_u16(0);
                put_json(body, &init.media);
                let length = u16::try_from(body.len() - at - 2).unwrap_or_default();
                if let Some(place) = body.get_mut(at..at + 2) {
                    place.copy_from_slice(&length.to_be_bytes());
                }
                body.put_slice(&init.bytes);
                INIT
            }
            Self::Part(part) => {
                body.put_u8(part.track);
                body.put_u8(u8::from(part.independent) | u8::from(part.ends_segment) << 1);
                put_time(body, part.start);
                put_time(body, part.duration);
                body.put_u16(part.samples);
                body.put_slice(&part.bytes);
                PART
            }
            Self::Problem(words) => {
                body.put_slice(words.as_bytes());
                PROBLEM
            }
            Self::Alive => ALIVE,
            Self::Thumbnail(thumbnail) => {
                put_time(body, thumbnail.pts);
                body.put_slice(&thumbnail.jpeg);
                THUMBNAIL
            }
            Self::Unit(unit) => {
                put_unit(body, unit);
                MADE_UNIT
            }
        }
    }

    fn decode(kind: u8, mut body: Bytes) -> Result<Self, FrameError> {
        let malformed = || FrameError::Malformed(kind);
        match kind {
            INIT => init(&mut body).map(Self::Init).ok_or_else(malformed),
            PART => part(&mut body).map(Self::Part).ok_or_else(malformed),
            PROBLEM => {
                let words = std::str::from_utf8(&body).map_err(|_| malformed())?;
                Ok(Self::Problem(words.to_owned()))
            }
            ALIVE => Ok(Self::Alive),
            THUMBNAIL => {
                let pts = time(&mut body).ok_or_else(malformed)?;
                let jpeg = body;
                Ok(Self::Thumbnail(Thumbnail { pts, jpeg }))
            }
            MADE_UNIT => unit(&mut body).map(Self::Unit).ok_or_else(malformed),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

/// By the numbers that frames name them by.
const CODECS: [Codec; 7] = [
    Codec::H264,
    Codec::Opus,
    Codec::Aac,
    Codec::H265,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
];

fn put_unit(body: &mut BytesMut, unit: &Unit) {
    body.put_u8(unit.track);
    let codec = CODECS.iter().position(|codec| *codec == unit.codec);
    body.put_u8(
        codec
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX),
    );
    body.put_u8(u8::from(unit.keyframe));
    put_time(body, unit.pts);
    put_time(body, unit.dts);
    let (width, height) = unit.size.unwrap_or_default();
    body.put_u16(width);
    body.put_u16(height);
    body.put_slice(&unit.bytes);
}

fn unit(body: &mut Bytes) -> Option<Unit> {
    let track = body.try_get_u8().ok()?;
    let codec = *CODECS.get(usize::from(body.try_get_u8().ok()?))?;
    let flags = body.try_get_u8().ok()?;
    let pts = time(body)?;
    let dts = time(body)?;
    let size = (body.try_get_u16().ok()?, body.try_get_u16().ok()?);
    Some(Unit {
        track,
        codec,
        pts,
        dts,
        keyframe: flags & 1 == 1,
        size: (size != (0, 0)).then_some(size),
        bytes: body.split_off(0),
    })
}

fn init(body: &mut Bytes) -> Option<Init> {
    let track = body.try_get_u8().ok()?;
    let flags = body.try_get_u8().ok()?;
    let length = usize::from(body.try_get_u16().ok()?);
    if length > body.len() {
        return None;
    }
    let media = json(&body.split_to(length))?;
    Some(Init {
        track,
        media,
        discontinuity: flags & 1 == 1,
        bytes: body.split_off(0),
    })
}

fn part(body: &mut Bytes) -> Option<Part> {
    let track = body.try_get_u8().ok()?;
    let flags = body.try_get_u8().ok()?;
    Some(Part {
        track,
        start: time(body)?,
        duration: time(body)?,
        samples: body.try_get_u16().ok()?,
        independent: flags & 1 == 1,
        ends_segment: flags & 2 == 2,
        bytes: body.split_off(0),
    })
}

fn put_json(body: &mut BytesMut, value: &impl Serialize) {
    // These types have no maps with odd keys: serde_json cannot fail on them.
    if let Ok(json) = serde_json::to_vec(value) {
        body.put_slice(&json);
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn put_time(body: &mut BytesMut, time: Duration) {
    body.put_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

fn time(body: &mut Bytes) -> Option<Duration> {
    body.try_get_u64().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;
    use crate::message::{Ladder, Media, OpusJob, Rung, Settings, Track, TrackKind};

    fn round<F: Frame + PartialEq + std::fmt::Debug + Clone>(frame: F) {
        let bytes = frame.to_bytes();
        let mut socket = bytes.as_ref();
        assert_eq!(read::<F>(&mut socket).unwrap(), Some(frame));
        assert!(read::<F>(&mut socket).unwrap().is_none(), "the end");
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        round(ToWorker::Settings(Settings {
            part_ms: 333,
            segment_ms: 2_000,
            audio_bits_a_second: 128_000,
        }));
        round(ToWorker::Track(Track {
            id: 3,
            kind: TrackKind::Sound,
        }));
        let unit = Unit {
            track: 1,
            codec: Codec::Av1,
            pts: Duration::from_nanos(12_345_678_901),
            dts: Duration::from_nanos(12_279_012_234),
            keyframe: true,
            size: Some((1280, 720)),
            bytes: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        };
        round(ToWorker::Unit(unit.clone()));
        round(FromWorker::Unit(unit));
        round(ToWorker::ToOpus(OpusJob {
            track: 1,
            bits_a_second: 128_000,
        }));
        round(ToWorker::Ladder(Ladder {
            source: Codec::Vp8,
            frame_rate: 30,
            longest_group: Duration::from_secs(2),
            rungs: vec![Rung {
                track: 7,
                width: 640,
                height: 360,
                bits_a_second: 700_000,
                is_baseline: true,
            }],
        }));
        round(FromWorker::Init(Init {
            track: 1,
            media: Media::Video {
                codec: "avc1.42e01f".to_owned(),
                width: 1280,
                height: 720,
            },
            discontinuity: true,
            bytes: Bytes::from_static(b"ftyp"),
        }));
        round(FromWorker::Part(Part {
            track: 2,
            start: Duration::from_millis(1),
            duration: Duration::from_millis(333),
            samples: 10,
            independent: true,
            ends_segment: false,
            bytes: Bytes::from_static(b"moof"),
        }));
        round(FromWorker::Problem("no encoder".to_owned()));
        round(ToWorker::Ping);
        round(FromWorker::Alive);
        round(FromWorker::Thumbnail(Thumbnail {
            pts: Duration::from_millis(2_000),
            jpeg: Bytes::from_static(&[0xff, 0xd8]),
        }));
    }

    /// A socket that hands over one byte at a time, and nothing every other time it is asked.
    struct Slow {
        bytes: Bytes,
        is_ready: bool,
    }

    impl AsyncRead for Slow {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.is_ready = !self.is_ready;
            if !self.is_ready {
                return Poll::Pending;
            }
            let next = self.bytes.len().min(1);
            into.put_slice(&self.bytes.split_to(next));
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_read_that_is_given_up_loses_nothing() {
        let frames = [
            FromWorker::Problem("one".to_owned()),
            FromWorker::Alive,
            FromWorker::Problem("two".to_owned()),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_bytes()).collect();
        let mut reader = FrameReader::new(Slow {
            bytes: bytes.into(),
            is_ready: false,
        });
        let mut seen = Vec::new();
        loop {
            // Each future is polled once and dropped, as `select!` does.
            let polled = std::pin::pin!(reader.next::<FromWorker>())
                .poll(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Pending => {}
                Poll::Ready(frame) => match frame.unwrap() {
                    Some(frame) => seen.push(frame),
                    None => break,
                },
            }
        }
        assert_eq!(seen, frames);
    }

    #[test]
    fn a_frame_of_any_length_claimed_is_refused_before_it_is_held() {
        let mut socket: &[u8] = &[0xff, 0xff, 0xff, 0xff, UNIT];
        let refused = read::<ToWorker>(&mut socket);
        assert!(matches!(refused, Err(FrameError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ToWorker::decode(kind, Bytes::from(body.clone()));
            let _ = FromWorker::decode(kind, Bytes::from(body));
        }
    }
}
