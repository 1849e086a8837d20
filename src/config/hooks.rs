//! Section `[hooks]`: an endpoint of the operator's that allows or refuses each publish and play.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, invalid};

/// An endpoint of the operator's that is asked before somebody publishes or watches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Asked before each publish; empty: nobody is.
    pub publish_url: String,
    /// Asked before each play; empty: nobody is.
    pub play_url: String,
    /// Signs what is sent, as webhooks are signed; empty: it is not.
    pub secret: String,
    /// What happens when the endpoint does not answer.
    pub on_failure: OnFailure,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What happens when an endpoint of the operator's does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nobody may.
    Refuse,
    /// Everybody may.
    Allow,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            publish_url: String::new(),
            play_url: String::new(),
            secret: String::new(),
            on_failure: OnFailure::Refuse,
            timeout_ms: 5_000,
        }
    }
}

impl Hooks {
    /// How long the endpoint may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn hide_secret(&mut self) {
        if !self.secret.is_empty() {
            HIDDEN.clone_into(&mut self.secret);
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, url) in [
            ("hooks.publish_url", &self.publish_url),
            ("hooks.play_url", &self.play_url),
        ] {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            if !url.is_empty() && !is_web {
                return Err(invalid(
                    key,
                    "it must begin with https:// or http://, such as http://127.0.0.1:9000/publish",
                ));
            }
        }
        if !(100..=5_000).contains(&self.timeout_ms) {
            // Encoders give up at 8 s, and the answer to the offer takes its time, too.
            return Err(invalid(
                "hooks.timeout_ms",
                "it must lie between 100 and 5000",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        assert!(Hooks::default().check().is_ok());
        let wrong = [
            Hooks {
                publish_url: "auth.example/publish".to_owned(),
                ..Hooks::default()
            },
            Hooks {
                timeout_ms: 60_000,
                ..Hooks::default()
            },
        ];
        for hooks in wrong {
            assert!(hooks.check().is_err(), "{hooks:?}");
        }
    }
}
