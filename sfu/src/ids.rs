//! Identifiers that leave the crate. Both are 128 bits and shown as 32 lower-case hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// One peer connection, WHIP or WHEP.
///
/// It is random and unguessable, because a session URL made of it suffices to end the session
/// (RFC 9725 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

/// One time live of a channel. The caller makes it; the SFU only compares it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u128);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits")]
pub struct ParseIdError;

impl SessionId {
    /// Makes a session id from 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(random_u128())
    }
}

impl StreamId {
    /// Makes a stream id from 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(random_u128())
    }
}

impl From<u128> for StreamId {
    fn from(value: u128) -> Self {
        Self(value)
    }
}

impl From<StreamId> for u128 {
    fn from(id: StreamId) -> Self {
        id.0
    }
}

macro_rules! hexadecimal {
    ($id:ident) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({:032x})"), self.0)
            }
        }

        impl FromStr for $id {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                if !digits {
                    return Err(ParseIdError);
                }
                u128::from_str_radix(text, 16)
                    .map(Self)
                    .map_err(|_| ParseIdError)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

hexadecimal!(SessionId);
hexadecimal!(StreamId);

fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    #[expect(
        clippy::expect_used,
        reason = "without randomness from the kernel no session can be safe"
    )]
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    u128::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_text() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(StreamId::from(7).to_string().parse(), Ok(StreamId::from(7)));
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in [
            "",
            "12",
            "+0000000000000000000000000000001",
            "g0000000000000000000000000000000",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(ParseIdError), "{text}");
        }
    }
}
