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
pub(super) struct Previews(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    by_watcher: HashMap<(Uuid, Watcher), Timestamp>,
    /// How many a network has of each place.
    by_network: HashMap<(Uuid, IpAddr), u32>,
}

const MOST: usize = 100_000;
/// Browsers of one network that have one each: many share an address, but one alone must not have them all.
const MOST_OF_NETWORK: u32 = 20;

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
        if let Some(began) = all.by_watcher.get(&(place, watcher)) {
            return ends(*began, seconds);
        }
        if all.by_watcher.len() >= MOST {
            // Some have another one then, which is less bad than nobody having one.
            *all = Begun::default();
        }
        if let Watcher::Browser(network, _) = watcher {
            let begun = all.by_network.entry((place, network)).or_default();
            if *begun >= MOST_OF_NETWORK {
                return now;
            }
            *begun += 1;
        }
        all.by_watcher.insert((place, watcher), now);
        ends(now, seconds)
    }

    /// Seconds that are left of somebody's preview.
    pub(super) fn left(&self, place: Uuid, watcher: Watcher, seconds: u32, now: Timestamp) -> u32 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.by_watcher.get(&(place, watcher)) {
            Some(began) => seconds_until(ends(*began, seconds), now),
            None => seconds,
        }
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

    #[test]
    fn a_network_has_so_many_and_leaves_the_rest_to_others() {
        let previews = Previews::default();
        let (place, at) = (Uuid::now_v7(), Timestamp::UNIX_EPOCH);
        let browser = |network: u8, agent: u64| {
            let watcher = Watcher::Browser([192, 0, 2, network].into(), agent);
            previews.begin(place, watcher, 60, at) > at
        };
        let begun = (0..100).filter(|agent| browser(1, *agent)).count();
        assert_eq!(begun, 20);
        assert!(browser(2, 0));
        assert!(browser(1, 0), "it goes on");
    }
}
