//! [`Rate`]: how often one somebody may do one something, kept in memory, bounded.

use std::collections::HashMap;
use std::hash::Hash;
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

    /// Counts one event unless there were `most` already.
    ///
    /// # Errors
    /// With how long to wait.
    pub fn take(&self, key: &K, most: u32, now: Instant) -> Result<(), Duration> {
        self.check(key, most, now)?;
        self.count(key, now);
        Ok(())
    }

    /// Looks whether one more event would be allowed.
    ///
    /// # Errors
    /// With how long to wait.
    pub fn check(&self, key: &K, most: u32, now: Instant) -> Result<(), Duration> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(window) = events.get(key).map(|window| window.at(now, self.window)) else {
            return Ok(());
        };
        let age = now.saturating_duration_since(window.began);
        // The window before counts by the share of it that still lies within one length of now.
        let left = 1.0 - (age.as_secs_f64() / self.window.as_secs_f64()).min(1.0);
        if f64::from(window.now) + f64::from(window.before) * left < f64::from(most) {
            return Ok(());
        }
        Err(self.window.saturating_sub(age).max(Duration::from_secs(1)))
    }

    /// Counts one event.
    pub fn count(&self, key: &K, now: Instant) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= MOST_KEYS && !events.contains_key(key) {
            make_room(&mut events, now, self.window);
        }
        let window = events.get(key).map_or(
            Window {
                began: now,
                now: 0,
                before: 0,
            },
            |window| window.at(now, self.window),
        );
        events.insert(
            key.clone(),
            Window {
                now: window.now.saturating_add(1),
                ..window
            },
        );
    }

    /// Forgets a key, as after a right password.
    pub fn forget(&self, key: &K) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.remove(key);
    }
}

impl Window {
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
            Self {
                began: now,
                now: 0,
                before: 0,
            }
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
    fn the_number_of_keys_is_bounded() {
        let start = Clock::system().instant();
        let rate = Rate::new(MINUTE);
        for key in 0..MOST_KEYS * 2 {
            rate.count(&key, start + Duration::from_micros(key as u64));
        }
        assert!(rate.events.lock().unwrap().len() <= MOST_KEYS);
    }
}
