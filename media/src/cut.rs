//! [`Cutter`]: where parts and segments of a rendition end. Pure.
//!
//! Segments begin with key frames; the sound's begin where the picture's do, to the nearest frame,
//! so that the two never drift apart.

use std::collections::VecDeque;
use std::time::Duration;

/// What ends before a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Nothing,
    Part,
    Segment,
}

/// Lengths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// Parts are no longer, as far as the source allows.
    pub(crate) part: Duration,
    /// Segments are about as long.
    pub(crate) segment: Duration,
}

/// Of one rendition.
#[derive(Debug)]
pub(crate) struct Cutter {
    lengths: Lengths,
    at: Option<Place>,
    /// Where segments are to end, for sound that follows a picture.
    boundaries: VecDeque<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    segment: Duration,
    part: Duration,
    last: Duration,
    /// How far the last two units are apart.
    step: Duration,
}

/// Boundaries remembered; a sound that is so far behind is lost anyway.
const MOST_BOUNDARIES: usize = 16;

impl Cutter {
    pub(crate) fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            at: None,
            boundaries: VecDeque::new(),
        }
    }

    /// Whether something ends before this picture.
    pub(crate) fn picture(&mut self, pts: Duration, keyframe: bool) -> Cut {
        let Some(place) = self.place(pts) else {
            return Cut::Nothing;
        };
        // A key frame that comes early, asked for by a viewer, makes no segment.
        let long_enough = pts.saturating_sub(place.segment) >= self.lengths.segment / 4 * 3;
        let cut = if keyframe && long_enough {
            Cut::Segment
        } else if keyframe || self.part_is_full(place, pts) {
            Cut::Part
        } else {
            Cut::Nothing
        };
        self.take(pts, place, cut)
    }

    /// Whether the part that the last picture would be in must end before it after all, because it
    /// lasts until `next`.
    pub(crate) fn ends_before_last(&mut self, next: Duration) -> bool {
        let Some(place) = &mut self.at else {
            return false;
        };
        let ends = place.last > place.part && next > place.part + self.lengths.part;
        if ends {
            place.part = place.last;
        }
        ends
    }

    /// Whether something ends before this piece of sound, of sound that stands alone or beside a
    /// picture whose segments begin at [`Cutter::follow`]ed times.
    pub(crate) fn sound(&mut self, pts: Duration, length: Duration, alone: bool) -> Cut {
        let Some(place) = self.place(pts) else {
            return Cut::Nothing;
        };
        // Sound that began just before the picture makes no segment of a frame or two.
        let long_enough = pts.saturating_sub(place.segment) >= self.lengths.segment / 4;
        let ends_here = if alone {
            pts + length > place.segment + self.lengths.segment
        } else {
            self.passes_boundary(pts + length / 2) && long_enough
        };
        let cut = if ends_here {
            Cut::Segment
        } else if self.part_is_full(place, pts) {
            Cut::Part
        } else {
            Cut::Nothing
        };
        self.take(pts, place, cut)
    }

    /// A segment of the picture begins here.
    pub(crate) fn follow(&mut self, boundary: Duration) {
        if self.boundaries.len() >= MOST_BOUNDARIES {
            self.boundaries.pop_front();
        }
        self.boundaries.push_back(boundary);
    }

    /// The next piece of sound begins a segment, whose end is where it was to be.
    pub(crate) fn begin_segment(&mut self) {
        self.at = None;
    }

    pub(crate) fn begin_anew(&mut self) {
        self.at = None;
        self.boundaries.clear();
    }

    fn place(&mut self, pts: Duration) -> Option<Place> {
        if let Some(place) = self.at {
            return Some(place);
        }
        self.at = Some(Place {
            segment: pts,
            part: pts,
            last: pts,
            step: Duration::ZERO,
        });
        // What lies before the beginning cannot be cut.
        while self.boundaries.front().is_some_and(|at| *at <= pts) {
            self.boundaries.pop_front();
        }
        None
    }

    fn part_is_full(&self, place: Place, pts: Duration) -> bool {
        pts + place.step > place.part + self.lengths.part
    }

    fn passes_boundary(&mut self, middle: Duration) -> bool {
        let mut passes = false;
        while self.boundaries.front().is_some_and(|at| *at <= middle) {
            self.boundaries.pop_front();
            passes = true;
        }
        passes
    }

    fn take(&mut self, pts: Duration, place: Place, cut: Cut) -> Cut {
        let begins = |is: bool, before: Duration| if is { pts } else { before };
        self.at = Some(Place {
            segment: begins(cut == Cut::Segment, place.segment),
            part: begins(cut != Cut::Nothing, place.part),
            last: pts,
            step: pts.saturating_sub(place.last),
        });
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: Lengths = Lengths {
        part: Duration::from_millis(334),
        segment: Duration::from_secs(2),
    };

    fn frame(number: u64, fps: u64) -> Duration {
        Duration::from_nanos(number * 1_000_000_000 / fps)
    }

    /// Frames in each part, and parts in each segment.
    fn shape(cuts: impl Iterator<Item = Cut>) -> (Vec<usize>, Vec<usize>) {
        let (mut parts, mut segments) = (vec![0], vec![1]);
        for cut in cuts {
            match cut {
                Cut::Nothing => {}
                Cut::Part => {
                    parts.push(0);
                    *segments.last_mut().unwrap() += 1;
                }
                Cut::Segment => {
                    parts.push(0);
                    segments.push(1);
                }
            }
            *parts.last_mut().unwrap() += 1;
        }
        (parts, segments)
    }

    #[test]
    fn thirty_frames_a_second_make_three_parts_a_second() {
        let mut cutter = Cutter::new(LENGTHS);
        let cuts = (0..180).map(|n| cutter.picture(frame(n, 30), n % 60 == 0));
        let (parts, segments) = shape(cuts);
        assert_eq!(segments, [6, 6, 6]);
        assert!(parts.iter().all(|frames| *frames == 10), "{parts:?}");
    }

    #[test]
    fn an_early_key_frame_begins_a_part_and_no_segment() {
        let mut cutter = Cutter::new(LENGTHS);
        let cuts = (0..120).map(|n| cutter.picture(frame(n, 30), [0, 25, 60].contains(&n)));
        let (parts, segments) = shape(cuts);
        assert_eq!(segments.len(), 2);
        assert_eq!(&parts[..4], [10, 10, 5, 10], "{parts:?}");
    }

    #[test]
    fn three_frames_a_second_are_a_part_each() {
        let mut cutter = Cutter::new(LENGTHS);
        let cuts = (0..9).map(|n| cutter.picture(frame(n, 3), n % 6 == 0));
        let (parts, _) = shape(cuts);
        assert!(parts[1..].iter().all(|frames| *frames == 1), "{parts:?}");
    }

    #[test]
    fn a_picture_that_stands_is_a_part_of_its_own() {
        let mut cutter = Cutter::new(LENGTHS);
        let mut now = 0;
        let mut ends = Vec::new();
        for pause in [33, 33, 33, 1_000, 33, 33] {
            if cutter.ends_before_last(Duration::from_millis(now)) {
                ends.push(now);
            }
            cutter.picture(Duration::from_millis(now), now == 0);
            now += pause;
        }
        // The fourth picture stands from 99 to 1099 ms.
        assert_eq!(ends, [1_099]);
    }

    #[test]
    fn sound_is_cut_where_the_picture_is_to_the_nearest_frame() {
        let mut cutter = Cutter::new(LENGTHS);
        let length = Duration::from_nanos(21_333_333);
        let mut ends = Vec::new();
        for number in 0..1_000_u32 {
            let pts = length * number;
            if number % 90 == 0 {
                cutter.follow(Duration::from_secs(2) * (number / 90 + 1));
            }
            if cutter.sound(pts, length, false) == Cut::Segment {
                ends.push(pts);
            }
        }
        assert!(ends.len() > 8);
        for (number, end) in (1..).zip(ends) {
            let picture = Duration::from_secs(2) * number;
            assert!(
                end.abs_diff(picture) <= length / 2 + LENGTHS.part / 1_000,
                "{end:?}"
            );
        }
    }

    #[test]
    fn another_kind_of_sound_still_ends_where_the_picture_does() {
        let mut cutter = Cutter::new(LENGTHS);
        let length = Duration::from_millis(20);
        cutter.follow(Duration::from_secs(2));
        let mut ends = Vec::new();
        for number in 0..150 {
            let pts = length * number;
            if number == 40 {
                cutter.begin_segment();
            }
            if cutter.sound(pts, length, false) == Cut::Segment {
                ends.push(pts);
            }
        }
        assert_eq!(ends, [Duration::from_secs(2)]);
    }

    #[test]
    fn sound_alone_makes_segments_of_its_own() {
        let mut cutter = Cutter::new(LENGTHS);
        let length = Duration::from_nanos(21_333_333);
        let cuts = (0..500_u32).map(|n| cutter.sound(length * n, length, true));
        let (parts, segments) = shape(cuts);
        assert!(segments.len() >= 5, "{segments:?}");
        assert!(parts.iter().all(|frames| *frames <= 15), "{parts:?}");
    }
}
