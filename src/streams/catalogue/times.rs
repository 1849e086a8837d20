//! Times that people plan streams for: what they write, and whether it can be.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Schedule;
use crate::error::{ApiError, FieldProblem};

/// The furthest that a stream is planned ahead.
const FURTHEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Clocks differ, and a form takes a moment to be sent.
const A_MOMENT: SignedDuration = SignedDuration::from_mins(1);
/// Longer than any name of a zone.
const LONGEST_ZONE: usize = 64;

/// Reads a time: one with its offset from UTC, or one of the wall clock in the zone.
///
/// # Errors
/// With the field and the rule that it breaks.
pub(super) fn schedule(at: &str, time_zone: &str, now: Timestamp) -> Result<Schedule, ApiError> {
    let zone = zone(time_zone)?;
    let at = match at.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => on_the_wall(at, time_zone, &zone)?,
    };
    if at < now - A_MOMENT {
        return Err(wrong("scheduled_at", "time_past", "this time has passed"));
    }
    if at.duration_since(now) > FURTHEST {
        let words = "a stream is planned at most a year ahead";
        return Err(wrong("scheduled_at", "time_too_far", words));
    }
    Ok(Schedule {
        at,
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
    })
}

fn zone(name: &str) -> Result<TimeZone, ApiError> {
    let known = (name.len() <= LONGEST_ZONE).then(|| TimeZone::get(name));
    known.and_then(Result::ok).ok_or_else(|| {
        let words = "there is no such time zone; take a name such as Europe/Berlin or UTC";
        wrong("time_zone", "time_zone_unknown", words)
    })
}

/// A time that comes twice, when clocks go back, is the first of the two.
fn on_the_wall(text: &str, time_zone: &str, zone: &TimeZone) -> Result<Timestamp, ApiError> {
    let time: DateTime = text.parse().map_err(|_| {
        let words = "give a time such as 2026-05-01T20:00 in the zone, or 2026-05-01T18:00:00Z";
        wrong("scheduled_at", "time_invalid", words)
    })?;
    let found = zone.to_ambiguous_timestamp(time);
    if matches!(found.offset(), AmbiguousOffset::Gap { .. }) {
        let words = format!(
            "there is no {} on that day in {time_zone}: the clocks go forward then",
            time.strftime("%H:%M")
        );
        return Err(wrong("scheduled_at", "time_skipped", words));
    }
    found.compatible().map_err(|_| {
        wrong(
            "scheduled_at",
            "time_invalid",
            "this time is out of all bounds",
        )
    })
}

fn wrong(field: &str, rule: &'static str, detail: impl Into<String>) -> ApiError {
    ApiError::Fields(vec![FieldProblem {
        field: field.to_owned(),
        rule,
        detail: detail.into(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(at: &str, zone: &str) -> Result<String, &'static str> {
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        match schedule(at, zone, now) {
            Ok(plan) => Ok(plan.at.to_string()),
            Err(ApiError::Fields(problems)) => Err(problems[0].rule),
            Err(_) => panic!("a problem of a field"),
        }
    }

    #[test]
    fn the_clock_on_the_wall_is_read_in_its_zone() {
        let berlin = |at| read(at, "Europe/Berlin");
        assert_eq!(
            berlin("2026-05-01T20:00"),
            Ok("2026-05-01T18:00:00Z".into())
        );
        assert_eq!(
            berlin("2026-02-01T20:00"),
            Ok("2026-02-01T19:00:00Z".into())
        );
        assert_eq!(
            berlin("2026-02-01T20:00:00Z"),
            Ok("2026-02-01T20:00:00Z".into())
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_rule() {
        assert_eq!(
            read("2026-03-29T02:30", "Europe/Berlin"),
            Err("time_skipped")
        );
        assert_eq!(
            read("2026-03-29T02:30", "UTC"),
            Ok("2026-03-29T02:30:00Z".into())
        );
        assert_eq!(read("2026-01-10T11:00", "UTC"), Err("time_past"));
        assert_eq!(read("2027-03-01T00:00", "UTC"), Err("time_too_far"));
        assert_eq!(
            read("2026-05-01T20:00", "Mars/Base"),
            Err("time_zone_unknown")
        );
        assert_eq!(
            read("2026-05-01T20:00", "../../etc/passwd"),
            Err("time_zone_unknown")
        );
        assert_eq!(read("tomorrow", "UTC"), Err("time_invalid"));
        assert_eq!(read("2026-02-30T20:00", "UTC"), Err("time_invalid"));
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first() {
        assert_eq!(
            read("2026-10-25T02:30", "Europe/Berlin"),
            Ok("2026-10-25T00:30:00Z".into())
        );
    }
}
