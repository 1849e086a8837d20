//! Headers and bodies of requests to WHIP and WHEP.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallylight::streams::fuzzing::http_headers(bytes));
