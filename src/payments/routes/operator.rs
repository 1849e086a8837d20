//! What the operator sees: events, and what came of each; the whole book.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::earnings::{EntryBody, PageQuery, behind};
use crate::accounts::IsAdmin;
use crate::clock::from_millis;
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::payments::store::EventRow;
use crate::payments::{Payments, store};
use crate::request::{ApiPath, ApiQuery};

const PAGE: usize = 50;

pub(super) fn routes() -> OpenApiRouter<Payments> {
    OpenApiRouter::new()
        .routes(routes!(list_events))
        .routes(routes!(run_event))
        .routes(routes!(whole_ledger))
}

/// An event of Stripe's, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StripeEvent)]
struct EventBody {
    id: String,
    /// Such as `invoice.paid`.
    kind: String,
    /// What it is about.
    object: String,
    created_at: Timestamp,
    received_at: Timestamp,
    /// Null: it is not done yet.
    done_at: Option<Timestamp>,
    /// What it changed, in words.
    outcome: String,
}

impl From<EventRow> for EventBody {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            object: row.object_id,
            created_at: from_millis(row.created_at),
            received_at: from_millis(row.received_at),
            done_at: row.done_at.map(from_millis),
            outcome: row.outcome,
        }
    }
}

/// Events of Stripe's, newest first.
#[utoipa::path(
    get, path = "/api/admin/payments/events", tag = "admin", params(PageQuery),
    responses(
        (status = 200, body = inline(Page<EventBody>)), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn list_events(
    State(payments): State<Payments>,
    IsAdmin(_account): IsAdmin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EventBody>>, ApiError> {
    payments.require_on()?;
    let cursor = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let rows = store::events(&payments.0.db, &cursor, most).await?;
    let behind = |row: &EventRow| Cursor::behind(from_millis(row.received_at), &row.id);
    Ok(Json(Page::cut(rows, PAGE, behind, EventBody::from)))
}

/// Read again what an event is about, and apply it. It can be done any number of times.
#[utoipa::path(
    post, path = "/api/admin/payments/events/{id}/run", tag = "admin",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = EventBody), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn run_event(
    State(payments): State<Payments>,
    IsAdmin(account): IsAdmin,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<EventBody>, ApiError> {
    payments.require_on()?;
    Ok(Json(payments.run_again(&id, account.id).await?.into()))
}

/// All that came in and went back, newest first.
#[utoipa::path(
    get, path = "/api/admin/payments/ledger", tag = "admin", params(PageQuery),
    responses(
        (status = 200, body = inline(Page<EntryBody>)), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn whole_ledger(
    State(payments): State<Payments>,
    IsAdmin(_account): IsAdmin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EntryBody>>, ApiError> {
    payments.require_on()?;
    let cursor = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let rows = store::whole_book(&payments.0.db, &cursor, most).await?;
    Ok(Json(Page::cut(rows, PAGE, behind, EntryBody::from)))
}
