//! Origin for low-latency HLS (draft-pantos-hls-rfc8216bis): CMAF chunks in, playlists, parts and
//! segments out.
//!
//! An [`Origin`] is one stream. Each of its renditions has one [`Writer`], which takes [`Chunk`]s in
//! order, keeps the last ones in memory, lets all of them run to disk, and publishes an immutable
//! view after each. Whoever reads waits for the view that has what it asked for: a thousand blocked
//! requests wake for one rendering.
//!
//! What a stream kept on disk is played later by [`Recorded`], whole or as far as it was written when
//! the process died.
//!
//! It knows no HTTP, no accounts and no encoder, and reads no clock but the timer of its waiting.

mod boxes;
mod cache;
mod catalogue;
mod chunk;
mod config;
mod disk;
mod left;
mod library;
mod multivariant;
mod origin;
mod pathway;
mod playlist;
mod recorded;
mod remux;
mod segment;
mod timeline;
mod view;
mod window;
mod writer;

pub use cache::ReadCache;
pub use chunk::{Chunk, Init, Media};
pub use config::Config;
pub use library::Library;
pub use origin::{Body, Origin, PlaylistRequest, ReadError};
pub use pathway::{MOST_PATHWAYS, Pathway, parse_playlist_name, playlist_name};
pub use playlist::Rendered;
pub use recorded::{Elsewhere, OpenError, Recorded, RecordedSegment, repair};
pub use remux::RemuxError;
pub use segment::{parse_segment_name, segment_name};
pub use writer::{PushError, Writer};
