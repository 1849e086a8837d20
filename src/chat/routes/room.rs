//! How a room stands, how one may write in it, and the ways in.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::emotes::Emote;
use super::super::hall::you;
use super::super::message::Message;
use super::super::moderation::Desk;
use super::super::modes::{Modes, ModesEdit};
use super::super::polls::Poll;
use super::super::protocol::You;
use super::super::questions::Question;
use super::super::raids::Raid;
use super::super::room::OnAir;
use super::super::tokens::GOOD_FOR;
use super::super::visit::Credential;
use super::super::websocket::{Opener, Opening};
use super::{Chat, Denied, Refusals};
use crate::accounts::scope::Scope;
use crate::accounts::{Asker, SignedIn, bearer};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath, Client};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(show_chat, set_chat_modes))
        .routes(routes!(make_chat_token))
        .routes(routes!(open_chat))
        .routes(routes!(raise_shield, lower_shield))
        .routes(routes!(begin_raid, call_raid_off))
}

/// A room as it stands.
#[derive(Debug, Serialize, ToSchema)]
struct ChatRoom {
    stream: Option<OnAir>,
    you: You,
    modes: Modes,
    pinned: Option<Message>,
    poll: Option<Poll>,
    questions: Vec<Question>,
    emotes: Vec<Emote>,
    raid: Option<Raid>,
    /// How many read it.
    readers: usize,
}

/// The room of a channel's chat.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatRoom), Refusals),
)]
async fn show_chat(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<ChatRoom>, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let person = match &asker.account {
        Some(account) => chat.asking(&channel, account, &client).await?,
        None => chat.reader(client.address),
    };
    let hall = chat.hall(&channel).await?;
    let now = hall.now().at;
    let floor = hall.lock();
    let room = &floor.room;
    Ok(Json(ChatRoom {
        stream: room.on_air,
        you: you(room, now, &person),
        modes: room.modes.clone(),
        pinned: room.pinned.as_deref().cloned(),
        poll: room.poll.clone(),
        questions: room.questions.values().cloned().collect(),
        emotes: room.emotes.values().cloned().collect(),
        raid: room.raid.clone(),
        readers: floor.readers_everywhere(hall.now().instant),
    }))
}

/// Set how one may write. What is left out stays as it is.
#[utoipa::path(
    patch, path = "/api/channels/{handle}/chat", tag = "chat",
    params(("handle" = String, Path)), request_body = ModesEdit,
    responses((status = 200, body = Modes), Refusals),
)]
async fn set_chat_modes(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(edit): ApiJson<ModesEdit>,
) -> Result<Json<Modes>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.set_modes(desk, edit).await.map(Json)
}

/// Put the shield up: slow, followers only, no guests or links, and what might offend is held.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/shield", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = Modes), Refusals),
)]
async fn raise_shield(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<Modes>, ApiError> {
    shield(&chat, &handle, &account, true).await
}

/// Take the shield down: all is as it was before.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/shield", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = Modes), Refusals),
)]
async fn lower_shield(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<Modes>, ApiError> {
    shield(&chat, &handle, &account, false).await
}

async fn shield(
    chat: &Chat,
    handle: &str,
    account: &crate::accounts::Account,
    up: bool,
) -> Result<Json<Modes>, ApiError> {
    let channel = chat.moderated(handle, account).await?;
    let desk = Desk::of(&channel, account);
    chat.set_shield(desk, up).await.map(Json)
}

/// A token for a data channel.
#[derive(Debug, Serialize, ToSchema)]
struct ChatToken {
    /// For one `join`.
    token: String,
    expires_at: Timestamp,
}

/// Make a token by which one comes into the room over a data channel.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/tokens", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 201, body = ChatToken), Refusals),
)]
async fn make_chat_token(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<ChatToken>), Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let now = chat.0.clock.now();
    let token = chat.0.tokens.give(account.id, channel.id, now);
    let token = ChatToken {
        token: token.reveal().to_owned(),
        expires_at: now + GOOD_FOR,
    };
    Ok((StatusCode::CREATED, Json(token)))
}

/// Chat over a WebSocket (RFC 6455), as docs/CHAT.md has it.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/ws", tag = "chat",
    params(("handle" = String, Path)),
    responses(
        (status = 101, description = "The connection is a WebSocket from here on."),
        (status = 426, body = Problem), Refusals,
    ),
)]
async fn open_chat(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Denied> {
    // A page of another site must not chat with its visitor's cookie.
    if headers.contains_key(ORIGIN) && !client.is_own_page(&headers) {
        return Err(ApiError::ForeignOrigin.into());
    }
    let doors = chat.doors();
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let Ok(upgrade) = upgrade else {
        let words = "this is a WebSocket; ask with `Upgrade: websocket`";
        let problem = Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", words);
        return Ok(problem.into_response());
    };
    let opener = match &asker.account {
        Some(account) => {
            let mut person = chat.asking(&channel, account, &client).await?;
            person.may_write = asker.has_scope(Scope {
                resource: "chat",
                writes: true,
            });
            Opener::Member(person)
        }
        None => Opener::Stranger(client.address),
    };
    let credential = match (&asker.token, bearer(&headers)) {
        (_, Some(token)) if asker.account.is_some() => Credential::Token(token),
        (Some(token), None) if asker.account.is_some() => Credential::Login(token.clone()),
        _ => Credential::None,
    };
    let opening = Opening {
        opener,
        credential,
        doors,
    };
    Ok(chat.open_socket(upgrade, channel, opening))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRaid {
    /// The handle of the channel to go to.
    to: String,
}

/// Let the room go over to another channel.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/raid", tag = "chat",
    params(("handle" = String, Path)), request_body = NewRaid,
    responses((status = 200, body = Raid), Refusals),
)]
async fn begin_raid(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<NewRaid>,
) -> Result<Json<Raid>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.begin_raid(desk, &body.to).await.map(Json)
}

/// Call a raid off.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/raid", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 204), Refusals),
)]
async fn call_raid_off(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.set_raid(desk, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
