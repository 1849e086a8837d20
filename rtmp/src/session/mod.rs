//! [`Session`]: the server's side of one connection (RTMP 1.0 §7), without socket or clock.
//!
//! Bytes go in by [`Session::receive`], answers come out by [`Session::take_output`], and
//! [`Session::next_event`] reads on just as far as the next event, so that what is not asked for stays
//! unread. While a request to publish waits for its answer, nothing is read.

mod aggregate;
mod answers;
mod command;
mod commands;
mod control;
mod key;

/// For people: no bound has more digits than a float holds.
fn megabits(bitrate: u64) -> f64 {
    bitrate as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use crate::amf0::{self, Amf0Error};
use crate::chunk::{ChunkError, ChunkReader, Message, kind};
use crate::config::Config;
use crate::flv::{AudioUnit, Counts, Demuxer, Unsupported, VideoUnit};
use crate::handshake::{Handshake, HandshakeError};
use crate::secret::StreamKey;

use aggregate::Aggregate;
use answers::Output;
use command::Command;
use control::Acknowledgements;

/// One connection of a publisher.
pub struct Session {
    config: Config,
    /// Until it is over.
    handshake: Option<Handshake>,
    input: BytesMut,
    reader: ChunkReader,
    aggregate: Option<Aggregate>,
    output: Output,
    acknowledgements: Acknowledgements,
    state: State,
    /// Whether the encoder waits for an answer to `FCPublish`.
    is_announced: bool,
    demuxer: Demuxer,
    messages: u64,
}

/// What a publisher did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// It asks to publish. The session waits for [`Session::accept`] or [`Session::refuse`].
    PublishRequested(PublishRequest),
    /// It describes its stream. Nothing depends on that.
    Metadata(Metadata),
    /// The next picture.
    Video(VideoUnit),
    /// The next frame of sound.
    Audio(AudioUnit),
    /// It ended its stream. It may ask to publish again.
    Unpublished,
}

/// What a publisher asks for.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The application, which is [`Config::app`].
    pub app: String,
    /// The stream's name without query, or `key` of a query: of the name, else of the URL.
    pub key: StreamKey,
}

/// What a publisher says of its stream (`onMetaData`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Name and version of the encoder, 100 characters at most and none to control with.
    pub encoder: Option<String>,
}

/// Why a publisher is turned away, with words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `NetStream.Publish.BadName`: there is no such stream, or another publishes it.
    BadName(String),
    /// `NetStream.Publish.Unauthorized`: the key is none, or no more.
    Unauthorized(String),
}

