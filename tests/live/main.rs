//! Media through real sockets: real publishers and viewers, none of them a browser, against a whole
//! server on free ports. Browsers are in `web/e2e`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../hls/tests/checker/mod.rs"]
mod checker;
#[path = "../process/mod.rs"]
mod process;
#[path = "../secure/mod.rs"]
mod secure;
mod support;

mod b_frames;
mod bench;
mod chat;
mod encoder;
mod encoders;
mod ffmpeg_9;
mod foreign_peers;
mod hls;
mod https;
mod joining;
mod joins;
mod killed;
mod publishers;
mod recording;
mod restarting;
mod rtmp;
mod sessions;
mod shutdown;
mod site;
mod strangers;
mod tap;
mod transcoding;
