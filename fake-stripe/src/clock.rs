//! The fake's time: the wall clock moved ahead by what [`Clock::advance`] was told, in seconds since 1970.
//! This is the only place of the crate that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Tells the fake's time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: i64,
    /// Set while what fell due in the past is made up for, so that it happens at its own time.
    pretended: Option<i64>,
}

impl Clock {
    pub(crate) fn now(&self) -> i64 {
        self.pretended.unwrap_or_else(|| self.present())
    }

    /// The time to which everything due has to be made up for.
    pub(crate) fn present(&self) -> i64 {
        wall().saturating_add(self.ahead)
    }

    pub(crate) fn advance(&mut self, seconds: i64) {
        self.ahead = self.ahead.saturating_add(seconds.max(0));
    }

    /// From now on it is `moment`, or the present again.
    pub(crate) fn pretend(&mut self, moment: Option<i64>) {
        self.pretended = moment;
    }
}

/// The time of day by the system, in seconds since 1970: what receivers hold signatures against.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here and nowhere else"
)]
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// Monotonic time, for the waits between attempts of delivery.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here and nowhere else"
)]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The time `count` months (or years) of the calendar after `start`, in UTC; the last day of a short month
/// stands for the days it lacks.
pub(crate) fn after(start: i64, interval: &str, count: i64) -> i64 {
    let span = match interval {
        "year" => Span::new().try_years(count),
        "week" => Span::new().try_weeks(count),
        "day" => Span::new().try_days(count),
        _ => Span::new().try_months(count),
    };
    let from = Timestamp::from_second(start).map(|from| from.to_zoned(TimeZone::UTC));
    from.and_then(|from| from.checked_add(span?))
        .map_or(i64::MAX, |then| then.timestamp().as_second())
}

/// The time as a person reads it.
pub(crate) fn readable(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

/// How long to wait before the attempt after `made` failed ones.
pub(crate) fn backoff(made: usize) -> Duration {
    let waits = [200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
    let wait = waits.get(made.saturating_sub(1)).unwrap_or(&60_000);
    Duration::from_millis(*wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_the_calendars() {
        let end_of_january = 1_769_817_600; // 2026-01-31
        assert_eq!(
            readable(after(end_of_january, "month", 1)),
            "2026-02-28 00:00:00 UTC"
        );
        assert_eq!(
            readable(after(end_of_january, "month", 2)),
            "2026-03-31 00:00:00 UTC"
        );
        assert_eq!(
            readable(after(end_of_january, "year", 1)),
            "2027-01-31 00:00:00 UTC"
        );
    }

    #[test]
    fn waits_grow_and_stay_at_a_minute() {
        assert_eq!(backoff(1), Duration::from_millis(200));
        assert_eq!(backoff(4), Duration::from_secs(2));
        assert_eq!(backoff(400), Duration::from_secs(60));
    }
}
