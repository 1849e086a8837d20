//! Section `[cluster]`: servers that share a database pass streams on to one another.

use serde::{Deserialize, Serialize};

use super::{Bus, ConfigError, invalid};

/// How servers that share a database and a Redis pass streams on to one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Where the other servers reach this one's HTTP, such as `http://10.0.0.2:8080`; empty: it passes
    /// no streams on, and gets none.
    pub url: String,
}

impl Cluster {
    /// Whether streams are passed on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// [`Self::url`] without the trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    pub(super) fn check(&self, bus: &Bus) -> Result<(), ConfigError> {
        let parsed = reqwest::Url::parse(&self.url).ok();
        let fits = parsed.is_some_and(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.host().is_some()
                && url.path() == "/"
                && url.query().is_none()
                && url.username().is_empty()
        });
        if self.is_on() && !fits {
            let words = "it must be http:// or https://, a host and perhaps a port, such as \
                         http://10.0.0.2:8080";
            return Err(invalid("cluster.url", words));
        }
        if self.is_on() && !bus.is_shared() {
            let words = "servers find one another by Redis: set bus.url (and database.url to the \
                         PostgreSQL that they share), or leave cluster.url empty";
            return Err(invalid("cluster.url", words));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cluster_is_refused_in_words() {
        let shared = Bus {
            url: "redis://redis.example".to_owned(),
            ..Bus::default()
        };
        let cluster = |url: &str| Cluster {
            url: url.to_owned(),
        };
        let alone = Bus::default();
        assert!(cluster("").check(&alone).is_ok());
        let whole = cluster("http://10.0.0.2:8080/");
        assert!(whole.check(&shared).is_ok());
        assert_eq!(whole.base(), "http://10.0.0.2:8080");
        let no_redis = whole.check(&alone).unwrap_err().to_string();
        assert!(no_redis.contains("bus.url"), "{no_redis}");
        for wrong in [
            "10.0.0.2:8080",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://u@a",
        ] {
            assert!(cluster(wrong).check(&shared).is_err(), "{wrong}");
        }
    }
}
