//! Datagrams from addresses that nobody knows.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::demux(bytes));
