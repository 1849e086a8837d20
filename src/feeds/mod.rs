//! Feeds: a channel's planned streams and recordings as RSS, for readers that nobody signs in to.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use rss::{Enclosure, Guid, Item};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::channels::{Channel, Channels};
use crate::error::{ApiError, Problem};
use crate::recordings::{Recording, Recordings};
use crate::request::{ApiPath, Client};
use crate::streams::{Stream, StreamState, Streams, stream_uuid};

/// What feeds are made of.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// Whose they are.
    pub channels: Channels,
    /// What is planned.
    pub streams: Streams,
    /// What is kept.
    pub recordings: Recordings,
}

impl Feeds {
    /// The routes of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .routes(routes!(show_feed))
            .with_state(self.clone())
    }
}

/// A channel's planned streams and newest recordings, as RSS 2.0.
#[utoipa::path(
    get, path = "/api/channels/{handle}/feed.rss", tag = "notifications",
    params(("handle" = String, Path)),
    responses(
        (status = 200, content_type = "application/rss+xml", body = String),
        (status = 404, body = Problem),
    ),
)]
async fn show_feed(
    State(feeds): State<Feeds>,
    client: Client,
    ApiPath(handle): ApiPath<String>,
) -> Result<Response, ApiError> {
    let channel = feeds.channels.expect(&handle).await?;
    if channel.visibility.is_gated() {
        return Err(ApiError::NotFound {
            code: "feed_not_found",
            detail: "not everybody may watch this channel, so that it has no feed",
        });
    }
    let ahead = feeds.streams.ahead(channel.id).await?;
    let planned = ahead
        .iter()
        .filter(|stream| stream.state == StreamState::Scheduled && stream.is_listed());
    let kept = feeds.recordings.newest_public(&channel).await?;
    let origin = client.known_as();
    let mut items: Vec<Item> = planned
        .filter_map(|stream| planned_item(origin, &channel, stream))
        .collect();
    items.extend(
        kept.iter()
            .map(|recording| recorded_item(origin, recording)),
    );
    let mut feed = rss::Channel::default();
    feed.set_title(channel.name.clone());
    feed.set_link(page_of(origin, &channel));
    feed.set_description(match channel.description.is_empty() {
        true => format!("Streams and recordings of {}", channel.name),
        false => channel.description.clone(),
    });
    feed.set_language(channel.language.clone());
    feed.set_ttl("5".to_owned());
    feed.set_items(items);
    let rss = HeaderValue::from_static("application/rss+xml; charset=utf-8");
    let brief = HeaderValue::from_static("public, max-age=300");
    Ok((
        [(CONTENT_TYPE, rss), (CACHE_CONTROL, brief)],
        feed.to_string(),
    )
        .into_response())
}

fn page_of(origin: &str, channel: &Channel) -> String {
    format!("{origin}/@{}", channel.handle)
}

fn planned_item(origin: &str, channel: &Channel, stream: &Stream) -> Option<Item> {
    let schedule = stream.schedule.as_ref()?;
    let title = match stream.details.title.as_str() {
        "" => &channel.name,
        title => title,
    };
    let when = schedule.at.in_tz(&schedule.time_zone);
    let when = when.map_or_else(
        |_| schedule.at.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M %Z").to_string(),
    );
    let mut item = Item::default();
    item.set_title(format!("Planned for {when}: {title}"));
    item.set_link(page_of(origin, channel));
    item.set_description(stream.details.description.clone());
    // Another time is another entry, which readers show anew.
    let id = format!("{}@{}", stream_uuid(stream.id), schedule.at.as_second());
    item.set_guid(guid(id));
    item.set_pub_date(date(stream.changed_at));
    Some(item)
}

fn recorded_item(origin: &str, recording: &Recording) -> Item {
    let mut item = Item::default();
    item.set_title(recording.title.clone());
    item.set_link(format!("{origin}/videos/{}", recording.id));
    item.set_guid(guid(recording.id.to_string()));
    item.set_pub_date(date(recording.ended_at.unwrap_or(recording.started_at)));
    item.set_enclosure(Enclosure {
        url: format!("{origin}/vod/{}/index.m3u8", recording.id),
        length: recording.size_bytes.to_string(),
        mime_type: "application/vnd.apple.mpegurl".to_owned(),
    });
    item
}

fn guid(value: String) -> Guid {
    Guid {
        value,
        permalink: false,
    }
}

fn date(at: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_string(&at).ok()
}
