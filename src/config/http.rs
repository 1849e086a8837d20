//! Section `[http]`: pages, API, WHIP and WHEP, and the listener for operators.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{ConfigError, Network, invalid};

/// Pages, API and signalling.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address of the public listener; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the operators' listener with `/metrics` is there.
    pub admin: bool,
    /// Address of the operators' listener; keep it off the public network.
    pub admin_listen: SocketAddr,
    /// How browsers reach the server, such as `https://live.example`; empty: as the request says.
    pub public_url: String,
    /// Reverse proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            admin: true,
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            public_url: String::new(),
            trusted_proxies: vec![
                Network::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
                Network::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
            ],
        }
    }
}

impl Http {
    /// Scheme, host and port of [`Http::public_url`] without the trailing slash, when it is set.
    #[must_use]
    pub fn public_origin(&self) -> Option<&str> {
        let url = self.public_url.trim_end_matches('/');
        (!url.is_empty()).then_some(url)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Some(origin) = self.public_origin() else {
            return Ok(());
        };
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(()),
            _ => Err(invalid(
                "http.public_url",
                "it must be a scheme and a host without a path, such as https://live.example",
            )),
        }
    }
}
