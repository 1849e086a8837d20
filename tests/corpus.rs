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

/// All entries, whichever domain they are of.
mod fuzzing {
    pub(crate) use tallylight::chat::fuzzing::chat_frames;
    pub(crate) use tallylight::streams::fuzzing::http_headers;
}

/// Damaged and random inputs for one entry.
const CASES: u32 = 256;
/// The highest stays, so that text remains text.
const BITS: u32 = 7;

targets! {
    chat_frames: CASES;
    http_headers: CASES;
}
