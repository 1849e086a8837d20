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

    pub(super) fn hide_password(&mut self) {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return;
        };
        let Some((user, host)) = rest.rsplit_once('@') else {
            return;
        };
        if let Some((user, _)) = user.split_once(':') {
            self.url = format!("{scheme}://{user}:{HIDDEN}@{host}");
        }
    }
}
