//! STUN messages (RFC 8489 §5) as they come, and answers to them.
//!
//! A message is looked through before `stun-types` sees it: it warns in the log about all that is not
//! well made, and strangers must not write there. What follows MESSAGE-INTEGRITY is not covered by it,
//! so that only FINGERPRINT may stand there (§14.5).

use std::net::SocketAddr;

use stun_types::attribute::{AttributeType, ErrorCode, Fingerprint, RawAttribute, XorSocketAddr};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};

use crate::peers::canonical;
use crate::routes::Envelope;

/// A message that is whole and in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stun<'a> {
    bytes: &'a [u8],
    kind: MessageType,
}

pub(crate) const HEADER: usize = 20;
const ATTRIBUTE_HEADER: usize = 4;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// RFC 8489 §18.2 and RFC 8656 §17.
pub(crate) mod method {
    pub(crate) const BINDING: u16 = 0x001;
    pub(crate) const ALLOCATE: u16 = 0x003;
    pub(crate) const REFRESH: u16 = 0x004;
    pub(crate) const SEND: u16 = 0x006;
    pub(crate) const DATA: u16 = 0x007;
    pub(crate) const CREATE_PERMISSION: u16 = 0x008;
    pub(crate) const CHANNEL_BIND: u16 = 0x009;
}

/// RFC 8489 §18.3 and RFC 8656 §18.
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(crate) const LIFETIME: u16 = 0x000d;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const EVEN_PORT: u16 = 0x0018;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
}

/// Whoever sends one that is neither here nor above 0x8000 must be told (RFC 8489 §14). Missing on
/// purpose: RESERVATION-TOKEN, DONT-FRAGMENT, MESSAGE-INTEGRITY-SHA256.
const KNOWN: [u16; 12] = [
    attribute::USERNAME,
    attribute::MESSAGE_INTEGRITY,
    attribute::CHANNEL_NUMBER,
    attribute::LIFETIME,
    attribute::XOR_PEER_ADDRESS,
    attribute::DATA,
    attribute::REALM,
    attribute::NONCE,
    attribute::REQUESTED_ADDRESS_FAMILY,
    attribute::EVEN_PORT,
    attribute::REQUESTED_TRANSPORT,
    // Of the first STUN (RFC 3489 §11.2): means nothing here, and old clients ask with it.
    0x0003,
];
/// Of many unknown attributes, so many are told.
const MOST_UNKNOWN: usize = 16;

impl<'a> Stun<'a> {
    /// `None`: that is no message, or not one that its sender finished.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let (kind, length) = (be16(header, 0)?, usize::from(be16(header, 2)?));
        let is_stun = kind < 0x4000 && header.get(4..8)? == COOKIE;
        if !is_stun || length != rest.len() {
            return None;
        }
        let kind = MessageType::from_bytes(header).ok()?;
        let stun = Self { bytes, kind };
        stun.is_in_order().then_some(stun)
    }

    fn is_in_order(self) -> bool {
        let (mut end, mut is_signed) = (HEADER, false);
        for (kind, value) in self.attributes() {
            let start = end;
            end = start.saturating_add(padded(value.len()).saturating_add(ATTRIBUTE_HEADER));
            if kind == attribute::FINGERPRINT {
                return end == self.bytes.len() && self.has_fingerprint(start, value);
            }
            if is_signed {
                return false;
            }
            is_signed = kind == attribute::MESSAGE_INTEGRITY;
        }
        end == self.bytes.len()
    }

    /// Whether that is the fingerprint of what stands before it (RFC 8489 §14.7).
    fn has_fingerprint(self, start: usize, value: &[u8]) -> bool {
        let before = self.bytes.get(..start).unwrap_or_default();
        let sum = u32::from_be_bytes(Fingerprint::compute(&[before]));
        value == (sum ^ u32::from_be_bytes(*b"STUN")).to_be_bytes()
    }

    pub(crate) fn class(self) -> MessageClass {
        self.kind.class()
    }

    pub(crate) fn method(self) -> u16 {
        self.kind.method().value()
    }

    pub(crate) fn len(self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn transaction(self) -> TransactionId {
        let id = self.bytes.get(4..HEADER).and_then(<[u8]>::first_chunk);
        u128::from_be_bytes(id.copied().unwrap_or_default()).into()
    }

    /// The first of that kind.
    pub(crate) fn get(self, kind: u16) -> Option<&'a [u8]> {
        let mut attributes = self.attributes();
        let found = attributes.find(|(found, _)| *found == kind);
        found.map(|(_, value)| value)
    }

    pub(crate) fn text(self, kind: u16) -> Option<&'a str> {
        str::from_utf8(self.get(kind)?).ok()
    }

    /// All addresses of that kind, canonical. `None` in place of one that is none.
    pub(crate) fn addresses(self, kind: u16) -> impl Iterator<Item = Option<SocketAddr>> {
        let attributes = self.attributes();
        let values = attributes.filter(move |(found, _)| *found == kind);
        values.map(move |(_, value)| self.address(kind, value))
    }

    fn address(self, kind: u16, value: &[u8]) -> Option<SocketAddr> {
        let raw = RawAttribute::new(AttributeType::new(kind), value);
        let address = XorSocketAddr::from_raw(&raw).ok()?;
        Some(canonical(address.addr(self.transaction())))
    }

    /// What must be understood and is not.
    pub(crate) fn unknown(self) -> Vec<u16> {
        let kinds = self.attributes().map(|(kind, _)| kind);
        let unknown = kinds.filter(|kind| *kind < 0x8000 && !KNOWN.contains(kind));
        unknown.take(MOST_UNKNOWN).collect()
    }

    /// Whether it was signed with that key.
    pub(crate) fn is_signed_with(self, key: &IntegrityKey) -> bool {
        let message = Message::from_bytes(self.bytes);
        message.is_ok_and(|message| message.validate_integrity_with_key(key).is_ok())
    }

    /// Kinds and values, up to the first that is not whole.
    fn attributes(self) -> Attributes<'a> {
        Attributes(self.bytes.get(HEADER..).unwrap_or_default())
    }
}

struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.0.split_at_checked(ATTRIBUTE_HEADER)?;
        let length = usize::from(be16(header, 2)?);
        let (padded, rest) = rest.split_at_checked(padded(length))?;
        self.0 = rest;
        Some((be16(header, 0)?, padded.get(..length)?))
    }
}

/// An answer in the making.
pub(crate) struct Answer {
    written: MessageWriteVec,
    transaction: TransactionId,
    has_fingerprint: bool,
}

impl Answer {
    pub(crate) fn success(request: Stun<'_>) -> Self {
        Self::new(request, MessageClass::Success)
    }

    pub(crate) fn error(request: Stun<'_>, code: u16) -> Self {
        Self::wordy_error(request, code, ErrorCode::default_reason_for_code(code))
    }

    /// With other words, or none.
    pub(crate) fn wordy_error(request: Stun<'_>, code: u16, words: &str) -> Self {
        let (hundreds, rest) = (code.div_euclid(100), code.rem_euclid(100));
        let number = [hundreds, rest].map(|part| u8::try_from(part).unwrap_or(0));
        let value = [&[0, 0], &number[..], words.as_bytes()].concat();
        Self::new(request, MessageClass::Error).with(attribute::ERROR_CODE, &value)
    }

    fn new(request: Stun<'_>, class: MessageClass) -> Self {
        let kind = MessageType::from_class_method(class, Method::new(request.method()));
        let transaction = request.transaction();
        Self {
            written: Message::builder(kind, transaction, MessageWriteVec::new()),
            transaction,
            // Whoever does not ask for one gets none: less to amplify.
            has_fingerprint: request.get(attribute::FINGERPRINT).is_some(),
        }
    }

    /// None that signs; that is `finish`.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let attribute = RawAttribute::new(AttributeType::new(kind), value);
        let added = self.written.add_attribute(&attribute);
        debug_assert!(added.is_ok(), "nothing is added behind the signature");
        self
    }

    pub(crate) fn with_address(self, kind: u16, address: SocketAddr) -> Self {
        let address = XorSocketAddr::new(canonical(address), self.transaction);
        let raw = address.to_raw(AttributeType::new(kind));
        self.with(kind, &raw.value)
    }

    pub(crate) fn finish(mut self, key: Option<&IntegrityKey>) -> Vec<u8> {
        if let Some(key) = key {
            let algorithm = IntegrityAlgorithm::Sha1;
            let added = self.written.add_message_integrity_with_key(key, algorithm);
            debug_assert!(added.is_ok(), "it is signed once");
        }
        if self.has_fingerprint {
            let added = self.written.add_fingerprint();
            debug_assert!(added.is_ok(), "it is the last");
        }
        self.written.finish()
    }
}

/// Room in front of a payload for its envelope: a Data indication from an IPv6 peer.
pub(crate) const ENVELOPE: usize = HEADER + ATTRIBUTE_HEADER + 20 + ATTRIBUTE_HEADER;

/// Writes an envelope around the payload that stands in `buffer` behind [`ENVELOPE`] bytes, and tells
/// which part is to be sent: padded, which streams need and UDP allows. `transaction` is any number.
/// `None`: no room for the padding, or too long.
pub(crate) fn enclose(
    buffer: &mut [u8],
    payload: usize,
    envelope: Envelope,
    transaction: [u8; 12],
) -> Option<&[u8]> {
    let mut head = [0; ENVELOPE];
    let mut at = 0;
    let mut write = |part: &[u8]| -> Option<()> {
        let end = usize::checked_add(at, part.len())?;
        head.get_mut(at..end)?.copy_from_slice(part);
        at = end;
        Some(())
    };
    let length = u16::try_from(payload).ok()?.to_be_bytes();
    match envelope {
        Envelope::Channel(number) => {
            write(&number.to_be_bytes())?;
            write(&length)?;
        }
        Envelope::Indication(peer) => {
            let id = [&COOKIE[..], &transaction[..]].concat();
            let id = u128::from_be_bytes(*id.first_chunk()?);
            let address = XorSocketAddr::new(peer, id.into());
            let address = address.to_raw(AttributeType::new(attribute::XOR_PEER_ADDRESS));
            let before = address.value.len().checked_add(2 * ATTRIBUTE_HEADER)?;
            let all = u16::try_from(padded(payload).checked_add(before)?).ok()?;
            let method = Method::new(method::DATA);
            write(&MessageType::from_class_method(MessageClass::Indication, method).to_bytes())?;
            write(&all.to_be_bytes())?;
            write(&id.to_be_bytes())?;
            write(&attribute::XOR_PEER_ADDRESS.to_be_bytes())?;
            write(&u16::try_from(address.value.len()).ok()?.to_be_bytes())?;
            write(&address.value)?;
            write(&attribute::DATA.to_be_bytes())?;
            write(&length)?;
        }
    }
    let start = ENVELOPE.checked_sub(at)?;
    let end = ENVELOPE.checked_add(payload)?;
    let padded_end = ENVELOPE.checked_add(padded(payload))?;
    buffer.get_mut(end..padded_end)?.fill(0);
    let written = head.get(..at)?;
    buffer.get_mut(start..ENVELOPE)?.copy_from_slice(written);
    buffer.get(start..padded_end)
}

/// Up to the next multiple of four.
pub(crate) fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}
