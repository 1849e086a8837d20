//! `/api/streams/{id}/chat`: what was said while a stream was on air, in its time; and what bots need of the
//! room while it is.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::super::message::Message;
use super::super::moderation::no_such_message;
use super::super::store::{self, Known};
use super::messages::{self, NewChatMessage, NewPin};
use super::{Chat, Denied, Refusals};
use crate::accounts::{Asker, SignedIn};
use crate::channels::Channel;
use crate::error::ApiError;
use crate::form::Form;
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list_stream_chat, say_on_stream))
        .routes(routes!(delete_stream_message))
        .routes(routes!(pin_on_stream, unpin_on_stream))
        .routes(routes!(list_reactions, react_on_stream))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StreamChatQuery {
    /// From this time of the stream on.
    #[serde(default)]
    from_ms: i64,
    /// Before this time of the stream.
    to_ms: Option<i64>,
    /// `next_after` of the page before.
    after: Option<String>,
    /// 1 to 500.
    #[serde(default = "page")]
    limit: u16,
}

fn page() -> u16 {
    200
}

/// Messages in the order of the stream's time.
#[derive(Debug, Serialize, ToSchema)]
struct StreamChat {
    items: Vec<Message>,
    /// Give it as `after` for what follows; null: nothing does.
    next_after: Option<String>,
}

/// How the viewers of a stream reacted.
#[derive(Debug, Serialize, ToSchema)]
struct StreamReactions {
    /// Each item stands for so long.
    bucket_ms: u32,
    items: Vec<ReactionBucket>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReactionBucket {
    stream_time_ms: i64,
    /// By emoji.
    counts: BTreeMap<String, i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReaction {
    /// One of those that `hello` lists.
    emoji: String,
    /// How far the stream is in the picture that is seen.
    seen_ms: Option<i64>,
}

impl Chat {
    async fn channel_of(&self, stream: Uuid) -> Result<Channel, ApiError> {
        let missing = || ApiError::NotFound {
            code: "stream_not_found",
            detail: "there is no such stream",
        };
        let found = self.0.streams.find(stream.as_u128().into()).await?;
        let found = found.filter(|stream| !stream.is_preview());
        let channel = found.ok_or_else(missing)?.channel;
        let channel = self.0.channels.by_id(channel).await?;
        channel.ok_or_else(missing)
    }

    /// Whether whoever asks may watch a stream, on air or over.
    async fn check_seeing(
        &self,
        stream: Uuid,
        asker: &Asker,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<(), Denied> {
        let (streams, account) = (&self.0.streams, asker.account.as_ref());
        let place = streams.place_of_replay(stream).await?;
        let admitted = streams
            .gates()
            .admit_fully(&place, account, client, headers);
        admitted.await?;
        Ok(())
    }

    /// The channel of a stream that is on air.
    async fn channel_on_air(&self, stream: Uuid) -> Result<Channel, ApiError> {
        let channel = self.channel_of(stream).await?;
        let hall = self.hall(&channel).await?;
        let is_on_air = hall.lock().room.on_air.is_some_and(|on| on.id == stream);
        match is_on_air {
            true => Ok(channel),
            false => Err(ApiError::Conflict {
                code: "not_live",
                detail: "this stream is not on air; write to the channel's chat instead".to_owned(),
            }),
        }
    }
}

/// What was said while a stream was on air.
#[utoipa::path(
    get, path = "/api/streams/{id}/chat", tag = "chat",
    params(("id" = Uuid, Path), StreamChatQuery),
    responses((status = 200, body = StreamChat), Refusals),
)]
async fn list_stream_chat(
    State(chat): State<Chat>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<StreamChatQuery>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<StreamChat>, Denied> {
    chat.channel_of(id).await?;
    chat.check_seeing(id, &asker, &client, &headers).await?;
    let limit = usize::from(query.limit.clamp(1, 500));
    let known = Known {
        stream: id,
        from_ms: query.from_ms,
        to_ms: query.to_ms.unwrap_or(i64::MAX),
        after: read_after(query.after.as_deref())?,
    };
    chat.0.ledger.settle().await;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = store::page_of_stream(&chat.0.db, known, most).await?;
    let last = found.last().filter(|_| found.len() == limit);
    let next_after = last.map(|last| {
        let time = last.stream_time_ms.unwrap_or_default();
        format!("{time}.{}", last.id)
    });
    Ok(Json(StreamChat {
        next_after,
        items: found.iter().map(|message| (**message).clone()).collect(),
    }))
}

fn read_after(text: Option<&str>) -> Result<(i64, i64), ApiError> {
    let Some(text) = text else {
        return Ok((i64::MIN, i64::MIN));
    };
    let read = text
        .split_once('.')
        .and_then(|(time, id)| Some((time.parse().ok()?, id.parse().ok()?)));
    read.ok_or_else(|| {
        let mut form = Form::new();
        form.add(
            "after",
            "cursor_invalid",
            "give the `next_after` of the page before",
        );
        form.done()
            .err()
            .unwrap_or(ApiError::Internal("a form".to_owned()))
    })
}

/// Say something on a stream that is on air. 202: a moderator is to look at it first.
#[utoipa::path(
    post, path = "/api/streams/{id}/chat", tag = "chat",
    params(("id" = Uuid, Path)), request_body = NewChatMessage,
    responses((status = 201, body = Message), (status = 202), Refusals),
)]
async fn say_on_stream(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiJson(body): ApiJson<NewChatMessage>,
) -> Result<Response, Denied> {
    let channel = chat.channel_on_air(id).await?;
    chat.check_seeing(id, &asker, &client, &headers).await?;
    messages::say(&chat, &channel, &account, &client, body).await
}

