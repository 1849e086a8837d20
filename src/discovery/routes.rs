//! `/api/home`, `/api/browse` and `/api/search`: lists that anybody may see.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Discovery, FoundChannel, FoundRecording, FoundStream, MOST_FOUND, Narrowed, Words};
use crate::accounts::Asker;
use crate::channels::{CATEGORIES, Channel, ChannelId};
use crate::error::{ApiError, Problem};
use crate::form::line;
use crate::gates::StreamGate;
use crate::page::Cursor;
use crate::request::ApiQuery;
use crate::streams::{ChannelState, Details, LiveChannel};

/// The routes of this domain.
pub fn routes(discovery: Discovery) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(home))
        .routes(routes!(browse))
        .routes(routes!(search))
        .with_state(discovery)
}

/// A channel on air.
#[derive(Debug, Serialize, ToSchema)]
struct LiveCard {
    handle: String,
    name: String,
    avatar_url: Option<String>,
    /// Of the stream; empty where nobody gave one.
    title: String,
    /// Slug of a category.
    category: Option<String>,
    tags: Vec<String>,
    language: Option<String>,
    state: ChannelState,
    started_at: Option<Timestamp>,
    viewers: u32,
    /// Of the largest layer, once it is known.
    width: Option<u32>,
    height: Option<u32>,
    /// A picture of a moment ago, or the one that was uploaded.
    thumbnail_url: String,
    /// Who may watch.
    gate: StreamGate,
    /// Whether whoever asks follows the channel.
    is_followed: bool,
}

/// A planned stream, or one on air that a search found.
#[derive(Debug, Serialize, ToSchema)]
struct StreamCard {
    id: Uuid,
    handle: String,
    name: String,
    avatar_url: Option<String>,
    title: String,
    category: Option<String>,
    thumbnail_url: Option<String>,
    /// When it is planned for, or when it began.
    at: Timestamp,
    is_live: bool,
    /// Who may watch.
    gate: StreamGate,
}

/// A recording.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingCard {
    id: Uuid,
    handle: String,
    name: String,
    avatar_url: Option<String>,
    title: String,
    started_at: Timestamp,
    duration_ms: u64,
    thumbnail_url: Option<String>,
    /// Who may watch.
    gate: StreamGate,
}

/// A channel, whether it is on air or not.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelCard {
    handle: String,
    name: String,
    avatar_url: Option<String>,
    description: String,
    category: Option<String>,
    followers: i64,
    is_live: bool,
}

/// A category in which something is on air.
#[derive(Debug, Serialize, ToSchema)]
struct CategoryCard {
    slug: &'static str,
    name: &'static str,
    /// Channels on air.
    live: u32,
    viewers: u32,
}

