//! The ports of pulls: each has one for itself.
//!
//! A pull is a client of another node. Two streams of one origin would come from one address to the
//! media port, and nothing but STUN in them says whose they are.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use mio::{Interest, Registry, Token};

use crate::ids::SessionId;
use crate::shard::Shard;
use crate::socket::{MediaSocket, MediaSockets};
use crate::stats::{Counters, count};

/// The pulls of one thread.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    ports: HashMap<Token, (SessionId, MediaSocket)>,
    /// Ports that may hold more than was read in this round: the system tells only once.
    unread: Vec<Token>,
}

/// Batches read of one port before others get their turn.
const BATCHES: usize = 8;

impl Pulls {
    /// Watches the port of a pull. Returns its socket for sending, too, with its number.
    pub(crate) fn open(
        &mut self,
        registry: &Registry,
        token: Token,
        session: SessionId,
        sockets: MediaSockets,
    ) -> io::Result<(u16, UdpSocket)> {
        let MediaSockets {
            mut udp, sender, ..
        } = sockets;
        let port = sender.local_addr()?.port();
        registry.register(&mut udp.socket, token, Interest::READABLE)?;
        self.ports.insert(token, (session, udp));
        Ok((port, sender))
    }

    /// Reads what came to the ports that are ready. Returns whether there may be more.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        ready: &[Token],
        shard: &mut Shard,
        counters: &Counters,
    ) -> bool {
        let mut tokens = std::mem::take(&mut self.unread);
        tokens.extend(ready.iter().filter(|token| self.ports.contains_key(token)));
        tokens.sort_unstable();
        tokens.dedup();
        for token in tokens {
            let Some((session, socket)) = self.ports.get_mut(&token) else {
                continue;
            };
            let mut has_more = true;
            for _ in 0..BATCHES {
                count(&counters.receive_calls);
                let take = |source, _, contents: &[u8]| {
                    shard.receive_own(now, *session, source, contents);
                };
                // An error is that of an earlier send; the next read goes on.
                has_more = socket.receive(take).unwrap_or(true);
                if !has_more {
                    break;
                }
            }
            if has_more {
                self.unread.push(token);
            }
        }
        !self.unread.is_empty()
    }

    /// Closes the port of a pull that is over. Returns its number.
    pub(crate) fn close(&mut self, registry: &Registry, session: SessionId) -> Option<u16> {
        let mut ports = self.ports.iter();
        let (token, _) = ports.find(|(_, (of, _))| *of == session)?;
        let token = *token;
        let (_, mut socket) = self.ports.remove(&token)?;
        let port = socket.socket.local_addr().ok()?.port();
        // A socket that is being dropped anyway.
        let _ = registry.deregister(&mut socket.socket);
        Some(port)
    }
}
