//! [`IceServers`]: the STUN and TURN servers that clients are told of, and the one in this program.
//!
//! Who gets a session gets credentials that end with it; who asks before that, as some clients do, gets such as end
//! after an hour. Our own server relays to our own media port and nowhere else, from an address by which the SFU tells
//! who comes through it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use turn::{Acceptors, Credentials, Peers, RelayAddress, Sockets};

use crate::clock::Clock;
use crate::config::{Config, IceServer};
use crate::secret::Secret;
use crate::tls::{self, Certificates};

/// What clients are told. Clones are one.
#[derive(Debug, Clone)]
pub struct IceServers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// As the operator wrote them.
    fixed: Vec<IceServer>,
    turn: Option<Turn>,
    clock: Clock,
    /// Names in credentials of who has no session, and when those are past.
    strangers: Mutex<VecDeque<(Timestamp, String)>>,
}

/// TURN servers that our credentials open.
struct Turn {
    urls: Vec<String>,
    secret: turn::Secret,
    /// The one in this program.
    own: Option<turn::Server>,
    ports: Ports,
}

/// Where ours is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// By UDP and TCP.
    pub plain: Option<SocketAddr>,
    /// Over TLS.
    pub tls: Option<SocketAddr>,
}

/// Why TURN did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// A port.
    #[error(
        "cannot open the TURN port {address} ({protocol}): {source}; choose another with {key}, or \"off\""
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// UDP or TCP.
        protocol: &'static str,
        /// The key of the configuration.
        key: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// All else.
    #[error("TURN: {0}")]
    Start(#[from] turn::StartError),
}

impl TurnError {
    fn is_taken(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// How long credentials open something. What a session has opened lasts as long as it does.
const CREDENTIALS: Duration = Duration::from_secs(3_600);
/// Who asks before there is a session is remembered until this many others have, or the credentials are past: then
/// what they opened ends.
const STRANGERS: usize = 10_000;
/// Characters of the name in credentials. A session's id opens more than TURN, so that it is not the name.
const NAME: usize = 24;
/// From where our TURN server asks the SFU by IPv4: a loopback address that nobody else has.
const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 78));

/// The addresses that clients of our TURN server come from, for the SFU: they are far, although these are near.
#[must_use]
pub fn relay_addresses(config: &Config) -> Vec<IpAddr> {
    match config.turn.address() {
        Some(_) => vec![relay_address(config.media.bind)],
        None => Vec::new(),
    }
}

fn relay_address(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED | Ipv4Addr::LOCALHOST) => RELAY,
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => RELAY,
        bind => bind,
    }
}

impl IceServers {
    /// Starts our own server, where there is to be one, for the SFU with these addresses.
    ///
    /// # Errors
    /// When a port that somebody chose cannot be opened; without one that nobody chose, there is no TURN.
    pub async fn start(
        config: &Config,
        clock: &Clock,
        media: &[SocketAddr],
        certificates: Option<&Certificates>,
        made: &str,
    ) -> Result<Self, TurnError> {
        let turn = match config.turn.address() {
            Some(listen) => own(config, listen, media, certificates, made).await?,
            None => others(config),
        };
        Ok(Self(Arc::new(Inner {
            fixed: config.ice.servers.clone(),
            turn,
            clock: clock.clone(),
            strangers: Mutex::default(),
        })))
    }

    /// What the holder of a session is told.
    #[must_use]
    pub fn of_session(&self, session: &str) -> Vec<IceServer> {
        self.with_credentials(&name(session))
    }

    /// What somebody is told who has no session yet.
    #[must_use]
    pub fn of_stranger(&self) -> Vec<IceServer> {
        let name = name(Secret::random::<16>().reveal());
        if self.own().is_some() {
            self.remember(&name);
        }
        self.with_credentials(&name)
    }

    fn remember(&self, name: &str) {
        let now = self.0.clock.now();
        let ended = {
            let strangers = &self.0.strangers;
            let mut strangers = strangers.lock().unwrap_or_else(PoisonError::into_inner);
            strangers.push_back((now + CREDENTIALS, name.to_owned()));
            let is_full = strangers.len() > STRANGERS;
            let past = |(end, _): &mut (Timestamp, String)| is_full || *end <= now;
            strangers.pop_front_if(past)
        };
        if let (Some((_, name)), Some(own)) = (ended, self.own()) {
            own.end_user(&name);
        }
    }

    /// What is relayed for that session is no more, nor will be.
    pub fn end(&self, session: &str) {
        if let Some(own) = self.own() {
            own.end_user(&name(session));
        }
    }

