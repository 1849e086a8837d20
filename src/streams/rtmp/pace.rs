//! [`Pace`]: a publisher's times on the clock of its session. Pure.
//!
//! What comes first came just now; from there on the publisher's times hold. Where those of a track jump, as when an
//! encoder is restarted behind its back or a playlist goes on with another file, time goes on at what
//! is now: a session whose times went back would be silent until they are where they were.

use std::time::Duration;

/// Of one publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A time of the publisher, and where it is.
    theirs: Duration,
    ours: Duration,
    /// The newest of theirs, of each track.
    last: [Option<Duration>; 2],
    /// The latest that was given.
    latest: Duration,
}

/// A track of the publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

/// Two times of one track are not further apart than this; what is, is a jump.
const LONGEST_STEP: Duration = Duration::from_secs(5);
const LONGEST_STEP_BACK: Duration = Duration::from_secs(2);
/// From what was before a jump to what comes after it, at least.
const LEAST_STEP: Duration = Duration::from_millis(20);

impl Pace {
    /// A publisher whose newest media is of that time, now.
    pub(super) fn new(newest: Duration, now: Duration) -> Self {
        Self {
            theirs: newest,
            ours: now,
            last: [None; 2],
            latest: Duration::ZERO,
        }
    }

    /// Where media of that time is, which comes now.
    pub(super) fn place(&mut self, track: Track, time: Duration, now: Duration) -> Duration {
        let [video, audio] = &mut self.last;
        let last = match track {
            Track::Video => video,
            Track::Audio => audio,
        };
        let jumps = last.replace(time).is_some_and(|last| is_jump(last, time));
        // The other track may have jumped there before.
        if jumps && is_jump(now, self.placed(time)) {
            let ours = now.max(self.latest + LEAST_STEP);
            (self.theirs, self.ours) = (time, ours);
        }
        let placed = self.placed(time);
        self.latest = self.latest.max(placed);
        placed
    }

    fn placed(&self, time: Duration) -> Duration {
        (self.ours + time).saturating_sub(self.theirs)
    }
}

fn is_jump(from: Duration, to: Duration) -> bool {
    to > from + LONGEST_STEP || to + LONGEST_STEP_BACK < from
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_collected_lies_before_now_and_the_rest_follows() {
        let mut pace = Pace::new(ms(10_800), ms(2_900));
        let placed = [10_000, 10_033, 10_800, 10_833];
        let placed = placed.map(|at| pace.place(Track::Video, ms(at), ms(2_900)));
        assert_eq!(placed, [2_100, 2_133, 2_900, 2_933].map(ms));
        // Faster than time: as the publisher has it.
        assert_eq!(pace.place(Track::Video, ms(14_000), ms(3_000)), ms(6_100));
    }

    #[test]
    fn behind_a_jump_time_goes_on_at_now_and_never_back() {
        for jump in [0, 3_600_000] {
            let mut pace = Pace::new(ms(50_000), ms(3_000));
            let mut place = |at, now| pace.place(Track::Video, ms(at), ms(now));
            assert_eq!(place(50_000, 3_000), ms(3_000), "{jump}");
            assert_eq!(place(60_000, 13_000), ms(13_000), "{jump}");
            assert_eq!(place(60_040, 13_040), ms(13_040));
            assert_eq!(place(jump, 13_080), ms(13_080));
            assert_eq!(place(jump + 40, 13_110), ms(13_120));
        }
        // One that is ahead of its time.
        let mut pace = Pace::new(ms(10_000), ms(3_000));
        let mut place = |at, now| pace.place(Track::Video, ms(at), ms(now));
        assert_eq!(place(10_000, 3_000), ms(3_000));
        assert_eq!(place(14_000, 3_100), ms(7_000));
        assert_eq!(place(0, 3_200), ms(7_020));
    }

    #[test]
    fn both_tracks_jump_together() {
        let mut pace = Pace::new(ms(50_000), ms(3_000));
        for (track, at) in [(Track::Video, 50_000), (Track::Audio, 50_010)] {
            pace.place(track, ms(at), ms(3_000));
        }
        assert_eq!(pace.place(Track::Video, ms(7), ms(3_040)), ms(3_040));
        assert_eq!(pace.place(Track::Audio, ms(0), ms(3_041)), ms(3_033));
        assert_eq!(pace.place(Track::Video, ms(47), ms(3_080)), ms(3_080));
    }

    #[test]
    fn tracks_may_lie_apart_for_ever() {
        for apart in [1_900, 2_100, 3_000, 9_000] {
            let mut pace = Pace::new(ms(10_000 + apart), ms(3_000));
            for step in (0..60_000).step_by(20) {
                let now = ms(3_000 + step);
                let audio = pace.place(Track::Audio, ms(10_000 + apart + step), now);
                let video = pace.place(Track::Video, ms(10_000 + step), now);
                assert_eq!(audio, now, "{apart}");
                assert_eq!(video, now.saturating_sub(ms(apart)), "{apart}");
            }
        }
    }
}
