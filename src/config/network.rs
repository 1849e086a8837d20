//! An address block such as `10.0.0.0/8`, for lists of trusted proxies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address block: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Makes a block; more bits than the address has mean the address alone.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Self {
        let most = if address.is_ipv4() { 32 } else { 128 };
        Self {
            address,
            bits: bits.min(most),
        }
    }

    /// Whether the address lies in the block. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(ours).checked_shr(shift) == u32::from(other).checked_shr(shift)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(ours).checked_shr(shift) == u128::from(other).checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || format!("`{text}` is no address block such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| problem())?,
            None => most,
        };
        if bits > most {
            return Err(problem());
        }
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        let block: Network = block.parse().unwrap();
        block.contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_the_addresses_with_its_prefix() {
        assert!(contains("127.0.0.0/8", "127.9.9.9"));
        assert!(!contains("127.0.0.0/8", "128.0.0.1"));
        assert!(contains("10.1.2.3", "10.1.2.3"));
        assert!(!contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(contains("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(!contains("127.0.0.0/8", "::1"));
    }

    #[test]
    fn text_that_is_no_block_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "host/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
