//! Messages to chunks.

use bytes::{BufMut, Bytes, BytesMut};

use super::{EXTENDED, FIRST_CHUNK_SIZE, Message};

/// Writes each message with a header of format 0 (§5.3.1.2.1): our answers are few, and every reader
/// knows that format.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    chunk_size: usize,
}

impl ChunkWriter {
    pub(crate) fn new() -> Self {
        Self {
            chunk_size: FIRST_CHUNK_SIZE,
        }
    }

    /// From here on. The message that tells the reader must have been written before.
    pub(crate) fn set_chunk_size(&mut self, size: u32) {
        self.chunk_size = usize::try_from(size).unwrap_or(FIRST_CHUNK_SIZE);
    }

    /// `csid` is one of 2..=63.
    pub(crate) fn write(&self, csid: u8, message: &Message, output: &mut BytesMut) {
        let mut pieces = message.payload.chunks(self.chunk_size.max(1));
        Self::header(csid, message, output);
        output.put_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            output.put_u8(0xc0 | csid);
            if message.timestamp >= EXTENDED {
                output.put_u32(message.timestamp);
            }
            output.put_slice(piece);
        }
    }

    fn header(csid: u8, message: &Message, output: &mut BytesMut) {
        output.put_u8(csid);
        output.put_uint(message.timestamp.min(EXTENDED).into(), 3);
        output.put_uint(length(&message.payload), 3);
        output.put_u8(message.kind);
        output.put_u32_le(message.stream);
        if message.timestamp >= EXTENDED {
            output.put_u32(message.timestamp);
        }
    }
}

/// What we write is short.
fn length(payload: &Bytes) -> u64 {
    u64::try_from(payload.len()).unwrap_or_default()
}
