//! SDP fragments of trickle and ICE restarts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::fragment(bytes));
