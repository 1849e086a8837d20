//! WHIP: publishing (RFC 9725). `POST /whip` and `POST /whip/{handle}`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sfu::{OfferError, Role, SessionId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::hooks::{Action, Asking, HookRefusal};
use super::session::{self, SessionError};
use super::signalling::{
    Authorization, BodyError, SDP, authorization, created, has_type, is_preflight, options,
    read_text,
};
use super::{Publish, Refused, Streams, spans};
use crate::accounts::Asker;
use crate::channels::{Channel, StreamKeyId};
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::request::{self, Client};
use crate::secret::Secret;

/// The routes of WHIP.
pub(super) fn routes() -> OpenApiRouter<Streams> {
    // RFC 9725 §4.4: other methods than POST get 2xx without content, for GET and HEAD.
    let endpoint = || get(nothing_here).options(endpoint_options);
    OpenApiRouter::new()
        .routes(routes!(publish))
        .route("/whip", endpoint())
        .routes(routes!(publish_on))
        .route("/whip/{handle}", endpoint())
        .routes(routes!(patch, delete))
        .route(
            "/whip/sessions/{session}",
            get(nothing_at_session).options(session_options),
        )
}

/// Why an offer to publish is refused.
#[derive(Debug, thiserror::Error)]
enum WhipError {
    #[error("send the SDP offer as application/sdp")]
    NotSdp,
    #[error("the offer is longer than 64 KiB")]
    TooLong,
    #[error("the offer broke off or is no UTF-8 text")]
    Unreadable,
    #[error(
        "send the stream key as `Authorization: Bearer tl_…`; the dashboard shows where to get one"
    )]
    KeyMissing,
    #[error(
        "this stream key is wrong or was revoked; copy it again from the dashboard, or make a new one there"
    )]
    KeyInvalid,
    #[error("this stream key belongs to another channel; use the server URL that ends in /whip")]
    KeyOfOtherChannel,
    #[error("this request must come from a page of this server (Origin does not match)")]
    ForeignOrigin,
    #[error("this channel belongs to somebody else")]
    NotOwner,
    #[error("there is no channel of that handle")]
    ChannelNotFound,
    #[error(
        "this channel is live from another place; stop that one first, or try again when it has been silent for 2 seconds"
    )]
    AlreadyLive,
    #[error("too many connections from your address have not come about yet; try again shortly")]
    HalfOpen,
    #[error("the servers cannot agree who publishes just now; try again in a few seconds")]
    Apart,
    #[error("{0}")]
    Offer(OfferError),
    #[error("too many attempts")]
    TooMany(Duration),
    #[error("shutting down")]
    Draining,
    #[error(transparent)]
    Hook(#[from] HookRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WhipError {
    fn problem(&self) -> Problem {
        let words = self.to_string();
        let (status, code) = match self {
            Self::NotSdp => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_wrong"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "body_unreadable"),
            Self::KeyMissing => (StatusCode::UNAUTHORIZED, "stream_key_missing"),
            Self::KeyInvalid | Self::KeyOfOtherChannel => {
                (StatusCode::UNAUTHORIZED, "stream_key_invalid")
            }
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "origin_refused"),
            Self::NotOwner => (StatusCode::FORBIDDEN, "forbidden"),
            Self::ChannelNotFound => (StatusCode::NOT_FOUND, "channel_not_found"),
            Self::AlreadyLive => (StatusCode::CONFLICT, "already_live"),
            Self::HalfOpen => (StatusCode::TOO_MANY_REQUESTS, "too_many_half_open"),
            Self::Apart => (StatusCode::SERVICE_UNAVAILABLE, "servers_apart"),
            Self::Offer(error) => return offer_problem(error),
            Self::TooMany(after) => return Problem::too_many(*after),
            Self::Draining => return Problem::draining(),
            Self::Hook(refusal) => return refusal.problem(),
            Self::Store(error) => return store_problem(error),
        };
        let problem = Problem::new(status, code, words);
        match self {
            Self::AlreadyLive => problem.retry_after(Duration::from_secs(2)),
            Self::HalfOpen => problem.retry_after(Duration::from_secs(10)),
            Self::Apart => problem.retry_after(Duration::from_secs(3)),
            _ => problem,
        }
    }
}

