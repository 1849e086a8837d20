//! [`Relay`]: what clients of one listener ask, answered; allocations, and datagrams on their way to the
//! SFU (RFC 8656 §7 to §12).
//!
//! One task owns it. It reads no clock, and of sockets it knows only how to get one ([`Bind`]). The way
//! back from the SFU does not lead through here: it needs [`Routes`] alone.

mod asking;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stun_types::message::{MessageClass, TransactionId};

use crate::config::Config;
use crate::ledger::{Doors, Ledger, Place};
use crate::message::{Stun, attribute, be16, method};
use crate::nonce::Nonces;
use crate::peers::canonical;
use crate::rate::{Rate, Sources};
use crate::routes::Routes;
use crate::stats::Counters;
use crate::time::Now;

/// What all listeners of a server share.
pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) counters: Counters,
    nonces: Nonces,
    sources: Mutex<Sources>,
}

/// Gives sockets to relay from.
pub(crate) trait Bind {
    /// A handle; all that were cloned of one are the same socket.
    type Socket: Clone;

    /// A socket with that address and a free port, an even one if that is wanted, and its port.
    fn bind(&mut self, ip: IpAddr, is_even: bool) -> io::Result<(Self::Socket, u16)>;
}

/// Clients of one listener by their address, which is all of the 5-tuple that differs between them.
pub(crate) struct Relay<B: Bind> {
    house: Arc<House>,
    bind: B,
    strangers: Strangers,
    allocations: HashMap<SocketAddr, Allocation<B::Socket>>,
}

/// What bounds the answers to who has not shown credentials.
enum Strangers {
    /// Of datagrams, the network that they say they are from; it may be forged.
    Networks,
    /// A connection is from where it says. All of a large office may join at once, and ask only once.
    Connection(Rate),
}

struct Allocation<S> {
    /// Free again when this is dropped, which ends the routes.
    _place: Place,
    routes: Arc<Routes>,
    socket: S,
    relayed: SocketAddr,
    username: Box<str>,
    /// Of the request that made it, which may come again when its answer was lost (RFC 8489 §6.3.1).
    transaction: TransactionId,
    to_peers: Rate,
}

/// What becomes of a message.
pub(crate) enum Outcome<'r, 'b, S> {
    /// Nothing.
    Nothing,
    /// The client gets this.
    Answer(Vec<u8>),
    /// The client gets the answer, and what the socket receives from now on.
    Opened { answer: Vec<u8>, opened: Opened<S> },
    /// A peer gets this.
    Relay {
        socket: &'r S,
        to: SocketAddr,
        payload: &'b [u8],
    },
}

/// A new allocation, for whoever reads its socket until the routes end.
pub(crate) struct Opened<S> {
    pub(crate) socket: S,
    pub(crate) routes: Arc<Routes>,
}

/// What of a bitrate may come at once.
pub(crate) const BURST: Duration = Duration::from_secs(2);

impl House {
    pub(crate) fn new(config: Config, nonce_key: [u8; 32]) -> Self {
        Self {
            ledger: Arc::default(),
            doors: Arc::new(Doors::new(&config.limits)),
            counters: Counters::default(),
            nonces: Nonces::new(nonce_key),
            sources: Mutex::new(Sources::new(config.limits.unauthenticated_replies)),
            config,
        }
    }

    /// A bucket for one direction of an allocation.
    pub(crate) fn rate(&self) -> Rate {
        Rate::new(self.config.limits.bytes_per_second, BURST)
    }
}

impl<B: Bind> Relay<B> {
    /// For clients who send datagrams.
    pub(crate) fn new(house: Arc<House>, bind: B) -> Self {
        Self {
            house,
            bind,
            strangers: Strangers::Networks,
            allocations: HashMap::new(),
        }
    }

    /// For the client of a connection.
    pub(crate) fn of_connection(house: Arc<House>, bind: B) -> Self {
        let answers = house.config.limits.unauthenticated_replies.div_ceil(2);
        let rate = Rate::new(answers.into(), Duration::from_secs(1));
        Self {
            strangers: Strangers::Connection(rate),
            ..Self::new(house, bind)
        }
    }

