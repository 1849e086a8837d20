//! The built front end, carried in the binary, and the headers that keep pages safe.
//!
//! A debug build reads `web/dist` from disk as it runs. Without it, every page says how to build it.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::cards::{Cards, Page};
use crate::error::Problem;
use crate::request::Client;
use crate::secret::hex;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

/// Shown while the front end was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Tallylight</title><h1>Tallylight runs, but its pages were not built</h1>\
    <p>Run <code>make web</code> (it needs Node 20) and start the server again. \
    The API, WHIP and WHEP work without pages.</p></html>";

/// Pages that the front end knows; anything else gets its \"not found\" page with status 404.
const PAGES: [&str; 6] = ["", "setup", "login", "studio", "dashboard", "videos"];

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The `Content-Security-Policy` of every page: only our own scripts and styles, nothing inline,
/// nothing framed, no string made into code; media from here and, where there is one, from the
/// origin that segments come from.
#[must_use]
pub fn content_policy(segments: Option<&str>) -> HeaderValue {
    let media = segments.map_or_else(String::new, |url| format!(" {}", origin(url)));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; \
         img-src 'self' data: blob:{media}; media-src 'self' blob:{media}; \
         connect-src 'self'{media}; worker-src 'self' blob:; font-src 'self'; \
         manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; \
         require-trusted-types-for 'script'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|at| url.get(..host + at)).unwrap_or(url)
}

/// Answers what no route has: a file of the front end, or one of its pages.
pub async fn page_or_file(
    State(cards): State<Cards>,
    client: Client,
    request: Request,
) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if is_api(path) {
        let words = "there is nothing at this address; /api/openapi.json lists what there is";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", words).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(file) = file(path, request.headers()) {
        return file;
    }
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let page = match is_page(path) {
        true => cards.page(path).await,
        false => Page::Missing,
    };
    let mut response = match &page {
        Page::Shown(card) => with_card(&card.head(&client.origin)),
        Page::Plain | Page::Missing => file("index.html", request.headers()),
    }
    .unwrap_or_else(not_built);
    if page == Page::Missing && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// The front end's page with lines of its own in the head.
fn with_card(head: &str) -> Option<Response> {
    let index = Built::get("index.html")?;
    let text = std::str::from_utf8(&index.data).ok()?;
    let text = text.replacen("</head>", &format!("{head}</head>"), 1);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
    ];
    Some((headers, text).into_response())
}

fn is_api(path: &str) -> bool {
    ["api", "whip", "whep", "hls", "vod"]
        .iter()
        .any(|root| path == *root || path.strip_prefix(root).is_some_and(|p| p.starts_with('/')))
}

fn is_page(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    PAGES.contains(&first) || (first.starts_with('@') && first == path)
}

fn not_built() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::OK, headers, NOT_BUILT).into_response()
}

/// A file as it was built, compressed where the browser takes it.
fn file(path: &str, request: &HeaderMap) -> Option<Response> {
    if path.is_empty() || path.ends_with(".br") {
        return None;
    }
    let takes_br = request
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|coding| coding.trim().starts_with("br"))
        });
    let compressed = takes_br
        .then(|| Built::get(&format!("{path}.br")))
        .flatten();
    let is_compressed = compressed.is_some();
    let plain = Built::get(path)?;
    let content_type = plain.metadata.mimetype().to_owned();
    let file = compressed.unwrap_or(plain);
    let mut response = body(path, &content_type, file, request);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    Some(response)
}

fn body(path: &str, content_type: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    // Vite names assets after their content, so that they never change.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (CONTENT_TYPE, content_type.to_owned()),
        (CACHE_CONTROL, caching.to_owned()),
        (ETAG, tag.clone()),
    ];
    let known = request
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (StatusCode::OK, headers, file.data).into_response()
}

/// Headers that every answer carries. Camera and microphone only on the studio's page.
#[derive(Debug, Clone, Copy)]
pub struct Security {
    on_studio: bool,
    over_tls: bool,
}

impl Security {
    /// What a request calls for.
    #[must_use]
    pub fn of(over_tls: bool, asked: &Uri) -> Self {
        Self {
            on_studio: asked.path().trim_end_matches('/') == "/studio",
            over_tls,
        }
    }

    /// Puts them into its answer.
    pub fn apply(self, policy: &HeaderValue, headers: &mut HeaderMap) {
        let permissions = if self.on_studio {
            "camera=(self), microphone=(self), display-capture=(self)"
        } else {
            "camera=(), microphone=(), display-capture=()"
        };
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        for (name, value) in [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (OPENER_POLICY, "same-origin"),
            (PERMISSIONS_POLICY, permissions),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.over_tls {
            let year = HeaderValue::from_static("max-age=31536000");
            headers.insert(STRICT_TRANSPORT_SECURITY, year);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_may_come_from_where_the_operator_says() {
        let policy = content_policy(Some("https://cdn.example:8443/live"));
        let policy = policy.to_str().unwrap();
        assert!(
            policy.contains("connect-src 'self' https://cdn.example:8443;"),
            "{policy}"
        );
        let plain = content_policy(None);
        assert!(plain.to_str().unwrap().contains("connect-src 'self';"));
    }

    #[test]
    fn pages_are_told_from_unknown_addresses() {
        for page in [
            "",
            "setup",
            "studio",
            "dashboard/",
            "dashboard/keys",
            "@ada",
        ] {
            assert!(is_page(page), "{page}");
        }
        for other in ["wp-login.php", "@ada/x", "studios"] {
            assert!(!is_page(other), "{other}");
        }
        assert!(is_api("api/x") && is_api("whip") && !is_api("apix"));
    }
}
