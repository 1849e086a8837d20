//! Who is turned away or cut off: why, how often, and how often that is logged.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use rtmp::{ConnectionError, Counts, Error, Refusal};

/// Why, as metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There are as many connections as may be.
    NoPlace,
    /// There is no key, or it is wrong or revoked.
    WrongKey,
    /// The address tries too often.
    Attempts,
    /// The name is not to be had: another publishes there, the stream was ended, the application is
    /// another.
    Name,
    /// The operator's endpoint does not let it.
    Hook,
    /// What is sent is broken, or not supported.
    Protocol,
    Bitrate,
    Timeout,
}

/// Turned away in words.
#[derive(Debug)]
pub(super) struct TurnedAway {
    pub(super) reason: Reason,
    pub(super) refusal: Refusal,
}

/// How often something is logged that strangers can bring about as often as they like: once in a while
/// for each cause.
#[derive(Debug)]
pub(super) struct Sparing<Cause> {
    /// When it was logged last, and how often it was not since.
    lines: HashMap<Cause, (Instant, u64)>,
}

const LEAST_APART: Duration = Duration::from_secs(10);

impl Reason {
    /// Of a connection that ended before its time. None where it only broke.
    pub(super) fn of(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::TimedOut(_) => Some(Self::Timeout),
            ConnectionError::Session(Error::Bitrate(_)) => Some(Self::Bitrate),
            ConnectionError::Session(Error::NoKey) => Some(Self::WrongKey),
            ConnectionError::Session(Error::App(_)) => Some(Self::Name),
            ConnectionError::Session(_) => Some(Self::Protocol),
            _ => None,
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::NoPlace => "no_place",
            Self::WrongKey => "wrong_key",
            Self::Attempts => "attempts",
            Self::Name => "name",
            Self::Hook => "hook",
            Self::Protocol => "protocol",
            Self::Bitrate => "bitrate",
            Self::Timeout => "timeout",
        }
    }

    pub(super) fn count(self) {
        let labels = [("reason", self.label())];
        metrics::counter!("tallylight_rtmp_refused_total", &labels).increment(1);
    }
}

impl From<Refusal> for TurnedAway {
    /// The reason that a refusal has when nothing more is known.
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal {
            Refusal::BadName(_) => Reason::Name,
            Refusal::Unauthorized(_) => Reason::WrongKey,
        };
        Self { reason, refusal }
    }
}

impl<Cause: Eq + Hash> Sparing<Cause> {
    pub(super) fn new() -> Self {
        Self {
            lines: HashMap::new(),
        }
    }

    /// Whether it is time for a line of that cause, and for how many it stands then, this one included.
    pub(super) fn is_due(&mut self, cause: Cause, now: Instant) -> Option<u64> {
        let line = self.lines.get_mut(&cause);
        let silent = match line {
            Some((last, silent)) if now.saturating_duration_since(*last) < LEAST_APART => {
                *silent = silent.saturating_add(1);
                return None;
            }
            Some((_, silent)) => *silent,
            None => 0,
        };
        self.lines.insert(cause, (now, 0));
        Some(silent.saturating_add(1))
    }
}

/// Counts the media of a publication that was dropped, between what a connection counted before and
/// after it.
pub(super) fn count_broken(before: Counts, after: Counts) {
    metrics::counter!("tallylight_rtmp_broken_total").increment(broken(before, after));
}

fn broken(before: Counts, after: Counts) -> u64 {
    let of = |counts: Counts| counts.broken.saturating_add(counts.before_configuration);
    of(after).saturating_sub(of(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_ten_seconds_for_each_cause() {
        let mut sparing = Sparing::new();
        let start = crate::clock::Clock::system().instant();
        let mut at = |cause, seconds| sparing.is_due(cause, start + Duration::from_secs(seconds));
        assert_eq!(at("places", 0), Some(1));
        assert_eq!([at("places", 1), at("places", 9)], [None, None]);
        assert_eq!(at("address", 9), Some(1), "another cause");
        assert_eq!(at("places", 10), Some(3));
        assert_eq!(at("places", 19), None);
        assert_eq!(at("places", 100), Some(2));
    }

    #[test]
    fn what_ends_a_connection_has_a_reason() {
        let of = |error: Error| Reason::of(&error.into()).map(Reason::label);
        assert_eq!(of(Error::Bitrate(1)), Some("bitrate"));
        assert_eq!(of(Error::NoKey), Some("wrong_key"));
        assert_eq!(of(Error::App("live".to_owned())), Some("name"));
        assert_eq!(of(Error::Play), Some("protocol"));
        let late = ConnectionError::TimedOut(rtmp::Phase::Idle);
        assert_eq!(Reason::of(&late), Some(Reason::Timeout));
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(Reason::of(&broken.into()), None);
    }

    #[test]
    fn what_is_dropped_is_counted_once() {
        let counts = |broken, before_configuration| {
            let mut counts = Counts::default();
            (counts.broken, counts.before_configuration) = (broken, before_configuration);
            counts
        };
        assert_eq!(broken(Counts::default(), counts(2, 3)), 5);
        assert_eq!(broken(counts(2, 3), counts(2, 4)), 1);
    }
}
