//! Headers and SDP lines that WHIP and WHEP read of strangers before anybody is known.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tallylight::streams::read_strangers_request(bytes));
