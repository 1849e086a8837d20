//! [`View`]: a rendition as it stood after one part, immutable and shared by all who read.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::chunk::Media;
use crate::pathway::{MOST_PATHWAYS, parse_playlist_name};
use crate::playlist::Rendered;
use crate::segment::{Name, Part, Segment};

#[derive(Debug, Default)]
pub(crate) struct View {
    /// Complete segments, oldest first.
    pub(crate) done: Arc<[Arc<Segment>]>,
    /// The segment that grows.
    pub(crate) open: Option<Segment>,
    /// The number that the next segment gets, or the open one has.
    pub(crate) next_msn: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) inits: Arc<BTreeMap<u32, Bytes>>,
    pub(crate) media: Option<Media>,
    /// `PART-TARGET`: no part listed is longer.
    pub(crate) part_target: Duration,
    pub(crate) ended: bool,
    /// Whether the process ends, and the stream goes on with the next: nothing more comes here.
    pub(crate) is_leaving: bool,
    /// Whether all of it is of a process before this one.
    pub(crate) is_of_before: bool,
    /// Whether it is all that there ever was, from the first segment on (`EXT-X-PLAYLIST-TYPE`).
    pub(crate) is_whole: bool,
    pub(crate) full: Renderings,
    pub(crate) delta: Renderings,
}

/// A playlist as it was rendered for everybody: the one for who knows of no pathways, then that of each.
#[derive(Debug, Default)]
pub(crate) struct Renderings([OnceLock<Rendered>; 1 + MOST_PATHWAYS]);

impl Renderings {
    /// The one at that place, which is rendered if nobody asked for it before.
    pub(crate) fn get_or_init(&self, place: usize, render: impl FnOnce() -> Rendered) -> Rendered {
        match self.0.get(place) {
            Some(rendered) => rendered.get_or_init(render).clone(),
            None => render(),
        }
    }
}

/// Makes views known: each to the readers of its rendition, and what changes the choice of
/// renditions, or completes a segment, to who waits for that.
#[derive(Debug)]
pub(crate) struct Announcer {
    views: watch::Sender<Arc<View>>,
    changes: watch::Sender<u64>,
}

impl Announcer {
    pub(crate) fn new(views: watch::Sender<Arc<View>>, changes: watch::Sender<u64>) -> Self {
        Self { views, changes }
    }

    pub(crate) fn publish(&self, view: View) {
        let choice = |view: &View| {
            let is_known = view.media.is_some();
            (view.has_media(), view.is_over(), is_known, view.next_msn)
        };
        let now = choice(&view);
        let before = self.views.send_replace(Arc::new(view));
        if choice(&before) != now {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

/// Bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bandwidth {
    pub(crate) peak: u64,
    pub(crate) average: u64,
}

impl View {
    /// The segments that begin before a time.
    pub(crate) fn begun_before(&self, unix_ms: i64) -> impl Iterator<Item = &Arc<Segment>> {
        let done = self.done.iter();
        done.take_while(move |segment| segment.unix_ms < unix_ms)
    }

    /// A whole view of what begins before a time.
    pub(crate) fn beginning(&self, unix_ms: i64) -> Self {
        Self {
            done: self.begun_before(unix_ms).map(Arc::clone).collect(),
            next_msn: self.next_msn,
            discontinuity_sequence: self.discontinuity_sequence,
            inits: Arc::clone(&self.inits),
            media: self.media.clone(),
            part_target: self.part_target,
            ended: true,
            is_whole: self.is_whole,
            ..Self::default()
        }
    }

    /// Whether there is anything to play.
    pub(crate) fn has_media(&self) -> bool {
        !self.done.is_empty() || self.open.is_some()
    }

    /// Whether nothing more comes, here.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.is_leaving
    }

    /// Whether nothing has come yet, and still can.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.is_over() && !self.has_media()
    }

    /// Discontinuities so far, those that left the window among them.
    pub(crate) fn discontinuities(&self) -> u64 {
        let segments = self.done.iter().map(AsRef::as_ref).chain(&self.open);
        let listed = segments.filter(|segment| segment.discontinuity).count();
        self.discontinuity_sequence + u64::try_from(listed).unwrap_or_default()
    }

