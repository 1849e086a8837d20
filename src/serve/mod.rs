//! Accepts HTTP connections, in the clear and over TLS, with the bounds that `axum::serve` does not have.
//!
//! HTTP/1.1 in the clear; over TLS HTTP/2 (RFC 9113) where the client takes it, as low-latency HLS
//! wants it. What is answered is the caller's.

mod moving;
mod untaken;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::ice::IceServers;
use crate::request::Arrival;
use crate::tls::{ACME, HTTP_2, STUN_TURN};

use moving::{Moving, Watched};
use untaken::Untaken;

/// Where connections come.
#[derive(Debug)]
pub struct Listener {
    /// The port.
    pub tcp: TcpListener,
    /// What they are accepted with, where they come over TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

/// What the listeners of one audience share.
#[derive(Debug, Clone)]
pub struct House {
    places: Arc<Semaphore>,
    stop: CancellationToken,
    patience: Patience,
    /// Who serves TURN within TLS (RFC 8656 §3.1), where somebody does.
    turn: Option<IceServers>,
}

/// A request as it comes from a connection.
pub type Asked = hyper::Request<Incoming>;

/// Who answers. Cloned for each request.
pub trait Answers: Clone + Send + Sync + 'static {
    /// Answers one request of that connection.
    fn answer(self, asked: Asked, arrival: Arrival) -> impl Future<Output = Response> + Send;
}

impl Answers for Router {
    async fn answer(self, asked: Asked, arrival: Arrival) -> Response {
        let mut request = asked.map(Body::new);
        request.extensions_mut().insert(arrival);
        match self.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For the TLS handshake.
    handshake: Duration,
    /// For the head of its next request in HTTP/1.1, which also ends connections without use.
    head: Duration,
    /// Without a single byte either way, as of a peer that is gone or takes nothing, and of HTTP/2
    /// without use; and for a piece of an answer in HTTP/2 to be taken.
    quiet: Duration,
    /// For what is being answered, once the connection is to end.
    finish: Duration,
}

const PATIENCE: Patience = Patience {
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    quiet: Duration::from_secs(60),
    finish: Duration::from_secs(5),
};
/// Longest head of a request, and the read buffer of a connection in HTTP/1.1.
const HEAD_BYTES: u32 = 16 * 1024;
/// Requests of one connection at the same time in HTTP/2.
const STREAMS: u32 = 100;
/// Bytes of bodies that a client may send ahead in HTTP/2, on all its streams: bodies are small here.
const RECEIVE_WINDOW: u32 = 64 * 1024;
/// Bytes that wait for one stream of a client that takes nothing. A part is shared with all who get it.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client reset before we looked at them: more is a flood (CVE-2023-44487).
const RESETS: usize = 20;
/// Streams that we had to reset because the client broke the protocol on them: more is a flood.
const OWN_RESETS: usize = 100;
/// First bytes of TURN's requests are lower: methods are few.
const TURN_BELOW: u8 = 4;
/// Pause after a failed accept: most often no file is free, and trying at once burns a core.
const BREATHER: Duration = Duration::from_millis(100);

impl House {
    /// One with room for so many connections, which ends with the token.
    #[must_use]
    pub fn new(most_connections: usize, stop: CancellationToken) -> Self {
        let most = most_connections.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(most)),
            stop,
            patience: PATIENCE,
            turn: None,
        }
    }

    /// The same, which hands over who speaks TURN instead of HTTP.
    #[must_use]
    pub fn with_turn(self, ice: IceServers) -> Self {
        Self {
            turn: ice.is_within_https().then_some(ice),
            ..self
        }
    }
}

/// Serves until the house ends, then lets what is being answered finish.
pub async fn serve(listener: Listener, house: House, answers: impl Answers) {
    let Listener { tcp, tls } = listener;
    let connections = TaskTracker::new();
    while let Some((stream, peer)) = next(&tcp, &house.stop).await {
        // Over the bound a connection is closed at once: a queue would only hide it.
        let Ok(place) = Arc::clone(&house.places).try_acquire_owned() else {
            continue;
        };
        let connection = Connection {
            arrival: Arrival {
                peer,
                over_tls: tls.is_some(),
            },
            answers: answers.clone(),
            stop: house.stop.clone(),
            patience: house.patience,
            turn: house.turn.clone(),
        };
        let acceptor = tls.clone().map(TlsAcceptor::from);
        connections.spawn(async move {
            connection.run(stream, acceptor).await;
            drop(place);
        });
    }
    drop(tcp);
    connections.close();
    // Each ends in time by itself.
    connections.wait().await;
}

