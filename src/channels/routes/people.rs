//! Following, followers and moderators.
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

use super::Rooms;
use crate::accounts::{Account, SignedIn};
use crate::channels::{Channel, Channels, Followed, Follower, Moderator};
use crate::error::{ApiError, Problem};
use crate::images::ImageId;
use crate::page::{Cursor, Page};
use crate::request::{ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<Rooms> {
    OpenApiRouter::new()
        .routes(routes!(follow, unfollow))
        .routes(routes!(list_followers))
        .routes(routes!(list_followed))
        .routes(routes!(list_moderators))
        .routes(routes!(add_moderator, remove_moderator))
}

const PAGE: u16 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CursorQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct FollowerBody {
    name: String,
    since: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct FollowedBody {
    handle: String,
    name: String,
    avatar_url: Option<String>,
    since: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModeratorBody {
    name: String,
    since: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModeratorList {
    items: Vec<ModeratorBody>,
}

impl From<Follower> for FollowerBody {
    fn from(follower: Follower) -> Self {
        Self {
            name: follower.name,
            since: follower.since,
        }
    }
}

impl From<Followed> for FollowedBody {
    fn from(followed: Followed) -> Self {
        let Channel {
            handle,
            name,
            avatar,
            ..
        } = followed.channel;
        Self {
            handle,
            name,
            avatar_url: avatar.as_ref().map(ImageId::url),
            since: followed.since,
        }
    }
}

impl From<Moderator> for ModeratorBody {
    fn from(moderator: Moderator) -> Self {
        Self {
            name: moderator.name,
            since: moderator.since,
        }
    }
}

/// Follow a channel. Once more changes nothing.
#[utoipa::path(
    put, path = "/api/channels/{handle}/follow", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn follow(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect(&handle).await?;
    channels.follow(channel.id, account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Follow a channel no longer.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/follow", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn unfollow(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect(&handle).await?;
    channels.unfollow(channel.id, account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who follows an own channel, the newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/followers", tag = "channels",
    params(("handle" = String, Path), CursorQuery),
    responses(
        (status = 200, body = Page<FollowerBody>),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_followers(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<CursorQuery>,
) -> Result<Json<Page<FollowerBody>>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let after = Cursor::read(&query.cursor)?;
    let rows = channels.followers(channel.id, &after, PAGE + 1).await?;
    let behind = |row: &Follower| Cursor::behind(row.since, row.account);
    Ok(Json(Page::cut(
        rows,
        PAGE.into(),
        behind,
        FollowerBody::from,
    )))
}

/// What one follows, the newest first.
#[utoipa::path(
    get, path = "/api/account/follows", tag = "account", params(CursorQuery),
    responses(
        (status = 200, body = Page<FollowedBody>),
        (status = 401, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_followed(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiQuery(query): ApiQuery<CursorQuery>,
) -> Result<Json<Page<FollowedBody>>, ApiError> {
    let after = Cursor::read(&query.cursor)?;
    let rows = channels.follows_of(account.id, &after, PAGE + 1).await?;
    let behind = |row: &Followed| Cursor::behind(row.since, row.channel.id);
    Ok(Json(Page::cut(
        rows,
        PAGE.into(),
        behind,
        FollowedBody::from,
    )))
}

/// Who looks after a channel; for its owner and its moderators.
#[utoipa::path(
    get, path = "/api/channels/{handle}/moderators", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = ModeratorList),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn list_moderators(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ModeratorList>, ApiError> {
    let channel = channels.expect(&handle).await?;
    let rights = channels.rights(&channel, Some(&account)).await?;
    if !rights.may_moderate() {
        return Err(ApiError::Forbidden("this channel belongs to somebody else"));
    }
    let moderators = channels.moderators(channel.id).await?;
    let items = moderators.into_iter().map(ModeratorBody::from).collect();
    Ok(Json(ModeratorList { items }))
}

/// Have somebody look after an own channel. Once more changes nothing.
#[utoipa::path(
    put, path = "/api/channels/{handle}/moderators/{name}", tag = "channels",
    params(("handle" = String, Path), ("name" = String, Path, description = "Of the account.")),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn add_moderator(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath((handle, name)): ApiPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let person = expect_account(&channels, &name).await?;
    channels.add_moderator(&channel, person.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have somebody look after an own channel no longer.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/moderators/{name}", tag = "channels",
    params(("handle" = String, Path), ("name" = String, Path, description = "Of the account.")),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn remove_moderator(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath((handle, name)): ApiPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let person = expect_account(&channels, &name).await?;
    channels.remove_moderator(channel.id, person.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn expect_account(channels: &Channels, name: &str) -> Result<Account, ApiError> {
    let found = channels.accounts.by_name(name).await?;
    found.ok_or(ApiError::NotFound {
        code: "account_not_found",
        detail: "nobody has an account of that name on this server",
    })
}