/// The problem that stands for an offer the SFU refuses; WHIP and WHEP have the same.
pub(super) fn offer_problem(error: &OfferError) -> Problem {
    let words = error.to_string();
    let (status, code) = match error {
        OfferError::InvalidSdp(_) => (StatusCode::BAD_REQUEST, "sdp_invalid"),
        OfferError::NoMedia => (StatusCode::UNPROCESSABLE_ENTITY, "no_media"),
        OfferError::TooManyTracks { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_tracks"),
        OfferError::TooManyLayers { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_layers"),
        OfferError::WrongDirection { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "direction_wrong"),
        OfferError::NoUsableCodec { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "no_usable_codec"),
        OfferError::CodecMismatch { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "codec_mismatch"),
        OfferError::Reordered => (StatusCode::UNPROCESSABLE_ENTITY, "b_frames"),
        OfferError::NotLive => (StatusCode::CONFLICT, "not_live"),
        OfferError::Busy { retry_after } => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_full", words)
                .retry_after(*retry_after);
        }
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "offer_refused"),
    };
    Problem::new(status, code, words)
}

impl IntoResponse for WhipError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            log_store_error(error);
        }
        let problem = self.problem();
        tracing::info!(code = problem.code(), "An offer to publish was refused");
        let asks_for_key = matches!(self, Self::KeyMissing | Self::KeyInvalid);
        let mut response = problem.into_response();
        if asks_for_key {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<BodyError> for WhipError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong => Self::TooLong,
            BodyError::Unreadable => Self::Unreadable,
        }
    }
}

