//! `/hls`: playlists, segments and pictures of live streams, for any page and any cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hls::{Body, PlaylistRequest, ReadError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{OnAir, Playback};
use crate::answer::{self, Caching, Content};
use crate::error::Problem;

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
enum HlsError {
    #[error("nothing is on air at this address")]
    NotLive,
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Query(&'static str),
}

impl HlsError {
    fn problem(&self) -> Problem {
        let words = self.to_string();
        let problem = |status, code| Problem::new(status, code, words.clone());
        match self {
            Self::NotLive => problem(StatusCode::NOT_FOUND, "not_live"),
            Self::Unavailable(_) => problem(StatusCode::NOT_FOUND, "hls_unavailable"),
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

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const JPEG: &str = "image/jpeg";

/// The routes of live HLS.
pub(in super::super) fn routes(playback: Playback) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(multivariant))
        .routes(routes!(thumbnail))
        .route("/hls/{handle}/storyboard.json", get(storyboard))
        .route("/hls/{handle}/{token}/thumbs/{name}", get(picture))
        .route(
            "/hls/{handle}/{token}/{rendition}/index.m3u8",
            get(playlist),
        )
        .route("/hls/{handle}/{token}/{rendition}/{name}", get(file))
        .layer(answer::OpenToAll)
        .with_state(playback)
}

/// Watch a channel by HLS, low-latency where the player can.
#[utoipa::path(
    get, path = "/hls/{handle}/index.m3u8", tag = "hls", params(("handle" = String, Path)),
    responses(
        (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn multivariant(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    if let Some(reason) = on_air.unavailable() {
        return Err(HlsError::Unavailable(reason));
    }
    let rendered = on_air
        .origin
        .multivariant(&format!("{}/", on_air.token))
        .await?;
    let content = Content {
        kind: PLAYLIST,
        tag: rendered.etag(),
        caching: Caching::Seconds(1),
    };
    Ok(content.rendered(&rendered, &headers))
}

async fn playlist(
    State(playback): State<Playback>,
    Path((handle, token, rendition)): Path<(String, String, String)>,
    asked: Request,
) -> Result<Response, HlsError> {
    let (asked, _) = asked.into_parts();
    let on_air = by_token(&playback, &handle, &token)?;
    let request = directives(asked.uri.query().unwrap_or_default())?;
    // The sound is read beside a picture, and would count twice.
    let counts = rendition.starts_with('v');
    let _waiting = match request.msn {
        Some(_) if counts => Some(on_air.readers.wait()),
        None if counts => {
            on_air.readers.poll();
            None
        }
        _ => None,
    };
    let rendered = on_air.origin.playlist(&rendition, request).await?;
    let target = playback.0.settings.target_duration().as_secs();
    let content = Content {
        kind: PLAYLIST,
        tag: rendered.etag(),
        // What a blocking request names is there once and for all; the rest is soon old.
        caching: Caching::Seconds(match request.msn {
            Some(_) => u32::try_from(target * 6).unwrap_or(u32::MAX),
            None => 1,
        }),
    };
    Ok(content.rendered(&rendered, &asked.headers))
}

async fn file(
    State(playback): State<Playback>,
    Path((handle, token, rendition, name)): Path<(String, String, String, String)>,
    asked: Request,
) -> Result<Response, HlsError> {
    let (asked, _) = asked.into_parts();
    let on_air = by_token(&playback, &handle, &token)?;
    let body = on_air.origin.file(&rendition, &name).await?;
    let content = Content {
        kind: if rendition.starts_with('v') {
            "video/mp4"
        } else {
            "audio/mp4"
        },
        // It was found by these names, so that they are plain.
        tag: &format!("{rendition}-{name}"),
        caching: Caching::Immutable,
    };
    Ok(content.bytes(body, &asked.headers))
}

/// A small picture of what is on air, of the last ten seconds.
#[utoipa::path(
    get, path = "/hls/{handle}/thumbnail.jpg", tag = "hls", params(("handle" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 404, body = Problem)),
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
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let prefix = format!("{}/", on_air.token);
    let storyboard = on_air.thumbnails.storyboard(&prefix);
    let caching = [(CACHE_CONTROL, Caching::Seconds(1).value())];
    Ok((caching, Json(storyboard)).into_response())
}

async fn picture(
    State(playback): State<Playback>,
    Path((handle, token, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let on_air = by_token(&playback, &handle, &token)?;
    let jpeg = on_air.thumbnails.file(&name).await;
    let jpeg = jpeg.ok_or(ReadError::NotFound)?;
    Ok(picture_of(&name, jpeg, Caching::Immutable, &headers))
}

fn by_token(playback: &Playback, handle: &str, token: &str) -> Result<Arc<OnAir>, HlsError> {
    playback.by_token(handle, token).ok_or(HlsError::NotLive)
}

fn picture_of(tag: &str, jpeg: Bytes, caching: Caching, request: &HeaderMap) -> Response {
    let content = Content {
        kind: JPEG,
        tag,
        caching,
    };
    content.bytes(Body(vec![jpeg]), request)
}

/// Reads the delivery directives (draft-pantos-hls-rfc8216bis §6.2.5). Other parameters are not
/// ours and mean nothing.
fn directives(query: &str) -> Result<PlaylistRequest, HlsError> {
    let mut given = HashMap::new();
    for pair in query.split('&').filter(|pair| pair.starts_with("_HLS_")) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if given.insert(name, value).is_some() {
            return Err(HlsError::Query("a delivery directive is there twice"));
        }
    }
    let msn = number(&given, "_HLS_msn")?;
    let part = number(&given, "_HLS_part")?;
    let skip = match given.get("_HLS_skip") {
        None => false,
        Some(&("YES" | "v2")) => true,
        Some(_) => return Err(HlsError::Query("_HLS_skip is YES or v2")),
    };
    Ok(PlaylistRequest { msn, part, skip })
}

fn number<T: std::str::FromStr>(
    given: &HashMap<&str, &str>,
    name: &str,
) -> Result<Option<T>, HlsError> {
    let Some(text) = given.get(name) else {
        return Ok(None);
    };
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| is_decimal);
    let wrong = HlsError::Query("_HLS_msn and _HLS_part are decimal numbers");
    read.map(Some).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_directives_are_read_and_hostile_ones_refused() {
        let read = directives("_HLS_msn=12&_HLS_part=3&_HLS_skip=YES&x=%00").unwrap();
        assert_eq!(
            read,
            PlaylistRequest {
                msn: Some(12),
                part: Some(3),
                skip: true
            }
        );
        assert_eq!(directives("").unwrap(), PlaylistRequest::default());
        for hostile in [
            "_HLS_msn=",
            "_HLS_msn",
            "_HLS_msn=-1",
            "_HLS_msn=+1",
            "_HLS_msn=1e3",
            "_HLS_msn=99999999999999999999",
            "_HLS_msn=1&_HLS_msn=2",
            "_HLS_part=%31",
            "_HLS_skip=no",
        ] {
            assert!(directives(hostile).is_err(), "{hostile}");
        }
    }
}
