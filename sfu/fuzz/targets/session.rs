//! Offers answered by a session, and fragments sent to it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::session(bytes));
