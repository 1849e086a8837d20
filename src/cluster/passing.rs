//! Requests that another server is to answer, passed on with what is known of whoever sent them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{AskError, Cluster, Record};
use crate::error::Problem;
use crate::request::{ASKED_BY_SERVER, Client, PASSED_ON};

/// Headers that are about a connection (RFC 9110 §7.6.1), or that only we may say.
static OF_CONNECTIONS: [HeaderName; 8] = [
    CONNECTION,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("forwarded"),
];

/// Whether another server asks for this, or passed it on: it goes no further.
#[must_use]
pub fn was_passed_on(headers: &HeaderMap) -> bool {
    headers.contains_key(&PASSED_ON) || headers.contains_key(&ASKED_BY_SERVER)
}

impl Cluster {
    /// Has another server answer. Where that is not to be reached, the sender is told to try again.
    pub async fn have_answered(
        &self,
        server: &Record,
        client: &Client,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        let headers = with_sender(head.headers, client);
        let asked = self.pass_on(server, (head.method, path), headers, body);
        match asked.await {
            Ok(answered) => as_ours(answered),
            Err(error) => away(&error),
        }
    }
}

/// What is told while another server is not to be reached.
pub fn away(error: &AskError) -> Response {
    match error {
        // Every player asks while a stream is on its way from one server to another.
        AskError::Nobody => tracing::debug!(%error, "Another server is waited for"),
        _ => tracing::warn!(%error, "Another server does not answer: {error}"),
    }
    let words = "the server that has this does not answer; try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_away", words)
        .retry_after(Duration::from_secs(2))
        .into_response()
}

/// Its headers, and who they are of.
fn with_sender(mut headers: HeaderMap, client: &Client) -> HeaderMap {
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    let (scheme, host) = client.origin.split_once("://").unwrap_or(("http", ""));
    let said = [
        ("x-forwarded-for", client.address.to_string()),
        ("x-forwarded-host", host.to_owned()),
        ("x-forwarded-proto", scheme.to_owned()),
    ];
    for (name, value) in said {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

fn as_ours(answered: reqwest::Response) -> Response {
    let status = answered.status();
    let mut headers = answered.headers().clone();
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    let body = Body::from_stream(answered.bytes_stream());
    let mut response = (status, body).into_response();
    *response.headers_mut() = headers;
    response
}
