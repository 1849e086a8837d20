//! What a client with credentials sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| turn::fuzzing::client(bytes));
