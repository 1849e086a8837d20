//! Reports of a viewer, as they are once they are opened.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::reports(bytes));
