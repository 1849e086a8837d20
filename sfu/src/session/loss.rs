//! What a link carries, told by loss alone.
//!
//! For viewers that are not asked when packets arrive, or do not tell. Coarser than an estimator, and slower: it sees no
//! delay, and goes up by trying.

use std::time::{Duration, Instant};

/// Unknown, and so no bound, until much is lost.
#[derive(Debug, Default)]
pub(super) struct LossEstimate {
    /// Bit/s.
    carried: Option<u64>,
    changed: Option<Instant>,
    /// The rate at which much was lost, and until when it is not tried again.
    ceiling: Option<(u64, Instant)>,
    /// How long it is not tried again; doubles each time.
    pause: Option<Duration>,
}

/// Loss of a link that is too narrow, and of one that has room (as in Google Congestion Control).
const MUCH: f32 = 0.1;
const LITTLE: f32 = 0.02;
/// Reports tell of the last second.
const INTERVAL: Duration = Duration::from_secs(1);
/// A rate that failed is not tried again for this long at first, since trying freezes the picture.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(240);
/// Growth in each interval, in per cent.
const GROWTH: u64 = 108;

impl LossEstimate {
    /// Takes what is being sent, in bit/s, and the share of it that is lost.
    pub(super) fn update(&mut self, now: Instant, sent: u64, loss: Option<f32>) -> Option<u64> {
        let is_due = (self.changed).is_none_or(|at| now >= at + INTERVAL);
        let Some(loss) = loss.filter(|_| is_due) else {
            return self.carried;
        };
        if loss > MUCH {
            let through = share_of(sent, 1.0 - loss);
            self.carried = Some(self.carried.map_or(through, |carried| carried.min(through)));
            self.changed = Some(now);
            self.shun(now, sent);
        } else if loss < LITTLE
            && let Some(carried) = &mut self.carried
        {
            let ceiling = self.ceiling.filter(|(_, until)| now < *until);
            let most = ceiling.map_or(u64::MAX, |(rate, _)| rate);
            *carried = (*carried * GROWTH / 100).min(most.max(*carried));
            self.changed = Some(now);
        }
        self.carried
    }

    fn shun(&mut self, now: Instant, rate: u64) {
        let (ceiling, until) = self.ceiling.unwrap_or((u64::MAX, now));
        if now < until {
            // Still the same failure, or a narrower link.
            self.ceiling = Some((ceiling.min(rate), until));
            return;
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
        self.pause = Some(pause.min(LONGEST_PAUSE));
        self.ceiling = Some((rate, now + pause.min(LONGEST_PAUSE)));
    }
}

/// Part of a rate.
pub(super) fn share_of(rate: u64, share: f32) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and 1"
    )]
    let thousandths = (share.clamp(0.0, 1.0) * 1_000.0) as u64;
    rate * thousandths / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn link_is_unbounded_until_much_is_lost_and_tried_again_after() {
        let now = base();
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let mut estimate = LossEstimate::default();
        assert_eq!(estimate.update(at(0), 2_000_000, None), None);
        assert_eq!(estimate.update(at(0), 2_000_000, Some(0.05)), None);
        let narrow = estimate.update(at(0), 2_000_000, Some(0.75));
        assert_eq!(narrow, Some(500_000));
        assert_eq!(estimate.update(at(0), 2_000_000, Some(0.75)), narrow);
        assert_eq!(estimate.update(at(1), 400_000, Some(0.05)), narrow);
        assert_eq!(estimate.update(at(2), 400_000, Some(0.0)), Some(540_000));
    }

    #[test]
    fn rate_that_failed_is_not_tried_again_soon() {
        let now = base();
        let mut estimate = LossEstimate::default();
        estimate.update(now, 2_000_000, Some(0.75));
        let mut reached = Vec::new();
        for seconds in 1..60 {
            let at = now + Duration::from_secs(seconds);
            let carried = estimate.update(at, 500_000, Some(0.0));
            if carried > Some(2_000_000) {
                reached.push(seconds);
            }
        }
        assert_eq!(reached.first(), Some(&30));
    }
}
