//! [`Ingest`]: the entrance for a publisher that is no peer of ours, such as one by RTMP.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::fed::Door;
use crate::ids::SessionId;
use crate::thread::Mailbox;

/// What such a publisher sends to WebRTC viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestTracks {
    /// H264 without B-frames.
    pub video: bool,
    /// Opus, 48 kHz.
    pub audio: bool,
}

/// A session of a publisher whose access units are handed over. To everybody else it is a publisher
/// like those by WHIP. Dropping it ends the session, within a fraction of a second.
#[derive(Debug)]
pub struct Ingest {
    session: SessionId,
    zero: Instant,
    video: Door,
    audio: Door,
    mailbox: Mailbox,
}

impl Ingest {
    /// How far the zero lies before the session's begin, so that what was captured before it has a time
    /// too.
    pub const LEAD: Duration = Duration::from_secs(3);

    pub(crate) fn new(
        session: SessionId,
        zero: Instant,
        (video, audio): (Door, Door),
        mailbox: Mailbox,
    ) -> Self {
        Self {
            session,
            zero,
            video,
            audio,
            mailbox,
        }
    }

    /// Names the session in events and calls.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// What times of units count from.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// Hands a picture over: with start codes (annex B), key frames with their parameter sets in front,
    /// no B-frames. Times rise. Behind a picture that is lost all up to the next key frame are dropped.
    ///
    /// Never waits. Returns false when there was no room, or the session is over.
    pub fn push_video(&self, pts: Duration, bytes: Bytes) -> bool {
        self.video.push(&self.mailbox, pts, bytes)
    }

    /// Hands an Opus packet over (RFC 6716). As with pictures, but each stands for itself.
    pub fn push_audio(&self, pts: Duration, bytes: Bytes) -> bool {
        self.audio.push(&self.mailbox, pts, bytes)
    }

    /// Whether the session is not over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.video.is_open()
    }
}
