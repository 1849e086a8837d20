//! What a server is told at its start.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::peers::Peers;

/// For whom, to whom, from where, and how much.
#[derive(Debug, Clone)]
pub struct Config {
    /// What credentials are for (RFC 8489 §14.9): 1 to 63 letters, digits, `.`, `-` or `_`. Up to 12
    /// leave room for words in unauthenticated errors.
    pub realm: String,
    /// What credentials are made with; [`Credentials::issue`](crate::Credentials::issue) and coturn's
    /// `static-auth-secret` have the same.
    pub secret: Secret,
    /// The SFU's media addresses.
    pub peers: Peers,
    /// Where datagrams to the SFU come from: one for IPv4, one for IPv6, or both.
    pub relays: Vec<RelayAddress>,
    /// Says of the name in a credential whether it is still good. All are, by default.
    pub is_alive: IsAlive,
    /// How much of everything.
    pub limits: Limits,
}

/// The address that relay sockets have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAddress {
    /// Where they are bound, with a free port each. It must be able to reach the local addresses of
    /// [`Peers`] of its family.
    pub bind: IpAddr,
    /// What XOR-RELAYED-ADDRESS says, and so the client's candidate: the public address, even though
    /// nobody but the SFU ever sends there.
    pub announced: IpAddr,
}

impl From<IpAddr> for RelayAddress {
    fn from(ip: IpAddr) -> Self {
        Self {
            bind: ip,
            announced: ip,
        }
    }
}

/// Bounds on what clients have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Allocations at once, each of which has a socket.
    pub allocations: usize,
    /// Of one name, however many credentials it was given.
    pub allocations_per_user: usize,
    /// Of one address, a /64 with IPv6. Many may stand behind one NAT.
    pub allocations_per_address: usize,
    /// Of an allocation, until it is refreshed: at most 600 s.
    pub lifetime: Duration,
    /// Payload that an allocation relays in each direction, on average. What two seconds of it hold
    /// may come at once, as a group of pictures does when somebody joins; what is above it is dropped.
    pub bytes_per_second: u64,
    /// Answers a second to who has not shown credentials: over UDP by network, a /24 of IPv4 or a /48
    /// of IPv6; on a connection, whose address cannot be forged, by connection.
    pub unauthenticated_replies: u32,
    /// Connections by TCP and TLS at once.
    pub connections: usize,
    /// Of one address, a /64 with IPv6.
    pub connections_per_address: usize,
    /// For the handshake of TLS.
    pub handshake_timeout: Duration,
    /// Longest time that a connection has no allocation, and that a peer does not read.
    pub idle_timeout: Duration,
}

/// What credentials are made with. Nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

/// Says of the name in a credential, which may be a session's id, whether it is still good. Asked
/// at each request, so that it must not block.
#[derive(Clone)]
pub struct IsAlive(Arc<dyn Fn(&str) -> bool + Send + Sync>);

/// Why a server cannot run so. The text says what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Clients would not understand it.
    #[error("the realm must be 1 to 63 letters, digits, dots, dashes or underscores")]
    Realm,
    /// Whoever sees one credential could find it.
    #[error("the secret must have at least {LEAST_SECRET} bytes")]
    ShortSecret,
    /// There is nobody to relay to.
    #[error("there must be at least one peer, and at most {MOST_PEERS}")]
    Peers,
    /// None, or two of a family.
    #[error("there must be one relay address of IPv4, of IPv6, or one of each")]
    Relays,
    /// RFC 8656 §3.2 has it at ten minutes; coming and going would cost more than it saves.
    #[error("the lifetime must be between {} and {} s", LIFETIMES.0.as_secs(), LIFETIMES.1.as_secs())]
    Lifetime,
}

const LEAST_SECRET: usize = 16;
/// Each datagram is compared with all of them.
const MOST_PEERS: usize = 64;
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

