//! Selective forwarding unit: WHIP in, WHEP out.

mod config;
mod handle;
mod ids;
mod stats;

pub use config::{Config, Limits};
pub use handle::{
    Answer, CloseReason, Event, LayerChoice, LayerError, OfferError, PatchError, Patched, Role, Sfu,
    StartError,
};
pub use ids::{ParseIdError, SessionId, StreamId};
pub use stats::{AudioStats, LayerStats, PublisherStats, SessionStats, StreamStats, Totals};
