//! From what the indexes tell to segments on one time line, with gaps where something is lost.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::{Contents, InitWritten, PartWritten, SegmentWritten};
use crate::segment::{Fate, Segment, Stored};

/// A hole that is shorter needs no gap: players step over it.
const SMALLEST_GAP: Duration = Duration::from_millis(50);
/// Renditions begin together but for so much: sound and picture are cut at frames of their own.
const TOGETHER_MS: i64 = 300;
/// Gaps are cut into pieces no longer than segments are.
const LONGEST_GAP: Duration = Duration::from_secs(4);
/// A playlist lists nothing shorter.
const SHORTEST_GAP: Duration = Duration::from_millis(1);
/// Segments that can be missing between two, at most: half a day.
const MOST_MISSING: u64 = 20_000;

/// The segments of a rendition, its own gaps filled.
pub(crate) fn segments(contents: &Contents) -> Vec<Segment> {
    let mut all = Vec::with_capacity(contents.segments.len());
    let mut before: Option<Placed<'_>> = None;
    let mut gaps = Gaps::behind(contents);
    for written in &contents.segments {
        let Some(placed) = Placed::new(contents, written) else {
            continue;
        };
        let discontinuity = before
            .as_ref()
            .is_some_and(|before| is_discontinuous(contents, before.written.init, written.init));
        if let (Some(before), false) = (&before, discontinuity)
            && placed.lacks_what_follows(before)
        {
            all.extend(gaps.fill(before.end_unix_ms(), placed.unix_ms(), written.init));
        }
        all.push(placed.segment(discontinuity));
        before = Some(placed);
    }
    all
}

/// A rendition's segments under the numbers that they had.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    /// One for each number.
    pub(crate) segments: Vec<Segment>,
    /// Discontinuities of those that are left out before the first.
    pub(crate) discontinuities_gone: u64,
}

/// The segments of a rendition as a playlist lists them that goes on with it: each number has its
/// place, and what is lost is a gap no longer than `longest`.
pub(crate) fn numbered(contents: &Contents, longest: Duration) -> Numbered {
    let mut all = Numbered::default();
    let mut before: Option<Placed<'_>> = None;
    for written in &contents.segments {
        let Some(placed) = Placed::new(contents, written) else {
            continue;
        };
        if let Some(before) = &before {
            let missing = before.written.msn.saturating_add(1)..written.msn;
            let hole = (before.end_unix_ms(), placed.unix_ms());
            all.miss(missing, hole, before.written.init, longest);
        }
        let discontinuity = before
            .as_ref()
            .is_some_and(|before| is_discontinuous(contents, before.written.init, written.init));
        all.segments.push(placed.segment(discontinuity));
        before = Some(placed);
    }
    all
}

impl Numbered {
    /// Puts gaps in the place of segments that are missing between two times. Where there are too many, the
    /// list begins behind them.
    pub(crate) fn miss(
        &mut self,
        missing: Range<u64>,
        (from_ms, to_ms): (i64, i64),
        init: u32,
        longest: Duration,
    ) {
        let count = missing.end.saturating_sub(missing.start);
        if count > MOST_MISSING {
            let gone = self.segments.iter().filter(|segment| segment.discontinuity);
            self.discontinuities_gone += u64::try_from(gone.count()).unwrap_or_default();
            self.segments.clear();
            return;
        }
        let hole = u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or_default();
        let each = Duration::from_millis(hole.checked_div(count).unwrap_or_default());
        let each = each.clamp(SHORTEST_GAP, longest.max(SHORTEST_GAP));
        let mut at_ms = from_ms;
        for msn in missing {
            self.segments.push(gap(msn, at_ms, each, init));
            at_ms = later(at_ms, each);
        }
    }
}

/// Lets all renditions begin at the same time. Returns `EXT-X-DISCONTINUITY-SEQUENCE` of those that
/// came after a discontinuity of the others.
pub(crate) fn align(renditions: &mut BTreeMap<String, Vec<Segment>>) -> BTreeMap<String, u64> {
    let mut sequences = BTreeMap::new();
    let starts = renditions.values().filter_map(|segments| segments.first());
    let Some(earliest) = starts.map(|first| first.unix_ms).min() else {
        return sequences;
    };
    let boundaries = renditions.values().map(|all| discontinuities(all));
    let boundaries = boundaries.max_by_key(Vec::len).unwrap_or_default();
    for (name, segments) in renditions {
        let Some(first) = segments.first() else {
            continue;
        };
        let (unix_ms, init) = (first.unix_ms, first.init);
        let is_before = |boundary: &&i64| **boundary <= unix_ms.saturating_add(TOGETHER_MS);
        let passed = boundaries.iter().filter(is_before);
        sequences.insert(
            name.clone(),
            u64::try_from(passed.clone().count()).unwrap_or_default(),
        );
        let run = passed.max().copied().unwrap_or(earliest);
        if unix_ms.saturating_sub(run) > TOGETHER_MS {
            let mut padded: Vec<_> = Gaps::after(segments).fill(run, unix_ms, init).collect();
            padded.append(segments);
            *segments = padded;
        }
    }
    sequences
}

