//! `/api/admin/accounts`.
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

use super::Offices;
use crate::accounts::{AccountId, AccountRecord, AccountSearch, Accounts, IsAdmin, Role};
use crate::channels::Channels;
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};
use crate::streams::Streams;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts))
        .routes(routes!(show_any_account, edit_any_account, remove_account))
        .routes(routes!(suspend_account))
        .routes(routes!(restore_account))
        .routes(routes!(reset_second_step))
        .routes(routes!(make_password_link))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AccountQuery {
    /// A part of the name or the address.
    #[serde(default)]
    q: String,
    /// Only of this role.
    role: Option<Role>,
    /// Only those that are suspended, or those that are not.
    suspended: Option<bool>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// An account, for admins.
#[derive(Debug, Serialize, ToSchema)]
struct AdminAccount {
    id: Uuid,
    name: String,
    role: Role,
    avatar: Option<String>,
    email: Option<String>,
    is_email_confirmed: bool,
    has_second_step: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Of its logins.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen_at: Option<Timestamp>,
    /// Null while it may sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    suspended_at: Option<Timestamp>,
    suspended_reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    role: Role,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Suspension {
    /// Why, 1 to 300 characters; it stands in the audit log.
    reason: String,
}

/// A link by which somebody sets a new password.
#[derive(Serialize, ToSchema)]
struct PasswordLink {
    /// Works once, for a day. Hand it to the owner.
    url: String,
}

/// Accounts of a page.
const PAGE: u16 = 50;

impl From<AccountRecord> for AdminAccount {
    fn from(record: AccountRecord) -> Self {
        let account = record.account;
        Self {
            id: account.id.0,
            name: account.name,
            role: account.role,
            avatar: account.avatar,
            created_at: account.created_at,
            email: record.email,
            is_email_confirmed: record.is_email_confirmed,
            has_second_step: record.has_second_step,
            last_seen_at: record.last_seen_at,
            suspended_at: record.suspended_at,
            suspended_reason: record.suspended_reason,
        }
    }
}

async fn shown(accounts: &Accounts, id: Uuid) -> Result<Json<AdminAccount>, ApiError> {
    let record = accounts.record(AccountId(id)).await?;
    Ok(Json(record.into()))
}

/// Accounts, the newest first.
#[utoipa::path(
    get, path = "/api/admin/accounts", tag = "admin", params(AccountQuery),
    responses(
        (status = 200, body = Page<AdminAccount>),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn list_accounts(
    State(accounts): State<Accounts>,
    _admin: IsAdmin,
    ApiQuery(query): ApiQuery<AccountQuery>,
) -> Result<Json<Page<AdminAccount>>, ApiError> {
    let cursor = Cursor::read(&query.cursor)?;
    let search = AccountSearch {
        text: query.q,
        role: query.role,
        is_suspended: query.suspended,
    };
    let rows = accounts.search(&search, &cursor, PAGE + 1).await?;
    let behind =
        |record: &AccountRecord| Cursor::behind(record.account.created_at, record.account.id);
    let most = usize::from(PAGE);
    Ok(Json(Page::cut(rows, most, behind, AdminAccount::from)))
}

/// One account.
#[utoipa::path(
    get, path = "/api/admin/accounts/{id}", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = AdminAccount),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn show_any_account(
    State(accounts): State<Accounts>,
    _admin: IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<AdminAccount>, ApiError> {
    shown(&accounts, id).await
}

/// Give an account another role.
#[utoipa::path(
    patch, path = "/api/admin/accounts/{id}", tag = "admin", params(("id" = Uuid, Path)),
    request_body = AccountChange,
    responses(
        (status = 200, body = AdminAccount),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn edit_any_account(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(change): ApiJson<AccountChange>,
) -> Result<Json<AdminAccount>, ApiError> {
    accounts
        .set_role(&admin, AccountId(id), change.role)
        .await?;
    shown(&accounts, id).await
}

/// Suspend an account: its sessions and tokens end at once, and so do its streams.
#[utoipa::path(
    post, path = "/api/admin/accounts/{id}/suspend", tag = "admin", params(("id" = Uuid, Path)),
    request_body = Suspension,
    responses(
        (status = 200, body = AdminAccount),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn suspend_account(
    State(accounts): State<Accounts>,
    State(channels): State<Channels>,
    State(streams): State<Streams>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(suspension): ApiJson<Suspension>,
) -> Result<Json<AdminAccount>, ApiError> {
    let id = AccountId(id);
    accounts.suspend(&admin, id, &suspension.reason).await?;
    // Its keys are refused from here on, so that what ends now does not come back.
    for channel in channels.owned_by(id).await? {
        streams.end(channel.id).await;
    }
    shown(&accounts, id.0).await
}

/// Let a suspended account sign in again.
#[utoipa::path(
    post, path = "/api/admin/accounts/{id}/restore", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = AdminAccount),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn restore_account(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<AdminAccount>, ApiError> {
    accounts.restore(&admin, AccountId(id)).await?;
    shown(&accounts, id).await
}

/// Turn off the second step of somebody who lost the app and the recovery codes.
#[utoipa::path(
    delete, path = "/api/admin/accounts/{id}/second_step", tag = "admin",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn reset_second_step(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    accounts.reset_second_step(&admin, AccountId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a link by which the owner sets a new password. It is in this answer and never again.
#[utoipa::path(
    post, path = "/api/admin/accounts/{id}/password_link", tag = "admin",
    params(("id" = Uuid, Path)),
    responses(
        (status = 201, body = PasswordLink),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn make_password_link(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    client: Client,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<(StatusCode, Json<PasswordLink>), ApiError> {
    let token = accounts.password_link(&admin, AccountId(id)).await?;
    let url = format!("{}/reset#{}", client.known_as(), token.reveal());
    Ok((StatusCode::CREATED, Json(PasswordLink { url })))
}

/// Delete an account with all that belongs to it: channels, streams, recordings.
#[utoipa::path(
    delete, path = "/api/admin/accounts/{id}", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn remove_account(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    accounts.remove(&admin, AccountId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
