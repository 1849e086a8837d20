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
#[path = "../api/support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod postgres;
#[path = "../process/mod.rs"]
mod process;
#[path = "../api/support/redis.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod redis;
#[path = "../secure/mod.rs"]
mod secure;
mod support;

mod b_frames;
mod bench;
mod chat;
mod cluster;
mod encoder;
mod encoders;
mod ffmpeg_9;
mod foreign_peers;
mod gates;
mod hls;
mod https;
mod joining;
mod joins;
mod killed;
mod metrics;
mod overload;
mod publishers;
mod recording;
mod restarting;
mod rtmp;
mod sessions;
mod shutdown;
mod site;
mod strangers;
mod takeover;
mod tap;
mod told;
mod transcoding;
