//! Every input that ever taught the fuzz targets in `turn/fuzz` something, and damaged copies of it, through
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

use turn::fuzzing;

/// Damaged and random inputs for one entry.
const CASES: u32 = 256;
const BITS: u32 = 8;

targets! {
    stream: CASES;
    stranger: CASES;
    client: CASES;
}
