//! `/vod/{id}`: playlists, segments and pictures of recordings, for any page and any cache. What is
//! private goes to its owner's browser alone.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hls::{ReadError, Recorded};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::storyboard;
use super::{Inner, Recording, RecordingId, Recordings, State, Visibility};
use crate::accounts::{self, Accounts};
use crate::answer::{self, Caching, Content};
use crate::channels::Barred;
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::gates::{By, Entrance, Place, split_pass};
use crate::request::Client;

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
enum VodError {
    #[error("there is no such recording, or it was deleted")]
    Unknown,
    #[error("this stream is still being recorded; it can be played here once it has ended")]
    Running,
    #[error("the files of this recording cannot be read")]
    Unreadable,
    #[error("there is no such file in this recording")]
    NoFile,
    #[error("the free preview ends before this")]
    BehindPreview,
    #[error(transparent)]
    Barred(#[from] Barred),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for VodError {
    fn into_response(self) -> Response {
        let problem = |code| Problem::new(StatusCode::NOT_FOUND, code, self.to_string());
        let problem = match &self {
            Self::Unknown => problem("recording_not_found"),
            Self::Running => problem("recording_not_ready"),
            Self::Unreadable => problem("recording_unreadable"),
            Self::NoFile => problem("not_found"),
            Self::BehindPreview => {
                let words = self.to_string();
                let problem = Problem::new(StatusCode::FORBIDDEN, "preview_over", words);
                return problem.into_response();
            }
            Self::Barred(barred) => return barred.problem().into_response(),
            Self::Store(error) => {
                log_store_error(error);
                return store_problem(error).into_response();
            }
        };
        let for_a_second = HeaderValue::from_static("public, max-age=1");
        ([(CACHE_CONTROL, for_a_second)], problem).into_response()
    }
}

impl From<ReadError> for VodError {
    fn from(_: ReadError) -> Self {
        Self::NoFile
    }
}

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Rooms {
    recordings: Recordings,
    accounts: Accounts,
}

/// Playlists and lists may change, when a recording is deleted or hidden.
const LIST_SECONDS: u32 = 10;
const DAY_SECONDS: u32 = 24 * 3_600;
const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const JPEG: &str = "image/jpeg";

pub(super) fn routes(recordings: Recordings, accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(multivariant))
        .routes(routes!(thumbnail))
        .routes(routes!(show_storyboard))
        .route("/vod/{id}/{rendition}/index.m3u8", get(playlist))
        .route("/vod/{id}/thumbs/{name}", get(picture))
        .route("/vod/{id}/{rendition}/{name}", get(file))
        .layer(answer::OpenToAll)
        .with_state(Rooms {
            recordings,
            accounts,
        })
}

/// The recording of the path, if whoever asks may watch it, or the beginning of it.
struct Watched {
    recordings: Recordings,
    recording: Recording,
    /// Caches that many share must not keep it.
    is_for_one: bool,
    /// Seconds of it that a preview shows, where that is all.
    preview_s: Option<u32>,
    /// The first part of the addresses of its playlists, with the pass, where it has a gate.
    word: Option<String>,
}

/// As [`Watched`], for its pictures, which show more than a preview does.
struct Pictured(Watched);

impl FromRequestParts<Rooms> for Watched {
    type Rejection = VodError;

    async fn from_request_parts(parts: &mut Parts, rooms: &Rooms) -> Result<Self, VodError> {
        Self::let_in(parts, rooms, true).await
    }
}

impl FromRequestParts<Rooms> for Pictured {
    type Rejection = VodError;

    async fn from_request_parts(parts: &mut Parts, rooms: &Rooms) -> Result<Self, VodError> {
        Ok(Self(Watched::let_in(parts, rooms, false).await?))
    }
}

impl Watched {
    async fn let_in(parts: &mut Parts, rooms: &Rooms, is_media: bool) -> Result<Self, VodError> {
        // Of two or three segments; the first is the id, with a pass behind it perhaps.
        let word = parts.uri.path().split('/').nth(2).unwrap_or_default();
        let (id, pass) = split_pass(word);
        let (id, pass) = (Uuid::parse_str(id).ok(), pass.map(str::to_owned));
        let id = id.ok_or(VodError::Unknown)?;
        let found = rooms.recordings.0.look_up(RecordingId(id)).await?;
        let recording = found.ok_or(VodError::Unknown)?;
        if recording.visibility == Visibility::Private && !has_say(parts, rooms, &recording).await?
        {
            return Err(VodError::Unknown);
        }
        let client = Client::from_request_parts(parts, rooms).await;
        let client = client.map_err(|_| VodError::Unknown)?;
        let place = rooms.recordings.0.watched_place(&recording);
        let Entrance { by, pass } = rooms
            .recordings
            .0
            .gates
            .let_in(&place, pass.as_deref(), is_media, &client, &parts.headers)
            .await?;
        let is_private = recording.visibility == Visibility::Private;
        match recording.state {
            State::Ready => Ok(Self {
                recordings: rooms.recordings.clone(),
                is_for_one: by != By::Open || is_private,
                preview_s: matches!(by, By::Preview(_)).then_some(place.lock.preview_s),
                word: pass.map(|pass| format!("{id}.{pass}")),
                recording,
            }),
            State::Recording => Err(VodError::Running),
            State::Failed => Err(VodError::Unreadable),
        }
    }

    fn preview(&self) -> Option<Duration> {
        self.preview_s
            .map(|seconds| Duration::from_secs(seconds.into()))
    }
}

