//! [`Routes`]: what of an allocation both directions must know, without a lock.
//!
//! There is a fixed handful of peers, so that permissions and channels are words that one side writes
//! and both read. They run out by themselves: whoever reads one compares it with the time.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::peers::{Peer, Peers};
use crate::time::Now;

/// Where an allocation's datagrams may go, and for how long.
#[derive(Debug)]
pub(crate) struct Routes {
    peers: Peers,
    /// One for each peer.
    ways: Box<[Way]>,
    /// In milliseconds; zero once it ended.
    expires: AtomicU64,
    /// The peer that the client sent to last, which decides between peers of one local address.
    latest: AtomicUsize,
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct Way {
    /// In milliseconds.
    permitted_until: AtomicU64,
    /// A channel number in the highest 16 bits, and until when it is bound, in milliseconds.
    channel: AtomicU64,
}

/// As what a datagram of a peer reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// ChannelData (RFC 8656 §12.4).
    Channel(u16),
    /// A Data indication from there (RFC 8656 §11.4).
    Indication(SocketAddr),
}

/// The channel has another peer, or the peer another channel (RFC 8656 §12.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

/// RFC 8656 §9.
pub(crate) const PERMISSION: Duration = Duration::from_secs(300);
/// RFC 8656 §12.
pub(crate) const CHANNEL: Duration = Duration::from_secs(600);

impl Routes {
    pub(crate) fn new(peers: Peers) -> Self {
        let ways = (0..peers.len()).map(|_| Way::default());
        Self {
            ways: ways.collect(),
            peers,
            expires: AtomicU64::new(0),
            latest: AtomicUsize::new(0),
            ended: CancellationToken::new(),
        }
    }

