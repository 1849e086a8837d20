//! What calls on the handle take and give, and why they are refused.

use std::net::SocketAddr;
use std::time::Duration;

use crate::ids::SessionId;

/// The answer to a WHIP or WHEP offer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The new session.
    pub session: SessionId,
    /// The SDP answer, lines ended by CRLF, with all candidates.
    pub sdp: String,
    /// Names this generation of ICE credentials; for the `ETag` (RFC 9725 §4.3.1).
    pub ice_tag: String,
}

/// What a PATCH did (RFC 9725 §4.3).
#[derive(Debug, Clone)]
pub enum Patched {
    /// Candidates were noted; an ICE-lite agent needs none of them.
    Trickled,
    /// ICE was restarted.
    Restarted {
        /// `application/trickle-ice-sdpfrag` with our new credentials and candidates.
        fragment: String,
        /// The new tag.
        ice_tag: String,
    },
}

/// Which layer a viewer gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LayerChoice {
    /// The largest that fits the bandwidth.
    #[default]
    Auto,
    /// This one, whatever the bandwidth.
    Rid(String),
    /// The largest that fits the bandwidth and these bounds.
    MaxSize {
        /// Largest width in pixels.
        width: Option<u32>,
        /// Largest height in pixels.
        height: Option<u32>,
    },
}

/// Why an offer was refused. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The text is not an SDP offer.
    #[error("the SDP offer cannot be read: {0}")]
    InvalidSdp(String),
    /// No audio and no video section.
    #[error("the offer has no audio or video section; add at least one track")]
    NoMedia,
    /// More than one audio or one video section.
    #[error("the offer has {count} {kind} sections; send one {kind} track")]
    TooManyTracks {
        /// `audio` or `video`.
        kind: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The direction does not fit the endpoint.
    #[error("the {kind} section is {found}; {wanted}")]
    WrongDirection {
        /// `audio` or `video`.
        kind: &'static str,
        /// The direction in the offer.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// No offered codec is one that we forward.
    #[error("no usable {kind} codec among {offered}; offer {usable}")]
    NoUsableCodec {
        /// `audio` or `video`.
        kind: &'static str,
        /// What the offer has.
        offered: String,
        /// What would do.
        usable: &'static str,
    },
    /// The viewer cannot play what the publisher sends.
    #[error("this stream is {published} and the player offers only {offered}")]
    CodecMismatch {
        /// Codec of the stream.
        published: String,
        /// What the offer has.
        offered: String,
    },
    /// There are B-frames in what the publisher sends, and nothing is made of it that has none.
    #[error(
        "the host's encoder sends B-frames, which cannot be played by WebRTC; watch this stream by HLS"
    )]
    Reordered,
    /// More simulcast layers than [`crate::Limits::layers`].
    #[error("the offer has {count} simulcast layers; send at most {most}")]
    TooManyLayers {
        /// How many there are.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// The stream is not known here.
    #[error("nobody is live on this stream")]
    NotLive,
    /// A bound is reached.
    #[error("the server is full; try again in {} s", retry_after.as_secs())]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
}

/// A stream that is asked of another node.
#[derive(Debug, Clone)]
pub struct Pull {
    /// The new session. It is the stream's publisher once it has an answer.
    pub session: SessionId,
    /// The SDP offer for [`crate::Sfu::relay`] there, lines ended by CRLF.
    pub offer: String,
}

/// Why no pull could be begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// A bound is reached.
    #[error("this node is full; try again in {} s", retry_after.as_secs())]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It has no port for it.
    #[error("cannot open a port for the pull: {0}")]
    Port(#[from] StartError),
}

/// Why the answer to a pull was refused. The pull is then over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No such session.
    #[error("the session is over")]
    UnknownSession,
    /// The text is not an SDP answer to the offer.
    #[error("the SDP answer cannot be taken: {0}")]
    InvalidSdp(String),
}

/// Why a PATCH was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// No such session.
    #[error("the session is over")]
    UnknownSession,
    /// The fragment cannot be read.
    #[error("the SDP fragment cannot be read: {0}")]
    InvalidFragment(String),
    /// The restart failed; the old session goes on.
    #[error("ICE could not be restarted: {0}; the session goes on unchanged")]
    RestartFailed(String),
}

/// Why a layer could not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// No such session.
    #[error("the session is over")]
    UnknownSession,
    /// No such layer.
    #[error("there is no layer {wanted}; there are {known}")]
    UnknownLayer {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
}

/// Why the SFU did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A media socket could not be bound.
    #[error("cannot open media port {address} ({protocol}): {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// `udp` or `tcp`.
        protocol: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// Something else of the system failed.
    #[error("cannot start the media threads: {0}")]
    System(#[from] std::io::Error),
}
