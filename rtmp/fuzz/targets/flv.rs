//! Tags of audio and video messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtmp::fuzzing::flv(bytes));
