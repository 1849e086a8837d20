//! Which layer a viewer gets. Pure: layers, bandwidth and time in, a choice out.
//!
//! Down comes at once when far too much is sent, since such a viewer freezes; a little too much must
//! last, because an estimator that takes a hiccup for congestion falls just below what is sent and
//! soon recovers. Up waits for room to spare and for a pause that doubles with each climb that did
//! not hold, so that a viewer at the edge of two layers does not flap.

use std::time::{Duration, Instant};

use crate::calls::LayerChoice;

/// One layer, as the choice sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Index into the layout.
    pub(crate) index: usize,
    pub(crate) rid: Option<String>,
    pub(crate) size: Option<(u32, u32)>,
    /// Bit/s, measured.
    pub(crate) bitrate: u64,
    /// Whether packets come.
    pub(crate) is_active: bool,
}

/// Chooses for one viewer.
#[derive(Debug, Default)]
pub(crate) struct LayerSelector {
    choice: LayerChoice,
    last_down: Option<Instant>,
    last_up: Option<Instant>,
    pause: Option<Duration>,
    /// Since when a little too much is sent.
    tight_since: Option<Instant>,
}

/// Share of the estimate that a layer may take to stay, in per cent.
const STAY_PERCENT: u64 = 110;
/// Share of the estimate from which a layer is far too much, in per cent.
const FLOOD_PERCENT: u64 = 165;
/// How long a layer may be a little too much.
const TIGHT: Duration = Duration::from_secs(2);
/// Share of a layer's rate that the estimate must have to climb to it, in per cent.
const CLIMB_PERCENT: u64 = 120;
/// Pause after a step down before the next climb.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A climb that lasted this long has held.
const HELD: Duration = Duration::from_secs(10);

impl LayerSelector {
    /// What the viewer asked for.
    pub(crate) fn choice(&self) -> &LayerChoice {
        &self.choice
    }

    /// Takes the viewer's wish.
    pub(crate) fn set_choice(&mut self, choice: LayerChoice) {
        self.choice = choice;
        self.last_down = None;
        self.last_up = None;
        self.pause = None;
        self.tight_since = None;
    }

    /// The layer to send, by index. `estimate` is the bit/s that video may take; unknown means that
    /// bandwidth does not matter. `current` is the layer being sent.
    ///
    /// `None` only when no layer is active.
    pub(crate) fn select(
        &mut self,
        now: Instant,
        layers: &[Candidate],
        current: Option<usize>,
        estimate: Option<u64>,
    ) -> Option<usize> {
        let allowed = self.ladder(layers);
        let lowest = allowed.first()?;
        let Some(estimate) = estimate else {
            return allowed.last().map(|l| l.index);
        };
        if self.is_chosen(lowest) {
            return Some(lowest.index);
        }
        let at = current.and_then(|index| allowed.iter().position(|l| l.index == index));
        let fitting = allowed
            .iter()
            .rposition(|l| l.bitrate * 100 <= estimate * STAY_PERCENT)
            .unwrap_or(0);
        let chosen = match at {
            None => fitting,
            Some(at) if fitting < at && self.must_yield(now, &allowed, at, estimate) => {
                self.note_down(now);
                fitting
            }
            Some(at) if fitting < at => at,
            Some(at) => {
                self.tight_since = None;
                self.climb(now, &allowed, at, estimate)
            }
        };
        allowed.get(chosen).map(|l| l.index)
    }

    /// Whether the viewer asked for this very layer.
    fn is_chosen(&self, layer: &Candidate) -> bool {
        matches!(&self.choice, LayerChoice::Rid(rid) if layer.rid.as_ref() == Some(rid))
    }

    /// Bit/s of the largest layer that the viewer's wish allows.
    pub(crate) fn most_rate(&self, layers: &[Candidate]) -> u64 {
        let ladder = self.ladder(layers);
        ladder.iter().map(|l| l.bitrate).max().unwrap_or(0)
    }

