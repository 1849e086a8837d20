//! What TURN clients send, and what they read of answers. Written with the other half of `stun-types`
//! than the server, which has its own eyes.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeType, RawAttribute, XorSocketAddr};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermCredentials, Message, MessageClass, MessageType,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};

pub const BINDING: u16 = 0x001;
pub const ALLOCATE: u16 = 0x003;
pub const REFRESH: u16 = 0x004;
pub const SEND: u16 = 0x006;
pub const DATA_INDICATION: u16 = 0x007;
pub const CREATE_PERMISSION: u16 = 0x008;
pub const CHANNEL_BIND: u16 = 0x009;
pub const CONNECT: u16 = 0x00a;

pub const USERNAME: u16 = 0x0006;
pub const ERROR_CODE: u16 = 0x0009;
pub const CHANNEL_NUMBER: u16 = 0x000c;
pub const LIFETIME: u16 = 0x000d;
pub const XOR_PEER_ADDRESS: u16 = 0x0012;
pub const DATA: u16 = 0x0013;
pub const REALM: u16 = 0x0014;
pub const NONCE: u16 = 0x0015;
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Who signs a request.
#[derive(Clone)]
pub struct Signer {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    pub key: IntegrityKey,
}

impl Signer {
    pub fn new(username: &str, password: &str, realm: &str, nonce: &str) -> Self {
        let credentials = LongTermCredentials::new(username.into(), password.into());
        Self {
            username: username.into(),
            realm: realm.into(),
            nonce: nonce.into(),
            key: credentials
                .to_key(realm.into())
                .make_key(IntegrityAlgorithm::Sha1),
        }
    }
}

/// A message in the making.
pub struct Draft {
    transaction: TransactionId,
    written: MessageWriteVec,
}

impl Draft {
    pub fn request(method: u16) -> Self {
        Self::new(MessageClass::Request, method, TransactionId::generate())
    }

    pub fn indication(method: u16) -> Self {
        Self::new(MessageClass::Indication, method, TransactionId::generate())
    }

    fn new(class: MessageClass, method: u16, transaction: TransactionId) -> Self {
        let kind = MessageType::from_class_method(class, Method::new(method));
        Self {
            written: Message::builder(kind, transaction, MessageWriteVec::new()),
            transaction,
        }
    }

    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let attribute = RawAttribute::new(AttributeType::new(kind), value);
        self.written.add_attribute(&attribute).unwrap();
        self
    }

    pub fn with_address(self, kind: u16, address: SocketAddr) -> Self {
        let address = XorSocketAddr::new(address, self.transaction);
        let raw = address.to_raw(AttributeType::new(kind));
        self.with(kind, &raw.value)
    }

    pub fn with_peer(self, peer: SocketAddr) -> Self {
        self.with_address(XOR_PEER_ADDRESS, peer)
    }

    pub fn with_channel(self, number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        self.with(CHANNEL_NUMBER, &[high, low, 0, 0])
    }

    pub fn signed(mut self, signer: &Signer) -> Vec<u8> {
        self = self
            .with(USERNAME, signer.username.as_bytes())
            .with(REALM, signer.realm.as_bytes())
            .with(NONCE, signer.nonce.as_bytes());
        self.signed_alone(signer)
    }

    /// Without telling who signs.
    pub fn signed_alone(mut self, signer: &Signer) -> Vec<u8> {
        let algorithm = IntegrityAlgorithm::Sha1;
        let written = &mut self.written;
        let added = written.add_message_integrity_with_key(&signer.key, algorithm);
        added.unwrap();
        self.finish()
    }

    pub fn with_fingerprint(mut self) -> Vec<u8> {
        self.written.add_fingerprint().unwrap();
        self.finish()
    }

    pub fn finish(self) -> Vec<u8> {
        self.written.finish()
    }
}

/// What UDP clients ask for first.
pub fn allocate() -> Draft {
    Draft::request(ALLOCATE).with(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
}

pub fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&number.to_be_bytes(), &length.to_be_bytes(), payload].concat()
}

/// An answer or an indication, read.
#[derive(Debug, Clone)]
pub struct Reply(pub Vec<u8>);

impl Reply {
    pub fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.0).unwrap()
    }

    pub fn is_success(&self) -> bool {
        self.message().class() == MessageClass::Success
    }

    pub fn get(&self, kind: u16) -> Option<Vec<u8>> {
        let message = self.message();
        let attribute = message.raw_attribute(AttributeType::new(kind));
        attribute.map(|attribute| attribute.value.to_vec())
    }

    pub fn text(&self, kind: u16) -> String {
        String::from_utf8(self.get(kind).unwrap()).unwrap()
    }

    /// Of an error.
    pub fn code(&self) -> Option<u16> {
        let value = self.get(ERROR_CODE)?;
        Some(u16::from(value[2]) * 100 + u16::from(value[3]))
    }

    pub fn address(&self, kind: u16) -> Option<SocketAddr> {
        let message = self.message();
        let attribute = message.raw_attribute(AttributeType::new(kind))?;
        let address = XorSocketAddr::from_raw(&attribute).unwrap();
        Some(address.addr(message.transaction_id()))
    }

    /// In seconds.
    pub fn lifetime(&self) -> Option<u32> {
        let value = self.get(LIFETIME)?;
        Some(u32::from_be_bytes(value.try_into().unwrap()))
    }

    pub fn is_signed_by(&self, signer: &Signer) -> bool {
        let message = self.message();
        message.validate_integrity_with_key(&signer.key).is_ok()
    }
}
