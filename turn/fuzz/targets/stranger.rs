//! What anybody sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| turn::fuzzing::stranger(bytes));
