//! [`Recording`]: a stream that was kept, and what is said of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sfu::StreamId;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::channels::{Channel, ChannelId};
use crate::gates::{Lock, Place};
use crate::secret::random_bytes;
use crate::streams::stream_uuid;

/// Names a recording for ever. It cannot be guessed: to know it is enough to watch what is unlisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingId(pub Uuid);

impl RecordingId {
    pub(super) fn random() -> Self {
        Self(uuid::Builder::from_random_bytes(random_bytes()).into_uuid())
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody; it stands on the channel's page.
    Public,
    /// Who has its address.
    Unlisted,
    /// The channel's owner.
    Private,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its stream is on air, or was a moment ago.
    Recording,
    /// It can be played.
    Ready,
    /// Its files cannot be read.
    Failed,
}

/// How far its MP4 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mp4State {
    /// Nobody asked for it.
    None,
    /// It is being made, or waits for that.
    Making,
    /// It can be downloaded.
    Ready,
    /// It could not be made.
    Failed,
}

/// Reads and writes the names that the database keeps.
macro_rules! named {
    ($kind:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $kind {
            pub(super) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub(super) fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
named!(Visibility { Public = "public", Unlisted = "unlisted", Private = "private" });
named!(State { Recording = "recording", Ready = "ready", Failed = "failed" });
named!(Mp4State { None = "none", Making = "making", Ready = "ready", Failed = "failed" });

/// The MP4 of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mp4 {
    /// How far it is.
    pub state: Mp4State,
    /// In hundredths, while it is being made.
    pub progress: u8,
    /// Of the file, once it is there.
    pub size_bytes: u64,
    /// Why it could not be made.
    pub problem: Option<String>,
}

/// A stream that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id.
    pub id: RecordingId,
    /// The stream that it is of, or, of what another server recorded the beginning of, a name of its own:
    /// as its files are called.
    pub stream: StreamId,
    /// The stream that it is a part of, where its files are called otherwise.
    pub part_of: Option<StreamId>,
    /// Whose it is.
    pub channel: ChannelId,
    /// For people.
    pub title: String,
    /// Who may watch.
    pub visibility: Visibility,
    /// How far it is.
    pub state: State,
    /// When its stream went on air; of a part, when that began.
    pub started_at: Timestamp,
    /// When its stream went on air.
    pub stream_started_at: Timestamp,
    /// When it ended, once it has.
    pub ended_at: Option<Timestamp>,
    /// How long it plays.
    pub duration_ms: u64,
    /// Of its media, without the MP4.
    pub size_bytes: u64,
    /// Whether it has pictures for cards and the seek bar.
    pub has_thumbnail: bool,
    /// Its MP4.
    pub mp4: Mp4,
    /// Whether all its files are in the store.
    pub is_stored: bool,
    /// Whether its large files are in the data folder.
    pub is_local: bool,
    /// What stands before it, where that is not what stood before its stream.
    pub own_lock: Option<Lock>,
    /// What stood before its stream.
    pub stream_lock: Lock,
}

impl Recording {
    pub(super) fn new(
        stream: StreamId,
        channel: &Channel,
        at: Timestamp,
        visibility: Visibility,
    ) -> Self {
        Self {
            id: RecordingId::random(),
            stream,
            part_of: None,
            channel: channel.id,
            title: format!("{}, {}", channel.name, at.strftime("%Y-%m-%d")),
            visibility,
            state: State::Recording,
            started_at: at,
            stream_started_at: at,
            ended_at: None,
            duration_ms: 0,
            size_bytes: 0,
            has_thumbnail: false,
            mp4: Mp4 {
                state: Mp4State::None,
                progress: 0,
                size_bytes: 0,
                problem: None,
            },
            is_stored: false,
            is_local: true,
            own_lock: None,
            stream_lock: Lock::default(),
        }
    }

    /// What stands before it.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        self.own_lock.as_ref().unwrap_or(&self.stream_lock)
    }

    /// The stream that it is of, whole or in part.
    #[must_use]
    pub fn whole_stream(&self) -> StreamId {
        self.part_of.unwrap_or(self.stream)
    }

    /// It, as a place that somebody wants into. Who gave its stream's password has given its own.
    pub(super) fn place(&self, handle: &str) -> Place {
        let stream = stream_uuid(self.whole_stream());
        Place {
            id: self.id.0,
            door: if self.own_lock.is_some() {
                self.id.0
            } else {
                stream
            },
            stream,
            channel: self.channel,
            handle: handle.to_owned(),
            lock: self.lock().clone(),
            is_recorded: true,
        }
    }
}
