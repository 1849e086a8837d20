//! [`StreamKey`]: what a publisher proves itself with, kept out of every log.

use std::fmt;

/// A stream key as it came. Nothing shows it but [`StreamKey::reveal`].
#[derive(Clone)]
pub struct StreamKey(String);

impl StreamKey {
    pub(crate) fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key itself. Whoever calls this sees to it that it reaches no log and no URL.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(hidden)")
    }
}
