//! `/hls`: playlists, segments and pictures of live streams, for any page and any cache.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hls::{Body, ReadError};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::doorway::{Entered, pass_gate};
use super::media::{FILE_ROUTE, MediaFile, MediaRequest, PLAYLIST_ROUTE, STEERING_ROUTE};
use super::{OnAir, Playback};
use crate::answer::{self, Caching, Content};
use crate::error::Problem;
use crate::gates::split_pass;
use crate::request::{self, Client};
use crate::streams::hooks::{Action, Asking, HookRefusal};
use crate::streams::stream_uuid;
use crate::telemetry::count_join;

/// Which pathway is to be taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct SteeringManifest {
    version: u8,
    /// In seconds.
    ttl: u64,
    #[serde(rename = "PATHWAY-PRIORITY")]
    priority: Vec<String>,
}

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
pub(super) enum HlsError {
    #[error("nothing is on air at this address")]
    NotLive,
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Query(&'static str),
    #[error(transparent)]
    Hook(#[from] HookRefusal),
    #[error("the free preview is of what is on air now")]
    Rewound,
}

impl HlsError {
    fn problem(&self) -> Problem {
        let words = self.to_string();
        let problem = |status, code| Problem::new(status, code, words.clone());
        match self {
            Self::NotLive => problem(StatusCode::NOT_FOUND, "not_live"),
            Self::Unavailable(_) => problem(StatusCode::NOT_FOUND, "hls_unavailable"),
            Self::Hook(refusal) => refusal.problem(),
            Self::Rewound => problem(StatusCode::FORBIDDEN, "preview_is_of_now"),
            Self::Query(_) => problem(StatusCode::BAD_REQUEST, "query_invalid"),
            Self::Read(error) => match error {
                ReadError::NotFound => problem(StatusCode::NOT_FOUND, "not_found"),
                ReadError::PartWithoutSegment | ReadError::TooFarAhead => {
                    problem(StatusCode::BAD_REQUEST, "query_invalid")
                }
                ReadError::Late | ReadError::TooManyWaiters => {
                    problem(StatusCode::SERVICE_UNAVAILABLE, "not_ready")
                        .retry_after(Duration::from_secs(2))
                }
                _ => problem(StatusCode::NOT_FOUND, "not_found"),
            },
        }
    }
}

impl IntoResponse for HlsError {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        // A cache in front takes the load of players that ask too early, and forgets it at once.
        if response.status() == StatusCode::NOT_FOUND {
            let a_second = Caching::Seconds(1).value();
            response.headers_mut().insert(CACHE_CONTROL, a_second);
        }
        response
    }
}

pub(super) const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// Players ask again after this time.
const STEERED_FOR: Duration = Duration::from_secs(300);
const STEERING_FRESH_SECONDS: u32 = 30;
const JPEG: &str = "image/jpeg";

/// The routes of live HLS.
pub(in super::super) fn routes(playback: Playback) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(multivariant))
        .routes(routes!(thumbnail))
        .route("/hls/{handle}/storyboard.json", get(storyboard))
        .route(STEERING_ROUTE, get(steering))
        .route("/hls/{handle}/{token}/thumbs/{name}", get(picture))
        .route(PLAYLIST_ROUTE, get(playlist))
        .route(FILE_ROUTE, get(file))
        .layer(from_fn_with_state(playback.clone(), pass_gate))
        .layer(answer::OpenToAll)
        .with_state(playback)
}

