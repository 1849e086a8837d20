//! What is asked of the task that owns who is live, and what it answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sfu::{OfferError, SessionId, StreamId, StreamStats};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::watchers::Barring;
use super::{ChannelState, Stream, events};
use crate::channels::{Channel, ChannelId, StreamKeyId};
use crate::db::StoreError;
use crate::gates::{By, Place};

/// A session as its URL's handlers need it.
#[derive(Debug, Clone)]
pub(crate) struct SessionFacts {
    pub(crate) role: sfu::Role,
    pub(crate) channel: ChannelId,
    pub(crate) stream: StreamId,
    pub(crate) ice_tag: String,
    /// `ice-ufrag` of the peer, to tell a restart from a trickle.
    pub(crate) remote_ufrag: Option<String>,
    /// SHA-256 of the `Authorization` that a viewer sent with its offer.
    pub(crate) credential: Option<String>,
    /// How it publishes, if it does.
    pub(crate) source: IngestSource,
    /// Index of the video section in the session's SDP.
    pub(crate) video_index: Option<usize>,
    /// By what its viewer may watch.
    pub(crate) by: By,
    /// Told when they may no more, before the session ends.
    pub(crate) barring: Barring,
    /// Event streams that its viewer asked for.
    pub(crate) subscriptions: events::Subscriptions,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

/// An offer to publish that may do so.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) channel: Channel,
    pub(crate) key: Option<StreamKeyId>,
    pub(crate) address: IpAddr,
    pub(crate) offer: String,
}

impl SessionFacts {
    /// Of a session that nothing else is known of.
    pub(super) fn new(role: sfu::Role, channel: ChannelId, stream: StreamId) -> Self {
        Self {
            role,
            channel,
            stream,
            ice_tag: String::new(),
            remote_ufrag: None,
            credential: None,
            source: IngestSource::Whip,
            video_index: None,
            by: By::Open,
            barring: Barring::default(),
            subscriptions: events::Subscriptions::default(),
            over: CancellationToken::new(),
        }
    }
}

/// A publisher that is no peer of ours, and may publish.
#[derive(Debug)]
pub(crate) struct Receive {
    pub(crate) channel: Channel,
    pub(crate) key: StreamKeyId,
    pub(crate) address: IpAddr,
    pub(crate) tracks: sfu::IngestTracks,
    /// The session of the same publisher in whose place it comes.
    pub(crate) continued: Option<SessionId>,
}

/// An offer to watch.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) channel: ChannelId,
    pub(crate) address: IpAddr,
    /// The player's `User-Agent`.
    pub(crate) agent: Arc<str>,
    pub(crate) credential: Option<String>,
    pub(crate) offer: String,
    /// What they were let into.
    pub(crate) place: Place,
    /// By what they may watch it.
    pub(crate) by: By,
    /// Whether they get one of the last places.
    pub(crate) has_priority: bool,
}

/// Why an offer got no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another publisher holds the channel.
    AlreadyLive,
    /// Nobody is live on the channel.
    NotLive,
    /// Its stream was on air before the start, and its publisher is not back yet.
    PublisherAway,
    /// The address has too many sessions that never connected.
    HalfOpen,
    /// Servers cannot agree who publishes.
    Apart,
    /// The SFU refuses.
    Offer(OfferError),
    /// The server shuts down.
    Draining,
    /// What is said of the stream, and who may watch it, cannot be looked up.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a channel's owner sees of what arrives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ingest {
    pub(crate) stream: Option<StreamId>,
    pub(crate) state: ChannelState,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) viewers: u32,
    /// The publisher's session, if there is one.
    pub(crate) publisher: Option<IngestPublisher>,
    pub(crate) last_attempt: Option<Attempt>,
}

/// The publisher's session as its owner sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IngestPublisher {
    pub(crate) source: IngestSource,
    pub(crate) connected: bool,
    pub(crate) flowing: bool,
    pub(crate) age: Duration,
}

/// How media comes from a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IngestSource {
    /// From a peer: a browser, OBS, any client of RFC 9725.
    Whip,
    /// Over a connection of its own.
    Rtmp,
}

/// The last try to publish that came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    pub(crate) detail: String,
}

/// What a viewer's event stream tells.
#[derive(Debug, Clone)]
pub(crate) enum ViewerEvent {
    Active,
    Inactive,
    ViewerCount(u32),
    Layers(Arc<StreamStats>),
    /// Something else is said of the stream.
    Updated(Arc<Stream>),
    Reconnect,
    /// Who watches may not any more; the name of the reason, and the reason in words.
    Barred(&'static str, String),
    Ended,
}

/// Where an event stream begins, and what follows.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) first: Vec<ViewerEvent>,
    pub(crate) then: broadcast::Receiver<ViewerEvent>,
}
