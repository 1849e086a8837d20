//! Section `[database]`.

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, invalid};

/// SQLite or PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://user:password@host/name`; empty: an SQLite file in the data folder.
    pub url: String,
    /// Connections kept to PostgreSQL, at most.
    pub connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: String::new(),
            connections: 10,
        }
    }
}

impl Database {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let known = ["", "postgres:", "postgresql:", "sqlite:"];
        let scheme = self.url.find(':').map_or(self.url.as_str(), |end| {
            self.url.get(..=end).unwrap_or_default()
        });
        if !known.contains(&scheme) {
            return Err(invalid(
                "database.url",
                "it must start with postgres:// or be empty for SQLite in the data folder",
            ));
        }
        if self.connections == 0 {
            return Err(invalid("database.connections", "it must be at least 1"));
        }
        Ok(())
    }

    /// Whether it is a PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    pub(super) fn hide_password(&mut self) {
        self.url = without_password(&self.url);
    }
}

/// An address whose password is replaced by `(hidden)`, wherever it stands.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, format!("?{}", hide_in_query(query))),
        None => (rest, String::new()),
    };
    let place = match place.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    format!("{scheme}://{place}{query}")
}

/// As PostgreSQL and Redis name it.
fn is_password(name: &str) -> bool {
    ["password", "pass"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn hide_in_query(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_password(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_they_stand() {
        for (url, shown) in [
            ("postgres://ann:pw@host/db", "postgres://ann:***@host/db"),
            (
                "postgres://ann:p@w@host/db?sslmode=require",
                "postgres://ann:***@host/db?sslmode=require",
            ),
            (
                "postgres://host/db?user=ann&password=pw",
                "postgres://host/db?user=ann&password=***",
            ),
            ("postgres://ann@host/db", "postgres://ann@host/db"),
            (
                "redis+unix:///run/redis?pass=pw",
                "redis+unix:///run/redis?pass=***",
            ),
            ("", ""),
        ] {
            let mut database = Database {
                url: url.to_owned(),
                ..Database::default()
            };
            database.hide_password();
            assert_eq!(database.url, shown.replace("***", HIDDEN));
        }
    }
}
