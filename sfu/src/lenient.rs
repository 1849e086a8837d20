//! STUN binding requests that str0m does not read, or not as we want.
//!
//! FFmpeg's WHIP muxer sends no PRIORITY (RFC 8445 §7.1.1), without which str0m reads no request.
//! An ICE-lite agent has no use for it: such a request gets one, once its MESSAGE-INTEGRITY has
//! shown that it comes from who knows the session's password, and is signed anew with that password.
//!
//! A peer whose address changes nominates the new one with a priority that is no higher than that of
//! the old one, and str0m stays with the old one. Such a request gets a higher one ([`raised`]).
//! Pure functions over bytes of strangers: no input panics.

use str0m::crypto::from_feature_flags;
use str0m::ice::StunMessage;

/// A binding request whole but for its PRIORITY.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incomplete<'a> {
    /// Up to, and without, MESSAGE-INTEGRITY.
    signed: &'a [u8],
    integrity: &'a [u8; HMAC],
    username: &'a str,
}

/// RFC 8489 §5.
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Type and length of an attribute (RFC 8489 §14).
const ATTRIBUTE: usize = 4;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
/// RFC 8445 §16.1.
const PRIORITY: u16 = 0x0024;
const HMAC: usize = 20;
/// What a peer-reflexive candidate of one component would have (RFC 8445 §5.1.2.1).
const MOST_PRIORITY: u32 = i32::MAX.cast_unsigned();
const USUAL_PRIORITY: u32 = (110 << 24) | (0xffff << 8) | 255;

impl<'a> Incomplete<'a> {
    /// Reads a datagram; `None` for whatever is no such request.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_first_chunk::<HEADER>()?;
        let [a, b, length_high, length_low, magic @ ..] = header;
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let is_request = [*a, *b] == BINDING_REQUEST && magic.starts_with(&MAGIC);
        if !is_request || length != attributes.len() {
            return None;
        }
        let mut username = None;
        let mut rest = attributes;
        loop {
            let at = datagram.len() - rest.len();
            let ([t1, t0, l1, l0], behind) = rest.split_first_chunk::<ATTRIBUTE>()?;
            let length = usize::from(u16::from_be_bytes([*l1, *l0]));
            let value = behind.get(..length)?;
            match u16::from_be_bytes([*t1, *t0]) {
                PRIORITY => return None,
                USERNAME => username = std::str::from_utf8(value).ok(),
                MESSAGE_INTEGRITY => {
                    return Some(Self {
                        signed: datagram.get(..at)?,
                        integrity: value.try_into().ok()?,
                        username: username?,
                    });
                }
                _ => {}
            }
            rest = behind.get(length.next_multiple_of(4)..)?;
        }
    }

    /// The part of USERNAME that is ours (RFC 8445 §7.2.2).
    pub(crate) fn ufrag(&self) -> Option<&'a str> {
        Some(self.username.split_once(':')?.0)
    }

    /// The request with what it lacks, signed anew; `None` when it was not signed with `password`.
    pub(crate) fn complete(&self, password: &str) -> Option<Vec<u8>> {
        let signature = sign(self.signed, password)?;
        let differences = signature.iter().zip(self.integrity).map(|(a, b)| a ^ b);
        // All bytes, so that the time tells nothing.
        if differences.fold(0, |all, byte| all | byte) != 0 {
            return None;
        }
        let mut request = self.signed.to_vec();
        push_attribute(&mut request, PRIORITY, &USUAL_PRIORITY.to_be_bytes());
        seal(request, password)
    }
}

/// The request with a priority that is higher by `steps`; `None` for one that nominates nothing (RFC
/// 8445 §7.3.1.5), and for one that was not signed with `password`.
pub(crate) fn raised(request: &[u8], password: &str, steps: u32) -> Option<Vec<u8>> {
    let message = nomination(request, password)?;
    let priority = message.prio()?.saturating_add(steps).min(MOST_PRIORITY);
    let mut raised = request.get(..HEADER)?.to_vec();
    let mut rest = request.get(HEADER..)?;
    loop {
        let ([t1, t0, l1, l0], behind) = rest.split_first_chunk::<ATTRIBUTE>()?;
        let length = usize::from(u16::from_be_bytes([*l1, *l0])).next_multiple_of(4);
        match u16::from_be_bytes([*t1, *t0]) {
            PRIORITY => push_attribute(&mut raised, PRIORITY, &priority.to_be_bytes()),
            MESSAGE_INTEGRITY => return seal(raised, password),
            _ => raised.extend_from_slice(rest.get(..ATTRIBUTE + length)?),
        }
        rest = behind.get(length..)?;
    }
}

/// Whether a datagram is a request that nominates, signed with `password`.
pub(crate) fn nominates(datagram: &[u8], password: &str) -> bool {
    nomination(datagram, password).is_some()
}

fn nomination<'a>(datagram: &'a [u8], password: &str) -> Option<StunMessage<'a>> {
    let message = StunMessage::parse(datagram).ok()?;
    let hmac = from_feature_flags().sha1_hmac_provider;
    let is_real = message.is_binding_request()
        && message.use_candidate()
        && message.verify(password.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts));
    is_real.then_some(message)
}

