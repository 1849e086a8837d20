//! `/api/account/sessions`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::{Accounts, Asker, SignedIn};
use crate::error::{ApiError, Problem};
use crate::request::ApiPath;

/// Where the account is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct SessionBody {
    id: String,
    /// What the browser calls itself.
    user_agent: String,
    /// The network that it came from.
    address: String,
    created_at: Timestamp,
    /// To some minutes.
    last_seen_at: Timestamp,
    /// Whether it is the one that asks.
    is_current: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    items: Vec<SessionBody>,
}

/// Where the account is signed in, the one used last first.
#[utoipa::path(
    get, path = "/api/account/sessions", tag = "account",
    responses((status = 200, body = SessionList), (status = 401, body = Problem)),
)]
pub(super) async fn list_sessions(
    State(accounts): State<Accounts>,
    asker: Asker,
    SignedIn(account): SignedIn,
) -> Result<Json<SessionList>, ApiError> {
    let logins = accounts.logins(&account).await?;
    let items = logins.into_iter().map(|login| SessionBody {
        is_current: asker.login.as_ref() == Some(&login.id),
        id: login.id.0,
        user_agent: login.user_agent,
        address: login.address,
        created_at: login.created_at,
        last_seen_at: login.last_seen_at,
    });
    Ok(Json(SessionList {
        items: items.collect(),
    }))
}

/// Sign out everywhere else.
#[utoipa::path(
    delete, path = "/api/account/sessions", tag = "account",
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem)),
)]
pub(super) async fn end_other_sessions(
    State(accounts): State<Accounts>,
    asker: Asker,
    SignedIn(account): SignedIn,
) -> Result<StatusCode, ApiError> {
    accounts
        .end_other_logins(&account, asker.login.as_ref())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out there.
#[utoipa::path(
    delete, path = "/api/account/sessions/{id}", tag = "account",
    params(("id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(super) async fn end_session(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    accounts.end_login(&account, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
