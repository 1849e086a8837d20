//! `/api/streams/{id}/viewers|health`, `/api/channels/{handle}/insights|presence`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Analytics;
use super::health::{self, Moment};
use super::pending::Minute;
use super::store::{self, Numbers, StreamRow};
use crate::accounts::{self, Accounts, Asker, SignedIn};
use crate::answer::OpenToAll;
use crate::clock::{Clock, from_millis};
use crate::config::Limits;
use crate::error::{ApiError, Problem};
use crate::form::Form;
use crate::page::{Cursor, Page};
use crate::rate::Rate;
use crate::request::{self, ApiJson, ApiPath, ApiQuery, Client};
use crate::streams::{Alert, Beat, ByTransport, Transport, ViewerId, Who};

pub(super) fn routes(analytics: Analytics) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_viewers))
        .routes(routes!(show_health))
        .routes(routes!(list_insights))
        .with_state(analytics)
}

/// Apart from the rest of the API: a player may stand on a page of another site. What it tells changes
/// nothing but a number.
pub(super) fn presence(analytics: Analytics, accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(tell_presence))
        .with_state(analytics)
        .layer(DefaultBodyLimit::max(LONGEST_BEAT))
        .layer(from_fn_with_state(accounts, accounts::identify))
        .layer(OpenToAll)
        .layer(from_fn(allow_posts))
}

/// Middleware: pages of other sites may post here.
async fn allow_posts(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// How often one address may tell of viewers.
#[derive(Debug, Clone)]
pub(super) struct Limiter {
    rate: Arc<Rate<IpAddr>>,
    loopback_factor: u32,
}

/// Longest heartbeat, in bytes.
const LONGEST_BEAT: usize = 1_024;
/// Heartbeats of one address in a minute: those of sixty viewers. Behind one address with more of them,
/// the further ones count by their sessions alone.
const BEATS_A_MINUTE: u32 = 120;
/// Points of a plot, at most.
const MOST_POINTS: i64 = 1_500;
/// Minutes of an audience, at most: four weeks of them.
const MOST_MINUTES: i64 = 40_320;
/// What is shown of a stream on air when nobody says from when.
const LATELY_MS: i64 = 10 * 60_000;
/// Samples in which something was wrong that are looked at for a list, at most.
const MOST_BAD: i64 = 1_000;
/// Streams of a page.
const PAGE: usize = 20;

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            rate: Arc::new(Rate::new(Duration::from_secs(60))),
            loopback_factor: limits.loopback_factor,
        }
    }

    fn take(&self, from: IpAddr, clock: &Clock) -> Result<(), ApiError> {
        let most = match from.to_canonical().is_loopback() {
            true => BEATS_A_MINUTE.saturating_mul(self.loopback_factor),
            false => BEATS_A_MINUTE,
        };
        let taken = self
            .rate
            .take(&sfu::neighbourhood(from), most, clock.instant());
        taken.map_err(ApiError::TooMany)
    }
}

/// A player's heartbeat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresenceBeat {
    /// Random, the same as long as the player's page lives: 16 to 64 letters, digits and hyphens.
    viewer: String,
    transport: Transport,
    /// The id of its session by WHEP, which the session's URL ends with: it counts no more by itself.
    session: Option<String>,
    /// It watches no longer.
    #[serde(default)]
    leaving: bool,
}