    /// Where our server is.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.0
            .turn
            .as_ref()
            .map_or_else(Ports::default, |turn| turn.ports)
    }

    /// What our server has done, where it runs.
    #[must_use]
    pub fn stats(&self) -> Option<turn::Stats> {
        self.own().map(turn::Server::stats)
    }

    /// Whether our server takes those who come within HTTPS.
    #[must_use]
    pub fn is_within_https(&self) -> bool {
        self.own().is_some()
    }

    /// Serves a client of TURN that came by the port of HTTPS, until it leaves.
    pub async fn serve<S>(&self, stream: S, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        if let Some(own) = self.own() {
            own.serve_stream(stream, client).await;
        }
    }

    /// Ends our server and waits for its tasks.
    pub async fn shut_down(&self) {
        if let Some(own) = self.own() {
            own.shutdown().await;
        }
    }

    fn own(&self) -> Option<&turn::Server> {
        self.0.turn.as_ref()?.own.as_ref()
    }

    fn with_credentials(&self, name: &str) -> Vec<IceServer> {
        let mut told = self.0.fixed.clone();
        let Some(turn) = &self.0.turn else {
            return told;
        };
        let since_1970 = Duration::try_from(self.0.clock.now().as_duration()).unwrap_or_default();
        match Credentials::issue(&turn.secret, name, since_1970, CREDENTIALS) {
            Ok(Credentials { username, password }) => told.push(IceServer {
                urls: turn.urls.clone(),
                username,
                credential: password,
            }),
            Err(error) => tracing::error!(%error, "Nobody is told of TURN: {error}"),
        }
        told
    }
}

fn name(session: &str) -> String {
    let hash = Secret::new(session).hash();
    hash.chars().take(NAME).collect()
}

/// Servers of others, which check the credentials themselves.
fn others(config: &Config) -> Option<Turn> {
    let wish = &config.turn;
    (!wish.servers.is_empty()).then(|| Turn {
        urls: wish.servers.clone(),
        secret: turn::Secret::new(&wish.secret),
        own: None,
        ports: Ports::default(),
    })
}

async fn own(
    config: &Config,
    listen: SocketAddr,
    media: &[SocketAddr],
    certificates: Option<&Certificates>,
    made: &str,
) -> Result<Option<Turn>, TurnError> {
    let Some((peers, relay)) = relayed(config, media) else {
        tracing::warn!("There is no TURN: no media address is of the family of media.bind");
        return Ok(None);
    };
    let opened = Opened::at(config, listen, certificates).await;
    let (sockets, ports) = match opened {
        Ok(opened) => (opened.sockets, opened.ports),
        Err(error) if error.is_taken() && !config.given.has("turn.listen") => {
            tracing::warn!(
                "{error}. There is no TURN: clients behind strict firewalls cannot connect"
            );
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let secret = match config.turn.secret.as_str() {
        "" => turn::Secret::new(made),
        chosen => turn::Secret::new(chosen),
    };
    let urls = urls(config, relay.announced, ports);
    let mut wish = turn::Config::new(REALM, secret.clone(), peers, vec![relay]);
    wish.limits.allocations = config.turn.allocations;
    wish.limits.bytes_per_second = config.turn.kbits_per_allocation.saturating_mul(1_000) / 8;
    Ok(Some(Turn {
        urls,
        secret,
        own: Some(turn::Server::start(wish, sockets)?),
        ports,
    }))
}

/// What credentials are for.
const REALM: &str = "tallylight";

/// Where the SFU is, as clients know it and as it is reached from here, and from where.
fn relayed(config: &Config, media: &[SocketAddr]) -> Option<(Peers, RelayAddress)> {
    let bind = relay_address(config.media.bind);
    let fits = |address: &&SocketAddr| address.is_ipv4() == bind.is_ipv4();
    let announced = media.iter().find(fits)?.ip();
    let local = match bind {
        RELAY => IpAddr::V4(Ipv4Addr::LOCALHOST),
        bind => bind,
    };
    let pairs = media
        .iter()
        .filter(fits)
        .map(|address| (*address, SocketAddr::new(local, address.port())));
    Some((Peers::new(pairs), RelayAddress { bind, announced }))
}

struct Opened {
    sockets: Sockets,
    ports: Ports,
}

impl Opened {
    async fn at(
        config: &Config,
        listen: SocketAddr,
        certificates: Option<&Certificates>,
    ) -> Result<Self, TurnError> {
        let key = "turn.listen";
        let tcp = bind_tcp(listen, key).await?;
        // The same port for both, also where any free one will do.
        let plain = tcp.local_addr().unwrap_or(listen);
        let udp = UdpSocket::bind(plain).await;
        let udp = udp.map_err(|source| TurnError::Listen {
            address: plain,
            protocol: "UDP",
            key,
            source,
        })?;
        let mut opened = Self {
            sockets: Sockets {
                udp: vec![udp],
                tcp: vec![tcp],
                tls: Vec::new(),
            },
            ports: Ports {
                plain: Some(plain),
                tls: None,
            },
        };
        if let (Some(listen), Some(certificates)) = (config.turn.tls_address(), certificates) {
            let tls = bind_tcp(listen, "turn.tls_listen").await?;
            opened.ports.tls = tls.local_addr().ok();
            let acceptor = TlsAcceptor::from(certificates.terms(tls::TURN));
            opened.sockets.tls.push((tls, Acceptors::from(acceptor)));
        }
        Ok(opened)
    }
}

async fn bind_tcp(address: SocketAddr, key: &'static str) -> Result<TcpListener, TurnError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| TurnError::Listen {
        address,
        protocol: "TCP",
        key,
        source,
    })
}

