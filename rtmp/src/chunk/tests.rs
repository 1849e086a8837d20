use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::config::Limits;

/// Writes chunks as an encoder may, of any format and in any order.
#[derive(Default)]
struct Chunks(BytesMut);

impl Chunks {
    fn basic(&mut self, format: u8, csid: u32) -> &mut Self {
        match csid {
            2..64 => self.0.put_u8(format << 6 | u8::try_from(csid).unwrap()),
            64..320 => {
                self.0.put_u8(format << 6);
                self.0.put_u8(u8::try_from(csid - 64).unwrap());
            }
            _ => {
                self.0.put_u8(format << 6 | 1);
                self.0.put_u16_le(u16::try_from(csid - 64).unwrap());
            }
        }
        self
    }

    fn full(&mut self, csid: u32, time: u32, kind: u8, length: u64, payload: &[u8]) -> &mut Self {
        self.basic(0, csid);
        self.0.put_uint(time.min(EXTENDED).into(), 3);
        self.0.put_uint(length, 3);
        self.0.put_u8(kind);
        self.0.put_u32_le(1);
        if time >= EXTENDED {
            self.0.put_u32(time);
        }
        self.0.put_slice(payload);
        self
    }

    fn same_stream(&mut self, csid: u32, step: u32, kind: u8, payload: &[u8]) -> &mut Self {
        self.basic(1, csid);
        self.0.put_uint(step.min(EXTENDED).into(), 3);
        self.0.put_uint(payload.len().try_into().unwrap(), 3);
        self.0.put_u8(kind);
        if step >= EXTENDED {
            self.0.put_u32(step);
        }
        self.0.put_slice(payload);
        self
    }

    fn same_length(&mut self, csid: u32, step: u32, payload: &[u8]) -> &mut Self {
        self.basic(2, csid);
        self.0.put_uint(step.into(), 3);
        self.0.put_slice(payload);
        self
    }

    fn more(&mut self, csid: u32, payload: &[u8]) -> &mut Self {
        self.basic(3, csid);
        self.0.put_slice(payload);
        self
    }

    fn extended(&mut self, csid: u32, time: u32, payload: &[u8]) -> &mut Self {
        self.basic(3, csid);
        self.0.put_u32(time);
        self.0.put_slice(payload);
        self
    }

    fn read(&self) -> Result<Vec<Message>, ChunkError> {
        let mut reader = ChunkReader::new(Limits::default());
        read_all(&mut reader, &self.0, self.0.len().max(1))
    }
}

fn read_all(
    reader: &mut ChunkReader,
    bytes: &[u8],
    at_once: usize,
) -> Result<Vec<Message>, ChunkError> {
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(at_once) {
        input.extend_from_slice(piece);
        while let Some(message) = reader.next(&mut input)? {
            messages.push(message);
        }
    }
    Ok(messages)
}

fn times(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| message.timestamp).collect()
}

/// Legal, and what `rml_rtmp` 0.8 dies of.
#[test]
fn interleaved_chunk_streams_are_told_apart() {
    let video: Vec<u8> = (0..300_u32).map(|n| n.to_be_bytes()[3]).collect();
    let mut chunks = Chunks::default();
    chunks
        .full(4, 40, kind::VIDEO, 300, &video[..128])
        .full(5, 41, kind::AUDIO, 10, &[7; 10])
        .more(4, &video[128..256])
        .same_stream(5, 23, kind::AUDIO, &[8; 11])
        .more(4, &video[256..]);
    for at_once in [1, 2, 7, 1_000] {
        let mut reader = ChunkReader::new(Limits::default());
        let messages = read_all(&mut reader, &chunks.0, at_once).unwrap();
        assert_eq!(times(&messages), [41, 64, 40]);
        assert_eq!(messages[1].payload, [8; 11][..]);
        assert_eq!(messages[1].stream, 1, "format 1 keeps the message stream");
        assert_eq!(messages[2].payload, video);
        assert_eq!(reader.buffered(), 0);
    }
}

#[test]
fn each_format_says_less_than_the_one_before() {
    let mut chunks = Chunks::default();
    chunks
        .full(70, 1_000, kind::AUDIO, 2, &[1, 1])
        .same_stream(70, 20, kind::AUDIO, &[2, 2, 2])
        .same_length(70, 30, &[3; 3])
        .more(70, &[4; 3])
        .full(4_000, 5, kind::AUDIO, 1, &[5])
        // Behind format 0, the difference is its timestamp (§5.3.1.2.4).
        .more(4_000, &[6]);
    let messages = chunks.read().unwrap();
    assert_eq!(times(&messages), [1_000, 1_020, 1_050, 1_080, 5, 10]);
    assert_eq!(messages[3].payload, [4; 3][..]);
}

