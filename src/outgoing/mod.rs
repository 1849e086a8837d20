//! [`Outgoing`]: the one HTTP client for addresses that users give, such as webhooks.
//!
//! Whoever gives an address must not make the server ask what only the server can reach. So it resolves
//! names itself and refuses private addresses at the moment of connecting, whatever the name said
//! before; it follows no redirect, uses no proxy, and is bound in time and in what it reads.

mod places;
mod signature;

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use tokio::net::lookup_host;
use tokio::time::timeout;

pub use places::PlaceError;
pub use signature::{SIGNATURE, sign};

use places::Rules;

use crate::clock::Clock;
use crate::config;

/// From the first packet to the last byte that is read.
const WITHIN: Duration = Duration::from_secs(5);
/// What is read of an answer; the rest is left.
const MOST_READ: usize = 64 * 1024;

/// The client: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Outgoing {
    client: Result<Client, Arc<str>>,
    rules: Arc<Rules>,
    clock: Clock,
}

/// What came back, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// Why nothing came back. The text is for whoever gave the address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingError {
    /// The address is none that is asked.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It took too long.
    #[error("no answer within {} s", WITHIN.as_secs())]
    TooSlow,
    /// The name, the connection, TLS or HTTP failed.
    #[error("could not be reached: {0}")]
    Unreachable(String),
}

impl Answered {
    /// Whether it is a status of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The beginning of the body as text, for logs that users read: at most so many bytes.
    #[must_use]
    pub fn text(&self, most: usize) -> String {
        let cut = self.body.get(..most).unwrap_or(&self.body);
        // PostgreSQL has no NUL in texts.
        String::from_utf8_lossy(cut).replace('\0', "\u{FFFD}")
    }
}

impl Outgoing {
    /// For addresses that users give.
    #[must_use]
    pub fn new(config: &config::Outgoing, clock: Clock) -> Self {
        Self::with(Rules::new(config), clock)
    }

    /// For addresses that the operator sets, which may be in the house: the same bounds, no refusals.
    #[must_use]
    pub fn to_operators_own(clock: Clock) -> Self {
        Self::with(Rules::trusting(), clock)
    }

    fn with(rules: Rules, clock: Clock) -> Self {
        let rules = Arc::new(rules);
        let client = Client::builder()
            .user_agent(concat!("Tallylight/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(WITHIN)
            .timeout(WITHIN)
            .dns_resolver(Resolver(Arc::clone(&rules)))
            .build();
        let client = client.map_err(|error| {
            tracing::warn!("Webhooks and web push are off: no HTTP client: {error}");
            Arc::from(error.to_string())
        });
        Self {
            client,
            rules,
            clock,
        }
    }

    /// Checks an address as far as it can be told without asking for its name.
    ///
    /// # Errors
    /// With what would be right.
    pub fn check(&self, url: &str) -> Result<(), PlaceError> {
        self.rules.check(url).map(drop)
    }

    /// Posts to an address.
    ///
    /// # Errors
    /// When nothing came back in time.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answered, OutgoingError> {
        let url = self.rules.check(url)?;
        let client = self.client.as_ref();
        let client = client.map_err(|words| OutgoingError::Unreachable(words.to_string()))?;
        let began = self.clock.instant();
        let request = client.post(url).headers(headers).body(body);
        let (status, body) = timeout(WITHIN, read(request))
            .await
            .map_err(|_| OutgoingError::TooSlow)??;
        Ok(Answered {
            status,
            body,
            took: self.clock.instant().saturating_duration_since(began),
        })
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), OutgoingError> {
    let mut response = request.send().await.map_err(in_words)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(in_words)? {
        let room = MOST_READ - body.len();
        body.extend(chunk.iter().take(room));
        if body.len() == MOST_READ {
            break;
        }
    }
    Ok((response.status().as_u16(), body))
}

/// What failed, without the address itself, whose query may hold a secret.
fn in_words(error: reqwest::Error) -> OutgoingError {
    let error = error.without_url();
    if error.is_timeout() {
        return OutgoingError::TooSlow;
    }
    let mut deepest = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(place) = error.downcast_ref::<PlaceError>() {
            return place.clone().into();
        }
        deepest = error.to_string();
        cause = error.source();
    }
    OutgoingError::Unreachable(deepest)
}

/// Resolves names and gives only what may be connected to, so that no name can change its mind between
/// a check and the connection.
struct Resolver(Arc<Rules>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let (mut allowed, mut refused) = (Vec::new(), None);
            for address in found {
                match rules.check_address(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            match (allowed.is_empty(), refused) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some(error)) => Err(error.into()),
                (true, None) => Err(io::Error::other("the name has no address").into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn to_loopback() -> Outgoing {
        let config = config::Outgoing {
            allow_http: true,
            allow_private: vec!["127.0.0.0/8".parse().unwrap()],
        };
        Outgoing::new(&config, Clock::system())
    }

    /// Answers one request with these bytes, and keeps the connection.
    async fn receiver(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4_096];
            let _ = socket.read(&mut asked).await.unwrap();
            // The other end may leave before it has read everything.
            let _ = socket.write_all(&answer).await;
            std::future::pending::<()>().await;
        });
        url
    }

    #[tokio::test]
    async fn a_name_that_leads_into_the_house_is_refused_when_connecting() {
        let config = config::Outgoing {
            allow_http: true,
            allow_private: Vec::new(),
        };
        let outgoing = Outgoing::new(&config, Clock::system());
        let url = "http://localhost:9/hook";
        assert!(outgoing.check(url).is_ok(), "the name alone tells nothing");
        let error = outgoing.post(url, HeaderMap::new(), Vec::new()).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, OutgoingError::Place(PlaceError::Private(_))),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_long_answers_are_cut() {
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let url = receiver(moved.to_vec()).await;
        let answer = to_loopback().post(&url, HeaderMap::new(), Vec::new()).await;
        assert_eq!(answer.unwrap().status, 302);

        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.extend(vec![b'x'; 1_000_000]);
        let url = receiver(endless).await;
        let answer = to_loopback().post(&url, HeaderMap::new(), Vec::new()).await;
        assert_eq!(answer.unwrap().body.len(), MOST_READ);
    }

    #[tokio::test]
    async fn who_never_ends_is_left() {
        let url = receiver(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec()).await;
        let answer = to_loopback().post(&url, HeaderMap::new(), Vec::new()).await;
        assert!(matches!(answer, Err(OutgoingError::TooSlow)), "{answer:?}");
    }
}
