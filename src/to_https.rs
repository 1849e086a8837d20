//! The listener in the clear of a server that has a name: it sends everybody to https.
//!
//! Four things are answered in the clear: what a certificate authority asks, whether the server is well, what
//! comes by a proxy that we trust and that ended TLS itself, and what other servers of ours ask.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::config::Config;
use crate::request::{Arrival, Front, Kin};
use crate::serve::{Answers, Asked};
use crate::tls::Certificates;

/// Where certificate authorities ask (RFC 8555 §8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// What is asked by those who watch over the server.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Answers in the clear.
#[derive(Debug, Clone)]
pub struct ToHttps<A> {
    origin: String,
    certificates: Certificates,
    front: Front,
    /// Other servers of ours, which ask within a network of their own.
    kin: Option<Kin>,
    whole: A,
}

impl<A: Answers> ToHttps<A> {
    /// In front of what is answered over TLS; where the server has no name of its own, nothing stands in front.
    #[must_use]
    pub fn new(
        config: &Config,
        certificates: &Certificates,
        kin: Option<Kin>,
        whole: A,
    ) -> Option<Self> {
        let has_name = !config.server.domain.is_empty();
        let origin = config.http.public_origin().filter(|_| has_name)?;
        Some(Self {
            origin: origin.to_owned(),
            certificates: certificates.clone(),
            front: Front::new(&config.http),
            kin,
            whole,
        })
    }

    fn is_whole(&self, asked: &Asked, arrival: Arrival) -> bool {
        let came_over_tls = self
            .front
            .came_over_tls(arrival, asked.uri(), asked.headers());
        let path = asked.uri().path_and_query();
        let path = path.map_or("", |path| path.as_str());
        let is_kin = self.kin.as_ref().is_some_and(|kin| {
            let headers = asked.headers();
            kin.is_own(asked.method(), path, headers) || kin.is_passed_on(headers)
        });
        came_over_tls || is_kin || HEALTH.contains(&asked.uri().path())
    }

    /// What the authority wants to read.
    fn proof(&self, path: &str) -> Option<Response> {
        let token = path.strip_prefix(CHALLENGES)?;
        let answer = self.certificates.answer_to(token)?;
        let plain = HeaderValue::from_static("application/octet-stream");
        Some(([(CONTENT_TYPE, plain)], answer).into_response())
    }

    /// The same address over TLS. The method stays, for those who publish or watch (RFC 9110 §15.4.9).
    fn elsewhere(&self, asked: &Asked) -> Response {
        let path = asked
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let target = format!("{}{path}", self.origin);
        match HeaderValue::from_str(&target) {
            Ok(target) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]).into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    fn not_yet(&self) -> Response {
        // Why is for its operator: the log has it.
        let words = "This server has no certificate yet, without which nothing can be shown safely. Its log says why.\n";
        let mut response = Response::new(Body::from(words));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        response
    }
}

impl<A: Answers> Answers for ToHttps<A> {
    async fn answer(self, asked: Asked, arrival: Arrival) -> Response {
        if let Some(proof) = self.proof(asked.uri().path()) {
            return proof;
        }
        if self.is_whole(&asked, arrival) {
            return self.whole.answer(asked, arrival).await;
        }
        match self.certificates.is_there() {
            true => self.elsewhere(&asked),
            false => self.not_yet(),
        }
    }
}