/// Ends a message with its MESSAGE-INTEGRITY.
fn seal(mut message: Vec<u8>, password: &str) -> Option<Vec<u8>> {
    let signature = sign(&message, password)?;
    push_attribute(&mut message, MESSAGE_INTEGRITY, &signature);
    let length = u16::try_from(message.len() - HEADER).ok()?;
    message
        .get_mut(2..4)?
        .copy_from_slice(&length.to_be_bytes());
    Some(message)
}

/// The HMAC over a message, with the length as if MESSAGE-INTEGRITY ended it (RFC 8489 §14.5).
fn sign(message: &[u8], password: &str) -> Option<[u8; HMAC]> {
    let length = message.len().checked_sub(HEADER)? + ATTRIBUTE + HMAC;
    let length = u16::try_from(length).ok()?.to_be_bytes();
    let hmac = from_feature_flags().sha1_hmac_provider;
    let parts = [message.get(..2)?, &length, message.get(4..)?];
    Some(hmac.sha1_hmac(password.as_bytes(), &parts))
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
    message.extend(value);
}

/// A request as FFmpeg 8 sends it.
#[cfg(test)]
pub(crate) fn ffmpeg_request(username: &str, password: &str) -> Vec<u8> {
    let mut request = [&BINDING_REQUEST[..], &[0, 0], &MAGIC, &[7; 12]].concat();
    push_attribute(&mut request, USERNAME, username.as_bytes());
    request.resize(request.len().next_multiple_of(4), 0);
    push_attribute(&mut request, 0x0025, &[]); // USE-CANDIDATE
    let signature = sign(&request, password).expect("it is short");
    push_attribute(&mut request, MESSAGE_INTEGRITY, &signature);
    push_attribute(&mut request, 0x8028, &[1, 2, 3, 4]); // FINGERPRINT
    let length = u16::try_from(request.len() - HEADER).expect("it is short");
    request[2..4].copy_from_slice(&length.to_be_bytes());
    request
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: &str = "a password that nobody knows";

    #[test]
    fn request_without_priority_gets_one_and_is_signed_anew() {
        let request = ffmpeg_request("ours:ffmpeg", PASSWORD);
        assert!(StunMessage::parse(&request).is_err(), "str0m refuses it");
        let incomplete = Incomplete::parse(&request).expect("it lacks a priority only");
        assert_eq!(incomplete.ufrag(), Some("ours"));
        let complete = incomplete.complete(PASSWORD).expect("it is signed");
        let message = StunMessage::parse(&complete).expect("str0m takes it");
        assert_eq!(message.prio(), Some(USUAL_PRIORITY));
        assert_eq!(message.split_username(), Some(("ours", "ffmpeg")));
        assert!(message.use_candidate());
        let hmac = from_feature_flags().sha1_hmac_provider;
        assert!(message.verify(PASSWORD.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts)));
        assert!(Incomplete::parse(&complete).is_none(), "nothing is missing");
    }

    #[test]
    fn nomination_is_made_more_important_and_stays_what_it_is() {
        let request = ffmpeg_request("ours:theirs", PASSWORD);
        let request = Incomplete::parse(&request).expect("it lacks a priority only");
        let request = request.complete(PASSWORD).expect("it is signed");
        assert_eq!(raised(&request, "a guess", 3), None);
        assert!(!nominates(&request, "a guess") && nominates(&request, PASSWORD));
        let raised = raised(&request, PASSWORD, 3).expect("it nominates");
        let message = StunMessage::parse(&raised).expect("str0m takes it");
        assert_eq!(message.prio(), Some(USUAL_PRIORITY + 3));
        assert_eq!(message.split_username(), Some(("ours", "theirs")));
        assert!(message.use_candidate());
        let hmac = from_feature_flags().sha1_hmac_provider;
        assert!(message.verify(PASSWORD.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts)));
        let before = StunMessage::parse(&request).expect("it was whole");
        assert_eq!(message.trans_id(), before.trans_id());
    }

    #[test]
    fn request_that_is_signed_with_another_password_is_left_alone() {
        let request = ffmpeg_request("ours:ffmpeg", "a guess");
        let incomplete = Incomplete::parse(&request).expect("it can be read");
        assert_eq!(incomplete.complete(PASSWORD), None);
    }

    proptest! {
        #[test]
        fn no_datagram_panics_and_none_is_signed(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            is_framed in any::<bool>(),
        ) {
            let length = u16::try_from(tail.len()).expect("short").to_be_bytes();
            let framed = [&BINDING_REQUEST[..], &length, &MAGIC, &[7; 12], &tail].concat();
            let datagram = if is_framed { &framed } else { &tail };
            if let Some(incomplete) = Incomplete::parse(datagram) {
                prop_assert_eq!(incomplete.complete(PASSWORD), None);
            }
        }

        /// Whatever bit of what is signed turns over, the request is not signed anew.
        #[test]
        fn damage_is_never_signed(bit in 0usize..8 * 64) {
            let mut request = ffmpeg_request("ours:ffmpeg", PASSWORD);
            // 20 bytes of header, 16 of USERNAME, 4 of USE-CANDIDATE, 24 of MESSAGE-INTEGRITY.
            request[bit / 8] ^= 1 << (bit % 8);
            let signed = Incomplete::parse(&request).and_then(|i| i.complete(PASSWORD));
            prop_assert_eq!(signed, None);
        }
    }
}