#[test]
fn extended_timestamps_are_read_repeated_or_not() {
    let time = 0x0123_4567;
    let (first, second) = ([1; 128], [2; 72]);
    let mut repeated = Chunks::default();
    repeated
        .full(4, time, kind::VIDEO, 200, &first)
        .extended(4, time, &second);
    let mut left_out = Chunks::default();
    left_out
        .full(4, time, kind::VIDEO, 200, &first)
        .more(4, &second);
    let messages = repeated.read().unwrap();
    assert_eq!(times(&messages), [time]);
    assert_eq!(messages[0].payload, [&first[..], &second].concat());
    assert_eq!(left_out.read().unwrap(), messages);
}

#[test]
fn extended_steps_are_added_and_timestamps_wrap() {
    let mut chunks = Chunks::default();
    chunks
        .full(4, u32::MAX - 1, kind::AUDIO, 1, &[1])
        .same_stream(4, 0x0100_0000, kind::AUDIO, &[2])
        .extended(4, 0x0200_0000, &[3])
        .same_length(4, 2, &[4]);
    let messages = chunks.read().unwrap();
    let expected = [u32::MAX - 1, 0x00ff_fffe, 0x02ff_fffe, 0x0300_0000];
    assert_eq!(times(&messages), expected);
}

#[test]
fn chunk_sizes_hold_from_the_next_chunk_on() {
    let mut chunks = Chunks::default();
    chunks
        .full(4, 0, kind::VIDEO, 700, &[1; 128])
        .full(2, 0, kind::SET_CHUNK_SIZE, 4, &512_u32.to_be_bytes())
        .more(4, &[2; 512])
        .more(4, &[3; 60]);
    let messages = chunks.read().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].payload.len(), 700);
}

#[test]
fn chunk_sizes_out_of_range_are_refused() {
    for size in [0, 1, 127, 65_537, 0x8000_0000, u32::MAX] {
        let mut chunks = Chunks::default();
        chunks.full(2, 0, kind::SET_CHUNK_SIZE, 4, &size.to_be_bytes());
        let refused = chunks.read().unwrap_err();
        assert!(matches!(refused, ChunkError::ChunkSize { size: s, .. } if s == size));
    }
    let mut cut_short = Chunks::default();
    cut_short.full(2, 0, kind::SET_CHUNK_SIZE, 2, &[0, 128]);
    assert_eq!(cut_short.read(), Err(ChunkError::Control(1)));
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut chunks = Chunks::default();
    chunks
        .full(4, 0, kind::VIDEO, 300, &[1; 128])
        .full(2, 0, kind::ABORT, 4, &4_u32.to_be_bytes())
        .full(2, 0, kind::ABORT, 4, &99_u32.to_be_bytes())
        .full(4, 7, kind::VIDEO, 3, &[2; 3]);
    let messages = chunks.read().unwrap();
    assert_eq!(times(&messages), [7]);
    assert_eq!(messages[0].payload, [2; 3][..]);
}

#[test]
fn announced_lengths_are_bounded_by_type() {
    for (kind, length) in [
        (kind::VIDEO, 0xff_ffff),
        (kind::AUDIO, 0x04_0001),
        (kind::COMMAND_AMF0, 0x01_0001),
        (kind::DATA_AMF3, 0x01_0001),
        (kind::SET_CHUNK_SIZE, 0xffff),
        (255, 0x01_0001),
    ] {
        let mut chunks = Chunks::default();
        chunks.full(4, 0, kind, length, &[]);
        let refused = chunks.read().unwrap_err();
        assert!(
            matches!(refused, ChunkError::MessageLength { .. }),
            "{kind}"
        );
    }
}

#[test]
fn messages_that_never_end_are_bounded_together() {
    let limits = Limits {
        buffered_bytes: 1_000,
        ..Limits::default()
    };
    let mut chunks = Chunks::default();
    for csid in 3..11 {
        chunks.full(csid, 0, kind::VIDEO, 0x10_0000, &[0; 128]);
    }
    let mut reader = ChunkReader::new(limits);
    let refused = read_all(&mut reader, &chunks.0, 100).unwrap_err();
    assert_eq!(refused, ChunkError::Buffered(1_000));
}

