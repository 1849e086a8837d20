//! [`Writer`]: the one who feeds a rendition, and owns its state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::catalogue::PartWritten;
use crate::chunk::{Chunk, Init, Media};
use crate::config::Config;
use crate::disk::{Append, Begun, Disk};
use crate::left::Left;
use crate::segment::{Part, Segment, Stored};
use crate::view::{Announcer, Renderings, View};
use crate::window::Window;

/// Why a chunk is refused; the rendition is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// There was no initialisation yet.
    #[error("a chunk came before its initialisation")]
    NoInit,
    /// Players would reject the playlist.
    #[error("a chunk of {found:?} is longer than the longest part of {most:?}")]
    TooLong {
        /// Its duration.
        found: Duration,
        /// The longest there may be.
        most: Duration,
    },
    /// It has no bytes or no duration.
    #[error("a chunk holds nothing")]
    Empty,
    /// It starts before the end of the one before; begin anew with another initialisation.
    #[error("a chunk starts at {found:?}, before the end of the last at {end:?}")]
    Backwards {
        /// Its start.
        found: Duration,
        /// The end of what there is.
        end: Duration,
    },
    /// The rendition has ended.
    #[error("the rendition has ended")]
    Ended,
}

/// What clocks and rounding may differ by.
const SLACK: Duration = Duration::from_millis(1);

/// Feeds one rendition, from one task.
#[derive(Debug)]
pub struct Writer {
    name: Arc<str>,
    config: Arc<Config>,
    disk: Option<Disk>,
    window: Window,
    done: Arc<[Arc<Segment>]>,
    open: Option<Segment>,
    next_msn: u64,
    inits: Arc<BTreeMap<u32, Bytes>>,
    /// Number of the first initialisation to come.
    first_init: u32,
    /// What the process before this one fed last.
    media_before: Option<Media>,
    /// Whether it goes on with what that left, and has not begun to.
    is_of_before: bool,
    run: Option<Run>,
    part_target: Duration,
    ended: bool,
    /// Whether the process is about to end, and the stream to go on.
    leaving: Arc<AtomicBool>,
    is_leaving: bool,
    views: Announcer,
}

/// What holds since the last initialisation.
#[derive(Debug)]
struct Run {
    begun: Arc<Begun>,
    end: Option<Duration>,
}

impl Writer {
    pub(crate) fn new(
        name: &str,
        config: Arc<Config>,
        disk: Option<Disk>,
        views: Announcer,
        leaving: Arc<AtomicBool>,
        left: Left,
    ) -> Self {
        Self {
            part_target: config.part_target,
            name: name.into(),
            config,
            disk,
            done: left.window.segments(),
            window: left.window,
            open: None,
            next_msn: left.next_msn,
            inits: Arc::new(left.inits),
            first_init: left.next_init,
            media_before: left.media,
            is_of_before: left.is_of_before,
            run: None,
            ended: false,
            leaving,
            is_leaving: false,
            views,
        }
    }

    /// Begins a run of chunks; what was open is complete.
    ///
    /// # Errors
    /// [`PushError::Ended`].
    pub fn begin(&mut self, mut init: Init) -> Result<(), PushError> {
        if self.is_over() {
            return Err(PushError::Ended);
        }
        self.close_segment();
        // Time does not continue from one process to the next.
        init.discontinuity |= std::mem::take(&mut self.is_of_before);
        let run = self.run.as_ref();
        let number = run.map_or(self.first_init, |run| run.begun.number + 1);
        Arc::make_mut(&mut self.inits).insert(number, init.bytes.clone());
        let end = self.run.as_ref().and_then(|run| run.end);
        self.run = Some(Run {
            end: if init.discontinuity { None } else { end },
            begun: Arc::new(Begun { number, init }),
        });
        self.publish();
        Ok(())
    }

    /// Takes a part and wakes who waits for it.
    ///
    /// # Errors
    /// When players could not play it where it stands.
    pub fn push(&mut self, chunk: Chunk) -> Result<(), PushError> {
        self.check(&chunk)?;
        let (end, ends_segment) = (chunk.start + chunk.duration, chunk.ends_segment);
        if self.open.is_none() {
            self.open = Some(self.new_segment(&chunk)?);
        }
        self.add(chunk)?;
        if let Some(run) = &mut self.run {
            run.end = Some(end);
        }
        if ends_segment || self.is_full() {
            self.close_segment();
        }
        self.publish();
        Ok(())
    }

    /// Ends the rendition: what there is stays (`EXT-X-ENDLIST`). Of a stream that is left
    /// ([`Origin::leave`](crate::Origin::leave)) it completes the segment, and the playlist has no end.
    pub fn end(&mut self) {
        self.close_segment();
        self.is_leaving = !self.ended && self.leaving.load(Ordering::Acquire);
        self.ended |= !self.is_leaving;
        if let (true, Some(disk), Some(run)) = (self.is_leaving, &self.disk, &self.run) {
            disk.leave(&self.name, self.next_msn, run.begun.number + 1);
        }
        self.publish();
    }

