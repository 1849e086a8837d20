//! `/api/events`: what happens, as it happens, as `text/event-stream`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Line, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Audience, Event, EventBody, Events, Kind, store};
use crate::accounts::Asker;
use crate::channels::ChannelId;
use crate::db::StoreError;
use crate::error::{ApiError, Problem, log_store_error};
use crate::form::Form;
use crate::request::ApiQuery;

/// Proxies cut connections that are silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Browsers come back after this time.
const COME_BACK: Duration = Duration::from_secs(3);
const BATCH: i64 = 100;
/// Who sees more than everybody comes back after this time, and may have lost the right meanwhile.
const RIGHTS_LAST: Duration = Duration::from_secs(300);

pub(super) fn routes(events: Events) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(follow_events))
        .with_state(events)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// The handle of one channel. Those who run it get all that happens there, others what is public.
    channel: Option<String>,
    /// Kinds, divided by commas; without it all.
    kinds: Option<String>,
    /// Begin behind the event of this id. `Last-Event-ID`, which browsers send by themselves when they
    /// come back, is stronger.
    after: Option<i64>,
}

/// Follow what happens, as an event stream (`text/event-stream`).
///
/// Each event has its `id`, its kind as `event`, and an `EventBody` as `data`. Comments keep the
/// connection open. Events are kept for seven days: behind an older id there is no way on, which is
/// answered 410. A stream that shows what only those who run a channel see ends after five minutes;
/// come back with `Last-Event-ID`, as browsers do by themselves.
#[utoipa::path(
    get, path = "/api/events", tag = "events", params(EventsQuery),
    responses(
        (status = 200, content_type = "text/event-stream", body = EventBody),
        (status = 404, body = Problem),
        (status = 410, description = "Events behind that id are deleted", body = Problem),
        (status = 422, body = Problem),
        (status = 503, description = "Too many follow", body = Problem),
    ),
)]
async fn follow_events(
    State(events): State<Events>,
    asker: Asker,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<EventsQuery>,
) -> Result<Response, ApiError> {
    let kinds = kinds_of(query.kinds.as_deref())?;
    let (channel, sees_all) = match &query.channel {
        Some(handle) => {
            let channel = events.0.channels.expect(handle).await?;
            let rights = events
                .0
                .channels
                .rights(&channel, asker.account.as_ref())
                .await?;
            (Some(channel.id), rights.may_moderate())
        }
        None => (None, false),
    };
    let last = headers
        .get("last-event-id")
        .map(|last| last.to_str().ok()?.parse().ok());
    let after = match last {
        Some(last) => Some(last.ok_or_else(no_id)?),
        None => query.after,
    };
    let Ok(permit) = Arc::clone(&events.0.readers).try_acquire_owned() else {
        let words = "too many programs follow events; ask for them with pauses instead";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_followers", words);
        return Ok(problem.retry_after(Duration::from_secs(60)).into_response());
    };
    // Before the table is read, so that nothing falls between the two.
    let live = events.0.live.subscribe();
    let counter = store::counter(&events.0.db).await?;
    let after = after.unwrap_or(counter.seq);
    if after < counter.swept || after > counter.seq {
        let words = "the events behind this id are not there any more; ask anew without an id";
        return Ok(Problem::new(StatusCode::GONE, "events_gone", words).into_response());
    }
    let reader = Reader {
        events,
        live,
        ready: VecDeque::new(),
        after,
        from_table: true,
        channel,
        kinds,
        sees_all,
        until: Instant::now() + RIGHTS_LAST,
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(lines(reader))
        .keep_alive(keep_alive)
        .into_response())
}

fn no_id() -> ApiError {
    ApiError::Invalid {
        code: "event_id_invalid",
        detail: "Last-Event-ID is the id of an event: a number".to_owned(),
    }
}

fn kinds_of(text: Option<&str>) -> Result<Vec<Kind>, ApiError> {
    let Some(text) = text else {
        return Ok(Kind::ALL.to_vec());
    };
    let mut form = Form::new();
    let kinds = text.split(',').filter_map(|name| {
        let kind = Kind::parse(name.trim());
        if kind.is_none() {
            let known = Kind::ALL.map(Kind::as_str).join(", ");
            form.add("kinds", "kind_unknown", format!("there are {known}"));
        }
        kind
    });
    let kinds = kinds.collect();
    form.done()?;
    Ok(kinds)
}

/// Where somebody is who follows.
struct Reader {
    events: Events,
    live: Receiver<Arc<Event>>,
    ready: VecDeque<Arc<Event>>,
    /// The last event that was looked at.
    after: i64,
    /// Whether the table may hold more than was told live.
    from_table: bool,
    channel: Option<ChannelId>,
    kinds: Vec<Kind>,
    sees_all: bool,
    /// The end for whoever sees more than everybody.
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

fn lines(reader: Reader) -> impl Stream<Item = Result<Line, Infallible>> {
    unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        let body = serde_json::to_string(&EventBody::from(&*event)).unwrap_or_default();
        let line = Line::default()
            .id(event.seq.to_string())
            .event(event.kind.as_str())
            .retry(COME_BACK)
            .data(body);
        Some((Ok(line), reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = self.after.max(event.seq);
                if self.wants(&event) {
                    return Some(event);
                }
            } else if self.from_table {
                if let Err(error) = self.read_table().await {
                    // The reader comes back with the last id that it has.
                    log_store_error(&error);
                    return None;
                }
            } else {
                self.wait().await?;
            }
        }
    }

    async fn read_table(&mut self) -> Result<(), StoreError> {
        let found = store::after(&self.events.0.db, self.after, self.channel, BATCH).await?;
        self.from_table = i64::try_from(found.len()).is_ok_and(|found| found == BATCH);
        self.ready.extend(found.into_iter().map(Arc::new));
        Ok(())
    }

    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            () = self.events.0.closing.cancelled() => return None,
            () = sleep_until(self.until), if self.sees_all => return None,
            event = self.live.recv() => match event {
                Ok(event) if event.seq > self.after => self.ready.push_back(event),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.from_table = true,
                Err(RecvError::Closed) => return None,
            },
        }
        Some(())
    }

    fn wants(&self, event: &Event) -> bool {
        self.channel.is_none_or(|channel| channel == event.channel)
            && self.kinds.contains(&event.kind)
            && (self.sees_all || event.audience == Audience::Public)
    }
}
