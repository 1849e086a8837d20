//! Polls and questions.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::super::moderation::Desk;
use super::super::polls::{Poll, Wish};
use super::super::questions::{Question, QuestionState};
use super::super::store;
use super::{Chat, Denied, Refusals};
use crate::accounts::{Account, Asker, SignedIn};
use crate::channels::Channel;
use crate::error::ApiError;
use crate::request::{ApiJson, ApiPath, Client};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list_polls, open_poll))
        .routes(routes!(put_poll_away))
        .routes(routes!(end_poll))
        .routes(routes!(vote_in_poll))
        .routes(routes!(list_questions, ask_question))
        .routes(routes!(settle_question))
        .routes(routes!(upvote_question, take_upvote_back))
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatPolls {
    /// The newest first.
    items: Vec<Poll>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPoll {
    /// 1 to 200 characters.
    question: String,
    /// 2 to 6, each of 1 to 60 characters.
    options: Vec<String>,
    /// 10 to 3600.
    seconds: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVote {
    /// The option's place in the list, from 0.
    option: usize,
    /// How far the stream is in the picture that is seen: who is behind votes as long as all others.
    seen_ms: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatQuestions {
    /// Those that are open, in the order of their votes.
    items: Vec<Question>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewQuestion {
    /// 1 to 500 characters.
    text: String,
    /// How far the stream is in the picture that is seen.
    seen_ms: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuestionEdit {
    state: Option<QuestionState>,
    /// Whether it is shown over the picture; one is at most.
    on_screen: Option<bool>,
}

const POLLS: i64 = 50;
const QUESTIONS: i64 = 200;

/// The polls of a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/polls", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatPolls), Refusals),
)]
async fn list_polls(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<ChatPolls>, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let on_air = chat.stream_on_air(channel.id).await?;
    let items = store::polls(&chat.0.db, channel.id, on_air, POLLS).await?;
    Ok(Json(ChatPolls { items }))
}

/// Begin a poll. It ends by itself.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/polls", tag = "chat",
    params(("handle" = String, Path)), request_body = NewPoll,
    responses((status = 201, body = Poll), Refusals),
)]
async fn open_poll(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<NewPoll>,
) -> Result<(StatusCode, Json<Poll>), ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    let wish = Wish {
        question: body.question,
        options: body.options,
        seconds: body.seconds,
    };
    let poll = chat.open_poll(desk, wish).await?;
    Ok((StatusCode::CREATED, Json(poll)))
}

/// End a poll now.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/polls/{id}/end", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses((status = 200, body = Poll), Refusals),
)]
async fn end_poll(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<Json<Poll>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let now = chat.0.clock.now();
    chat.end_poll(&channel, id, Some(now)).await.map(Json)
}

/// Put the poll away that the room shows; one that is open ends.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/polls/current", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 204), Refusals),
)]
async fn put_poll_away(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.put_poll_away(desk).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Vote in the poll that the room shows, once.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/polls/{id}/vote", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)), request_body = NewVote,
    responses((status = 204), Refusals),
)]
async fn vote_in_poll(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiJson(body): ApiJson<NewVote>,
) -> Result<StatusCode, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let person = chat.asking(&channel, &account, &client).await?;
    let hall = chat.hall(&channel).await?;
    chat.vote(&hall, &person, account.id, id, body.option, body.seen_ms)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The questions that are open.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/questions", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatQuestions), Refusals),
)]
async fn list_questions(
    State(chat): State<Chat>,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<ChatQuestions>, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let on_air = chat.stream_on_air(channel.id).await?;
    let items = store::questions(&chat.0.db, channel.id, on_air, QUESTIONS).await?;
    Ok(Json(ChatQuestions { items }))
}

/// Ask something.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/questions", tag = "chat",
    params(("handle" = String, Path)), request_body = NewQuestion,
    responses((status = 201, body = Question), Refusals),
)]
async fn ask_question(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiJson(body): ApiJson<NewQuestion>,
) -> Result<(StatusCode, Json<Question>), Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    let person = chat.asking(&channel, &account, &client).await?;
    let hall = chat.hall(&channel).await?;
    let question = chat
        .ask(&hall, &person, account.id, &body.text, body.seen_ms)
        .await?;
    Ok((StatusCode::CREATED, Json(question)))
}

/// Answer a question, dismiss it, or show it over the picture.
#[utoipa::path(
    patch, path = "/api/channels/{handle}/chat/questions/{id}", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)), request_body = QuestionEdit,
    responses((status = 200, body = Question), Refusals),
)]
async fn settle_question(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    ApiJson(body): ApiJson<QuestionEdit>,
) -> Result<Json<Question>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.settle_question(desk, id, body.state, body.on_screen)
        .await
        .map(Json)
}

/// Want a question answered.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/questions/{id}/vote", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses((status = 204), Refusals),
)]
async fn upvote_question(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<StatusCode, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    upvote(&chat, &channel, &account, &client, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Want a question answered no longer.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/questions/{id}/vote", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses((status = 204), Refusals),
)]
async fn take_upvote_back(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<StatusCode, Denied> {
    let channel = chat.watched(&handle, &asker, &client, &headers).await?;
    upvote(&chat, &channel, &account, &client, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn upvote(
    chat: &Chat,
    channel: &Channel,
    account: &Account,
    client: &Client,
    id: Uuid,
    up: bool,
) -> Result<(), Denied> {
    let person = chat.asking(channel, account, client).await?;
    let hall = chat.hall(channel).await?;
    let now = chat.0.clock.now();
    hall.lock().room.check_restraint(now, &person)?;
    Ok(chat.upvote(&hall, account.id, id, up).await?)
}
