//! Media over HTTP: caching, entity tags, compression, ranges (RFC 9110 §13, §14), and pages of
//! other sites.

use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, MapOk, Ready, TryFutureExt as _, ready};
use futures_util::stream::iter;
use hls::Rendered;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use tower::{Layer, Service};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// How long an answer may be kept by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// By anybody, for ever: another content has another name.
    Immutable,
    /// By anybody, for so many seconds.
    Seconds(u32),
    /// By anybody, for a second: what is soon old. A cache in front may tell the last for a second longer,
    /// while it asks, and for a minute while it gets no answer (RFC 5861).
    Live,
    /// By the browser that asked, for so many seconds.
    PrivateSeconds(u32),
    /// By nobody: who may have it is looked at with every request.
    Never,
}

impl Caching {
    /// The value of `Cache-Control`.
    #[must_use]
    pub fn value(self) -> HeaderValue {
        let text = match self {
            Self::Immutable => {
                return HeaderValue::from_static("public, max-age=31536000, immutable");
            }
            Self::Never => return HeaderValue::from_static("private, no-store"),
            Self::Live => {
                return HeaderValue::from_static(
                    "public, max-age=1, stale-while-revalidate=1, stale-if-error=60",
                );
            }
            Self::Seconds(seconds) => format!("public, max-age={seconds}"),
            Self::PrivateSeconds(seconds) => format!("private, max-age={seconds}"),
        };
        moved(text).unwrap_or(HeaderValue::from_static("no-store"))
    }
}

/// What is answered with.
#[derive(Debug)]
pub struct Content<'a> {
    /// Media type.
    pub kind: &'static str,
    /// Strong entity tag without quotes; characters that headers can hold.
    pub tag: &'a str,
    /// How long it may be kept.
    pub caching: Caching,
}

impl Content<'_> {
    /// Answers with bytes that are in memory, or the range of them that is asked for.
    #[must_use]
    pub fn bytes(&self, body: hls::Body, request: &HeaderMap) -> Response {
        let length = body.len();
        let size_bytes = u64::try_from(length).unwrap_or(u64::MAX);
        self.ranged(size_bytes, request, |range| {
            let from = usize::try_from(range.start).unwrap_or(length);
            let to = usize::try_from(range.end).unwrap_or(length);
            let mut pieces = match to - from == length {
                true => body.0,
                false => body.slice(from..to).0,
            };
            match pieces.len() {
                // A part is of one piece, shared by all who get it; it goes out with its head in one call.
                0 | 1 => Body::from(pieces.pop().unwrap_or_default()),
                _ => Body::from_stream(iter(pieces.into_iter().map(Ok::<Bytes, Infallible>))),
            }
        })
    }

    /// Answers with a file, or the range of it that is asked for. It is sent piece by piece.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn file(&self, path: &Path, request: &HeaderMap) -> io::Result<Response> {
        let mut file = File::open(path).await?;
        let size_bytes = file.metadata().await?.len();
        if let Ok(Some(range)) = self.wanted(size_bytes, request) {
            file.seek(io::SeekFrom::Start(range.start)).await?;
        }
        Ok(self.ranged(size_bytes, request, |range| {
            let piece = file.take(range.end - range.start);
            Body::from_stream(ReaderStream::with_capacity(piece, 128 * 1024))
        }))
    }

    /// Answers with text, compressed for who takes that.
    #[must_use]
    pub fn rendered(&self, rendered: &Rendered, request: &HeaderMap) -> Response {
        let coding = Coding::wanted(request);
        let mut headers = self.headers(coding.suffix());
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if is_known(request, &headers) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if let Some(name) = coding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        let body = match coding {
            Coding::Plain => rendered.text(),
            Coding::Gzip => rendered.gzip(),
            Coding::Brotli => rendered.brotli(),
        };
        answer(StatusCode::OK, headers, body.into())
    }

    /// Answers with what `body` makes of the range that is asked for, of a content of that size.
    pub fn ranged(
        &self,
        size_bytes: u64,
        request: &HeaderMap,
        body: impl FnOnce(Range<u64>) -> Body,
    ) -> Response {
        let mut headers = self.headers("");
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if is_known(request, &headers) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let Ok(wanted) = self.wanted(size_bytes, request) else {
            let unsatisfied = HeaderValue::from_str(&format!("bytes */{size_bytes}"));
            headers.extend(unsatisfied.ok().map(|value| (CONTENT_RANGE, value)));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        let (status, range) = match wanted {
            None => (StatusCode::OK, 0..size_bytes),
            Some(range) => {
                let (first, last) = (range.start, range.end.saturating_sub(1));
                let told = HeaderValue::from_str(&format!("bytes {first}-{last}/{size_bytes}"));
                headers.extend(told.ok().map(|value| (CONTENT_RANGE, value)));
                (StatusCode::PARTIAL_CONTENT, range)
            }
        };
        headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        answer(status, headers, body(range))
    }

    fn headers(&self, suffix: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(CACHE_CONTROL, self.caching.value());
        let tag = moved(format!("\"{}{suffix}\"", self.tag));
        headers.extend(tag.map(|tag| (ETAG, tag)));
        headers
    }

    fn wanted(
        &self,
        size_bytes: u64,
        request: &HeaderMap,
    ) -> Result<Option<Range<u64>>, Unsatisfiable> {
        let text = |name| request.get(name).and_then(|value| value.to_str().ok());
        let Some(range) = text(RANGE) else {
            return Ok(None);
        };
        // RFC 9110 §13.1.5: of another content the client has to get everything.
        if text(IF_RANGE).is_some_and(|tag| tag.trim_matches('"') != self.tag) {
            return Ok(None);
        }
        parse_range(range, size_bytes)
    }
}

