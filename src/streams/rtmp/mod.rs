//! Publishing by RTMP: `rtmp://HOST/live` with the stream key.
//!
//! Pictures and sound go to the SFU as they come, and AAC also as Opus that a media-worker makes of it for
//! viewers by WebRTC. From there on a stream by RTMP is a stream like any other.

mod adts;
mod media;
mod on_air;
mod opening;
mod pace;
mod places;
mod publishing;
mod refusals;

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rtmp::{Connection, ConnectionError, Event, PublishRequest, Refusal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::hooks::{Action, Asking};
use super::{Refused, Streams, spans};
use crate::channels::{Channel, ChannelId, StreamKeyId};
use crate::error::log_store_error;
use crate::secret::Secret;

use places::{Full, Places};
use publishing::Publishing;
use refusals::{Reason, Sparing, TurnedAway, count_broken};

/// Where publishers by RTMP come.
#[derive(Debug, Default)]
pub struct RtmpListeners {
    /// In the clear.
    pub plain: Option<TcpListener>,
    /// Over TLS, and what they are accepted with.
    pub tls: Option<(TcpListener, Arc<ServerConfig>)>,
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

/// Connections by RTMP at once, over TLS or not, at most.
pub const MOST_CONNECTIONS: usize = places::MOST;

/// Everybody who publishes by RTMP, over TLS or not. Owns the places.
struct Connections {
    tools: Tools,
    serving: JoinSet<()>,
    places: Places<task::Id>,
    verified: mpsc::Receiver<Verified>,
    /// For those that are served.
    desk: mpsc::Sender<Verified>,
    lines: Sparing<Full>,
}

/// A connection whose key was accepted asks for a place among publishers.
struct Verified {
    id: task::Id,
    channel: ChannelId,
    reply: oneshot::Sender<Result<(), Full>>,
}

/// One connection, and what it needs.
struct Visitor {
    tools: Tools,
    address: IpAddr,
    desk: mpsc::Sender<Verified>,
}

/// When no socket can be had, as when files run out.
const PAUSE: Duration = Duration::from_millis(100);
/// From the first byte to the end of the TLS handshake; that of RTMP has a time of its own.
const TLS_HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that ask for a place at the same moment; more of them wait.
const ASKING: usize = 64;

/// Takes publishers until the token is cancelled.
pub(super) async fn run(tools: Tools, listeners: RtmpListeners, stop: CancellationToken) {
    let RtmpListeners { plain, tls } = listeners;
    let (desk, verified) = mpsc::channel(ASKING);
    let mut connections = Connections {
        tools,
        serving: JoinSet::new(),
        places: Places::new(),
        verified,
        desk,
        lines: Sparing::new(),
    };
    loop {
        tokio::select! {
            accepted = accept(plain.as_ref()) => connections.take(accepted, None).await,
            accepted = accept(tls.as_ref().map(|(listener, _)| listener)) => {
                let acceptor = tls.as_ref().map(|(_, terms)| TlsAcceptor::from(Arc::clone(terms)));
                connections.take(accepted, acceptor).await;
            }
            Some(verified) = connections.verified.recv() => connections.publish(verified),
            Some(ended) = connections.serving.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                connections.places.leave(&id);
                connections.show();
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
        let (socket, address) = match accepted {
            Ok((socket, address)) => (socket, address.ip().to_canonical()),
            Err(error) => {
                tracing::warn!(%error, "A publisher by RTMP could not be let in: {error}");
                tokio::time::sleep(PAUSE).await;
                return;
            }
        };
        if let Err(full) = self.places.room_for(address) {
            // It is closed at once: words would cost a handshake.
            return self.note(full, Some(address));
        }
        let visitor = Visitor {
            tools: self.tools.clone(),
            address,
            desk: self.desk.clone(),
        };
        let serving = visitor.serve(socket, tls).instrument(spans::rtmp());
        let id = self.serving.spawn(serving).id();
        self.places.take(id, address);
        self.show();
    }

    fn publish(&mut self, verified: Verified) {
        let Verified { id, channel, reply } = verified;
        let place = self.places.publish(id, channel);
        if let Err(full) = place {
            self.note(full, None);
        }
        self.show();
        // Who asked waits for it, or is gone.
        let _ = reply.send(place);
    }

    /// Counts somebody for whom there is no place, and says so if it is time to.
    fn note(&mut self, full: Full, address: Option<IpAddr>) {
        Reason::NoPlace.count();
        let now = self.tools.streams.clock.instant();
        if let Some(times) = self.lines.is_due(full, now) {
            tracing::warn!(
                client.address = address.map(tracing::field::display),
                reason = Reason::NoPlace.label(),
                times,
                "There is no place for a connection by RTMP: {full}"
            );
        }
    }

    fn show(&self) {
        let (unverified, publishing) = self.places.numbers();
        for (state, number) in [("unverified", unverified), ("publishing", publishing)] {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            metrics::gauge!("tallylight_rtmp_connections", "state" => state).set(number);
        }
    }
}

impl Visitor {
    async fn serve(self, socket: TcpStream, tls: Option<TlsAcceptor>) {
        // Words that are waited for are short.
        let _ = socket.set_nodelay(true);
        let Some(tls) = tls else {
            return self.converse(socket).await;
        };
        match timeout(TLS_HANDSHAKE, tls.accept(socket)).await {
            Ok(Ok(socket)) => self.converse(socket).await,
            Ok(Err(error)) => {
                Reason::Protocol.count();
                tracing::info!(
                    client.address = %self.address,
                    %error,
                    "A publisher by RTMPS could not agree on TLS: {error}"
                );
            }
            Err(_) => {
                Reason::Timeout.count();
                tracing::info!(
                    client.address = %self.address,
                    "A publisher by RTMPS did not finish the TLS handshake in time"
                );
            }
        }
    }

    async fn converse<S>(&self, socket: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = rtmp::Config {
            bitrate: self
                .tools
                .streams
                .limits
                .limits
                .publisher_bitrate()
                .unwrap_or(u64::MAX),
            ..rtmp::Config::default()
        };
        let connection = Connection::new(socket, config);
        let Err(error) = self.receive(connection).await else {
            return;
        };
        let reason = Reason::of(&error).inspect(|reason| reason.count());
        tracing::info!(
            client.address = %self.address,
            reason = reason.map(Reason::label),
            %error,
            "A connection by RTMP ended: {error}"
        );
    }

    async fn receive<S>(&self, mut connection: Connection<S>) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(event) = connection.next().await? {
            let Event::PublishRequested(request) = event else {
                continue;
            };
            let (key, channel) = match self.admit(&request).await {
                Ok(admitted) => admitted,
                Err(turned_away) => return self.turn_away(connection, turned_away).await,
            };
            connection.accept();
            let before = connection.counts();
            let publishing = Publishing::new(&self.tools, channel, key, request.key, self.address);
            let ended = publishing.run(&mut connection).await;
            count_broken(before, connection.counts());
            if let Some(refusal) = ended? {
                return self.turn_away(connection, refusal.into()).await;
            }
        }
        connection.close().await;
        Ok(())
    }

    async fn turn_away<S>(
        &self,
        connection: Connection<S>,
        turned_away: TurnedAway,
    ) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let TurnedAway { reason, refusal } = turned_away;
        // Who finds no place was noted where the places are.
        if reason != Reason::NoPlace {
            let (Refusal::BadName(words) | Refusal::Unauthorized(words)) = &refusal;
            reason.count();
            tracing::info!(
                client.address = %self.address,
                reason = reason.label(),
                words,
                "A publisher by RTMP was turned away: {words}"
            );
        }
        connection.refuse(&refusal).await;
        Ok(())
    }

    /// The channel that the key lets publish on.
    async fn admit(&self, request: &PublishRequest) -> Result<(StreamKeyId, Channel), TurnedAway> {
        let streams = &self.tools.streams;
        if let Err(wait) = streams.limits.publish(self.address, &streams.clock) {
            let words = format!(
                "too many attempts; try again in {} s",
                wait.as_secs().max(1)
            );
            return Err(TurnedAway {
                reason: Reason::Attempts,
                refusal: Refusal::Unauthorized(words),
            });
        }
        let key = Secret::new(request.key.reveal());
        let verified = streams.channels.verify_stream_key(&key).await;
        let verified = verified.map_err(|error| {
            log_store_error(&error);
            Refusal::BadName("the server's database does not answer; try again".to_owned())
        })?;
        let (key, channel) = verified.ok_or_else(|| {
            Refusal::Unauthorized(
                "this stream key is wrong or was revoked; copy it again from the dashboard"
                    .to_owned(),
            )
        })?;
        self.ask_hook(key, &channel).await?;
        match self.take_place(channel.id).await {
            Ok(()) => Ok((key, channel)),
            Err(full) => Err(TurnedAway {
                reason: Reason::NoPlace,
                refusal: Refusal::BadName(full.to_string()),
            }),
        }
    }

    /// Asks the operator's endpoint; a refusal is noted for the channel's owner.
    async fn ask_hook(&self, key: StreamKeyId, channel: &Channel) -> Result<(), TurnedAway> {
        let streams = &self.tools.streams;
        let asking = Asking {
            action: Action::Publish,
            channel: &channel.handle,
            stream_key_id: Some(key.to_string()),
            address: self.address,
            user_agent: "",
            protocol: "rtmp",
        };
        let Err(refusal) = streams.hooks.ask(&asking).await else {
            return Ok(());
        };
        let words = refusal.to_string();
        streams.note_attempt(channel.id, words.clone()).await;
        Err(TurnedAway {
            reason: Reason::Hook,
            refusal: Refusal::Unauthorized(words),
        })
    }

    /// Gives the place among strangers back for one among publishers.
    async fn take_place(&self, channel: ChannelId) -> Result<(), Full> {
        let (reply, place) = oneshot::channel();
        let verified = Verified {
            id: task::id(),
            channel,
            reply,
        };
        // Nobody is there to answer only when the server stops, and this with it.
        let _ = self.desk.send(verified).await;
        place.await.unwrap_or(Err(Full::Publishing))
    }
}

/// Why the SFU has no place for it, in words.
fn refusal(refused: &Refused) -> Refusal {
    Refusal::BadName(match refused {
        Refused::AlreadyLive => "this channel is live from another place; stop that one first, or \
             try again when it has been silent for 2 seconds"
            .to_owned(),
        Refused::Apart => {
            "the servers cannot agree who publishes just now; try again in a few seconds".to_owned()
        }
        Refused::HalfOpen => "too many connections from your address; try again shortly".to_owned(),
        Refused::Offer(error) => error.to_string(),
        Refused::Store(error) => {
            log_store_error(error);
            "the server's database does not answer; try again shortly".to_owned()
        }
        Refused::NotLive | Refused::PublisherAway | Refused::Draining => {
            "the server shuts down; try again".to_owned()
        }
    })
}
