//! How what we post is signed: over the time and the body, so that neither can be changed or replayed
//! later. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::header::HeaderName;
use sha2::Sha256;

use crate::secret::{Secret, hex};

/// The header that carries it.
pub static SIGNATURE: HeaderName = HeaderName::from_static("tallylight-signature");

/// The value of [`SIGNATURE`]: `t=<Unix seconds>,v1=<HMAC-SHA-256 of "t.body" in hex>`.
#[must_use]
pub fn sign(secret: &Secret, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of any length (RFC 2104 §2)"
    )]
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("any length fits");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mac = hex(&mac.finalize().into_bytes());
    format!("t={seconds},v1={mac}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_millis;

    #[test]
    fn a_signature_is_what_openssl_makes_of_time_and_body() {
        // printf '1700000000.{"id":"1"}' | openssl dgst -sha256 -hmac tlw_test
        let signature = sign(
            &Secret::new("tlw_test"),
            from_millis(1_700_000_000_123),
            b"{\"id\":\"1\"}",
        );
        assert_eq!(
            signature,
            "t=1700000000,v1=0d1b25d2d0fd08b94818c30e6350ebf4c606185ef12b92c5a2b7b325ce1d72a6"
        );
    }
}
