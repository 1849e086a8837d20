//! [`Ingest`]: the entrance for a publisher that is no peer of ours, such as one by RTMP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::fed::{Door, Handed, Line, Reach};
use crate::ids::{SessionId, StreamId};
use crate::packet::Source;
use crate::tap::TapCodec;
use crate::thread::Mailbox;

/// What such a publisher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestTracks {
    /// The picture.
    pub video: Option<IngestVideo>,
    /// The sound: [`TapCodec::Opus`], or [`TapCodec::Aac`], of which WebRTC viewers get what
    /// [`Ingest::push_opus`] is given.
    pub audio: Option<TapCodec>,
}

/// The picture of such a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestVideo {
    /// A codec of pictures.
    pub codec: TapCodec,
    /// Whether it is known already that pictures are shown in another order than they are decoded.
    pub reordered: bool,
    /// How long WebRTC viewers of such pictures wait for a layer that the server makes; then they are
    /// turned away.
    pub patience: Duration,
}

/// A picture, handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// When it is decoded, since [`Ingest::zero`]. It rises from picture to picture.
    pub dts: Duration,
    /// When it is shown, since [`Ingest::zero`]; not before it is decoded.
    pub pts: Duration,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Whether pictures are shown in another order than they are decoded (B-frames), this one or one
    /// before it. WebRTC cannot do that: from here on no viewer gets them, only the tap.
    pub reordered: bool,
    /// As its [`TapCodec`] has it.
    pub bytes: Bytes,
}

/// A session of a publisher whose access units are handed over. To everybody else it is a publisher
/// like those by WHIP; the tap gets what is handed over as it is. Dropping it ends the session, within a
/// fraction of a second.
#[derive(Debug)]
pub struct Ingest {
    session: SessionId,
    zero: Instant,
    doors: Box<Doors>,
    mailbox: Mailbox,
}

/// Where units of such a publisher go in.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) video: Door,
    /// Opus: for the tap too where the publisher sends it.
    pub(crate) opus: Door,
    /// AAC, for the tap alone.
    pub(crate) aac: Door,
}

impl Doors {
    /// Those of the publisher of that number.
    pub(crate) fn new(
        stream: StreamId,
        epoch: u32,
        tracks: IngestTracks,
        zero: Instant,
        line: &Arc<Line>,
    ) -> Self {
        let door = |source, reach| {
            let line = Arc::downgrade(line);
            Door::new(stream, epoch, (source, reach), zero, line)
        };
        let opus = match tracks.audio {
            Some(TapCodec::Opus) => Reach::All,
            _ => Reach::Viewers,
        };
        Self {
            video: door(Source::Video(0), Reach::All),
            opus: door(Source::Audio, opus),
            aac: door(Source::Audio, Reach::Tap),
        }
    }
}

impl Ingest {
    /// How far the zero lies before the session's begin, so that what was captured before it has a time
    /// too.
    pub const LEAD: Duration = Duration::from_secs(3);

    pub(crate) fn new(session: SessionId, zero: Instant, doors: Doors, mailbox: Mailbox) -> Self {
        Self {
            session,
            zero,
            doors: Box::new(doors),
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

    /// Hands a picture over. Behind one that is lost all up to the next key frame are dropped.
    ///
    /// Never waits. Returns false when there was no room, or the session is over.
    pub fn push_video(&self, picture: Picture) -> bool {
        let handed = Handed {
            dts: picture.dts.min(picture.pts),
            pts: picture.pts,
            keyframe: picture.keyframe,
            reordered: picture.reordered,
            bytes: picture.bytes,
        };
        self.doors.video.push(&self.mailbox, handed)
    }

    /// Something is missing before the next picture: all up to the next key frame are dropped.
    pub fn note_gap(&self) {
        self.doors.video.note_gap();
    }

    /// Hands an Opus packet over (RFC 6716), 48 kHz. As with pictures, but each stands for itself.
    pub fn push_opus(&self, pts: Duration, bytes: Bytes) -> bool {
        let handed = Handed::at(pts, true, bytes);
        self.doors.opus.push(&self.mailbox, handed)
    }

    /// Hands an AAC frame over, as [`TapCodec::Aac`] has it.
    pub fn push_aac(&self, pts: Duration, bytes: Bytes) -> bool {
        let handed = Handed::at(pts, true, bytes);
        self.doors.aac.push(&self.mailbox, handed)
    }

    /// Whether the session is not over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.doors.video.is_open()
    }
}