/// Publish on the channel of the stream key.
#[utoipa::path(
    post, path = "/whip", tag = "whip",
    request_body(content = String, content_type = "application/sdp", description = "SDP offer"),
    responses(
        (status = 201, content_type = "application/sdp", body = String),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn publish(
    State(streams): State<Streams>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, WhipError> {
    admit(&streams, &client, &headers)?;
    let offer = read_text(&headers, body).await?;
    let (key, channel) = match authorization(&headers) {
        Authorization::Token(token) => of_key(&streams, token).await?,
        Authorization::Absent | Authorization::OtherScheme => return Err(WhipError::KeyMissing),
        Authorization::Unusable => return Err(WhipError::KeyInvalid),
    };
    spans::about(&channel.handle);
    ask_hook(&streams, &client, &headers, &channel, Some(&key)).await?;
    answer(&streams, &client, channel, Some(key), offer).await
}

/// Publish on a channel, with its stream key or, from a page of this server, as its owner.
#[utoipa::path(
    post, path = "/whip/{handle}", tag = "whip", params(("handle" = String, Path)),
    request_body(content = String, content_type = "application/sdp", description = "SDP offer"),
    responses(
        (status = 201, content_type = "application/sdp", body = String),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn publish_on(
    State(streams): State<Streams>,
    Path(handle): Path<String>,
    client: Client,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, WhipError> {
    admit(&streams, &client, &headers)?;
    let offer = read_text(&headers, body).await?;
    let channel = streams.channels.by_handle(&handle).await?;
    let channel = channel.ok_or(WhipError::ChannelNotFound)?;
    spans::about(&channel.handle);
    let key = match key_for(&streams, &channel, &client, &asker, &headers).await {
        Ok(key) => key,
        Err(error) => {
            let detail = error.to_string();
            streams.note_attempt(channel.id, detail).await;
            return Err(error);
        }
    };
    ask_hook(&streams, &client, &headers, &channel, key.as_ref()).await?;
    answer(&streams, &client, channel, key, offer).await
}

/// A stream key that was right a moment ago.
struct Key {
    id: StreamKeyId,
    text: Secret,
}

/// The stream key of that channel; none when its owner publishes from a page of ours.
async fn key_for(
    streams: &Streams,
    channel: &Channel,
    client: &Client,
    asker: &Asker,
    headers: &HeaderMap,
) -> Result<Option<Key>, WhipError> {
    match authorization(headers) {
        Authorization::Token(token) => match of_key(streams, token).await? {
            (key, of_key) if of_key.id == channel.id => Ok(Some(key)),
            _ => Err(WhipError::KeyOfOtherChannel),
        },
        Authorization::Absent | Authorization::OtherScheme => {
            check_owner(client, asker, channel, headers).map(|()| None)
        }
        Authorization::Unusable => Err(WhipError::KeyInvalid),
    }
}

/// What is refused before anything is looked up.
fn admit(streams: &Streams, client: &Client, headers: &HeaderMap) -> Result<(), WhipError> {
    streams
        .limits
        .publish(client.address, &streams.clock)
        .map_err(WhipError::TooMany)?;
    if has_type(headers, SDP) {
        Ok(())
    } else {
        Err(WhipError::NotSdp)
    }
}

async fn of_key(streams: &Streams, text: Secret) -> Result<(Key, Channel), WhipError> {
    let found = streams.channels.verify_stream_key(&text).await?;
    let (id, channel) = found.ok_or(WhipError::KeyInvalid)?;
    Ok((Key { id, text }, channel))
}

/// Our studio page publishes by its owner's login. The cookie alone is not enough: it also comes
/// along when another site makes the browser ask.
fn check_owner(
    client: &Client,
    asker: &Asker,
    channel: &Channel,
    headers: &HeaderMap,
) -> Result<(), WhipError> {
    let account = asker.account.as_ref().ok_or(WhipError::KeyMissing)?;
    if !client.is_own_page(headers) {
        return Err(WhipError::ForeignOrigin);
    }
    if account.id != channel.owner {
        return Err(WhipError::NotOwner);
    }
    Ok(())
}

/// Asks the operator's endpoint; a refusal is noted for the channel's owner.
async fn ask_hook(
    streams: &Streams,
    client: &Client,
    headers: &HeaderMap,
    channel: &Channel,
    key: Option<&Key>,
) -> Result<(), WhipError> {
    let asking = Asking {
        action: Action::Publish,
        channel: &channel.handle,
        stream_key_id: key.map(|key| key.id.to_string()),
        address: client.address,
        user_agent: request::user_agent(headers),
        protocol: "whip",
    };
    if let Err(refusal) = streams.hooks.ask(&asking).await {
        streams.note_attempt(channel.id, refusal.to_string()).await;
        return Err(refusal.into());
    }
    Ok(())
}

async fn answer(
    streams: &Streams,
    client: &Client,
    channel: Channel,
    key: Option<Key>,
    offer: String,
) -> Result<Response, WhipError> {
    let publish = Publish {
        channel,
        key: key.as_ref().map(|key| key.id),
        address: client.address,
        offer,
    };
    let answer = streams
        .publish(publish)
        .await
        .map_err(|refused| match refused {
            Refused::AlreadyLive => WhipError::AlreadyLive,
            Refused::HalfOpen => WhipError::HalfOpen,
            Refused::Apart => WhipError::Apart,
            Refused::Offer(error) => WhipError::Offer(error),
            Refused::NotLive | Refused::PublisherAway => WhipError::Offer(OfferError::NotLive),
            Refused::Draining => WhipError::Draining,
            Refused::Store(error) => WhipError::Store(error),
        })?;
    if let Some(key) = key {
        confirm(streams, &key, answer.session).await?;
    }
    let location = format!("/whip{}", session::path(streams, answer.session));
    let ice_servers = streams.ice.of_session(&answer.session.reveal());
    Ok(created(answer, &location, &ice_servers, &[]))
}

/// Hangs up on a key that was revoked while its offer was being answered: the session was in no
/// book yet when the revocation looked for it.
async fn confirm(streams: &Streams, key: &Key, session: SessionId) -> Result<(), WhipError> {
    let noted = match streams.channels.verify_stream_key(&key.text).await {
        Ok(None) => {
            streams.hang_up(session).await;
            return Err(WhipError::KeyInvalid);
        }
        Ok(Some(_)) => streams.channels.note_use(key.id).await,
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        // The stream matters more than the date of its key's last use.
        log_store_error(&error);
    }
    Ok(())
}

/// Trickle candidates or restart ICE.
#[utoipa::path(
    patch, path = "/whip/sessions/{session}", tag = "whip", params(("session" = String, Path)),
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
    session::patch(&streams, Role::Publisher, &session, &headers, body).await
}

/// Stop publishing. The stream ends at once.
#[utoipa::path(
    delete, path = "/whip/sessions/{session}", tag = "whip",
    params(("session" = String, Path)),
    responses((status = 200), (status = 401, body = Problem), (status = 404, body = Problem)),
)]
async fn delete(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, SessionError> {
    session::delete(&streams, Role::Publisher, &session, &headers).await
}

async fn nothing_here() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn nothing_at_session(
    State(streams): State<Streams>,
    Path(session): Path<String>,
) -> Result<StatusCode, SessionError> {
    session::find(&streams, Role::Publisher, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Some clients ask for ICE servers here (RFC 9725 §4.6); only who may publish learns of them.
async fn endpoint_options(State(streams): State<Streams>, headers: HeaderMap) -> Response {
    let known = match authorization(&headers) {
        Authorization::Token(token) if !is_preflight(&headers) => {
            matches!(
                streams.channels.verify_stream_key(&token).await,
                Ok(Some(_))
            )
        }
        _ => false,
    };
    let told = if known {
        streams.ice.of_stranger()
    } else {
        Vec::new()
    };
    options(&told)
}

async fn session_options() -> Response {
    options(&[])
}
