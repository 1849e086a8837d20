//! `/api/admin/channels`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Named, Offices};
use crate::accounts::IsAdmin;
use crate::audit::Audit;
use crate::channels::{ChannelRecord, Channels, Visibility};
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(list_all_channels))
        .routes(routes!(hide_channel))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ChannelQuery {
    /// A part of the handle or the name.
    #[serde(default)]
    q: String,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// A channel, for admins.
#[derive(Debug, Serialize, ToSchema)]
struct AdminChannel {
    id: Uuid,
    handle: String,
    name: String,
    owner: Named,
    visibility: Visibility,
    /// Taken out of all lists by an admin.
    is_hidden: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelChange {
    /// Whether it is taken out of all lists. Who has its address still finds it.
    is_hidden: bool,
}

/// Channels of a page.
const PAGE: u16 = 50;

impl From<ChannelRecord> for AdminChannel {
    fn from(record: ChannelRecord) -> Self {
        let channel = record.channel;
        Self {
            id: channel.id.0,
            handle: channel.handle,
            name: channel.name,
            owner: Named {
                id: channel.owner.0,
                name: Some(record.owner),
            },
            visibility: channel.visibility,
            is_hidden: record.is_hidden,
            created_at: channel.created_at,
        }
    }
}

/// Channels, the newest first.
#[utoipa::path(
    get, path = "/api/admin/channels", tag = "admin", params(ChannelQuery),
    responses(
        (status = 200, body = Page<AdminChannel>),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn list_all_channels(
    State(channels): State<Channels>,
    _admin: IsAdmin,
    ApiQuery(query): ApiQuery<ChannelQuery>,
) -> Result<Json<Page<AdminChannel>>, ApiError> {
    let cursor = Cursor::read(&query.cursor)?;
    let rows = channels.search_all(&query.q, &cursor, PAGE + 1).await?;
    let behind =
        |record: &ChannelRecord| Cursor::behind(record.channel.created_at, record.channel.id.0);
    let most = usize::from(PAGE);
    Ok(Json(Page::cut(rows, most, behind, AdminChannel::from)))
}

/// Take a channel out of all lists, or put it back.
#[utoipa::path(
    patch, path = "/api/admin/channels/{handle}", tag = "admin",
    params(("handle" = String, Path)), request_body = ChannelChange,
    responses(
        (status = 200, body = AdminChannel),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn hide_channel(
    State(channels): State<Channels>,
    State(audit): State<Audit>,
    IsAdmin(admin): IsAdmin,
    ApiPath(handle): ApiPath<String>,
    ApiJson(change): ApiJson<ChannelChange>,
) -> Result<Json<AdminChannel>, ApiError> {
    let channel = channels.expect(&handle).await?;
    let mut tx = channels.begin().await?;
    if channels
        .set_hidden(&mut tx, channel.id, change.is_hidden)
        .await?
    {
        let action = match change.is_hidden {
            true => "channel.hidden",
            false => "channel.shown",
        };
        let (actor, target) = (Some(admin.id.0), channel.id.0.to_string());
        let detail = json!({ "handle": channel.handle });
        audit.note(&mut tx, actor, action, &target, &detail).await?;
    }
    tx.commit().await?;
    let record = channels.record(channel.id).await?;
    channels.tell_of_change(record.channel.clone()).await;
    Ok(Json(record.into()))
}
