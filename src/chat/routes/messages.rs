//! What is said in a room, and what is pinned.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::message::{Message, MessageKind};
use super::super::moderation::Desk;
use super::super::room::{Draft, Given};
use super::super::store;
use super::{Chat, Denied, Refusals};
use crate::accounts::{Account, Asker, SignedIn};
use crate::channels::Channel;
use crate::error::ApiError;
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list_chat_messages, say_in_chat, clear_chat))
        .routes(routes!(delete_chat_message))
        .routes(routes!(pin_chat_message, unpin_chat_message))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    /// `next_before` of the page before.
    before: Option<i64>,
    /// 1 to 200.
    #[serde(default = "page")]
    limit: u16,
}

fn page() -> u16 {
    100
}

/// Messages a page at a time, the newest page first.
#[derive(Debug, Serialize, ToSchema)]
struct ChatMessages {
    /// Oldest first.
    items: Vec<Message>,
    /// Give it as `before` for those that came before; null: there are none.
    next_before: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChatMessage {
    /// 1 to 500 characters.
    text: String,
    /// The id of the message that it answers.
    reply_to: Option<i64>,
    /// `announcement` is for moderators.
    #[serde(default)]
    kind: MessageKind,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPin {
    /// The id of a message.
    pub(super) message: i64,
}

/// What was said on a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/messages", tag = "chat",
    params(("handle" = String, Path), MessagesQuery),
    responses((status = 200, body = ChatMessages), Refusals),
)]
async fn list_chat_messages(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<MessagesQuery>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<ChatMessages>, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let limit = i64::from(query.limit.clamp(1, 200));
    let before = query.before.unwrap_or(i64::MAX);
    chat.0.ledger.settle().await;
    let on_air = chat.stream_on_air(channel.id).await?;
    let items = store::before(&chat.0.db, channel.id, on_air, before, limit).await?;
    let is_full = i64::try_from(items.len()).is_ok_and(|length| length == limit);
    let first = items.first().map(|message| message.id);
    Ok(Json(ChatMessages {
        next_before: first.filter(|_| is_full),
        items: items.iter().map(|message| (**message).clone()).collect(),
    }))
}

/// Say something on a channel, whether it is live or not. 202: a moderator is to look at it first.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/messages", tag = "chat",
    params(("handle" = String, Path)), request_body = NewChatMessage,
    responses((status = 201, body = Message), (status = 202), Refusals),
)]
async fn say_in_chat(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiJson(body): ApiJson<NewChatMessage>,
) -> Result<Response, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    say(&chat, &channel, &account, &client, body).await
}

pub(super) async fn say(
    chat: &Chat,
    channel: &Channel,
    account: &Account,
    client: &Client,
    body: NewChatMessage,
) -> Result<Response, Denied> {
    let person = chat.asking(channel, account, client).await?;
    let hall = chat.hall(channel).await?;
    let draft = Draft {
        text: body.text,
        reply_to: body.reply_to,
        kind: body.kind,
        ..Draft::default()
    };
    match chat.say(&hall, &person, draft)? {
        (Given::Shown(_), Some(message)) => {
            Ok((StatusCode::CREATED, Json((*message).clone())).into_response())
        }
        _ => Ok(StatusCode::ACCEPTED.into_response()),
    }
}

/// Take all away that was said.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/messages", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 204), Refusals),
)]
async fn clear_chat(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.clear_messages(desk).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a message away: one's own, or as a moderator any.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/messages/{message}", tag = "chat",
    params(("handle" = String, Path), ("message" = i64, Path)),
    responses((status = 204), Refusals),
)]
async fn delete_chat_message(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, message)): ApiPath<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.0.channels.expect(&handle).await?;
    delete(&chat, &channel, &account, message).await
}

pub(super) async fn delete(
    chat: &Chat,
    channel: &Channel,
    account: &Account,
    message: i64,
) -> Result<StatusCode, ApiError> {
    let rights = chat.0.channels.rights(channel, Some(account)).await?;
    let desk = Desk::of(channel, account);
    chat.delete_message(desk, message, rights.may_moderate())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pin a message.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/pin", tag = "chat",
    params(("handle" = String, Path)), request_body = NewPin,
    responses((status = 204), Refusals),
)]
async fn pin_chat_message(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<NewPin>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    pin(&chat, &channel, &account, Some(body.message)).await
}

/// Take the pin away.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/pin", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 204), Refusals),
)]
async fn unpin_chat_message(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    pin(&chat, &channel, &account, None).await
}

pub(super) async fn pin(
    chat: &Chat,
    channel: &Channel,
    account: &Account,
    message: Option<i64>,
) -> Result<StatusCode, ApiError> {
    let desk = Desk::of(channel, account);
    chat.pin(desk, message).await?;
    Ok(StatusCode::NO_CONTENT)
}
