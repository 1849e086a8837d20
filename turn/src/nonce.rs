//! [`Nonces`] without memory: a nonce says itself until when it holds, under a MAC over that and the
//! client's address (RFC 8489 §9.2.4).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::credentials::sha1_mac;

/// Issues nonces and knows them again.
pub(crate) struct Nonces {
    key: [u8; 32],
}

/// How long one holds; every request is checked for its credentials anyway.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3_600);
/// Of 20 bytes, so many: who guesses one has still no credentials, and longer ones amplify more.
const MAC: usize = 8;

impl Nonces {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// 16 characters.
    pub(crate) fn issue(&self, client: SocketAddr, now: Duration) -> String {
        let seconds = now.saturating_add(LIFETIME).as_secs();
        let until = u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes();
        let mac = self.mac(until, client);
        URL_SAFE_NO_PAD.encode([&until[..], &mac[..]].concat())
    }

    /// Whether it was issued to that client and still holds.
    pub(crate) fn is_good(&self, nonce: &str, client: SocketAddr, now: Duration) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else {
            return false;
        };
        let Some((until, mac)) = bytes.split_first_chunk::<4>() else {
            return false;
        };
        // Comparing in constant time is of no use: guessing one gives nothing.
        mac == self.mac(*until, client) && now.as_secs() < u64::from(u32::from_be_bytes(*until))
    }

    fn mac(&self, until: [u8; 4], client: SocketAddr) -> [u8; MAC] {
        let ip = match client.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let mac = sha1_mac(&self.key, &[&until, &ip, &client.port().to_be_bytes()]);
        mac.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_client_and_its_hour() {
        let nonces = Nonces::new([7; 32]);
        let client: SocketAddr = "192.0.2.1:1000".parse().unwrap();
        let start = Duration::from_secs(1_000_000);
        let nonce = nonces.issue(client, start);
        assert_eq!(nonce.len(), 16);
        assert!(nonces.is_good(&nonce, client, start));
        let mapped = "[::ffff:192.0.2.1]:1000".parse().unwrap();
        assert!(nonces.is_good(&nonce, mapped, start));
        let almost = LIFETIME - Duration::from_secs(1);
        assert!(nonces.is_good(&nonce, client, start + almost));
        assert!(!nonces.is_good(&nonce, client, start + LIFETIME));
        for other in ["192.0.2.1:1001", "192.0.2.2:1000"] {
            assert!(!nonces.is_good(&nonce, other.parse().unwrap(), start));
        }
        assert!(!Nonces::new([8; 32]).is_good(&nonce, client, start));
        for other in ["", "AAAA", "?", &nonce[1..], &format!("{nonce}AAAA")] {
            assert!(!nonces.is_good(other, client, start), "{other}");
        }
    }
}
