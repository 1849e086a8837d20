//! The built front end, carried in the binary, and the headers that keep pages safe.
//!
//! A debug build reads `web/dist` from disk as it runs. Without it, every page says how to build it.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::answer::opened;
use crate::cards::{Cards, Page};
use crate::config::Config;
use crate::error::Problem;
use crate::request::Client;
use crate::secret::hex;
use crate::settings::Settings;

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
const PAGES: &[&str] = &[
    "",
    "setup",
    "login",
    "signup",
    "forgot",
    "reset",
    "verify",
    "settings",
    "admin",
    "studio",
    "dashboard",
    "videos",
    "browse",
    "search",
    "chat",
    "moderate",
    "unsubscribe",
    "memberships",
    "alerts",
];

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The `Content-Security-Policy` of each kind of page: only our own scripts and styles, nothing inline,
/// no string made into code; media from here and from the origins that segments come from.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Framed by nobody.
    pages: HeaderValue,
    /// Where else segments come from.
    segments: Vec<String>,
    /// Who may frame the others.
    settings: Settings,
}

/// The API's reference page is not of our making: it writes markup, so that it cannot do with Trusted
/// Types. It too has no inline code, and reaches nothing but this server.
const REFERENCE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'none'";

impl Policies {
    /// As the configuration has it.
    #[must_use]
    pub fn new(config: &Config, settings: Settings) -> Self {
        let cdns = config.hls.cdns().into_iter().map(|cdn| cdn.url);
        let store = config.hls.store;
        let store = store.then(|| config.storage.public_base().to_owned());
        let segments: Vec<_> = cdns.chain(store).collect();
        Self {
            pages: content_policy(&segments, "frame-src 'self'; frame-ancestors 'none'"),
            segments,
            settings,
        }
    }

    /// Of pages that are framed by whom the operator lets, as that is now.
    fn frames(&self) -> HeaderValue {
        let settings = self.settings.now();
        // Our own pages show what others would see.
        let ancestors = match settings.embed_ancestors.trim() {
            "" | "'none'" => "'self'".to_owned(),
            "*" => "*".to_owned(),
            sites => format!("'self' {sites}"),
        };
        content_policy(&self.segments, &format!("frame-ancestors {ancestors}"))
    }
}

fn content_policy(segments: &[String], frames: &str) -> HeaderValue {
    let origins = segments.iter().map(|url| format!(" {}", origin(url)));
    let media: String = origins.collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; \
         img-src 'self' data: blob:{media}; media-src 'self' blob:{media}; \
         connect-src 'self'{media}; worker-src 'self' blob:; font-src 'self'; \
         manifest-src 'self'; {frames}; base-uri 'none'; form-action 'self'; \
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
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    if let Some(file) = file(path, request.headers()) {
        return match is_script(path) {
            // Pages of other sites import the player, which browsers read like any other's data.
            true => opened(file),
            false => file,
        };
    }
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let page = match is_page(path) {
        true => cards.page(path).await,
        false => Page::Missing,
    };
    let in_frame = is_frame(path);
    let built = if in_frame { EMBED } else { INDEX };
    let mut response = match &page {
        Page::Shown(card) => built_page(built, |page| {
            card.head(client.known_as()).within(page, in_frame)
        }),
        Page::Plain | Page::Missing => file(built, request.headers()),
    }
    .unwrap_or_else(not_built);
    if page == Page::Missing && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

const INDEX: &str = "index.html";
/// A page for frames: a player and nothing else.
const EMBED: &str = "embed.html";

/// A page as it was built, with a change of its own.
fn built_page(name: &str, change: impl FnOnce(&str) -> String) -> Option<Response> {
    let built = Built::get(name)?;
    let text = change(std::str::from_utf8(&built.data).ok()?);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
    ];
    Some((headers, text).into_response())
}

/// What pages of other sites may import: the player under its lasting name, and what it is made of.
fn is_script(path: &str) -> bool {
    path == PLAYER || (path.starts_with("assets/") && path.ends_with(".js"))
}

const PLAYER: &str = "player.js";

fn is_frame(path: &str) -> bool {
    path.starts_with("embed/")
}

fn is_api(path: &str) -> bool {
    ["api", "whip", "whep", "hls", "vod", "images"]
        .iter()
        .any(|root| path == *root || path.strip_prefix(root).is_some_and(|p| p.starts_with('/')))
}

fn is_page(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    PAGES.contains(&first) || (first.starts_with('@') && first == path) || is_frame(path)
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
    let caching = match path {
        // Vite names assets after their content, so that they never change.
        _ if path.starts_with("assets/") => "public, max-age=31536000, immutable",
        // Its name stays when it changes; an old one soon asks for parts that are gone.
        PLAYER => "public, max-age=60",
        _ => "no-cache",
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

/// Headers that every answer carries. Camera and microphone only on the studio's page; in a frame only
/// the pages that are made for it.
#[derive(Debug, Clone, Copy)]
pub struct Security {
    place: Place,
    over_tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Studio,
    Frame,
    Reference,
    Elsewhere,
}

impl Security {
    /// What a request calls for.
    #[must_use]
    pub fn of(over_tls: bool, asked: &Uri) -> Self {
        let place = match asked.path().trim_matches('/') {
            "studio" => Place::Studio,
            path if is_frame(path) => Place::Frame,
            path if path == "api/docs" || path.starts_with("api/docs/") => Place::Reference,
            _ => Place::Elsewhere,
        };
        Self { place, over_tls }
    }

    /// Puts them into its answer.
    pub fn apply(self, policies: &Policies, headers: &mut HeaderMap) {
        let permissions = match self.place {
            Place::Studio => "camera=(self), microphone=(self), display-capture=(self)",
            Place::Frame | Place::Reference | Place::Elsewhere => {
                "camera=(), microphone=(), display-capture=()"
            }
        };
        let policy = match self.place {
            Place::Frame => policies.frames(),
            Place::Reference => HeaderValue::from_static(REFERENCE),
            Place::Studio | Place::Elsewhere => policies.pages.clone(),
        };
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        for (name, value) in [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (OPENER_POLICY, "same-origin"),
            (PERMISSIONS_POLICY, permissions),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // It knows no list of sites: `frame-ancestors` says it all.
        if self.place != Place::Frame {
            headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
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
        let policy = content_policy(
            &["https://cdn.example:8443/live".to_owned()],
            "frame-src 'self'",
        );
        let policy = policy.to_str().unwrap();
        assert!(
            policy.contains("connect-src 'self' https://cdn.example:8443;"),
            "{policy}"
        );
        let plain = content_policy(&[], "frame-src 'self'");
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
            "embed/ada",
            "embed/videos/x",
        ] {
            assert!(is_page(page), "{page}");
        }
        for other in ["wp-login.php", "@ada/x", "studios", "embed"] {
            assert!(!is_page(other), "{other}");
        }
        assert!(is_api("api/x") && is_api("whip") && !is_api("apix"));
    }
}
