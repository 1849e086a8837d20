//! Accepts HTTP connections, with the bounds that `axum::serve` does not have.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// A connection must send the head of its next request within this time, else it is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Longest head of a request, and the read buffer of a connection.
const HEAD_BYTES: usize = 16 * 1024;
/// After the stop, what is being answered has this long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// Pause after a failed accept: most often no file is free, and trying at once burns a core.
const BREATHER: Duration = Duration::from_millis(100);

/// Serves until the token is cancelled, then lets what is being answered finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    most_connections: usize,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(most_connections.min(Semaphore::MAX_PERMITS)));
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "Cannot accept a connection: {error}");
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            },
        };
        // Over the bound a connection is closed at once: a queue would only hide it.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let connection = graceful.watch(connection(stream, peer, router.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection broke: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("Some requests were cut off by the shutdown");
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<
    Error = Box<dyn std::error::Error + Send + Sync>,
> {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> = router.oneshot(request).await;
            answered
        }
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES);
    builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned()
}