fn discontinuities(segments: &[Segment]) -> Vec<i64> {
    let starts = segments.iter().filter(|segment| segment.discontinuity);
    starts.map(|segment| segment.unix_ms).collect()
}

/// Whether time does not continue between two initialisations. One that was never written may have
/// been anything.
fn is_discontinuous(contents: &Contents, from: u32, to: u32) -> bool {
    let mut passed = from.saturating_add(1)..=to;
    from != to
        && passed.any(|number| {
            let init = contents.inits.get(&number);
            init.is_none_or(|init| init.discontinuity)
        })
}

/// A segment with what is needed to say when it plays.
struct Placed<'a> {
    written: &'a SegmentWritten,
    init: &'a InitWritten,
    first: &'a PartWritten,
    last: &'a PartWritten,
}

impl<'a> Placed<'a> {
    fn new(contents: &'a Contents, written: &'a SegmentWritten) -> Option<Self> {
        Some(Self {
            written,
            init: contents.inits.get(&written.init)?,
            first: written.parts.first()?,
            last: written.parts.last()?,
        })
    }

    fn unix_ms(&self) -> i64 {
        self.at(self.first.start)
    }

    fn end_unix_ms(&self) -> i64 {
        self.at(self.last.start.saturating_add(self.last.duration))
    }

    fn at(&self, time: Duration) -> i64 {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.init.zero_unix_ms.saturating_add(millis)
    }

    /// Whether something between the two was lost.
    fn lacks_what_follows(&self, before: &Self) -> bool {
        !before.written.is_complete || before.written.msn.saturating_add(1) != self.written.msn
    }

    fn segment(&self, discontinuity: bool) -> Segment {
        let stored = Stored::default();
        stored.set(Fate::Written);
        Segment {
            msn: self.written.msn,
            duration: self.written.duration(),
            unix_ms: self.unix_ms(),
            init: self.written.init,
            discontinuity,
            independent: self.first.independent,
            size_bytes: self.written.size_bytes(),
            parts: None,
            stored: Arc::new(stored),
        }
    }
}

/// Makes gaps. Their names are those of no file, for players that ask all the same.
struct Gaps {
    next_msn: u64,
}

impl Gaps {
    fn behind(contents: &Contents) -> Self {
        let last = contents.segments.last().map_or(0, |last| last.msn);
        Self {
            next_msn: last.saturating_add(1),
        }
    }

    fn after(segments: &[Segment]) -> Self {
        let last = segments.iter().map(|segment| segment.msn).max();
        Self {
            next_msn: last.unwrap_or_default().saturating_add(1),
        }
    }

    fn fill(&mut self, from_ms: i64, to_ms: i64, init: u32) -> impl Iterator<Item = Segment> {
        let millis = u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or_default();
        let hole = Duration::from_millis(millis);
        let pieces = match hole {
            _ if hole < SMALLEST_GAP => 0,
            _ => u32::try_from(hole.as_millis().div_ceil(LONGEST_GAP.as_millis()))
                .unwrap_or(u32::MAX),
        };
        let mut at_ms = from_ms;
        (0..pieces).map(move |_| {
            let duration = hole / pieces;
            let gap = gap(self.next_msn, at_ms, duration, init);
            self.next_msn = self.next_msn.saturating_add(1);
            at_ms = later(at_ms, duration);
            gap
        })
    }
}

/// What is listed in the place of what is lost.
fn gap(msn: u64, unix_ms: i64, duration: Duration, init: u32) -> Segment {
    let stored = Stored::default();
    stored.set(Fate::Lost);
    Segment {
        msn,
        duration,
        unix_ms,
        init,
        discontinuity: false,
        independent: true,
        size_bytes: 0,
        parts: None,
        stored: Arc::new(stored),
    }
}

