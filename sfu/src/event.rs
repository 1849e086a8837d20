//! [`Event`]: what happens in the SFU by itself.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::ids::{SessionId, StreamId};

/// The side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sends media to us.
    Publisher,
    /// Gets media from us.
    Viewer,
    /// Another node, which gets all that there is of a stream from us, for its own viewers.
    Relay,
}

/// What happened in the SFU.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// ICE and DTLS are up.
    Connected {
        /// The session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
        /// Its side.
        role: Role,
    },
    /// A publisher's first media, or media again after a silence.
    MediaFlowing {
        /// The publisher's session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
    },
    /// A publisher sent no media for [`crate::Config::silence`].
    MediaSilent {
        /// The publisher's session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
        /// Time since its last media.
        silent_for: Duration,
    },
    /// Tracks, layers or their sizes changed; [`crate::Sfu::stream_stats`] has them.
    LayersChanged {
        /// The stream.
        stream: StreamId,
    },
    /// A session is over. It comes once for every session that had an answer.
    Closed {
        /// The session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
        /// Its side.
        role: Role,
        /// Why.
        reason: CloseReason,
    },
    /// A data channel is open.
    DataOpened {
        /// The session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
        /// Its side.
        role: Role,
        /// The channel's label.
        label: String,
    },
    /// A data channel message came. Dropped, and counted, when the receiver of events lags.
    Data {
        /// The session.
        session: SessionId,
        /// Its stream.
        stream: StreamId,
        /// Its side.
        role: Role,
        /// The channel's label.
        label: String,
        /// The message.
        payload: Bytes,
        /// Whether it was sent as binary.
        binary: bool,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The caller asked for it, as DELETE does.
    Requested,
    /// The peer closed DTLS.
    RemoteClosed,
    /// No DTLS within [`crate::Limits::handshake`].
    HandshakeTimeout,
    /// Nothing came for [`crate::Limits::inactivity`].
    Inactive,
    /// Another publisher took the stream over.
    Superseded,
    /// The stream ended.
    StreamEnded,
    /// The publisher now sends a codec that this viewer cannot play.
    CodecMismatch,
    /// The publisher now sends B-frames, which no viewer can play.
    Reordered,
    /// The publisher sends far more than [`crate::Limits::publisher_bitrate`].
    TooMuch,
    /// An error or a panic inside the session.
    Failed(String),
    /// The SFU shuts down.
    Shutdown,
}
