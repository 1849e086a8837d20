//! [`Credentials`] that hold for a while and that any server with the secret can check: coturn's "TURN
//! REST API" (draft-uberti-behave-turn-rest-00 §2.2).
//!
//! The username is when they expire and for whom they are; the password is its MAC. Nothing is stored.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use stun_types::message::{IntegrityAlgorithm, IntegrityKey, LongTermCredentials};

use crate::config::Secret;

/// What a client is given, as in `Link: <turn:…>; rel="ice-server"`. Neither holds `,`, `;` or `"`,
/// which break readers of that header.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `1795783200:session`.
    pub username: String,
    /// 28 characters of base64.
    pub password: String,
}

/// A name that cannot be in a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name in credentials must be 1 to {MOST_ID} letters, digits, dots, dashes or underscores"
)]
pub struct InvalidId;

/// What a username says, whether true or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    /// Since 1970.
    pub(crate) expires: Duration,
    pub(crate) id: &'a str,
}

/// Longest time that credentials hold.
const MOST_LIFETIME: Duration = Duration::from_secs(3_600);
/// How far the clocks of who issues and who checks may be apart.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(60);
const MOST_ID: usize = 128;

impl Credentials {
    /// Credentials for a session, or whoever is named, from `unix_now` (since 1970) on, for an hour at
    /// most.
    ///
    /// # Errors
    /// When the name has other characters than letters, digits, `.`, `-` and `_`, none, or over 128.
    pub fn issue(
        secret: &Secret,
        id: &str,
        unix_now: Duration,
        lifetime: Duration,
    ) -> Result<Self, InvalidId> {
        if !is_id(id) {
            return Err(InvalidId);
        }
        let expires = unix_now.saturating_add(lifetime.min(MOST_LIFETIME));
        let username = format!("{}:{id}", expires.as_secs());
        let password = password(secret, &username);
        Ok(Self { username, password })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

impl<'a> Claim<'a> {
    /// `None`: no credentials of ours look so.
    pub(crate) fn read(username: &'a str) -> Option<Self> {
        let (expires, id) = username.split_once(':')?;
        let is_number = expires.bytes().all(|digit| digit.is_ascii_digit());
        let expires = expires.parse().ok().filter(|_| is_number)?;
        is_id(id).then_some(Self {
            expires: Duration::from_secs(expires),
            id,
        })
    }

    /// How long they hold from `unix_now` on, with what clocks may be apart.
    pub(crate) fn time_left(self, unix_now: Duration) -> Duration {
        let end = self.expires.saturating_add(TOLERANCE);
        end.saturating_sub(unix_now)
    }
}

/// What messages of that user are signed with (RFC 8489 §9.2.2).
pub(crate) fn key(secret: &Secret, username: &str, realm: &str) -> IntegrityKey {
    let credentials = LongTermCredentials::new(username.to_owned(), password(secret, username));
    credentials
        .to_key(realm.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}

fn password(secret: &Secret, username: &str) -> String {
    STANDARD.encode(sha1_mac(secret.reveal(), &[username.as_bytes()]))
}

/// HMAC-SHA1 (RFC 2104).
pub(crate) fn sha1_mac(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        return [0; 20];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=MOST_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_795_780_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn issue(id: &str, lifetime: Duration) -> Result<Credentials, InvalidId> {
        Credentials::issue(&Secret::new("north of the border"), id, NOW, lifetime)
    }

    /// `printf %s 1795783600:alice | openssl dgst -sha1 -hmac 'north of the border' -binary | base64`
    #[test]
    fn passwords_are_those_of_coturn() {
        let issued = issue("alice", HOUR).unwrap();
        assert_eq!(issued.username, "1795783600:alice");
        assert_eq!(issued.password, "d96KXtlC/2Jd5jHPvpkSkaa+ZRk=");
    }

    #[test]
    fn an_hour_is_the_longest() {
        let issued = issue("alice", HOUR * 24).unwrap();
        assert_eq!(Some(issued), issue("alice", HOUR).ok());
        let claim = Claim::read("1795783600:alice").unwrap();
        assert_eq!(claim.time_left(NOW), HOUR + TOLERANCE);
        assert_eq!(claim.time_left(NOW + HOUR + TOLERANCE), Duration::ZERO);
        assert_eq!(claim.time_left(NOW + HOUR * 2), Duration::ZERO);
    }

    #[test]
    fn names_hold_nothing_that_breaks_a_header() {
        let long = "a".repeat(129);
        for id in ["", "a,b", "a;b", "a\"b", "a:b", "a b", "ä", "a\n", &long] {
            assert_eq!(issue(id, HOUR), Err(InvalidId), "{id}");
            assert_eq!(Claim::read(&format!("1:{id}")), None, "{id}");
        }
        for username in [
            "", "alice", ":alice", "x:alice", "+1:alice", "-1:alice", "1 :alice",
        ] {
            assert_eq!(Claim::read(username), None, "{username}");
        }
        assert_eq!(Claim::read("99999999999999999999:alice"), None);
    }

    #[test]
    fn nothing_shows_the_password() {
        let issued = issue("alice", HOUR).unwrap();
        assert!(!format!("{issued:?}").contains(&issued.password));
    }
}
