//! Who had a look for nothing, and since when: of all servers, while those can tell one another.

mod shared;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use shared::{Known, Shared};

use crate::accounts::{Account, AccountId};
use crate::bus::Bus;
use crate::channels::Channels;
use crate::clock::Clock;
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
                // The same at all servers.
                let agent = Sha256::digest(request::user_agent(headers));
                let agent = agent.first_chunk().copied().unwrap_or_default();
                Self::Browser(household(client.address), u64::from_be_bytes(agent))
            }
        }
    }
}

/// When previews began.
#[derive(Debug)]
pub(super) struct Previews {
    here: Here,
    shared: Shared,
}

/// Those that this server knows of. One that starts anew knows of none.
#[derive(Debug, Default)]
struct Here(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    by_watcher: HashMap<(Uuid, Watcher), Timestamp>,
    /// How many a network has of each place.
    by_network: HashMap<(Uuid, IpAddr), u32>,
    /// Who was given none, since their network had had its share, and when.
    barred: HashMap<(Uuid, Watcher), Timestamp>,
}

const MOST: usize = 100_000;
/// Browsers of one network that have one each: many share an address, but one alone must not have them all.
const MOST_OF_NETWORK: u32 = 20;
/// Whoever was given none is not counted anew for as long: players ask several times a second.
const BARRED_FOR: SignedDuration = SignedDuration::from_secs(10);
const MOST_BARRED: usize = 10_000;

impl Previews {
    pub(super) fn new(bus: Bus, clock: Clock, channels: Channels) -> Self {
        Self {
            here: Here::default(),
            shared: Shared::new(bus, clock, channels),
        }
    }

    /// Until when somebody's preview lasts, which begins now unless it began before.
    pub(super) async fn begin(
        &self,
        place: Uuid,
        watcher: Watcher,
        seconds: u32,
        now: Timestamp,
    ) -> Timestamp {
        if let Some(began) = self.here.find(place, watcher) {
            return ends(began, seconds);
        }
        if self.here.is_barred(place, watcher, now) {
            return now;
        }
        let began = match self.shared.begin(place, watcher, now).await {
            Some(Known::Since(began)) => {
                self.here.note(place, watcher, began);
                Some(began)
            }
            Some(Known::Not) => None,
            None => self.here.begin(place, watcher, now),
        };
        if began.is_none() {
            self.here.bar(place, watcher, now);
        }
        began.map_or(now, |began| ends(began, seconds))
    }

    /// Seconds that are left of somebody's preview.
    pub(super) async fn left(
        &self,
        place: Uuid,
        watcher: Watcher,
        seconds: u32,
        now: Timestamp,
    ) -> u32 {
        let began = match self.here.find(place, watcher) {
            Some(began) => Some(began),
            None => match self.shared.find(place, watcher).await {
                Some(Known::Since(began)) => Some(began),
                _ => None,
            },
        };
        began.map_or(seconds, |began| seconds_until(ends(began, seconds), now))
    }
}

impl Here {
    fn all(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, place: Uuid, watcher: Watcher) -> Option<Timestamp> {
        self.all().by_watcher.get(&(place, watcher)).copied()
    }

    /// When it began, which is now unless it began before; none: the network has had its share.
    fn begin(&self, place: Uuid, watcher: Watcher, now: Timestamp) -> Option<Timestamp> {
        let mut all = self.all();
        if let Some(began) = all.by_watcher.get(&(place, watcher)) {
            return Some(*began);
        }
        if let Watcher::Browser(network, _) = watcher {
            let begun = all.by_network.get(&(place, network)).copied();
            if begun.unwrap_or_default() >= MOST_OF_NETWORK {
                return None;
            }
        }
        all.note(place, watcher, now);
        Some(now)
    }

    /// Whether they were given none a moment ago.
    fn is_barred(&self, place: Uuid, watcher: Watcher, now: Timestamp) -> bool {
        let barred_at = self.all().barred.get(&(place, watcher)).copied();
        // A time of day may be set back.
        let lasts = SignedDuration::ZERO..BARRED_FOR;
        barred_at.is_some_and(|at| lasts.contains(&now.duration_since(at)))
    }

    fn bar(&self, place: Uuid, watcher: Watcher, now: Timestamp) {
        let mut all = self.all();
        if all.barred.len() >= MOST_BARRED {
            // They are counted once more.
            all.barred.clear();
        }
        all.barred.insert((place, watcher), now);
    }

    fn note(&self, place: Uuid, watcher: Watcher, began: Timestamp) {
        self.all().note(place, watcher, began);
    }
}

impl Begun {
    fn note(&mut self, place: Uuid, watcher: Watcher, began: Timestamp) {
        if self.by_watcher.len() >= MOST {
            // Some have another one then, which is less bad than nobody having one.
            *self = Self::default();
        }
        let is_new = self.by_watcher.insert((place, watcher), began).is_none();
        if is_new && let Watcher::Browser(network, _) = watcher {
            *self.by_network.entry((place, network)).or_default() += 1;
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
        let here = Here::default();
        let (place, watcher) = (Uuid::now_v7(), Watcher::Account(AccountId(Uuid::nil())));
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(here.find(place, watcher), None);
        assert_eq!(here.begin(place, watcher, at(0)), Some(at(0)));
        assert_eq!(here.begin(place, watcher, at(50)), Some(at(0)));
        let end = ends(at(0), 60);
        assert_eq!(seconds_until(end, at(50)), 10);
        assert_eq!(seconds_until(end, at(70)), 0);
        let other = Uuid::now_v7();
        assert_eq!(here.begin(other, watcher, at(70)), Some(at(70)));
    }

    #[test]
    fn a_network_has_so_many_and_leaves_the_rest_to_others() {
        let here = Here::default();
        let (place, at) = (Uuid::now_v7(), Timestamp::UNIX_EPOCH);
        let browser = |network: u8, agent: u64| {
            let watcher = Watcher::Browser([192, 0, 2, network].into(), agent);
            here.begin(place, watcher, at).is_some()
        };
        let begun = (0..100).filter(|agent| browser(1, *agent)).count();
        assert_eq!(begun, 20);
        assert!(browser(2, 0));
        assert!(browser(1, 0), "it goes on");
    }

    #[test]
    fn who_was_given_none_is_not_counted_anew_for_a_moment() {
        let here = Here::default();
        let place = Uuid::now_v7();
        let browser = |agent| Watcher::Browser([192, 0, 2, 1].into(), agent);
        let at = |second| Timestamp::from_second(second).unwrap();
        here.bar(place, browser(0), at(100));
        assert!(here.is_barred(place, browser(0), at(100)));
        assert!(here.is_barred(place, browser(0), at(109)));
        assert!(!here.is_barred(place, browser(0), at(110)));
        assert!(!here.is_barred(place, browser(0), at(50)), "set back");
        assert!(!here.is_barred(place, browser(1), at(100)));
        assert!(!here.is_barred(Uuid::now_v7(), browser(0), at(100)));
        for agent in 0..25_000 {
            here.bar(place, browser(agent), at(100));
        }
        assert!(here.all().barred.len() <= MOST_BARRED);
    }
}
