//! RTMP ingest (Adobe "Real Time Messaging Protocol" 1.0, Enhanced RTMP v2): bytes of a publisher in,
//! access units out.
//!
//! A [`Session`] makes messages of chunks (§5.3), commands and media of messages (§7), and access units
//! of media ([`VideoUnit`], [`AudioUnit`]). It reads neither clock nor socket; [`Connection`] drives it
//! over any byte stream with tokio, and has the time-outs.
//!
//! What a stranger sends costs bounded memory and no panic. Of `rml_rtmp`, which others use for all of
//! RTMP, only the handshake stands here: its chunk reader has one buffer for all chunk streams, its
//! AMF0 reader no bound on depth, its commands panic when they are short, and its writer cannot say
//! `fourCcList` in a fixed order. Ours of both are shorter than what would guard it.

mod amf0;
mod bits;
mod chunk;
mod config;
mod driver;
mod flv;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod rate;
mod reordering;
mod secret;
mod session;

pub use amf0::Amf0Error;
pub use chunk::ChunkError;
pub use config::{Config, Limits};
pub use driver::{Connection, ConnectionError, Phase};
pub use flv::{AacConfig, AudioCodec, AudioUnit, Counts, Name, Unsupported, VideoCodec, VideoUnit};
pub use handshake::HandshakeError;
pub use reordering::Reordering;
pub use secret::StreamKey;
pub use session::{Error, Event, Metadata, PublishRequest, Refusal, Session};
