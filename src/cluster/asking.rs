//! Requests to other servers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method};
use reqwest::Response;

use super::{Cluster, Record};
use crate::request::{ASKED_BY_SERVER, PASSED_ON};

/// Why another server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There are no others.
    #[error("this server passes no streams on")]
    Alone,
    /// None of them says to have it.
    #[error("no server says to have it just now")]
    Nobody,
    /// It cannot be reached, or broke off.
    #[error("{url} cannot be reached: {source}")]
    Unreachable {
        /// Where it was thought to be.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
}

impl Cluster {
    /// Asks another server for something for this server itself. `path` is the path and query.
    ///
    /// # Errors
    /// When it cannot be reached, or does not answer in time.
    pub async fn ask(
        &self,
        server: &Record,
        (method, path): (Method, &str),
        body: String,
        within: Duration,
    ) -> Result<Response, AskError> {
        let inner = self.0.as_ref().ok_or(AskError::Alone)?;
        let seal = inner.kin.seal_own(&method, path);
        let asked = inner
            .client
            .request(method, format!("{}{path}", server.url))
            .header(ASKED_BY_SERVER.clone(), seal)
            .timeout(within)
            .body(body);
        unreachable(server, asked.send().await)
    }

    /// Passes a request of somebody else on to another server, which believes what its headers
    /// `X-Forwarded-…` say of them. The answer's body comes as it comes.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn pass_on(
        &self,
        server: &Record,
        (method, path): (Method, &str),
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Response, AskError> {
        let inner = self.0.as_ref().ok_or(AskError::Alone)?;
        headers.insert(PASSED_ON.clone(), inner.kin.seal_passed_on(&headers));
        let asked = inner
            .client
            .request(method, format!("{}{path}", server.url))
            .headers(headers)
            .body(reqwest::Body::wrap_stream(body.into_data_stream()));
        unreachable(server, asked.send().await)
    }
}

fn unreachable(
    server: &Record,
    answered: Result<Response, reqwest::Error>,
) -> Result<Response, AskError> {
    answered.map_err(|source| AskError::Unreachable {
        url: server.url.clone(),
        source: source.without_url(),
    })
}
