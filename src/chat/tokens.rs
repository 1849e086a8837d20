//! Short-lived tokens that say over a data channel who somebody is, once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::accounts::AccountId;
use crate::channels::{ChannelId, Pepper};
use crate::secret::Secret;

/// Makes and takes tokens. What was used is remembered until it is too old to be used again.
#[derive(Debug)]
pub(crate) struct Tokens {
    pepper: Pepper,
    used: Mutex<HashMap<String, i64>>,
}

/// A token is good for so long.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(60);

impl Tokens {
    pub(crate) fn new(pepper: Pepper) -> Self {
        Self {
            pepper,
            used: Mutex::default(),
        }
    }

    /// A token by which an account comes into a room.
    pub(crate) fn give(&self, account: AccountId, channel: ChannelId, now: Timestamp) -> Secret {
        let until = (now + GOOD_FOR).as_millisecond();
        let nonce = Secret::random::<12>();
        let claim = format!("{account}.{channel}.{until}.{}", nonce.reveal());
        let mac = self.pepper.mac(&signed(&claim));
        Secret::new(format!("{claim}.{mac}"))
    }

    /// Whom a token names, the first time that it is shown.
    ///
    /// # Errors
    /// When it is none, is of another room, too old, or was used.
    pub(crate) fn take(
        &self,
        token: &str,
        channel: ChannelId,
        now: Timestamp,
    ) -> Result<AccountId, Refusal> {
        let invalid = || {
            Refusal::new(
                "token_invalid",
                "this token is wrong or too old; get another",
            )
        };
        let (claim, mac) = token.rsplit_once('.').ok_or_else(invalid)?;
        if !self.pepper.fits(&signed(claim), mac) {
            return Err(invalid());
        }
        let mut parts = claim.split('.');
        let mut part = || parts.next().ok_or_else(invalid);
        let account = Uuid::parse_str(part()?).map_err(|_| invalid())?;
        let of = Uuid::parse_str(part()?).map_err(|_| invalid())?;
        let until: i64 = part()?.parse().map_err(|_| invalid())?;
        let now = now.as_millisecond();
        if of != channel.0 || until < now {
            return Err(invalid());
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until >= now);
        match used.insert(mac.to_owned(), until) {
            None => Ok(AccountId(account)),
            Some(_) => Err(Refusal::new(
                "token_used",
                "this token was used already; get another",
            )),
        }
    }
}

/// Other MACs of the pepper say other things.
fn signed(claim: &str) -> String {
    format!("chat join {claim}")
}
