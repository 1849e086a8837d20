//! `/api/channels/{handle}/stream_keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Rooms;
use crate::accounts::SignedIn;
use crate::channels::{Channels, StreamKey, StreamKeyId};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath};
use crate::secret::Secret;

pub(super) fn routes() -> OpenApiRouter<Rooms> {
    OpenApiRouter::new()
        .routes(routes!(list_stream_keys, create_stream_key))
        .routes(routes!(rotate_stream_key))
        .routes(routes!(revoke_stream_key))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStreamKey {
    /// For its owner to tell it from others, such as `OBS`.
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamKeyBody {
    id: Uuid,
    name: String,
    /// The public part of the key, after `tl_`.
    prefix: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamKeyWithText {
    #[serde(flatten)]
    stream_key: StreamKeyBody,
    /// The key itself. It is shown this once.
    key: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamKeyList {
    items: Vec<StreamKeyBody>,
}

impl From<StreamKey> for StreamKeyBody {
    fn from(key: StreamKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            prefix: key.prefix,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
        }
    }
}

fn with_text((key, text): (StreamKey, Secret)) -> Json<StreamKeyWithText> {
    Json(StreamKeyWithText {
        stream_key: key.into(),
        key: text.reveal().to_owned(),
    })
}

/// The stream keys of an own channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/stream_keys", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = StreamKeyList),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn list_stream_keys(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<StreamKeyList>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let keys = channels.stream_keys(channel.id).await?;
    let items = keys.into_iter().map(StreamKeyBody::from).collect();
    Ok(Json(StreamKeyList { items }))
}

/// Make a stream key. Its text is in this answer and never again.
#[utoipa::path(
    post, path = "/api/channels/{handle}/stream_keys", tag = "channels",
    params(("handle" = String, Path)), request_body = NewStreamKey,
    responses(
        (status = 201, body = StreamKeyWithText),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn create_stream_key(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(new): ApiJson<NewStreamKey>,
) -> Result<(StatusCode, Json<StreamKeyWithText>), ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let made = channels.create_stream_key(channel.id, &new.name).await?;
    Ok((StatusCode::CREATED, with_text(made)))
}

/// Give a stream key a new text. The old one stops working and its session ends.
#[utoipa::path(
    post, path = "/api/channels/{handle}/stream_keys/{id}/rotate", tag = "channels",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses(
        (status = 200, body = StreamKeyWithText),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn rotate_stream_key(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<Json<StreamKeyWithText>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let rotated = channels
        .rotate_stream_key(channel.id, StreamKeyId(id))
        .await?;
    Ok(with_text(rotated))
}

/// Remove a stream key. It stops working and its session ends.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/stream_keys/{id}", tag = "channels",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn revoke_stream_key(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    channels
        .revoke_stream_key(channel.id, StreamKeyId(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
