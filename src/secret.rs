//! Random tokens, what is kept of them, and a wrapper that keeps them out of logs.

use std::fmt;

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Text that is shown to one person once. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that came from outside.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Makes a token from so many random bytes, in lower-case base 32 without padding.
    #[must_use]
    pub fn random<const BYTES: usize>() -> Self {
        Self(base32(&random_bytes::<BYTES>()))
    }

    /// The text itself. Whoever calls this sees to it that it reaches no log and no URL.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text in hexadecimal digits: what the database keeps of a 256-bit token.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Compares in a time that does not depend on where the difference is.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Bytes from the kernel's generator.
#[must_use]
pub fn random_bytes<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    #[expect(
        clippy::expect_used,
        reason = "without randomness from the kernel no token can be safe"
    )]
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 4648 §6 alphabet in lower case, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.extend(digit(&ALPHABET, buffer >> bits));
        }
    }
    if bits > 0 {
        text.extend(digit(&ALPHABET, buffer << (5 - bits)));
    }
    text
}

fn digit(alphabet: &[u8; 32], value: u32) -> Option<char> {
    let index = usize::try_from(value & 31).ok()?;
    alphabet.get(index).map(|&byte| char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_agrees_with_rfc_4648() {
        assert_eq!(base32(b"f"), "my");
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
    }

    #[test]
    fn a_token_is_long_and_not_shown_by_debug() {
        let token = Secret::random::<20>();
        assert_eq!(token.reveal().len(), 32);
        assert!(!format!("{token:?}").contains(token.reveal()));
        assert_ne!(token, Secret::random::<20>());
    }
}