    /// Takes what a client sent: one datagram, or one message of a stream.
    pub(crate) fn receive<'b>(
        &mut self,
        client: SocketAddr,
        bytes: &'b [u8],
        now: Now,
    ) -> Outcome<'_, 'b, B::Socket> {
        let client = canonical(client);
        // The first two bits tell them apart (RFC 8656 §12.4).
        match bytes.first().map(|first| first >> 6) {
            Some(0b01) => self.channel_data(client, bytes, now),
            Some(0b00) => {
                let Some(stun) = Stun::read(bytes) else {
                    return Outcome::Nothing;
                };
                match (stun.class(), stun.method()) {
                    (MessageClass::Request, _) => self.ask(client, stun, now),
                    (MessageClass::Indication, method::SEND) => {
                        self.send_indication(client, stun, now)
                    }
                    _ => Outcome::Nothing,
                }
            }
            _ => Outcome::Nothing,
        }
    }

    /// Forgets what has ended.
    pub(crate) fn expire(&mut self, now: Now) {
        self.allocations
            .retain(|_, allocation| allocation.is_live(now));
    }

    /// Whether there is no allocation.
    pub(crate) fn is_empty(&self) -> bool {
        self.allocations.is_empty()
    }

    /// Takes one of the answers that strangers have.
    fn may_answer(&mut self, client: SocketAddr, now: Now) -> bool {
        match &mut self.strangers {
            Strangers::Networks => {
                let sources = self.house.sources.lock();
                let mut sources = sources.unwrap_or_else(PoisonError::into_inner);
                sources.take(client.ip(), now.at)
            }
            Strangers::Connection(rate) => rate.take(1, now.at),
        }
    }

    /// RFC 8656 §12.6.
    fn channel_data<'b>(
        &mut self,
        client: SocketAddr,
        bytes: &'b [u8],
        now: Now,
    ) -> Outcome<'_, 'b, B::Socket> {
        let payload = be16(bytes, 2).and_then(|length| {
            let end = usize::from(length).checked_add(4)?;
            bytes.get(4..end)
        });
        let (Some(number), Some(payload)) = (be16(bytes, 0), payload) else {
            return Outcome::Nothing;
        };
        self.pass_on(client, payload, now, |routes| {
            routes.by_channel(number, now)
        })
    }

    /// RFC 8656 §11.2.
    fn send_indication<'b>(
        &mut self,
        client: SocketAddr,
        stun: Stun<'b>,
        now: Now,
    ) -> Outcome<'_, 'b, B::Socket> {
        let peer = stun.addresses(attribute::XOR_PEER_ADDRESS).next();
        let data = stun.get(attribute::DATA);
        let (Some(Some(peer)), Some(payload)) = (peer, data) else {
            return Outcome::Nothing;
        };
        if !stun.unknown().is_empty() {
            return Outcome::Nothing;
        }
        self.pass_on(client, payload, now, |routes| routes.by_address(peer, now))
    }

    fn pass_on<'b>(
        &mut self,
        client: SocketAddr,
        payload: &'b [u8],
        now: Now,
        route: impl FnOnce(&Routes) -> Option<SocketAddr>,
    ) -> Outcome<'_, 'b, B::Socket> {
        let Some(allocation) = self.allocations.get_mut(&client) else {
            return Outcome::Nothing;
        };
        if !allocation.routes.is_live(now) {
            return Outcome::Nothing;
        }
        let Some(to) = route(&allocation.routes) else {
            self.house.counters.dropped_peers.count();
            return Outcome::Nothing;
        };
        if !allocation.to_peers.take(payload.len(), now.at) {
            self.house.counters.dropped_rate.count();
            return Outcome::Nothing;
        }
        Outcome::Relay {
            socket: &allocation.socket,
            to,
            payload,
        }
    }
}

impl<S> Allocation<S> {
    fn is_live(&self, now: Now) -> bool {
        self.routes.is_live(now) && !self.routes.ended().is_cancelled()
    }
}

#[cfg(test)]
mod tests;
