//! `/hls`: playlists, segments and pictures of live streams, for any page and any cache.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hls::{PlaylistRequest, ReadError, Rendered};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{OnAir, Playback};
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
            response.headers_mut().insert(CACHE_CONTROL, FOR_A_SECOND);
        }
        response
    }
}

const FOR_A_SECOND: HeaderValue = HeaderValue::from_static("public, max-age=1");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_TEN_SECONDS: HeaderValue = HeaderValue::from_static("public, max-age=10");
const ANY: HeaderValue = HeaderValue::from_static("*");
const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const JPEG: HeaderValue = HeaderValue::from_static("image/jpeg");

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
        .layer(from_fn(open_to_all))
        .with_state(playback)
}

/// Middleware: pages of other sites may play, without credentials (RELIABILITY section 6).
async fn open_to_all(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    let policy = HeaderValue::from_static("cross-origin");
    headers.insert("cross-origin-resource-policy", policy);
    response
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
    Ok(playlist_response(&rendered, &FOR_A_SECOND, &headers))
}

async fn playlist(
    State(playback): State<Playback>,
    Path((handle, token, rendition)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, HlsError> {
    let on_air = by_token(&playback, &handle, &token)?;
    let request = directives(query.as_deref().unwrap_or_default())?;
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
    // What a blocking request names is there once and for all; the rest is as old as half a target.
    let seconds = match request.msn {
        Some(_) => target * 6,
        None => 1,
    };
    let caching = HeaderValue::from_str(&format!("public, max-age={seconds}"));
    let caching = caching.unwrap_or(FOR_A_SECOND);
    Ok(playlist_response(&rendered, &caching, &headers))
}

async fn file(
    State(playback): State<Playback>,
    Path((handle, token, rendition, name)): Path<(String, String, String, String)>,
) -> Result<Response, HlsError> {
    let on_air = by_token(&playback, &handle, &token)?;
    let body = on_air.origin.file(&rendition, &name).await?;
    let media = match rendition.starts_with('v') {
        true => HeaderValue::from_static("video/mp4"),
        false => HeaderValue::from_static("audio/mp4"),
    };
    let length = HeaderValue::from(body.len());
    let pieces = body.0.into_iter().map(Ok::<_, std::convert::Infallible>);
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let headers = [
        (CONTENT_TYPE, media),
        (CACHE_CONTROL, FOR_EVER),
        (CONTENT_LENGTH, length),
    ];
    Ok((headers, body).into_response())
}

/// A small picture of what is on air, of the last ten seconds.
#[utoipa::path(
    get, path = "/hls/{handle}/thumbnail.jpg", tag = "hls", params(("handle" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 404, body = Problem)),
)]
async fn thumbnail(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let jpeg = on_air.thumbnails.newest().ok_or(ReadError::NotFound)?;
    Ok(picture_response(jpeg, FOR_TEN_SECONDS))
}

async fn storyboard(
    State(playback): State<Playback>,
    Path(handle): Path<String>,
) -> Result<Response, HlsError> {
    let on_air = playback.newest(&handle).ok_or(HlsError::NotLive)?;
    let storyboard = on_air
        .thumbnails
        .storyboard(&format!("{}/thumbs/", on_air.token));
    Ok(([(CACHE_CONTROL, FOR_A_SECOND)], Json(storyboard)).into_response())
}

async fn picture(
    State(playback): State<Playback>,
    Path((handle, token, name)): Path<(String, String, String)>,
) -> Result<Response, HlsError> {
    let on_air = by_token(&playback, &handle, &token)?;
    let jpeg = on_air.thumbnails.file(&name).await;
    Ok(picture_response(jpeg.ok_or(ReadError::NotFound)?, FOR_EVER))
}

fn by_token(
    playback: &Playback,
    handle: &str,
    token: &str,
) -> Result<std::sync::Arc<OnAir>, HlsError> {
    playback.by_token(handle, token).ok_or(HlsError::NotLive)
}

fn picture_response(jpeg: Bytes, caching: HeaderValue) -> Response {
    ([(CONTENT_TYPE, JPEG), (CACHE_CONTROL, caching)], jpeg).into_response()
}

fn playlist_response(rendered: &Rendered, caching: &HeaderValue, request: &HeaderMap) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", rendered.etag()));
    let tag = tag.unwrap_or(HeaderValue::from_static("\"\""));
    let shared = [
        (CACHE_CONTROL, caching.clone()),
        (ETAG, tag.clone()),
        (VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if request.get(IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    let typed = [(CONTENT_TYPE, PLAYLIST)];
    if takes_gzip(request) {
        let gzip = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return (shared, typed, gzip, rendered.gzip()).into_response();
    }
    (shared, typed, rendered.text()).into_response()
}

fn takes_gzip(request: &HeaderMap) -> bool {
    request
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value.split(',').any(|coding| {
                let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
                name.trim() == "gzip" && weight.trim() != "q=0"
            })
        })
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

    #[test]
    fn gzip_is_given_to_who_takes_it() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_gzip(&headers)
        };
        assert!(with("gzip, deflate, br") && with("br;q=1.0, gzip;q=0.5"));
        assert!(!with("br") && !with("gzip;q=0") && !takes_gzip(&HeaderMap::new()));
    }
}
