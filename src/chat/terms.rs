//! Terms that a channel blocks, holds or allows, found whatever they are dressed up as. Pure.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use utoipa::ToSchema;

/// What happens to a message with a term in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatTermKind)]
pub(crate) enum TermKind {
    /// It is refused.
    Blocked,
    /// It is not held, though the filter would.
    Allowed,
    /// It is held for a moderator.
    Held,
}

impl TermKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Allowed => "allowed",
            Self::Held => "held",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Blocked, Self::Allowed, Self::Held];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// All terms of a room, folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms(Vec<(Vec<String>, TermKind)>);

impl Terms {
    pub(crate) fn new<'a>(terms: impl IntoIterator<Item = (&'a str, TermKind)>) -> Self {
        let folded = terms.into_iter().map(|(term, kind)| (words(term), kind));
        Self(folded.filter(|(words, _)| !words.is_empty()).collect())
    }

    /// What is to happen to a text: blocked goes before held.
    pub(crate) fn judge(&self, text: &str) -> Option<TermKind> {
        if self.0.is_empty() {
            return None;
        }
        let text = words(text);
        let has = |wanted: TermKind| {
            let mut terms = self.0.iter().filter(|(_, kind)| *kind == wanted);
            terms.any(|(term, _)| contains(&text, term))
        };
        [TermKind::Blocked, TermKind::Held]
            .into_iter()
            .find(|kind| has(*kind))
    }

    /// The text without the words that are allowed, for the filter.
    pub(crate) fn without_allowed(&self, text: &str) -> String {
        let allowed = || self.0.iter().filter(|(_, kind)| *kind == TermKind::Allowed);
        if allowed().next().is_none() {
            return text.to_owned();
        }
        let is_allowed = |word: &str| {
            let word = words(word);
            allowed().any(|(term, _)| contains(&word, term))
        };
        let kept = text.split_whitespace().filter(|word| !is_allowed(word));
        kept.collect::<Vec<_>>().join(" ")
    }
}

/// The words of a text, folded; letters that stand apart (`b a d`, `b.a.d`) are put together.
fn words(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut letters = String::new();
    for word in fold(text).split(|c: char| !c.is_alphanumeric() && c != '*') {
        match word.chars().count() {
            0 => {}
            1 if word != "*" => letters.push_str(word),
            _ => {
                found.extend(single(&mut letters));
                found.push(squeeze(word));
            }
        }
    }
    found.extend(single(&mut letters));
    found
}

fn single(letters: &mut String) -> Option<String> {
    let word = squeeze(&std::mem::take(letters));
    (!word.is_empty()).then_some(word)
}

/// Repeated letters count once.
fn squeeze(word: &str) -> String {
    let mut squeezed = String::with_capacity(word.len());
    for c in word.chars() {
        if !squeezed.ends_with(c) {
            squeezed.push(c);
        }
    }
    squeezed
}

/// A text in the letters that it looks like.
pub(crate) fn fold(text: &str) -> String {
    let apart = text.nfkd().filter(|c| !is_combining_mark(*c));
    let letters: Vec<char> = apart.flat_map(char::to_lowercase).collect();
    let is_letter = |at: Option<usize>| {
        let c = at.and_then(|at| letters.get(at));
        c.is_some_and(|c| c.is_alphanumeric() || is_sign(*c))
    };
    let folded = letters.iter().enumerate().map(|(at, c)| {
        // `b!g` is a word and `big!` has a mark behind it, as `@big` has one before it.
        let is_within = is_letter(at.checked_sub(1)) && is_letter(Some(at + 1));
        match is_sign(*c) && !is_within {
            true => *c,
            false => look(*c),
        }
    });
    folded.collect()
}

fn is_sign(c: char) -> bool {
    matches!(c, '!' | '|' | '@' | '$')
}

/// The Latin letter that a character is mistaken for.
fn look(c: char) -> char {
    match c {
        '0' | 'о' | 'ο' | 'օ' => 'o',
        '1' | '!' | '|' | 'l' | 'і' | 'ι' | 'ı' | 'ӏ' => 'i',
        '3' | 'е' | 'ε' | 'ё' => 'e',
        '4' | '@' | 'а' | 'α' => 'a',
        '5' | '$' | 'ѕ' => 's',
        '7' | 'т' | 'τ' => 't',
        '8' | 'в' | 'β' => 'b',
        '9' | 'ɡ' => 'g',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'һ' | 'н' => 'h',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'п' | 'η' => 'n',
        'р' | 'ρ' => 'p',
        'ѵ' | 'ν' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        other => other,
    }
}

/// Whether the term's words stand in the text one behind the other. `*` in a term stands for any letters.
fn contains(text: &[String], term: &[String]) -> bool {
    !term.is_empty()
        && text.windows(term.len()).any(|found| {
            let mut pairs = found.iter().zip(term);
            pairs.all(|(word, pattern)| matches(word, pattern))
        })
}

fn matches(word: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return word == pattern;
    };
    let Some(mut left) = word.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(term: &str, text: &str) -> bool {
        Terms::new([(term, TermKind::Blocked)]).judge(text) == Some(TermKind::Blocked)
    }

    #[test]
    fn terms_are_found_in_disguise() {
        for text in [
            "badger",
            "BADGER!",
            "@badger",
            "b@dger",
            "b4dg3r",
            "b a d g e r",
            "b.a.d.g.e.r",
            "bаdgеr",
            "baaadger",
            "bádgèr",
            "ｂａｄｇｅｒ",
            "you badger you",
        ] {
            assert!(blocks("badger", text), "{text}");
        }
        for text in ["badgers", "bad ger", "a badge", "hedge"] {
            assert!(!blocks("badger", text), "{text}");
        }
    }

    #[test]
    fn stars_stand_for_letters_and_phrases_for_phrases() {
        assert!(blocks("badg*", "badgers"));
        assert!(blocks("*adge*", "xbadgers"));
        assert!(!blocks("badg*", "abadger"));
        assert!(blocks("buy followers", "please BUY  followers now"));
        assert!(!blocks("buy followers", "followers buy"));
    }

    #[test]
    fn blocked_goes_before_held_and_allowed_is_taken_out() {
        let terms = Terms::new([
            ("mild", TermKind::Held),
            ("bad", TermKind::Blocked),
            ("scunthorpe", TermKind::Allowed),
        ]);
        assert_eq!(terms.judge("mild bad"), Some(TermKind::Blocked));
        assert_eq!(terms.judge("mild"), Some(TermKind::Held));
        assert_eq!(terms.judge("fine"), None);
        assert_eq!(
            terms.without_allowed("I am from Scunthorpe, yes"),
            "I am from yes"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_judged(term in ".{0,40}", text in ".{0,200}") {
            let terms = Terms::new([(term.as_str(), TermKind::Held)]);
            let _ = terms.judge(&text);
            let _ = terms.without_allowed(&text);
        }
    }
}
