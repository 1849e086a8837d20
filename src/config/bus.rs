//! Section `[bus]`: how servers that share a database tell one another what happens.

use serde::{Deserialize, Serialize};

use super::database::without_password;
use super::{ConfigError, Database, invalid};

/// How servers that share a database tell one another what happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// `redis://:password@host:6379`, `rediss://` over TLS; empty: this server is alone.
    pub url: String,
    /// Begins the names of all that is kept there.
    pub prefix: String,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            url: String::new(),
            prefix: "tallylight".to_owned(),
        }
    }
}

/// Bytes of a prefix.
const MOST_PREFIX: usize = 64;

impl Bus {
    /// Whether there may be other servers.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !self.url.is_empty()
    }

    pub(super) fn hide_password(&mut self) {
        self.url = without_password(&self.url);
    }

    pub(super) fn check(&self, database: &Database) -> Result<(), ConfigError> {
        if !self.is_shared() {
            return Ok(());
        }
        if let Err(error) = redis::Client::open(self.url.as_str()) {
            let words = format!(
                "it must be an address of Redis, such as redis://:password@host:6379 ({error})"
            );
            return Err(invalid("bus.url", words));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let is_prefix = (1..=MOST_PREFIX).contains(&self.prefix.len());
        if !is_prefix || !self.prefix.chars().all(is_plain) {
            let words = "1 to 64 letters, digits, and _ - . :";
            return Err(invalid("bus.prefix", words));
        }
        match database.is_postgres() {
            true => Ok(()),
            false => Err(invalid(
                "bus.url",
                "servers that tell one another what happens share a database: set database.url to a \
                 PostgreSQL, or leave bus.url empty for a server of its own",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_servers_need_one_database_and_a_redis() {
        let postgres = Database {
            url: "postgres://db.example/tally".to_owned(),
            ..Database::default()
        };
        let bus = |url: &str| Bus {
            url: url.to_owned(),
            ..Bus::default()
        };
        assert!(bus("").check(&Database::default()).is_ok());
        assert!(
            bus("redis://:pw@redis.example:6379/1")
                .check(&postgres)
                .is_ok()
        );
        assert!(bus("rediss://redis.example").check(&postgres).is_ok());
        assert!(
            bus("redis://redis.example")
                .check(&Database::default())
                .is_err()
        );
        for wrong in ["redis.example", "http://redis.example", "redis://"] {
            assert!(bus(wrong).check(&postgres).is_err(), "{wrong}");
        }
        let spaced = Bus {
            prefix: "a b".to_owned(),
            ..bus("redis://redis.example")
        };
        assert!(spaced.check(&postgres).is_err());
    }
}
