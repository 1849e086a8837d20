//! `/api/channels/{handle}/webhooks`.
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
use uuid::Uuid;

use super::{Delivery, DeliveryState, Hook, Webhooks, checked_kinds, store};
use crate::accounts::SignedIn;
use crate::error::{ApiError, Problem};
use crate::events::Kind;
use crate::form::Form;
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery};

const PAGE: usize = 25;

pub(super) fn routes(webhooks: Webhooks) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_webhooks, create_webhook))
        .routes(routes!(edit_webhook, delete_webhook))
        .routes(routes!(test_webhook))
        .routes(routes!(list_deliveries))
        .routes(routes!(replay_delivery))
        .with_state(webhooks)
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookBody {
    id: Uuid,
    /// Where events are posted to.
    url: String,
    /// Which events.
    kinds: Vec<Kind>,
    /// Whether events are delivered.
    enabled: bool,
    /// Why it was switched off, where the server did it.
    problem: Option<String>,
    created_at: Timestamp,
}

impl From<Hook> for WebhookBody {
    fn from(hook: Hook) -> Self {
        Self {
            id: hook.id,
            url: hook.url,
            kinds: hook.kinds,
            enabled: hook.is_enabled,
            problem: hook.problem,
            created_at: hook.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookBody,
    /// The key that signs its deliveries. It is shown this once.
    secret: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookList {
    items: Vec<WebhookBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// An address on the internet, by HTTPS.
    url: String,
    /// Names of events, such as `stream.started`.
    kinds: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookEdit {
    /// An address on the internet, by HTTPS.
    url: Option<String>,
    /// Names of events, such as `stream.started`.
    kinds: Option<Vec<String>>,
    /// Whether events are delivered.
    enabled: Option<bool>,
}

/// An event on its way to a webhook, or there.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryBody {
    id: Uuid,
    /// The event's id, or that of a test.
    event: String,
    /// What happened; `ping` of a test.
    kind: String,
    state: DeliveryState,
    created_at: Timestamp,
    /// How often it was tried.
    attempts: i64,
    /// When it was tried last.
    tried_at: Option<Timestamp>,
    /// The status that the receiver answered with.
    status: Option<i64>,
    /// How long that took.
    took_ms: Option<i64>,
    /// The first kilobyte of the answer.
    answer: Option<String>,
    /// What went wrong, in words.
    problem: Option<String>,
    /// What is delivered, as JSON.
    body: String,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event,
            kind: delivery.kind,
            state: delivery.state,
            created_at: delivery.created_at,
            attempts: delivery.attempts,
            tried_at: delivery.tried_at,
            status: delivery.status,
            took_ms: delivery.took_ms,
            answer: delivery.answer,
            problem: delivery.problem,
            body: delivery.body,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// A channel's webhooks, oldest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/webhooks", tag = "webhooks",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = WebhookList),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn list_webhooks(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<WebhookList>, ApiError> {
    let channel = webhooks.channels.expect_own(&handle, &account).await?;
    let hooks = store::of_channel(&webhooks.db, channel.id).await?;
    let items = hooks.into_iter().map(WebhookBody::from).collect();
    Ok(Json(WebhookList { items }))
}

/// Make a webhook. The answer holds its secret, this once.
///
/// Deliveries are POSTs of an `EventBody`, with `Tallylight-Event`, `Tallylight-Delivery` and
/// `Tallylight-Signature: t=<Unix seconds>,v1=<HMAC-SHA-256 of "t.body" with the secret, in hex>`.
/// What does not answer 2xx within 5 s is tried again for three days.
#[utoipa::path(
    post, path = "/api/channels/{handle}/webhooks", tag = "webhooks",
    params(("handle" = String, Path)), request_body = NewWebhook,
    responses(
        (status = 201, body = WebhookWithSecret),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn create_webhook(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(wish): ApiJson<NewWebhook>,
) -> Result<(StatusCode, Json<WebhookWithSecret>), ApiError> {
    let channel = webhooks.channels.expect_own(&handle, &account).await?;
    let hook = webhooks.create(&channel, &wish.url, &wish.kinds).await?;
    let secret = webhooks.secret(hook.id).reveal().to_owned();
    let webhook = hook.into();
    Ok((
        StatusCode::CREATED,
        Json(WebhookWithSecret { webhook, secret }),
    ))
}

/// Edit a webhook, or switch it on or off.
#[utoipa::path(
    patch, path = "/api/channels/{handle}/webhooks/{id}", tag = "webhooks",
    params(("handle" = String, Path), ("id" = Uuid, Path)), request_body = WebhookEdit,
    responses(
        (status = 200, body = WebhookBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn edit_webhook(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    ApiJson(edit): ApiJson<WebhookEdit>,
) -> Result<Json<WebhookBody>, ApiError> {
    let mut hook = webhooks.expect(&handle, id, &account).await?;
    let mut form = Form::new();
    let url = form.take_some("url", edit.url, |url| webhooks.checked_url(&url));
    let kinds = form.take_some("kinds", edit.kinds, |kinds| checked_kinds(&kinds));
    form.done()?;
    hook.url = url.unwrap_or(hook.url);
    hook.kinds = kinds.unwrap_or(hook.kinds);
    if let Some(enabled) = edit.enabled {
        hook.is_enabled = enabled;
        hook.problem = None;
    }
    store::update(&webhooks.db, &hook).await?;
    Ok(Json(hook.into()))
}

/// Delete a webhook with its log.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/webhooks/{id}", tag = "webhooks",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn delete_webhook(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let hook = webhooks.expect(&handle, id, &account).await?;
    store::delete(&webhooks.db, hook.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Post a `ping` to a webhook. It is tried once; the log tells what came of it.
#[utoipa::path(
    post, path = "/api/channels/{handle}/webhooks/{id}/test", tag = "webhooks",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses(
        (status = 202, body = DeliveryBody),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn test_webhook(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    let hook = webhooks.expect(&handle, id, &account).await?;
    let channel = webhooks.channels.expect(&handle).await?;
    let delivery = webhooks.test(&channel, &hook).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// What was delivered to a webhook, or not, newest first. It is kept for 30 days.
#[utoipa::path(
    get, path = "/api/channels/{handle}/webhooks/{id}/deliveries", tag = "webhooks",
    params(("handle" = String, Path), ("id" = Uuid, Path), DeliveriesQuery),
    responses(
        (status = 200, body = Page<DeliveryBody>),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn list_deliveries(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
    ApiQuery(query): ApiQuery<DeliveriesQuery>,
) -> Result<Json<Page<DeliveryBody>>, ApiError> {
    let hook = webhooks.expect(&handle, id, &account).await?;
    let behind = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let rows = store::deliveries(&webhooks.db, hook.id, &behind, most).await?;
    let cursor = |row: &Delivery| Cursor::behind(row.created_at, row.id);
    Ok(Json(Page::cut(rows, PAGE, cursor, DeliveryBody::from)))
}

/// Deliver something once more, as a delivery of its own.
#[utoipa::path(
    post, path = "/api/channels/{handle}/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks",
    params(("handle" = String, Path), ("id" = Uuid, Path), ("delivery" = Uuid, Path)),
    responses(
        (status = 202, body = DeliveryBody),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn replay_delivery(
    State(webhooks): State<Webhooks>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id, delivery)): ApiPath<(String, Uuid, Uuid)>,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    let hook = webhooks.expect(&handle, id, &account).await?;
    let delivery = webhooks.replay(&hook, delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
