//! Section `[media]`: the one port that all WebRTC media goes through, and transcoding.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// WebRTC media.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Address that the media sockets are bound to.
    pub bind: IpAddr,
    /// The port, UDP and TCP alike; 0 picks a free one.
    pub port: u16,
    /// Addresses at which clients reach that port; empty: those of this machine's interfaces.
    /// Set it behind NAT.
    pub public_ips: Vec<IpAddr>,
    /// Media threads; 0: one fewer than there are cores.
    pub threads: usize,
    /// Whether media may also go over TCP, for networks that block UDP.
    pub tcp: bool,
    /// Streams that may be transcoded at once, each for about one core; 0: none. A stream with one
    /// layer gets smaller ones, and one that HLS players cannot play is made playable.
    pub transcode: usize,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8189,
            public_ips: Vec::new(),
            threads: 0,
            tcp: true,
            transcode: 0,
        }
    }
}