/// The next connection, unless the token is cancelled.
async fn next(tcp: &TcpListener, stop: &CancellationToken) -> Option<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            accepted = tcp.accept() => match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    tracing::warn!(%error, "Cannot accept a connection: {error}");
                    tokio::time::sleep(BREATHER).await;
                }
            },
        }
    }
}

/// One connection.
struct Connection<A> {
    arrival: Arrival,
    answers: A,
    stop: CancellationToken,
    patience: Patience,
    turn: Option<IceServers>,
}

impl<A: Answers> Connection<A> {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        let (stream, moving) = Watched::new(stream);
        match acceptor {
            None => self.in_http1(stream, &moving).await,
            // Boxed, so that connections in the clear have no room for it.
            Some(acceptor) => Box::pin(self.over_tls(stream, moving, acceptor)).await,
        }
    }

    async fn over_tls(self, stream: Watched<TcpStream>, moving: Moving, acceptor: TlsAcceptor) {
        let handshake = timeout(self.patience.handshake, acceptor.accept(stream));
        let accepted = tokio::select! {
            () = self.stop.cancelled() => return,
            accepted = handshake => accepted,
        };
        match accepted {
            Ok(Ok(stream)) => match stream.get_ref().1.alpn_protocol() {
                Some(HTTP_2) => self.in_http2(stream, &moving).await,
                // Its handshake is all that there is of it (RFC 8737 §3).
                Some(ACME) => {}
                Some(STUN_TURN) => self.in_turn(stream).await,
                _ => self.in_either(stream, moving).await,
            },
            Ok(Err(error)) => tracing::debug!(%error, "No TLS with a client: {error}"),
            Err(_) => tracing::debug!("A client did not finish the TLS handshake in time"),
        }
    }

    /// Clients of TURN seldom say what they speak, or say HTTP (coturn's); but its messages begin with two zero bits (RFC 8489 §5), and no
    /// request does.
    async fn in_either<S>(self, stream: S, moving: Moving)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stream = BufReader::with_capacity(HEAD_BYTES as usize, stream);
        if self.turn.is_some() {
            let first = timeout(self.patience.head, stream.fill_buf());
            let first = tokio::select! {
                () = self.stop.cancelled() => return,
                first = first => first,
            };
            match first {
                Ok(Ok([first, ..])) if *first < TURN_BELOW => return self.in_turn(stream).await,
                Ok(Ok([_, ..])) => {}
                _ => return,
            }
        }
        self.in_http1(stream, &moving).await;
    }

    async fn in_turn<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        if let Some(turn) = &self.turn {
            let serving = turn.serve(stream, self.arrival.peer);
            self.stop.run_until_cancelled(serving).await;
        }
    }

    /// Answers requests until the client leaves, nothing moves any more, or the server stops.
    async fn in_http1<S>(self, stream: S, moving: &Moving)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (arrival, answers) = (self.arrival, self.answers);
        let service = service_fn(move |asked| {
            let answered = answers.clone().answer(asked, arrival);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let connection =
            http1_builder(self.patience).serve_connection(TokioIo::new(stream), service);
        let connection = pin!(connection.with_upgrades());
        let leave = http1::UpgradeableConnection::graceful_shutdown;
        let idle = moving.stopped(self.patience.quiet);
        End::new(self.stop, self.patience)
            .of(connection, leave, idle)
            .await;
    }

    /// The same in HTTP/2, or until answers are left lying.
    async fn in_http2<S>(self, stream: S, moving: &Moving)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (arrival, answers) = (self.arrival, self.answers);
        let untaken = Untaken::default();
        let counted = untaken.clone();
        let service = service_fn(move |asked| {
            let answered = answers.clone().answer(asked, arrival);
            let counted = counted.clone();
            async move { Ok::<_, Infallible>(counted.count(answered.await)) }
        });
        let connection = pin!(http2_builder().serve_connection(TokioIo::new(stream), service));
        let leave = http2::Connection::graceful_shutdown;
        let idle = async {
            tokio::select! {
                () = moving.stopped(self.patience.quiet) => {}
                () = untaken.stuck(self.patience.quiet) => {}
            }
        };
        End::new(self.stop, self.patience)
            .of(connection, leave, idle)
            .await;
    }
}

