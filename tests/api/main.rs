//! The HTTP face of the server, URL by URL, asked by typed actors over real sockets.
//!
//! Media is not in play here, but in `gates` and `cdn`: the SFU answers offers, and what it would report of the media
//! is told by the test. Real peers are in `tests/live`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

#[path = "../../hls/tests/checker/mod.rs"]
mod checker;
#[path = "../../hls/tests/clip/mod.rs"]
mod clip;
#[path = "../process/mod.rs"]
mod process;
#[path = "../secure/mod.rs"]
mod secure;
mod support;

mod acme;
mod api;
mod audit;
mod cdn;
mod contract;
mod examples;
mod gates;
mod hooks;
mod https;
mod matrix;
mod moving;
mod pages;
mod pictures;
mod restart;
mod start;
mod storage;
mod turn;
mod vod;
mod whep;
mod whip;
