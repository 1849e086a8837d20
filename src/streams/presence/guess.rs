//! [`Guess`]: how many read playlists, out of counts that jump.

/// The last counts of readers, of which the average is believed: a player asks for a playlist more or
/// less often than it is counted, and reads two at once where it changes the rendition.
#[derive(Debug, Default)]
pub(super) struct Guess {
    counts: [u32; COUNTS],
    next: usize,
    /// The last guesses.
    guesses: [i64; GUESSES],
    next_guess: usize,
    /// Up to when time was counted.
    counted_ms: Option<i64>,
}

const COUNTS: usize = 4;
/// Who reads for less than so many counts, 24 s, may be a player that is not sure of its way yet.
const GUESSES: usize = 12;
/// Whoever begins or ceases to read shows in the guess after this time at the latest.
pub(super) const DELAY_MS: i64 = 10_000;
/// More time than this passes between two looks only where the machine slept.
const MOST_PASSED_MS: i64 = 10_000;

impl Guess {
    pub(super) fn take(&mut self, readers: u32) {
        if let Some(count) = self.counts.get_mut(self.next) {
            *count = readers;
        }
        self.next = (self.next + 1) % COUNTS;
        let guess = self.readers();
        if let Some(place) = self.guesses.get_mut(self.next_guess) {
            *place = guess;
        }
        self.next_guess = (self.next_guess + 1) % GUESSES;
    }

    pub(super) fn readers(&self) -> i64 {
        let sum: i64 = self.counts.iter().map(|count| i64::from(*count)).sum();
        // Rounded half up.
        (sum + 2) / 4
    }

    /// As many read for some time already.
    pub(super) fn lasting(&self) -> i64 {
        self.guesses.iter().copied().min().unwrap_or_default()
    }

    /// Milliseconds since the last call.
    pub(super) fn passed(&mut self, now_ms: i64) -> i64 {
        let before = self.counted_ms.unwrap_or(now_ms);
        self.counted_ms = Some(before.max(now_ms));
        (now_ms - before).clamp(0, MOST_PASSED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_jump_are_evened_out() {
        let mut guess = Guess::default();
        let mut after = |count| {
            guess.take(count);
            guess.readers()
        };
        assert_eq!([after(1), after(1), after(1), after(1)], [0, 1, 1, 1]);
        assert_eq!(after(2), 1, "a second rendition for a moment");
        assert_eq!([after(0), after(2), after(0), after(2)], [1, 1, 1, 1]);
        assert_eq!([after(0), after(0), after(0), after(0)], [1, 1, 1, 0]);
    }

    #[test]
    fn who_reads_for_a_moment_does_not_last() {
        let mut guess = Guess::default();
        let mut after = |counts: usize, readers| {
            for _ in 0..counts {
                guess.take(readers);
            }
            (guess.readers(), guess.lasting())
        };
        assert_eq!(after(8, 3), (3, 0));
        assert_eq!(after(3, 1), (2, 0));
        assert_eq!(after(12, 1), (1, 1));
        assert_eq!(after(14, 2), (2, 2));
    }
}
