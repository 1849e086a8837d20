//! Offers before the policy over SDP.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::offer(bytes));
