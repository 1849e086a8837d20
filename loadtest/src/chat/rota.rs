//! Whose turn it is to say something, so that nobody says more than they may.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Turns without end, in the order of their times; all are counted from the same start.
#[derive(Debug, Clone)]
pub struct Rota {
    /// Between two turns of the same one.
    spacing: Vec<Duration>,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Rota {
    /// So many turns a second for all together, dealt out by how many a second each may have; none
    /// when that is more than they may, or nothing.
    #[must_use]
    pub fn of(paces: &[f64], rate: f64) -> Option<Self> {
        let all: f64 = paces.iter().sum();
        if rate <= 0.0 || rate > all {
            return None;
        }
        let spacing = paces.iter().map(|pace| {
            let seconds = all / (rate * pace);
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        });
        let spacing: Vec<Duration> = spacing.collect();
        let many = u32::try_from(spacing.len()).unwrap_or(u32::MAX);
        // The first turns one after the other, too.
        let first = |(number, spacing): (usize, &Duration)| {
            let share = *spacing / many;
            let at = share.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
            Reverse((at, number))
        };
        Some(Self {
            due: spacing.iter().enumerate().map(first).collect(),
            spacing,
        })
    }
}

impl Iterator for Rota {
    type Item = (Duration, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((at, number)) = self.due.pop()?;
        let next = at.saturating_add(*self.spacing.get(number)?);
        self.due.push(Reverse((next, number)));
        Some((at, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_turns_than_they_may() {
        let paces = [4.0, 1.0, 1.0, 4.0];
        let within = Duration::from_secs(60);
        let turns = Rota::of(&paces, 10.0).unwrap();
        let turns: Vec<_> = turns.take_while(|(at, _)| *at < within).collect();
        assert!((598..=602).contains(&turns.len()), "{}", turns.len());
        assert!(turns.windows(2).all(|two| two[0].0 <= two[1].0));
        for (number, pace) in paces.iter().enumerate() {
            let ours: Vec<_> = turns.iter().filter(|turn| turn.1 == number).collect();
            let soonest = ours.windows(2).map(|two| two[1].0 - two[0].0).min();
            assert!(soonest.unwrap().as_secs_f64() * pace >= 0.999_999);
        }
    }

    #[test]
    fn turns_of_equals_are_evenly_spread() {
        let turns = Rota::of(&[4.0; 5], 10.0).unwrap();
        let times: Vec<_> = turns.take(20).map(|(at, _)| at).collect();
        let apart = times.windows(2).map(|two| two[1] - two[0]);
        assert!(apart.clone().all(|gap| gap == Duration::from_millis(100)));
    }

    #[test]
    fn more_than_all_may_is_refused() {
        assert!(Rota::of(&[1.0, 1.0], 2.1).is_none());
        assert!(Rota::of(&[], 1.0).is_none());
        assert!(Rota::of(&[1.0], 0.0).is_none());
    }
}
