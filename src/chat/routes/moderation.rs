//! Who may not write, what waits for a moderator, which terms are looked for.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::super::message::Message;
use super::super::moderation::{Desk, Sentence};
use super::super::protocol::RestraintKind;
use super::super::store::{self, RestraintRow, Term};
use super::super::terms::TermKind;
use super::{Chat, Refusals};
use crate::accounts::SignedIn;
use crate::clock::from_millis;
use crate::error::ApiError;
use crate::request::{ApiJson, ApiPath};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list_restraints))
        .routes(routes!(restrain, release))
        .routes(routes!(warn))
        .routes(routes!(list_terms, add_term))
        .routes(routes!(delete_term))
        .routes(routes!(list_holds))
        .routes(routes!(approve_hold))
        .routes(routes!(deny_hold))
}

/// Somebody who may not write.
#[derive(Debug, Serialize, ToSchema)]
struct ChatRestraint {
    /// The account's id, or that of a guest.
    subject: String,
    name: String,
    kind: RestraintKind,
    /// Null: for good.
    until: Option<Timestamp>,
    reason: String,
    /// The moderator's name.
    by: String,
    at: Timestamp,
}

impl From<RestraintRow> for ChatRestraint {
    fn from(row: RestraintRow) -> Self {
        Self {
            subject: row.subject,
            name: row.name,
            kind: match row.until {
                None => RestraintKind::Ban,
                Some(_) => RestraintKind::Timeout,
            },
            until: row.until.map(from_millis),
            reason: row.reason,
            by: row.by_name,
            at: from_millis(row.at),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatRestraints {
    items: Vec<ChatRestraint>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRestraint {
    kind: RestraintKind,
    /// Of a time-out: 10 to 1209600.
    seconds: Option<u64>,
    /// Told to whom it is about: at most 200 characters.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWarning {
    /// An account's name or id, or the id of a guest.
    subject: String,
    /// 1 to 200 characters.
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatTerm {
    id: Uuid,
    term: String,
    kind: TermKind,
}

impl From<Term> for ChatTerm {
    fn from(term: Term) -> Self {
        Self {
            id: term.id,
            term: term.term,
            kind: term.kind,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatTerms {
    items: Vec<ChatTerm>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTerm {
    /// A word or a phrase; `*` stands for any letters.
    term: String,
    kind: TermKind,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatHolds {
    /// Oldest first.
    items: Vec<Message>,
}

/// Who may not write on a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/restraints", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatRestraints), Refusals),
)]
async fn list_restraints(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ChatRestraints>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let now = chat.0.clock.now().as_millisecond();
    let rows = store::restraints(&chat.0.db, channel.id, now).await?;
    let items = rows.into_iter().map(ChatRestraint::from).collect();
    Ok(Json(ChatRestraints { items }))
}

/// Keep somebody from writing, and take away what they said.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/restraints/{subject}", tag = "chat",
    params(
        ("handle" = String, Path),
        ("subject" = String, Path, description = "An account's name or id, or the id of a guest."),
    ),
    request_body = NewRestraint,
    responses((status = 204), Refusals),
)]
async fn restrain(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, subject)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<NewRestraint>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    let sentence = Sentence {
        kind: body.kind,
        seconds: body.seconds,
        reason: body.reason,
    };
    chat.restrain(desk, &subject, sentence).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let somebody write again.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/restraints/{subject}", tag = "chat",
    params(
        ("handle" = String, Path),
        ("subject" = String, Path, description = "An account's name or id, or the id of a guest."),
    ),
    responses((status = 204), Refusals),
)]
async fn release(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, subject)): ApiPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.release(desk, &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell somebody that what they do is not wanted.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/warnings", tag = "chat",
    params(("handle" = String, Path)), request_body = NewWarning,
    responses((status = 204), Refusals),
)]
async fn warn(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<NewWarning>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.warn(desk, &body.subject, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The terms that are looked for in messages.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/terms", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatTerms), Refusals),
)]
async fn list_terms(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ChatTerms>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let terms = store::terms(&chat.0.db, channel.id).await?;
    let items = terms.into_iter().map(ChatTerm::from).collect();
    Ok(Json(ChatTerms { items }))
}

/// Look for a term, whatever it is dressed up as.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/terms", tag = "chat",
    params(("handle" = String, Path)), request_body = NewTerm,
    responses((status = 201, body = ChatTerm), Refusals),
)]
async fn add_term(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<NewTerm>,
) -> Result<(StatusCode, Json<ChatTerm>), ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    let term = chat.add_term(desk, &body.term, body.kind).await?;
    Ok((StatusCode::CREATED, Json(term.into())))
}

/// Look for a term no longer.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/chat/terms/{id}", tag = "chat",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses((status = 204), Refusals),
)]
async fn delete_term(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let desk = Desk::of(&channel, &account);
    chat.remove_term(desk, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What waits for a moderator.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/holds", tag = "chat",
    params(("handle" = String, Path)),
    responses((status = 200, body = ChatHolds), Refusals),
)]
async fn list_holds(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ChatHolds>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let held = chat.holds(&channel).await?;
    let items = held.iter().map(|held| (**held).clone()).collect();
    Ok(Json(ChatHolds { items }))
}

/// Let a message through that waits.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/holds/{message}/approve", tag = "chat",
    params(("handle" = String, Path), ("message" = i64, Path)),
    responses((status = 204), Refusals),
)]
async fn approve_hold(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, message)): ApiPath<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    settle(&chat, &handle, &account, message, true).await
}

/// Do not let a message through that waits.
#[utoipa::path(
    post, path = "/api/channels/{handle}/chat/holds/{message}/deny", tag = "chat",
    params(("handle" = String, Path), ("message" = i64, Path)),
    responses((status = 204), Refusals),
)]
async fn deny_hold(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, message)): ApiPath<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    settle(&chat, &handle, &account, message, false).await
}

async fn settle(
    chat: &Chat,
    handle: &str,
    account: &crate::accounts::Account,
    message: i64,
    approved: bool,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(handle, account).await?;
    let desk = Desk::of(&channel, account);
    chat.settle_hold(desk, message, approved).await?;
    Ok(StatusCode::NO_CONTENT)
}
