//! `/api/notifications`: the list behind the bell.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event as Line, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Kind, MOST_TESTS, News, Notification, Notifications, store, title_of};
use crate::accounts::{AccountId, SignedIn};
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiQuery};

const PAGE: usize = 30;
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes(notifications: Notifications) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(read_notifications))
        .routes(routes!(test_notification))
        .routes(routes!(follow_notifications))
        .with_state(notifications)
}

#[derive(Debug, Serialize, ToSchema)]
struct NotificationBody {
    id: Uuid,
    kind: Kind,
    /// Handle of the channel that it is about.
    channel: Option<String>,
    title: String,
    /// Empty where the title says it all.
    body: String,
    /// A path on this server.
    link: String,
    created_at: Timestamp,
    /// Null while it was not read.
    read_at: Option<Timestamp>,
}

impl From<Notification> for NotificationBody {
    fn from(notification: Notification) -> Self {
        Self {
            title: title_of(&notification),
            id: notification.id,
            kind: notification.kind,
            channel: notification.channel,
            body: notification.body,
            link: notification.link,
            created_at: notification.created_at,
            read_at: notification.read_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct NotificationList {
    #[serde(flatten)]
    page: Page<NotificationBody>,
    /// How many were not read, on all pages.
    unread: i64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadWish {
    /// Which was read; without it all were.
    id: Option<Uuid>,
}

/// What the account was told, newest first. It is kept for 90 days.
#[utoipa::path(
    get, path = "/api/notifications", tag = "notifications", params(ListQuery),
    responses(
        (status = 200, body = NotificationList),
        (status = 401, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_notifications(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<NotificationList>, ApiError> {
    let db = &notifications.0.grounds.db;
    let behind = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let rows = store::page(db, account.id, &behind, most).await?;
    let cursor = |row: &Notification| Cursor::behind(row.created_at, row.id);
    let page = Page::cut(rows, PAGE, cursor, NotificationBody::from);
    let unread = store::count_unread(db, account.id).await?;
    Ok(Json(NotificationList { page, unread }))
}

/// Mark one notification as read, or all.
#[utoipa::path(
    post, path = "/api/notifications/read", tag = "notifications", request_body = ReadWish,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn read_notifications(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiJson(wish): ApiJson<ReadWish>,
) -> Result<StatusCode, ApiError> {
    let grounds = &notifications.0.grounds;
    store::mark_read(&grounds.db, account.id, wish.id, grounds.clock.now()).await?;
    notifications.say_changed(vec![account.id]);
    Ok(StatusCode::NO_CONTENT)
}

/// Send the account a notification, to see whether it arrives: in the list and by web push.
#[utoipa::path(
    post, path = "/api/notifications/test", tag = "notifications",
    responses(
        (status = 202), (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn test_notification(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
) -> Result<StatusCode, ApiError> {
    let now = notifications.0.grounds.clock.instant();
    let tests = &notifications.0.tests;
    tests
        .take(&account.id, MOST_TESTS, now)
        .map_err(ApiError::TooMany)?;
    let news = News {
        kind: Kind::Test,
        channel: None,
        subject: Uuid::now_v7().to_string(),
        title: "It works".to_owned(),
        body: "Notifications arrive here.".to_owned(),
        link: "/settings/notifications".to_owned(),
    };
    notifications.tell(account.id, &news).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Follow how many were not read, as an event stream (`text/event-stream`): `{"unread": 3}`, now and
/// whenever the list changes.
#[utoipa::path(
    get, path = "/api/notifications/events", tag = "notifications",
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 401, body = Problem),
    ),
)]
async fn follow_notifications(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
) -> Response {
    let reader = Reader {
        changed: notifications.0.changed.subscribe(),
        notifications,
        account: account.id,
        began: false,
    };
    let lines = unfold(reader, |mut reader| async move {
        let unread = reader.next().await?;
        let line = Line::default().event("unread");
        let line = line.data(format!("{{\"unread\":{unread}}}"));
        Some((Ok::<_, Infallible>(line), reader))
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(lines).keep_alive(keep_alive).into_response()
}

struct Reader {
    notifications: Notifications,
    changed: Receiver<Arc<[AccountId]>>,
    account: AccountId,
    began: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<i64> {
        let grounds = &self.notifications.0.grounds;
        while self.began {
            tokio::select! {
                () = grounds.closing.cancelled() => return None,
                changed = self.changed.recv() => match changed {
                    Ok(accounts) if accounts.contains(&self.account) => break,
                    Ok(_) => {}
                    // Perhaps it was ours.
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
        self.began = true;
        // A database that is away ends the stream; the page asks again.
        store::count_unread(&grounds.db, self.account).await.ok()
    }
}