/// Watch a channel by HLS, low-latency where the player can.
#[utoipa::path(
    get, path = "/hls/{handle}/index.m3u8", tag = "hls", params(("handle" = String, Path)),
    responses(
        (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn multivariant(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
    Extension(entered): Extension<Entered>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    // Media have addresses that nobody knows who did not get this playlist.
    playback.ask_hook(&handle, &client, &headers).await?;
    if let Some(reason) = on_air.unavailable() {
        return Err(HlsError::Unavailable(reason));
    }
    let word = Playback::media_word(&on_air, &entered)?;
    let rendered = on_air.origin.multivariant(&format!("{word}/")).await?;
    let content = Content {
        kind: PLAYLIST,
        tag: rendered.etag(),
        caching: Caching::Live,
    };
    let mut response = content.rendered(&rendered, &headers);
    count_join("hls");
    if playback.0.hooks.are_for_plays() {
        // What one may see is no cache's to give to all.
        let own = HeaderValue::from_static("private, no-store");
        response.headers_mut().insert(CACHE_CONTROL, own);
    }
    Ok(response)
}

impl Playback {
    /// The part of the addresses of a stream's media that nobody can guess; with a pass, where there is a
    /// gate.
    fn media_word(on_air: &OnAir, entered: &Entered) -> Result<String, HlsError> {
        let token = &on_air.token;
        let Entered::Gate(through) = entered else {
            return Ok(token.clone());
        };
        // Another stream may have begun since.
        if through.place.id != stream_uuid(on_air.stream) {
            return Err(HlsError::NotLive);
        }
        let pass = through.pass.as_ref();
        Ok(pass.map_or_else(|| token.clone(), |pass| format!("{token}.{pass}")))
    }

    async fn ask_hook(
        &self,
        handle: &str,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<(), HookRefusal> {
        let asking = Asking {
            action: Action::Play,
            channel: handle,
            stream_key_id: None,
            address: client.address,
            user_agent: request::user_agent(headers),
            protocol: "hls",
        };
        self.0.hooks.ask_for_reader(&asking).await
    }
}

async fn playlist(
    State(playback): State<Playback>,
    Path((handle, token, rendition)): Path<(String, String, String)>,
    Extension(entered): Extension<Entered>,
    asked: Request,
) -> Response {
    let (head, _) = asked.into_parts();
    let (token, pass) = split_pass(&token);
    let wanted = MediaRequest {
        handle: &handle,
        token,
        pass,
        rendition: &rendition,
        file: MediaFile::Playlist(None),
        head: &head,
    };
    playback.media(&wanted, entered).await
}

async fn file(
    State(playback): State<Playback>,
    Path((handle, token, rendition, name)): Path<(String, String, String, String)>,
    Extension(entered): Extension<Entered>,
    asked: Request,
) -> Response {
    let (head, _) = asked.into_parts();
    let (token, pass) = split_pass(&token);
    let wanted = MediaRequest {
        handle: &handle,
        token,
        pass,
        rendition: &rendition,
        file: MediaFile::of(&name),
        head: &head,
    };
    playback.media(&wanted, entered).await
}

/// A small picture of what is on air, of the last ten seconds.
#[utoipa::path(
    get, path = "/hls/{handle}/thumbnail.jpg", tag = "hls", params(("handle" = String, Path)),
    responses(
        (status = 200, content_type = "image/jpeg"), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn thumbnail(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let (unix_ms, jpeg) = on_air.thumbnails.newest().ok_or(ReadError::NotFound)?;
    Ok(picture_of(
        &unix_ms.to_string(),
        jpeg,
        Caching::Seconds(10),
        &headers,
    ))
}

async fn storyboard(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
    Extension(entered): Extension<Entered>,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let prefix = Playback::media_word(&on_air, &entered)? + "/";
    let storyboard = on_air.thumbnails.storyboard(&prefix);
    let caching = [(CACHE_CONTROL, Caching::Seconds(1).value())];
    Ok((caching, Json(storyboard)).into_response())
}

/// Tells players which CDN to take (draft-pantos-hls-rfc8216bis §7.2): the same to all, so that a cache in
/// front may leave out the query.
async fn steering(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let pathways = on_air.origin.pathways();
    if pathways.is_empty() {
        return Err(ReadError::NotFound.into());
    }
    let manifest = SteeringManifest {
        version: 1,
        ttl: STEERED_FOR.as_secs(),
        priority: pathways.iter().map(hls::Pathway::id).collect(),
    };
    let caching = [(
        CACHE_CONTROL,
        Caching::Seconds(STEERING_FRESH_SECONDS).value(),
    )];
    Ok((caching, Json(manifest)).into_response())
}

async fn picture(
    State(playback): State<Playback>,
    Path((handle, token, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let (token, _) = split_pass(&token);
    let on_air = by_token(&playback, &handle, token)?;
    let jpeg = on_air.thumbnails.file(&name).await;
    let jpeg = jpeg.ok_or(ReadError::NotFound)?;
    Ok(picture_of(&name, jpeg, Caching::Immutable, &headers))
}

fn by_token(playback: &Playback, handle: &str, token: &str) -> Result<Arc<OnAir>, HlsError> {
    playback
        .by_token(handle, token, None)
        .ok_or(HlsError::NotLive)
}

fn picture_of(tag: &str, jpeg: Bytes, caching: Caching, request: &HeaderMap) -> Response {
    let content = Content {
        kind: JPEG,
        tag,
        caching,
    };
    content.bytes(Body(vec![jpeg]), request)
}
