//! `/api/admin/invites`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{Accounts, Invite, IsAdmin, NewInvite, Role};
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInviteBody {
    /// For whom, up to 200 characters.
    #[serde(default)]
    note: String,
    /// What accounts by it may do; by default what all new accounts may.
    role: Option<Role>,
    /// How many may use it; by default one.
    max_uses: Option<u32>,
    /// It works so many days; by default a week.
    days: Option<u32>,
}

/// An invite, without its code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InviteBody {
    id: Uuid,
    note: String,
    role: Role,
    /// Who made it, if that account is still there.
    created_by: Option<Uuid>,
    created_at: Timestamp,
    expires_at: Timestamp,
    max_uses: u32,
    uses: u32,
}

#[derive(Serialize, ToSchema)]
pub(super) struct InviteWithCode {
    #[serde(flatten)]
    invite: InviteBody,
    /// Its code, which is shown this once; the link is `/signup#` and the code.
    code: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteQuery {
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// Invites on a page.
const PER_PAGE: u16 = 50;
/// Days that an invite works when nothing else is said.
const DAYS: u32 = 7;

impl From<Invite> for InviteBody {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            note: invite.note,
            role: invite.role,
            created_by: invite.created_by,
            created_at: invite.created_at,
            expires_at: invite.expires_at,
            max_uses: invite.most_uses,
            uses: invite.uses,
        }
    }
}

/// Invites, newest first.
#[utoipa::path(
    get, path = "/api/admin/invites", tag = "admin", params(("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Page<InviteBody>),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(super) async fn list_invites(
    State(accounts): State<Accounts>,
    _admin: IsAdmin,
    ApiQuery(query): ApiQuery<InviteQuery>,
) -> Result<Json<Page<InviteBody>>, ApiError> {
    let cursor = Cursor::read(&query.cursor)?;
    let rows = accounts.invites(&cursor, PER_PAGE + 1).await?;
    let behind = |invite: &Invite| Cursor::behind(invite.created_at, invite.id);
    Ok(Json(Page::cut(
        rows,
        usize::from(PER_PAGE),
        behind,
        InviteBody::from,
    )))
}

/// Make an invite. Its code is in this answer and never again.
#[utoipa::path(
    post, path = "/api/admin/invites", tag = "admin", request_body = NewInviteBody,
    responses(
        (status = 201, body = InviteWithCode),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(super) async fn create_invite(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiJson(new): ApiJson<NewInviteBody>,
) -> Result<(StatusCode, Json<InviteWithCode>), ApiError> {
    let wish = NewInvite {
        note: new.note,
        role: new.role.unwrap_or(accounts.rules().new_accounts.into()),
        most_uses: new.max_uses.unwrap_or(1),
        days: new.days.unwrap_or(DAYS),
    };
    let (invite, code) = accounts.create_invite(&admin, wish).await?;
    let body = InviteWithCode {
        invite: invite.into(),
        code: code.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Take an invite back. Accounts that were made by it stay.
#[utoipa::path(
    delete, path = "/api/admin/invites/{id}", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(super) async fn delete_invite(
    State(accounts): State<Accounts>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    accounts.delete_invite(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
