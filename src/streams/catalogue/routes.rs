//! `/api/streams`: planning streams and all that is done with them, and the schedules of channels.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sfu::StreamId;
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::super::playback::HlsReport;
use super::super::routes::Rooms;
use super::super::{LiveChannel, Streams};
use super::body::StreamBody;
use super::calendar::{self, Feed};
use super::changes::no_such_stream;
use super::forms::{NewStream, StreamEdit};
use super::{Stream, StreamState, steps, store};
use crate::accounts::{Account, Asker, SignedIn};
use crate::channels::{Channel, ChannelId, Channels};
use crate::error::{ApiError, Problem};
use crate::images::{Crop, Shape};
use crate::page::{Cursor, Page};
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};

pub(in super::super) fn routes(rooms: Rooms) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_streams, create_stream))
        .routes(routes!(list_live))
        .routes(routes!(show_stream, edit_stream, cancel_stream))
        .routes(routes!(start_stream))
        .routes(routes!(end_stream))
        .routes(routes!(publish_stream))
        .routes(routes!(set_thumbnail, remove_thumbnail))
        .routes(routes!(show_hls))
        .routes(routes!(show_live_stream))
        .routes(routes!(show_schedule))
        .routes(routes!(schedule_calendar))
        .merge(OpenApiRouter::with_openapi(OneCalendar::openapi()))
        .with_state(rooms)
}

/// Routes cannot end in a fixed text behind a name: [`show_stream`] answers this one.
#[derive(OpenApi)]
#[openapi(paths(stream_calendar))]
struct OneCalendar;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of the channel of this handle.
    channel: Option<String>,
    /// Only those in this state.
    state: Option<StreamState>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// The part of the picture to show, in its pixels: all four, or none for its middle.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OptionalCrop {
    /// Pixels left of it.
    x: Option<u32>,
    /// Pixels above it.
    y: Option<u32>,
    /// Its width.
    width: Option<u32>,
    /// Its height.
    height: Option<u32>,
}

impl OptionalCrop {
    fn whole(&self) -> Result<Option<Crop>, ApiError> {
        match (self.x, self.y, self.width, self.height) {
            (None, None, None, None) => Ok(None),
            (Some(x), Some(y), Some(width), Some(height)) => Ok(Some(Crop {
                x,
                y,
                width,
                height,
            })),
            _ => Err(ApiError::Invalid {
                code: "crop_invalid",
                detail: "give x, y, width and height, or none of them".to_owned(),
            }),
        }
    }
}

/// What is ahead on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct ScheduleBody {
    /// The next first; with those that were cancelled and whose time has not come yet.
    items: Vec<StreamBody>,
}

/// How a stream can be watched by HLS.
#[derive(Debug, Serialize, ToSchema)]
struct StreamHls {
    #[serde(flatten)]
    hls: HlsReport,
}

/// Streams of a page.
const PAGE: usize = 50;
/// Streams in a list of what is live.
const MOST_LIVE: usize = 100;

/// The stream of that id and its channel.
async fn found(rooms: &Rooms, id: Uuid) -> Result<(Stream, Channel), ApiError> {
    let found = rooms.streams.find(StreamId::from(id.as_u128())).await?;
    let stream = found.ok_or_else(no_such_stream)?.as_ref().clone();
    let channel = rooms.channels.by_id(stream.channel).await?;
    Ok((stream, channel.ok_or_else(no_such_stream)?))
}

/// [`found`], for somebody who may change all of it.
async fn own(rooms: &Rooms, id: Uuid, account: &Account) -> Result<(Stream, Channel), ApiError> {
    let (stream, channel) = found(rooms, id).await?;
    let rights = rooms.channels.rights(&channel, Some(account)).await?;
    match rights.may_edit() {
        true => Ok((stream, channel)),
        false => Err(not_yours()),
    }
}

