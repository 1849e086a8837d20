//! RTP payloads of all video codecs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sfu::fuzzing::video_payload(bytes));
