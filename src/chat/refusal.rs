//! [`Refusal`]: why something is not said, for a program and for a person.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;

use crate::error::{ApiError, Problem, log_store_error};

/// Why somebody may not say what they want to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Stable, as docs/CHAT.md has it.
    pub(crate) code: &'static str,
    /// For a person.
    pub(crate) detail: Cow<'static, str>,
    /// Where waiting helps.
    pub(crate) wait: Option<Duration>,
    /// Where it is no rule of chat's that refuses.
    status: Option<StatusCode>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            wait: None,
            status: None,
        }
    }

    pub(crate) fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    pub(crate) fn wait_ms(&self) -> Option<u64> {
        let millis = self.wait.map(|wait| wait.as_millis().max(1));
        millis.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// As the API tells it.
    pub(crate) fn problem(&self) -> Problem {
        let by_code = match self.code {
            "not_signed_in" => StatusCode::UNAUTHORIZED,
            "text_empty" | "text_too_long" | "reply_unknown" | "emoji_unknown"
            | "option_unknown" => StatusCode::UNPROCESSABLE_ENTITY,
            "poll_ended" | "voted_already" | "too_many_questions" => StatusCode::CONFLICT,
            "busy" => StatusCode::SERVICE_UNAVAILABLE,
            "too_fast" | "slow_mode" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::FORBIDDEN,
        };
        let status = self.status.unwrap_or(by_code);
        let problem = Problem::new(status, self.code, self.detail.clone());
        match self.wait {
            Some(wait) => problem.retry_after(wait),
            None => problem,
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        if let ApiError::Store(error) = &error {
            log_store_error(error);
        }
        let problem = error.problem();
        Self {
            status: Some(problem.status()),
            ..Self::new(problem.code(), problem.detail().to_owned())
        }
    }
}
