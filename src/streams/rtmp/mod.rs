//! Publishing by RTMP: `rtmp://HOST/live` with the stream key.
//!
//! Pictures go to the SFU as they come, sound as Opus that a media-worker makes of it. From there on a
//! stream by RTMP is a stream like any other.

mod adts;
mod media;
mod on_air;
mod opening;
mod pace;
mod places;
mod publishing;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rtmp::{Connection, ConnectionError, Event, PublishRequest, Refusal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Refused, Streams};
use crate::channels::{Channel, StreamKeyId};
use crate::secret::Secret;
use crate::tls::Certificate;

use places::Places;
use publishing::Publishing;

/// Where publishers by RTMP come.
#[derive(Debug, Default)]
pub struct RtmpListeners {
    /// In the clear.
    pub plain: Option<TcpListener>,
    /// Over TLS, with the certificate that they are shown.
    pub tls: Option<(TcpListener, Certificate)>,
}

/// The ports of these.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RtmpPorts {
    pub(super) plain: Option<u16>,
    pub(super) tls: Option<u16>,
}

impl RtmpListeners {
    pub(super) fn ports(&self) -> RtmpPorts {
        let port = |listener: &TcpListener| Some(listener.local_addr().ok()?.port());
        RtmpPorts {
            plain: self.plain.as_ref().and_then(port),
            tls: self.tls.as_ref().and_then(|(listener, _)| port(listener)),
        }
    }
}

/// What connections need.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) streams: Streams,
    /// The program that is a media-worker.
    pub(super) program: PathBuf,
}

/// Everybody who publishes by RTMP, over TLS or not.
struct Connections {
    tools: Tools,
    serving: JoinSet<()>,
    places: Places<task::Id>,
}

/// When no socket can be had, as when files run out.
const PAUSE: Duration = Duration::from_millis(100);
/// From the first byte to the end of the TLS handshake; that of RTMP has a time of its own.
const TLS_HANDSHAKE: Duration = Duration::from_secs(5);

/// Takes publishers until the token is cancelled.
pub(super) async fn run(tools: Tools, listeners: RtmpListeners, stop: CancellationToken) {
    let RtmpListeners { plain, mut tls } = listeners;
    let mut connections = Connections {
        tools,
        serving: JoinSet::new(),
        places: Places::new(),
    };
    loop {
        tokio::select! {
            accepted = accept(plain.as_ref()) => connections.take(accepted, None).await,
            accepted = accept(tls.as_ref().map(|(listener, _)| listener)) => {
                let now = connections.tools.streams.clock.instant();
                let acceptor = match &mut tls {
                    Some((_, certificate)) => Some(certificate.acceptor(now).await),
                    None => None,
                };
                connections.take(accepted, acceptor).await;
            }
            Some(ended) = connections.serving.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                connections.places.leave(&id);
            }
            () = stop.cancelled() => break,
        }
    }
    // Encoders see their connections close, and come back.
    connections.serving.shutdown().await;
}

/// The next connection; none ever where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}

impl Connections {
    async fn take(
        &mut self,
        accepted: io::Result<(TcpStream, SocketAddr)>,
        tls: Option<TlsAcceptor>,
    ) {
        match accepted {
            // Without room it is closed at once.
            Ok((socket, address)) if self.places.is_free_for(address.ip()) => {
                let tools = self.tools.clone();
                let serving = async move { serve(&tools, socket, address, tls).await };
                let id = self.serving.spawn(serving).id();
                self.places.take(id, address.ip());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "A publisher by RTMP could not be let in: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(tools: &Tools, socket: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>) {
    // Words that are waited for are short.
    let _ = socket.set_nodelay(true);
    let Some(tls) = tls else {
        return converse(tools, socket, address).await;
    };
    match timeout(TLS_HANDSHAKE, tls.accept(socket)).await {
        Ok(Ok(socket)) => converse(tools, socket, address).await,
        Ok(Err(error)) => tracing::info!(
            %error,
            "A publisher by RTMPS could not agree on TLS: {error}"
        ),
        Err(_) => tracing::info!("A publisher by RTMPS did not finish the TLS handshake in time"),
    }
}

async fn converse<S>(tools: &Tools, socket: S, address: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = Connection::new(socket, rtmp::Config::default());
    match receive(tools, connection, address).await {
        Ok(()) => {}
        Err(error) => tracing::info!(%error, "A connection by RTMP ended: {error}"),
    }
}

async fn receive<S>(
    tools: &Tools,
    mut connection: Connection<S>,
    address: SocketAddr,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(event) = connection.next().await? {
        let Event::PublishRequested(request) = event else {
            continue;
        };
        let (key, channel) = match admit(tools, &request, address).await {
            Ok(admitted) => admitted,
            Err(refusal) => return turn_away(connection, &refusal).await,
        };
        connection.accept();
        let publishing = Publishing::new(tools, channel, key, request.key, address.ip());
        if let Some(refusal) = publishing.run(&mut connection).await? {
            return turn_away(connection, &refusal).await;
        }
    }
    connection.close().await;
    Ok(())
}

async fn turn_away<S>(connection: Connection<S>, refusal: &Refusal) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (Refusal::BadName(words) | Refusal::Unauthorized(words)) = refusal;
    tracing::info!(words, "A publisher by RTMP was turned away: {words}");
    connection.refuse(refusal).await;
    Ok(())
}

/// The channel that the key lets publish on.
async fn admit(
    tools: &Tools,
    request: &PublishRequest,
    address: SocketAddr,
) -> Result<(StreamKeyId, Channel), Refusal> {
    let streams = &tools.streams;
    if let Err(wait) = streams.limits.publish(address.ip(), &streams.clock) {
        let words = format!(
            "too many attempts; try again in {} s",
            wait.as_secs().max(1)
        );
        return Err(Refusal::Unauthorized(words));
    }
    let key = Secret::new(request.key.reveal());
    let verified = streams.channels.verify_stream_key(&key).await;
    let verified = verified.map_err(|error| {
        crate::error::log_store_error(&error);
        Refusal::BadName("the server's database does not answer; try again".to_owned())
    })?;
    verified.ok_or_else(|| {
        Refusal::Unauthorized(
            "this stream key is wrong or was revoked; copy it again from the dashboard".to_owned(),
        )
    })
}

/// Why the SFU has no place for it, in words.
fn refusal(refused: &Refused) -> Refusal {
    Refusal::BadName(match refused {
        Refused::AlreadyLive => "this channel is live from another place; stop that one first, or \
             try again when it has been silent for 2 seconds"
            .to_owned(),
        Refused::HalfOpen => "too many connections from your address; try again shortly".to_owned(),
        Refused::Offer(error) => error.to_string(),
        Refused::NotLive | Refused::Draining => "the server shuts down; try again".to_owned(),
    })
}
