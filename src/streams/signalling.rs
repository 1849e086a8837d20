//! What WHIP and WHEP have in common: headers read, headers written, CORS, limits.
//!
//! RFC 9725 and draft-ietf-wish-whep, with the leniency that real clients need.

use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL,
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use super::{Limiters, Streams, session, whep, whip};
use crate::accounts::{self, Accounts};
use crate::clock::Clock;
use crate::cluster::was_passed_on;
use crate::config::IceServer;
use crate::error::Problem;
use crate::request::Client;
use crate::secret::Secret;

/// Longest body of an offer, a fragment or a wish of a viewer.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// Media type of offers and answers.
pub(super) const SDP: &str = "application/sdp";
/// Media type of fragments (RFC 8840 §9).
pub(super) const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// All routes of WHIP and WHEP.
pub(super) fn routes(streams: Streams, accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(whip::routes())
        .merge(whep::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(streams.clone(), limit_session_requests))
        .layer(from_fn_with_state(accounts, accounts::identify_by_cookie))
        .layer(from_fn(allow_other_sites))
        .with_state(streams)
}

/// What `Authorization` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    /// There is none.
    Absent,
    /// `Bearer token`, or the token alone as some clients send it.
    Token(Secret),
    /// Another scheme than `Bearer`, as a browser adds it when a proxy in front of us asked for a
    /// password. It is not meant for us.
    OtherScheme,
    /// Something that is no token: nothing, or the literal `undefined` that scripts send when they
    /// have none.
    Unusable,
}

/// Reads `Authorization` (RFC 6750 §2.1).
pub(super) fn authorization(headers: &HeaderMap) -> Authorization {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Authorization::Absent;
    };
    let Ok(value) = value.to_str() else {
        return Authorization::Unusable;
    };
    let value = value.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some((scheme, _)) if is_scheme(scheme) => return Authorization::OtherScheme,
        Some(_) => return Authorization::Unusable,
        None => value,
    };
    let unusable = token.is_empty()
        || token.contains(' ')
        || token.eq_ignore_ascii_case("bearer")
        || ["undefined", "null"].contains(&token);
    if unusable {
        Authorization::Unusable
    } else {
        Authorization::Token(Secret::new(token))
    }
}

/// Schemes that browsers and proxies use by themselves (RFC 7617, 7616, 4559).
fn is_scheme(word: &str) -> bool {
    ["basic", "digest", "negotiate", "ntlm"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether the content is of that type, with or without parameters.
pub(super) fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|found| found.trim().eq_ignore_ascii_case(wanted))
}

/// How `If-Match` stands to a tag (RFC 9110 §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// There is none.
    Absent,
    /// `*`, also in quotes as some clients send it, or the very tag.
    Fits,
    /// Another tag in quotes, or a weak one.
    Stale,
}

/// Compares `If-Match` with the session's tag. What is no entity tag at all counts as absent.
pub(super) fn if_match(headers: &HeaderMap, tag: &str) -> Match {
    let values: Vec<&str> = headers
        .get_all(IF_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let fits = |value: &&str| ["*", tag].contains(&value.trim_matches('"'));
    if values.iter().any(fits) {
        Match::Fits
    } else if values.iter().any(|value| value.contains('"')) {
        Match::Stale
    } else {
        Match::Absent
    }
}

/// The status of a JSON body that is refused: the drafts know 400 for every fault inside it.
pub(super) fn status_of(rejection: &JsonRejection) -> StatusCode {
    match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Longer than [`MAX_BODY`].
    TooLong,
    /// It broke off, or is no UTF-8.
    Unreadable,
}

/// Reads a short text.
pub(super) async fn read_text(headers: &HeaderMap, body: Body) -> Result<String, BodyError> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(BodyError::TooLong);
    }
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|error| {
        let text = error.to_string();
        if text.contains("length limit") {
            BodyError::TooLong
        } else {
            BodyError::Unreadable
        }
    })?;
    String::from_utf8(bytes.into()).map_err(|_| BodyError::Unreadable)
}

/// The same for a session of no stream.
pub(crate) fn answered(answer: sfu::Answer, location: &str, ice_servers: &[IceServer]) -> Response {
    created(answer, location, ice_servers, &[])
}

/// `201 Created` with the answer, where its session is, and how to reach it.
pub(super) fn created(
    answer: sfu::Answer,
    location: &str,
    ice_servers: &[IceServer],
    links: &[String],
) -> Response {
    let mut response = (StatusCode::CREATED, answer.sdp).into_response();
    let headers = response.headers_mut();
    put(headers, CONTENT_TYPE, SDP);
    put(headers, LOCATION, location);
    put(headers, ETAG, &quoted(&answer.ice_tag));
    put(headers, ACCEPT_PATCH, SDP_FRAGMENT);
    put(headers, CACHE_CONTROL, "no-store");
    add_links(headers, ice_servers, links);
    response
}

