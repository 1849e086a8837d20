//! Command messages (RTMP 1.0 §7.1.1).

use crate::amf0::{self, Value};
use crate::chunk::{Message, kind};

use super::Error;

/// A command as it came. It may hold a stream key: it is not to be shown.
pub(super) struct Command {
    pub(super) name: String,
    pub(super) transaction: f64,
    /// Message stream that it came on.
    pub(super) stream: u32,
    /// The command object; null with most.
    pub(super) object: Value,
    pub(super) arguments: Vec<Value>,
}

impl Command {
    /// Transaction and object may be missing, as with commands that nobody answers.
    pub(super) fn read(message: &Message) -> Result<Self, Error> {
        let mut values = amf0::read(amf0_of(message))?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(Error::Command("has no name"));
        };
        let transaction = values.next();
        Ok(Self {
            name,
            transaction: transaction.and_then(|v| v.number()).unwrap_or_default(),
            stream: message.stream,
            object: values.next().unwrap_or(Value::Null),
            arguments: values.collect(),
        })
    }
}

/// The values of a message: AMF3 ones (types 15 and 17) begin with a format byte of 0, and go on as
/// AMF0.
pub(super) fn amf0_of(message: &Message) -> &[u8] {
    match message.kind {
        kind::COMMAND_AMF3 | kind::DATA_AMF3 => {
            let payload = message.payload.as_ref();
            payload.strip_prefix(&[0]).unwrap_or(payload)
        }
        _ => &message.payload,
    }
}
