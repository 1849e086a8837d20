//! What a request tells about its sender: address, origin, cookie; and its contents with our own errors.

mod contents;
mod kin;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{COOKIE, HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::Response;

pub use contents::{ApiJson, ApiPath, ApiQuery};
pub use kin::{ASKED_BY_SERVER, Kin, PASSED_ON};

use crate::config::{Http, Network};
use crate::error::ApiError;

/// The connection that a request came by. In the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether we ended its TLS ourselves.
    pub over_tls: bool,
}

impl Default for Arrival {
    /// This machine itself, in the clear.
    fn default() -> Self {
        Self {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            over_tls: false,
        }
    }
}

/// Who sent a request and how it reached us. In the extensions of every request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The sender's address; behind a trusted proxy, the one that the proxy names.
    pub address: IpAddr,
    /// Scheme, host and port by which the sender knows us.
    pub origin: String,
    /// The configured public origin, when it differs.
    public_origin: Option<Arc<str>>,
}

impl Client {
    /// Whether the sender reached us over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The origin by which everybody knows the server; what the sender used where none is configured.
    #[must_use]
    pub fn known_as(&self) -> &str {
        self.public_origin.as_deref().unwrap_or(&self.origin)
    }

    /// Whether the sender is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }

    /// Whether a page of ours made the request: its `Origin` is exactly ours, or it has none and
    /// the browser says `Sec-Fetch-Site: same-origin`.
    #[must_use]
    pub fn is_own_page(&self, headers: &HeaderMap) -> bool {
        match headers.get(ORIGIN) {
            Some(origin) => {
                let ours = [Some(self.origin.as_str()), self.public_origin.as_deref()];
                origin
                    .to_str()
                    .is_ok_and(|origin| ours.contains(&Some(origin)))
            }
            None => headers
                .get(&SEC_FETCH_SITE)
                .is_some_and(|site| site == "same-origin"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| ApiError::Internal("a route lacks the router's middleware".to_owned()))
    }
}

/// How requests reach us, by which senders are identified.
#[derive(Debug, Clone)]
pub struct Front {
    proxies: Arc<[Network]>,
    public_origin: Option<Arc<str>>,
    /// Other servers of ours, which pass requests on.
    kin: Option<Kin>,
}

impl Front {
    /// From section `[http]`.
    #[must_use]
    pub fn new(http: &Http) -> Self {
        Self {
            proxies: http.trusted_proxies.clone().into(),
            public_origin: http.public_origin().map(Into::into),
            kin: None,
        }
    }

    /// With other servers of ours, which pass requests on.
    #[must_use]
    pub fn with_kin(self, kin: Option<Kin>) -> Self {
        Self { kin, ..self }
    }

    /// Who sent a request.
    #[must_use]
    pub fn identify(&self, request: &Request) -> Client {
        let arrival = request.extensions().get().copied().unwrap_or_default();
        self.client(arrival, request.uri(), request.headers())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(address))
    }

    /// Whether what a request says of its sender is believed.
    fn believes(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let is_passed_on = |kin: &Kin| kin.is_passed_on(headers);
        self.trusts(peer) || self.kin.as_ref().is_some_and(is_passed_on)
    }

    fn client(&self, arrival: Arrival, uri: &Uri, headers: &HeaderMap) -> Client {
        let way = self.way(arrival, uri, headers);
        let host = way.host.unwrap_or("localhost").to_lowercase();
        Client {
            address: self.address(arrival, headers),
            public_origin: self.public_origin.clone(),
            origin: match way.public_origin {
                Some(public) => public.to_owned(),
                None if way.over_tls => format!("https://{host}"),
                None => format!("http://{host}"),
            },
        }
    }

    /// Where a request comes from, as [`Client::address`] has it, without the rest.
    #[must_use]
    pub fn address(&self, arrival: Arrival, headers: &HeaderMap) -> IpAddr {
        let peer = arrival.peer.ip().to_canonical();
        match self.believes(peer, headers) {
            true => self.forwarded_address(headers).unwrap_or(peer),
            false => peer,
        }
    }

    /// Whether a sender reached us over TLS, as [`Client::is_secure`] has it, without the rest.
    #[must_use]
    pub fn is_secure(&self, arrival: Arrival, uri: &Uri, headers: &HeaderMap) -> bool {
        let way = self.way(arrival, uri, headers);
        match way.public_origin {
            Some(public) => public.starts_with("https://"),
            None => way.over_tls,
        }
    }

    /// Whether it came over TLS by itself, or a proxy that we trust says so: a host by which we are known says nothing.
    #[must_use]
    pub fn came_over_tls(&self, arrival: Arrival, uri: &Uri, headers: &HeaderMap) -> bool {
        self.way(arrival, uri, headers).over_tls
    }

