//! Chunks to messages.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};

use super::{EXTENDED, FIRST_CHUNK_SIZE, Message, kind};
use crate::config::Limits;

/// Puts messages together. Memory for a message grows with what has come of it, not with what was
/// announced, and with all messages together no further than [`Limits::buffered_bytes`].
#[derive(Debug)]
pub(crate) struct ChunkReader {
    limits: Limits,
    chunk_size: usize,
    streams: BTreeMap<u32, ChunkStream>,
    /// The chunk whose payload is being read, and how much of it is missing.
    open: Option<(u32, usize)>,
    buffered: usize,
}

/// Why chunks cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// §5.4.1 has sizes up to 2^31 - 1; small ones cost time, large ones memory.
    #[error(
        "chunk size {size} is not between {least} and {most}; set the encoder's RTMP chunk size to 4096"
    )]
    ChunkSize {
        /// What was asked for.
        size: u32,
        /// Smallest that is taken.
        least: u32,
        /// Largest that is taken.
        most: u32,
    },
    /// More chunk streams than an encoder has use for.
    #[error("more than {0} chunk streams in one connection")]
    ChunkStreams(usize),
    /// A message longer than its type may be.
    #[error(
        "a message of type {kind} announces {length} bytes, more than {most}; if it is a picture, lower the encoder's bitrate"
    )]
    MessageLength {
        /// `message type id`.
        kind: u8,
        /// As announced.
        length: usize,
        /// Longest that is taken.
        most: usize,
    },
    /// Too much in messages that are not complete.
    #[error("more than {0} bytes in messages that are not complete")]
    Buffered(usize),
    /// A chunk refers to a chunk before it that never was.
    #[error(
        "chunk stream {csid} begins with a header of format {format}, which needs one before it"
    )]
    NoHeader {
        /// `chunk stream id`.
        csid: u32,
        /// `fmt`.
        format: u8,
    },
    /// A message begins where another is not complete.
    #[error("a message begins on chunk stream {0} within another message")]
    Unfinished(u32),
    /// A protocol control message is shorter than its fields (§5.4).
    #[error("a protocol control message of type {0} is cut short")]
    Control(u8),
}

/// What the headers on one chunk stream have said, and the message that is being read.
#[derive(Debug, Default)]
struct ChunkStream {
    timestamp: u32,
    /// The last timestamp field: absolute with format 0, else a difference. A message that begins
    /// with format 3 adds it again (§5.3.1.2.4).
    step: u32,
    is_extended: bool,
    length: usize,
    kind: u8,
    message_stream: u32,
    /// `Some` within a message.
    payload: Option<BytesMut>,
}

/// A chunk's header as it stands there (§5.3.1).
struct Header {
    csid: u32,
    format: u8,
    /// Length of basic and message header, without extended timestamp.
    size: usize,
    time_field: u32,
    length: usize,
    kind: u8,
    message_stream: u32,
}

