//! Mails are called off without signing in: by a link that is signed, and by the button that mail
//! programs show (RFC 8058), which posts to `/api/unsubscribe/{token}`.

use axum::Json;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Kind, Notifications, Way, store};
use crate::accounts::AccountId;
use crate::channels::Pepper;
use crate::error::{ApiError, Problem};
use crate::request::ApiPath;
use crate::secret::same;

pub(super) fn routes(notifications: Notifications) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_subscription, unsubscribe_from_mail))
        .with_state(notifications)
}

/// What a link is about.
#[derive(Debug, Serialize, ToSchema)]
struct MailSubscription {
    kind: Kind,
    /// What the mails are about, for a person.
    about: String,
    /// Whether they still come.
    subscribed: bool,
}

/// What stands in a link: whom it is for, which mails, and a MAC of both.
pub(super) fn token(pepper: &Pepper, account: AccountId, kind: Kind) -> String {
    let subject = format!("{}.{}", account.0.simple(), kind.as_str());
    let mac = pepper.mac(&format!("unsubscribe {subject}"));
    format!("{subject}.{mac}")
}

/// Where a token goes. A GET there tells what it is about, a POST calls it off.
pub(super) fn path(token: &str) -> String {
    format!("/api/unsubscribe/{token}")
}

fn read(pepper: &Pepper, text: &str) -> Option<(AccountId, Kind)> {
    let (account, rest) = text.split_once('.')?;
    let (kind, _) = rest.split_once('.')?;
    let account = AccountId(Uuid::parse_str(account).ok()?);
    let kind = Kind::parse(kind)?;
    same(&token(pepper, account, kind), text).then_some((account, kind))
}

fn no_such_link() -> ApiError {
    ApiError::NotFound {
        code: "link_invalid",
        detail: "this link is not whole; open it from the mail again, or choose under Settings",
    }
}

/// Which mails a link from a mail is about. A browser is sent to the page that asks.
#[utoipa::path(
    get, path = "/api/unsubscribe/{token}", tag = "notifications",
    params(("token" = String, Path, description = "From the mail")),
    responses(
        (status = 200, body = MailSubscription),
        (status = 303, description = "To the page"),
        (status = 404, body = Problem),
    ),
)]
async fn show_subscription(
    State(notifications): State<Notifications>,
    ApiPath(token): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && accepts.is_some_and(|accept| accept.contains("text/html")) {
        return Ok(Redirect::to(&format!("/unsubscribe#{token}")).into_response());
    }
    let grounds = &notifications.0.grounds;
    let (account, kind) = read(&grounds.pepper, &token).ok_or_else(no_such_link)?;
    let recipient = store::recipient(&grounds.db, account, kind).await?;
    let recipient = recipient.ok_or_else(no_such_link)?;
    let subscribed = recipient.email;
    Ok(Json(MailSubscription {
        kind,
        about: kind.in_words().to_owned(),
        subscribed: subscribed.unwrap_or_else(|| kind.is_wanted_by_default(Way::Email)),
    })
    .into_response())
}

/// Call these mails off: no sign-in, no question (RFC 8058).
#[utoipa::path(
    post, path = "/api/unsubscribe/{token}", tag = "notifications",
    params(("token" = String, Path, description = "From the mail")),
    responses((status = 204), (status = 404, body = Problem)),
)]
async fn unsubscribe_from_mail(
    State(notifications): State<Notifications>,
    ApiPath(token): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let grounds = &notifications.0.grounds;
    let (account, kind) = read(&grounds.pepper, &token).ok_or_else(no_such_link)?;
    let recipient = store::recipient(&grounds.db, account, kind).await?;
    recipient.ok_or_else(no_such_link)?;
    let mut tx = grounds.db.begin().await?;
    store::choose(&mut tx, account, kind, Way::Email, false).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
