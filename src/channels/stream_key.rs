//! Stream keys: `tl_`, 8 public characters to find the key by, 32 secret ones (160 bits).

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::ChannelId;
use crate::secret::Secret;

/// Names a stream key; it stays when the key is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamKeyId(pub Uuid);

impl fmt::Display for StreamKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a stream key after it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// Its id.
    pub id: StreamKeyId,
    /// The channel it publishes on.
    pub channel: ChannelId,
    /// Its name for people, such as `OBS`.
    pub name: String,
    /// The public characters, by which its owner can tell it from others.
    pub prefix: String,
    /// When its present text was made.
    pub created_at: Timestamp,
    /// When it was last used to publish.
    pub last_used_at: Option<Timestamp>,
}

const MARK: &str = "tl_";
const PREFIX: usize = 8;
const SECRET: usize = 32;

/// Makes a key: its public prefix and its whole text.
pub(super) fn generate() -> (String, Secret) {
    let prefix = Secret::random::<5>().reveal().to_owned();
    let secret = Secret::random::<20>();
    let text = Secret::new(format!("{MARK}{prefix}{}", secret.reveal()));
    (prefix, text)
}

/// The public prefix of a text that has the shape of a key.
pub(super) fn prefix(text: &str) -> Option<&str> {
    let body = text.strip_prefix(MARK)?;
    let plain = body.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain || body.len() != PREFIX + SECRET {
        return None;
    }
    body.get(..PREFIX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_made_key_is_found_by_its_prefix() {
        let (public, key) = generate();
        assert_eq!(prefix(key.reveal()), Some(public.as_str()));
        assert_eq!(key.reveal().len(), 43);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = prefix(&text);
        }
    }
}
