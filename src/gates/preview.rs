//! Who had a look for nothing, and since when.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::accounts::{Account, AccountId};
use crate::rate::household;
use crate::request::{self, Client};

/// Who has a preview. Without an account it is a browser in a network: many share an address, and whoever
/// takes another browser has another minute, which is less bad than nobody else in the house having one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Watcher {
    Account(AccountId),
    Browser(IpAddr, u64),
}

impl Watcher {
    pub(super) fn new(account: Option<&Account>, client: &Client, headers: &HeaderMap) -> Self {
        match account {
            Some(account) => Self::Account(account.id),
            None => {
                let mut agent = DefaultHasher::new();
                request::user_agent(headers).hash(&mut agent);
                Self::Browser(household(client.address), agent.finish())
            }
        }
    }
}

/// When previews began. A server that starts anew knows of none.
#[derive(Debug, Default)]
pub(super) struct Previews(Mutex<HashMap<(Uuid, Watcher), Timestamp>>);

const MOST: usize = 100_000;
/// Streams are seldom longer.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Previews {
    /// Until when somebody's preview lasts, which begins now unless it began before.
    pub(super) fn begin(
        &self,
        place: Uuid,
        watcher: Watcher,
        seconds: u32,
        now: Timestamp,
    ) -> Timestamp {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, began| now.duration_since(*began) < KEPT);
        }
        // Who finds no room has no preview, so that a flood of watchers buys no more of them.
        let is_full = all.len() >= MOST && !all.contains_key(&(place, watcher));
        match is_full {
            true => now,
            false => ends(*all.entry((place, watcher)).or_insert(now), seconds),
        }
    }

    /// Seconds that are left of somebody's preview.
    pub(super) fn left(&self, place: Uuid, watcher: Watcher, seconds: u32, now: Timestamp) -> u32 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(began) = all.get(&(place, watcher)) else {
            return seconds;
        };
        seconds_until(ends(*began, seconds), now)
    }
}

/// Whole seconds from now on, of which the last is begun.
pub(super) fn seconds_until(end: Timestamp, now: Timestamp) -> u32 {
    let left = end.duration_since(now).as_millis();
    u32::try_from((left + 999).max(0) / 1000).unwrap_or(u32::MAX)
}

fn ends(began: Timestamp, seconds: u32) -> Timestamp {
    let long = SignedDuration::from_secs(i64::from(seconds));
    began.checked_add(long).unwrap_or(began)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_begins_once() {
        let previews = Previews::default();
        let (place, watcher) = (Uuid::now_v7(), Watcher::Account(AccountId(Uuid::nil())));
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(previews.left(place, watcher, 60, at(0)), 60);
        assert_eq!(previews.begin(place, watcher, 60, at(0)), at(60));
        assert_eq!(previews.begin(place, watcher, 60, at(50)), at(60));
        assert_eq!(previews.left(place, watcher, 60, at(50)), 10);
        assert_eq!(previews.left(place, watcher, 60, at(70)), 0);
        assert_eq!(previews.begin(place, watcher, 60, at(70)), at(60));
        let other = Uuid::now_v7();
        assert_eq!(previews.begin(other, watcher, 60, at(70)), at(130));
    }
}
