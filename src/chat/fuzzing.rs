//! The door for the fuzz target in `fuzz` and for the replay of its corpus in `tests/corpus.rs`.
//!
//! Hidden from the documentation and without promise. The entry panics when a promise of what reads a frame
//! is broken.

use std::sync::LazyLock;

use super::protocol::{ClientFrame, MOST_FRAME, read};
use super::screening;
use super::terms::{TermKind, Terms};
use super::text::{self, MOST_CHARACTERS};
use crate::form::is_hidden;

static TERMS: LazyLock<Terms> = LazyLock::new(|| {
    Terms::new([
        ("badger", TermKind::Blocked),
        ("b*d t*", TermKind::Held),
        ("good", TermKind::Allowed),
    ])
});

/// A frame of a client.
pub fn chat_frames(bytes: &[u8]) {
    let Ok(frame) = std::str::from_utf8(bytes) else {
        return;
    };
    match read(frame) {
        Ok(ClientFrame::Send {
            reference, text, ..
        }) => {
            assert!(!reference.is_empty() && reference.chars().count() <= 64);
            check_text(&text);
        }
        Ok(_) => {}
        Err((code, words)) => assert!(!code.is_empty() && !words.is_empty()),
    }
    assert!(frame.len() <= MOST_FRAME || read(frame).is_err());
}

/// What all see holds nothing that hides, reorders or piles up, and stays as it is.
fn check_text(text: &str) {
    let Ok(clean) = text::clean(text) else {
        return;
    };
    assert!(!clean.chars().any(is_hidden), "{clean:?}");
    assert!((1..=MOST_CHARACTERS).contains(&clean.chars().count()));
    assert_eq!(text::clean(&clean).as_ref(), Ok(&clean));
    let _ = text::has_link(&clean);
    let _ = text::is_emotes_alone(&clean, |code| code == "wave");
    let _ = TERMS.judge(&clean);
    let _ = screening::is_held(&TERMS.without_allowed(&clean), 3);
}
