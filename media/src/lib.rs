//! Packaging of a live stream for HLS by GStreamer, in a supervised child process a stream.
//!
//! The server side is [`Packager`]: it takes access units ([`Unit`]), starts `tallylight
//! media-worker`, and feeds an [`hls::Origin`] with what comes back; and [`Transcoder`], which has a
//! child make access units of other sizes, or Opus of AAC. The child side is [`run_worker`]. Between them runs a socket with length-capped frames. Encoders and muxers are C
//! code that reads what strangers sent: when the child dies, the stream's HLS has a discontinuity and
//! nothing else happens.

mod aac;
mod adts;
mod audio;
mod coding;
mod composition;
mod cut;
mod encoders;
mod feed;
mod frame;
mod ladder;
mod message;
mod muxer;
mod opus;
mod package;
mod packager;
mod pictures;
mod plugins;
mod problems;
mod row;
mod rung;
mod sandbox;
mod sound;
mod supervisor;
mod thumbnail;
mod timeline;
mod transcoder;
mod waiting;
mod worker;

pub use encoders::find_encoder;
pub use frame::FrameError;
pub use message::{Codec, Ladder, OpusJob, Rung, Thumbnail, TrackKind, Unit};
pub use packager::{Config, Listeners, Packager, PartMade};
pub use plugins::missing_plugins;
pub use supervisor::Worker;
pub use transcoder::Transcoder;
pub use worker::run_worker;
