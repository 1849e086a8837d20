//! The door for the fuzz target in `fuzz` and for the replay of its corpus in `tests/corpus.rs`.
//!
//! Hidden from the documentation and without promise, behind no feature, so that the corpus is
//! replayed on the very build that all other tests use. The entry panics when a promise of what
//! reads a request is broken.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, IF_MATCH, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::FutureExt as _;
use sfu::SessionId;

use super::signalling::{
    Authorization, MAX_BODY, Match, SDP, SDP_FRAGMENT, authorization, has_type, if_match,
    is_preflight, read_text, video_index,
};
use crate::config::Http;
use crate::request::{Arrival, Client, Front, cookie};

/// The tag of the session that [`http_headers`] speaks of, so that a corpus can name it.
pub const TAG: &str = "fuzz";
const PUBLIC_URL: &str = "https://live.example";
/// A stranger, and a trusted proxy.
const PEERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
];

/// A request to WHIP or WHEP: lines of headers, an empty line, the body.
pub fn http_headers(bytes: &[u8]) {
    let (headers, body) = parts(bytes);
    check_authorization(&headers);
    check_if_match(&headers);
    let is_sdp = has_type(&headers, SDP);
    assert!(!(is_sdp && has_type(&headers, SDP_FRAGMENT)));
    let _ = is_preflight(&headers);
    if let Some(token) = cookie(&headers, "tallylight") {
        assert!(!token.contains(';'));
    }
    check_body(&headers, body);
    for peer in PEERS {
        check_client(&headers, peer);
    }
}

fn parts(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    while !rest.is_empty() && headers.len() < 64 {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let (name, value) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}

fn check_authorization(headers: &HeaderMap) {
    match authorization(headers) {
        Authorization::Absent => assert!(!headers.contains_key(AUTHORIZATION)),
        Authorization::Token(token) => {
            let token = token.reveal();
            assert!(!token.is_empty() && !token.contains(' '));
            assert!(!["undefined", "null"].contains(&token));
        }
        Authorization::OtherScheme | Authorization::Unusable => {
            assert!(headers.contains_key(AUTHORIZATION));
        }
    }
}

fn check_if_match(headers: &HeaderMap) {
    let sent: Vec<_> = headers.get_all(IF_MATCH).iter().collect();
    match if_match(headers, TAG) {
        Match::Absent => assert!(
            !sent
                .iter()
                .any(|value| value.to_str().is_ok_and(|value| value.contains('"')))
        ),
        Match::Fits => assert!(sent.iter().any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            value.contains(TAG) || value.contains('*')
        })),
        Match::Stale => assert!(!sent.is_empty()),
    }
}

fn check_body(headers: &HeaderMap, body: &[u8]) {
    let read = read_text(headers, Body::from(body.to_vec()));
    let Some(Ok(text)) = read.now_or_never() else {
        return;
    };
    assert!(text.len() <= MAX_BODY);
    assert_eq!(text.as_bytes(), body);
    let sections = text.lines().filter(|line| line.starts_with("m=")).count();
    assert!(video_index(&text).is_none_or(|index| index < sections));
    if let Some(ufrag) = sfu::ice_ufrag(&text) {
        assert_eq!(ufrag, ufrag.trim_end(), "blanks are not part of it");
    }
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.reveal(), text.to_lowercase());
    }
}

fn check_client(headers: &HeaderMap, peer: IpAddr) {
    let client = client(headers, peer);
    let is_proxy = peer.is_loopback();
    assert!(is_proxy || client.address == peer, "a stranger is believed");
    assert!(is_proxy || !client.is_local(), "a stranger counts as local");
    let origin = client.origin.as_str();
    assert!(origin.starts_with("http://") || origin.starts_with("https://"));
    assert_eq!(client.is_secure(), origin.starts_with("https://"));
    assert!(is_proxy || !client.is_secure() || origin == PUBLIC_URL);
    if client.is_own_page(headers)
        && let Some(from) = headers.get(ORIGIN)
    {
        assert!([origin, PUBLIC_URL].iter().any(|ours| from == ours));
    }
}

/// What the server makes of a request with these headers.
fn client(headers: &HeaderMap, peer: IpAddr) -> Client {
    static FRONT: LazyLock<Front> = LazyLock::new(|| {
        Front::new(&Http {
            public_url: PUBLIC_URL.to_owned(),
            ..Http::default()
        })
    });
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = headers.clone();
    let arrival = Arrival {
        peer: SocketAddr::new(peer, 40_000),
        over_tls: false,
    };
    request.extensions_mut().insert(arrival);
    let client = FRONT.identify(&request);
    let is_secure = FRONT.is_secure(arrival, request.uri(), headers);
    assert_eq!(is_secure, client.is_secure(), "the short way differs");
    client
}