/// Why a connection cannot go on. Where the peer can understand it, it has been told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no RTMP.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Its chunks are broken or beyond a limit.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command is broken or beyond a limit.
    #[error(transparent)]
    Amf0(#[from] Amf0Error),
    /// A command is not what it must be.
    #[error("a command {0}")]
    Command(&'static str),
    /// The application of the URL is not [`Config::app`].
    #[error("there is no such application: publish to rtmp://HOST/{0} with the stream key")]
    App(String),
    /// It wants to watch.
    #[error("this server takes streams by RTMP and plays none: watch on its web page")]
    Play,
    /// There is no stream key.
    #[error("the stream key is missing: set it in the encoder")]
    NoKey,
    /// It sends more than [`Config::bitrate`].
    #[error("the stream has more than {} Mbit/s: lower the bitrate of the encoder", megabits(*.0))]
    Bitrate(u64),
    /// It sends what has no place here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

#[derive(Debug)]
enum State {
    /// Until `connect`.
    Connecting,
    Connected(Connected),
    /// `publish` waits for its answer.
    Asked(Connected, u32),
    /// On a message stream.
    Publishing(Connected, u32),
    /// Refused or failed: nothing is read.
    Over,
}

/// What `connect` said.
#[derive(Debug, Clone)]
struct Connected {
    app: String,
    /// `key` in the query of the URL.
    key: Option<StreamKey>,
}

impl Session {
    /// A session before its first byte.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            handshake: Some(Handshake::new()),
            input: BytesMut::new(),
            reader: ChunkReader::new(config.limits),
            aggregate: None,
            output: Output::new(),
            acknowledgements: Acknowledgements::default(),
            state: State::Connecting,
            is_announced: false,
            demuxer: Demuxer::default(),
            messages: 0,
            config,
        }
    }

    /// Takes bytes from the peer. They are held until [`Session::next_event`] reads them: who calls this
    /// has asked for events until there were none.
    ///
    /// # Errors
    /// When it is no RTMP.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.is_over() {
            return Ok(());
        }
        self.input.extend_from_slice(bytes);
        let Some(handshake) = &mut self.handshake else {
            self.acknowledgements.count(bytes.len(), &mut self.output);
            return Ok(());
        };
        match handshake.receive(&mut self.input, self.output.bytes()) {
            Ok(None) => {}
            Ok(Some(rest)) => {
                self.handshake = None;
                self.input.extend_from_slice(&rest);
            }
            Err(error) => {
                self.state = State::Over;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Reads on to the next event. `None`: more bytes are needed, or an answer.
    ///
    /// # Errors
    /// When the connection cannot go on. What is left of the output still goes to the peer.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        while self.reads() {
            let event = match self.next_message() {
                Ok(Some(message)) => self.message(&message),
                Ok(None) => return Ok(None),
                Err(error) => Err(error.into()),
            };
            match event {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(None)
    }

    /// What is to be sent to the peer; empty if there is nothing.
    #[must_use]
    pub fn take_output(&mut self) -> Bytes {
        self.output.bytes().split().freeze()
    }

    /// Lets a peer publish that asked for it. Does nothing when none has.
    pub fn accept(&mut self) {
        if let State::Asked(connected, stream) = &self.state {
            let stream = *stream;
            self.state = State::Publishing(connected.clone(), stream);
            self.output.publish_started(stream, self.is_announced);
        }
    }

    /// Turns a peer away that asked to publish, or is publishing. The session is over then; what is
    /// left of the output still goes to the peer.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if let State::Asked(_, stream) | State::Publishing(_, stream) = self.state {
            self.output.refused(stream, refusal);
        }
        self.state = State::Over;
    }

    /// What came of the media by now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.demuxer.counts
    }

    /// Whole messages by now: a peer that sends bytes and no messages is stalling.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether the handshake is over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.handshake.is_none()
    }

    /// Whether a request to publish was accepted.
    #[must_use]
    pub fn is_publishing(&self) -> bool {
        matches!(self.state, State::Publishing(..))
    }

    /// Whether a request to publish waits for its answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Asked(..))
    }

    /// Whether nothing will be read any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn reads(&self) -> bool {
        self.is_open() && !self.is_waiting() && !self.is_over()
    }

    fn next_message(&mut self) -> Result<Option<Message>, ChunkError> {
        let part = self.aggregate.as_mut().and_then(Aggregate::next);
        if part.is_some() {
            return Ok(part);
        }
        self.aggregate = None;
        let message = self.reader.next(&mut self.input)?;
        if message.is_some() {
            self.messages = self.messages.saturating_add(1);
        }
        Ok(message)
    }

    fn message(&mut self, message: &Message) -> Result<Option<Event>, Error> {
        match message.kind {
            kind::VIDEO | kind::AUDIO | kind::DATA_AMF0 | kind::DATA_AMF3 | kind::AGGREGATE => {
                self.media(message)
            }
            kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => {
                let command = Command::read(message)?;
                self.command(&command)
            }
            kind::WINDOW_ACKNOWLEDGEMENT_SIZE => {
                self.acknowledgements.set_window(&message.payload);
                Ok(None)
            }
            kind::USER_CONTROL => {
                control::answer(&message.payload, &mut self.output);
                Ok(None)
            }
            // Acknowledgements of our few bytes, bandwidths, shared objects.
            _ => Ok(None),
        }
    }

    fn media(&mut self, message: &Message) -> Result<Option<Event>, Error> {
        if !self.is_publishing() {
            let unexpected = &mut self.demuxer.counts.unexpected;
            *unexpected = unexpected.saturating_add(1);
            return Ok(None);
        }
        let (timestamp, tag) = (message.timestamp, &message.payload);
        match message.kind {
            kind::VIDEO => Ok(self.demuxer.video(timestamp, tag)?.map(Event::Video)),
            kind::AUDIO => Ok(self.demuxer.audio(timestamp, tag)?.map(Event::Audio)),
            kind::AGGREGATE => {
                self.aggregate = Some(Aggregate::new(message));
                Ok(None)
            }
            _ => Ok(self.metadata(message)),
        }
    }

    /// A data message that is broken is no reason to end a stream.
    fn metadata(&mut self, message: &Message) -> Option<Event> {
        let Ok(values) = amf0::read(command::amf0_of(message)) else {
            let broken = &mut self.demuxer.counts.broken;
            *broken = broken.saturating_add(1);
            return None;
        };
        let mut values = values.iter();
        values.find(|value| value.text() == Some("onMetaData"))?;
        let encoder = values.next().and_then(|object| object.get("encoder"));
        let encoder = encoder.and_then(amf0::Value::text).map(|encoder| {
            let shown = encoder.chars().filter(|c| !c.is_control());
            shown.take(MOST_ENCODER).collect()
        });
        Some(Event::Metadata(Metadata { encoder }))
    }

    /// Tells the peer why, if it can be told, and ends the session.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        if let State::Publishing(_, stream) = self.state {
            self.output.failed(stream, &error.to_string());
        }
        self.state = State::Over;
        error
    }
}

/// Characters of an encoder's name.
const MOST_ENCODER: usize = 100;
