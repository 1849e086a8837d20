//! Clients over TCP and TLS: one task a connection, which owns the client's state.
//!
//! What the SFU sends waits for a slow client in a queue of [`QUEUE`] messages; when that is full,
//! datagrams are dropped, as a network would. Answers wait, and so the client is not read meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::relaying::{RelaySockets, ToClient, relay};
use super::{Acceptors, PAUSE, SWEEP, Shared};
use crate::frame;
use crate::relay::{Outcome, Relay};

/// Messages that wait for a client.
const QUEUE: usize = 256;
/// Of these, so many are written at once.
const BATCH: usize = 32;

/// What a connection needs while it is open.
struct Connection {
    shared: Arc<Shared>,
    client: SocketAddr,
    relay: Relay<RelaySockets>,
    queue: Queue,
    /// One at a time, and those that are about to end.
    allocations: JoinSet<()>,
    /// When there was last an allocation.
    busy_at: Instant,
}

/// A client at the other end of a connection.
#[derive(Clone)]
struct Queue(mpsc::Sender<Bytes>);

/// The connection is over, whoever ended it.
struct Over;

impl ToClient for Queue {
    fn send(&self, message: &[u8]) -> bool {
        // One that has no room is not worth a copy.
        let place = self.0.try_reserve();
        place.is_ok_and(|place| {
            place.send(Bytes::copy_from_slice(message));
            true
        })
    }
}

/// Until the server stops.
pub(super) async fn listen(
    shared: Arc<Shared>,
    listener: TcpListener,
    acceptors: Option<Acceptors>,
) {
    let stop = shared.stop.clone();
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, client)) => {
                        let shared = Arc::clone(&shared);
                        let acceptors = acceptors.clone();
                        connections.spawn(welcome(shared, stream, client, acceptors));
                    }
                    Err(_) => sleep(PAUSE).await,
                },
                Some(ended) = connections.join_next() => {
                    if ended.is_err_and(|error| error.is_panic()) {
                        shared.house.counters.panics.count();
                    }
                }
            }
        }
    };
    let _ = stop.run_until_cancelled(accepting).await;
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves a connection that was just accepted.
async fn welcome(
    shared: Arc<Shared>,
    stream: TcpStream,
    client: SocketAddr,
    acceptors: Option<Acceptors>,
) {
    let Ok(_inside) = shared.house.doors.enter(client.ip()) else {
        shared.house.counters.refused_connections.count();
        return;
    };
    // Media waits for nothing. Where that is not to be had, it is slower.
    let _ = stream.set_nodelay(true);
    let Some(acceptors) = acceptors else {
        return converse(shared, stream, client).await;
    };
    let handshake = async { acceptors.next().await.accept(stream).await };
    let longest = shared.house.config.limits.handshake_timeout;
    let handshake = timeout(longest, handshake);
    if let Some(Ok(Ok(stream))) = shared.stop.run_until_cancelled(handshake).await {
        converse(Arc::clone(&shared), stream, client).await;
    }
}

/// Serves a connection that somebody else has accepted.
pub(super) async fn serve<S>(shared: Arc<Shared>, stream: S, client: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send,
{
    match shared.house.doors.enter(client.ip()) {
        Ok(_inside) => converse(Arc::clone(&shared), stream, client).await,
        Err(_) => shared.house.counters.refused_connections.count(),
    }
}

/// Until either side has enough.
async fn converse<S>(shared: Arc<Shared>, stream: S, client: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (reader, writer) = tokio::io::split(stream);
    let (queue, waiting) = mpsc::channel(QUEUE);
    let longest = shared.house.config.limits.idle_timeout;
    let stop = shared.stop.clone();
    let mut connection = Connection {
        relay: Relay::of_connection(Arc::clone(&shared.house), RelaySockets),
        client,
        queue: Queue(queue),
        allocations: JoinSet::new(),
        busy_at: Instant::now(),
        shared,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = connection.read(reader) => {}
        () = write(writer, waiting, longest) => {}
    }
    // Its allocation ends with its place.
    drop(connection.relay);
    while connection.allocations.join_next().await.is_some() {}
}

impl Connection {
    async fn read<S: AsyncRead>(&mut self, mut reader: ReadHalf<S>) -> Over {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(frame::MOST);
            tokio::select! {
                biased;
                _ = sweep.tick() => if self.is_idle() {
                    return Over;
                },
                read = reader.read_buf(&mut buffer) => if read.unwrap_or(0) == 0 {
                    return Over;
                },
            }
            loop {
                match frame::next(&mut buffer) {
                    Ok(Some(message)) => self.take(&message).await,
                    Ok(None) => break,
                    Err(frame::Garbled) => return Over,
                }
            }
        }
    }

    async fn take(&mut self, message: &[u8]) {
        let now = self.shared.clock.now();
        match self.relay.receive(self.client, message, now) {
            Outcome::Nothing => {}
            Outcome::Relay {
                socket,
                to,
                payload,
            } => self.shared.send_to_peer(socket, payload, to),
            Outcome::Answer(answer) => self.answer(answer).await,
            Outcome::Opened { answer, opened } => {
                let to_client = self.queue.clone();
                let task = relay(Arc::clone(&self.shared), opened, to_client);
                self.allocations.spawn(task);
                self.answer(answer).await;
            }
        }
    }

    /// Nobody asks again on a stream, so that answers wait for room.
    async fn answer(&self, answer: Vec<u8>) {
        // If nobody writes any more, the connection is about to end.
        let _ = self.queue.0.send(answer.into()).await;
    }

    fn is_idle(&mut self) -> bool {
        let now = Instant::now();
        self.relay.expire(self.shared.clock.now());
        while self.allocations.try_join_next().is_some() {}
        if !self.relay.is_empty() {
            self.busy_at = now;
        }
        now.saturating_duration_since(self.busy_at) >= self.shared.house.config.limits.idle_timeout
    }
}

/// Writes what waits, until the client takes nothing for `longest` or its end is gone.
async fn write<S: AsyncWrite>(
    mut writer: WriteHalf<S>,
    mut waiting: mpsc::Receiver<Bytes>,
    longest: Duration,
) {
    let (mut messages, mut written) = (Vec::with_capacity(BATCH), BytesMut::new());
    while waiting.recv_many(&mut messages, BATCH).await > 0 {
        written.clear();
        for message in messages.drain(..) {
            written.extend_from_slice(&message);
        }
        let writing = async {
            writer.write_all(&written).await?;
            writer.flush().await
        };
        if !matches!(timeout(longest, writing).await, Ok(Ok(()))) {
            return;
        }
    }
}
