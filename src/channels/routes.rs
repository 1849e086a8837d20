//! `/api/channels` and `/api/channels/{handle}/stream_keys`.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::profile::ChannelEdit;
use super::{CATEGORIES, Category, Channel, Channels, LANGUAGES, StreamKey, StreamKeyId};
use crate::accounts::SignedIn;
use crate::error::{ApiError, Problem};
use crate::images::Images;
use crate::request::{ApiJson, ApiPath};
use crate::secret::Secret;

/// The routes of this domain.
pub fn routes(channels: Channels, images: Images) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_channel))
        .routes(routes!(edit_channel))
        .routes(routes!(list_stream_keys, create_stream_key))
        .routes(routes!(rotate_stream_key))
        .routes(routes!(revoke_stream_key))
        .with_state(Rooms { channels, images })
        .merge(lists())
}

/// What the program itself knows.
fn lists() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_categories))
        .routes(routes!(list_languages))
}

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Rooms {
    channels: Channels,
    images: Images,
}

#[derive(Debug, Serialize, ToSchema)]
struct CategoryList {
    items: Vec<Category>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LanguageList {
    /// Language tags (BCP 47).
    items: Vec<&'static str>,
}

/// What channels may be about.
#[utoipa::path(
    get, path = "/api/categories", tag = "channels",
    responses((status = 200, body = CategoryList)),
)]
async fn list_categories() -> Json<CategoryList> {
    let items = CATEGORIES.to_vec();
    Json(CategoryList { items })
}

/// Languages that channels may name.
#[utoipa::path(
    get, path = "/api/languages", tag = "channels",
    responses((status = 200, body = LanguageList)),
)]
async fn list_languages() -> Json<LanguageList> {
    let items = LANGUAGES.to_vec();
    Json(LanguageList { items })
}

/// A channel as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ChannelName {
    handle: String,
    name: String,
    /// Whether its streams are recorded.
    record: bool,
}

impl From<&Channel> for ChannelName {
    fn from(channel: &Channel) -> Self {
        Self {
            handle: channel.handle.clone(),
            name: channel.name.clone(),
            record: channel.record,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    /// 2 to 30 letters a to z, digits, hyphens or underscores.
    handle: String,
    /// 1 to 80 characters.
    name: String,
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

/// Make a channel.
#[utoipa::path(
    post, path = "/api/channels", tag = "channels", request_body = NewChannel,
    responses(
        (status = 201, body = ChannelName),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn create_channel(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiJson(new): ApiJson<NewChannel>,
) -> Result<(StatusCode, Json<ChannelName>), ApiError> {
    let channel = channels.create(&account, &new.handle, &new.name).await?;
    Ok((StatusCode::CREATED, Json(ChannelName::from(&channel))))
}

/// Change an own channel. What is left out stays.
#[utoipa::path(
    patch, path = "/api/channels/{handle}", tag = "channels",
    params(("handle" = String, Path)), request_body = ChannelEdit,
    responses(
        (status = 200, body = ChannelName),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn edit_channel(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(edit): ApiJson<ChannelEdit>,
) -> Result<Json<ChannelName>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let channel = channels.edit(channel.id, edit).await?;
    Ok(Json(ChannelName::from(&channel)))
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