    /// The layers that the viewer's wish allows, smallest first.
    pub(crate) fn ladder<'a>(&self, layers: &'a [Candidate]) -> Vec<&'a Candidate> {
        let mut ladder: Vec<&Candidate> = layers.iter().filter(|l| l.is_active).collect();
        ladder.sort_by_key(|l| (area(l), l.bitrate));
        let fits = |layer: &&&Candidate| match &self.choice {
            LayerChoice::Auto => true,
            LayerChoice::Rid(_) => self.is_chosen(layer),
            LayerChoice::MaxSize { width, height } => layer.size.is_none_or(|(w, h)| {
                width.is_none_or(|most| w <= most) && height.is_none_or(|most| h <= most)
            }),
        };
        let allowed: Vec<_> = ladder.iter().filter(fits).copied().collect();
        if allowed.is_empty() {
            // A wish that nothing meets: for a bound the smallest there is, for a layer that paused
            // whatever fits.
            return match self.choice {
                LayerChoice::MaxSize { .. } => ladder.first().copied().into_iter().collect(),
                _ => ladder.to_vec(),
            };
        }
        allowed
    }

    fn must_yield(
        &mut self,
        now: Instant,
        allowed: &[&Candidate],
        at: usize,
        estimate: u64,
    ) -> bool {
        let since = *self.tight_since.get_or_insert(now);
        let is_flooded = allowed
            .get(at)
            .is_some_and(|l| l.bitrate * 100 > estimate * FLOOD_PERCENT);
        is_flooded || now >= since + TIGHT
    }

    fn climb(&mut self, now: Instant, allowed: &[&Candidate], at: usize, estimate: u64) -> usize {
        let next = at + 1;
        let has_room = allowed
            .get(next)
            .is_some_and(|l| l.bitrate * CLIMB_PERCENT <= estimate * 100);
        let may_climb = self
            .last_down
            .is_none_or(|down| now >= down + self.pause.unwrap_or(FIRST_PAUSE));
        if has_room && may_climb {
            self.last_up = Some(now);
            return next;
        }
        at
    }

    fn note_down(&mut self, now: Instant) {
        let held = self.last_up.is_none_or(|up| now >= up + HELD);
        self.pause = Some(if held {
            FIRST_PAUSE
        } else {
            (self.pause.unwrap_or(FIRST_PAUSE) * 2).min(LONGEST_PAUSE)
        });
        self.last_down = Some(now);
        self.tight_since = None;
    }
}