impl ChunkReader {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: FIRST_CHUNK_SIZE,
            streams: BTreeMap::new(),
            open: None,
            buffered: 0,
        }
    }

    /// Bytes held of messages that are not complete.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Takes from `input` up to the end of the next message. `None`: all was taken but for a header
    /// that is not complete.
    ///
    /// # Errors
    /// When a limit or the protocol is broken. The connection cannot be read on.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Message>, ChunkError> {
        loop {
            let Some((csid, missing)) = self.open else {
                if !self.begin_chunk(input)? {
                    return Ok(None);
                }
                continue;
            };
            let piece = input.split_to(missing.min(input.len()));
            if piece.len() < missing {
                self.open = Some((csid, missing.saturating_sub(piece.len())));
                self.store(csid, &piece)?;
                return Ok(None);
            }
            self.open = None;
            self.store(csid, &piece)?;
            if let Some(message) = self.finish(csid)
                && !self.obey(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// Reads a header, if it is whole.
    fn begin_chunk(&mut self, input: &mut BytesMut) -> Result<bool, ChunkError> {
        let Some(header) = Header::read(input) else {
            return Ok(false);
        };
        self.check(&header)?;
        let stream = self.streams.entry(header.csid).or_default();
        let Some(extended) = stream.extended(&header, input) else {
            return Ok(false);
        };
        let size = header
            .size
            .saturating_add(if extended.is_some() { 4 } else { 0 });
        input.advance(size);
        stream.apply(&header, extended);
        let held = stream.payload.as_ref().map_or(0, BytesMut::len);
        let missing = stream.length.saturating_sub(held);
        let piece = missing.min(self.chunk_size);
        let (kind, length) = (stream.kind, stream.length);
        self.check_length(kind, length)?;
        self.open = Some((header.csid, piece));
        Ok(true)
    }

    fn check(&self, header: &Header) -> Result<(), ChunkError> {
        match self.streams.get(&header.csid) {
            None if self.streams.len() >= self.limits.chunk_streams => {
                Err(ChunkError::ChunkStreams(self.limits.chunk_streams))
            }
            // librtmp begins chunk stream 2 with format 1, and it says enough.
            None if header.format > 1 => Err(ChunkError::NoHeader {
                csid: header.csid,
                format: header.format,
            }),
            Some(stream) if stream.payload.is_some() && header.format != 3 => {
                Err(ChunkError::Unfinished(header.csid))
            }
            _ => Ok(()),
        }
    }

    fn check_length(&self, kind: u8, length: usize) -> Result<(), ChunkError> {
        let most = self.limits.message_bytes(kind);
        if length > most {
            return Err(ChunkError::MessageLength { kind, length, most });
        }
        Ok(())
    }

    fn store(&mut self, csid: u32, piece: &[u8]) -> Result<(), ChunkError> {
        self.buffered = self.buffered.saturating_add(piece.len());
        if self.buffered > self.limits.buffered_bytes {
            return Err(ChunkError::Buffered(self.limits.buffered_bytes));
        }
        if let Some(stream) = self.streams.get_mut(&csid) {
            let payload = stream.payload.get_or_insert_default();
            payload.extend_from_slice(piece);
        }
        Ok(())
    }

    /// The message of a chunk stream, if it is complete.
    fn finish(&mut self, csid: u32) -> Option<Message> {
        let stream = self.streams.get_mut(&csid)?;
        let length = stream.length;
        let payload = stream.payload.take_if(|payload| payload.len() >= length)?;
        self.buffered = self.buffered.saturating_sub(payload.len());
        Some(Message {
            kind: stream.kind,
            stream: stream.message_stream,
            timestamp: stream.timestamp,
            payload: payload.freeze(),
        })
    }

    /// Does what a message about chunks says, and tells whether it was one.
    fn obey(&mut self, message: &Message) -> Result<bool, ChunkError> {
        match message.kind {
            kind::SET_CHUNK_SIZE => self.set_chunk_size(number(message)?)?,
            kind::ABORT => self.abort(number(message)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// §5.4.1.
    fn set_chunk_size(&mut self, size: u32) -> Result<(), ChunkError> {
        let (least, most) = (self.limits.least_chunk_size, self.limits.most_chunk_size);
        let fits = (least..=most).contains(&size);
        let length = usize::try_from(size).ok().filter(|_| fits);
        let refused = ChunkError::ChunkSize { size, least, most };
        self.chunk_size = length.ok_or(refused)?;
        Ok(())
    }

    /// §5.4.2: what has come of a message is thrown away.
    fn abort(&mut self, csid: u32) {
        let dropped = self.streams.get_mut(&csid).and_then(|s| s.payload.take());
        let held = dropped.map_or(0, |payload| payload.len());
        self.buffered = self.buffered.saturating_sub(held);
    }
}

impl ChunkStream {
    /// The extended timestamp behind a header (§5.3.1.3), `Some(None)` if there is none, and `None`
    /// if it has not come yet.
    ///
    /// Headers of format 3 repeat it, but some encoders leave that out within a message. What stands
    /// there is payload then, so it is only taken as timestamp where it equals the one before, or the
    /// message's own, which others repeat.
    fn extended(&self, header: &Header, input: &[u8]) -> Option<Option<u32>> {
        let is_extended = match header.format {
            3 => self.is_extended,
            _ => header.time_field == EXTENDED,
        };
        if !is_extended {
            return Some(None);
        }
        let field = input.get(header.size..)?.first_chunk::<4>()?;
        let value = u32::from_be_bytes(*field);
        let is_repeated = value == self.step || value == self.timestamp;
        let is_left_out = self.payload.is_some() && !is_repeated;
        Some(Some(value).filter(|_| !is_left_out))
    }

    fn apply(&mut self, header: &Header, extended: Option<u32>) {
        if header.format < 3 {
            self.is_extended = extended.is_some();
        }
        if self.payload.is_some() {
            return; // A further chunk of a message says nothing new.
        }
        self.payload = Some(BytesMut::new());
        match header.format {
            3 => self.step = extended.unwrap_or(self.step),
            _ => self.step = extended.unwrap_or(header.time_field),
        }
        self.timestamp = match header.format {
            0 => self.step,
            _ => self.timestamp.wrapping_add(self.step),
        };
        if header.format < 2 {
            self.length = header.length;
            self.kind = header.kind;
        }
        if header.format == 0 {
            self.message_stream = header.message_stream;
        }
    }
}

impl Header {
    /// Reads what the first two bits say that there is (§5.3.1.1, §5.3.1.2). `None`: not whole.
    fn read(input: &[u8]) -> Option<Self> {
        let (&first, rest) = input.split_first()?;
        let (csid, basic): (u32, usize) = match first & 0x3f {
            0 => (u32::from(*rest.first()?).saturating_add(64), 2),
            1 => {
                let id = u16::from_le_bytes(*rest.first_chunk::<2>()?);
                (u32::from(id).saturating_add(64), 3)
            }
            csid => (u32::from(csid), 1),
        };
        let format = first >> 6;
        let message_header = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let size = basic.saturating_add(message_header);
        let fields = input.get(basic..size)?;
        Some(Self {
            csid,
            format,
            size,
            time_field: number_24(fields.get(..3)),
            length: usize::try_from(number_24(fields.get(3..6))).ok()?,
            kind: fields.get(6).copied().unwrap_or_default(),
            message_stream: fields
                .get(7..)
                .and_then(|id| id.first_chunk::<4>())
                .map_or(0, |id| u32::from_le_bytes(*id)),
        })
    }
}

/// A number of 24 bits; 0 where the header has none.
fn number_24(field: Option<&[u8]>) -> u32 {
    let field = field.unwrap_or_default().iter();
    field.fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The one number of a protocol control message.
fn number(message: &Message) -> Result<u32, ChunkError> {
    let field = message.payload.first_chunk::<4>();
    let cut_short = ChunkError::Control(message.kind);
    field
        .map(|field| u32::from_be_bytes(*field))
        .ok_or(cut_short)
}

impl Limits {
    /// Longest message of a type.
    fn message_bytes(&self, kind: u8) -> usize {
        match kind {
            kind::SET_CHUNK_SIZE..=kind::SET_PEER_BANDWIDTH => MOST_CONTROL,
            kind::VIDEO | kind::AGGREGATE => self.video_bytes,
            kind::AUDIO => self.audio_bytes,
            _ => self.command_bytes,
        }
    }
}

/// Protocol control and user control messages have ten bytes at most (§5.4, §7.1.7), and a name at
/// most in what Flash added.
const MOST_CONTROL: usize = 1_024;
