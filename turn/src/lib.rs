//! TURN (RFC 8656, and RFC 5766 for older clients) for exactly one purpose: clients whose network lets
//! nothing else through reach the SFU's media port over UDP, TCP or TLS.
//!
//! [`Server`] has the sockets; the state machine under it reads neither clock nor socket. What holds:
//!
//! - A datagram goes to an address of [`Peers`] and comes from one, or it is dropped. Asking for any
//!   other is 403, so that nobody reaches the network behind this server.
//! - Who has no [`Credentials`] of ours gets no more than three times the bytes that it sent, a
//!   hundred answers a second and network, and no memory.
//! - Nothing grows without a bound; an allocation ends with its lifetime, its user or
//!   its connection.
//!
//! Not here: relaying over TCP (RFC 6062), mobility, reservations, MESSAGE-INTEGRITY-SHA256, TURN in
//! front of anything that is not our SFU. Large sites run coturn with `turn/coturn.conf` and the same
//! secret.
//!
//! Of STUN, `stun-types` reads and writes attributes and integrity. TURN itself is ours, since what
//! there is does not fit: `turn-server-proto` 0.7 knows users only by a list of passwords, relays to any
//! peer that a client names, over TCP as well, and has no quotas; `turn` 0.17 has neither quotas nor
//! refusals of peers, and speaks UDP alone. With a handful of peers, permissions and channels are a few
//! atomic words an allocation, and a datagram is relayed without a lock.

mod config;
mod credentials;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod ledger;
mod message;
mod nonce;
mod peers;
mod rate;
mod relay;
mod routes;
mod server;
mod stats;
mod time;

pub use config::{Config, ConfigError, IsAlive, Limits, RelayAddress, Secret};
pub use credentials::{Credentials, InvalidId};
pub use peers::Peers;
pub use server::{Acceptors, Server, Sockets, StartError};
pub use stats::Stats;