/// Take a message of a stream away: one's own, or as a moderator any.
#[utoipa::path(
    delete, path = "/api/streams/{id}/chat/{message}", tag = "chat",
    params(("id" = Uuid, Path), ("message" = i64, Path)),
    responses((status = 204), Refusals),
)]
async fn delete_stream_message(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((id, message)): ApiPath<(Uuid, i64)>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.channel_of(id).await?;
    chat.0.ledger.settle().await;
    if !store::of_stream(&chat.0.db, id, message).await? {
        return Err(no_such_message());
    }
    messages::delete(&chat, &channel, &account, message).await
}

/// Pin a message while the stream is on air.
#[utoipa::path(
    put, path = "/api/streams/{id}/chat/pin", tag = "chat",
    params(("id" = Uuid, Path)), request_body = NewPin,
    responses((status = 204), Refusals),
)]
async fn pin_on_stream(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<NewPin>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.channel_of(id).await?;
    chat.check_moderating(&channel, &account).await?;
    chat.channel_on_air(id).await?;
    messages::pin(&chat, &channel, &account, Some(body.message)).await
}

/// Take the pin away while the stream is on air.
#[utoipa::path(
    delete, path = "/api/streams/{id}/chat/pin", tag = "chat",
    params(("id" = Uuid, Path)),
    responses((status = 204), Refusals),
)]
async fn unpin_on_stream(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.channel_of(id).await?;
    chat.check_moderating(&channel, &account).await?;
    chat.channel_on_air(id).await?;
    messages::pin(&chat, &channel, &account, None).await
}

/// How the viewers of a stream reacted, by its time.
#[utoipa::path(
    get, path = "/api/streams/{id}/chat/reactions", tag = "chat",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamReactions), Refusals),
)]
async fn list_reactions(
    State(chat): State<Chat>,
    ApiPath(id): ApiPath<Uuid>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
) -> Result<Json<StreamReactions>, Denied> {
    chat.channel_of(id).await?;
    chat.check_seeing(id, &asker, &client, &headers).await?;
    chat.0.ledger.settle().await;
    let mut by_time: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
    for (time, emoji, amount) in store::reactions_of(&chat.0.db, id).await? {
        by_time.entry(time).or_default().insert(emoji, amount);
    }
    let items = by_time
        .into_iter()
        .map(|(stream_time_ms, counts)| ReactionBucket {
            stream_time_ms,
            counts,
        });
    Ok(Json(StreamReactions {
        bucket_ms: 1_000,
        items: items.collect(),
    }))
}

/// React to a stream that is on air.
#[utoipa::path(
    post, path = "/api/streams/{id}/chat/reactions", tag = "chat",
    params(("id" = Uuid, Path)), request_body = NewReaction,
    responses((status = 204), Refusals),
)]
async fn react_on_stream(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiJson(body): ApiJson<NewReaction>,
) -> Result<StatusCode, Denied> {
    let channel = chat.channel_on_air(id).await?;
    chat.check_seeing(id, &asker, &client, &headers).await?;
    let person = chat.asking(&channel, &account, &client).await?;
    let hall = chat.hall(&channel).await?;
    hall.react(&person, &body.emoji, body.seen_ms)?;
    Ok(StatusCode::NO_CONTENT)
}
