//! The server-sent events extension of WHEP: what happens to the stream, told to its viewers.
//!
//! A viewer POSTs the list of events it wants and GETs the stream it is sent to, or GETs the
//! extension's URL at once and gets all of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::options;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use sfu::{LayerStats, Role, SessionId, StreamStats};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::{self, SessionError};
use super::watchers::Barring;
use super::{SessionFacts, Stream as About, Streams, ViewerEvent, Watch, signalling};
use crate::error::Problem;
use crate::secret::Secret;

const REL: &str = "urn:ietf:params:whep:ext:core:server-sent-events";
/// Events of the draft, and `updated`, `barred` and `ended`, which are ours.
const NAMES: [&str; 8] = [
    "active",
    "inactive",
    "layers",
    "reconnect",
    "viewercount",
    "updated",
    "barred",
    "ended",
];
/// Event streams that one session may have ready.
const MOST_STREAMS: usize = 4;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<Streams> {
    let preflight = || options(|| async { signalling::options(&[]) });
    OpenApiRouter::new()
        .routes(routes!(subscribe, all_events))
        .route("/whep/sessions/{session}/events", preflight())
        .routes(routes!(chosen_events, unsubscribe))
        .route("/whep/sessions/{session}/events/{id}", preflight())
}

/// `Link` by which a session tells of this extension.
pub(super) fn link(session: &str) -> String {
    let names = NAMES.join(",");
    format!("<{session}/events>; rel=\"{REL}\"; events=\"{names}\"")
}

/// The event streams that a session's viewer asked for, by their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscriptions(Arc<Mutex<HashMap<String, Subscription>>>);

#[derive(Debug, Clone)]
struct Subscription {
    names: Vec<&'static str>,
    /// Cancelled by DELETE.
    over: CancellationToken,
}

impl Subscriptions {
    fn add(&self, names: Vec<&'static str>) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_STREAMS {
            return None;
        }
        let id = Secret::random::<10>().reveal().to_owned();
        let over = CancellationToken::new();
        all.insert(id.clone(), Subscription { names, over });
        Some(id)
    }

    fn get(&self, id: &str) -> Option<Subscription> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    fn remove(&self, id: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id).map(|found| found.over.cancel()).is_some()
    }
}

/// Why there is no event stream.
#[derive(Debug, thiserror::Error)]
enum EventsError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("send a JSON array of event names: {words}", words = .0.body_text())]
    Body(JsonRejection),
    #[error("there is no event `{0}`; there are {known}", known = NAMES.join(", "))]
    UnknownEvent(String),
    #[error("this session has {MOST_STREAMS} event streams already; delete one")]
    TooMany,
    #[error("there is no such event stream")]
    NoSuchStream,
}

impl IntoResponse for EventsError {
    fn into_response(self) -> Response {
        let words = self.to_string();
        let (status, code) = match self {
            Self::Session(error) => return error.into_response(),
            Self::Body(rejection) => (signalling::status_of(&rejection), "body_invalid"),
            Self::UnknownEvent(_) => (StatusCode::BAD_REQUEST, "event_unknown"),
            Self::TooMany => (StatusCode::CONFLICT, "too_many_event_streams"),
            Self::NoSuchStream => (StatusCode::NOT_FOUND, "event_stream_not_found"),
        };
        Problem::new(status, code, words).into_response()
    }
}

