//! Who a datagram from an unknown address may belong to.
//!
//! The order (address, then ufrag, then the session's own check of the HMAC, else silence) stands in
//! [`crate::shard`]; here is only the reading of strangers' bytes.

use str0m::ice::StunMessage;

use crate::lenient::Incomplete;

/// What kind of packet a datagram is, by its first byte (RFC 7983 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketKind {
    Stun,
    Dtls,
    Rtp,
    Unknown,
}

/// Sorts a datagram by its first byte.
pub(crate) fn kind_of(datagram: &[u8]) -> PacketKind {
    match datagram.first() {
        Some(0..=3) => PacketKind::Stun,
        Some(20..=63) => PacketKind::Dtls,
        Some(128..=191) => PacketKind::Rtp,
        _ => PacketKind::Unknown,
    }
}

/// Our ufrag in a STUN binding request (RFC 8445 §7.3: `local:remote` in USERNAME), if it is one.
pub(crate) fn requested_ufrag(datagram: &[u8]) -> Option<String> {
    #[cfg(test)]
    crate::simulation::trip(datagram);
    if kind_of(datagram) != PacketKind::Stun {
        return None;
    }
    let Ok(message) = StunMessage::parse(datagram) else {
        return Some(Incomplete::parse(datagram)?.ufrag()?.to_owned());
    };
    if !message.is_binding_request() {
        return None;
    }
    let (local, _) = message.split_username()?;
    Some(local.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_byte_tells_the_protocol() {
        assert_eq!(kind_of(&[0, 1]), PacketKind::Stun);
        assert_eq!(kind_of(&[22, 254]), PacketKind::Dtls);
        assert_eq!(kind_of(&[128]), PacketKind::Rtp);
        assert_eq!(kind_of(&[]), PacketKind::Unknown);
        assert_eq!(kind_of(&[64]), PacketKind::Unknown);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = requested_ufrag(&datagram);
        }

        #[test]
        fn no_stun_like_datagram_panics(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            length in any::<u16>(),
        ) {
            let mut datagram = vec![0, 1];
            datagram.extend(length.to_be_bytes());
            datagram.extend([0x21, 0x12, 0xa4, 0x42]);
            datagram.extend(tail);
            let _ = requested_ufrag(&datagram);
        }
    }
}
