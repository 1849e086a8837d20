//! What a player shows with each file that it asks for: signed, good for some minutes, for one stream or
//! recording, in the browser that got it. It stands in the path, so that what playlists name relative to
//! themselves has it as well, and no query with it gets into the statistics of a cache.
//!
//! It tells by what somebody was let in. That this still does is looked up with every file, so that a pass
//! never outlives what it stands for; its own end bounds what cannot be looked up.

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{By, Gates, Lock, Place};
use crate::accounts::AccountId;
use crate::channels::Barred;
use crate::rate::household;
use crate::request;
use crate::secret::same;

/// A pass as it stands in a path: letters and digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass {
    /// The text. It is a secret.
    pub text: String,
    /// After how long it should be renewed.
    pub renew_in_seconds: u32,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

/// A pass is good for this long.
const LIFE: SignedDuration = SignedDuration::from_mins(4);
/// For those whose rights are not looked at with each file.
const LIFE_OF_TEAM: SignedDuration = SignedDuration::from_secs(60);
/// Of the word that stands for a stream's media: 128 bits of its MAC.
const MEDIA_WORD_DIGITS: usize = 32;
/// Digits of the time, in hexadecimal.
const TIME: usize = 8;
/// Digits of an account's id.
const ACCOUNT: usize = 32;

/// The latest end of a pass that is made now.
pub(super) fn longest(now: Timestamp) -> Timestamp {
    now.checked_add(LIFE).unwrap_or(now)
}

/// The two parts of a word in a path: `word`, or `word.pass`.
#[must_use]
pub fn split_pass(word: &str) -> (&str, Option<&str>) {
    match word.split_once('.') {
        Some((word, pass)) => (word, Some(pass)),
        None => (word, None),
    }
}

impl Gates {
    /// A pass for whoever was let in; none where nothing stands.
    #[must_use]
    pub fn pass(
        &self,
        place: &Place,
        by: By,
        from: std::net::IpAddr,
        headers: &HeaderMap,
    ) -> Option<Pass> {
        let now = self.0.clock.now();
        let (kind, account, life) = match by {
            By::Open => return None,
            By::Team(account) => ('t', account.0, LIFE_OF_TEAM),
            By::Password => ('p', Uuid::nil(), LIFE),
            By::Account(account) => ('a', account.0, LIFE),
            By::Preview(until) => ('v', Uuid::nil(), LIFE.min(until.duration_since(now))),
        };
        let ends = now.checked_add(life).unwrap_or(now).as_second();
        let said = format!("{kind}{ends:0TIME$x}{}", account.simple());
        let mac = self.sign(&said, place, from, headers);
        Some(Pass {
            text: format!("{said}{mac}"),
            renew_in_seconds: u32::try_from(life.as_secs() / 2).unwrap_or(1).max(1),
        })
    }

    /// By what the holder of a pass may watch, if they still may.
    ///
    /// # Errors
    /// When it is none, is of another place or browser, is too old, or what it stands for ended.
    pub async fn check_pass(
        &self,
        place: &Place,
        text: &str,
        from: std::net::IpAddr,
        headers: &HeaderMap,
    ) -> Result<By, Barred> {
        let by = self
            .read(place, text, from, headers)
            .ok_or_else(|| place.lock.gate.lacking())?;
        match by {
            // Looked at when the pass was made, which is no minute ago.
            By::Team(_) => {}
            by => self.still(place, by).await?,
        }
        Ok(by)
    }

    fn read(
        &self,
        place: &Place,
        text: &str,
        from: std::net::IpAddr,
        headers: &HeaderMap,
    ) -> Option<By> {
        let (said, mac) = text.split_at_checked(1 + TIME + ACCOUNT)?;
        if !same(mac, &self.sign(said, place, from, headers)) {
            return None;
        }
        let ends = i64::from_str_radix(said.get(1..=TIME)?, 16).ok()?;
        let ends = Timestamp::from_second(ends).ok()?;
        if ends <= self.0.clock.now() {
            return None;
        }
        let account = Uuid::try_parse(said.get(1 + TIME..)?).ok()?;
        match said.get(..1)? {
            "t" => Some(By::Team(AccountId(account))),
            "p" => Some(By::Password),
            "a" => Some(By::Account(AccountId(account))),
            "v" => Some(By::Preview(ends)),
            _ => None,
        }
    }

    /// The part of the addresses of a stream's media that nobody can guess. It is the same after the next
    /// start.
    #[must_use]
    pub fn media_word(&self, stream: Uuid) -> String {
        let mut word = self.0.channels.sign(&format!("media {stream}"));
        word.truncate(MEDIA_WORD_DIGITS);
        word
    }

    /// With another gate of the place, or password of it or the channel, it is another.
    fn sign(
        &self,
        said: &str,
        place: &Place,
        from: std::net::IpAddr,
        headers: &HeaderMap,
    ) -> String {
        let network = household(from);
        let mark = self.0.channels.gate_mark(&place.handle);
        let Lock {
            gate,
            password_hash,
            preview_s,
        } = &place.lock;
        let hash = password_hash.as_deref().unwrap_or_default();
        let (gate, tier) = (gate.as_str(), gate.tier());
        let agent = request::user_agent(headers);
        let id = place.id;
        self.0.channels.sign(&format!(
            "pass {said} {id} {network} {gate} {tier} {preview_s} {mark} {hash} {agent}"
        ))
    }
}