/// Choose the events to be told of.
#[utoipa::path(
    post, path = "/whep/sessions/{session}/events", tag = "whep",
    params(("session" = String, Path)), request_body = Vec<String>,
    responses(
        (status = 201), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
async fn subscribe(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
    names: Result<Json<Vec<String>>, JsonRejection>,
) -> Result<Response, EventsError> {
    let (_, facts) = viewer(&streams, &session, &headers).await?;
    let Json(names) = names.map_err(EventsError::Body)?;
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        let shown = unknown.chars().take(40).collect();
        return Err(EventsError::UnknownEvent(shown));
    }
    // Each once, whatever the client repeats: this list is kept.
    let wanted = NAMES
        .into_iter()
        .filter(|name| names.iter().any(|n| n == name));
    let id = facts.subscriptions.add(wanted.collect());
    let id = id.ok_or(EventsError::TooMany)?;
    let location = format!("/whep{}{session}/events/{id}", session::PATH);
    let mut response = StatusCode::CREATED.into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// All events of the stream, as `text/event-stream`.
#[utoipa::path(
    get, path = "/whep/sessions/{session}/events", tag = "whep",
    params(("session" = String, Path)),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = Problem),
    ),
)]
async fn all_events(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<Response, EventsError> {
    let (id, facts) = viewer(&streams, &session, &headers).await?;
    let everything = Subscription {
        names: NAMES.to_vec(),
        over: CancellationToken::new(),
    };
    stream(&streams, id, facts, everything).await
}

/// The chosen events of the stream, as `text/event-stream`.
#[utoipa::path(
    get, path = "/whep/sessions/{session}/events/{id}", tag = "whep",
    params(("session" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = Problem),
    ),
)]
async fn chosen_events(
    State(streams): State<Streams>,
    Path((session, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, EventsError> {
    let (viewer, facts) = viewer(&streams, &session, &headers).await?;
    let subscription = facts.subscriptions.get(&id);
    let subscription = subscription.ok_or(EventsError::NoSuchStream)?;
    stream(&streams, viewer, facts, subscription).await
}

/// End an event stream.
#[utoipa::path(
    delete, path = "/whep/sessions/{session}/events/{id}", tag = "whep",
    params(("session" = String, Path), ("id" = String, Path)),
    responses((status = 200), (status = 404, body = Problem)),
)]
async fn unsubscribe(
    State(streams): State<Streams>,
    Path((session, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, EventsError> {
    let (_, facts) = viewer(&streams, &session, &headers).await?;
    if facts.subscriptions.remove(&id) {
        Ok(StatusCode::OK)
    } else {
        Err(EventsError::NoSuchStream)
    }
}

async fn viewer(
    streams: &Streams,
    session: &str,
    headers: &HeaderMap,
) -> Result<(SessionId, SessionFacts), SessionError> {
    let (id, facts) = session::find(streams, Role::Viewer, session).await?;
    session::check_authorization(streams, &facts, headers).await?;
    Ok((id, facts))
}

async fn stream(
    streams: &Streams,
    session: SessionId,
    facts: SessionFacts,
    subscription: Subscription,
) -> Result<Response, EventsError> {
    let watch = streams.watch(session).await.ok_or(SessionError::Unknown)?;
    let events = events(facts, watch, subscription);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// Where an event stream is.
struct Cursor {
    ready: std::vec::IntoIter<ViewerEvent>,
    then: Receiver<ViewerEvent>,
    names: Vec<&'static str>,
    video_index: usize,
    barring: Barring,
    session_over: CancellationToken,
    stream_over: CancellationToken,
    told_something: bool,
    done: bool,
}

fn events(
    facts: SessionFacts,
    watch: Watch,
    subscription: Subscription,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let cursor = Cursor {
        ready: watch.first.into_iter(),
        then: watch.then,
        names: subscription.names,
        video_index: facts.video_index.unwrap_or_default(),
        barring: facts.barring,
        session_over: facts.over,
        stream_over: subscription.over,
        told_something: false,
        done: false,
    };
    unfold(cursor, |mut cursor| async move {
        let event = cursor.next().await?;
        Some((Ok(event), cursor))
    })
}

impl Cursor {
    async fn next(&mut self) -> Option<Event> {
        while !self.done {
            let event = match self.ready.next() {
                Some(event) => event,
                None => self.wait().await?,
            };
            self.done = matches!(event, ViewerEvent::Ended | ViewerEvent::Barred(..));
            // The draft: `inactive` is never the first event.
            if matches!(event, ViewerEvent::Inactive) && !self.told_something {
                continue;
            }
            self.told_something |= matches!(event, ViewerEvent::Active);
            let (name, data) = in_words(&event, self.video_index);
            if self.names.contains(&name) {
                self.told_something = true;
                return Some(Event::default().event(name).data(data.to_string()));
            }
        }
        None
    }

    async fn wait(&mut self) -> Option<ViewerEvent> {
        loop {
            tokio::select! {
                biased;
                (code, words) = self.barring.wait() => {
                    return Some(ViewerEvent::Barred(code, words));
                }
                event = self.then.recv() => match event {
                    Ok(event) => return Some(event),
                    Err(RecvError::Closed) => return None,
                    // What was lost is told again: figures every two seconds.
                    Err(RecvError::Lagged(_)) => {}
                },
                () = self.session_over.cancelled() => return None,
                () = self.stream_over.cancelled() => return None,
            }
        }
    }
}

fn in_words(event: &ViewerEvent, video_index: usize) -> (&'static str, Value) {
    match event {
        ViewerEvent::Active => ("active", json!({})),
        ViewerEvent::Inactive => ("inactive", json!({})),
        ViewerEvent::ViewerCount(count) => ("viewercount", json!({ "viewercount": count })),
        ViewerEvent::Layers(stats) => ("layers", layers(stats, video_index)),
        ViewerEvent::Updated(about) => ("updated", said_of(about)),
        ViewerEvent::Reconnect => ("reconnect", json!({})),
        ViewerEvent::Barred(code, words) => ("barred", json!({ "code": code, "detail": words })),
        ViewerEvent::Ended => ("ended", json!({})),
    }
}

/// What a page shows beside the picture.
fn said_of(about: &About) -> Value {
    let details = &about.details;
    json!({
        "title": details.title,
        "category": details.category,
        "tags": details.tags,
        "language": details.language,
        "is_preview": about.is_preview(),
    })
}

/// Layers by the index of the video section; one without a bit rate is not being sent.
/// What the server does not hold back.
fn viewable(stats: &StreamStats) -> impl Iterator<Item = &LayerStats> {
    stats.layers.iter().filter(|layer| !layer.withheld)
}

fn layers(stats: &StreamStats, video_index: usize) -> Value {
    let layers: Vec<Value> = viewable(stats).map(layer).collect();
    json!({ video_index.to_string(): layers })
}

fn layer(layer: &LayerStats) -> Value {
    let mut entry = json!({
        "codec": layer.codec,
        "fps": layer.fps,
        "active": layer.active,
    });
    let optional = [
        ("rid", layer.rid.clone().map(Value::from)),
        ("encodingId", layer.rid.clone().map(Value::from)),
        ("bitrate", layer.active.then(|| layer.bitrate.into())),
        ("width", layer.width.map(Value::from)),
        ("height", layer.height.map(Value::from)),
    ];
    if let Some(entry) = entry.as_object_mut() {
        for (name, value) in optional {
            entry.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_keyed_by_the_video_section() {
        let stats = StreamStats {
            layers: vec![
                LayerStats {
                    rid: Some("h".to_owned()),
                    codec: "H264".to_owned(),
                    width: Some(1280),
                    height: Some(720),
                    bitrate: 1_500_000,
                    active: true,
                    ..LayerStats::default()
                },
                LayerStats::default(),
            ],
            ..StreamStats::default()
        };
        let told = layers(&stats, 1);
        assert_eq!(told["1"][0]["encodingId"], "h");
        assert_eq!(told["1"][0]["bitrate"], 1_500_000);
        assert_eq!(told["1"][0]["width"], 1280);
        assert!(told["1"][1].get("bitrate").is_none(), "inactive");
    }
}
