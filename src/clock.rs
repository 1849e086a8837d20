//! The only place of the server that reads the clock; everybody else is told the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time of day and the time since something, from the system or from a test.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Added to the system's time; only tests move it.
    ahead: Option<Arc<Mutex<Duration>>>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that runs with the system's and can be moved ahead, for tests.
    #[must_use]
    pub fn movable() -> Self {
        Self {
            ahead: Some(Arc::default()),
        }
    }

    /// Moves a [`Clock::movable`] clock and all its clones ahead; the system's clock stays.
    pub fn advance(&self, by: Duration) {
        if let Some(ahead) = &self.ahead {
            *ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }

    /// The time of day, to the millisecond that the database keeps.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now() + self.ahead();
        from_millis(now.as_millisecond())
    }

    /// Monotonic time, for measuring and for deadlines.
    #[must_use]
    pub fn instant(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let now = Instant::now();
        now + self.ahead()
    }

    fn ahead(&self) -> Duration {
        self.ahead.as_ref().map_or(Duration::ZERO, |ahead| {
            *ahead.lock().unwrap_or_else(PoisonError::into_inner)
        })
    }
}

/// A time of day from the database's milliseconds since 1970; times out of range are clamped.
#[must_use]
pub fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movable_clock_moves_both_times() {
        let clock = Clock::movable();
        let (day, instant) = (clock.now(), clock.instant());
        clock.clone().advance(Duration::from_secs(60));
        assert!(clock.now().duration_since(day).as_secs() >= 60);
        assert!(clock.instant() - instant >= Duration::from_secs(60));
    }
}
