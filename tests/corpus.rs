//! Every input that ever taught the fuzz targets in `fuzz` something, and damaged copies of it, through
//! the same entries on the stable compiler.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod replay;

use tallylight::streams::fuzzing;

/// Damaged and random inputs for one entry.
const CASES: u32 = 256;
/// The highest stays, so that text remains text.
const BITS: u32 = 7;

targets! {
    http_headers: CASES;
}
