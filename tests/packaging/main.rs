//! A stream through a real media-worker: access units in, playlists and files out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../hls/tests/checker/mod.rs"]
mod checker;
mod codecs;
mod cost;
mod encoded;
mod faults;
mod he_aac;
mod opus;
mod passed;
mod renditions;
mod reordered;
mod sandbox;
mod stage;
mod thumbnails;
mod time;
mod transcoding;
