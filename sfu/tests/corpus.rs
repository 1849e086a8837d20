//! Every input that ever taught the fuzz targets in `sfu/fuzz` something, and damaged copies of it, through
//! the same entries on the stable compiler.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../tests/replay/mod.rs"]
#[macro_use]
mod replay;

use sfu::fuzzing;

/// Damaged and random inputs for one entry.
const CASES: u32 = 256;
/// The same where an input costs the keys of two sessions.
const FEW_CASES: u32 = 24;
/// The highest stays, so that text remains text.
const BITS: u32 = 7;

targets! {
    demux: CASES;
    offer: CASES;
    session: FEW_CASES;
    fragment: CASES;
    video_payload: CASES;
    rtp_sequence: CASES;
    tap: CASES;
    packetise: CASES;
    reports: CASES;
}
