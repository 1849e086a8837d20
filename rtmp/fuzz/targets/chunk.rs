//! Chunks, cut in different places.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtmp::fuzzing::chunk(bytes));