    /// What is cancelled when the allocation has ended.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    pub(crate) fn live_for(&self, lifetime: Duration, now: Now) {
        if !self.ended.is_cancelled() {
            let expires = now.millis_after(lifetime);
            self.expires.store(expires, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self) {
        self.ended.cancel();
        self.expires.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_live(&self, now: Now) -> bool {
        now.millis() < self.expires.load(Ordering::Relaxed)
    }

    pub(crate) fn time_left(&self, now: Now) -> Duration {
        let expires = self.expires.load(Ordering::Relaxed);
        Duration::from_millis(expires.saturating_sub(now.millis()))
    }

    /// Permits all peers of that address.
    pub(crate) fn permit(&self, ip: IpAddr, now: Now) {
        let until = now.millis_after(PERMISSION);
        for (_, peer, way) in self.iter() {
            if peer.address.ip() == ip {
                way.permitted_until.store(until, Ordering::Relaxed);
            }
        }
    }

    /// Binds a channel to a peer and permits its address.
    pub(crate) fn bind(&self, number: u16, peer: usize, now: Now) -> Result<(), Conflict> {
        for (index, _, way) in self.iter() {
            if let Some(bound) = way.channel(now)
                && (bound == number) != (index == peer)
                && (bound == number || index == peer)
            {
                return Err(Conflict);
            }
        }
        if let (Some(way), Some(peer)) = (self.ways.get(peer), self.peers.get(peer)) {
            let until = now.millis_after(CHANNEL) & MILLIS;
            let word = (u64::from(number) << CHANNEL_SHIFT) | until;
            way.channel.store(word, Ordering::Relaxed);
            self.permit(peer.address.ip(), now);
        }
        Ok(())
    }

    /// Where data of that channel goes.
    pub(crate) fn by_channel(&self, number: u16, now: Now) -> Option<SocketAddr> {
        let mut bound = self.iter();
        let bound = bound.find(|(_, _, way)| way.channel(now) == Some(number));
        let (index, peer, way) = bound?;
        way.is_permitted(now).then(|| self.used(index, peer))
    }

    /// Where a Send indication for that address goes.
    pub(crate) fn by_address(&self, address: SocketAddr, now: Now) -> Option<SocketAddr> {
        let mut ways = self.iter();
        let named = ways.find(|(_, peer, _)| peer.address == address);
        let (index, peer, way) = named?;
        way.is_permitted(now).then(|| self.used(index, peer))
    }

    /// How what came from there is passed on.
    pub(crate) fn envelope_of(&self, local: SocketAddr, now: Now) -> Option<Envelope> {
        let latest = self.latest.load(Ordering::Relaxed);
        let ways = self.iter();
        let mut ways = ways.filter(|(_, peer, way)| peer.local == local && way.is_permitted(now));
        let first = ways.next()?;
        let chosen = if first.0 == latest {
            first
        } else {
            ways.find(|(index, ..)| *index == latest).unwrap_or(first)
        };
        let (_, peer, way) = chosen;
        let channel = way.channel(now).map(Envelope::Channel);
        Some(channel.unwrap_or(Envelope::Indication(peer.address)))
    }

    fn used(&self, index: usize, peer: &Peer) -> SocketAddr {
        if self.latest.load(Ordering::Relaxed) != index {
            self.latest.store(index, Ordering::Relaxed);
        }
        peer.local
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &Peer, &Way)> {
        let ways = self.peers.iter().zip(&self.ways);
        ways.map(|((index, peer), way)| (index, peer, way))
    }
}

impl Way {
    fn is_permitted(&self, now: Now) -> bool {
        now.millis() < self.permitted_until.load(Ordering::Relaxed)
    }

    fn channel(&self, now: Now) -> Option<u16> {
        let word = self.channel.load(Ordering::Relaxed);
        let number = u16::try_from(word >> CHANNEL_SHIFT).ok()?;
        (now.millis() < word & MILLIS).then_some(number)
    }
}

const CHANNEL_SHIFT: u32 = 48;
const MILLIS: u64 = (1 << CHANNEL_SHIFT) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Now {
        Now {
            at: Duration::from_secs(seconds),
            unix: Duration::ZERO,
        }
    }

    /// A public and a private candidate of one socket, and another socket.
    fn routes() -> Routes {
        let one = address("127.0.0.1:8189");
        Routes::new(Peers::new([
            (address("203.0.113.5:8189"), one),
            (address("192.168.1.5:8189"), one),
            (address("203.0.113.5:8190"), address("127.0.0.1:8190")),
        ]))
    }

    #[test]
    fn permissions_are_by_address_and_end_after_five_minutes() {
        let routes = routes();
        let public = address("203.0.113.5:8189");
        assert_eq!(routes.by_address(public, at(0)), None);
        routes.permit(public.ip(), at(0));
        assert_eq!(
            routes.by_address(public, at(299)),
            Some(address("127.0.0.1:8189"))
        );
        let other_port = address("203.0.113.5:8190");
        assert_eq!(
            routes.by_address(other_port, at(299)),
            Some(address("127.0.0.1:8190"))
        );
        assert_eq!(
            routes.by_address(address("192.168.1.5:8189"), at(299)),
            None
        );
        assert_eq!(routes.by_address(address("203.0.113.5:9"), at(299)), None);
        assert_eq!(routes.by_address(public, at(300)), None);
        assert_eq!(routes.envelope_of(address("127.0.0.1:8189"), at(300)), None);
    }

    #[test]
    fn a_channel_has_one_peer_and_ends_after_ten_minutes() {
        let routes = routes();
        let local = Some(address("127.0.0.1:8189"));
        assert_eq!(routes.bind(0x4000, 0, at(0)), Ok(()));
        assert_eq!(routes.bind(0x4000, 1, at(1)), Err(Conflict));
        assert_eq!(routes.bind(0x4001, 0, at(1)), Err(Conflict));
        assert_eq!(routes.bind(0x4001, 1, at(1)), Ok(()));
        assert_eq!(routes.by_channel(0x4000, at(299)), local);
        assert_eq!(routes.by_channel(0x4002, at(299)), None);
        assert_eq!(routes.by_channel(0x4000, at(300)), None, "no permission");
        routes.permit(address("203.0.113.5:1").ip(), at(301));
        assert_eq!(routes.by_channel(0x4000, at(599)), local);
        assert_eq!(routes.by_channel(0x4000, at(600)), None);
        assert_eq!(routes.bind(0x4002, 0, at(600)), Ok(()), "it is free again");
    }

    #[test]
    fn of_candidates_of_one_socket_the_client_hears_the_one_it_used() {
        let routes = routes();
        let (public, private) = (address("203.0.113.5:8189"), address("192.168.1.5:8189"));
        let socket = address("127.0.0.1:8189");
        routes.permit(private.ip(), at(0));
        assert_eq!(
            routes.envelope_of(socket, at(0)),
            Some(Envelope::Indication(private))
        );
        routes.permit(public.ip(), at(0));
        for used in [private, public, private] {
            routes.by_address(used, at(1));
            assert_eq!(
                routes.envelope_of(socket, at(1)),
                Some(Envelope::Indication(used))
            );
        }
        assert_eq!(routes.bind(0x4abc, 0, at(2)), Ok(()));
        assert_eq!(
            routes.envelope_of(socket, at(2)),
            Some(Envelope::Indication(private))
        );
        routes.by_channel(0x4abc, at(2));
        assert_eq!(
            routes.envelope_of(socket, at(2)),
            Some(Envelope::Channel(0x4abc))
        );
        assert_eq!(routes.envelope_of(address("127.0.0.1:9"), at(2)), None);
    }

    #[test]
    fn what_ended_stays_so() {
        let routes = routes();
        assert!(!routes.is_live(at(0)));
        routes.live_for(Duration::from_secs(600), at(0));
        assert!(routes.is_live(at(599)) && !routes.is_live(at(600)));
        assert_eq!(routes.time_left(at(599)), Duration::from_secs(1));
        routes.end();
        routes.live_for(Duration::from_secs(600), at(1));
        assert!(!routes.is_live(at(1)) && routes.ended().is_cancelled());
    }
}