    fn way<'a>(&'a self, arrival: Arrival, uri: &'a Uri, headers: &'a HeaderMap) -> Way<'a> {
        let trusted = self.believes(arrival.peer.ip().to_canonical(), headers);
        let forwarded = |name| trusted.then(|| text(headers, name)).flatten();
        let over_tls = forwarded(&X_FORWARDED_PROTO).map_or(arrival.over_tls, |scheme| {
            scheme.eq_ignore_ascii_case("https")
        });
        // RFC 9113 §8.3.1: HTTP/2 has the host in `:authority` instead.
        let host = forwarded(&X_FORWARDED_HOST).or_else(|| text(headers, &HOST));
        let host = host.or_else(|| Some(uri.authority()?.as_str()));
        // TLS ended in front of us by a proxy that does not say so.
        let public = self.public_origin.as_deref().filter(|_| !arrival.over_tls);
        let is_public = |public: &&str| {
            let scheme = host.and_then(|host| public.strip_suffix(host));
            scheme.is_some_and(|scheme| scheme.ends_with("//"))
        };
        Way {
            over_tls,
            host,
            public_origin: public.filter(is_public),
        }
    }

    /// The last address in `X-Forwarded-For` that is no proxy of ours: what stands before it could
    /// have been written by the sender.
    fn forwarded_address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let values: Vec<&str> = headers
            .get_all(&X_FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        values
            .iter()
            .rev()
            .map_while(|value| forwarded_entry(value.trim()))
            .find(|address| !self.trusts(*address))
    }
}

/// What way a request took to us.
struct Way<'a> {
    over_tls: bool,
    host: Option<&'a str>,
    /// The configured public origin, where it has this host.
    public_origin: Option<&'a str>,
}

/// In the extensions of a request that comes with a personal token, and therefore from no browser
/// that could have been misled.
#[derive(Debug, Clone, Copy)]
pub struct ByToken;

/// Middleware: refuses unsafe requests that no page of ours made, so that no other site can act
/// with a visitor's cookie.
///
/// # Errors
/// [`ApiError::ForeignOrigin`].
pub async fn require_own_page(
    client: Client,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let by_token = request.extensions().get::<ByToken>().is_some();
    if by_token || request.method().is_safe() || client.is_own_page(request.headers()) {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::ForeignOrigin)
    }
}

/// What the sender calls itself, cut to what is worth keeping.
#[must_use]
pub fn user_agent(headers: &HeaderMap) -> &str {
    let all = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let all = all.unwrap_or_default();
    // `to_str` lets visible ASCII through only, so that any place is one between characters.
    all.get(..MOST_OF_AGENT).unwrap_or(all)
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Longest `User-Agent` that is kept.
const MOST_OF_AGENT: usize = 256;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// An entry of `X-Forwarded-For`: an address, or one with a port.
fn forwarded_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    fn client(http: &Http, peer: &str, pairs: &[(&'static str, &str)]) -> Client {
        let arrival = Arrival {
            peer: SocketAddr::new(peer.parse().unwrap(), 40_000),
            over_tls: false,
        };
        Front::new(http).client(arrival, &Uri::default(), &headers(pairs))
    }

    #[test]
    fn what_came_over_our_own_tls_is_secure_whatever_it_says() {
        let http = Http {
            public_url: "http://live.example".to_owned(),
            ..Http::default()
        };
        let over_tls = |peer: &str, url: &'static str, pairs: &[(&'static str, &str)]| {
            let arrival = Arrival {
                peer: SocketAddr::new(peer.parse().unwrap(), 40_000),
                over_tls: true,
            };
            Front::new(&http).client(arrival, &Uri::from_static(url), &headers(pairs))
        };
        let by_host = over_tls("192.0.2.9", "/", &[("host", "live.example")]);
        assert_eq!(by_host.origin, "https://live.example");
        let by_authority = over_tls("192.0.2.9", "https://Live.example:8443/@ada", &[]);
        assert_eq!(by_authority.origin, "https://live.example:8443");
        let lying = [("host", "live.example"), ("x-forwarded-proto", "http")];
        assert!(over_tls("192.0.2.9", "/", &lying).is_secure());
        let proxy = over_tls("127.0.0.1", "/", &lying);
        assert!(!proxy.is_secure(), "a proxy of ours knows better");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let http = Http::default();
        let forwarded = [
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "live.example"),
            ("host", "inner:8080"),
        ];
        let through_proxy = client(&http, "127.0.0.1", &forwarded);
        assert_eq!(through_proxy.address.to_string(), "203.0.113.7");
        assert_eq!(through_proxy.origin, "https://live.example");
        let direct = client(&http, "192.0.2.9", &forwarded);
        assert_eq!(direct.address.to_string(), "192.0.2.9");
        assert_eq!(direct.origin, "http://inner:8080");
    }

    #[test]
    fn only_exactly_our_origin_counts_as_our_page() {
        let http = Http {
            public_url: "https://live.example".to_owned(),
            ..Http::default()
        };
        let client = client(&http, "192.0.2.9", &[("host", "live.example")]);
        assert!(client.is_secure());
        let accepts = |pairs: &[(&'static str, &str)]| client.is_own_page(&headers(pairs));
        assert!(accepts(&[("origin", "https://live.example")]));
        assert!(accepts(&[("sec-fetch-site", "same-origin")]));
        for foreign in [
            "null",
            "http://live.example",
            "https://live.example.evil",
            "https://evil",
            "https://live.example:444",
        ] {
            assert!(!accepts(&[("origin", foreign)]), "{foreign}");
        }
        assert!(!accepts(&[]));
        assert!(!accepts(&[("sec-fetch-site", "same-site")]));
        assert!(!accepts(&[
            ("origin", "null"),
            ("sec-fetch-site", "same-origin")
        ]));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=1; tallylight=xyz; b=2")]);
        assert_eq!(cookie(&headers, "tallylight"), Some("xyz"));
        assert_eq!(cookie(&headers, "tally"), None);
    }
}
