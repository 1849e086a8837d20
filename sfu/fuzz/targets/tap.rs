//! Scripts of packets for who taps a stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::tap(bytes));
