//! An answer as it is kept: status, the headers that matter, body.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// The longest body that is kept.
const MOST: u64 = 256 * 1024;
const HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// Reads an answer; gives it back, with what is to be kept of it if it is one of success and short.
pub(super) async fn read(response: Response) -> (Response, Option<Vec<u8>>) {
    let is_short = response
        .body()
        .size_hint()
        .upper()
        .is_some_and(|size| size <= MOST);
    if !response.status().is_success() || !is_short {
        return (response, None);
    }
    let (head, body) = response.into_parts();
    // It is in memory already: a body of known size that our own handlers made.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let headers = HEADERS.iter().filter_map(|name| {
        let value = head.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    });
    let kept = std::str::from_utf8(&body).ok().and_then(|text| {
        serde_json::to_vec(&Kept {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: text.to_owned(),
        })
        .ok()
    });
    (Response::from_parts(head, Body::from(body)), kept)
}

/// The answer again.
pub(super) fn write(kept: &[u8]) -> Option<Response> {
    let kept: Kept = serde_json::from_slice(kept).ok()?;
    let status = StatusCode::from_u16(kept.status).ok()?;
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    for (name, value) in kept.headers {
        let name: HeaderName = name.parse().ok()?;
        response
            .headers_mut()
            .insert(name, HeaderValue::from_str(&value).ok()?);
    }
    Some(response)
}
