//! WHIP and WHEP over HTTP (RFC 9725, draft-ietf-wish-whep): one request per function.
//!
//! Nothing is sent to an address that nobody named: neither redirects nor sessions on other hosts are
//! followed, and proxies of the environment are left alone.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION};
use reqwest::{Client, Method, Response, Url};

use crate::relay::TurnServer;

const WITHIN: Duration = Duration::from_secs(10);
/// Servers close connections that say nothing after ten seconds or more. An offer that is sent in that
/// moment is lost, and may not be sent again.
const IDLE: Duration = Duration::from_secs(5);
/// What of a refusal is shown.
const MOST_WORDS: usize = 300;
/// Longest answer that is read: a page of metrics is some 10 KiB, SDP less.
const MOST_BYTES: usize = 1 << 20;

/// A WHIP or WHEP endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    http: Client,
    url: Url,
    token: Option<String>,
}

/// A session that an endpoint made.
#[derive(Debug, Clone)]
pub struct Session {
    http: Client,
    url: Url,
    token: Option<String>,
    /// `ETag` of the answer, for ICE restarts.
    pub etag: Option<String>,
    /// TURN servers that the answer names (RFC 9725 §4.6).
    pub turn_servers: Vec<TurnServer>,
}

/// Why a request failed. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Nobody answers there.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// The cause.
        reason: String,
    },
    /// The server said no.
    #[error("{url} answered {status}{words}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// The server's reason after a colon, if it gave one.
        words: String,
    },
    /// The server points elsewhere.
    #[error(
        "{url} answered {status} and points to {to}, where nothing is sent unless you give that \
         address"
    )]
    Redirected {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it points to.
        to: String,
    },
    /// The server made a session, but on a host that nobody named.
    #[error(
        "{url} made a session on another host, {to}, where nothing is sent: give an address of that \
         host, or correct the server's `Location`"
    )]
    Elsewhere {
        /// Where.
        url: String,
        /// What it points to.
        to: String,
    },
    /// The address is none.
    #[error("`{0}` is no http or https address")]
    NotUrl(String),
    /// The answer lacks what the specification asks for.
    #[error("{url} made a session without a usable {missing}")]
    Incomplete {
        /// Where.
        url: String,
        /// The header.
        missing: &'static str,
    },
}

impl HttpError {
    /// HTTP status, when the server said no.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Redirected { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Endpoint {
    /// An endpoint; the token goes into `Authorization: Bearer`.
    ///
    /// # Errors
    /// When the text is no http or https address.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, HttpError> {
        let parsed = Url::parse(url).ok();
        let url = parsed
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| HttpError::NotUrl(url.to_owned()))?;
        let http = Client::builder()
            .timeout(WITHIN)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(&url, &error))?;
        Ok(Self {
            http,
            url,
            token: token.map(str::to_owned),
        })
    }

    /// Whether it is on this machine's loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }

    /// Sends an offer. Returns the answer and the session.
    ///
    /// # Errors
    /// When nobody answers, or with another status than 201.
    pub async fn offer(&self, sdp: &str) -> Result<(String, Session), HttpError> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/sdp");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answered = request.body(sdp.to_owned()).send().await;
        let response = answered.map_err(|error| unreachable(&self.url, &error))?;
        let response = expect(response, 201).await?;
        let session = Session {
            http: self.http.clone(),
            url: self.session_url(&response)?,
            token: self.token.clone(),
            etag: header(&response, ETAG.as_str()),
            turn_servers: turn_servers(&response),
        };
        match text_of(response).await {
            Ok(answer) => Ok((answer, session)),
            Err(error) => {
                // Without an answer it is of no use, but the server holds it.
                let _ = session.delete().await;
                Err(error)
            }
        }
    }

    /// Where the session is, which must be the same scheme, host and port.
    fn session_url(&self, response: &Response) -> Result<Url, HttpError> {
        let location = header(response, LOCATION.as_str());
        let url = location.and_then(|location| self.url.join(&location).ok());
        let url = url.ok_or_else(|| HttpError::Incomplete {
            url: self.url.to_string(),
            missing: "Location",
        })?;
        if url.origin() == self.url.origin() {
            return Ok(url);
        }
        Err(HttpError::Elsewhere {
            url: self.url.to_string(),
            to: url.to_string(),
        })
    }
}

