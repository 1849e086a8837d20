//! What somebody searches for, as words.

use crate::error::ApiError;

/// Words in lower case, each of letters and digits only, so that nothing in them steers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// Longest text that is searched for.
const MOST_CHARACTERS: usize = 100;
/// What stands behind so many words is not looked at.
const MOST_WORDS: usize = 8;

impl Words {
    /// Reads what was typed.
    ///
    /// # Errors
    /// When it holds no word, or is too long.
    pub fn read(text: &str) -> Result<Self, ApiError> {
        let invalid = |detail: String| ApiError::Invalid {
            code: "query_invalid",
            detail,
        };
        if text.chars().count() > MOST_CHARACTERS {
            return Err(invalid(format!(
                "search for at most {MOST_CHARACTERS} characters"
            )));
        }
        let words = text.to_lowercase();
        let words = words.split(|c: char| !c.is_alphanumeric());
        let words: Vec<String> = words
            .filter(|word| !word.is_empty())
            .take(MOST_WORDS)
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            return Err(invalid(
                "search for at least one letter or digit".to_owned(),
            ));
        }
        Ok(Self(words))
    }

    /// As FTS5 matches them (its section 3): all of them, each as the beginning of a word in one of the
    /// columns, among rows of one kind.
    pub(super) fn for_sqlite(&self, kind: &str, columns: &str) -> String {
        let words = self.0.iter().map(|word| format!("\"{word}\"*"));
        let words = words.collect::<Vec<_>>().join(" AND ");
        format!("kind : \"{kind}\" AND {{{columns}}} : ({words})")
    }

    /// For the function `search_query`.
    pub(super) fn for_postgres(&self) -> String {
        self.0.join(" ")
    }

    /// The words as one handle, if they could be one.
    pub(super) fn handle(&self) -> Option<&str> {
        match self.0.as_slice() {
            [word] => Some(word),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_search_steers_the_query() {
        let words = Words::read("\"Ada\" OR title:* NEAR(x, 2) -- '; DROP").unwrap();
        assert_eq!(words.for_postgres(), "ada or title near x 2 drop");
        let query = words.for_sqlite("channel", "title");
        assert!(query.ends_with("(\"ada\"* AND \"or\"* AND \"title\"* AND \"near\"* AND \"x\"* AND \"2\"* AND \"drop\"*)"), "{query}");
    }

    #[test]
    fn a_search_has_a_word_and_a_bound() {
        for text in ["", " ", "%_-", &"x".repeat(101)] {
            assert!(Words::read(text).is_err(), "{text}");
        }
        let many = "a ".repeat(40);
        assert_eq!(Words::read(&many).unwrap().0.len(), MOST_WORDS);
    }
}
