//! What people write, made fit to be shown: nothing hidden, nothing that reorders or piles up, of a bounded
//! length. Pure.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::refusal::Refusal;
use crate::form::is_hidden;

/// Characters of a message.
pub(crate) const MOST_CHARACTERS: usize = 500;
/// Marks on one letter: some scripts need three.
const MOST_MARKS: usize = 4;

/// A message's text: composed (NFC), in one line, without hidden characters.
///
/// # Errors
/// When nothing is left, or too much.
pub(crate) fn clean(text: &str) -> Result<String, Refusal> {
    let mut cleaned = String::with_capacity(text.len());
    let mut marks = 0;
    let mut is_space = true;
    for c in text.nfc() {
        if c.is_whitespace() {
            if !is_space {
                cleaned.push(' ');
            }
            is_space = true;
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MOST_MARKS {
            continue;
        }
        is_space = false;
        cleaned.push(c);
    }
    let cleaned = cleaned.trim_end();
    let is_seen = |c: char| !c.is_whitespace() && !is_combining_mark(c) && !is_joiner(c);
    if !cleaned.chars().any(is_seen) {
        return Err(Refusal::new("text_empty", "there is nothing to say"));
    }
    let length = cleaned.chars().count();
    if length > MOST_CHARACTERS {
        let words = format!("at most {MOST_CHARACTERS} characters; it has {length}");
        return Err(Refusal::new("text_too_long", words));
    }
    Ok(cleaned.to_owned())
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a text has something that a reader could follow as a link.
pub(crate) fn has_link(text: &str) -> bool {
    text.split_whitespace().any(is_link)
}

fn is_link(word: &str) -> bool {
    let word = word.to_lowercase();
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    if word.contains("://") || word.starts_with("www.") {
        return true;
    }
    let host = word.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let Some((name, tail)) = host.rsplit_once('.') else {
        return false;
    };
    // Two letters at least, and no number as in `3.5` or `v1.2`.
    let is_tail = (2..=24).contains(&tail.chars().count()) && tail.chars().all(char::is_alphabetic);
    let is_label = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '@');
    is_tail && !name.is_empty() && !name.contains("..") && name.chars().all(is_label)
}

/// All between two colons of a text that could be the code of an emote, in small letters, as pages show it.
pub(crate) fn emote_codes(text: &str) -> impl Iterator<Item = String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let between = text
        .split(':')
        .filter(move |word| word.chars().all(is_plain));
    between.map(str::to_ascii_lowercase)
}

fn emote_code(word: &str) -> Option<&str> {
    word.strip_prefix(':')?.strip_suffix(':')
}

/// Whether a text is nothing but emotes, whose codes `is_emote` knows, and emoji.
pub(crate) fn is_emotes_alone(text: &str, is_emote: impl Fn(&str) -> bool) -> bool {
    text.split_whitespace()
        .all(|word| emote_code(word).is_some_and(&is_emote) || word.chars().all(is_emoji))
}

/// The blocks of Unicode that hold emoji, and what stands between their parts.
fn is_emoji(c: char) -> bool {
    is_joiner(c)
        || matches!(c, '\u{1F000}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}'
            | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{20E3}' | '\u{00A9}' | '\u{00AE}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_goes_and_the_rest_stays() {
        assert_eq!(clean("  hello \n\t there  ").unwrap(), "hello there");
        assert_eq!(clean("a\u{202E}b\u{200B}c\u{0}").unwrap(), "abc");
        assert_eq!(clean("<b>hi</b>").unwrap(), "<b>hi</b>");
        assert_eq!(clean("👩\u{200D}💻 नमस्ते").unwrap(), "👩\u{200D}💻 नमस्ते");
        assert_eq!(clean("e\u{301}").unwrap(), "é");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("z{}", "\u{0335}".repeat(10_000));
        assert_eq!(clean(&pile).unwrap().chars().count(), 1 + MOST_MARKS);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        for text in ["", " \n ", "\u{202E}\u{200B}", "\u{301}", "\u{200D}"] {
            assert_eq!(clean(text).unwrap_err().code, "text_empty", "{text:?}");
        }
        assert!(clean(&"x".repeat(MOST_CHARACTERS)).is_ok());
        let long = "x".repeat(MOST_CHARACTERS + 1);
        assert_eq!(clean(&long).unwrap_err().code, "text_too_long");
    }

    #[test]
    fn links_are_found() {
        for text in [
            "see https://x.example",
            "www.x.example!",
            "(x.example/path)",
            "go to evil.co",
            "HTTP://X",
        ] {
            assert!(has_link(text), "{text}");
        }
        for text in ["no. really", "version 3.5", "e.g.", "...", "a:b", "1.2.3"] {
            assert!(!has_link(text), "{text}");
        }
    }

    #[test]
    fn codes_are_found_wherever_pages_show_them() {
        let found = |text| emote_codes(text).any(|code| code == "vip");
        for text in [":vip:", "hey :VIP:!", "(:Vip:)", ":a:vip:b:", "x:vip:y"] {
            assert!(found(text), "{text}");
        }
        for text in ["a vip", ":vi p:", ":vip-1:"] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn emotes_alone_are_told_from_words() {
        let known = |code: &str| code == "wave";
        for text in [":wave:", "😀 :wave: ❤️", "👩\u{200D}💻"] {
            assert!(is_emotes_alone(text, known), "{text}");
        }
        for text in [":nope:", "hi :wave:", "wave"] {
            assert!(!is_emotes_alone(text, known), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_clean_stays_as_it_is(text in ".{0,600}") {
            if let Ok(cleaned) = clean(&text) {
                proptest::prop_assert_eq!(clean(&cleaned).unwrap(), cleaned.clone());
                proptest::prop_assert!(!cleaned.chars().any(is_hidden));
            }
        }
    }
}