/// What the home page shows.
#[derive(Debug, Serialize, ToSchema)]
struct Home {
    /// Those that whoever asks follows first, then the most watched.
    live: Vec<LiveCard>,
    /// The next first.
    upcoming: Vec<StreamCard>,
    /// The newest first.
    recordings: Vec<RecordingCard>,
    /// The most watched first.
    categories: Vec<CategoryCard>,
    /// Whether there is any channel that is listed.
    has_channels: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BrowseQuery {
    /// Slug of a category.
    category: Option<String>,
    tag: Option<String>,
    /// Such as `en` or `pt-BR`.
    language: Option<String>,
    /// `next_cursor` of the page before, for more recordings.
    #[serde(default)]
    cursor: String,
}

/// What there is of a category, a tag or a language.
#[derive(Debug, Serialize, ToSchema)]
struct Browse {
    /// Empty on later pages.
    live: Vec<LiveCard>,
    /// Empty on later pages.
    upcoming: Vec<StreamCard>,
    /// Those with the most followers; empty on later pages.
    channels: Vec<ChannelCard>,
    recordings: Vec<RecordingCard>,
    /// Give it as `cursor` to get more recordings; null when there are no more.
    next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SearchKind {
    Channels,
    Streams,
    Recordings,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SearchQuery {
    /// Words, each of which is found at the beginning of one.
    #[param(max_length = 100)]
    q: String,
    /// Only these, page by page; without it, the first of each.
    #[param(inline)]
    kind: Option<SearchKind>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// What a search found, the best first.
#[derive(Debug, Default, Serialize, ToSchema)]
struct SearchResults {
    channels: Vec<ChannelCard>,
    /// Planned, or on air.
    streams: Vec<StreamCard>,
    recordings: Vec<RecordingCard>,
    /// With `kind`: give it as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cards of one kind on a page of many kinds.
const FEW: u32 = 12;
/// Cards on a page of one kind.
const PAGE: u32 = 24;

/// What is on air, planned and recorded.
#[utoipa::path(
    get, path = "/api/home", tag = "discovery",
    responses((status = 200, body = Home), (status = 503, body = Problem)),
)]
async fn home(State(discovery): State<Discovery>, asker: Asker) -> Result<Json<Home>, ApiError> {
    let all = Narrowed::default();
    let account = asker.account.map(|account| account.id);
    let live = discovery.live(account, &all).await?;
    let upcoming = discovery.upcoming(&all, FEW).await?;
    let recordings = discovery.recordings(&all, Timestamp::MAX, FEW).await?;
    let has_channels = !live.is_empty() || discovery.has_channels().await?;
    let mut categories = categories(&discovery).await;
    categories.sort_by_key(|card| std::cmp::Reverse((card.viewers, card.live)));
    Ok(Json(Home {
        live: live_cards(live),
        upcoming: upcoming.into_iter().map(StreamCard::from).collect(),
        recordings: recordings.into_iter().map(RecordingCard::from).collect(),
        categories,
        has_channels,
    }))
}

async fn categories(discovery: &Discovery) -> Vec<CategoryCard> {
    let counts = discovery.categories().await;
    let cards = CATEGORIES.iter().filter_map(|category| {
        let (live, viewers) = *counts.get(category.slug)?;
        Some(CategoryCard {
            slug: category.slug,
            name: category.name,
            live,
            viewers,
        })
    });
    cards.collect()
}

/// What there is of a category, a tag, a language, or all of them together.
#[utoipa::path(
    get, path = "/api/browse", tag = "discovery", params(BrowseQuery),
    responses(
        (status = 200, body = Browse),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn browse(
    State(discovery): State<Discovery>,
    asker: Asker,
    ApiQuery(query): ApiQuery<BrowseQuery>,
) -> Result<Json<Browse>, ApiError> {
    let is_first = query.cursor.is_empty();
    let before = Cursor::read(&query.cursor)?.at();
    let narrowed = Narrowed {
        category: query.category.as_deref().map(plain).transpose()?,
        tag: query
            .tag
            .map(|tag| plain(&tag.to_lowercase()))
            .transpose()?,
        language: query.language.as_deref().map(plain).transpose()?,
    };
    let mut recordings = discovery.recordings(&narrowed, before, PAGE + 1).await?;
    let has_more = recordings.len() > PAGE as usize;
    recordings.truncate(PAGE as usize);
    let last = recordings.last().filter(|_| has_more);
    let mut found = Browse {
        live: Vec::new(),
        upcoming: Vec::new(),
        channels: Vec::new(),
        next_cursor: last.map(|last| Cursor::behind(last.started_at, last.id).to_string()),
        recordings: recordings.into_iter().map(RecordingCard::from).collect(),
    };
    if is_first {
        let account = asker.account.map(|account| account.id);
        found.live = live_cards(discovery.live(account, &narrowed).await?);
        let upcoming = discovery.upcoming(&narrowed, FEW).await?;
        found.upcoming = upcoming.into_iter().map(StreamCard::from).collect();
        let channels = discovery.channels(&narrowed, PAGE).await?;
        found.channels = channel_cards(channels, &discovery.on_air().await);
    }
    Ok(Json(found))
}

/// Text that PostgreSQL can be asked for.
fn plain(text: &str) -> Result<String, ApiError> {
    line("query_invalid", text, 1, 40)
}

/// Search channels, streams and recordings.
#[utoipa::path(
    get, path = "/api/search", tag = "discovery", params(SearchQuery),
    responses(
        (status = 200, body = SearchResults),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn search(
    State(discovery): State<Discovery>,
    ApiQuery(query): ApiQuery<SearchQuery>,
) -> Result<Json<SearchResults>, ApiError> {
    let words = Words::read(&query.q)?;
    let Some(kind) = query.kind else {
        let on_air = discovery.on_air().await;
        let (channels, streams, recordings) = tokio::try_join!(
            discovery.find_channels(&words, 0, FEW),
            discovery.find_streams(&words, 0, FEW),
            discovery.find_recordings(&words, 0, FEW),
        )?;
        return Ok(Json(SearchResults {
            channels: channel_cards(channels, &on_air),
            streams: streams.into_iter().map(StreamCard::from).collect(),
            recordings: recordings.into_iter().map(RecordingCard::from).collect(),
            next_cursor: None,
        }));
    };
    let skip = skipped(&query.cursor)?;
    let mut results = SearchResults::default();
    let found = match kind {
        SearchKind::Channels => {
            let found = discovery.find_channels(&words, skip, PAGE).await?;
            results.channels = channel_cards(found, &discovery.on_air().await);
            results.channels.len()
        }
        SearchKind::Streams => {
            let found = discovery.find_streams(&words, skip, PAGE).await?;
            results.streams = found.into_iter().map(StreamCard::from).collect();
            results.streams.len()
        }
        SearchKind::Recordings => {
            let found = discovery.find_recordings(&words, skip, PAGE).await?;
            results.recordings = found.into_iter().map(RecordingCard::from).collect();
            results.recordings.len()
        }
    };
    let next = skip + PAGE;
    let has_more = found == PAGE as usize && next < MOST_FOUND;
    results.next_cursor = has_more.then(|| next.to_string());
    Ok(Json(results))
}

/// Results come by how well they fit, which no time and id tell: their cursor is how many were shown.
fn skipped(cursor: &str) -> Result<u32, ApiError> {
    let skip = match cursor {
        "" => Some(0),
        text => text.parse().ok().filter(|skip| *skip < MOST_FOUND),
    };
    skip.ok_or_else(|| ApiError::Invalid {
        code: "cursor_invalid",
        detail: "give the next_cursor of the page before, or none".to_owned(),
    })
}

fn live_cards(live: Vec<(LiveChannel, bool)>) -> Vec<LiveCard> {
    let cards = live.into_iter().map(|(live, is_followed)| {
        let (channel, details) = (live.channel, &live.about.details);
        LiveCard {
            thumbnail_url: picture_of(&channel, details),
            gate: details.lock.gate.into(),
            avatar_url: channel.avatar.as_ref().map(|image| image.url()),
            handle: channel.handle,
            name: channel.name,
            title: details.title.clone(),
            category: details.category.clone().or(channel.category),
            tags: details.tags.clone(),
            language: details.language.clone().or(channel.language),
            state: live.state,
            started_at: live.started_at,
            viewers: live.viewers,
            width: live.size.map(|size| size.0),
            height: live.size.map(|size| size.1),
            is_followed,
        }
    });
    cards.collect()
}

/// What was uploaded for it, else what is on air, where everybody may see that.
fn picture_of(channel: &Channel, details: &Details) -> String {
    let uploaded = details.thumbnail.as_deref().map(image_url);
    let avatar = || channel.avatar.as_ref().map(|image| image.url());
    let known = match details.lock.is_open() {
        true => uploaded,
        false => uploaded.or_else(avatar),
    };
    known.unwrap_or_else(|| format!("/hls/{}/thumbnail.jpg", channel.handle))
}

fn channel_cards(found: Vec<FoundChannel>, on_air: &HashSet<ChannelId>) -> Vec<ChannelCard> {
    let cards = found.into_iter().map(|found| ChannelCard {
        is_live: on_air.contains(&found.id),
        handle: found.handle,
        name: found.name,
        avatar_url: found.avatar.as_deref().map(image_url),
        description: found.description,
        category: found.category,
        followers: found.followers,
    });
    cards.collect()
}

fn image_url(id: &str) -> String {
    format!("/images/{id}")
}

impl From<FoundStream> for StreamCard {
    fn from(found: FoundStream) -> Self {
        Self {
            id: found.id,
            handle: found.handle,
            name: found.channel_name,
            avatar_url: found.avatar.as_deref().map(image_url),
            title: found.title,
            category: found.category,
            thumbnail_url: found.thumbnail.as_deref().map(image_url),
            at: found.at,
            is_live: found.is_live,
            gate: found.gate.into(),
        }
    }
}

impl From<FoundRecording> for RecordingCard {
    fn from(found: FoundRecording) -> Self {
        let thumbnail = format!("/vod/{}/thumbnail.jpg", found.id);
        Self {
            id: found.id,
            handle: found.handle,
            name: found.channel_name,
            avatar_url: found.avatar.as_deref().map(image_url),
            title: found.title,
            started_at: found.started_at,
            duration_ms: found.duration_ms,
            thumbnail_url: found.has_thumbnail.then_some(thumbnail),
            gate: found.gate.into(),
        }
    }
}
