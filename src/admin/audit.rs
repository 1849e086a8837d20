//! `/api/admin/audit`: who did what.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Named, Offices};
use crate::accounts::{Accounts, IsAdmin};
use crate::audit::{Audit, AuditFilter, Entry, Soundness};
use crate::error::{ApiError, Problem};
use crate::page::Page;
use crate::request::ApiQuery;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(list_audit))
        .routes(routes!(check_audit))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Only what begins so, such as `account.` or `stream.ended`.
    #[serde(default)]
    action: String,
    /// Only what this account did.
    actor: Option<Uuid>,
    /// Only what was done to this, such as the id of an account.
    #[serde(default)]
    target: String,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// One thing that somebody did.
#[derive(Debug, Serialize, ToSchema)]
struct AuditEntry {
    /// Counts from 1, without gaps.
    number: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Null: the server itself, or a command on its machine.
    actor: Option<Named>,
    /// Such as `account.role_changed`.
    action: String,
    /// What it was done to, such as the id of an account.
    target: String,
    /// More, by the action.
    #[schema(value_type = Object)]
    detail: Value,
}

/// Whether the log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
struct AuditCheck {
    is_whole: bool,
    /// Entries that were found whole; null where one is not.
    entries: Option<i64>,
    /// The first that was changed or is missing.
    broken_at: Option<i64>,
}

/// Entries of a page.
const PAGE: u16 = 50;

fn read_cursor(text: &str) -> Result<Option<i64>, ApiError> {
    let number = (!text.is_empty()).then(|| text.parse()).transpose();
    number.map_err(|_| ApiError::Invalid {
        code: "cursor_invalid",
        detail: "give the next_cursor of the page before, or none".to_owned(),
    })
}

/// Who did what, the newest first.
#[utoipa::path(
    get, path = "/api/admin/audit", tag = "admin", params(AuditQuery),
    responses(
        (status = 200, body = Page<AuditEntry>),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn list_audit(
    State(audit): State<Audit>,
    State(accounts): State<Accounts>,
    _admin: IsAdmin,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    let before = read_cursor(&query.cursor)?;
    let filter = AuditFilter {
        action: query.action,
        actor: query.actor,
        target: query.target,
    };
    let mut entries = audit.search(&filter, before, PAGE + 1).await?;
    let has_more = entries.len() > usize::from(PAGE);
    entries.truncate(usize::from(PAGE));
    let next = entries.last().filter(|_| has_more);
    let next_cursor = next.map(|entry| entry.seq.to_string());
    Ok(Json(Page {
        items: named(&accounts, entries).await?,
        next_cursor,
    }))
}

async fn named(accounts: &Accounts, entries: Vec<Entry>) -> Result<Vec<AuditEntry>, ApiError> {
    let mut known: HashMap<Uuid, Named> = HashMap::new();
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let actor = match entry.actor {
            None => None,
            Some(id) => match known.get(&id) {
                Some(actor) => Some(actor.clone()),
                None => {
                    let actor = Named::find(accounts, id).await?;
                    known.insert(id, actor.clone());
                    Some(actor)
                }
            },
        };
        items.push(AuditEntry {
            number: entry.seq,
            at: entry.at,
            actor,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        });
    }
    Ok(items)
}

/// Read the whole log and tell whether anything was changed or is missing.
#[utoipa::path(
    get, path = "/api/admin/audit/check", tag = "admin",
    responses(
        (status = 200, body = AuditCheck),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn check_audit(
    State(audit): State<Audit>,
    _admin: IsAdmin,
) -> Result<Json<AuditCheck>, ApiError> {
    let soundness = audit.check().await?;
    let (entries, broken_at) = match soundness {
        Soundness::Whole(entries) => (Some(entries), None),
        Soundness::BrokenAt(number) => (None, Some(number)),
    };
    Ok(Json(AuditCheck {
        is_whole: broken_at.is_none(),
        entries,
        broken_at,
    }))
}
