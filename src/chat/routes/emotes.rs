//! A channel's own emotes.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::emotes::Emote;
use super::super::moderation::Desk;
use super::super::store;
use super::{Chat, Denied, Refusals};
use crate::accounts::{Asker, SignedIn};
use crate::error::ApiError;
use crate::request::{ApiPath, ApiQuery, Client};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list_emotes))
        .routes(routes!(put_emote, delete_emote))
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatEmotes {
    items: Vec<Emote>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EmoteQuery {
    /// From which tier of membership on it is to be used, 1 to 3; 0: by everybody.
    #[serde(default)]
    tier: u8,
}

/// The emotes of a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/emotes", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatEmotes), Refusals),
)]
async fn list_emotes(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<ChatEmotes>, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let items = store::emotes(&chat.0.db, channel.id).await?;
    Ok(Json(ChatEmotes { items }))
}

/// Add an emote, or give it another picture: PNG, JPEG, WebP or GIF, which may move.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/emotes/{code}", tag = "chat",
    params(
        EmoteQuery,
        ("handle" = String, Path),
        ("code" = String, Path, description = "2 to 32 small letters, digits and `_`."),
    ),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses((status = 201, body = Emote), Refusals),
)]
async fn put_emote(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, code)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<EmoteQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Emote>), ApiError> {
    let channel = chat.0.channels.expect_own(&handle, &account).await?;
    chat.0.channels.note_upload(&account)?;
    let emote = chat
        .put_emote(
            Desk::of(&channel, &account),
            (&code, query.tier),
            &headers,
            body,
        )
        .await?;
    Ok((StatusCode::CREATED, Json(emote)))
}

/// Take an emote away.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/emotes/{code}", tag = "chat",
    params(("handle" = String, Path), ("code" = String, Path)),
    responses((status = 204), Refusals),
)]
async fn delete_emote(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, code)): ApiPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.0.channels.expect_own(&handle, &account).await?;
    chat.take_emote_away(Desk::of(&channel, &account), &code)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
