//! Section `[storage]`: an S3-compatible store for recordings, and for segments of live streams.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hls::check_base;
use super::{ConfigError, HIDDEN, invalid};

/// An S3-compatible store for recordings. Without a bucket, they stay in the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Such as `https://s3.example`; empty: that of Amazon in the region.
    pub endpoint: String,
    /// The bucket; empty: no store.
    pub bucket: String,
    /// Its region. Stores other than Amazon's mostly take any.
    pub region: String,
    /// Id of the key that signs requests.
    pub access_key: String,
    /// The key itself.
    pub secret_key: String,
    /// Put before the names of all objects, such as `tallylight`.
    pub prefix: String,
    /// Where players reach the bucket, such as `https://media.example`, a CDN in front of it; for `hls.store`.
    pub public_url: String,
    /// Files of a recording stay in the data folder so many days after they are all in the store.
    pub keep_local_days: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            access_key: String::new(),
            secret_key: String::new(),
            prefix: String::new(),
            public_url: String::new(),
            keep_local_days: 7,
        }
    }
}

impl Storage {
    /// Whether there is a store.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.bucket.is_empty()
    }

    /// [`Storage::public_url`] without the trailing slash.
    #[must_use]
    pub fn public_base(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// How long files stay in the data folder as well.
    #[must_use]
    pub fn keep_local(&self) -> Duration {
        Duration::from_secs(24 * 3_600) * self.keep_local_days
    }

    pub(super) fn hide_secret(&mut self) {
        if !self.secret_key.is_empty() {
            HIDDEN.clone_into(&mut self.secret_key);
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.public_url.is_empty() {
            check_base(&self.public_url, "storage.public_url")?;
        }
        if !self.is_used() {
            return Ok(());
        }
        if self.access_key.is_empty() || self.secret_key.is_empty() {
            return Err(invalid(
                "storage.access_key",
                "with storage.bucket, access_key and secret_key must be set, too",
            ));
        }
        let schemes = ["https://", "http://"];
        let is_url = schemes
            .iter()
            .any(|scheme| self.endpoint.starts_with(scheme));
        if !self.endpoint.is_empty() && !is_url {
            return Err(invalid(
                "storage.endpoint",
                "it must begin with https:// or http://, such as https://s3.example",
            ));
        }
        let is_plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        };
        if !is_plain(&self.prefix) || self.prefix.contains("..") {
            return Err(invalid(
                "storage.prefix",
                "it has letters, digits, hyphens, underscores and slashes, such as tallylight",
            ));
        }
        if self.keep_local_days > 36_500 {
            return Err(invalid(
                "storage.keep_local_days",
                "it must be at most 36500",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable() -> Storage {
        Storage {
            bucket: "recordings".to_owned(),
            access_key: "a".to_owned(),
            secret_key: "b".to_owned(),
            ..Storage::default()
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        assert!(Storage::default().check().is_ok(), "no bucket, no store");
        assert!(usable().check().is_ok());
        let wrong = [
            Storage {
                secret_key: String::new(),
                ..usable()
            },
            Storage {
                endpoint: "s3.example".to_owned(),
                ..usable()
            },
            Storage {
                public_url: "media.example".to_owned(),
                ..usable()
            },
            Storage {
                prefix: "a/../b".to_owned(),
                ..usable()
            },
        ];
        for storage in wrong {
            assert!(storage.check().is_err(), "{storage:?}");
        }
    }
}
