//! What moderators see of people, and of each other's deeds.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::message::Message;
use super::super::protocol::{RestraintKind, YourRestraint};
use super::super::store::{self, Action};
use super::{Chat, Refusals};
use crate::accounts::SignedIn;
use crate::error::ApiError;
use crate::form::{self, Form};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(show_chat_user))
        .routes(routes!(note_chat_user))
        .routes(routes!(list_chat_actions))
}

/// Somebody, as moderators see them.
#[derive(Debug, Serialize, ToSchema)]
struct ChatUser {
    /// The account's id, or that of a guest.
    subject: String,
    name: String,
    /// Null of guests.
    account_created_at: Option<Timestamp>,
    /// Null: they do not follow the channel.
    follows_since: Option<Timestamp>,
    /// How many messages they wrote here.
    messages: u64,
    /// The last of them, newest first, with those that were taken away.
    recent: Vec<Message>,
    /// What was done about them, newest first.
    actions: Vec<ChatAction>,
    restraint: Option<YourRestraint>,
    /// What moderators noted.
    notes: String,
}

/// What a moderator did.
#[derive(Debug, Serialize, ToSchema)]
struct ChatAction {
    id: String,
    at: Timestamp,
    /// The moderator's name.
    by: String,
    /// Such as `ban`, `timeout`, `release`, `delete`, `clear`, `warn`, `pin`, `modes`, `shield`.
    kind: String,
    /// Whom it was about: an account's id, or that of a guest.
    subject: Option<String>,
    subject_name: Option<String>,
    message: Option<i64>,
    /// What that message said.
    text: Option<String>,
    reason: String,
    until: Option<Timestamp>,
}

impl From<Action> for ChatAction {
    fn from(action: Action) -> Self {
        Self {
            id: action.id,
            at: action.at,
            by: action.by,
            kind: action.kind,
            subject: action.subject,
            subject_name: action.subject_name,
            message: action.message,
            text: action.text,
            reason: action.reason,
            until: action.until,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChatNote {
    /// At most 2000 characters; empty takes it away.
    text: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ActionsQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

const RECENT: i64 = 30;
const ACTIONS: i64 = 30;
const PAGE: usize = 50;
const MOST_NOTE: usize = 2_000;

/// Somebody in a channel's chat, as moderators see them.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/users/{subject}", tag = "chat",
    params(
        ("handle" = String, Path),
        ("subject" = String, Path, description = "An account's name or id, or the id of a guest."),
    ),
    responses((status = 200, body = ChatUser), Refusals),
)]
async fn show_chat_user(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, subject)): ApiPath<(String, String)>,
) -> Result<Json<ChatUser>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let (subject, name) = chat.find(&channel, &subject).await?;
    let (db, now) = (&chat.0.db, chat.0.clock.now());
    chat.0.ledger.settle().await;
    let (mut account_created_at, mut follows_since) = (None, None);
    if let Some(id) = subject.account() {
        let account = chat.0.accounts.by_id(id).await?;
        account_created_at = account.map(|account| account.created_at);
        follows_since = chat.0.channels.follows_since(channel.id, id).await?;
    }
    let text = subject.to_string();
    let messages = store::count_of(db, channel.id, &subject).await?;
    let recent = store::latest_of(db, channel.id, &subject, RECENT).await?;
    let actions = store::actions_of(db, channel.id, &text, ACTIONS).await?;
    let notes = store::note_of(db, channel.id, &text).await?;
    let hall = chat.hall(&channel).await?;
    let restraint = {
        let floor = hall.lock();
        let found = floor.room.restraints.get(&subject);
        found
            .filter(|restraint| restraint.holds(now))
            .map(|restraint| YourRestraint {
                kind: match restraint.until {
                    None => RestraintKind::Ban,
                    Some(_) => RestraintKind::Timeout,
                },
                until: restraint.until,
                reason: restraint.reason.clone(),
            })
    };
    Ok(Json(ChatUser {
        subject: text,
        name,
        account_created_at,
        follows_since,
        messages: u64::try_from(messages).unwrap_or_default(),
        recent: recent.iter().map(|message| (**message).clone()).collect(),
        actions: actions.into_iter().map(ChatAction::from).collect(),
        restraint,
        notes,
    }))
}

/// Note something of somebody, for moderators.
#[utoipa::path(
    put, path = "/api/channels/{handle}/chat/users/{subject}/notes", tag = "chat",
    params(
        ("handle" = String, Path),
        ("subject" = String, Path, description = "An account's name or id, or the id of a guest."),
    ),
    request_body = ChatNote,
    responses((status = 204), Refusals),
)]
async fn note_chat_user(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath((handle, subject)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<ChatNote>,
) -> Result<StatusCode, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let (subject, _) = chat.find(&channel, &subject).await?;
    let mut form = Form::new();
    let text = form::paragraph("note_invalid", &body.text, MOST_NOTE);
    let text = form.take("text", text);
    form.done()?;
    store::set_note(&chat.0.db, channel.id, &subject.to_string(), &text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What moderators did, the newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/chat/actions", tag = "chat",
    params(("handle" = String, Path), ActionsQuery),
    responses((status = 200, body = Page<ChatAction>), Refusals),
)]
async fn list_chat_actions(
    State(chat): State<Chat>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<ActionsQuery>,
) -> Result<Json<Page<ChatAction>>, ApiError> {
    let channel = chat.moderated(&handle, &account).await?;
    let after = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let rows = store::page_of_actions(&chat.0.db, channel.id, &after, most + 1).await?;
    let behind = |row: &Action| Cursor::behind(row.at, &row.id);
    Ok(Json(Page::cut(rows, PAGE, behind, ChatAction::from)))
}
