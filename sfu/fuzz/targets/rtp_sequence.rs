//! Scripts of packets for the rewriter and the cache of key frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::rtp_sequence(bytes));
