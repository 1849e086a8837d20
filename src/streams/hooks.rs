//! [`Hooks`]: asks an endpoint of the operator's whether somebody may publish or watch.
//!
//! It gets a signed POST with what is known of who asks. 2xx allows; 4xx refuses, with the `detail` of
//! its answer for the encoder or the viewer; anything else, and silence, is what the operator set.
//! Viewers of HLS are asked about once a minute for each channel and address, because players ask for
//! playlists over and over.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config;
use crate::config::OnFailure;
use crate::error::Problem;
use crate::form::is_hidden;
use crate::outgoing::{Outgoing, SIGNATURE, sign};
use crate::secret::Secret;

/// The operator's endpoints: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::Hooks,
    secret: Secret,
    outgoing: Outgoing,
    clock: Clock,
    /// What was said of readers of playlists, by channel and address.
    readers: Mutex<HashMap<(String, IpAddr), Said>>,
}

#[derive(Debug, Clone)]
struct Said {
    at: Instant,
    verdict: Result<(), HookRefusal>,
}

/// What somebody is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Publish,
    Play,
}

/// Who is about to do it, as the endpoint reads it.
#[derive(Debug, Serialize)]
pub(super) struct Asking<'a> {
    pub(super) action: Action,
    /// The channel's handle.
    pub(super) channel: &'a str,
    /// Of the key that it publishes with; null for the owner's own page, and for viewers.
    pub(super) stream_key_id: Option<String>,
    pub(super) address: IpAddr,
    pub(super) user_agent: &'a str,
    pub(super) protocol: &'static str,
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HookRefusal {
    /// The operator's endpoint says so.
    #[error("{0}")]
    Refused(String),
    /// It does not answer, and nobody may without.
    #[error("this server's own check of who may do this does not answer; try again shortly")]
    NoAnswer,
}

/// What an answer may hold.
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

/// Characters that are shown of what the endpoint says.
const MOST_DETAIL: usize = 200;
const REFUSED: &str = "the operator of this server does not allow it";
/// What was said of a reader holds for so long.
const SAID_FOR: Duration = Duration::from_secs(60);
/// Readers of whom something is remembered, at most; of further ones it is asked each time.
const MOST_READERS: usize = 20_000;

impl HookRefusal {
    pub(super) fn problem(&self) -> Problem {
        let words = self.to_string();
        match self {
            Self::Refused(_) => Problem::new(StatusCode::FORBIDDEN, "refused_by_hook", words),
            Self::NoAnswer => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "hook_unavailable", words)
                    .retry_after(Duration::from_secs(5))
            }
        }
    }
}

impl Hooks {
    pub(super) fn new(config: &config::Hooks, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            secret: Secret::new(config.secret.clone()),
            config: config.clone(),
            outgoing: Outgoing::to_operators_own(clock.clone()),
            clock,
            readers: Mutex::default(),
        }))
    }

    /// Whether viewers are asked about.
    pub(super) fn are_for_plays(&self) -> bool {
        !self.0.config.play_url.is_empty()
    }

    /// Asks whether somebody may.
    pub(super) async fn ask(&self, asking: &Asking<'_>) -> Result<(), HookRefusal> {
        let Inner {
            config, outgoing, ..
        } = &*self.0;
        let url = match asking.action {
            Action::Publish => &config.publish_url,
            Action::Play => &config.play_url,
        };
        if url.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_vec(asking).unwrap_or_default();
        let headers = self.headers(&body);
        let answered = timeout(config.timeout(), outgoing.post(url, headers, body)).await;
        let problem = match answered {
            Ok(Ok(answer)) => match verdict(answer.status, &answer.body) {
                Some(verdict) => return verdict,
                None => format!("it answered {}", answer.status),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", config.timeout_ms),
        };
        let on_failure = config.on_failure;
        tracing::warn!(
            problem, ?on_failure, action = ?asking.action, channel.handle = asking.channel,
            "The operator's hook failed: {problem}"
        );
        match on_failure {
            OnFailure::Allow => Ok(()),
            OnFailure::Refuse => Err(HookRefusal::NoAnswer),
        }
    }

    /// Asks whether somebody may read the playlists of a channel, where that was not said lately.
    pub(super) async fn ask_for_reader(&self, asking: &Asking<'_>) -> Result<(), HookRefusal> {
        if !self.are_for_plays() {
            return Ok(());
        }
        let reader = (asking.channel.to_owned(), asking.address);
        if let Some(said) = self.said(&reader) {
            return said;
        }
        let verdict = self.ask(asking).await;
        self.remember(reader, &verdict);
        verdict
    }

    fn headers(&self, body: &[u8]) -> HeaderMap {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let signature = sign(&self.0.secret, self.0.clock.now(), body);
        if let Ok(mut value) = HeaderValue::from_str(&signature)
            && !self.0.config.secret.is_empty()
        {
            value.set_sensitive(true);
            headers.insert(SIGNATURE.clone(), value);
        }
        headers
    }

    fn said(&self, reader: &(String, IpAddr)) -> Option<Result<(), HookRefusal>> {
        let now = self.0.clock.instant();
        let readers = &self.0.readers;
        let said = readers.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.get(reader).cloned()?;
        let is_new = now.saturating_duration_since(said.at) < SAID_FOR;
        is_new.then_some(said.verdict)
    }

    fn remember(&self, reader: (String, IpAddr), verdict: &Result<(), HookRefusal>) {
        // Silence is asked about again.
        if matches!(verdict, Err(HookRefusal::NoAnswer)) {
            return;
        }
        let at = self.0.clock.instant();
        let readers = &self.0.readers;
        let mut readers = readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() >= MOST_READERS {
            readers.retain(|_, said| at.saturating_duration_since(said.at) < SAID_FOR);
        }
        if readers.len() < MOST_READERS {
            let verdict = verdict.clone();
            readers.insert(reader, Said { at, verdict });
        }
    }
}

/// What an answer means; nothing where it is none of a hook.
fn verdict(status: u16, body: &[u8]) -> Option<Result<(), HookRefusal>> {
    match status {
        200..=299 => Some(Ok(())),
        400..=499 => Some(Err(HookRefusal::Refused(detail(body)))),
        _ => None,
    }
}

/// What the endpoint says, as one line of plain text.
fn detail(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.detail);
    let is_shown = |c: &char| !is_hidden(*c);
    let said: String = said.unwrap_or_default().chars().filter(is_shown).collect();
    let said: String = said.trim().chars().take(MOST_DETAIL).collect();
    match said.is_empty() {
        true => REFUSED.to_owned(),
        false => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_shown_as_one_short_line() {
        let said = |body: &str| detail(body.as_bytes());
        assert_eq!(said(r#"{"detail":"no seats left"}"#), "no seats left");
        assert_eq!(said(r#"{"detail":"a\n\u202eb","more":1}"#), "ab");
        assert_eq!(said("<html>"), REFUSED);
        assert_eq!(said(r#"{"detail":"  "}"#), REFUSED);
        let long = format!(r#"{{"detail":"{}"}}"#, "é".repeat(900));
        assert_eq!(said(&long).chars().count(), MOST_DETAIL);
    }

    #[test]
    fn only_answers_of_a_hook_count() {
        assert_eq!(verdict(204, b""), Some(Ok(())));
        let refused = HookRefusal::Refused(REFUSED.to_owned());
        assert_eq!(verdict(403, b""), Some(Err(refused)));
        assert_eq!(
            [verdict(302, b""), verdict(500, b""), verdict(101, b"")],
            [None, None, None]
        );
    }
}
