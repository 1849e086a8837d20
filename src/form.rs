//! [`Form`]: checks the fields of a request one by one and tells all that is wrong at once.

use crate::error::{ApiError, FieldProblem};

/// What is wrong with a request so far.
#[derive(Debug, Default)]
pub struct Form {
    problems: Vec<FieldProblem>,
    /// Something that is about no field, such as a database that is away.
    other: Option<ApiError>,
}

impl Form {
    /// With nothing wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a checked field, or what is wrong with it. Without a value its default goes on, which
    /// nobody sees: [`Form::done`] must follow.
    pub fn take<T: Default>(&mut self, field: &str, checked: Result<T, ApiError>) -> T {
        match checked {
            Ok(value) => return value,
            Err(ApiError::Invalid { code, detail }) => self.add(field, code, detail),
            Err(ApiError::Fields(inner)) => {
                let within = inner.into_iter().map(|problem| FieldProblem {
                    field: format!("{field}.{}", problem.field),
                    ..problem
                });
                self.problems.extend(within);
            }
            Err(error) => self.other = Some(self.other.take().unwrap_or(error)),
        }
        T::default()
    }

    /// [`Form::take`] of a field that may be left out.
    pub fn take_some<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        check: impl FnOnce(T) -> Result<U, ApiError>,
    ) -> Option<U> {
        self.take(field, value.map(check).transpose())
    }

    /// A field breaks a rule.
    pub fn add(&mut self, field: &str, rule: &'static str, detail: impl Into<String>) {
        self.problems.push(FieldProblem {
            field: field.to_owned(),
            rule,
            detail: detail.into(),
        });
    }

    /// The end of the form.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn done(self) -> Result<(), ApiError> {
        match self.other {
            Some(error) => Err(error),
            None if self.problems.is_empty() => Ok(()),
            None => Err(ApiError::Fields(self.problems)),
        }
    }
}

/// A text of one line, trimmed, with so many characters at least and at most, and none that hides or
/// reorders others.
///
/// # Errors
/// With what would be right.
pub fn line(code: &'static str, text: &str, least: usize, most: usize) -> Result<String, ApiError> {
    let text = text.trim();
    let length = text.chars().count();
    let detail = if !(least..=most).contains(&length) {
        match least {
            0 => format!("at most {most} characters"),
            _ => format!("{least} to {most} characters"),
        }
    } else if text.chars().any(is_hidden) {
        "no control characters and none that are invisible or change the direction of text"
            .to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(ApiError::Invalid { code, detail })
}

/// As [`line`], with line breaks and tabs.
///
/// # Errors
/// With what would be right.
pub fn paragraph(code: &'static str, text: &str, most: usize) -> Result<String, ApiError> {
    let text = text.trim().replace("\r\n", "\n");
    let visible: String = text.chars().filter(|c| !matches!(c, '\n' | '\t')).collect();
    let length = text.chars().count();
    let detail = if length > most {
        format!("at most {most} characters; it has {length}")
    } else if visible.chars().any(is_hidden) {
        "no control characters and none that are invisible or change the direction of text"
            .to_owned()
    } else {
        return Ok(text);
    };
    Err(ApiError::Invalid { code, detail })
}

/// Control characters, and what Unicode has to steer the direction of text or to stand unseen. The
/// joiners U+200C and U+200D belong to scripts and emoji and stay.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{061C}' | '\u{00AD}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Tells a field that is null from one that is not there, for `deserialize_with` beside `default`.
///
/// # Errors
/// When the value is of another kind.
pub fn given<'de, T, D>(from: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    serde::Deserialize::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut form = Form::new();
        let name = form.take("name", line("name_invalid", "Ada", 1, 10));
        assert_eq!(name, "Ada");
        form.take("title", line("title_invalid", "", 1, 10));
        form.add("tags", "too_many_tags", "at most 10 tags");
        let Err(ApiError::Fields(problems)) = form.done() else {
            panic!("nothing was wrong");
        };
        let fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["title", "tags"]);
        assert!(Form::new().done().is_ok());
    }

    #[test]
    fn hidden_characters_are_refused_and_emoji_are_not() {
        for text in [
            "a\u{202E}b",
            "a\u{200B}b",
            "tab\there",
            "a\u{0}b",
            "\u{E0041}",
        ] {
            assert!(line("x", text, 1, 10).is_err(), "{text:?}");
        }
        for text in ["👩\u{200D}💻 live", "ädä", "नमस्ते"] {
            assert!(line("x", text, 1, 20).is_ok(), "{text}");
        }
        assert_eq!(paragraph("x", " two\r\nlines ", 20).unwrap(), "two\nlines");
    }
}