    fn is_over(&self) -> bool {
        self.ended || self.is_leaving
    }

    fn check(&self, chunk: &Chunk) -> Result<(), PushError> {
        if self.is_over() {
            return Err(PushError::Ended);
        }
        let run = self.run.as_ref().ok_or(PushError::NoInit)?;
        if chunk.bytes.is_empty() || chunk.duration.is_zero() {
            return Err(PushError::Empty);
        }
        let most = self.config.longest_part;
        if chunk.duration > most + SLACK {
            return Err(PushError::TooLong {
                found: chunk.duration,
                most,
            });
        }
        match run.end {
            Some(end) if chunk.start + SLACK < end => Err(PushError::Backwards {
                found: chunk.start,
                end,
            }),
            _ => Ok(()),
        }
    }

    fn new_segment(&self, first: &Chunk) -> Result<Segment, PushError> {
        let run = self.run.as_ref().ok_or(PushError::NoInit)?;
        let offset = i64::try_from(first.start.as_millis()).unwrap_or(i64::MAX);
        let Begun { number, init } = &*run.begun;
        let is_first_of_run = self.window.last().is_some_and(|last| last.init != *number);
        Ok(Segment {
            msn: self.next_msn,
            duration: Duration::ZERO,
            unix_ms: init.zero_unix_ms.saturating_add(offset),
            init: *number,
            discontinuity: is_first_of_run && init.discontinuity,
            independent: first.independent,
            size_bytes: 0,
            parts: Some(Vec::new()),
            stored: Arc::new(Stored::default()),
        })
    }

    fn add(&mut self, chunk: Chunk) -> Result<(), PushError> {
        let (Some(open), Some(run)) = (&mut self.open, &self.run) else {
            return Err(PushError::NoInit);
        };
        let size_bytes = u64::try_from(chunk.bytes.len()).unwrap_or_default();
        if let Some(disk) = &self.disk {
            disk.append(Append {
                rendition: Arc::clone(&self.name),
                begun: Arc::clone(&run.begun),
                part: PartWritten {
                    msn: open.msn,
                    init: open.init,
                    start: chunk.start,
                    duration: chunk.duration,
                    size_bytes,
                    independent: chunk.independent,
                },
                bytes: chunk.bytes.clone(),
                stored: Arc::clone(&open.stored),
            });
        }
        // In whole milliseconds, as playlists tell it, and never less than the part.
        let millis = chunk.duration.as_micros().div_ceil(1_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.part_target = self.part_target.max(Duration::from_millis(millis));
        open.duration += chunk.duration;
        open.size_bytes += size_bytes;
        open.parts.get_or_insert_default().push(Part {
            bytes: chunk.bytes,
            duration: chunk.duration,
            independent: chunk.independent,
        });
        Ok(())
    }

    /// Whether one more part might make the segment longer than players allow.
    fn is_full(&self) -> bool {
        let most = self.config.target_duration;
        self.open
            .as_ref()
            .is_some_and(|open| open.duration + self.part_target > most)
    }

    fn close_segment(&mut self) {
        let Some(segment) = self.open.take() else {
            return;
        };
        self.next_msn += 1;
        if let Some(disk) = &self.disk {
            disk.finish(&self.name, segment.msn, &segment.stored);
        }
        let gone = self.window.push(segment, &self.config);
        if let (Some(disk), false) = (&self.disk, self.config.keep) {
            for segment in gone {
                disk.remove(&self.name, segment.msn);
            }
        }
        self.done = self.window.segments();
        self.forget_old_inits();
    }

    /// An encoder that changes its size all day makes an initialisation each time.
    fn forget_old_inits(&mut self) {
        let oldest = self.done.first().map_or(0, |segment| segment.init);
        if self
            .inits
            .keys()
            .next()
            .is_some_and(|first| *first < oldest)
        {
            Arc::make_mut(&mut self.inits).retain(|number, _| *number >= oldest);
        }
    }

    fn publish(&self) {
        let run = self.run.as_ref();
        let media = run.map(|run| run.begun.init.media.clone());
        let view = View {
            done: Arc::clone(&self.done),
            open: self.open.clone(),
            next_msn: self.next_msn,
            discontinuity_sequence: self.window.discontinuities_gone,
            inits: Arc::clone(&self.inits),
            media: media.or_else(|| self.media_before.clone()),
            part_target: self.part_target,
            ended: self.ended,
            is_leaving: self.is_leaving,
            is_of_before: self.is_of_before,
            is_whole: false,
            full: Renderings::default(),
            delta: Renderings::default(),
        };
        self.views.publish(view);
    }
}
