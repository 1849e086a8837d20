//! Identifiers that leave the crate, of 128 bits each: 32 lower-case hexadecimal digits as text.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// One peer connection, WHIP or WHEP.
///
/// It is random and unguessable, because a session URL made of it suffices to end the session
/// (RFC 9725 §4.2). So it is a secret: logs show its first eight digits, and only
/// [`SessionId::reveal`] gives all.
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

    /// All of it, for the session's URL; [`str::parse`] reads it back.
    #[must_use]
    pub fn reveal(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 96)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self}…)")
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

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! from_hexadecimal {
    ($id:ident) => {
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
    };
}

from_hexadecimal!(SessionId);
from_hexadecimal!(StreamId);

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
        assert_eq!(id.reveal().parse(), Ok(id));
        assert_eq!(StreamId::from(7).to_string().parse(), Ok(StreamId::from(7)));
    }

    #[test]
    fn what_is_shown_of_a_session_does_not_name_it() {
        let id = SessionId::random();
        for shown in [id.to_string(), format!("{id:?}")] {
            assert!(!shown.contains(&id.reveal()), "{shown}");
        }
        assert!(id.reveal().starts_with(&id.to_string()));
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
