//! Values of command and data messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtmp::fuzzing::amf0(bytes));