impl Config {
    /// With all else as it is by default.
    #[must_use]
    pub fn new(realm: &str, secret: Secret, peers: Peers, relays: Vec<RelayAddress>) -> Self {
        Self {
            realm: realm.to_owned(),
            secret,
            peers,
            relays,
            is_alive: IsAlive::default(),
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(1..64).contains(&self.realm.len()) || !self.realm.chars().all(is_plain) {
            return Err(ConfigError::Realm);
        }
        if self.secret.0.len() < LEAST_SECRET {
            return Err(ConfigError::ShortSecret);
        }
        if !(1..=MOST_PEERS).contains(&self.peers.len()) {
            return Err(ConfigError::Peers);
        }
        let of_ipv4 = self.relays.iter().filter(|relay| relay.bind.is_ipv4());
        let of_ipv4 = of_ipv4.count();
        let of_ipv6 = self.relays.len().saturating_sub(of_ipv4);
        let is_mixed = |relay: &RelayAddress| relay.bind.is_ipv4() != relay.announced.is_ipv4();
        if self.relays.is_empty() || of_ipv4.max(of_ipv6) > 1 || self.relays.iter().any(is_mixed) {
            return Err(ConfigError::Relays);
        }
        if !(LIFETIMES.0..=LIFETIMES.1).contains(&self.limits.lifetime) {
            return Err(ConfigError::Lifetime);
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 1_024,
            allocations_per_user: 10,
            allocations_per_address: 128,
            lifetime: LIFETIMES.1,
            bytes_per_second: 5_000_000 / 8,
            unauthenticated_replies: 100,
            connections: 1_024,
            connections_per_address: 128,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
        }
    }
}

impl Secret {
    /// At least 16 bytes; with coturn, text.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self(secret.as_ref().into())
    }

    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl IsAlive {
    /// Asks this.
    #[must_use]
    pub fn new(is_alive: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_alive))
    }

    pub(crate) fn ask(&self, id: &str) -> bool {
        (self.0)(id)
    }
}

impl Default for IsAlive {
    fn default() -> Self {
        Self::new(|_| true)
    }
}

impl fmt::Debug for IsAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IsAlive(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let peer = "192.0.2.1:8189".parse().unwrap();
        let peers = Peers::new([(peer, peer)]);
        let relay = RelayAddress::from(IpAddr::from([192, 0, 2, 1]));
        Config::new("tallylight", Secret::new([7; 16]), peers, vec![relay])
    }

    fn refused(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
        let mut config = config();
        change(&mut config);
        config.check()
    }

    #[test]
    fn what_cannot_work_is_refused_in_words() {
        assert_eq!(config().check(), Ok(()));
        for realm in ["", "a\"b", "a,b", "two words", &"a".repeat(64)] {
            assert_eq!(refused(|c| c.realm = realm.into()), Err(ConfigError::Realm));
        }
        let short = refused(|c| c.secret = Secret::new("short"));
        assert_eq!(short, Err(ConfigError::ShortSecret));
        let nobody = refused(|c| c.peers = Peers::new([]));
        assert_eq!(nobody, Err(ConfigError::Peers));
        let nowhere = refused(|c| c.relays.clear());
        assert_eq!(nowhere, Err(ConfigError::Relays));
        let twice = refused(|c| c.relays.extend_from_within(..));
        assert_eq!(twice, Err(ConfigError::Relays));
        let mixed = refused(|c| c.relays[0].announced = IpAddr::from([0; 16]));
        assert_eq!(mixed, Err(ConfigError::Relays));
        for seconds in [0, 59, 601] {
            let odd = refused(|c| c.limits.lifetime = Duration::from_secs(seconds));
            assert_eq!(odd, Err(ConfigError::Lifetime));
        }
    }

    #[test]
    fn nothing_shows_the_secret() {
        let mut config = config();
        config.secret = Secret::new("correct horse battery");
        assert!(!format!("{config:?}").contains("horse"));
    }
}
