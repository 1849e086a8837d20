//! `/api/channels`: how channels stand, and what arrives on one's own.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::{FromRef, RawPathParams, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sfu::StreamStats;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::catalogue::StreamBody;
use super::health::{self, AlertNow, Check, IngestState, Sample};
use super::playback::HlsReport;
use super::presence::Transport;
use super::rtmp::RtmpPorts;
use super::{
    ChannelState, Ingest, IngestSource, LiveChannel, Stream, StreamState, Streams, catalogue,
    schema,
};
use crate::accounts::{Asker, SignedIn};
use crate::channels::{Access, Channel, ChannelProfile, Channels};
use crate::cluster::was_passed_on;
use crate::error::{ApiError, Problem};
use crate::gates::Entry;
use crate::images::Images;
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};

/// What the handlers need.
#[derive(Clone, FromRef)]
pub(super) struct Rooms {
    pub(super) streams: Streams,
    pub(super) channels: Channels,
    pub(super) images: Images,
}

pub(super) fn routes(rooms: Rooms) -> OpenApiRouter {
    let streams = rooms.streams.clone();
    OpenApiRouter::new()
        .routes(routes!(show_ingest))
        .layer(from_fn_with_state(streams, ask_origin))
        .routes(routes!(list_channels))
        .routes(routes!(show_channel))
        .routes(routes!(end_on_channel))
        .routes(routes!(note_change))
        .with_state(rooms)
}

