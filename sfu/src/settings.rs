//! The configuration as every session sees it, with the addresses that it came to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use str0m::Candidate;
use str0m::net::TcpType;

use crate::config::Config;

/// Fixed while the SFU runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Addresses that candidates carry, best first; never empty.
    pub(crate) advertised: Vec<SocketAddr>,
    /// Addresses that are this host's own, so that answers can leave from them.
    pub(crate) local_ips: Vec<IpAddr>,
}

impl Settings {
    /// Settles the addresses for the media port `port`.
    pub(crate) fn new(config: Config, port: u16) -> Self {
        let local_ips = interface_addresses();
        let ips = if !config.public_ips.is_empty() {
            config.public_ips.clone()
        } else if !config.bind.is_unspecified() {
            vec![config.bind]
        } else {
            local_ips
                .iter()
                .filter(|ip| config.bind.is_ipv6() || ip.is_ipv4())
                .copied()
                .collect()
        };
        let mut advertised: Vec<_> = ips
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        if advertised.is_empty() {
            advertised.push((Ipv4Addr::LOCALHOST, port).into());
        }
        // Some clients take the first candidate only, and few of those have IPv6.
        advertised.sort_by_key(|address| reach(address.ip()));
        Self {
            config,
            advertised,
            local_ips,
        }
    }

    /// Host candidates (RFC 8839 §5.1): UDP first, then passive ICE-TCP (RFC 6544 §4.5).
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let udp = self
            .advertised
            .iter()
            .filter_map(|address| Candidate::host(*address, "udp").ok());
        let tcp = self
            .advertised
            .iter()
            .filter(|_| self.config.tcp)
            .filter_map(|address| {
                Candidate::builder()
                    .tcp()
                    .host(*address)
                    .tcptype(TcpType::Passive)
                    .build()
                    .ok()
            });
        udp.chain(tcp).collect()
    }

    /// Addresses of another port of this host, one a family.
    pub(crate) fn locals(&self, port: u16) -> Vec<SocketAddr> {
        let first = |is_ipv4| self.advertised.iter().find(|a| a.is_ipv4() == is_ipv4);
        let firsts = [first(true), first(false)];
        let on_port = |address: &SocketAddr| SocketAddr::new(address.ip(), port);
        firsts.into_iter().flatten().map(on_port).collect()
    }

    /// The advertised address that a datagram to `local` was meant for. Behind a 1:1 NAT the two
    /// differ.
    pub(crate) fn advertised_for(&self, local: Option<IpAddr>) -> Option<SocketAddr> {
        let exact = self
            .advertised
            .iter()
            .find(|address| Some(address.ip()) == local);
        let same_family = || {
            let is_ipv4 = local.is_none_or(|ip| ip.is_ipv4());
            self.advertised.iter().find(|a| a.is_ipv4() == is_ipv4)
        };
        exact
            .or_else(same_family)
            .or_else(|| self.advertised.first())
            .copied()
    }
}

/// Addresses of this host's interfaces; loopback only where there is nothing else.
fn interface_addresses() -> Vec<IpAddr> {
    let all: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| !is_link_local(*ip))
        .collect();
    let outside: Vec<IpAddr> = all.iter().filter(|ip| !ip.is_loopback()).copied().collect();
    if outside.is_empty() { all } else { outside }
}

/// How few clients reach an address: the public IPv4 of a host is for all, that of a bridge for none.
fn reach(ip: IpAddr) -> u8 {
    match ip {
        ip if ip.is_loopback() => 4,
        IpAddr::V4(ip) if ip.is_private() || is_shared(ip) || ip.is_link_local() => 1,
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => 3,
        IpAddr::V6(_) => 2,
    }
}

/// Whether the address is of this machine or of a network that is not the internet.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Between a provider and its customers (RFC 6598 §7).
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_all_reach_comes_first() {
        let ips = [
            "::1",
            "fd00::2",
            "172.17.0.1",
            "2001:db8::1",
            "127.0.0.1",
            "100.64.3.4",
            "203.0.113.7",
        ];
        let public_ips = ips.map(|ip| ip.parse().expect("an address")).to_vec();
        let config = Config {
            public_ips,
            ..Config::default()
        };
        let settings = Settings::new(config, 8_189);
        let sorted: Vec<_> = settings
            .advertised
            .iter()
            .map(|a| a.ip().to_string())
            .collect();
        let wanted = [
            "203.0.113.7",
            "172.17.0.1",
            "100.64.3.4",
            "2001:db8::1",
            "fd00::2",
            "::1",
            "127.0.0.1",
        ];
        assert_eq!(sorted, wanted);
        let first = settings.candidates().first().expect("one").addr();
        assert_eq!(first.ip(), settings.advertised[0].ip());
    }
}
