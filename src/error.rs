//! [`Problem`]: what every refused request gets, as RFC 9457 has it, with a stable `code`.
//!
//! [`ApiError`] is the error of the JSON API. Protocol endpoints have enums of their own, which
//! turn into a [`Problem`] as well.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::StoreError;
use crate::secret::random_bytes;

/// Body of every refusal (RFC 9457 §3), `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem: `urn:tallylight:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// For a person: what is wrong and what to do.
    detail: String,
    /// For a program: stable, `snake_case`.
    code: &'static str,
    /// The fields of the request that do not hold what they must, where it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// A field of a request that does not hold what it must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Its name; with dots where it lies in another.
    pub field: String,
    /// The rule that it breaks: stable, `snake_case`.
    pub rule: &'static str,
    /// For a person: what would be right.
    pub detail: String,
}

impl Problem {
    /// Makes a problem from its status, its stable code and words for a person.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:tallylight:problem:{code}"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Error")),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds the fields that it is about.
    #[must_use]
    pub fn of_fields(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The refusal of everything new while the server shuts down. Callers come back spread over some
    /// seconds, so that the next server does not meet all of them at once.
    #[must_use]
    pub fn draining() -> Self {
        let [spread] = random_bytes::<1>();
        let after = Duration::from_secs(2 + u64::from(spread % 5));
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "shutting_down",
            "the server is restarting; try again in a few seconds",
        )
        .retry_after(after)
    }

    /// The refusal of somebody who asks too often.
    #[must_use]
    pub fn too_many(after: Duration) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            format!("too many requests; try again in {} s", whole_seconds(after)),
        )
        .retry_after(after)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The words for a person.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        response
    }
}

fn whole_seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

/// Why the JSON API refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Nobody is signed in.
    #[error("sign in first")]
    NotSignedIn,
    /// Signed in, but not as somebody who may do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 401 for a reason of its own, such as a token that has expired.
    #[error("{detail}")]
    Unauthorized {
        /// Such as `token_expired`.
        code: &'static str,
        /// For a person.
        detail: &'static str,
    },
    /// 403 for a reason of its own, such as a scope that a token lacks.
    #[error("{detail}")]
    Denied {
        /// Such as `scope_missing`.
        code: &'static str,
        /// For a person.
        detail: String,
    },
    /// An unsafe request from another site, or from no page at all.
    #[error("this request must come from a page of this server (Origin does not match)")]
    ForeignOrigin,
    /// The thing is not there. The code names its kind.
    #[error("{detail}")]
    NotFound {
        /// Such as `channel_not_found`.
        code: &'static str,
        /// For a person.
        detail: &'static str,
    },
    /// Fields do not hold what they must; [`crate::form::Form`] gathers them.
    #[error("{}", in_one_line(.0))]
    Fields(Vec<FieldProblem>),
    /// Something does not hold what it must.
    #[error("{detail}")]
    Invalid {
        /// Such as `handle_invalid`.
        code: &'static str,
        /// For a person.
        detail: String,
    },
    /// The state of things does not allow it.
    #[error("{detail}")]
    Conflict {
        /// Such as `handle_taken`.
        code: &'static str,
        /// For a person.
        detail: String,
    },
    /// Name or password is wrong; which of them is not told.
    #[error("name or password is wrong")]
    WrongPassword,
    /// The one-time set-up token is wrong or used.
    #[error("this set-up link is wrong or used; the newest one stands in the server's output")]
    SetupTokenInvalid,
    /// Asked too often.
    #[error("too many attempts")]
    TooMany(Duration),
    /// The body cannot be read.
    #[error("{detail}")]
    Body {
        /// 400, 413 or 415.
        status: StatusCode,
        /// Such as `body_too_large`.
        code: &'static str,
        /// For a person.
        detail: String,
    },
    /// Somebody else whom it takes does not answer, or refuses.
    #[error("{detail}")]
    Away {
        /// Such as `stripe_unavailable`.
        code: &'static str,
        /// For a person.
        detail: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Store(StoreError),
    /// Something of ours failed; the log has it.
    #[error("internal error")]
    Internal(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl ApiError {
    /// The problem that stands for this error.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let words = self.to_string();
        match self {
            Self::NotSignedIn => Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", words),
            Self::Forbidden(_) => Problem::new(StatusCode::FORBIDDEN, "forbidden", words),
            Self::Unauthorized { code, .. } => Problem::new(StatusCode::UNAUTHORIZED, code, words),
            Self::Denied { code, .. } => Problem::new(StatusCode::FORBIDDEN, code, words),
            Self::ForeignOrigin => Problem::new(StatusCode::FORBIDDEN, "origin_refused", words),
            Self::NotFound { code, .. } => Problem::new(StatusCode::NOT_FOUND, code, words),
            Self::Invalid { code, .. } => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, words)
            }
            Self::Fields(errors) => {
                // One broken rule is told by its own code, several by a common one.
                let code = match errors.as_slice() {
                    [one] => one.rule,
                    _ => "fields_invalid",
                };
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, words);
                problem.of_fields(errors.clone())
            }
            Self::Conflict { code, .. } => Problem::new(StatusCode::CONFLICT, code, words),
            Self::WrongPassword => Problem::new(StatusCode::UNAUTHORIZED, "wrong_password", words),
            Self::SetupTokenInvalid => {
                Problem::new(StatusCode::FORBIDDEN, "setup_token_invalid", words)
            }
            Self::TooMany(after) => Problem::too_many(*after),
            Self::Away { code, .. } => {
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, words);
                problem.retry_after(Duration::from_secs(5))
            }
            Self::Body { status, code, .. } => Problem::new(*status, code, words),
            Self::Store(error) => store_problem(error),
            Self::Internal(_) => internal_problem(),
        }
    }
}

fn in_one_line(errors: &[FieldProblem]) -> String {
    let lines = errors.iter().map(|error| match errors {
        [_] => error.detail.clone(),
        _ => format!("{}: {}", error.field, error.detail),
    });
    lines.collect::<Vec<_>>().join("; ")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Store(error) => log_store_error(error),
            Self::Internal(cause) => tracing::error!(cause, "A request failed: {cause}"),
            _ => {}
        }
        self.problem().into_response()
    }
}

/// The problem that stands for a failed database call; its words do not leave the server.
#[must_use]
pub fn store_problem(error: &StoreError) -> Problem {
    if error.is_unavailable() {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "the database does not answer; try again shortly",
        )
        .retry_after(Duration::from_secs(5));
    }
    internal_problem()
}

/// Logs a failed database call, once, where it is handled.
pub fn log_store_error(error: &StoreError) {
    tracing::error!(error = %error, "A database call failed: {error}");
}

fn internal_problem() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "something failed on the server; its log has the reason",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_a_code() {
        let problem = ApiError::NotSignedIn.problem();
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(body["status"], 401);
        assert_eq!(body["code"], "not_signed_in");
        assert_eq!(body["title"], "Unauthorized");
        assert_eq!(body["type"], "urn:tallylight:problem:not_signed_in");
        assert_eq!(body["detail"], "sign in first");
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let response = Problem::too_many(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
