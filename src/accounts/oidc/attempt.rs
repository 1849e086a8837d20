//! What a sign-in must know again when the browser comes back: it lives in a cookie, signed, for ten
//! minutes. The key is this process's own; who is under way while it restarts begins again.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::secret::{hex, random_bytes, same};

/// A sign-in that is under way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) provider: String,
    /// Comes back in the address.
    pub(super) state: String,
    /// Comes back within the ID token.
    pub(super) nonce: String,
    /// Proves to the provider that who has the code began the sign-in (RFC 7636).
    pub(super) verifier: String,
    /// Where to go afterwards, on this site.
    pub(super) next: String,
    /// The account that is to be linked; none: somebody signs in.
    pub(super) account: Option<Uuid>,
    pub(super) expires_at: Timestamp,
}

/// Signs and reads the cookie.
pub(super) struct Signer([u8; 32]);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(hidden)")
    }
}

impl Signer {
    pub(super) fn new() -> Self {
        Self(random_bytes())
    }

    fn mac(&self, text: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length fits");
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// The value of the cookie.
    pub(super) fn sign(&self, attempt: &Attempt) -> String {
        let content = hex(&serde_json::to_vec(attempt).unwrap_or_default());
        format!("{content}.{}", self.mac(&content))
    }

    /// What a cookie of ours holds, while it is good.
    pub(super) fn read(&self, text: &str, now: Timestamp) -> Option<Attempt> {
        let (content, mac) = text.split_once('.')?;
        if !same(mac, &self.mac(content)) {
            return None;
        }
        let attempt: Attempt = serde_json::from_slice(&unhex(content)?).ok()?;
        (attempt.expires_at > now).then_some(attempt)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

/// Whether a text is a path of this site, so that nobody is sent elsewhere after signing in.
pub(super) fn checked_next(text: &str) -> Option<&str> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    let is_plain = text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_path && is_plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_cookie_is_good_for_a_while_and_only_as_it_was_made() {
        let (signer, now) = (Signer::new(), Timestamp::UNIX_EPOCH);
        let attempt = Attempt {
            provider: "work".to_owned(),
            state: "s".to_owned(),
            nonce: "n".to_owned(),
            verifier: "v".to_owned(),
            next: "/".to_owned(),
            account: None,
            expires_at: now + SignedDuration::from_mins(10),
        };
        let text = signer.sign(&attempt);
        assert_eq!(signer.read(&text, now).unwrap().state, "s");
        assert!(signer.read(&text, attempt.expires_at).is_none());
        assert!(Signer::new().read(&text, now).is_none());
        let mut changed = text.clone().into_bytes();
        changed[0] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert!(signer.read(&changed, now).is_none());
        for wrong in ["", ".", "zz.zz", &text.replace('.', "")] {
            assert!(signer.read(wrong, now).is_none(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for good in ["/", "/@ada", "/settings?x=1"] {
            assert_eq!(checked_next(good), Some(good));
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "javascript:x",
        ] {
            assert_eq!(checked_next(bad), None, "{bad:?}");
        }
    }
}