/// Middleware: what only the server knows that a channel's publisher came to is asked there.
async fn ask_origin(
    State(streams): State<Streams>,
    names: RawPathParams,
    client: Client,
    request: Request,
    next: Next,
) -> Response {
    let handle = names.iter().find(|(name, _)| *name == "handle");
    let origin = match (handle, was_passed_on(request.headers())) {
        (Some((_, handle)), false) => streams.playback.origin_of(handle),
        _ => None,
    };
    match origin {
        Some(origin) => {
            let cluster = &streams.cluster;
            cluster.have_answered(&origin, &client, request).await
        }
        None => next.run(request).await,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only channels that are live now.
    #[serde(default)]
    live: bool,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChannelList {
    items: Vec<ChannelItem>,
    /// Give it as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChannelItem {
    handle: String,
    name: String,
    state: ChannelState,
    started_at: Option<Timestamp>,
    viewers: u32,
    /// Of the present stream.
    title: Option<String>,
    category: Option<String>,
    tags: Vec<String>,
    language: Option<String>,
    /// Of the largest layer, once it is known.
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChannelPage {
    #[serde(flatten)]
    profile: ChannelProfile,
    /// Whether whoever asks may watch, as far as the channel itself has a say in that.
    access: Access,
    /// Whether they may watch what is on air; null when nothing is, or nothing more stands before it.
    stream_entry: Option<Entry>,
    state: ChannelState,
    /// Of the present stream.
    started_at: Option<Timestamp>,
    viewers: u32,
    /// Of the last stream, when none is on air.
    ended_at: Option<Timestamp>,
    /// How long a stream waits for a publisher that was lost.
    reconnect_window_seconds: u64,
    /// Whether whoever asks owns the channel.
    owner: bool,
    /// How the present stream can be watched by HLS; null when none is on air.
    hls: Option<HlsReport>,
    /// What is on air.
    stream: Option<StreamBody>,
    /// The next that is planned.
    next_stream: Option<StreamBody>,
    /// The next that was planned and will not take place.
    cancelled_stream: Option<StreamBody>,
}

#[derive(Debug, Serialize, ToSchema)]
struct IngestReport {
    state: IngestState,
    /// One line, such as `receiving 1280x720 H264 30 fps + Opus, 2.4 Mbit/s`.
    summary: String,
    /// What is wrong and what to do: the worst of it.
    problem: Option<String>,
    /// What there is to say of the media, in an order fit for show; none while no media arrives.
    checks: Vec<Check>,
    /// 0 to 100, as in the stream's health; null while little is known.
    score: Option<u8>,
    /// What viewers notice, or soon will.
    alerts: Vec<AlertNow>,
    started_at: Option<Timestamp>,
    viewers: u32,
    /// How the publisher sends; null while nobody does.
    source: Option<IngestSource>,
    /// Figures of the connection, the layers and the audio track.
    #[schema(value_type = Option<schema::StreamStats>)]
    stats: Option<StreamStats>,
    /// The last try to publish that came to nothing.
    last_attempt: Option<FailedAttempt>,
    /// Port for `rtmp://HOST:PORT/live`; null where nobody may publish so.
    rtmp_port: Option<u16>,
    /// Port for `rtmps://HOST:PORT/live`.
    rtmps_port: Option<u16>,
}

#[derive(Debug, Serialize, ToSchema)]
struct FailedAttempt {
    at: Timestamp,
    detail: String,
}

/// Channels of a page.
const PAGE: u16 = 50;

impl ChannelItem {
    fn new(channel: Channel, live: Option<&LiveChannel>) -> Self {
        let size = live.and_then(|live| live.size);
        let details = live.map(|live| &live.about.details);
        Self {
            handle: channel.handle,
            name: channel.name,
            state: live.map_or(ChannelState::Offline, |live| live.state),
            started_at: live.and_then(|live| live.started_at),
            viewers: live.map_or(0, |live| live.viewers),
            title: details.map(|details| details.title.clone()),
            category: details.and_then(|details| details.category.clone()),
            tags: details
                .map(|details| details.tags.clone())
                .unwrap_or_default(),
            language: details.and_then(|details| details.language.clone()),
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
        }
    }
}

/// Channels: the live ones with the most watched first, or all by handle.
#[utoipa::path(
    get, path = "/api/channels", tag = "channels", params(ListQuery),
    responses((status = 200, body = ChannelList)),
)]
async fn list_channels(
    State(streams): State<Streams>,
    State(channels): State<Channels>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<ChannelList>, ApiError> {
    let mut live = streams.live().await;
    live.retain(LiveChannel::is_listed);
    if query.live {
        live.retain(|live| live.channel.visibility.is_listed());
        live.sort_by(|a, b| {
            let by_viewers = b.viewers.cmp(&a.viewers);
            by_viewers.then_with(|| a.channel.handle.cmp(&b.channel.handle))
        });
        live.truncate(usize::from(PAGE));
        let items = live
            .iter()
            .map(|live| ChannelItem::new(live.channel.clone(), Some(live)));
        return Ok(Json(ChannelList {
            items: items.collect(),
            next_cursor: None,
        }));
    }
    let page = channels.page(&query.cursor, PAGE).await?;
    let full = page.len() == usize::from(PAGE);
    let next_cursor = page.last().filter(|_| full).map(|last| last.handle.clone());
    let items = page.into_iter().map(|channel| {
        let live = live.iter().find(|live| live.channel.id == channel.id);
        ChannelItem::new(channel, live)
    });
    Ok(Json(ChannelList {
        items: items.collect(),
        next_cursor,
    }))
}

/// A channel and how it stands.
#[utoipa::path(
    get, path = "/api/channels/{handle}", tag = "channels", params(("handle" = String, Path)),
    responses((status = 200, body = ChannelPage), (status = 404, body = Problem)),
)]
async fn show_channel(
    State(streams): State<Streams>,
    State(channels): State<Channels>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ChannelPage>, ApiError> {
    let channel = channels.expect(&handle).await?;
    let profile = channels.profile(&channel, asker.account.as_ref()).await?;
    let access = channels.access(&channel, &client, &headers).await?;
    let live = streams.live_on(channel.id).await;
    let live = live.filter(|live| live.is_shown_to(asker.account.as_ref()));
    let account = asker.account.as_ref();
    let stream_entry = match &live {
        Some(_) => {
            streams
                .entry_to_live(&channel, account, &client, &headers)
                .await?
        }
        None => None,
    };
    let ahead = streams.ahead(channel.id).await?;
    let of_state = |is_cancelled: bool| {
        let of_state = |stream: &&Stream| (stream.state == StreamState::Cancelled) == is_cancelled;
        let mut listed = ahead.iter().filter(|stream| stream.is_listed());
        let found = listed.find(of_state)?;
        Some(StreamBody::new(found, &channel, None))
    };
    let (next_stream, cancelled_stream) = (of_state(false), of_state(true));
    let ended_at = match live {
        Some(_) => None,
        None => catalogue::last_end(&streams.db, channel.id).await?,
    };
    let owner = asker
        .account
        .is_some_and(|account| account.id == channel.owner);
    let hls = live
        .as_ref()
        .map(|_| streams.playback.report(&channel.handle));
    Ok(Json(ChannelPage {
        hls,
        stream: live.as_ref().map(StreamBody::of_live),
        next_stream,
        cancelled_stream,
        profile,
        access,
        stream_entry,
        state: live.as_ref().map_or(ChannelState::Offline, |l| l.state),
        started_at: live.as_ref().and_then(|live| live.started_at),
        viewers: live.map_or(0, |live| live.viewers),
        ended_at,
        reconnect_window_seconds: streams.reconnect_window.as_secs(),
        owner,
    }))
}

/// What arrives on an own channel, in words and figures.
#[utoipa::path(
    get, path = "/api/channels/{handle}/ingest", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = IngestReport),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn show_ingest(
    State(streams): State<Streams>,
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<IngestReport>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let ingest = streams.ingest(channel.id).await;
    let stats = match ingest.stream {
        Some(stream) => streams.sfu.stream_stats(stream).await,
        None => None,
    };
    let media_port = streams.sfu.media_addresses().first().map(|a| a.port());
    let packaging = ingest
        .stream
        .and_then(|stream| streams.playback.problem(&channel.handle, stream));
    let mut checks = health::checks(ingest.publisher, stats.as_ref());
    let live = streams.live_on(channel.id).await;
    let most = live.and_then(|live| live.about.settings.max_bitrate_kbps);
    if let (Some(stats), Some(most)) = (&stats, most) {
        health::hold(&mut checks, stats, most);
    }
    let port = media_port.unwrap_or_default();
    let problem = health::problem(ingest.publisher, &checks, packaging, port);
    let live = streams.live_on(channel.id).await;
    let sample = live.and_then(|live| Sample::of(&live, &stats.clone().unwrap_or_default()));
    let alerts = sample.map_or_else(Vec::new, |sample| sample.alerts());
    Ok(Json(IngestReport {
        problem,
        checks,
        score: sample.map(|sample| sample.score()),
        alerts: alerts.into_iter().map(AlertNow::from).collect(),
        ..report(ingest, stats, streams.rtmp_ports)
    }))
}

