//! Section `[limits]`: bounds on what strangers may ask for.

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Bounds on what strangers may ask for. Requests from this machine itself get
/// [`Limits::loopback_factor`] times as many.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// WHIP offers a minute from one address.
    pub publishes_per_minute: u32,
    /// WHEP offers a minute from one address.
    pub views_per_minute: u32,
    /// PATCH, DELETE and other requests to sessions a minute from one address.
    pub session_requests_per_minute: u32,
    /// Sessions of one address that have an answer but no media connection yet.
    pub half_open_per_address: u32,
    /// Wrong passwords in 15 minutes for one account from one address.
    pub sign_ins_per_quarter_hour: u32,
    /// Accounts that one address may make in an hour.
    pub sign_ups_per_hour: u32,
    /// Mails that one address may have sent in an hour.
    pub mails_per_hour: u32,
    /// Requests to the API a minute for one account, else for one address: those that only read, of
    /// them those that search, and those that change something.
    pub api_reads_per_minute: u32,
    /// See [`Limits::api_reads_per_minute`].
    pub api_searches_per_minute: u32,
    /// See [`Limits::api_reads_per_minute`].
    pub api_writes_per_minute: u32,
    /// How many times as much this machine itself may ask for.
    pub loopback_factor: u32,
    /// Channels live at once; 0: no bound.
    pub publishers: usize,
    /// Kilobits a second of one publisher, all its layers and sound together; 0: no bound.
    pub publisher_kbits: u32,
    /// Viewers by WebRTC at once; who comes beyond plays by HLS. 0: as many as sessions.
    pub viewers: usize,
    /// Of these, the last so many in a hundred are for a channel's own people and members.
    pub viewers_reserved_percent: usize,
    /// Viewers by WebRTC of one address; 0: no bound.
    pub viewers_per_address: usize,
    /// Sessions in all.
    pub sessions: usize,
    /// HTTP connections in all.
    pub http_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            publishes_per_minute: 10,
            views_per_minute: 60,
            session_requests_per_minute: 600,
            half_open_per_address: 20,
            sign_ins_per_quarter_hour: 5,
            sign_ups_per_hour: 10,
            mails_per_hour: 10,
            api_reads_per_minute: 600,
            api_searches_per_minute: 60,
            api_writes_per_minute: 120,
            loopback_factor: 1_000,
            publishers: 0,
            publisher_kbits: USUAL_PUBLISHER_KBITS,
            viewers: 0,
            viewers_reserved_percent: 5,
            viewers_per_address: 0,
            sessions: 20_000,
            http_connections: 20_000,
        }
    }
}

/// More than any publisher needs.
const USUAL_PUBLISHER_KBITS: u32 = 20_000;
/// Less than this carries no picture.
const LEAST_PUBLISHER_KBITS: u32 = 500;

impl Limits {
    /// Bits a second of one publisher, where there is a bound.
    #[must_use]
    pub fn publisher_bitrate(&self) -> Option<u64> {
        (self.publisher_kbits != 0).then(|| u64::from(self.publisher_kbits) * 1_000)
    }

    /// Kilobits a second of pictures that the answer to an offer names, where the stream itself may have such
    /// a bound. The usual one is not named: browsers stay below it by themselves, and would take it for leave to
    /// send more.
    #[must_use]
    pub fn publisher_kbits_told(&self, of_stream: Option<u32>) -> Option<u32> {
        let ours = self.publisher_kbits;
        let ours = (1..USUAL_PUBLISHER_KBITS).contains(&ours).then_some(ours);
        ours.into_iter().chain(of_stream).min()
    }

    /// Viewers by WebRTC at once for whom there is a place, with priority or without.
    #[must_use]
    pub fn viewers_for(&self, has_priority: bool) -> usize {
        let most = match self.viewers {
            0 => self.sessions,
            viewers => viewers,
        };
        match has_priority {
            true => most,
            false => most - most.saturating_mul(self.viewers_reserved_percent.min(100)) / 100,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("publishes_per_minute", self.publishes_per_minute),
            ("views_per_minute", self.views_per_minute),
            (
                "session_requests_per_minute",
                self.session_requests_per_minute,
            ),
            ("half_open_per_address", self.half_open_per_address),
            ("sign_ins_per_quarter_hour", self.sign_ins_per_quarter_hour),
            ("sign_ups_per_hour", self.sign_ups_per_hour),
            ("mails_per_hour", self.mails_per_hour),
            ("api_reads_per_minute", self.api_reads_per_minute),
            ("api_searches_per_minute", self.api_searches_per_minute),
            ("api_writes_per_minute", self.api_writes_per_minute),
            ("loopback_factor", self.loopback_factor),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(invalid(
                    &format!("limits.{key}"),
                    "it must be at least 1; 0 would refuse everybody",
                ));
            }
        }
        if (1..LEAST_PUBLISHER_KBITS).contains(&self.publisher_kbits) {
            return Err(invalid(
                "limits.publisher_kbits",
                format!("it must be at least {LEAST_PUBLISHER_KBITS}, or 0 for no bound"),
            ));
        }
        if self.viewers_reserved_percent > 100 {
            return Err(invalid(
                "limits.viewers_reserved_percent",
                "it must be 0 to 100",
            ));
        }
        if self.sessions == 0 || self.http_connections == 0 {
            return Err(invalid(
                "limits",
                "sessions and http_connections must be at least 1",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_two_bounds_is_told_and_the_usual_one_is_not() {
        let told = |publisher_kbits, of_stream| {
            let limits = Limits {
                publisher_kbits,
                ..Limits::default()
            };
            limits.check().unwrap();
            limits.publisher_kbits_told(of_stream)
        };
        assert_eq!(told(USUAL_PUBLISHER_KBITS, None), None);
        assert_eq!(told(0, None), None);
        assert_eq!(told(0, Some(2_500)), Some(2_500));
        assert_eq!(told(6_000, None), Some(6_000));
        assert_eq!(told(6_000, Some(2_500)), Some(2_500));
        assert_eq!(told(1_000, Some(2_500)), Some(1_000));
    }
}
