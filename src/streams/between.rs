//! What servers ask one another: a stream for their own viewers, and its end.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use sfu::{OfferError, StreamId};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::signalling::MAX_BODY;
use super::{Refused, Streams};
use crate::error::Problem;

/// The routes under `/cluster`, which only servers of ours may use.
pub(super) fn routes(streams: Streams) -> OpenApiRouter {
    OpenApiRouter::new()
        .route("/cluster/relay/{stream}", post(relay))
        .route("/cluster/streams/{stream}/end", post(end))
        .layer(from_fn_with_state(streams.clone(), require_kin))
        .with_state(streams)
}

/// Middleware: to everybody else there is nothing here.
async fn require_kin(State(streams): State<Streams>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query();
    let path = path.map_or("", |path| path.as_str());
    let kin = streams.cluster.kin();
    let is_kin = kin.is_some_and(|kin| kin.is_own(request.method(), path, request.headers()));
    match is_kin {
        true => next.run(request).await,
        false => problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here"),
    }
}

impl Streams {
    /// Asks all other servers that pass streams on whether they are reached; gives their addresses, and
    /// what went wrong.
    pub(crate) async fn greet_others(&self) -> Vec<(String, Result<(), String>)> {
        let mut greeted = Vec::new();
        for server in &self.cluster.directory().servers {
            let health = (Method::GET, "/healthz");
            let asked = self
                .cluster
                .ask(server, health, String::new(), GREETED_WITHIN);
            let answer = match asked.await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(format!("{} answers {}", server.url, response.status())),
                Err(error) => Err(error.to_string()),
            };
            greeted.push((server.url.clone(), answer));
        }
        greeted
    }
}

/// A server that is well answers within this time.
const GREETED_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, Deserialize)]
struct Wish {
    /// By which lease the other server believes this one to have it, at least.
    fence: u64,
}

/// Answers the offer of a server that wants a stream for its own viewers.
async fn relay(
    State(streams): State<Streams>,
    Path(stream): Path<Uuid>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Response {
    let offer = to_bytes(request.into_body(), MAX_BODY).await.ok();
    let offer = offer.and_then(|offer| String::from_utf8(offer.into()).ok());
    let Some(offer) = offer else {
        return problem(StatusCode::BAD_REQUEST, "body_unreadable", "no offer");
    };
    let stream = StreamId::from(stream.as_u128());
    match streams.relay(stream, wish.fence, offer).await {
        Ok(answer) => answer.sdp.into_response(),
        Err(Refused::NotLive | Refused::Offer(OfferError::NotLive)) => {
            let words = "the stream is not on air here, or by an older lease";
            problem(StatusCode::CONFLICT, "not_live", words)
        }
        Err(Refused::Offer(error)) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            problem(status, "relay_refused", &error.to_string())
        }
        Err(_) => Problem::draining().into_response(),
    }
}

/// Ends a stream that somebody ended at another server.
async fn end(State(streams): State<Streams>, Path(stream): Path<Uuid>) -> StatusCode {
    match streams.end_here(StreamId::from(stream.as_u128())).await {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

fn problem(status: StatusCode, code: &'static str, words: &str) -> Response {
    Problem::new(status, code, words).into_response()
}
