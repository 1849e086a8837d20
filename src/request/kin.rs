//! [`Kin`]: how servers that share a secret know requests of one another.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::Clock;
use crate::secret::{hex, same};

/// The key that servers of one installation share. Cheap to clone.
#[derive(Clone)]
pub struct Kin {
    key: Arc<str>,
    clock: Clock,
}

impl fmt::Debug for Kin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kin(hidden)")
    }
}

/// Carries the seal of a request that a server asks for itself.
pub static ASKED_BY_SERVER: HeaderName = HeaderName::from_static("x-tallylight-server");
/// Carries the seal of a request that a server passes on for somebody else.
pub static PASSED_ON: HeaderName = HeaderName::from_static("x-tallylight-passed-on");

/// Clocks of servers may differ by that, in seconds.
const SKEW_S: i64 = 60;

impl Kin {
    /// From a secret that no other server has.
    #[must_use]
    pub fn new(key: &str, clock: Clock) -> Self {
        let key = key.into();
        Self { key, clock }
    }

    /// Seals a request of this server's own.
    #[must_use]
    pub fn seal_own(&self, method: &Method, path: &str) -> HeaderValue {
        self.seal(&format!("{method} {path}"))
    }

    /// Whether another server sealed this request as its own.
    #[must_use]
    pub fn is_own(&self, method: &Method, path: &str, headers: &HeaderMap) -> bool {
        self.knows(headers, &ASKED_BY_SERVER, &format!("{method} {path}"))
    }

    /// Seals whose request is passed on, as its headers `X-Forwarded-…` say.
    #[must_use]
    pub fn seal_passed_on(&self, forwarded: &HeaderMap) -> HeaderValue {
        self.seal(&sender(forwarded))
    }

    /// Whether another server passes this on, and so says whose it is.
    #[must_use]
    pub fn is_passed_on(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(&PASSED_ON) && self.knows(headers, &PASSED_ON, &sender(headers))
    }

    fn seal(&self, words: &str) -> HeaderValue {
        let now = self.clock.now().as_second();
        let seal = format!("{now}.{}", self.mac(now, words));
        // Digits and a full stop.
        HeaderValue::from_str(&seal).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn knows(&self, headers: &HeaderMap, name: &HeaderName, words: &str) -> bool {
        let seal = headers.get(name).and_then(|value| value.to_str().ok());
        let Some((at, mac)) = seal.and_then(|seal| seal.split_once('.')) else {
            return false;
        };
        let Ok(at) = at.parse::<i64>() else {
            return false;
        };
        let age = self.clock.now().as_second().saturating_sub(at);
        age.abs() <= SKEW_S && same(mac, &self.mac(at, words))
    }

    fn mac(&self, at: i64, words: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).expect("a key");
        mac.update(format!("{at}\n{words}").as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

fn sender(headers: &HeaderMap) -> String {
    let names = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    let values = names.map(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    });
    values.join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_of_kin_are_known_and_of_nobody_else() {
        let clock = Clock::movable();
        let (kin, others) = (
            Kin::new("a", clock.clone()),
            Kin::new("b", Clock::movable()),
        );
        let path = "/cluster/relay/1";
        let mut headers = HeaderMap::new();
        assert!(!kin.is_own(&Method::POST, path, &headers));
        headers.insert(ASKED_BY_SERVER.clone(), kin.seal_own(&Method::POST, path));
        assert!(kin.is_own(&Method::POST, path, &headers));
        assert!(!others.is_own(&Method::POST, path, &headers));
        assert!(!kin.is_own(&Method::GET, path, &headers));
        assert!(!kin.is_own(&Method::POST, "/cluster/relay/2", &headers));
        assert!(!kin.is_passed_on(&headers));
        clock.advance(Duration::from_secs(61));
        assert!(!kin.is_own(&Method::POST, path, &headers), "too old");
    }

    #[test]
    fn whose_a_request_is_cannot_be_altered() {
        let kin = Kin::new("a", Clock::system());
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        headers.insert(PASSED_ON.clone(), kin.seal_passed_on(&headers));
        assert!(kin.is_passed_on(&headers));
        headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.2"));
        assert!(!kin.is_passed_on(&headers));
    }
}
