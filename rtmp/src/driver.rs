//! [`Connection`]: a session over a byte stream, with its time-outs.
//!
//! Who owns it asks for one event after the other; the peer is read no faster than that. It has no
//! task and no queue of its own.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::Config;
use crate::flv::Counts;
use crate::rate::Rate;
use crate::session::{Error, Event, Refusal, Session};

/// A publisher's connection, over TCP or TLS.
pub struct Connection<S> {
    io: S,
    session: Session,
    timeouts: Timeouts,
    opened: Instant,
    bitrate: u64,
    rate: Rate,
    buffer: Box<[u8]>,
    /// What the peer has not taken yet.
    output: Bytes,
    /// Why the session ended, until the peer was told.
    error: Option<Error>,
}

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// What the peer sent cannot be read on.
    #[error(transparent)]
    Session(#[from] Error),
    /// The byte stream broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The peer took too long.
    #[error("the publisher {0}")]
    TimedOut(Phase),
}

/// What a peer was too slow for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Phase {
    /// [`Config::handshake_timeout`].
    #[error("did not finish the handshake in time")]
    Handshake,
    /// [`Config::publish_timeout`].
    #[error("did not ask to publish in time")]
    Publish,
    /// [`Config::idle_timeout`].
    #[error("has sent nothing whole for too long")]
    Idle,
}

/// What is waited for, and since when.
struct Timeouts {
    handshake: Duration,
    publish: Duration,
    idle: Duration,
    phase: Phase,
    /// Start of the phase; while idle, of the wait for the next message.
    since: Option<Instant>,
    messages: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection before its first byte. The time for the handshake runs from here.
    #[must_use]
    pub fn new(io: S, config: Config) -> Self {
        Self {
            io,
            timeouts: Timeouts::new(&config),
            opened: Instant::now(),
            bitrate: config.bitrate,
            rate: Rate::new(config.bitrate),
            session: Session::new(config),
            buffer: vec![0; BUFFER].into(),
            output: Bytes::new(),
            error: None,
        }
    }

    /// The next event. `None`: the peer closed the connection, with or without
    /// [`Event::Unpublished`] before.
    ///
    /// After [`Event::PublishRequested`], [`Connection::accept`] or [`Connection::refuse`] comes
    /// first; until then this waits for ever. Cancel safe: nothing is lost, and time goes on.
    ///
    /// # Errors
    /// When the connection broke, the peer took too long, or what it sent cannot be read on. Where it
    /// can be told so, it was.
    pub async fn next(&mut self) -> Result<Option<Event>, ConnectionError> {
        loop {
            if self.error.is_some() {
                self.say_farewell().await;
            }
            if let Some(error) = self.error.take() {
                return Err(error.into());
            }
            match self.session.next_event() {
                Ok(Some(event)) => {
                    // The time of who handles it is not the peer's.
                    self.timeouts.heard();
                    return Ok(Some(event));
                }
                Ok(None) if self.session.is_over() => return Ok(None),
                Ok(None) if self.session.is_waiting() => pending().await,
                Ok(None) => {}
                Err(error) => {
                    self.error = Some(error);
                    continue;
                }
            }
            if !self.exchange_in_time().await? {
                return Ok(None);
            }
        }
    }

    /// Lets the peer publish that asked for it.
    pub fn accept(&mut self) {
        self.session.accept();
        self.timeouts.heard();
    }

    /// Turns the peer away that asked to publish, or is publishing, and closes the connection. Takes
    /// up to two seconds.
    pub async fn refuse(mut self, refusal: &Refusal) {
        self.session.refuse(refusal);
        self.say_farewell().await;
    }

    /// Closes the connection once the peer has done so, which is the end that encoders expect after
    /// [`Event::Unpublished`], or after two seconds.
    pub async fn close(mut self) {
        let ending = async {
            self.send().await?;
            self.read_to_end().await?;
            self.io.shutdown().await
        };
        // All is said: how it ends changes nothing.
        let _ = timeout(FAREWELL, ending).await;
    }

    /// What came of the media by now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.session.counts()
    }

    /// `false`: the peer has closed.
    async fn exchange_in_time(&mut self) -> Result<bool, ConnectionError> {
        let (phase, deadline) = self.timeouts.next(&self.session);
        tokio::select! {
            // What has come in time counts, however late it is looked at.
            biased;
            received = self.exchange() => received,
            () = sleep_until(deadline) => Err(ConnectionError::TimedOut(phase)),
        }
    }

    /// Sends all that is to be sent, and then reads once.
    async fn exchange(&mut self) -> Result<bool, ConnectionError> {
        self.send().await?;
        let length = match self.io.read(&mut self.buffer).await {
            // TLS calls it an error when the peer leaves without a farewell, as many encoders do. What
            // they publish has an end of its own, so that nothing can be cut off unseen.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            length => length?,
        };
        let bytes = self.buffer.get(..length).unwrap_or_default();
        if let Err(error) = self.session.receive(bytes) {
            self.error = Some(error);
        } else if self.rate.is_exceeded_by(length, self.opened.elapsed()) {
            self.error = Some(self.session.fail(Error::Bitrate(self.bitrate)));
        }
        Ok(length > 0)
    }

    async fn send(&mut self) -> io::Result<()> {
        loop {
            if self.output.is_empty() {
                self.output = self.session.take_output();
            }
            if self.output.is_empty() {
                return self.io.flush().await;
            }
            let sent = self.io.write(&self.output).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.output.advance(sent);
        }
    }

    /// Sends the last words and waits for the peer to close: were it closed with bytes unread, TCP
    /// would take the words back.
    async fn say_farewell(&mut self) {
        let farewell = async {
            self.send().await?;
            self.io.shutdown().await?;
            self.read_to_end().await
        };
        // Whether it was heard changes nothing.
        let _ = timeout(FAREWELL, farewell).await;
    }

    async fn read_to_end(&mut self) -> io::Result<()> {
        while self.io.read(&mut self.buffer).await? > 0 {}
        Ok(())
    }
}

impl Timeouts {
    fn new(config: &Config) -> Self {
        Self {
            handshake: config.handshake_timeout,
            publish: config.publish_timeout,
            idle: config.idle_timeout,
            phase: Phase::Handshake,
            since: Some(Instant::now()),
            messages: 0,
        }
    }

    /// What is waited for now, and until when.
    fn next(&mut self, session: &Session) -> (Phase, Instant) {
        let phase = match (session.is_open(), session.is_publishing()) {
            (false, _) => Phase::Handshake,
            (true, false) => Phase::Publish,
            (true, true) => Phase::Idle,
        };
        let has_moved = phase == Phase::Idle && session.messages() != self.messages;
        self.messages = session.messages();
        if phase != self.phase || has_moved {
            self.since = None;
        }
        self.phase = phase;
        let since = *self.since.get_or_insert_with(Instant::now);
        let longest = match phase {
            Phase::Handshake => self.handshake,
            Phase::Publish => self.publish,
            Phase::Idle => self.idle,
        };
        let deadline = since.checked_add(longest);
        (phase, deadline.unwrap_or(since))
    }

    /// An event came, or was answered: the next wait is a new one.
    fn heard(&mut self) {
        self.since = None;
    }
}

/// Bytes read at once.
const BUFFER: usize = 32 * 1024;
/// Longest wait for a peer to hear why.
const FAREWELL: Duration = Duration::from_secs(2);
