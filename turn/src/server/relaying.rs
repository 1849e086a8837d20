//! From the SFU to a client: one task an allocation, which reads its socket and sends at once.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::{AT_ONCE, PAUSE, Shared};
use crate::message::{ENVELOPE, enclose};
use crate::peers::canonical;
use crate::rate::Rate;
use crate::relay::{Bind, Opened};
use crate::routes::Routes;

/// The other end of an allocation.
pub(super) trait ToClient: Send {
    /// Passes on a message, or drops it if that is not possible at once: `false`.
    fn send(&self, message: &[u8]) -> bool;
}

/// Gives sockets on free ports.
pub(super) struct RelaySockets;

/// Longest datagram of the SFU; those of WebRTC have some 1,200 bytes.
const LONGEST: usize = 4_096;
/// What is read beyond it tells that a datagram was longer, and holds padding.
const SPARE: usize = 4;
/// For an even port: one of a million clients asks in vain.
const TRIES: usize = 20;

struct Relaying<C> {
    shared: Arc<Shared>,
    routes: Arc<Routes>,
    to_client: C,
    rate: Rate,
    sent: u64,
}

impl Bind for RelaySockets {
    type Socket = Arc<UdpSocket>;

    fn bind(&mut self, ip: IpAddr, is_even: bool) -> io::Result<(Self::Socket, u16)> {
        // Kept until one is right, so that the next is another.
        let mut odd = Vec::new();
        while odd.len() < TRIES {
            let socket = StdSocket::bind(SocketAddr::new(ip, 0))?;
            let port = socket.local_addr()?.port();
            if is_even && port % 2 == 1 {
                odd.push(socket);
                continue;
            }
            socket.set_nonblocking(true)?;
            return Ok((Arc::new(UdpSocket::from_std(socket)?), port));
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }
}

/// Until the allocation ends.
pub(super) async fn relay<C: ToClient>(
    shared: Arc<Shared>,
    opened: Opened<Arc<UdpSocket>>,
    to_client: C,
) {
    let ended = opened.routes.ended().clone();
    let mut relaying = Relaying {
        rate: shared.house.rate(),
        routes: opened.routes,
        to_client,
        sent: 0,
        shared,
    };
    let reading = relaying.read(&opened.socket);
    // The socket is closed when the task ends: its port is not another's before.
    let _ = ended.run_until_cancelled(reading).await;
}

impl<C: ToClient> Relaying<C> {
    async fn read(&mut self, socket: &UdpSocket) {
        let mut buffer = vec![0; ENVELOPE + LONGEST + SPARE].into_boxed_slice();
        loop {
            let free = buffer.get_mut(ENVELOPE..).unwrap_or_default();
            match socket.recv_from(free).await {
                Ok((length, from)) => self.pass_on(&mut buffer, length, from),
                // As when the SFU's port was closed for a moment.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            for _ in 0..AT_ONCE {
                let free = buffer.get_mut(ENVELOPE..).unwrap_or_default();
                let Ok((length, from)) = socket.try_recv_from(free) else {
                    break;
                };
                self.pass_on(&mut buffer, length, from);
            }
        }
    }

    fn pass_on(&mut self, buffer: &mut [u8], length: usize, from: SocketAddr) {
        let counters = &self.shared.house.counters;
        let now = self.shared.clock.now();
        let envelope = self.routes.envelope_of(canonical(from), now);
        let Some(envelope) = envelope.filter(|_| self.routes.is_live(now)) else {
            counters.dropped_peers.count();
            return;
        };
        if !self.rate.take(length, now.at) {
            counters.dropped_rate.count();
            return;
        }
        self.sent = self.sent.wrapping_add(1);
        let mut transaction = [0; 12];
        if let Some(end) = transaction.last_chunk_mut() {
            *end = self.sent.to_be_bytes();
        }
        let message = (length <= LONGEST)
            .then(|| enclose(buffer, length, envelope, transaction))
            .flatten();
        if message.is_some_and(|message| self.to_client.send(message)) {
            counters.to_clients.count(length);
        } else {
            counters.dropped_full.count();
        }
    }
}