/// Whether somebody sees what a channel keeps from strangers.
async fn sees_all(rooms: &Rooms, channel: &Channel, asker: &Asker) -> Result<bool, ApiError> {
    let rights = rooms
        .channels
        .rights(channel, asker.account.as_ref())
        .await?;
    Ok(rights.may_moderate())
}

fn not_yours() -> ApiError {
    ApiError::Forbidden("this stream belongs to somebody else's channel")
}

async fn shown(rooms: &Rooms, stream: &Stream, channel: &Channel) -> Json<StreamBody> {
    let live = rooms.streams.live_on(channel.id).await;
    Json(StreamBody::new(stream, channel, live.as_ref()))
}

/// Streams: those that are planned furthest ahead first, then what is on air, then the past. Of
/// channels of others only what everybody is told of.
#[utoipa::path(
    get, path = "/api/streams", tag = "streams", params(ListQuery),
    responses(
        (status = 200, body = Page<StreamBody>),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_streams(
    State(rooms): State<Rooms>,
    asker: Asker,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<StreamBody>>, ApiError> {
    let cursor = Cursor::read(&query.cursor)?;
    let channel = match &query.channel {
        Some(handle) => Some(rooms.channels.expect(handle).await?),
        None => None,
    };
    let unlisted_too = match &channel {
        Some(channel) => sees_all(&rooms, channel, &asker).await?,
        None => false,
    };
    let wanted = store::Wanted {
        channel: channel.as_ref().map(|channel| channel.id),
        state: query.state,
        unlisted_too,
    };
    let rows = store::page(&rooms.streams.db, wanted, &cursor, PAGE + 1).await?;
    let channels = channels_of(&rooms.channels, channel, &rows).await?;
    let live = rooms.streams.live().await;
    let behind = |row: &Stream| Cursor::behind(row.placed_at, super::stream_uuid(row.id));
    let show = |row: Stream| {
        let channel = channels.get(&row.channel)?;
        let live = live.iter().find(|live| live.stream == row.id);
        Some(StreamBody::new(&row, channel, live))
    };
    let page = Page::cut(rows, PAGE, behind, show);
    Ok(Json(Page {
        items: page.items.into_iter().flatten().collect(),
        next_cursor: page.next_cursor,
    }))
}

async fn channels_of(
    channels: &Channels,
    known: Option<Channel>,
    rows: &[Stream],
) -> Result<HashMap<ChannelId, Channel>, ApiError> {
    let mut found: HashMap<ChannelId, Channel> = known
        .map(|channel| (channel.id, channel))
        .into_iter()
        .collect();
    for row in rows {
        if found.contains_key(&row.channel) {
            continue;
        }
        if let Some(channel) = channels.by_id(row.channel).await? {
            found.insert(channel.id, channel);
        }
    }
    Ok(found)
}

/// Plan a stream for a time, or, without one, have it wait for its publisher now.
#[utoipa::path(
    post, path = "/api/streams", tag = "streams", request_body = NewStream,
    responses(
        (status = 201, body = StreamBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn create_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiJson(new): ApiJson<NewStream>,
) -> Result<(StatusCode, Json<StreamBody>), ApiError> {
    let channel = rooms.channels.expect(&new.channel).await?;
    let rights = rooms.channels.rights(&channel, Some(&account)).await?;
    if !rights.may_edit() {
        return Err(ApiError::Forbidden("this channel belongs to somebody else"));
    }
    let stream = rooms.streams.plan(&channel, new).await?;
    let body = shown(&rooms, &stream, &channel).await;
    Ok((StatusCode::CREATED, body))
}

/// What is on air and listed, the most watched first.
#[utoipa::path(
    get, path = "/api/streams/live", tag = "streams",
    responses((status = 200, body = Page<StreamBody>)),
)]
async fn list_live(State(streams): State<Streams>) -> Json<Page<StreamBody>> {
    let mut live = streams.live().await;
    live.retain(LiveChannel::is_listed);
    live.retain(|live| live.channel.visibility.is_listed());
    live.sort_by(|a, b| {
        let by_viewers = b.viewers.cmp(&a.viewers);
        by_viewers.then_with(|| a.channel.handle.cmp(&b.channel.handle))
    });
    live.truncate(MOST_LIVE);
    Json(Page {
        items: live.iter().map(StreamBody::of_live).collect(),
        next_cursor: None,
    })
}

/// A stream.
#[utoipa::path(
    get, path = "/api/streams/{id}", tag = "streams", params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamBody), (status = 404, body = Problem)),
)]
async fn show_stream(
    State(rooms): State<Rooms>,
    client: Client,
    ApiPath(id): ApiPath<String>,
) -> Result<Response, ApiError> {
    let (id, as_calendar) = match id.strip_suffix(".ics") {
        Some(id) => (id, true),
        None => (id.as_str(), false),
    };
    let id = Uuid::parse_str(id).map_err(|_| no_such_stream())?;
    let (stream, channel) = found(&rooms, id).await?;
    if !as_calendar {
        return Ok(shown(&rooms, &stream, &channel).await.into_response());
    }
    if stream.schedule.is_none() {
        return Err(ApiError::NotFound {
            code: "not_scheduled",
            detail: "this stream was never planned for a time",
        });
    }
    Ok(as_file(&client, &channel, &[stream]))
}

