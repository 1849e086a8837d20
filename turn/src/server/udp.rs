//! Clients over UDP: one task reads the socket and owns the state of all of its clients.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::relaying::{RelaySockets, ToClient, relay};
use super::{AT_ONCE, PAUSE, SWEEP, Shared};
use crate::relay::{Outcome, Relay};

/// Longest datagram there is.
const LONGEST: usize = 65_535;

struct Clients {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    relay: Relay<RelaySockets>,
    /// One task an allocation.
    allocations: JoinSet<()>,
}

/// A client at the other end of the listener's socket.
struct Datagrams {
    socket: Arc<UdpSocket>,
    client: SocketAddr,
}

impl ToClient for Datagrams {
    fn send(&self, message: &[u8]) -> bool {
        self.socket.try_send_to(message, self.client).is_ok()
    }
}

/// Until the server stops.
pub(super) async fn serve(shared: Arc<Shared>, socket: UdpSocket) {
    let mut clients = Clients {
        relay: Relay::new(Arc::clone(&shared.house), RelaySockets),
        socket: Arc::new(socket),
        allocations: JoinSet::new(),
        shared,
    };
    clients.read().await;
    // Its allocations end with their places.
    drop(clients.relay);
    while clients.allocations.join_next().await.is_some() {}
}

impl Clients {
    async fn read(&mut self) {
        let stop = self.shared.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let socket = Arc::clone(&self.socket);
        let mut buffer = vec![0; LONGEST].into_boxed_slice();
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return,
                _ = sweep.tick() => self.sweep(),
                received = socket.recv_from(&mut buffer) => match received {
                    Ok((length, client)) => {
                        self.take(client, buffer.get(..length).unwrap_or_default());
                        self.read_more(&socket, &mut buffer);
                    }
                    Err(_) => sleep(PAUSE).await,
                },
            }
        }
    }

    /// What is there already, without waking up for each.
    fn read_more(&mut self, socket: &UdpSocket, buffer: &mut [u8]) {
        for _ in 0..AT_ONCE {
            let Ok((length, client)) = socket.try_recv_from(buffer) else {
                return;
            };
            self.take(client, buffer.get(..length).unwrap_or_default());
        }
    }

    /// A message that breaks the state machine is lost, and nothing else.
    fn take(&mut self, client: SocketAddr, message: &[u8]) {
        let taking = AssertUnwindSafe(|| self.take_one(client, message));
        if catch_unwind(taking).is_err() {
            self.shared.house.counters.panics.count();
            tracing::error!("A message to TURN broke the relay; this is a bug, please report it");
        }
    }

    fn take_one(&mut self, client: SocketAddr, message: &[u8]) {
        match self.relay.receive(client, message, self.shared.clock.now()) {
            Outcome::Nothing => {}
            Outcome::Relay {
                socket,
                to,
                payload,
            } => self.shared.send_to_peer(socket, payload, to),
            Outcome::Answer(answer) => self.answer(client, &answer),
            Outcome::Opened { answer, opened } => {
                let to_client = Datagrams {
                    socket: Arc::clone(&self.socket),
                    client,
                };
                let task = relay(Arc::clone(&self.shared), opened, to_client);
                self.allocations.spawn(task);
                self.answer(client, &answer);
            }
        }
    }

    /// An answer that is lost is asked for again.
    fn answer(&self, client: SocketAddr, answer: &[u8]) {
        if self.socket.try_send_to(answer, client).is_err() {
            self.shared.house.counters.dropped_full.count();
        }
    }

    fn sweep(&mut self) {
        self.relay.expire(self.shared.clock.now());
        while self.allocations.try_join_next().is_some() {}
    }
}