impl Inner {
    /// The recording as a place that somebody wants into.
    fn watched_place(&self, recording: &Recording) -> Place {
        let handle = self.channels.gated_handle(recording.channel);
        // Of a channel that is open to all the name does not matter here.
        recording.place(&handle.unwrap_or_default())
    }
}

async fn has_say(
    parts: &mut Parts,
    rooms: &Rooms,
    recording: &Recording,
) -> Result<bool, VodError> {
    let client = Client::from_request_parts(parts, rooms).await;
    let Ok(client) = client else { return Ok(false) };
    let account = accounts::asking(&rooms.accounts, &client, &parts.headers).await?;
    let channel = rooms.recordings.0.channels.by_id(recording.channel).await?;
    Ok(account
        .zip(channel)
        .is_some_and(|(account, channel)| account.has_say_over(channel.owner)))
}

impl Watched {
    async fn open(&self) -> Result<Recorded, VodError> {
        let opened = self.recordings.0.open(&self.recording).await;
        opened.map_err(|error| {
            let id = self.recording.id;
            tracing::error!(recording.id = %id, %error, "Recording {id} cannot be opened: {error}");
            VodError::Unreadable
        })
    }

    /// What may be kept by any cache of a public recording is the browser's own of a private one.
    fn caching(&self, caching: Caching) -> Caching {
        match (self.is_for_one, caching) {
            // What is looked at with every request is kept nowhere.
            (true, _) if self.word.is_some() => Caching::Never,
            (true, Caching::Immutable) => Caching::PrivateSeconds(DAY_SECONDS),
            (true, Caching::Seconds(seconds)) => Caching::PrivateSeconds(seconds),
            _ => caching,
        }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.recordings.0.folder(self.recording.stream)
    }

    async fn picture(
        &self,
        path: Option<std::path::PathBuf>,
        caching: Caching,
        headers: &HeaderMap,
    ) -> Result<Response, VodError> {
        let path = path.ok_or(VodError::NoFile)?;
        let name = path.file_stem().and_then(|name| name.to_str());
        let content = Content {
            kind: JPEG,
            tag: name.unwrap_or_default(),
            caching: self.caching(caching),
        };
        let file = content.file(&path, headers).await;
        file.map_err(|_| VodError::NoFile)
    }
}

/// Watch a recording by HLS.
#[utoipa::path(
    get, path = "/vod/{id}/index.m3u8", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn multivariant(watched: Watched, headers: HeaderMap) -> Result<Response, VodError> {
    // Beside the address of this playlist, which has no pass yet.
    let prefix = watched.word.as_ref().map(|word| format!("../{word}/"));
    let rendered = watched.open().await?;
    let rendered = rendered.multivariant(&prefix.unwrap_or_default())?;
    Ok(lists(&watched, &rendered, &headers))
}

async fn playlist(
    watched: Watched,
    Path((_, rendition)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, VodError> {
    let recorded = watched.open().await?;
    let rendered = match watched.word {
        None => recorded.playlist(&rendition)?,
        Some(_) => recorded.playlist_of_own(&rendition, watched.preview())?,
    };
    Ok(lists(&watched, &rendered, &headers))
}

fn lists(watched: &Watched, rendered: &hls::Rendered, headers: &HeaderMap) -> Response {
    let content = Content {
        kind: PLAYLIST,
        tag: rendered.etag(),
        caching: watched.caching(Caching::Seconds(LIST_SECONDS)),
    };
    content.rendered(rendered, headers)
}

async fn file(
    watched: Watched,
    Path((_, rendition, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, VodError> {
    let recorded = watched.open().await?;
    if let Some(longest) = watched.preview()
        && !recorded.is_of_beginning(&rendition, &name, longest)
    {
        return Err(VodError::BehindPreview);
    }
    let body = recorded.file(&rendition, &name).await?;
    let is_video = recorded.media(&rendition).is_some_and(hls::Media::is_video);
    let content = Content {
        kind: if is_video { "video/mp4" } else { "audio/mp4" },
        // It was found by these names, so that they are plain.
        tag: &format!("{rendition}-{name}-{}", body.len()),
        caching: watched.caching(Caching::Immutable),
    };
    Ok(content.bytes(body, &headers))
}

/// A picture of the recording, for cards.
#[utoipa::path(
    get, path = "/vod/{id}/thumbnail.jpg", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 200, content_type = "image/jpeg"), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn thumbnail(Pictured(watched): Pictured, headers: HeaderMap) -> Result<Response, VodError> {
    // Opening it brings pictures back that are in the store alone.
    watched.open().await?;
    let poster = storyboard::poster(&watched.folder()).await;
    let poster = poster.map_err(|_| VodError::Unreadable)?;
    watched
        .picture(poster, Caching::Seconds(LIST_SECONDS), &headers)
        .await
}

/// The pictures for the seek bar: `images` in the order of their `unix_ms`, each with its `uri`
/// relative to this list.
#[utoipa::path(
    get, path = "/vod/{id}/storyboard.json", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = serde_json::Value), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn show_storyboard(Pictured(watched): Pictured) -> Result<Response, VodError> {
    let start = watched.open().await?.start_unix_ms();
    let storyboard = storyboard::read(&watched.folder(), start).await;
    let storyboard = storyboard.map_err(|_| VodError::Unreadable)?;
    let caching = watched.caching(Caching::Seconds(LIST_SECONDS)).value();
    Ok(([(CACHE_CONTROL, caching)], Json(storyboard)).into_response())
}

async fn picture(
    Pictured(watched): Pictured,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, VodError> {
    watched.open().await?;
    let path = storyboard::picture(&watched.folder(), &name);
    watched.picture(path, Caching::Immutable, &headers).await
}