/// A planned stream as a calendar.
#[utoipa::path(
    get, path = "/api/streams/{id}.ics", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, content_type = "text/calendar", body = String),
        (status = 404, body = Problem),
    ),
)]
#[expect(dead_code, reason = "it is the description of what another answers")]
fn stream_calendar() {}

/// Change what is said of a stream, how it is made, or its time. What is left out stays. Moderators
/// change the title.
#[utoipa::path(
    patch, path = "/api/streams/{id}", tag = "streams", params(("id" = Uuid, Path)),
    request_body = StreamEdit,
    responses(
        (status = 200, body = StreamBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn edit_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(edit): ApiJson<StreamEdit>,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = found(&rooms, id).await?;
    let rights = rooms.channels.rights(&channel, Some(&account)).await?;
    if !rights.may_edit() {
        if !rights.may_moderate() {
            return Err(not_yours());
        }
        if !edit.is_of_title_alone() {
            return Err(ApiError::Forbidden("moderators may change the title alone"));
        }
    }
    let stream = rooms.streams.edit(stream.id, edit).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// Cancel a planned stream. It stays to be seen as cancelled.
#[utoipa::path(
    delete, path = "/api/streams/{id}", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn cancel_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    let (stream, _) = own(&rooms, id, &account).await?;
    rooms.streams.cancel(stream.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a stream wait for its publisher, for 15 minutes. If nobody comes it is planned again where
/// its time is not three hours past, else over.
#[utoipa::path(
    post, path = "/api/streams/{id}/start", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StreamBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn start_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = own(&rooms, id, &account).await?;
    let stream = rooms.streams.start_by_hand(&stream).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// End a stream now: its publisher is closed, and viewers see that it is over. One that only waits
/// for its publisher waits no longer.
#[utoipa::path(
    post, path = "/api/streams/{id}/end", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StreamBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn end_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = own(&rooms, id, &account).await?;
    let stream = rooms.streams.end_by_hand(&stream).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// Show a preview to everybody.
#[utoipa::path(
    post, path = "/api/streams/{id}/publish", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StreamBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn publish_stream(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = own(&rooms, id, &account).await?;
    let stream = rooms.streams.publish_by_hand(stream.id).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// Upload a picture for a stream, as PNG, JPEG, WebP or GIF.
#[utoipa::path(
    put, path = "/api/streams/{id}/thumbnail", tag = "streams",
    params(("id" = Uuid, Path), OptionalCrop),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The picture"),
    responses(
        (status = 200, body = StreamBody),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn set_thumbnail(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(crop): ApiQuery<OptionalCrop>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = own(&rooms, id, &account).await?;
    steps::check_editable(&stream, false)?;
    let taken = rooms
        .images
        .take(&headers, body, Shape::Thumbnail, crop.whole()?)
        .await?;
    let taken = Some(taken.as_str().to_owned());
    let stream = rooms.streams.illustrate(stream.id, taken).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// Show no picture of its own for a stream any more.
#[utoipa::path(
    delete, path = "/api/streams/{id}/thumbnail", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StreamBody), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
async fn remove_thumbnail(
    State(rooms): State<Rooms>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<StreamBody>, ApiError> {
    let (stream, channel) = own(&rooms, id, &account).await?;
    let stream = rooms.streams.illustrate(stream.id, None).await?;
    Ok(shown(&rooms, &stream, &channel).await)
}

/// How a stream on air can be watched by HLS: its playlist, and whether that is ready.
#[utoipa::path(
    get, path = "/api/streams/{id}/hls", tag = "streams", params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamHls), (status = 404, body = Problem)),
)]
async fn show_hls(
    State(rooms): State<Rooms>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<StreamHls>, ApiError> {
    let (stream, channel) = found(&rooms, id).await?;
    let live = rooms.streams.live_on(channel.id).await;
    if live.is_none_or(|live| live.stream != stream.id) {
        return Err(not_live());
    }
    let hls = rooms.streams.playback.report(&channel.handle);
    Ok(Json(StreamHls { hls }))
}

fn not_live() -> ApiError {
    ApiError::NotFound {
        code: "not_live",
        detail: "nothing is on air here at the moment",
    }
}

/// What is on air on a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/live", tag = "streams",
    params(("handle" = String, Path)),
    responses((status = 200, body = StreamBody), (status = 404, body = Problem)),
)]
async fn show_live_stream(
    State(rooms): State<Rooms>,
    asker: Asker,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<StreamBody>, ApiError> {
    let channel = rooms.channels.expect(&handle).await?;
    let live = rooms.streams.live_on(channel.id).await;
    let live = live.filter(|live| live.is_shown_to(asker.account.as_ref()));
    let live = live.ok_or_else(not_live)?;
    Ok(Json(StreamBody::of_live(&live)))
}

/// What is ahead on a channel.
#[utoipa::path(
    get, path = "/api/channels/{handle}/schedule", tag = "streams",
    params(("handle" = String, Path)),
    responses((status = 200, body = ScheduleBody), (status = 404, body = Problem)),
)]
async fn show_schedule(
    State(rooms): State<Rooms>,
    asker: Asker,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ScheduleBody>, ApiError> {
    let channel = rooms.channels.expect(&handle).await?;
    let all = sees_all(&rooms, &channel, &asker).await?;
    let ahead = rooms.streams.ahead(channel.id).await?;
    let items = ahead.iter().filter(|stream| all || stream.is_listed());
    let items = items.map(|stream| StreamBody::new(stream, &channel, None));
    Ok(Json(ScheduleBody {
        items: items.collect(),
    }))
}

/// The schedule of a channel as a calendar to subscribe to.
#[utoipa::path(
    get, path = "/api/channels/{handle}/schedule.ics", tag = "streams",
    params(("handle" = String, Path)),
    responses(
        (status = 200, content_type = "text/calendar", body = String),
        (status = 404, body = Problem),
    ),
)]
async fn schedule_calendar(
    State(rooms): State<Rooms>,
    client: Client,
    ApiPath(handle): ApiPath<String>,
) -> Result<Response, ApiError> {
    let channel = rooms.channels.expect(&handle).await?;
    let mut planned = store::calendar(&rooms.streams.db, channel.id).await?;
    planned.retain(Stream::is_listed);
    Ok(as_file(&client, &channel, &planned))
}

fn as_file(client: &Client, channel: &Channel, streams: &[Stream]) -> Response {
    let feed = Feed {
        name: &channel.name,
        handle: &channel.handle,
        origin: &client.origin,
    };
    let text = calendar::in_text(feed, streams);
    ([(CONTENT_TYPE, "text/calendar; charset=utf-8")], text).into_response()
}
