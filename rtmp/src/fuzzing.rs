//! Doors for the fuzz targets in `rtmp/fuzz` and for the replay of their corpus in `tests/corpus.rs`.
//!
//! Not part of the crate's face: hidden from its documentation and without promise. Each entry takes
//! bytes as a stranger could send them, and panics when a promise of the module that reads them is
//! broken.

use bytes::BytesMut;

use crate::amf0;
use crate::chunk::{ChunkError, ChunkReader, ChunkWriter, Message};
use crate::config::Limits;

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
