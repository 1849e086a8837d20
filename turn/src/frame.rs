//! Where messages end in a byte stream (RFC 8656 §3.6, §12.5): STUN says its length, ChannelData too and
//! is padded to a multiple of four.

use bytes::{Bytes, BytesMut};

use crate::message::{HEADER, be16, padded};

/// A stream on which nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Longest message of a client. Datagrams of WebRTC have some 1,200 bytes.
pub(crate) const MOST: usize = 8 * 1024;
const CHANNEL_HEADER: usize = 4;

/// Cuts the next whole message off, without padding.
pub(crate) fn next(buffer: &mut BytesMut) -> Result<Option<Bytes>, Garbled> {
    let (Some(kind), Some(length)) = (be16(buffer, 0), be16(buffer, 2)) else {
        return Ok(None);
    };
    let length = usize::from(length);
    let whole = match kind {
        0..0x4000 if length % 4 == 0 => length.saturating_add(HEADER),
        0x4000..0x8000 => length.saturating_add(CHANNEL_HEADER),
        _ => return Err(Garbled),
    };
    if whole > MOST {
        return Err(Garbled);
    }
    if buffer.len() < padded(whole) {
        return Ok(None);
    }
    let mut message = buffer.split_to(padded(whole));
    message.truncate(whole);
    Ok(Some(message.freeze()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message as it is sent, padding and all, and as it is read.
    fn message(is_stun: bool, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut length = payload.len();
        if is_stun {
            length -= length % 4;
        }
        let bytes = u16::try_from(length).unwrap().to_be_bytes();
        let mut message = if is_stun { vec![0, 1] } else { vec![0x40, 7] };
        message.extend(bytes);
        message.extend(vec![9; if is_stun { 16 } else { 0 }]);
        message.extend(&payload[..length]);
        let mut sent = message.clone();
        sent.resize(padded(sent.len()), 0xff);
        (sent, message)
    }

    fn read(bytes: &[u8], at_once: usize) -> (Vec<Vec<u8>>, Result<usize, Garbled>) {
        let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(at_once.max(1)) {
            buffer.extend_from_slice(piece);
            loop {
                match next(&mut buffer) {
                    Ok(Some(message)) => messages.push(message.to_vec()),
                    Ok(None) => break,
                    Err(garbled) => return (messages, Err(garbled)),
                }
            }
            assert!(buffer.len() < MOST + 4, "only one message is waited for");
        }
        (messages, Ok(buffer.len()))
    }

    proptest! {
        #[test]
        fn messages_are_what_they_were_however_they_are_cut(
            parts in proptest::collection::vec(
                (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..10),
            at_once in 1..100_usize,
        ) {
            let (sent, wanted): (Vec<_>, Vec<_>) =
                parts.iter().map(|(is_stun, payload)| message(*is_stun, payload)).unzip();
            let sent = sent.concat();
            prop_assert_eq!(read(&sent, at_once), (wanted.clone(), Ok(0)));
            prop_assert_eq!(read(&sent, 1), (wanted.clone(), Ok(0)));
            prop_assert_eq!(read(&sent, sent.len()), (wanted, Ok(0)));
        }

        #[test]
        fn noise_gives_the_same_however_it_is_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            at_once in 1..100_usize,
        ) {
            prop_assert_eq!(read(&bytes, at_once), read(&bytes, bytes.len()));
        }
    }

    #[test]
    fn what_is_no_turn_or_too_long_ends_the_stream() {
        let garbled = |bytes: &[u8]| read(bytes, 1).1 == Err(Garbled);
        assert!(garbled(b"GET / HTTP/1.1"));
        assert!(
            garbled(b"\x16\x03\x01\x02\x00"),
            "a ClientHello has no such length"
        );
        assert!(garbled(b"\x80\0\0\0"));
        assert!(garbled(b"\0\x01\0\x02"), "of no multiple of four");
        assert!(garbled(b"\x40\0\xff\xff"));
        assert!(garbled(b"\0\x01\x1f\xf0"));
        assert!(!garbled(b"\0\x01\x1f\xec"));
    }
}