/// The text as the value of a header, where it can be one. It is moved, not copied.
fn moved(text: String) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
}

/// Room for the headers of an answer with those that the middleware adds, so that the map does not
/// grow on its way out.
const HEADERS: usize = 24;

/// Moves the headers into the answer, which as a tuple would copy them one by one.
fn answer(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// No byte of the content lies in the range.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

/// Reads `Range` (RFC 9110 §14.1.2). What is malformed, of another unit, or more than one range
/// gets everything.
fn parse_range(text: &str, size_bytes: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let parsed = text.strip_prefix("bytes=").and_then(|range| {
        let (first, last) = range.trim().split_once('-')?;
        match (decimal(first), decimal(last)) {
            (Some(first), Some(last)) if first <= last => {
                Some(first..last.saturating_add(1).min(size_bytes))
            }
            (Some(first), None) if last.is_empty() => Some(first..size_bytes),
            (None, Some(last)) if first.is_empty() => {
                let from = size_bytes.saturating_sub(last);
                Some(if last == 0 {
                    size_bytes..size_bytes
                } else {
                    from..size_bytes
                })
            }
            _ => None,
        }
    });
    match parsed {
        Some(range) if range.start >= size_bytes => Err(Unsatisfiable),
        other => Ok(other),
    }
}

fn decimal(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

/// Whether the client has it already (RFC 9110 §13.1.2).
fn is_known(request: &HeaderMap, headers: &HeaderMap) -> bool {
    let known = request
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let tag = headers.get(ETAG).and_then(|value| value.to_str().ok());
    let (Some(known), Some(tag)) = (known, tag) else {
        return false;
    };
    let mut known = known
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"));
    known.any(|known| known == tag || known == "*")
}

/// How text is compressed (RFC 9110 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
    Brotli,
}

impl Coding {
    /// The smallest that is taken.
    fn wanted(request: &HeaderMap) -> Self {
        let accepted = request.get(ACCEPT_ENCODING);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        let takes = |wanted: &str| {
            accepted.is_some_and(|value| {
                value.split(',').any(|coding| {
                    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
                    name.trim() == wanted && weight.trim() != "q=0"
                })
            })
        };
        match (takes("br"), takes("gzip")) {
            (true, _) => Self::Brotli,
            (false, true) => Self::Gzip,
            (false, false) => Self::Plain,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    /// For entity tags: other bytes, another tag.
    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => "-gzip",
            Self::Brotli => "-br",
        }
    }
}

/// Layer: pages of other sites may read it, without credentials.
#[derive(Debug, Clone, Copy)]
pub struct OpenToAll;

/// A service under [`OpenToAll`]. Written out, since `from_fn` boxes what it wraps and clones it
/// twice for every request.
#[derive(Debug, Clone)]
pub struct Open<S>(S);

impl<S> Layer<S> for OpenToAll {
    type Service = Open<S>;

    fn layer(&self, inner: S) -> Open<S> {
        Open(inner)
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Open<S> {
    type Response = Response;
    type Error = S::Error;
    type Future =
        Either<Ready<Result<Response, S::Error>>, MapOk<S::Future, fn(Response) -> Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // A preflight is answered for every address.
        if request.method() == Method::OPTIONS {
            let answer = opened(StatusCode::NO_CONTENT.into_response());
            return Either::Left(ready(Ok(answer)));
        }
        Either::Right(self.0.call(request).map_ok(opened))
    }
}

/// The answer of [`OpenToAll`].
pub fn opened(mut response: Response) -> Response {
    let fixed = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, range"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "content-range, etag"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
        (RESOURCE_POLICY, "cross-origin"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        let read = |text| parse_range(text, 100);
        assert_eq!(read("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(read("bytes=10-"), Ok(Some(10..100)));
        assert_eq!(read("bytes=90-500"), Ok(Some(90..100)));
        assert_eq!(read("bytes=-30"), Ok(Some(70..100)));
        assert_eq!(read("bytes=-500"), Ok(Some(0..100)));
        for unsatisfiable in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(read(unsatisfiable), Err(Unsatisfiable), "{unsatisfiable}");
        }
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=+1-2",
            "bytes=1-2,5-6",
            "items=0-1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(read(ignored), Ok(None), "{ignored}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Err(Unsatisfiable));
    }

    #[test]
    fn text_is_compressed_for_who_takes_it() {
        let with = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            Coding::wanted(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]))
        };
        assert_eq!(with("gzip, deflate, br"), Coding::Brotli);
        assert_eq!(with("br;q=0, gzip;q=0.5"), Coding::Gzip);
        assert_eq!(with("gzip;q=0"), Coding::Plain);
        assert_eq!(Coding::wanted(&HeaderMap::new()), Coding::Plain);
    }
}
