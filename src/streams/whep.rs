//! WHEP: watching (draft-ietf-wish-whep). `POST /whep/{handle}`, and its two core extensions.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::head;
use sfu::{OfferError, Role};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::hooks::{Action, Asking, HookRefusal};
use super::session::{self, SessionError};
use super::signalling::{
    Authorization, BodyError, SDP, authorization, created, has_type, is_preflight, options,
    read_text,
};
use super::whip::offer_problem;
use super::{Refused, Streams, View, events, layers, spans};
use crate::channels::{Barred, Channel};
use crate::cluster::was_passed_on;
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::request::{self, Client};

/// The routes of WHEP.
pub(super) fn routes() -> OpenApiRouter<Streams> {
    OpenApiRouter::new()
        .routes(routes!(view))
        .route(
            "/whep/{handle}",
            head(discover).get(exists).options(endpoint_options),
        )
        .routes(routes!(patch, delete))
        .route(
            "/whep/sessions/{session}",
            axum::routing::get(nothing_at_session).options(session_options),
        )
        .merge(events::routes())
        .merge(layers::routes())
}

/// Why an offer to watch is refused.
#[derive(Debug, thiserror::Error)]
enum WhepError {
    #[error("send the SDP offer as application/sdp")]
    NotSdp,
    #[error("the offer is longer than 64 KiB")]
    TooLong,
    #[error("the offer broke off or is no UTF-8 text")]
    Unreadable,
    #[error("there is no channel of that handle")]
    ChannelNotFound,
    #[error("nobody is live on this channel; try again in a moment")]
    NotLive,
    #[error("the host is reconnecting; try again in a moment")]
    PublisherAway,
    #[error("too many connections from your address have not come about yet; try again shortly")]
    HalfOpen,
    #[error("{0}")]
    Offer(OfferError),
    #[error("too many attempts")]
    TooMany(Duration),
    #[error("shutting down")]
    Draining,
    #[error(transparent)]
    Hook(#[from] HookRefusal),
    #[error(transparent)]
    Barred(#[from] Barred),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WhepError {
    fn problem(&self) -> Problem {
        let words = self.to_string();
        let (status, code) = match self {
            Self::NotSdp => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_wrong"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "body_unreadable"),
            Self::ChannelNotFound => (StatusCode::NOT_FOUND, "channel_not_found"),
            Self::NotLive => (StatusCode::CONFLICT, "not_live"),
            Self::PublisherAway => (StatusCode::CONFLICT, "publisher_away"),
            Self::HalfOpen => (StatusCode::TOO_MANY_REQUESTS, "too_many_half_open"),
            Self::Offer(error) => return offer_problem(error),
            Self::TooMany(after) => return Problem::too_many(*after),
            Self::Draining => return Problem::draining(),
            Self::Hook(refusal) => return refusal.problem(),
            Self::Barred(barred) => return barred.problem(),
            Self::Store(error) => return store_problem(error),
        };
        let problem = Problem::new(status, code, words);
        match self {
            Self::NotLive | Self::PublisherAway => problem.retry_after(Duration::from_secs(2)),
            Self::HalfOpen => problem.retry_after(Duration::from_secs(10)),
            _ => problem,
        }
    }
}

impl IntoResponse for WhepError {
    fn into_response(self) -> Response {
        if let Self::Store(error) | Self::Barred(Barred::Store(error)) = &self {
            log_store_error(error);
        }
        self.problem().into_response()
    }
}

impl From<BodyError> for WhepError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong => Self::TooLong,
            BodyError::Unreadable => Self::Unreadable,
        }
    }
}