impl Session {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Ends the session.
    ///
    /// # Errors
    /// When nobody answers, or with another status than 200.
    pub async fn delete(&self) -> Result<(), HttpError> {
        let response = self.send(Method::DELETE, "", &[], String::new()).await?;
        expect(response, 200).await.map(drop)
    }

    /// Restarts ICE. Returns the server's fragment.
    ///
    /// # Errors
    /// When nobody answers, or with another status than 200.
    pub async fn restart_ice(&mut self, fragment: String) -> Result<String, HttpError> {
        let tag = self.etag.clone().unwrap_or_else(|| "*".to_owned());
        let headers = [
            (CONTENT_TYPE.as_str(), "application/trickle-ice-sdpfrag"),
            (IF_MATCH.as_str(), tag.as_str()),
        ];
        let response = self.send(Method::PATCH, "", &headers, fragment).await?;
        let response = expect(response, 200).await?;
        self.etag = header(&response, ETAG.as_str());
        text_of(response).await
    }

    /// Asks for a layer by the WHEP layer extension, with that JSON.
    ///
    /// # Errors
    /// When nobody answers, or with another status than 200.
    pub async fn choose_layer(&self, json: &str) -> Result<(), HttpError> {
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        let response = self
            .send(Method::POST, "/layer", &headers, json.to_owned())
            .await?;
        expect(response, 200).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        below: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, HttpError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{below}", self.url.path()));
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answered = request.body(body).send().await;
        answered.map_err(|error| unreachable(&self.url, &error))
    }
}

/// The text at an address.
///
/// # Errors
/// When nobody answers, or with another status than 200.
pub async fn get(url: &str) -> Result<String, HttpError> {
    let endpoint = Endpoint::new(url, None)?;
    let answered = endpoint.http.get(endpoint.url.clone()).send().await;
    let response = answered.map_err(|error| unreachable(&endpoint.url, &error))?;
    text_of(expect(response, 200).await?).await
}

/// The body, as far as it is taken.
async fn text_of(mut response: Response) -> Result<String, HttpError> {
    let url = response.url().clone();
    let mut bytes = Vec::new();
    while bytes.len() < MOST_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(unreachable(&url, &error)),
        }
    }
    bytes.truncate(MOST_BYTES);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn expect(response: Response, status: u16) -> Result<Response, HttpError> {
    if response.status().as_u16() == status {
        return Ok(response);
    }
    let url = response.url().to_string();
    let status = response.status().as_u16();
    if response.status().is_redirection()
        && let Some(to) = header(&response, LOCATION.as_str())
    {
        return Err(HttpError::Redirected { url, status, to });
    }
    let body = text_of(response).await.unwrap_or_default();
    let problem: Option<serde_json::Value> = serde_json::from_str(&body).ok();
    let detail = problem.and_then(|p| p.get("detail")?.as_str().map(str::to_owned));
    // A page for people says nothing here.
    let text = detail.unwrap_or(body).replace(['\r', '\n'], " ");
    let words: String = text.trim().chars().take(MOST_WORDS).collect();
    let says_something = !words.is_empty() && !words.starts_with('<');
    Err(HttpError::Refused {
        url,
        status,
        words: if says_something {
            format!(": {words}")
        } else {
            String::new()
        },
    })
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

fn turn_servers(response: &Response) -> Vec<TurnServer> {
    let links = response.headers().get_all(LINK).into_iter();
    let links = links.filter_map(|link| link.to_str().ok());
    links.filter_map(TurnServer::of_link).collect()
}

fn unreachable(url: &Url, error: &dyn std::error::Error) -> HttpError {
    // The innermost cause says it: "connection refused".
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    HttpError::Unreachable {
        url: url.to_string(),
        reason: cause.to_string(),
    }
}