/// UDP first, for OBS takes no other, and TLS last (RFC 7065 §3.1).
fn urls(config: &Config, announced: IpAddr, ports: Ports) -> Vec<String> {
    let domain = config.server.domain.as_str();
    let host = match (config.turn.host.as_str(), domain) {
        ("", "") => bracketed(announced),
        ("", domain) => domain.to_owned(),
        (host, _) => host.parse().map_or_else(|_| host.to_owned(), bracketed),
    };
    let mut urls = Vec::new();
    if let Some(plain) = ports.plain {
        let port = plain.port();
        urls.push(format!("turn:{host}:{port}?transport=udp"));
        urls.push(format!("turn:{host}:{port}?transport=tcp"));
    }
    if let Some(tls) = ports.tls {
        urls.push(format!("turns:{host}:{}?transport=tcp", tls.port()));
    }
    // The port that every firewall lets through; by the name in the certificate.
    if !domain.is_empty() && config.http.tls_address().is_some() {
        let port = config.http.public_port();
        urls.push(format!("turns:{domain}:{port}?transport=tcp"));
    }
    urls
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(domain: &str) -> Config {
        let mut config = Config::default();
        config.server.domain = domain.to_owned();
        config
    }

    fn ports(tls: bool) -> Ports {
        Ports {
            plain: "0.0.0.0:3478".parse().ok(),
            tls: tls.then(|| "0.0.0.0:5349".parse().unwrap()),
        }
    }

    #[test]
    fn clients_are_told_of_udp_first_and_of_tls_last() {
        let ip = "203.0.113.7".parse().unwrap();
        let plain = urls(&config(""), ip, ports(false));
        assert_eq!(
            plain,
            [
                "turn:203.0.113.7:3478?transport=udp",
                "turn:203.0.113.7:3478?transport=tcp"
            ]
        );
        let mut named = config("live.example.org");
        named.http.tls_listen = "0.0.0.0:443".to_owned();
        named.http.public_url = "https://live.example.org".to_owned();
        let all = urls(&named, ip, ports(true));
        assert_eq!(all[0], "turn:live.example.org:3478?transport=udp");
        assert_eq!(
            all[2..],
            [
                "turns:live.example.org:5349?transport=tcp",
                "turns:live.example.org:443?transport=tcp",
            ]
        );
        let six = urls(&config(""), "2001:db8::7".parse().unwrap(), ports(false));
        assert_eq!(six[0], "turn:[2001:db8::7]:3478?transport=udp");
    }

    #[test]
    fn the_sfu_is_reached_from_where_nobody_else_is() {
        let mut config = config("");
        let media = [
            "203.0.113.7:8189".parse().unwrap(),
            "[2001:db8::7]:8189".parse().unwrap(),
        ];
        let (peers, relay) = relayed(&config, &media).unwrap();
        assert_eq!(
            peers,
            Peers::new([(media[0], "127.0.0.1:8189".parse().unwrap())])
        );
        assert_eq!((relay.bind, relay.announced), (RELAY, media[0].ip()));
        assert_eq!(relay_addresses(&config), [RELAY]);
        config.media.bind = "2001:db8::7".parse().unwrap();
        let (peers, relay) = relayed(&config, &media).unwrap();
        assert_eq!(peers, Peers::new([(media[1], media[1])]));
        assert_eq!(relay.bind, media[1].ip());
        config.media.bind = "10.0.0.5".parse().unwrap();
        let (peers, _) = relayed(&config, &media).unwrap();
        assert_eq!(
            peers,
            Peers::new([(media[0], "10.0.0.5:8189".parse().unwrap())])
        );
        assert!(relayed(&config, &media[1..]).is_none());
    }
}