/// `200 OK` to a request for an ICE restart (RFC 9725 §4.3.3).
pub(super) fn restarted(fragment: String, ice_tag: &str) -> Response {
    let mut response = (StatusCode::OK, fragment).into_response();
    let headers = response.headers_mut();
    put(headers, CONTENT_TYPE, SDP_FRAGMENT);
    put(headers, ETAG, &quoted(ice_tag));
    response
}

/// `200 OK` to `OPTIONS`. ICE servers are told only where the caller says so.
pub(super) fn options(ice_servers: &[IceServer]) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    put(headers, ACCEPT_POST, SDP);
    put(headers, ACCEPT_PATCH, SDP_FRAGMENT);
    add_links(headers, ice_servers, &[]);
    response
}

/// Whether a browser asks on behalf of a page, and sends no credentials yet.
pub(super) fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key("access-control-request-method")
}

/// One `Link` a server (RFC 9725 §4.6): UDP first and TLS last, because some clients take only
/// the first, and never two in one header, because OBS loses the second.
fn add_links(headers: &mut HeaderMap, ice_servers: &[IceServer], links: &[String]) {
    let mut servers: Vec<(&str, &IceServer)> = ice_servers
        .iter()
        .flat_map(|server| server.urls.iter().map(move |url| (url.as_str(), server)))
        .collect();
    servers.sort_by_key(|(url, _)| (url.starts_with("turns:"), url.contains("transport=tcp")));
    for (url, server) in servers {
        let credentials = if server.username.is_empty() {
            String::new()
        } else {
            format!(
                "; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
                server.username, server.credential
            )
        };
        let link = format!("<{url}>; rel=\"ice-server\"{credentials}");
        append(headers, LINK, &link);
    }
    for link in links {
        append(headers, LINK, link);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

/// Middleware: lets pages of other sites publish and watch. Without credentials: a cookie never
/// counts for them, and a stream key they must hold themselves.
async fn allow_other_sites(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            ACCESS_CONTROL_ALLOW_METHODS,
            "OPTIONS, POST, PATCH, DELETE, GET, HEAD",
        ),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match, ETag",
        ),
        (
            ACCESS_CONTROL_EXPOSE_HEADERS,
            "Location, Link, ETag, Accept-Post, Accept-Patch, Retry-After",
        ),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
        (PRIVATE_NETWORK, "true"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Middleware: bounds how often one address may touch sessions; a random URL cannot be searched. What is
/// about a session of another server goes there.
async fn limit_session_requests(
    State(streams): State<Streams>,
    client: Client,
    request: Request,
    next: Next,
) -> Response {
    let of_session = request.uri().path().contains(session::PATH);
    if of_session && let Err(after) = streams.limits.request(client.address, &streams.clock) {
        return Problem::too_many(after).into_response();
    }
    let server = match of_session && !was_passed_on(request.headers()) {
        true => session::server_of(&streams, request.uri().path()),
        false => None,
    };
    match server {
        Some(server) => {
            let cluster = &streams.cluster;
            cluster.have_answered(&server, &client, request).await
        }
        None => next.run(request).await,
    }
}

/// So many for strangers, and many more for this machine itself.
pub(super) fn allowance(most: u32, loopback_factor: u32, address: IpAddr) -> u32 {
    if address.to_canonical().is_loopback() {
        most.saturating_mul(loopback_factor)
    } else {
        most
    }
}

impl Limiters {
    /// Counts an offer to publish.
    pub(super) fn publish(&self, from: IpAddr, clock: &Clock) -> Result<(), std::time::Duration> {
        let most = self.most(self.limits.publishes_per_minute, from);
        self.publishes
            .take(&sfu::neighbourhood(from), most, clock.instant())
    }

    /// Counts an offer to watch.
    pub(super) fn view(&self, from: IpAddr, clock: &Clock) -> Result<(), std::time::Duration> {
        let most = self.most(self.limits.views_per_minute, from);
        self.views
            .take(&sfu::neighbourhood(from), most, clock.instant())
    }

    /// Counts a request to a session.
    fn request(&self, from: IpAddr, clock: &Clock) -> Result<(), std::time::Duration> {
        let most = self.most(self.limits.session_requests_per_minute, from);
        self.requests
            .take(&sfu::neighbourhood(from), most, clock.instant())
    }

    fn most(&self, most: u32, from: IpAddr) -> u32 {
        allowance(most, self.limits.loopback_factor, from)
    }
}

/// Index of the first video section among the sections of an offer.
pub(super) fn video_index(sdp: &str) -> Option<usize> {
    sdp.lines()
        .filter(|line| line.starts_with("m="))
        .position(|line| line.starts_with("m=video"))
}

/// The answer with a bound on what the peer sends as video (RFC 4566 §5.8, RFC 3890 §6.2): browsers
/// keep to it, OBS does not read it.
pub(super) fn with_video_limit(sdp: &str, kbps: u32) -> String {
    let mut limited = String::with_capacity(sdp.len() + 64);
    let mut is_video = false;
    for line in sdp.split_inclusive('\n') {
        limited.push_str(line);
        if line.starts_with("m=") {
            is_video = line.starts_with("m=video");
        } else if is_video && line.starts_with("c=") {
            let bits = u64::from(kbps) * 1_000;
            limited.push_str(&format!("b=AS:{kbps}\r\nb=TIAS:{bits}\r\n"));
        }
    }
    limited
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_limit_stands_behind_the_address_of_the_video_alone() {
        let sdp = "v=0\r\nm=audio 9 x 1\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
                   m=video 9 x 2\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n";
        let limited = with_video_limit(sdp, 2_500);
        let bound = "m=video 9 x 2\r\nc=IN IP4 0.0.0.0\r\nb=AS:2500\r\nb=TIAS:2500000\r\na=mid:1";
        assert!(limited.contains(bound), "{limited}");
        assert_eq!(limited.matches("b=").count(), 2);
    }

    #[test]
    fn tokens_come_with_and_without_bearer() {
        let read = |value: &str| authorization(&with(AUTHORIZATION, value));
        let token = Authorization::Token(Secret::new("tl_abc"));
        for value in [
            "Bearer tl_abc",
            "bearer tl_abc",
            "tl_abc",
            " Bearer  tl_abc ",
        ] {
            assert_eq!(read(value), token, "{value}");
        }
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "undefined",
            "Bearer undefined",
            "Bearer null",
            "Token dTpw",
            "Bearer a b",
        ] {
            assert_eq!(read(value), Authorization::Unusable, "{value}");
        }
        for value in ["Basic dTpw", "basic dTpw", "Negotiate abc="] {
            assert_eq!(read(value), Authorization::OtherScheme, "{value}");
        }
        assert_eq!(authorization(&HeaderMap::new()), Authorization::Absent);
    }

    #[test]
    fn content_types_may_have_parameters() {
        let is_sdp = |value| has_type(&with(CONTENT_TYPE, value), SDP);
        assert!(is_sdp("application/sdp"));
        assert!(is_sdp("Application/SDP; charset=utf-8"));
        assert!(!is_sdp("application/sdpx"));
        assert!(!is_sdp("text/plain"));
        assert!(!has_type(&HeaderMap::new(), SDP));
    }

    #[test]
    fn if_match_is_read_as_clients_send_it() {
        let read = |value: &str| if_match(&with(IF_MATCH, value), "t1");
        for value in ["\"t1\"", "t1", "*", "\"*\"", "\"t0\", \"t1\""] {
            assert_eq!(read(value), Match::Fits, "{value}");
        }
        for value in ["\"t0\"", "W/\"t1\"", "nonsense, \"t0\""] {
            assert_eq!(read(value), Match::Stale, "{value}");
        }
        for value in ["", "t0", "undefined"] {
            assert_eq!(read(value), Match::Absent, "{value}");
        }
        assert_eq!(if_match(&HeaderMap::new(), "t1"), Match::Absent);
    }

    #[test]
    fn udp_servers_come_first_and_tls_last_one_link_each() {
        let server = |url: &str| IceServer {
            urls: vec![url.to_owned()],
            username: "u".to_owned(),
            credential: "p".to_owned(),
        };
        let servers = [
            server("turns:a:443"),
            server("turn:a:3478?transport=tcp"),
            server("turn:a:3478?transport=udp"),
        ];
        let response = options(&servers);
        let links: Vec<_> = response.headers().get_all(LINK).iter().collect();
        assert_eq!(links.len(), 3);
        assert_eq!(
            links[0],
            "<turn:a:3478?transport=udp>; rel=\"ice-server\"; username=\"u\"; \
             credential=\"p\"; credential-type=\"password\""
        );
        assert!(links[2].to_str().unwrap().starts_with("<turns:"));
    }

    #[test]
    fn sections_are_counted_from_zero() {
        let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\nm=video 9 x\r\n";
        assert_eq!(video_index(sdp), Some(1));
        assert_eq!(video_index("v=0\r\n"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                for name in [AUTHORIZATION, CONTENT_TYPE, IF_MATCH] {
                    headers.insert(name, value.clone());
                }
                let _ = authorization(&headers);
                let _ = has_type(&headers, SDP);
                let _ = if_match(&headers, "tag");
            }
        }

        #[test]
        fn no_text_makes_the_sdp_reader_panic(text in "(?s).{0,200}") {
            let _ = video_index(&text);
        }
    }
}
