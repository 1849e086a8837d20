//! [`KnownKeys`]: stream keys that were right, so that a publisher who is cut off while the database is away can come back to the
//! stream that is on air.
//!
//! It is asked only then. A key is forgotten when it is revoked, here or at another server, and when the database does not know it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Channel, StreamKeyId};

/// A key as the database has it: its id, its MAC, and whose it is.
pub(super) type Found = (StreamKeyId, String, Channel);

/// Keys by their prefix. When it is full all are forgotten: they are learnt again when they are used.
#[derive(Debug, Default)]
pub(super) struct KnownKeys(Mutex<HashMap<String, Found>>);

const MOST: usize = 4_096;

impl KnownKeys {
    /// A key was right.
    pub(super) fn learn(&self, prefix: &str, found: &Found) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(prefix) {
            known.clear();
        }
        known.insert(prefix.to_owned(), found.clone());
    }

    pub(super) fn find(&self, prefix: &str) -> Option<Found> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(prefix).cloned()
    }

    /// The database knows none of that prefix.
    pub(super) fn forget(&self, prefix: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(prefix);
    }

    /// A key was revoked.
    pub(super) fn revoke(&self, key: StreamKeyId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (id, _, _)| *id != key);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::accounts::AccountId;

    fn found(key: u128) -> Found {
        let owner = AccountId(Uuid::nil());
        let channel = Channel::new(
            "ada".to_owned(),
            "Ada".to_owned(),
            owner,
            Timestamp::UNIX_EPOCH,
        );
        (StreamKeyId(Uuid::from_u128(key)), "mac".to_owned(), channel)
    }

    #[test]
    fn a_key_is_known_until_it_is_revoked_or_unknown_to_the_database() {
        let known = KnownKeys::default();
        let one = found(1);
        known.learn("one", &one);
        known.learn("two", &found(2));
        assert_eq!(known.find("one").as_ref(), Some(&one));
        known.revoke(one.0);
        assert_eq!(known.find("one"), None);
        known.forget("two");
        assert_eq!(known.find("two"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let known = KnownKeys::default();
        for number in 0..=MOST {
            known.learn(&number.to_string(), &found(1));
        }
        assert_eq!(known.0.lock().unwrap().len(), 1);
    }
}
