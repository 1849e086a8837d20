//! What is held for a moderator by itself: a filter of profanity, at the level that the room has. Pure.

use rustrict::{Censor, Type};

/// Whether a text is to be looked at by a moderator before others see it.
pub(crate) fn is_held(text: &str, level: u8) -> bool {
    let threshold = match level {
        0 => return false,
        1 => Type::INAPPROPRIATE & Type::SEVERE,
        2 => Type::INAPPROPRIATE & Type::MODERATE_OR_HIGHER,
        _ => Type::INAPPROPRIATE & Type::MILD_OR_HIGHER,
    };
    Censor::from_str(text).analyze().is(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_hold_more_and_more() {
        let held = |text: &str| {
            (0..=3)
                .map(|level| is_held(text, level))
                .collect::<Vec<_>>()
        };
        assert_eq!(held("what a lovely stream"), [false; 4]);
        let bad = held("you f u c k i n g b1tch");
        assert!(!bad[0] && bad[2] && bad[3], "{bad:?}");
    }
}
