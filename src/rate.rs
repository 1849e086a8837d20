//! [`Rate`]: how often one somebody may do one something, kept in memory, bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A fixed number of events in any window of time, per key.
///
/// It holds at most [`MOST_KEYS`] keys; when they are all in use within one window, the oldest are
/// forgotten, which errs on the side of letting people in.
#[derive(Debug)]
pub struct Rate<K> {
    window: Duration,
    events: Mutex<HashMap<K, Window>>,
}

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many more events now.
    pub left: u32,
    /// Until the window ends, after which there is more.
    pub fresh_in: Duration,
}

/// The network of a home or a machine, whose addresses are one somebody: IPv6 gives each a /64 at
/// least, of which every request could use another address.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Keys remembered at most.
pub const MOST_KEYS: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    now: u32,
    before: u32,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Counts over windows of this length.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            events: Mutex::default(),
        }
    }

    /// Counts one event unless there were `most` already, in one step: of many at once no more
    /// than `most` get through.
    ///
    /// # Errors
    /// With how long to wait.
    pub fn take(&self, key: &K, most: u32, now: Instant) -> Result<(), Duration> {
        self.count(key, most, now).map(|_| ())
    }

    /// [`Rate::take`] that tells what is left.
    ///
    /// # Errors
    /// With how long to wait.
    pub fn count(&self, key: &K, most: u32, now: Instant) -> Result<Room, Duration> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match events.get(key) {
            Some(window) => window.at(now, self.window),
            None => Window::new(now),
        };
        window.admit(most, now, self.window)?;
        if events.len() >= MOST_KEYS && !events.contains_key(key) {
            make_room(&mut events, now, self.window);
        }
        let counted = Window {
            now: window.now.saturating_add(1),
            ..window
        };
        events.insert(key.clone(), counted);
        Ok(counted.room(most, now, self.window))
    }

    /// Takes one event back, which turned out to be none that counts.
    pub fn give_back(&self, key: &K) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = events.get_mut(key) {
            window.now = window.now.saturating_sub(1);
        }
    }

    /// Forgets a key, as after a right password.
    pub fn forget(&self, key: &K) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.remove(key);
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            now: 0,
            before: 0,
        }
    }

    /// Whether one more event is allowed, else how long to wait.
    fn admit(self, most: u32, now: Instant, length: Duration) -> Result<(), Duration> {
        let age = now.saturating_duration_since(self.began);
        if self.counted(now, length) < f64::from(most) {
            return Ok(());
        }
        Err(length.saturating_sub(age).max(Duration::from_secs(1)))
    }

    /// Events that count now.
    fn counted(self, now: Instant, length: Duration) -> f64 {
        let age = now.saturating_duration_since(self.began);
        // The window before counts by the share of it that still lies within one length of now.
        let share = 1.0 - (age.as_secs_f64() / length.as_secs_f64()).min(1.0);
        f64::from(self.now) + f64::from(self.before) * share
    }

    fn room(self, most: u32, now: Instant, length: Duration) -> Room {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between nothing and a u32"
        )]
        let left = (f64::from(most) - self.counted(now, length))
            .max(0.0)
            .floor() as u32;
        let age = now.saturating_duration_since(self.began);
        Room {
            left,
            fresh_in: length.saturating_sub(age),
        }
    }

    /// The window that `now` falls into.
    fn at(self, now: Instant, length: Duration) -> Self {
        let age = now.saturating_duration_since(self.began);
        if age < length {
            self
        } else if age < length * 2 {
            Self {
                began: self.began + length,
                now: 0,
                before: self.now,
            }
        } else {
            Self::new(now)
        }
    }
}

fn make_room<K: Hash + Eq + Clone>(
    events: &mut HashMap<K, Window>,
    now: Instant,
    length: Duration,
) {
    events.retain(|_, window| now.saturating_duration_since(window.began) < length * 2);
    if events.len() < MOST_KEYS {
        return;
    }
    let mut began: Vec<Instant> = events.values().map(|window| window.began).collect();
    began.sort_unstable();
    if let Some(&middle) = began.get(began.len() / 2) {
        events.retain(|_, window| window.began > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_limit_holds_and_passes_with_time() {
        let start = Clock::system().instant();
        let rate = Rate::new(MINUTE);
        for _ in 0..5 {
            assert_eq!(rate.take(&"a", 5, start), Ok(()));
        }
        assert!(rate.take(&"a", 5, start).is_err());
        assert_eq!(rate.take(&"b", 5, start), Ok(()));
        assert!(rate.take(&"a", 5, start + MINUTE).is_err());
        assert_eq!(rate.take(&"a", 5, start + MINUTE * 2), Ok(()));
    }

    #[test]
    fn what_is_left_is_told() {
        let start = Clock::system().instant();
        let rate = Rate::new(MINUTE);
        let room = |left, seconds| Room {
            left,
            fresh_in: Duration::from_secs(seconds),
        };
        assert_eq!(rate.count(&"a", 2, start), Ok(room(1, 60)));
        let later = start + Duration::from_secs(15);
        assert_eq!(rate.count(&"a", 2, later), Ok(room(0, 45)));
        assert_eq!(rate.count(&"a", 2, later), Err(Duration::from_secs(45)));
    }

    #[test]
    fn a_household_is_one_address_or_one_network() {
        let of = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        let start = Clock::system().instant();
        let rate = Rate::new(MINUTE);
        for _ in 0..10 {
            assert_eq!(rate.take(&"a", 1, start), Ok(()));
            rate.give_back(&"a");
        }
        rate.give_back(&"never seen");
        assert_eq!(rate.take(&"a", 1, start), Ok(()));
        assert!(rate.take(&"a", 1, start).is_err());
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let start = Clock::system().instant();
        let rate = Rate::new(MINUTE);
        for key in 0..MOST_KEYS * 2 {
            let at = start + Duration::from_micros(key as u64);
            rate.take(&key, 1, at).unwrap();
        }
        assert!(rate.events.lock().unwrap().len() <= MOST_KEYS);
    }
}
