//! [`Peers`]: the only addresses that are relayed to, as clients name them and as they are reached.
//!
//! Addresses are compared in their canonical form: `::ffff:192.0.2.1` is `192.0.2.1`. Other ways of
//! writing one (6to4, NAT64, Teredo) are other addresses, so that they are none of ours.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The SFU's media addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers(Arc<[Peer]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// As in the SFU's candidates.
    pub(crate) address: SocketAddr,
    /// Where its socket really is.
    pub(crate) local: SocketAddr,
}

impl Peers {
    /// Pairs of an address as in the SFU's candidates, and the local one to send to in its place: they
    /// differ behind a NAT that maps one to one. Several candidates may have the same local address;
    /// what comes from there looks to a client like the one that it used last.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let peers = pairs.into_iter().map(|(address, local)| Peer {
            address: canonical(address),
            local: canonical(local),
        });
        Self(peers.collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Peer> {
        self.0.get(index)
    }

    /// Whether some peer has that address; permissions are by address alone (RFC 8656 §9).
    pub(crate) fn has_ip(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|peer| peer.address.ip() == ip)
    }

    /// Which peer that is. The port counts, and so a private socket beside the SFU's is not reached.
    pub(crate) fn position(&self, address: SocketAddr) -> Option<usize> {
        self.0.iter().position(|peer| peer.address == address)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Peer)> {
        self.0.iter().enumerate()
    }
}

/// IPv4 written as IPv6 is IPv4; scopes and flow labels say nothing about who that is.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ways_of_writing_one_address_are_one_only_where_they_reach_the_same() {
        let ours = address("203.0.113.5:8189");
        let peers = Peers::new([(ours, address("127.0.0.1:8189"))]);
        assert_eq!(peers.position(ours), Some(0));
        let mapped = canonical(address("[::ffff:203.0.113.5]:8189"));
        assert_eq!(peers.position(mapped), Some(0));
        assert_eq!(peers.position(address("203.0.113.5:8190")), None);
        assert!(peers.has_ip(ours.ip()) && peers.has_ip(mapped.ip()));
        let others = [
            "[2002:cb00:7105::1]:8189",
            "[64:ff9b::203.0.113.5]:8189",
            "[2001:0:cb00:7105:0:e000:34ff:8efa]:8189",
            "[::203.0.113.5]:8189",
            // Where it really is, which clients need not know.
            "127.0.0.1:8189",
        ];
        for other in others {
            let other = canonical(address(other));
            assert_eq!(peers.position(other), None, "{other}");
            assert!(!peers.has_ip(other.ip()), "{other}");
        }
    }
}