#[test]
fn chunk_streams_are_bounded() {
    let mut chunks = Chunks::default();
    for csid in 3..20 {
        chunks.full(csid, 0, kind::AUDIO, 1, &[0]);
    }
    assert_eq!(chunks.read(), Err(ChunkError::ChunkStreams(16)));
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let mut nothing_before = Chunks::default();
    nothing_before.more(4, &[1]);
    let refused = ChunkError::NoHeader { csid: 4, format: 3 };
    assert_eq!(nothing_before.read(), Err(refused));
    let mut within = Chunks::default();
    within.full(4, 0, kind::VIDEO, 200, &[0; 128]);
    within.full(4, 0, kind::VIDEO, 200, &[0; 128]);
    assert_eq!(within.read(), Err(ChunkError::Unfinished(4)));
}

#[test]
fn messages_without_payload_are_messages() {
    let mut chunks = Chunks::default();
    chunks.full(4, 3, kind::AUDIO, 0, &[]).more(4, &[]);
    assert_eq!(times(&chunks.read().unwrap()), [3, 6]);
}

fn messages() -> impl Strategy<Value = Vec<(u8, Message)>> {
    let kinds = prop::sample::select(vec![kind::AUDIO, kind::VIDEO, kind::DATA_AMF0]);
    let payload = prop::collection::vec(any::<u8>(), 0..700);
    let message = (3_u8..10, kinds, any::<u32>(), any::<u32>(), payload);
    let message = message.prop_map(|(csid, kind, stream, timestamp, payload)| {
        let payload = payload.into();
        (
            csid,
            Message {
                kind,
                stream,
                timestamp,
                payload,
            },
        )
    });
    prop::collection::vec(message, 1..8)
}

proptest! {
    #[test]
    fn written_messages_are_read_again(
        messages in messages(),
        at_once in 1_usize..600,
    ) {
        let (writer, mut output) = (ChunkWriter::new(), BytesMut::new());
        for (csid, message) in &messages {
            writer.write(*csid, message, &mut output);
        }
        let mut reader = ChunkReader::new(Limits::default());
        let read = read_all(&mut reader, &output, at_once).unwrap();
        let written: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        prop_assert_eq!(read, written);
        prop_assert_eq!(reader.buffered(), 0);
    }

    #[test]
    fn any_order_of_chunks_gives_the_same_messages(
        lengths in prop::collection::vec(0_usize..900, 2..9),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 64),
        at_once in 1_usize..200,
    ) {
        let payload = |n: usize, length: usize| vec![u8::try_from(n).unwrap(); length];
        let mut left: Vec<_> = lengths.iter().enumerate().map(|(n, l)| (n, 0, payload(n, *l))).collect();
        let (mut chunks, mut turns) = (Chunks::default(), turns.into_iter());
        while !left.is_empty() {
            let at = turns.next().map_or(0, |turn| turn.index(left.len()));
            let (n, sent, payload) = &mut left[at];
            let csid = u32::try_from(*n + 3).unwrap();
            let end = (*sent + 128).min(payload.len());
            let piece = payload[*sent..end].to_vec();
            if *sent == 0 {
                chunks.full(csid, 9, kind::VIDEO, payload.len() as u64, &piece);
            } else {
                chunks.more(csid, &piece);
            }
            *sent = end;
            if end == payload.len() {
                left.remove(at);
            }
        }
        let mut reader = ChunkReader::new(Limits::default());
        let mut read: Vec<_> = read_all(&mut reader, &chunks.0, at_once).unwrap();
        read.sort_by_key(|message| (message.payload.first().copied(), message.payload.len()));
        let mut written: Vec<_> = lengths.iter().enumerate().map(|(n, l)| payload(n, *l)).collect();
        written.sort_by_key(|payload| (payload.first().copied(), payload.len()));
        prop_assert_eq!(read.into_iter().map(|m| m.payload.to_vec()).collect::<Vec<_>>(), written);
    }

    #[test]
    fn how_bytes_are_cut_changes_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        at_once in 1_usize..50,
    ) {
        let whole = read_all(&mut ChunkReader::new(Limits::default()), &bytes, 400);
        let cut = read_all(&mut ChunkReader::new(Limits::default()), &bytes, at_once);
        prop_assert_eq!(whole.is_err(), cut.is_err());
        if let (Ok(whole), Ok(cut)) = (whole, cut) {
            prop_assert_eq!(whole, cut);
        }
    }
}
