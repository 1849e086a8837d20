//! Pictures that are handed over, whatever they are.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::packetise(bytes));
