//! `/api/admin/streams`: what is on air.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Offices;
use crate::accounts::IsAdmin;
use crate::audit::Audit;
use crate::error::{ApiError, Problem};
use crate::request::ApiPath;
use crate::streams::{ChannelState, LiveChannel, Streams, stream_uuid};

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(list_live_streams))
        .routes(routes!(end_live_stream))
}

/// What is on air.
#[derive(Debug, Serialize, ToSchema)]
struct LiveStreams {
    /// The longest first.
    items: Vec<AdminStream>,
}

/// A stream on air, for admins.
#[derive(Debug, Serialize, ToSchema)]
struct AdminStream {
    id: Uuid,
    handle: String,
    channel: String,
    title: String,
    /// Whether everybody is told of it.
    is_listed: bool,
    /// Whether its publisher is away for the moment.
    is_reconnecting: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    viewers: u32,
    /// Of the largest layer.
    width: Option<u32>,
    height: Option<u32>,
}

impl From<LiveChannel> for AdminStream {
    fn from(live: LiveChannel) -> Self {
        let (width, height) = live.size.unzip();
        Self {
            id: stream_uuid(live.stream),
            is_listed: live.is_listed(),
            handle: live.channel.handle,
            channel: live.channel.name,
            title: live.about.details.title.clone(),
            is_reconnecting: live.state == ChannelState::Reconnecting,
            started_at: live.started_at,
            viewers: live.viewers,
            width,
            height,
        }
    }
}

/// All that is on air, also what is unlisted.
#[utoipa::path(
    get, path = "/api/admin/streams", tag = "admin",
    responses(
        (status = 200, body = LiveStreams),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn list_live_streams(
    State(streams): State<Streams>,
    _admin: IsAdmin,
) -> Result<Json<LiveStreams>, ApiError> {
    let mut items: Vec<AdminStream> = streams.live().await.into_iter().map(Into::into).collect();
    items.sort_by_key(|stream| stream.started_at);
    Ok(Json(LiveStreams { items }))
}

/// End a stream now.
#[utoipa::path(
    post, path = "/api/admin/streams/{id}/end", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn end_live_stream(
    State(streams): State<Streams>,
    State(audit): State<Audit>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    let live = streams.live().await.into_iter();
    let found = live.into_iter().find(|live| stream_uuid(live.stream) == id);
    let live = found.ok_or(ApiError::NotFound {
        code: "stream_not_live",
        detail: "no such stream is on air; it may have ended already",
    })?;
    // Written down first: what ends without a trace is worse than a trace of what ended by itself.
    let detail = json!({ "handle": live.channel.handle, "title": live.about.details.title });
    let actor = Some(admin.id.0);
    audit
        .note_now(actor, "stream.ended", &id.to_string(), &detail)
        .await?;
    streams.end(live.channel.id).await;
    Ok(StatusCode::NO_CONTENT)
}
