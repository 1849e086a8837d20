//! [`Server`]: sockets, tasks and the clock around the state machine.
//!
//! Each listener has a task, and so has each connection and each allocation; whoever started one awaits
//! it, and all stop on one token.

mod relaying;
mod stream;
mod udp;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError};
use crate::credentials::TOLERANCE;
use crate::relay::House;
use crate::stats::Stats;
use crate::time::Now;

/// A TURN server that runs until [`Server::shutdown`].
pub struct Server {
    shared: Arc<Shared>,
}

/// Where clients come in. Bind each to one address: with a wildcard, and more than one address, answers
/// over UDP may come from another than was asked.
#[derive(Debug, Default)]
pub struct Sockets {
    /// `turn:…?transport=udp`, by custom on port 3478.
    pub udp: Vec<UdpSocket>,
    /// `turn:…?transport=tcp`, by custom on port 3478.
    pub tcp: Vec<TcpListener>,
    /// `turns:…?transport=tcp`, by custom on port 5349, each with what tells its certificate.
    pub tls: Vec<(TcpListener, Acceptors)>,
}

/// Gives what a connection is accepted with, anew for each, so that certificates may change.
#[derive(Clone)]
pub struct Acceptors(Arc<dyn Fn() -> Accepting + Send + Sync>);

type Accepting = Pin<Box<dyn Future<Output = TlsAcceptor> + Send>>;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It was told something that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system has no random numbers.
    #[error("no random numbers for nonces: {0}")]
    Random(getrandom::Error),
    /// A socket of [`Sockets`] is not usable.
    #[error("a socket of TURN cannot be used: {0}")]
    Socket(#[from] io::Error),
}

/// What all tasks have.
struct Shared {
    house: Arc<House>,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The only reader of the clocks.
#[derive(Debug, Clone, Copy)]
struct Clock {
    start: Instant,
}

/// How often what has ended is looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Before a listener that failed is tried again: without file descriptors, it fails at once each time.
const PAUSE: Duration = Duration::from_millis(50);
/// Messages that are taken from a socket before others have a turn.
const AT_ONCE: usize = 64;

impl Server {
    /// Starts a server on these sockets, within a tokio runtime. Without any, it serves
    /// [`Server::serve_stream`] alone.
    ///
    /// # Errors
    /// When it was told something that cannot be; the text says what to do.
    pub fn start(config: Config, sockets: Sockets) -> Result<Self, StartError> {
        config.check()?;
        let mut nonce_key = [0; 32];
        getrandom::fill(&mut nonce_key).map_err(StartError::Random)?;
        let shared = Arc::new(Shared {
            house: Arc::new(House::new(config, nonce_key)),
            clock: Clock {
                start: Instant::now(),
            },
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        for socket in sockets.udp {
            let task = udp::serve(Arc::clone(&shared), socket);
            shared.tasks.spawn(task);
        }
        let tls = sockets.tls.into_iter();
        let tls = tls.map(|(listener, acceptors)| (listener, Some(acceptors)));
        let tcp = sockets.tcp.into_iter().map(|listener| (listener, None));
        for (listener, acceptors) in tcp.chain(tls) {
            let task = stream::listen(Arc::clone(&shared), listener, acceptors);
            shared.tasks.spawn(task);
        }
        Ok(Self { shared })
    }

    /// Serves a client whose TLS somebody else has accepted, from the first byte within it, and
    /// returns when its connection ends. `client` is its address, to which its limits apply.
    ///
    /// Dropping the future closes the connection.
    pub async fn serve_stream<S>(&self, stream: S, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let shared = Arc::clone(&self.shared);
        let serving = stream::serve(shared, stream, client);
        self.shared.tasks.track_future(serving).await;
    }

    /// Ends all that this name of credentials has, at once, and accepts none of its credentials any
    /// more.
    pub fn end_user(&self, id: &str) {
        let now = self.shared.clock.now();
        // Longer than an hour, no credentials of ours hold.
        let until = now.unix.saturating_add(LONGEST).saturating_add(TOLERANCE);
        self.shared.house.ledger.end_user(id, until, now.unix);
    }

    /// What it has done by now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let house = &self.shared.house;
        let (allocations, connections) = (house.ledger.count(), house.doors.count());
        house.counters.read(allocations, connections)
    }

    /// Closes all sockets and returns when no task is left, those of [`Server::serve_stream`]
    /// included. Clients are not told: TURN has no words for it.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

/// See [`Server::end_user`].
const LONGEST: Duration = Duration::from_secs(3_600);

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Acceptors {
    /// Asks this for each connection.
    #[must_use]
    pub fn new<F, A>(acceptor: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = TlsAcceptor> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(acceptor())))
    }

    async fn next(&self) -> TlsAcceptor {
        (self.0)().await
    }
}

impl From<TlsAcceptor> for Acceptors {
    fn from(acceptor: TlsAcceptor) -> Self {
        Self::new(move || std::future::ready(acceptor.clone()))
    }
}

impl fmt::Debug for Acceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptors(…)")
    }
}

impl Shared {
    /// Passes on to the SFU what a client sent; what the socket does not take at once is dropped.
    fn send_to_peer(&self, socket: &UdpSocket, payload: &[u8], to: SocketAddr) {
        let counters = &self.house.counters;
        match socket.try_send_to(payload, to) {
            Ok(_) => counters.to_peers.count(payload.len()),
            Err(_) => counters.dropped_full.count(),
        }
    }
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "here is where the clock is read; all below takes it as an argument"
    )]
    fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Now {
            at: self.start.elapsed(),
            unix: unix.unwrap_or_default(),
        }
    }
}