/// Tell that somebody watches: every 30 seconds, at each change of the transport, and at the end.
///
/// A viewer who is silent for 45 seconds and has no session counts no longer.
#[utoipa::path(
    post, path = "/api/channels/{handle}/presence", tag = "channels",
    params(("handle" = String, Path)), request_body = PresenceBeat,
    responses(
        (status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn tell_presence(
    State(analytics): State<Analytics>,
    ApiPath(handle): ApiPath<String>,
    client: Client,
    asker: Asker,
    headers: HeaderMap,
    ApiJson(body): ApiJson<PresenceBeat>,
) -> Result<StatusCode, ApiError> {
    analytics.limits.take(client.address, &analytics.clock)?;
    let beat = body.read(Who {
        account: asker.account.map(|account| account.id),
        address: client.address,
        agent: request::user_agent(&headers).into(),
        is_owner: false,
    })?;
    match analytics.streams.beat(handle, beat).await {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound {
            code: "not_live",
            detail: "nobody is live on this channel",
        }),
    }
}

impl PresenceBeat {
    fn read(self, who: Who) -> Result<Beat, ApiError> {
        let mut form = Form::default();
        let viewer = ViewerId::read(&self.viewer);
        if viewer.is_none() {
            form.add(
                "viewer",
                "viewer_invalid",
                "it has 16 to 64 letters, digits and hyphens",
            );
        }
        let session = self.session.as_deref().map(str::parse);
        if matches!(session, Some(Err(_))) {
            form.add(
                "session",
                "session_invalid",
                "give the last part of the session's URL, 32 digits",
            );
        }
        form.done()?;
        let viewer = viewer.ok_or_else(|| ApiError::Internal("an unread viewer".to_owned()))?;
        Ok(Beat {
            viewer,
            who,
            transport: self.transport,
            session: session.and_then(Result::ok),
            is_leaving: self.leaving,
        })
    }
}

/// Who watches a stream, or watched it.
#[derive(Debug, Serialize, ToSchema)]
struct ViewersReport {
    /// Nobody, once the stream is over.
    now: i64,
    /// The most at once.
    peak: i64,
    /// Whoever watched on several days counts for each, but with an account. For the owner alone, as
    /// all that follows; players of others by HLS cannot be told apart and are not in it.
    unique: Option<i64>,
    /// On average over the stream.
    average: Option<f64>,
    watch_seconds: Option<i64>,
    watch_seconds_by_transport: Option<SecondsByTransport>,
    /// A point a minute.
    curve: Option<Vec<CurvePoint>>,
}

/// Seconds watched by each way of watching.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct SecondsByTransport {
    webrtc: i64,
    ll_hls: i64,
    hls: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct CurvePoint {
    /// The minute's beginning.
    at: Timestamp,
    /// On average.
    viewers: f64,
    most: i64,
}

impl SecondsByTransport {
    fn new(ms: ByTransport) -> Self {
        Self {
            webrtc: ms.webrtc / 1_000,
            ll_hls: ms.ll_hls / 1_000,
            hls: ms.hls / 1_000,
        }
    }
}

impl CurvePoint {
    fn new(minute: &Minute) -> Self {
        Self {
            at: from_millis(minute.at_ms),
            viewers: (minute.viewers * 10.0).round() / 10.0,
            most: minute.most,
        }
    }
}

/// How many watch a stream, and watched it.
#[utoipa::path(
    get, path = "/api/streams/{id}/viewers", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = ViewersReport),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn show_viewers(
    State(analytics): State<Analytics>,
    asker: Asker,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<ViewersReport>, ApiError> {
    let stream = analytics.expect_stream(id).await?;
    let live = analytics.streams.viewers_of(id.as_u128().into()).await;
    let numbers = store::numbers(&analytics.db, id).await?;
    let (now, peak) = live.unwrap_or_default();
    let (now, peak) = (now.all(), peak.max(numbers.peak));
    if asker.account.is_none_or(|account| !stream.is_of(&account)) {
        return Ok(Json(ViewersReport {
            now,
            peak,
            unique: None,
            average: None,
            watch_seconds: None,
            watch_seconds_by_transport: None,
            curve: None,
        }));
    }
    let minutes = store::minutes(&analytics.db, id, MOST_MINUTES).await?;
    Ok(Json(ViewersReport {
        now,
        peak,
        unique: Some(numbers.unique),
        average: Some(analytics.average(&stream, &numbers)),
        watch_seconds: Some(numbers.watched_ms.all() / 1_000),
        watch_seconds_by_transport: Some(SecondsByTransport::new(numbers.watched_ms)),
        curve: Some(minutes.iter().map(CurvePoint::new).collect()),
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HealthQuery {
    /// From when: the stream's beginning, or ten minutes ago while it is on air.
    from: Option<Timestamp>,
    /// Until when: its end, or now.
    to: Option<Timestamp>,
}

/// How well a stream arrived.
#[derive(Debug, Serialize, ToSchema)]
struct HealthReport {
    /// Whether the stream is on air.
    live: bool,
    /// Oldest first. The longer the time, the longer each one stands for; then it has what was worst.
    points: Vec<HealthPoint>,
    /// Times in between of which nothing is known.
    gaps: Vec<Gap>,
    alerts: Vec<AlertInterval>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HealthPoint {
    /// The end of the time that it stands for.
    at: Timestamp,
    span_seconds: i64,
    /// The publisher was away, and there are no figures.
    away: bool,
    /// 0 to 100. A hundred, less 40 as the bitrate falls from 500 kbit/s to nothing, 30 as the frame
    /// rate falls from 20 to nothing, 4 for each percent lost (at most 40), 1 for each 20 ms of the
    /// round trip above 200 ms (at most 10), 20 without sound, 10 where key frames are more than 4 s
    /// apart; nothing while the publisher is away.
    score: i64,
    /// Bit/s of all layers.
    bitrate: i64,
    audio_bitrate: i64,
    /// Of the largest layer.
    fps: f64,
    keyframe_interval_ms: Option<i64>,
    /// Share of packets lost, 0 to 1.
    loss: Option<f64>,
    rtt_ms: Option<f64>,
    /// Pictures and sounds that the server had no room for.
    dropped: i64,
    layers: i64,
    viewers: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    from: Timestamp,
    to: Timestamp,
}

/// Something was wrong for a while.
#[derive(Debug, Serialize, ToSchema)]
struct AlertInterval {
    alert: Alert,
    from: Timestamp,
    /// Null while it lasts.
    to: Option<Timestamp>,
    /// For people.
    detail: &'static str,
}

impl HealthPoint {
    fn new(moment: &Moment) -> Self {
        let sample = &moment.sample;
        let rounded = |number: f64, steps: f64| (number * steps).round() / steps;
        Self {
            at: from_millis(moment.at_ms),
            span_seconds: moment.span_ms / 1_000,
            away: sample.is_away,
            score: moment.score,
            bitrate: sample.bitrate,
            audio_bitrate: sample.audio_bitrate,
            fps: rounded(sample.fps, 10.0),
            keyframe_interval_ms: sample.keyframe_interval_ms,
            loss: sample.loss.map(|loss| rounded(loss, 10_000.0)),
            rtt_ms: sample.rtt_ms.map(|rtt| rounded(rtt, 10.0)),
            dropped: sample.dropped,
            layers: sample.layers,
            viewers: sample.viewers,
        }
    }
}

/// How well the media of an own stream arrived, and arrives.
#[utoipa::path(
    get, path = "/api/streams/{id}/health", tag = "streams",
    params(("id" = Uuid, Path), HealthQuery),
    responses(
        (status = 200, body = HealthReport), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn show_health(
    State(analytics): State<Analytics>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<HealthQuery>,
) -> Result<Json<HealthReport>, ApiError> {
    let stream = analytics.expect_stream(id).await?;
    if !stream.is_of(&account) {
        return Err(ApiError::Forbidden(
            "only its owner sees how a stream arrives",
        ));
    }
    let now_ms = analytics.clock.now().as_millisecond();
    let live = analytics.streams.viewers_of(id.as_u128().into()).await;
    let begin_ms = match live {
        Some(_) => now_ms - LATELY_MS,
        None => stream.started_ms - 1,
    };
    let from_ms = query.from.map_or(begin_ms, Timestamp::as_millisecond);
    let to_ms = query.to.map_or(now_ms, Timestamp::as_millisecond);
    let mut moments = store::moments(&analytics.db, id, from_ms, to_ms).await?;
    let last_ms = moments.last().map_or(from_ms, |moment| moment.at_ms);
    let unwritten = analytics.unwritten(id).await;
    moments.extend(
        unwritten
            .into_iter()
            .filter(|moment| moment.at_ms > last_ms && moment.at_ms <= to_ms),
    );
    Ok(Json(report(&moments, live.is_some())))
}

fn report(moments: &[Moment], is_live: bool) -> HealthReport {
    let ends = moments.first().zip(moments.last());
    let length_ms = ends.map_or(0, |(first, last)| last.at_ms - first.at_ms);
    let span_ms = health::span_for(length_ms, MOST_POINTS);
    let points = match span_ms > health::EVERY_MS {
        true => health::thin(moments, span_ms),
        false => moments.to_vec(),
    };
    let gaps = health::gaps(moments).into_iter();
    HealthReport {
        live: is_live,
        points: points.iter().map(HealthPoint::new).collect(),
        gaps: gaps
            .map(|(from_ms, to_ms)| Gap {
                from: from_millis(from_ms),
                to: from_millis(to_ms),
            })
            .collect(),
        alerts: alerts(moments, is_live),
    }
}

fn alerts(moments: &[Moment], is_live: bool) -> Vec<AlertInterval> {
    let intervals = health::intervals(moments).into_iter();
    let told = intervals.map(|interval| AlertInterval {
        alert: interval.alert,
        from: from_millis(interval.from_ms),
        to: (!(is_live && interval.is_last)).then(|| from_millis(interval.to_ms)),
        detail: interval.alert.words(),
    });
    told.collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct InsightsQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// What a stream came to.
#[derive(Debug, Serialize, ToSchema)]
struct StreamInsights {
    id: Uuid,
    /// Empty where it has none.
    title: String,
    started_at: Timestamp,
    /// Null while it is on air.
    ended_at: Option<Timestamp>,
    peak: i64,
    unique: i64,
    average: f64,
    watch_seconds: i64,
    watch_seconds_by_transport: SecondsByTransport,
    /// Of its health, on average; null where nothing is known of it.
    score: Option<i64>,
    /// What went wrong, oldest first.
    incidents: Vec<AlertInterval>,
}

/// What the streams of an own channel came to, newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/insights", tag = "channels",
    params(("handle" = String, Path), InsightsQuery),
    responses(
        (status = 200, body = Page<StreamInsights>), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn list_insights(
    State(analytics): State<Analytics>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<InsightsQuery>,
) -> Result<Json<Page<StreamInsights>>, ApiError> {
    let cursor = Cursor::read(&query.cursor)?;
    let channel = analytics.channels.expect_own(&handle, &account).await?;
    let place = (cursor.at_ms(), cursor.id());
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut streams = store::streams_before(&analytics.db, channel.id, place, most).await?;
    let has_more = streams.len() > PAGE;
    streams.truncate(PAGE);
    let last = streams.last().filter(|_| has_more);
    let next_cursor =
        last.map(|last| Cursor::behind(from_millis(last.started_ms), last.id).to_string());
    let mut items = Vec::new();
    for stream in streams {
        items.push(analytics.insights(&stream).await?);
    }
    Ok(Json(Page { items, next_cursor }))
}

impl Analytics {
    async fn expect_stream(&self, id: Uuid) -> Result<StreamRow, ApiError> {
        if let Some(stream) = store::stream(&self.db, id).await? {
            return Ok(stream);
        }
        // One that went on air a moment ago may not be written yet.
        let live = self.streams.live().await.into_iter();
        let mut live = live.filter(|live| live.stream == id.as_u128().into());
        let known = live.next().ok_or(ApiError::NotFound {
            code: "stream_not_found",
            detail: "there is no stream of that id",
        })?;
        let started_at = known.started_at.unwrap_or(self.clock.now());
        Ok(StreamRow {
            id,
            owner: known.channel.owner,
            title: known.about.details.title.clone(),
            started_ms: started_at.as_millisecond(),
            ended_ms: None,
        })
    }

    async fn insights(&self, stream: &StreamRow) -> Result<StreamInsights, ApiError> {
        let numbers = store::numbers(&self.db, stream.id).await?;
        let (mut weighted, mut spans) = store::score_sums(&self.db, stream.id).await?;
        let mut bad = store::bad_moments(&self.db, stream.id, MOST_BAD).await?;
        for moment in self.unwritten(stream.id).await {
            weighted += moment.score * moment.span_ms;
            spans += moment.span_ms;
            bad.extend((!moment.sample.alerts().is_empty()).then_some(moment));
        }
        let now_ms = self.clock.now().as_millisecond();
        let is_lately = |moment: &Moment| now_ms - moment.at_ms < 3 * health::EVERY_MS;
        let lasts = stream.ended_ms.is_none() && bad.last().is_some_and(is_lately);
        Ok(StreamInsights {
            id: stream.id,
            title: stream.title.clone(),
            started_at: from_millis(stream.started_ms),
            ended_at: stream.ended_ms.map(from_millis),
            peak: numbers.peak,
            unique: numbers.unique,
            average: self.average(stream, &numbers),
            watch_seconds: numbers.watched_ms.all() / 1_000,
            watch_seconds_by_transport: SecondsByTransport::new(numbers.watched_ms),
            score: (spans > 0).then(|| weighted / spans.max(1)),
            incidents: alerts(&bad, lasts),
        })
    }

    /// Viewers on average: all time watched over the time that there was to watch.
    fn average(&self, stream: &StreamRow, numbers: &Numbers) -> f64 {
        let now_ms = self.clock.now().as_millisecond();
        let length_ms = stream.ended_ms.unwrap_or(now_ms) - stream.started_ms;
        if length_ms <= 0 {
            return 0.0;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of centuries are exact in a float"
        )]
        let average = numbers.watched_ms.all() as f64 / length_ms as f64;
        (average * 10.0).round() / 10.0
    }
}