fn area(layer: &Candidate) -> u64 {
    layer
        .size
        .map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ladder() -> Vec<Candidate> {
        // OBS names its largest layer "0": the order is by size, never by name.
        [
            ("0", 1280, 720, 2_500_000),
            ("1", 640, 360, 800_000),
            ("2", 320, 180, 200_000),
        ]
        .into_iter()
        .enumerate()
        .map(|(index, (rid, width, height, bitrate))| Candidate {
            index,
            rid: Some(rid.to_owned()),
            size: Some((width, height)),
            bitrate,
            is_active: true,
        })
        .collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn without_an_estimate_the_largest_layer_is_sent() {
        assert_eq!(
            LayerSelector::default().select(base(), &ladder(), None, None),
            Some(0)
        );
    }

    #[test]
    fn collapse_of_bandwidth_goes_down_at_once() {
        let mut selector = LayerSelector::default();
        let chosen = selector.select(base(), &ladder(), Some(0), Some(500_000));
        assert_eq!(chosen, Some(2));
    }

    #[test]
    fn hiccup_of_the_estimate_is_sat_out() {
        let now = base();
        let mut selector = LayerSelector::default();
        let tight = 2_500_000 * 85 / 100;
        assert_eq!(
            selector.select(now, &ladder(), Some(0), Some(tight)),
            Some(0)
        );
        let soon = now + Duration::from_millis(800);
        assert_eq!(
            selector.select(soon, &ladder(), Some(0), Some(2_600_000)),
            Some(0)
        );
        for ms in (1_000..3_000).step_by(250) {
            let at = now + Duration::from_millis(ms);
            assert_eq!(
                selector.select(at, &ladder(), Some(0), Some(tight)),
                Some(0)
            );
        }
        let late = now + Duration::from_millis(3_100);
        assert_eq!(
            selector.select(late, &ladder(), Some(0), Some(tight)),
            Some(1)
        );
    }

    #[test]
    fn climbing_again_waits_and_goes_one_step_at_a_time() {
        let now = base();
        let mut selector = LayerSelector::default();
        assert_eq!(
            selector.select(now, &ladder(), Some(0), Some(300_000)),
            Some(2)
        );
        let soon = now + Duration::from_millis(500);
        assert_eq!(
            selector.select(soon, &ladder(), Some(2), Some(9_000_000)),
            Some(2)
        );
        let later = now + Duration::from_secs(3);
        assert_eq!(
            selector.select(later, &ladder(), Some(2), Some(9_000_000)),
            Some(1)
        );
    }

    #[test]
    fn pinned_layer_stays_whatever_the_bandwidth() {
        let mut selector = LayerSelector::default();
        selector.set_choice(LayerChoice::Rid("0".to_owned()));
        assert_eq!(
            selector.select(base(), &ladder(), Some(1), Some(100)),
            Some(0)
        );
    }

    #[test]
    fn pinned_layer_that_is_gone_gives_way_to_what_fits() {
        let mut layers = ladder();
        layers[0].is_active = false;
        let mut selector = LayerSelector::default();
        selector.set_choice(LayerChoice::Rid("0".to_owned()));
        let roomy = Some(5_000_000);
        assert_eq!(selector.select(base(), &layers, None, roomy), Some(1));
        selector.set_choice(LayerChoice::Rid("of another publisher".to_owned()));
        assert_eq!(selector.select(base(), &ladder(), None, roomy), Some(0));
    }

    #[test]
    fn nothing_is_probed_for_beyond_the_wish() {
        let layers = ladder();
        let most = |choice| {
            let mut selector = LayerSelector::default();
            selector.set_choice(choice);
            selector.most_rate(&layers)
        };
        assert_eq!(most(LayerChoice::Auto), 2_500_000);
        assert_eq!(most(LayerChoice::Rid("2".to_owned())), 200_000);
        let width = Some(640);
        let height = None;
        assert_eq!(most(LayerChoice::MaxSize { width, height }), 800_000);
    }

    #[test]
    fn size_bound_is_kept() {
        let mut selector = LayerSelector::default();
        selector.set_choice(LayerChoice::MaxSize {
            width: None,
            height: Some(400),
        });
        assert_eq!(selector.select(base(), &ladder(), None, None), Some(1));
    }

    proptest! {
        /// Whatever the estimates, the choice is an active layer, and in steady conditions it
        /// settles instead of flapping.
        #[test]
        fn choice_is_active_and_settles(
            estimates in proptest::collection::vec(0u64..6_000_000, 1..60),
            inactive in 0usize..4,
        ) {
            let now = base();
            let mut layers = ladder();
            if let Some(layer) = layers.get_mut(inactive) {
                layer.is_active = false;
            }
            let mut selector = LayerSelector::default();
            let mut current = None;
            let mut at = now;
            for estimate in &estimates {
                at += Duration::from_millis(250);
                current = selector.select(at, &layers, current, Some(*estimate));
                prop_assert!(current.is_some_and(|i| layers[i].is_active));
            }
            let last = *estimates.last().expect("not empty");
            for _ in 0..80 {
                at += Duration::from_millis(250);
                current = selector.select(at, &layers, current, Some(last));
            }
            let settled = current;
            for _ in 0..80 {
                at += Duration::from_millis(250);
                current = selector.select(at, &layers, current, Some(last));
                prop_assert_eq!(current, settled);
            }
        }
    }
}
