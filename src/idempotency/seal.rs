//! [`Seal`]: keeps what the database must not show, under a key that it does not have.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use crate::secret::hex;

/// AES-256-GCM with random nonces. One key seals 2^32 texts safely (NIST SP 800-38D §8.3), which are
/// thousands a second for a week of days that each forget the one before.
#[derive(Clone)]
pub struct Seal(Arc<RandomizedNonceKey>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(hidden)")
    }
}

impl Seal {
    /// From a secret of 256 bits at least, such as a MAC by the pepper.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let key = Sha256::digest(secret);
        #[expect(
            clippy::expect_used,
            reason = "SHA-256 has the 32 bytes that the cipher takes"
        )]
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).expect("32 bytes fit");
        Self(Arc::new(key))
    }

    /// Nonce and sealed text in hexadecimal digits, to be opened under the same binding only.
    pub(super) fn close(&self, binding: &str, text: &[u8]) -> Option<String> {
        let mut sealed = text.to_vec();
        let binding = Aad::from(binding.as_bytes());
        let nonce = self.0.seal_in_place_append_tag(binding, &mut sealed).ok()?;
        Some(hex(nonce.as_ref()) + &hex(&sealed))
    }

    /// The text, if it was sealed with this key and binding.
    pub(super) fn open(&self, binding: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = unhex(sealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let binding = Aad::from(binding.as_bytes());
        let length = self.0.open_in_place(nonce, binding, &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_binding_open_it() {
        let seal = Seal::new("one");
        let sealed = seal.close("row 1", b"tl_secret").unwrap();
        assert_eq!(seal.open("row 1", &sealed).unwrap(), b"tl_secret");
        assert_eq!(seal.open("row 2", &sealed), None);
        assert_eq!(Seal::new("two").open("row 1", &sealed), None);
        assert_eq!(seal.open("row 1", &sealed[2..]), None);
        assert_eq!(seal.open("row 1", "zz"), None);
        assert!(!sealed.contains(&hex(b"tl_secret")));
        assert_ne!(seal.close("row 1", b"tl_secret").unwrap(), sealed);
    }
}
