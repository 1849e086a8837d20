//! RTMP ingest (Adobe "Real Time Messaging Protocol" 1.0, Enhanced RTMP v2): bytes of a publisher in,
//! access units out.
//!
//! Chunks become messages (§5.3), messages commands and media (§7), and
//! media access units. None of that reads a clock or a socket;
//! [`Connection`] drives it over any byte stream with tokio, and has the time-outs.
//!
//! What a stranger sends costs bounded memory and no panic. Of `rml_rtmp`, which others use for all of
//! RTMP, only the handshake stands here: its chunk reader has one buffer for all chunk streams, its
//! AMF0 reader no bound on depth, its commands panic when they are short, and its writer cannot say
//! `fourCcList` in a fixed order. Ours of both are shorter than what would guard it.

#![expect(dead_code, reason = "it stands before the session that uses it")]

mod amf0;
mod chunk;
mod config;
#[doc(hidden)]
pub mod fuzzing;

pub use amf0::Amf0Error;
pub use chunk::ChunkError;
pub use config::{Config, Limits};
