//! Where the server may go: pure rules about URLs and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::config::{self, Network};

/// Why an address is not asked. The text is for whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// It cannot be read.
    #[error("this is no web address, such as https://example.org/hook")]
    NoUrl,
    /// Nobody would know who reads along.
    #[error("the address must begin with https://")]
    NotHttps,
    /// It would stand in logs and lists.
    #[error("the address must hold no name and password; check the signature instead")]
    HasPassword,
    /// It leads into a network that is not the internet.
    #[error(
        "the address leads to {0}, which is not on the internet; the operator can allow networks \
         with outgoing.allow_private"
    )]
    Private(IpAddr),
}

/// Longest address that may be given.
const LONGEST_URL: usize = 2_000;

/// Which places may be asked.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    allow_http: bool,
    allow_private: Vec<Network>,
    allow_all: bool,
}

impl Rules {
    pub(super) fn new(config: &config::Outgoing) -> Self {
        Self {
            allow_http: config.allow_http,
            allow_private: config.allow_private.clone(),
            allow_all: false,
        }
    }

    /// For places that the operator chose, which may well be in the house.
    pub(super) fn trusting() -> Self {
        Self {
            allow_http: true,
            allow_private: Vec::new(),
            allow_all: true,
        }
    }

    /// Checks what can be told without asking for names.
    pub(super) fn check(&self, text: &str) -> Result<Url, PlaceError> {
        let url = Url::parse(text).map_err(|_| PlaceError::NoUrl)?;
        if text.len() > LONGEST_URL || HeaderValue::from_str(text).is_err() {
            return Err(PlaceError::NoUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(PlaceError::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PlaceError::HasPassword);
        }
        let host = url.host_str().ok_or(PlaceError::NoUrl)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // Names are judged when they are resolved, each time anew.
        if let Ok(address) = bare.parse() {
            self.check_address(address)?;
        }
        Ok(url)
    }

    pub(super) fn check_address(&self, address: IpAddr) -> Result<(), PlaceError> {
        let is_allowed = self.allow_all
            || is_public(address)
            || self.allow_private.iter().any(|net| net.contains(address));
        match is_allowed {
            true => Ok(()),
            false => Err(PlaceError::Private(address)),
        }
    }
}

/// Whether an address is of the internet at large.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not in one of the blocks that IANA keeps for special purposes (RFC 6890 and its registry).
fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u8); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        // Shared by carriers' NAT.
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        // Relays of 6to4.
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
        ([255, 255, 255, 255], 32),
    ];
    !SPECIAL
        .iter()
        .any(|(base, bits)| Network::new(IpAddr::from(*base), *bits).contains(address.into()))
}

/// In the one block that is given out, and in none within it that leads elsewhere. Addresses that
/// carry an IPv4 address (NAT64, 6to4, Teredo) could lead to a private one and are refused.
fn is_public_v6(address: Ipv6Addr) -> bool {
    const GIVEN_OUT: (u16, u8) = (0x2000, 3);
    const SPECIAL: [([u16; 2], u8); 4] = [
        // Protocols of the IETF, Teredo among them.
        ([0x2001, 0], 23),
        ([0x2001, 0x0db8], 32),
        // 6to4.
        ([0x2002, 0], 16),
        ([0x3fff, 0], 20),
    ];
    let block = |[a, b]: [u16; 2], bits| {
        let base = Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0);
        Network::new(base.into(), bits).contains(address.into())
    };
    block([GIVEN_OUT.0, 0], GIVEN_OUT.1) && !SPECIAL.iter().any(|(base, bits)| block(*base, *bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Rules {
        Rules::new(&config::Outgoing::default())
    }

    #[test]
    fn only_the_internet_is_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused_at_once() {
        for (url, problem) in [
            ("", PlaceError::NoUrl),
            ("hook", PlaceError::NoUrl),
            ("ftp://example.org", PlaceError::NotHttps),
            ("file:///etc/passwd", PlaceError::NotHttps),
            ("http://example.org", PlaceError::NotHttps),
            ("https://a:b@example.org", PlaceError::HasPassword),
        ] {
            assert_eq!(strict().check(url).unwrap_err(), problem, "{url}");
        }
        // Ways to write 127.0.0.1, and its like.
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            let error = strict().check(url).unwrap_err();
            assert!(matches!(error, PlaceError::Private(_)), "{url}: {error:?}");
        }
        assert!(strict().check("https://example.org:8443/hook?a=b").is_ok());
    }

    #[test]
    fn the_operator_may_allow_networks_and_plain_http() {
        let rules = Rules::new(&config::Outgoing {
            allow_http: true,
            allow_private: vec!["10.0.0.0/8".parse().unwrap()],
        });
        assert!(rules.check("http://10.2.3.4/hook").is_ok());
        assert!(rules.check("http://127.0.0.1/hook").is_err());
        assert!(Rules::trusting().check("http://127.0.0.1/hook").is_ok());
    }
}
