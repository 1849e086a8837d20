//! The server through real sockets: its own clients, coturn's, and a browser.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "the messages are shared with tests beside the code"
)]

mod chromium;
mod forbidden_peers;
mod server;
mod support;
mod uclient;
