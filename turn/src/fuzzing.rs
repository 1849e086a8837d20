//! Doors for the fuzz targets in `turn/fuzz` and for the replay of their corpus in `tests/corpus.rs`.
//!
//! Not part of the crate's face: hidden from its documentation and without promise. Each entry takes
//! bytes as a stranger could send them, and panics when a promise of the module that reads them is
//! broken.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use stun_types::attribute::{AttributeType, RawAttribute};
use stun_types::message::{
    IntegrityAlgorithm, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method,
};

use crate::config::{Config, RelayAddress, Secret};
use crate::credentials::{Credentials, key};
use crate::frame;
use crate::message::{Stun, attribute};
use crate::peers::Peers;
use crate::relay::{Bind, House, Outcome, Relay};
use crate::time::Now;

/// The SFU, as clients name it and as it is reached, and the client.
const SFU: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5)), 8_189);
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_189);
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4_000);
const REALM: &str = "tallylight";
const SECRET: &str = "a secret of fuzzing";

struct Sockets;

impl Bind for Sockets {
    type Socket = ();

    fn bind(&mut self, _: IpAddr, is_even: bool) -> io::Result<((), u16)> {
        Ok(((), if is_even { 50_000 } else { 50_001 }))
    }
}

/// A byte stream, cut as the first byte says: it gives what it gives uncut, and nothing too long waits.
pub fn stream(bytes: &[u8]) {
    let Some((&at_once, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read_stream(bytes, bytes.len().max(1));
    let cut = read_stream(bytes, usize::from(at_once).max(1));
    assert_eq!(whole, cut, "it matters how bytes come");
}

fn read_stream(bytes: &[u8], at_once: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(at_once) {
        buffer.extend_from_slice(piece);
        loop {
            match frame::next(&mut buffer) {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(frame::Garbled) => return (messages, false),
            }
        }
    }
    (messages, true)
}

/// Messages of a stranger, each in a datagram of its own behind two bytes of length.
pub fn stranger(bytes: &[u8]) {
    let mut relay = relay();
    for (at, message) in split(bytes).enumerate() {
        match relay.receive(CLIENT, message, now(at)) {
            Outcome::Nothing => {}
            Outcome::Answer(answer) => check_answer(message, &answer, 3),
            Outcome::Opened { .. } | Outcome::Relay { .. } => {
                unreachable_by_strangers();
            }
        }
    }
}

/// Attributes of a client that signs them, each as kind, length and value: a method, in one byte, and
/// two bytes of length stand before those of a message. Data goes to the SFU or nowhere.
pub fn client(bytes: &[u8]) {
    let mut relay = relay();
    let Some((credentials, nonce)) = introduce(&mut relay) else {
        return;
    };
    for (at, part) in split(bytes).enumerate() {
        let Some((&method, attributes)) = part.split_first() else {
            continue;
        };
        let message = match method {
            // ChannelData, and indications.
            0x40.. => part.to_vec(),
            0x20.. => write(MessageClass::Indication, method & 0xf, attributes).finish(),
            _ => sign(
                write(MessageClass::Request, method, attributes),
                &credentials,
                &nonce,
            ),
        };
        match relay.receive(CLIENT, &message, now(at)) {
            Outcome::Nothing => {}
            Outcome::Answer(answer) | Outcome::Opened { answer, .. } => {
                check_answer(&message, &answer, 8);
            }
            Outcome::Relay { to, payload, .. } => {
                assert_eq!(to, LOCAL, "relayed elsewhere");
                assert!(payload.len() <= message.len(), "more than there is");
            }
        }
    }
}

fn relay() -> Relay<Sockets> {
    let relay = RelayAddress::from(SFU.ip());
    let peers = Peers::new([(SFU, LOCAL)]);
    let config = Config::new(REALM, Secret::new(SECRET), peers, vec![relay]);
    Relay::new(Arc::new(House::new(config, [7; 32])), Sockets)
}

fn now(message: usize) -> Now {
    let seconds = u64::try_from(message).unwrap_or(0);
    let at = Duration::from_secs(seconds.saturating_mul(20));
    Now { at, unix: at }
}

/// Messages behind two bytes of length; the last may be shorter.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(message)
    })
}

/// Asks once without credentials.
fn introduce(relay: &mut Relay<Sockets>) -> Option<(Credentials, String)> {
    let asking = write(MessageClass::Request, 3, &[0, 0x19, 0, 4, 17, 0, 0, 0]).finish();
    let Outcome::Answer(answer) = relay.receive(CLIENT, &asking, now(0)) else {
        return None;
    };
    let nonce = Stun::read(&answer)?.text(attribute::NONCE)?.to_owned();
    let hour = Duration::from_secs(3_600);
    let credentials = Credentials::issue(&Secret::new(SECRET), "fuzz", now(0).unix, hour);
    Some((credentials.ok()?, nonce))
}

fn write(class: MessageClass, method: u8, mut attributes: &[u8]) -> MessageWriteVec {
    let kind = MessageType::from_class_method(class, Method::new(u16::from(method)));
    let mut written = Message::builder(kind, 7_u128.into(), MessageWriteVec::new());
    while let Some((head, rest)) = attributes.split_first_chunk::<4>() {
        let [kind, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let (value, rest) = rest.split_at(usize::from(length).min(rest.len()).min(1_500));
        attributes = rest;
        // Signing is not the fuzzer's.
        if ![0x0008, 0x001c, 0x8028].contains(&kind) && written.len() < 6_000 {
            let added = written.add_attribute(&RawAttribute::new(AttributeType::new(kind), value));
            debug_assert!(added.is_ok(), "there is room");
        }
    }
    written
}

fn sign(mut written: MessageWriteVec, credentials: &Credentials, nonce: &str) -> Vec<u8> {
    for (kind, text) in [
        (attribute::USERNAME, credentials.username.as_str()),
        (attribute::REALM, REALM),
        (attribute::NONCE, nonce),
    ] {
        let attribute = RawAttribute::new(AttributeType::new(kind), text.as_bytes());
        let added = written.add_attribute(&attribute);
        debug_assert!(added.is_ok(), "there is room");
    }
    let key = key(&Secret::new(SECRET), &credentials.username, REALM);
    let added = written.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1);
    debug_assert!(added.is_ok(), "it is signed once");
    written.finish()
}

/// An answer is one to that question, well made, and not much longer.
fn check_answer(question: &[u8], answer: &[u8], most_gain: usize) {
    assert!(answer.len() <= question.len().saturating_mul(most_gain));
    assert_eq!(
        question.get(4..20),
        answer.get(4..20),
        "of another question"
    );
    let is_read = Stun::read(answer).is_some_and(|answer| answer.class().is_response());
    assert!(is_read, "it is no answer");
}

#[expect(clippy::panic, reason = "a broken promise ends the fuzzing")]
fn unreachable_by_strangers() {
    panic!("a stranger has an allocation");
}
