//! Doors for the fuzz targets in `rtmp/fuzz` and for the replay of their corpus in `tests/corpus.rs`.
//!
//! Not part of the crate's face: hidden from its documentation and without promise. Each entry takes
//! bytes as a stranger could send them, and panics when a promise of the module that reads them is
//! broken.

use bytes::{Bytes, BytesMut};

use crate::amf0;
use crate::chunk::{ChunkError, ChunkReader, ChunkWriter, Message};
use crate::config::{Config, Limits};
use crate::flv::{Demuxer, VideoCodec, VideoUnit};
use crate::reordering::Reordering;
use crate::session::{Event, Refusal, Session};

/// Chunks, cut as the first byte says: they give what they give uncut, and all that is read can be
/// written and read again.
pub fn chunk(bytes: &[u8]) {
    let Some((&at_once, chunks)) = bytes.split_first() else {
        return;
    };
    let whole = read_chunks(chunks, chunks.len().max(1));
    let cut = read_chunks(chunks, usize::from(at_once).max(1));
    assert_eq!(whole, cut, "it matters how bytes come");
    let (writer, mut written) = (ChunkWriter::new(), BytesMut::new());
    for message in &whole.0 {
        writer.write(3, message, &mut written);
    }
    let again = read_chunks(&written, written.len().max(1));
    assert_eq!(again, (whole.0, None));
}

/// Values of a message: what is read can be written and read again.
pub fn amf0(bytes: &[u8]) {
    let Ok(values) = amf0::read(bytes) else {
        return;
    };
    let written = write_values(&values);
    // Compared as bytes, because a number may be none.
    if let Ok(again) = amf0::read(&written) {
        assert_eq!(write_values(&again), written);
    }
}

fn write_values(values: &[amf0::Value]) -> BytesMut {
    let mut written = BytesMut::new();
    for value in values {
        amf0::write(value, &mut written);
    }
    written
}

/// What a peer sends behind the handshake, in pieces as long as the lower bits of the first byte say.
/// Its requests are refused if the highest bit is set.
pub fn session(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let mut session = opened();
    let mut answered = 0_usize;
    for piece in bytes.chunks(usize::from(choice & 0x7f).max(1)) {
        if session.receive(piece).is_err() {
            return;
        }
        loop {
            match session.next_event() {
                Ok(Some(event)) => take(&mut session, &event, choice & 0x80 == 0),
                Ok(None) => break,
                Err(error) => {
                    let words = error.to_string();
                    let is_plain = !words.chars().any(char::is_control);
                    assert!(is_plain && words.len() < MOST_WORDS, "{words}");
                    assert!(session.is_over());
                    break;
                }
            }
        }
        answered = answered.saturating_add(session.take_output().len());
        assert!(
            answered
                <= bytes
                    .len()
                    .saturating_mul(MOST_GAIN)
                    .saturating_add(MOST_FIXED),
            "it can be made to say more than it hears"
        );
    }
}

/// A session behind its handshake.
fn opened() -> Session {
    let mut session = Session::new(Config::default());
    for piece in [&[3][..], &[0; 1_536], &[0; 1_536]] {
        assert_eq!(session.receive(piece), Ok(()));
    }
    assert!(session.is_open());
    let _ = session.take_output();
    session
}

fn take(session: &mut Session, event: &Event, is_accepted: bool) {
    match event {
        Event::PublishRequested(request) => {
            assert!(!request.key.reveal().is_empty());
            if is_accepted {
                session.accept();
                assert!(session.is_publishing());
            } else {
                session.refuse(&Refusal::BadName("no".to_owned()));
                assert!(session.is_over());
            }
        }
        Event::Video(unit) => check_unit(unit),
        Event::Audio(unit) => assert!(!unit.bytes.is_empty()),
        Event::Metadata(_) | Event::Unpublished => {}
    }
}

/// Tags, each behind a byte of which the lowest bit says that it is a picture, a timestamp of four
/// bytes and a length of two.
pub fn flv(mut script: &[u8]) {
    let (mut demuxer, mut reordering) = (Demuxer::default(), Reordering::default());
    let (mut pictures, mut sounds) = (0_u64, 0_u64);
    while let Some((&[kind, t3, t2, t1, t0, l1, l0], rest)) = script.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let (tag, rest) = rest.split_at(length.min(rest.len()));
        script = rest;
        let (timestamp, tag) = (
            u32::from_be_bytes([t3, t2, t1, t0]),
            Bytes::copy_from_slice(tag),
        );
        if kind & 1 == 0 {
            if let Ok(Some(unit)) = demuxer.audio(timestamp, &tag) {
                sounds = sounds.saturating_add(1);
                assert!(!unit.bytes.is_empty());
            }
        } else if let Ok(Some(unit)) = demuxer.video(timestamp, &tag) {
            pictures = pictures.saturating_add(1);
            check_unit(&unit);
            reordering.observe(&unit);
        }
    }
    let counts = demuxer.counts;
    assert_eq!((counts.video_units, counts.audio_units), (pictures, sounds));
}

/// A picture begins as its codec promises.
fn check_unit(unit: &VideoUnit) {
    match unit.codec {
        VideoCodec::H264 | VideoCodec::H265 => {
            assert!(unit.bytes.starts_with(&[0, 0, 0, 1]), "no start code");
        }
        VideoCodec::Vp9 => assert!(!unit.bytes.is_empty()),
        VideoCodec::Av1 => {
            let header = unit.bytes.first();
            assert!(header.is_some_and(|header| header & 2 != 0), "no size");
        }
    }
}

fn read_chunks(bytes: &[u8], at_once: usize) -> (Vec<Message>, Option<ChunkError>) {
    let limits = Limits::default();
    let mut reader = ChunkReader::new(limits);
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(at_once) {
        input.extend_from_slice(piece);
        loop {
            match reader.next(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(input.len() < 18, "only a header that is not whole stays");
        assert!(reader.buffered() <= limits.buffered_bytes.min(bytes.len()));
    }
    (messages, None)
}

/// Longest text of an error; it is shown to people.
const MOST_WORDS: usize = 300;
/// Bytes of answer for each byte heard: a ping or a command of a few bytes is answered by a little
/// more.
const MOST_GAIN: usize = 6;
/// What one connection and one publication are answered.
const MOST_FIXED: usize = 4_096;
