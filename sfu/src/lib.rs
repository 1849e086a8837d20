//! Selective forwarding unit: WHIP in, WHEP out, over str0m, and from node to node.
//!
//! [`Sfu`] is the handle that the server holds; it knows nothing of accounts, HTTP or SQL. Inside,
//! a few threads each own a shard of the sessions and share nothing on the way of a packet:
//!
//! `socket` (batches) → `shard` (whose datagram is it? [`demux`]) → `session::publisher` (decrypted,
//! inspected by `video`, shared as a `packet`) → `stream` (every shard's own copy: layers, cached
//! groups) → `session::viewer` (which `layer`, `rewrite`) → `lane` (sealed) → `egress` →
//! `socket`. What a `tap` gives of a stream can come back as a further layer of it (`made`,
//! `packetise`). A publisher can be another node (`session::pulled`), and what is fed too
//! (`session::relay`).
//!
//! `shard` and everything under it take the time as an argument and have no socket: `thread` drives
//! them in the real world, the tests in virtual time.

mod calls;
mod caption;
mod config;
mod demux;
mod egress;
mod event;
mod fed;
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod ids;
mod ingest;
mod keyframe;
mod lane;
mod layer;
mod lenient;
mod lips;
mod made;
mod packet;
mod packetise;
mod pulls;
mod pulse;
mod ranks;
mod rate;
mod registry;
mod rewrite;
mod sdp;
mod session;
mod settings;
mod shard;
#[cfg(test)]
mod simulation;
mod socket;
mod stats;
mod stream;
mod tap;
mod tcp;
mod thread;
mod video;
mod wall;
mod wire;

pub use calls::{
    Answer, AnswerError, LayerChoice, LayerError, OfferError, PatchError, Patched, Pull, PullError,
    StartError,
};
pub use config::{Config, Limits};
pub use event::{CloseReason, Event, Role};
pub use handle::Sfu;
pub use ids::{ParseIdError, SessionId, StreamId};
pub use ingest::{Ingest, IngestTracks, IngestVideo, Picture};
pub use made::MadeLayer;
pub use ranks::{LayerTotals, MediaTotals, RANKS};
pub use sdp::ice_ufrag;
pub use socket::{RECEIVE_BUFFER, SEND_BUFFER};
pub use stats::{
    AudioStats, Lately, LayerStats, PublisherStats, SessionStats, StreamStats, Totals,
};
pub use tap::{AccessUnit, Tap, TapCodec, TapTrack, Tapped, Track};
pub use tcp::neighbourhood;
