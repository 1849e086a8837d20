//! What a publisher sends behind the handshake.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtmp::fuzzing::session(bytes));
