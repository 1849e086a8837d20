//! Packaging of a live stream for HLS by GStreamer, in a supervised child process a stream.
//!
//! The server side is [`Packager`]: it takes access units ([`Unit`]), starts `tallylight
//! media-worker`, and feeds an [`hls::Origin`] with what comes back. The child side is
//! [`run_worker`]. Between them runs a socket with length-capped frames. Encoders and muxers are C
//! code that reads what strangers sent: when the child dies, the stream's HLS has a discontinuity and
//! nothing else happens.

mod audio;
mod cut;
mod feed;
mod frame;
mod h264;
mod muxer;
mod package;
mod packager;
mod pictures;
mod plugins;
mod sandbox;
mod sound;
mod thumbnail;
mod timeline;
mod worker;

pub use frame::{FrameError, Thumbnail, TrackKind, Unit};
pub use packager::{Config, Packager};
pub use plugins::missing_plugins;
pub use worker::run_worker;
