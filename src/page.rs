//! [`Page`] and [`Cursor`]: long lists, newest first, a piece at a time.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::from_millis;
use crate::error::ApiError;

/// A piece of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// Where a page begins: behind the row of this time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at_ms: i64,
    id: String,
}

impl Cursor {
    /// Before the newest.
    #[must_use]
    pub fn start() -> Self {
        Self {
            at_ms: i64::MAX,
            id: String::new(),
        }
    }

    /// Behind a row.
    #[must_use]
    pub fn behind(at: Timestamp, id: impl fmt::Display) -> Self {
        Self {
            at_ms: at.as_millisecond(),
            id: id.to_string(),
        }
    }

    /// From a request, where no text is the start.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn read(text: &str) -> Result<Self, ApiError> {
        if text.is_empty() {
            return Ok(Self::start());
        }
        Self::parse(text).ok_or_else(|| ApiError::Invalid {
            code: "cursor_invalid",
            detail: "give the next_cursor of the page before, or none".to_owned(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (at_ms, id) = text.split_once('.')?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let at_ms: i64 = at_ms.parse().ok()?;
        (!id.is_empty() && id.len() <= 64 && id.chars().all(is_plain)).then(|| Self {
            at_ms,
            id: id.to_owned(),
        })
    }

    /// The time, for `($n, $m) > (time, id)`, in milliseconds.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// The time itself; the far future at the start.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        from_millis(self.at_ms)
    }

    /// The id, empty at the start.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at_ms, self.id)
    }
}

impl<T> Page<T> {
    /// Of rows of which one more than `most` was asked for, which tells whether there are more.
    #[must_use]
    pub fn cut<R>(
        mut rows: Vec<R>,
        most: usize,
        behind: impl FnOnce(&R) -> Cursor,
        show: impl FnMut(R) -> T,
    ) -> Self {
        let has_more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| has_more).map(behind);
        Self {
            next_cursor: next.map(|next| next.to_string()),
            items: rows.into_iter().map(show).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let cursor = Cursor {
            at_ms: 1_700_000_000_000,
            id: "01932b1e-0000-7000-8000-000000000000".to_owned(),
        };
        assert_eq!(Cursor::read(&cursor.to_string()).unwrap(), cursor);
        assert_eq!(Cursor::read("").unwrap(), Cursor::start());
        for wrong in [".", "1", "1.", "x.01932b1e", "1.\0", "1.a b"] {
            assert!(Cursor::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_page_tells_whether_there_are_more() {
        let cut = |rows: Vec<i64>| {
            let behind = |row: &i64| Cursor::behind(from_millis(*row), row);
            Page::cut(rows, 2, behind, |row| row)
        };
        let page = cut(vec![3, 2, 1]);
        assert_eq!(page.items, [3, 2]);
        assert_eq!(page.next_cursor.as_deref(), Some("2.2"));
        assert_eq!(cut(vec![3, 2]).next_cursor, None);
    }
}
