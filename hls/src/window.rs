//! [`Window`]: the complete segments that playlists list, oldest first.
//!
//! The newest keep their parts in memory, all have their bytes on disk where there is one, and the
//! oldest leave when the window is full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::segment::{Fate, Segment};

#[derive(Debug, Default)]
pub(crate) struct Window {
    segments: VecDeque<Arc<Segment>>,
    length: Duration,
    /// Discontinuities that left the window (`EXT-X-DISCONTINUITY-SEQUENCE`, §4.4.3.3).
    pub(crate) discontinuities_gone: u64,
}

impl Window {
    /// An empty one of a rendition that comes after so many discontinuities of the others.
    pub(crate) fn after(discontinuities: u64) -> Self {
        Self {
            discontinuities_gone: discontinuities,
            ..Self::default()
        }
    }

    /// Takes a complete segment. Returns those that leave.
    pub(crate) fn push(&mut self, segment: Segment, config: &Config) -> Vec<Arc<Segment>> {
        self.length += segment.duration;
        self.segments.push_back(Arc::new(segment));
        self.release_memory(config);
        self.shorten(config)
    }

    pub(crate) fn segments(&self) -> Arc<[Arc<Segment>]> {
        self.segments.iter().map(Arc::clone).collect()
    }

    pub(crate) fn last(&self) -> Option<&Arc<Segment>> {
        self.segments.back()
    }

    /// Drops the parts of segments that are old, and on disk or lost. One that is still on its way
    /// keeps them.
    fn release_memory(&mut self, config: &Config) {
        let mut behind = Duration::ZERO;
        for segment in self.segments.iter_mut().rev() {
            let is_old = behind >= config.in_parts();
            behind += segment.duration;
            let is_decided = segment.stored.get() != Fate::Pending;
            if is_old && is_decided && segment.parts.is_some() {
                *segment = Arc::new(segment.on_disk_alone());
            }
        }
    }

    fn shorten(&mut self, config: &Config) -> Vec<Arc<Segment>> {
        let most = match config.folder {
            Some(_) => config.window.max(config.in_parts()),
            None => config.in_parts(),
        };
        let mut gone = Vec::new();
        while let Some(first) = self.segments.front() {
            if self.length.saturating_sub(first.duration) < most {
                break;
            }
            self.length = self.length.saturating_sub(first.duration);
            self.discontinuities_gone += u64::from(first.discontinuity);
            gone.extend(self.segments.pop_front());
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{Part, Stored};

    fn segment(msn: u64) -> Segment {
        let part = Part {
            bytes: bytes::Bytes::from_static(b"x"),
            duration: Duration::from_secs(2),
            independent: true,
        };
        Segment {
            msn,
            duration: Duration::from_secs(2),
            unix_ms: 0,
            init: 0,
            discontinuity: msn == 1,
            independent: true,
            size_bytes: 1,
            parts: Some(vec![part]),
            stored: Arc::new(Stored::default()),
        }
    }

    fn config(folder: bool) -> Config {
        Config {
            target_duration: Duration::from_secs(2),
            window: Duration::from_secs(20),
            folder: folder.then(|| "x".into()),
            ..Config::default()
        }
    }

    #[test]
    fn the_oldest_leave_and_their_discontinuities_are_counted() {
        let config = config(true);
        let mut window = Window::default();
        for msn in 0..10 {
            assert!(window.push(segment(msn), &config).is_empty());
        }
        for msn in 10..14 {
            let gone = window.push(segment(msn), &config);
            assert_eq!(gone.iter().map(|s| s.msn).collect::<Vec<_>>(), [msn - 10]);
        }
        assert_eq!(window.discontinuities_gone, 1);
        assert_eq!(window.segments().len(), 10);
    }

    #[test]
    fn parts_stay_until_the_segment_is_on_disk() {
        let config = config(true);
        let mut window = Window::default();
        let first = segment(0);
        let stored = Arc::clone(&first.stored);
        window.push(first, &config);
        for msn in 1..7 {
            window.push(segment(msn), &config);
        }
        assert!(window.segments()[0].parts.is_some(), "not written yet");
        stored.set(Fate::Written);
        window.push(segment(7), &config);
        assert!(window.segments()[0].parts.is_none());
        assert!(!window.segments()[0].is_lost());
    }

    #[test]
    fn without_a_disk_the_window_is_what_memory_holds() {
        let config = config(false);
        let mut window = Window::default();
        for msn in 0..20 {
            window.push(segment(msn), &config);
        }
        assert_eq!(window.segments().len(), 4);
    }
}