/// Watch a channel.
#[utoipa::path(
    post, path = "/whep/{handle}", tag = "whep", params(("handle" = String, Path)),
    request_body(content = String, content_type = "application/sdp", description = "SDP offer"),
    responses(
        (status = 201, content_type = "application/sdp", body = String),
        (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn view(
    State(streams): State<Streams>,
    Path(handle): Path<String>,
    client: Client,
    request: Request,
) -> Result<Response, WhepError> {
    let (head, body) = request.into_parts();
    let headers = head.headers.clone();
    streams
        .limits
        .view(client.address, &streams.clock)
        .map_err(WhepError::TooMany)?;
    if !has_type(&headers, SDP) {
        return Err(WhepError::NotSdp);
    }
    let channel = find(&streams, &handle).await?;
    spans::about(&channel.handle);
    let (place, by) = streams.admit(&channel, &client, &headers).await?;
    // Asked for only when it counts: it may cost the database a reading.
    let is_crowded = streams.is_crowded();
    let has_priority = is_crowded
        && streams
            .gates
            .has_priority(&place, &client, &headers)
            .await?;
    let finds_room = !streams.is_draining() && (!is_crowded || has_priority);
    if !finds_room
        && !was_passed_on(&headers)
        && let Some(server) = streams.cluster.with_room()
    {
        let offer = Request::from_parts(head, body);
        return Ok(streams.cluster.have_answered(&server, &client, offer).await);
    }
    let credential = match authorization(&headers) {
        Authorization::Token(token) => Some(token.hash()),
        // Channels are open to all; a script's `undefined` does no harm here.
        _ => None,
    };
    let offer = read_text(&headers, body).await?;
    let asking = Asking {
        action: Action::Play,
        channel: &channel.handle,
        stream_key_id: None,
        address: client.address,
        user_agent: request::user_agent(&headers),
        protocol: "whep",
    };
    streams.hooks.ask(&asking).await?;
    // The wait may have been long enough to lose it; that it is another stream, or gate, is seen where the view begins.
    streams.gates.still(&place, by).await?;
    let view = View {
        channel: channel.id,
        address: client.address,
        agent: request::user_agent(&headers).into(),
        credential,
        offer,
        place,
        by,
        has_priority,
    };
    let answer = streams.view(view).await.map_err(|refused| match refused {
        Refused::NotLive | Refused::AlreadyLive => WhepError::NotLive,
        Refused::PublisherAway | Refused::Apart => WhepError::PublisherAway,
        Refused::HalfOpen => WhepError::HalfOpen,
        Refused::Offer(error) => WhepError::Offer(error),
        Refused::Draining => WhepError::Draining,
        Refused::Store(error) => WhepError::Store(error),
    })?;
    let location = format!("/whep{}", session::path(&streams, answer.session));
    let links = [events::link(&location), layers::link(&location)];
    let ice_servers = streams.ice.of_session(&answer.session.reveal());
    Ok(created(answer, &location, &ice_servers, &links))
}

async fn find(streams: &Streams, handle: &str) -> Result<Channel, WhepError> {
    let channel = match streams.channels.by_handle(handle).await {
        // What is on air here is known without the database.
        Err(error) if error.is_unavailable() => Some(on_air(streams, handle).await.ok_or(error)?),
        found => found?,
    };
    channel.ok_or(WhepError::ChannelNotFound)
}

async fn on_air(streams: &Streams, handle: &str) -> Option<Channel> {
    let mut live = streams.live().await.into_iter();
    let channel = live.find(|live| live.channel.handle.eq_ignore_ascii_case(handle))?;
    Some(channel.channel)
}

/// Trickle candidates or restart ICE.
#[utoipa::path(
    patch, path = "/whep/sessions/{session}", tag = "whep", params(("session" = String, Path)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses(
        (status = 200, content_type = "application/trickle-ice-sdpfrag", body = String),
        (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 415, body = Problem),
        (status = 428, body = Problem),
    ),
)]
async fn patch(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, SessionError> {
    session::patch(&streams, Role::Viewer, &session, &headers, body).await
}

/// Stop watching.
#[utoipa::path(
    delete, path = "/whep/sessions/{session}", tag = "whep",
    params(("session" = String, Path)),
    responses((status = 200), (status = 401, body = Problem), (status = 404, body = Problem)),
)]
async fn delete(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, SessionError> {
    session::delete(&streams, Role::Viewer, &session, &headers).await
}

/// `HEAD` tells a player that this is a WHEP endpoint.
async fn discover(
    State(streams): State<Streams>,
    Path(handle): Path<String>,
) -> Result<Response, WhepError> {
    find(&streams, &handle).await?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, SDP)]).into_response())
}

async fn exists(
    State(streams): State<Streams>,
    Path(handle): Path<String>,
) -> Result<StatusCode, WhepError> {
    find(&streams, &handle).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn nothing_at_session(
    State(streams): State<Streams>,
    Path(session): Path<String>,
) -> Result<StatusCode, SessionError> {
    session::find(&streams, Role::Viewer, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever may watch may know the ICE servers, and everybody may; but not on a preflight, where no
/// one can read them.
async fn endpoint_options(
    State(streams): State<Streams>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, WhepError> {
    if is_preflight(&headers) {
        return Ok(options(&[]));
    }
    let limits = &streams.limits;
    limits
        .view(client.address, &streams.clock)
        .map_err(WhepError::TooMany)?;
    Ok(options(&streams.ice.of_stranger()))
}

async fn session_options() -> Response {
    options(&[])
}