    /// Whether segment `msn`, or its part `part`, is listed, or anything later (§6.2.5.2). A part
    /// behind the last one of a complete segment is the first of the next.
    pub(crate) fn has(&self, msn: u64, part: Option<usize>) -> bool {
        if !self.has_media() {
            return false;
        }
        let Some(part) = part else {
            return msn < self.next_msn;
        };
        if msn > self.next_msn {
            return false;
        }
        if msn == self.next_msn {
            return part < self.open_parts();
        }
        let is_last = msn + 1 == self.next_msn;
        let is_behind = |segment: &Arc<Segment>| {
            let parts = segment.parts().len();
            segment.msn == msn && parts > 0 && part >= parts
        };
        if is_last && self.done.last().is_some_and(is_behind) {
            return self.open_parts() > 0;
        }
        true
    }

    /// `PART-HOLD-BACK` (§4.4.3.8): at least three parts.
    pub(crate) fn part_hold_back(&self) -> Duration {
        self.part_target * 3
    }

    /// How far ahead of the last part a request may be (§6.2.5.2: Advance Part Limit).
    fn advance_parts(&self) -> usize {
        let target = self.part_target.as_secs_f64();
        let mut parts = 3_u32;
        while target > 0.0 && f64::from(parts) * target < 3.0 && parts < 300 {
            parts += 1;
        }
        usize::try_from(parts).unwrap_or(3)
    }

    /// Whether a request is so far ahead that it is a mistake (§6.2.5.2).
    pub(crate) fn is_too_far(&self, msn: u64, part: Option<usize>) -> bool {
        // The last segment listed is the open one, where there is one.
        let last = match self.open {
            Some(_) => self.next_msn,
            None => self.next_msn.saturating_sub(1),
        };
        if msn > last.saturating_add(2) {
            return true;
        }
        let most = self.open_parts() + self.advance_parts();
        msn == self.next_msn && part.is_some_and(|part| part >= most)
    }

    /// Whether its playlist or a file is here, by its name; a part that is hinted at will be.
    pub(crate) fn holds(&self, name: &str) -> bool {
        if parse_playlist_name(name).is_some() {
            return self.has_media();
        }
        match Name::parse(name) {
            Some(Name::Init(number)) => self.inits.contains_key(&number),
            Some(Name::Segment(msn)) => self.segment(msn).is_some(),
            Some(Name::Part(msn, part)) => {
                let is_coming = !self.is_over() && msn == self.next_msn;
                is_coming || self.part(msn, part).is_some()
            }
            None => false,
        }
    }

    pub(crate) fn segment(&self, msn: u64) -> Option<&Arc<Segment>> {
        let first = self.done.first()?.msn;
        let at = usize::try_from(msn.checked_sub(first)?).ok()?;
        self.done.get(at)
    }

    pub(crate) fn part(&self, msn: u64, part: usize) -> Option<&Part> {
        match &self.open {
            Some(open) if open.msn == msn => open.parts().get(part),
            _ => self.segment(msn)?.parts().get(part),
        }
    }

    /// What a player that reads on should ask for next, as `RENDITION-REPORT` tells it: the last
    /// part that there is.
    pub(crate) fn last(&self) -> Option<(u64, usize)> {
        match &self.open {
            Some(open) => Some((open.msn, open.parts().len().checked_sub(1)?)),
            None => {
                let last = self.done.last()?;
                Some((last.msn, last.parts().len().checked_sub(1)?))
            }
        }
    }

    /// Measured over the segments in the window; over what there is, before the first is complete.
    pub(crate) fn bandwidth(&self) -> Option<Bandwidth> {
        let mut peak = 0;
        let (mut size, mut length) = (0, Duration::ZERO);
        let segments = self.done.iter().map(AsRef::as_ref).chain(&self.open);
        // A gap of a recording has no size.
        for segment in segments.filter(|segment| segment.size_bytes > 0) {
            size += segment.size_bytes;
            length += segment.duration;
            // A remnant of a segment says nothing.
            if segment.duration >= Duration::from_millis(900) {
                peak = peak.max(bits_a_second(segment.size_bytes, segment.duration));
            }
        }
        if length.is_zero() {
            return None;
        }
        let average = bits_a_second(size, length);
        Some(Bandwidth {
            peak: peak.max(average),
            average,
        })
    }

    fn open_parts(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.parts().len())
    }
}

fn bits_a_second(bytes: u64, duration: Duration) -> u64 {
    let micros = duration.as_micros().max(1);
    let bits = u128::from(bytes) * 8 * 1_000_000 / micros;
    u64::try_from(bits).unwrap_or(u64::MAX)
}