fn report(ingest: Ingest, stats: Option<StreamStats>, ports: RtmpPorts) -> IngestReport {
    let flowing = ingest.publisher.is_some_and(|by| by.flowing);
    let state = match (ingest.state, ingest.publisher) {
        (ChannelState::Reconnecting, _) => IngestState::Reconnecting,
        (ChannelState::Live, _) if flowing => IngestState::Receiving,
        (_, Some(_)) => IngestState::Connecting,
        (_, None) => IngestState::Waiting,
    };
    IngestReport {
        state,
        summary: health::summary(state, stats.as_ref()),
        problem: None,
        checks: Vec::new(),
        score: None,
        alerts: Vec::new(),
        started_at: ingest.started_at,
        viewers: ingest.viewers,
        source: ingest.publisher.map(|by| by.source),
        stats,
        last_attempt: ingest.last_attempt.map(|attempt| FailedAttempt {
            at: attempt.at,
            detail: attempt.detail,
        }),
        rtmp_port: ports.plain,
        rtmps_port: ports.tls,
    }
}

/// End the stream on an own channel now. Viewers see that it is over.
#[utoipa::path(
    post, path = "/api/channels/{handle}/end", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn end_on_channel(
    State(streams): State<Streams>,
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    if streams.end(channel.id).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::Conflict {
        code: "not_live",
        detail: "this channel is not live".to_owned(),
    })
}

/// Why a player changed to another.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChangeReason {
    /// No connection came about.
    IceFailed,
    /// Nothing arrived.
    Blocked,
    /// Too much was lost.
    Loss,
    /// The player has no decoder for it.
    Codec,
    /// Pictures come in an order that WebRTC cannot carry.
    BFrames,
    /// The server has no room.
    ServerFull,
    /// It stood still too often.
    Stalled,
    /// The viewer's wish.
    Chosen,
    /// The better way works again.
    Recovered,
    /// The viewer went back in time.
    Rewound,
    /// The browser lacks it.
    Unsupported,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaybackChange {
    from: Transport,
    to: Transport,
    reason: ChangeReason,
}

/// A player tells that it changed the way of watching; it is counted in the metrics.
#[utoipa::path(
    post, path = "/api/channels/{handle}/playback-changes", tag = "channels",
    params(("handle" = String, Path)), request_body = PlaybackChange,
    responses((status = 204), (status = 422, body = Problem)),
)]
async fn note_change(
    ApiPath(_handle): ApiPath<String>,
    ApiJson(change): ApiJson<PlaybackChange>,
) -> StatusCode {
    let labels = [
        ("from", change.from.label()),
        ("to", change.to.label()),
        ("reason", change.reason.label()),
    ];
    metrics::counter!("tallylight_playback_changes_total", &labels).increment(1);
    StatusCode::NO_CONTENT
}

impl ChangeReason {
    fn label(self) -> &'static str {
        match self {
            Self::IceFailed => "ice_failed",
            Self::Blocked => "blocked",
            Self::Loss => "loss",
            Self::Codec => "codec",
            Self::BFrames => "b_frames",
            Self::ServerFull => "server_full",
            Self::Stalled => "stalled",
            Self::Chosen => "chosen",
            Self::Recovered => "recovered",
            Self::Rewound => "rewound",
            Self::Unsupported => "unsupported",
        }
    }
}