/// What ends a connection that its client does not end.
struct End {
    stop: CancellationToken,
    patience: Patience,
}

impl End {
    fn new(stop: CancellationToken, patience: Patience) -> Self {
        Self { stop, patience }
    }

    /// Drives a connection to its end, or until it is `idle`; `leave` lets it finish what is being
    /// answered.
    async fn of<C>(
        self,
        mut connection: Pin<&mut C>,
        leave: impl FnOnce(Pin<&mut C>),
        idle: impl Future<Output = ()>,
    ) where
        C: Future<Output = hyper::Result<()>>,
    {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "A connection broke: {error}");
                }
                return;
            }
            () = self.stop.cancelled() => {}
            () = idle => {}
        }
        leave(connection.as_mut());
        let finished = timeout(self.patience.finish, connection).await;
        if finished.is_err() && self.stop.is_cancelled() {
            tracing::warn!("A connection was cut off by the shutdown");
        }
    }
}

fn http1_builder(patience: Patience) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BYTES as usize);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(OWN_RESETS);
    builder
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::tls::{self, Certificates};

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(20);
    const ROOM: usize = 8;

    /// A server that is patient but for what `change` says.
    async fn start(
        tls: Option<Arc<ServerConfig>>,
        router: Router,
        change: impl FnOnce(&mut Patience),
    ) -> (SocketAddr, House, JoinHandle<()>) {
        let mut house = House::new(ROOM, CancellationToken::new());
        house.patience = Patience {
            handshake: LATE,
            head: LATE,
            quiet: LATE,
            finish: LATE,
        };
        change(&mut house.patience);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let listener = Listener { tcp, tls };
        let serving = tokio::spawn(serve(listener, house.clone(), router));
        (address, house, serving)
    }

    async fn ask(server: SocketAddr) -> TcpStream {
        let mut client = TcpStream::connect(server).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        client
    }

    /// Waits until that many connections have a place.
    async fn until_there_are(house: &House, connections: usize) {
        let waiting = async {
            while house.places.available_permits() + connections != ROOM {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(LATE, waiting).await;
        assert!(waited.is_ok(), "there are not {connections} connections");
    }

    #[tokio::test]
    async fn who_takes_nothing_of_its_answer_is_cut() {
        // More than the system's buffers hold.
        let much = || async { vec![0_u8; 64 * 1024 * 1024] };
        let router = Router::new().route("/", get(much));
        let (server, house, _) = start(None, router, |patience| {
            patience.quiet = SOON * 4;
            patience.finish = SOON;
        })
        .await;
        let mut slow = ask(server).await;
        let mut head = [0; 15];
        slow.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        until_there_are(&house, 0).await;
    }

    /// Frames of HTTP/2 (RFC 9113 §4.1).
    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.extend(payload);
        frame
    }

    /// Speaks HTTP/2 with a server that is patient but for silence.
    async fn in_clear(router: Router, quiet: Duration) -> (TcpStream, JoinHandle<()>) {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(tcp.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = tcp.accept().await.unwrap();
        let connection = Connection {
            arrival: Arrival {
                peer,
                over_tls: true,
            },
            answers: router,
            stop: CancellationToken::new(),
            patience: Patience {
                quiet,
                finish: SOON,
                ..PATIENCE
            },
            turn: None,
        };
        let (stream, moving) = Watched::new(stream);
        let serving = async move { connection.in_http2(stream, &moving).await };
        (client, tokio::spawn(serving))
    }

    #[tokio::test]
    async fn pings_do_not_keep_answers_that_nobody_takes() {
        let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
        let part = move || {
            let asked = asked.clone();
            async move {
                asked.send(()).await.unwrap();
                "as good as a part"
            }
        };
        let router = Router::new().route("/", get(part));
        let (mut client, serving) = in_clear(router, SOON * 4).await;
        let mut start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE is 0; then GET https://x/ in HPACK (RFC 7541).
        start.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
        start.extend(frame(1, 5, 1, b"\x82\x87\x84\x01\x01x"));
        client.write_all(&start).await.unwrap();
        was_asked.recv().await.unwrap();
        assert!(!serving.is_finished());
        let pings = async {
            while client.write_all(&frame(6, 0, 0, &[0; 8])).await.is_ok() {
                tokio::time::sleep(SOON).await;
            }
        };
        let ended = async {
            tokio::select! {
                ended = serving => ended.unwrap(),
                () = pings => std::future::pending().await,
            }
        };
        timeout(LATE, ended)
            .await
            .expect("the connection is closed");
    }

    #[tokio::test]
    async fn who_takes_a_little_now_and_then_is_not() {
        let (answers, waiting) = tokio::sync::mpsc::channel::<&str>(1);
        let stream = futures_util::stream::unfold(waiting, |mut waiting| async move {
            let piece = waiting.recv().await?;
            Some((Ok::<_, Infallible>(piece), waiting))
        });
        let body = std::sync::Mutex::new(Some(Body::from_stream(stream)));
        let body = Arc::new(body);
        let router = Router::new().route(
            "/",
            get(move || async move { body.lock().unwrap().take().unwrap_or_default() }),
        );
        let quiet = Duration::from_secs(1);
        let (server, house, _) = start(None, router, |patience| patience.quiet = quiet).await;
        let mut client = ask(server).await;
        for _ in 0..12 {
            tokio::time::sleep(quiet / 4).await;
            answers.send("x").await.unwrap();
        }
        drop(answers);
        let mut answer = Vec::new();
        let read = timeout(LATE, async {
            let mut piece = [0; 1024];
            while !answer.ends_with(b"0\r\n\r\n") {
                let read = client.read(&mut piece).await.unwrap();
                assert!(read > 0, "it was cut: {answer:?}");
                answer.extend(&piece[..read]);
            }
        });
        read.await.unwrap();
        assert_eq!(answer.iter().filter(|byte| **byte == b'x').count(), 12);
        drop(client);
        until_there_are(&house, 0).await;
    }

    #[tokio::test]
    async fn a_handshake_that_does_not_come_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let wish = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let mut config = Config::default();
        config.tls.certificate = folder.path().join("chain.pem");
        config.tls.private_key = folder.path().join("key.pem");
        let made = wish.self_signed(&key).unwrap();
        std::fs::write(&config.tls.certificate, made.pem()).unwrap();
        std::fs::write(&config.tls.private_key, key.serialize_pem()).unwrap();
        let opened = Certificates::open(&config, &Clock::system()).await.unwrap();
        let tls = opened.unwrap().0.terms(tls::HTTP);
        let change = |patience: &mut Patience| patience.handshake = SOON;
        let (server, house, _) = start(Some(tls), Router::new(), change).await;
        let mut slow = TcpStream::connect(server).await.unwrap();
        // The head of a record that never comes.
        slow.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        until_there_are(&house, 1).await;
        assert_eq!(slow.read(&mut [0; 8]).await.unwrap(), 0);
        until_there_are(&house, 0).await;
    }

    #[tokio::test]
    async fn an_orderly_end_waits_for_answers_and_for_nothing_else() {
        let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
        let (answer, answers) = tokio::sync::watch::channel(false);
        let slow = move || {
            let (asked, mut answers) = (asked.clone(), answers.clone());
            async move {
                asked.send(()).await.unwrap();
                answers.wait_for(|ready| *ready).await.unwrap();
                "done"
            }
        };
        let router = Router::new().route("/", get(slow));
        let (server, house, serving) = start(None, router, |_| {}).await;
        let mut idle = TcpStream::connect(server).await.unwrap();
        let mut busy = ask(server).await;
        was_asked.recv().await.unwrap();
        until_there_are(&house, 2).await;
        house.stop.cancel();
        assert_eq!(
            idle.read(&mut [0; 8]).await.unwrap(),
            0,
            "it asked for nothing"
        );
        answer.send_replace(true);
        let mut text = String::new();
        busy.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("done"), "{text}");
        timeout(LATE, serving).await.unwrap().unwrap();
    }
}
