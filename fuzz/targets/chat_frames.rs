//! Frames of chat, and what becomes of their texts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallylight::chat::fuzzing::chat_frames(bytes));
