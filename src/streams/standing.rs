//! What others hear of streams, and how a channel stands.

use std::sync::Arc;

use jiff::Timestamp;
use sfu::StreamId;

use super::Stream;
use crate::channels::{Channel, ChannelId};

/// What happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// It is planned for a time.
    Scheduled {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
    },
    /// Something else is said of it, or it is planned for another time.
    Updated {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// What is said of it now.
        about: Arc<Stream>,
    },
    /// It will not take place.
    Cancelled {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
    },
    /// It was a preview, and is shown to everybody from now on.
    Published {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// When.
        at: Timestamp,
        /// What is said of it.
        about: Arc<Stream>,
    },
    /// It is on air.
    Started {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// When.
        at: Timestamp,
        /// What is said of it: nobody is to be told of a preview.
        about: Arc<Stream>,
    },
    /// Its publisher is gone or silent; viewers wait.
    Interrupted {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
    },
    /// Its publisher is back.
    Resumed {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
    },
    /// It was on air at another server until now, and is so here: nobody is to be told that it began.
    TakenOver {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// When.
        at: Timestamp,
        /// What is said of it.
        about: Arc<Stream>,
        /// Names the folder of what is packaged of it here, as a stream's id names a stream's.
        media: StreamId,
        /// By which lease.
        fence: u64,
    },
    /// It was on air here until now, and is so at another server.
    HandedOver {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    Ended {
        /// The stream.
        stream: StreamId,
        /// Its channel.
        channel: ChannelId,
        /// When.
        at: Timestamp,
        /// What was said of it last: a short one may not be written down yet.
        about: Arc<Stream>,
    },
    /// It is over, and all that is kept of it is on disk. It follows every end, but not always behind
    /// [`StreamEvent::Ended`].
    Packaged {
        /// The stream.
        stream: StreamId,
        /// The name of the folder of what was packaged: its own, or another where it came from another server.
        media: StreamId,
        /// Its channel.
        channel: ChannelId,
    },
}

impl StreamEvent {
    /// A stream is over that nobody has on air any more.
    pub(super) fn over(stream: Stream) -> Self {
        Self::Ended {
            stream: stream.id,
            channel: stream.channel,
            at: stream.ended_at.unwrap_or(stream.changed_at),
            about: Arc::new(stream),
        }
    }
}

/// How a channel stands, as its page shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Nobody publishes.
    #[default]
    Offline,
    /// On air.
    Live,
    /// The publisher is away within the reconnect window.
    Reconnecting,
}

/// How a live channel stands.
#[derive(Debug, Clone)]
pub struct LiveChannel {
    /// The channel.
    pub channel: Channel,
    /// Its present stream.
    pub stream: StreamId,
    /// What is said of that stream.
    pub about: Arc<Stream>,
    /// Live or reconnecting.
    pub state: ChannelState,
    /// Since when.
    pub started_at: Option<Timestamp>,
    /// Viewers connected now.
    pub viewers: u32,
    /// Width and height of the largest layer.
    pub size: Option<(u32, u32)>,
    /// Whether its publisher comes to this server; else another server tells of it.
    pub is_here: bool,
}
