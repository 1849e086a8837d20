//! Faults, one a file, by their names in docs/RELIABILITY.md: what the program bears while it is live. `make fault F=F7` runs one,
//! `make fault` all; plain `cargo test` those that are quick.
//!
//! The program runs as a process of its own, with real clients, PostgreSQL and Redis. Each fault is run alone and says what it
//! saw in one line of JSON. What is asserted are counts, states and promises; times are figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test program uses a part"
)]
#[path = "../api/support/mod.rs"]
mod api;
#[path = "../../hls/tests/checker/mod.rs"]
mod checker;
#[path = "../../hls/tests/clip/mod.rs"]
mod clip;
#[allow(dead_code, reason = "each test program uses a part")]
#[path = "../process/mod.rs"]
mod process;
#[allow(dead_code, reason = "each test program uses a part")]
#[path = "../secure/mod.rs"]
mod secure;
#[path = "../live/site.rs"]
mod site;
#[allow(dead_code, reason = "each test program uses a part")]
#[path = "../live/support.rs"]
mod support;

mod crowd;
mod fault;
mod stage;

mod f07_drain;
mod f10_redis;
mod f11_postgres;
mod f12_clock;
mod f15_two_publishers;
mod f16_hls_rush;
mod f17_whep_rush;
mod f20_soak;
mod f21_slow_clients;
mod f23_start;
