//! The chunk stream (RTMP 1.0 §5.3): messages of several chunk streams, cut into chunks and
//! interleaved.
//!
//! [`ChunkReader`] keeps a buffer for each chunk stream and obeys the two messages that are about
//! chunks themselves, `Set Chunk Size` and `Abort Message`. [`ChunkWriter`] writes our few answers.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;

pub use reader::ChunkError;
pub(crate) use reader::ChunkReader;
pub(crate) use writer::ChunkWriter;

/// A whole message (§6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// `message type id`, see [`kind`].
    pub(crate) kind: u8,
    /// `message stream id`: 0 for the connection.
    pub(crate) stream: u32,
    /// Milliseconds, which wrap.
    pub(crate) timestamp: u32,
    pub(crate) payload: Bytes,
}

/// Message types (§5.4, §7.1).
pub(crate) mod kind {
    pub(crate) const SET_CHUNK_SIZE: u8 = 1;
    pub(crate) const ABORT: u8 = 2;
    pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
    pub(crate) const USER_CONTROL: u8 = 4;
    pub(crate) const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    pub(crate) const SET_PEER_BANDWIDTH: u8 = 6;
    pub(crate) const AUDIO: u8 = 8;
    pub(crate) const VIDEO: u8 = 9;
    pub(crate) const DATA_AMF3: u8 = 15;
    pub(crate) const COMMAND_AMF3: u8 = 17;
    pub(crate) const DATA_AMF0: u8 = 18;
    pub(crate) const COMMAND_AMF0: u8 = 20;
    pub(crate) const AGGREGATE: u8 = 22;
}

/// Chunk size until a `Set Chunk Size` (§5.4.1).
const FIRST_CHUNK_SIZE: usize = 128;
/// What a timestamp field holds when the extended timestamp has the value (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;