fn later(unix_ms: i64, by: Duration) -> i64 {
    unix_ms.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Media;

    fn contents(inits: &[(u32, bool)], segments: &[(u64, u32, u64, bool)]) -> Contents {
        let init = |&(number, discontinuity): &(u32, bool)| {
            let media = Media::Audio {
                codec: "mp4a.40.2".to_owned(),
                channels: 2,
            };
            let init = InitWritten {
                number,
                media,
                zero_unix_ms: 1_000_000,
                discontinuity,
                size_bytes: 1,
            };
            (number, init)
        };
        let segment = |&(msn, init, start_ms, is_complete): &(u64, u32, u64, bool)| {
            let part = PartWritten {
                msn,
                init,
                start: Duration::from_millis(start_ms),
                duration: Duration::from_secs(2),
                size_bytes: 1,
                independent: true,
            };
            SegmentWritten {
                msn,
                init,
                parts: vec![part],
                is_complete,
            }
        };
        Contents {
            inits: inits.iter().map(init).collect(),
            segments: segments.iter().map(segment).collect(),
            ..Contents::default()
        }
    }

    fn told(segments: &[Segment]) -> Vec<(u64, i64, u128, bool)> {
        let tell = |segment: &Segment| {
            (
                segment.msn,
                segment.unix_ms - 1_000_000,
                segment.duration.as_millis(),
                segment.discontinuity,
            )
        };
        segments.iter().map(tell).collect()
    }

    #[test]
    fn lost_segments_leave_gaps_of_their_length() {
        let all = segments(&contents(
            &[(0, false)],
            &[(0, 0, 0, true), (4, 0, 8_000, true), (5, 0, 10_000, true)],
        ));
        assert_eq!(
            told(&all),
            [
                (0, 0, 2_000, false),
                (6, 2_000, 3_000, false),
                (7, 5_000, 3_000, false),
                (4, 8_000, 2_000, false),
                (5, 10_000, 2_000, false),
            ]
        );
        let lost: Vec<_> = all.iter().map(Segment::is_lost).collect();
        assert_eq!(lost, [false, true, true, false, false]);
    }

    #[test]
    fn where_a_playlist_goes_on_each_number_has_its_place() {
        let contents = contents(
            &[(0, false), (1, true)],
            &[(3, 0, 0, true), (6, 1, 60_000, true), (7, 1, 62_000, true)],
        );
        let longest = Duration::from_secs(4);
        let all = numbered(&contents, longest);
        assert_eq!(
            told(&all.segments),
            [
                (3, 0, 2_000, false),
                (4, 2_000, 4_000, false),
                (5, 6_000, 4_000, false),
                (6, 60_000, 2_000, true),
                (7, 62_000, 2_000, false),
            ]
        );
        let mut far = all;
        far.miss(8..u64::MAX, (64_000, 65_000), 1, longest);
        assert!(far.segments.is_empty(), "rather than all memory");
        assert_eq!(far.discontinuities_gone, 1);
    }

    #[test]
    fn what_is_lost_at_a_discontinuity_leaves_none() {
        let all = segments(&contents(
            &[(0, false), (1, true), (2, false)],
            &[(0, 0, 0, false), (3, 2, 60_000, true)],
        ));
        assert_eq!(told(&all), [(0, 0, 2_000, false), (3, 60_000, 2_000, true)]);
    }

    #[test]
    fn a_change_of_size_alone_is_no_discontinuity_unless_one_was_never_written() {
        for (inits, expected) in [
            (vec![(0, false), (1, false)], false),
            (vec![(0, false), (2, false)], true),
        ] {
            let last = inits[1].0;
            let all = segments(&contents(
                &inits,
                &[(0, 0, 0, true), (1, last, 2_000, true)],
            ));
            assert_eq!(all[1].discontinuity, expected);
        }
    }

    #[test]
    fn a_rendition_that_comes_later_begins_with_a_gap() {
        let early = segments(&contents(
            &[(0, false), (1, true)],
            &[(0, 0, 0, true), (1, 1, 60_000, true), (2, 1, 62_000, true)],
        ));
        let in_first_run = segments(&contents(&[(0, false)], &[(0, 0, 3_000, true)]));
        let in_second_run = segments(&contents(&[(0, false)], &[(0, 0, 62_000, true)]));
        let mut renditions = BTreeMap::from([
            ("a".to_owned(), early),
            ("b".to_owned(), in_first_run),
            ("c".to_owned(), in_second_run),
        ]);
        let sequences = align(&mut renditions);
        assert_eq!(sequences.into_values().collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(
            told(&renditions["b"]),
            [(1, 0, 3_000, false), (0, 3_000, 2_000, false)]
        );
        assert_eq!(
            told(&renditions["c"]),
            [(1, 60_000, 2_000, false), (0, 62_000, 2_000, false)]
        );
        assert_eq!(renditions["a"].len(), 3);
    }
}
