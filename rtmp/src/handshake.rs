//! The handshake (RTMP 1.0 §5.2), plain and with Flash's digests, as `rml_rtmp` has it.

use std::fmt;

use bytes::{Bytes, BytesMut};
use rml_rtmp::handshake::{Handshake as Exchange, HandshakeProcessResult, PeerType};

/// The server's half. Boxed, because it is a few kilobytes that a session soon needs no more.
pub(crate) struct Handshake(Box<Exchange>);

/// What a client began with is no RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no RTMP handshake of version 3; publish to rtmp://, not to http:// or https://")]
pub struct HandshakeError;

impl Handshake {
    pub(crate) fn new() -> Self {
        Self(Box::new(Exchange::new(PeerType::Server)))
    }

    /// Takes all of `input`, adds answers to `output`, and gives back what stands behind the
    /// handshake once it is over.
    pub(crate) fn receive(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<Option<Bytes>, HandshakeError> {
        if input.is_empty() {
            return Ok(None);
        }
        let result = self.0.process_bytes(&input.split());
        match result.map_err(|_| HandshakeError)? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                output.extend_from_slice(&response_bytes);
                Ok(None)
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                output.extend_from_slice(&response_bytes);
                Ok(Some(remaining_bytes.into()))
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake")
    }
}
