//! [`Remains`]: what a process before this one left of a stream in its folder, for it to go on.
//!
//! Invariants: no number of a segment or an initialisation is given twice, however the process ended,
//! and discontinuities are counted on. Where it had no time to say how far it was, the time that has
//! passed says how many numbers it can have used at most. All renditions go on with the same number of
//! an initialisation, which is never below the number of discontinuities: where nothing was kept that
//! tells of those, it stands for it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use crate::catalogue::Contents;
use crate::chunk::Media;
use crate::config::Config;
use crate::recorded::{read_indexes, rendition_folders, repair_rendition};
use crate::segment::Name;
use crate::timeline::{self, Numbered};
use crate::view::View;
use crate::window::Window;

/// Of a stream.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    pub(crate) renditions: BTreeMap<String, Left>,
    /// Discontinuities of a rendition that goes on with it, the one where it does among them.
    pub(crate) discontinuities: u64,
    /// Numbers that another server may have given.
    pub(crate) used: u64,
    /// Whether segments were kept; none: there were none.
    pub(crate) is_kept: Option<bool>,
}

/// Of a rendition: where its writer begins.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) window: Window,
    pub(crate) next_msn: u64,
    pub(crate) next_init: u32,
    pub(crate) inits: BTreeMap<u32, Bytes>,
    pub(crate) media: Option<Media>,
    pub(crate) is_of_before: bool,
}

impl Left {
    /// Of one that is new, and comes after so many discontinuities of the others, and so many numbers.
    pub(crate) fn nothing(discontinuities: u64, used: u64) -> Self {
        Self {
            window: Window::after(discontinuities),
            // From 1 on: of a segment 0, hls.js (1.7) forgets the parts that it has, and loads the same for ever.
            next_msn: used.max(1),
            next_init: u32::try_from(used).unwrap_or(u32::MAX / 2),
            ..Self::default()
        }
    }

    /// As readers see it until it goes on.
    pub(crate) fn view(&self, part_target: Duration) -> View {
        View {
            done: self.window.segments(),
            next_msn: self.next_msn,
            discontinuity_sequence: self.window.discontinuities_gone,
            inits: self.inits.clone().into(),
            media: self.media.clone(),
            part_target,
            is_of_before: true,
            ..View::default()
        }
    }
}

impl Remains {
    /// Reads the folder and puts it in order. Blocks.
    ///
    /// # Errors
    /// When the disk refuses. A folder that is not there holds nothing.
    pub(crate) fn read(config: &Config, now_unix_ms: i64) -> io::Result<Self> {
        let Some(folder) = config.folder.as_ref().filter(|folder| folder.is_dir()) else {
            return Ok(Self::default());
        };
        let kept = rendition_folders(folder)?;
        if kept.is_empty() {
            return Self::not_kept(folder, config, now_unix_ms);
        }
        kept.iter()
            .try_for_each(|(_, folder)| repair_rendition(folder))?;
        Self::kept(folder, config, now_unix_ms)
    }

    fn kept(folder: &Path, config: &Config, now_unix_ms: i64) -> io::Result<Self> {
        let mut read = BTreeMap::new();
        for (name, contents) in read_indexes(folder, true)? {
            let numbered = timeline::numbered(&contents, config.target_duration);
            let kept = Kept::new(contents, numbered, config, now_unix_ms);
            read.insert(name, kept);
        }
        let aligned = read.iter();
        let mut aligned: BTreeMap<_, _> = aligned
            .map(|(name, kept)| (name.clone(), kept.numbered.segments.clone()))
            .collect();
        let sequences = timeline::align(&mut aligned);
        let next_init = read.values().map(|kept| kept.next_init).max();
        let mut remains = Self {
            is_kept: Some(true),
            ..Self::default()
        };
        for (name, kept) in read {
            let sequence = sequences.get(&name).copied().unwrap_or_default();
            let next_init = next_init.unwrap_or_default();
            let left = kept.into_left(&folder.join(&name), sequence, next_init, config)?;
            let so_far = left.view(config.part_target).discontinuities();
            remains.discontinuities = remains.discontinuities.max(so_far.saturating_add(1));
            remains.renditions.insert(name, left);
        }
        Ok(remains)
    }

    /// Of what is not kept there are the names of files.
    fn not_kept(folder: &Path, config: &Config, now_unix_ms: i64) -> io::Result<Self> {
        let mut remains = Self::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.map(str::to_owned).filter(|_| path.is_dir());
            if let Some(name) = name
                && let Some(left) = clear(&path, config, now_unix_ms)?
            {
                remains.renditions.insert(name, left);
            }
        }
        let next_init = remains.renditions.values().map(|left| left.next_init).max();
        let Some(next_init) = next_init else {
            return Ok(remains);
        };
        remains.is_kept = Some(false);
        remains.discontinuities = u64::from(next_init);
        for left in remains.renditions.values_mut() {
            left.next_init = next_init;
            left.window = Window::after(remains.discontinuities);
        }
        Ok(remains)
    }
}

/// A rendition as its index tells it.
struct Kept {
    contents: Contents,
    numbered: Numbered,
    next_msn: u64,
    next_init: u32,
}

impl Kept {
    fn new(contents: Contents, mut numbered: Numbered, config: &Config, now_unix_ms: i64) -> Self {
        let last = numbered.segments.last();
        let millis = |segment: &crate::segment::Segment| {
            i64::try_from(segment.duration.as_millis()).unwrap_or(i64::MAX)
        };
        let end = last.map_or(now_unix_ms, |last| {
            last.unix_ms.saturating_add(millis(last))
        });
        let last_init = contents.inits.keys().next_back();
        let told = last_init.map_or(0, |last| last.saturating_add(1));
        let told = (contents.next_msn, told);
        let (next_msn, next_init) = contents.left.unwrap_or_else(|| {
            let unsaid = used_since(now_unix_ms.saturating_sub(end), config);
            (
                told.0.saturating_add(unsaid),
                told.1.saturating_add(of_inits(unsaid)),
            )
        });
        let (next_msn, next_init) = (next_msn.min(MOST_MSN), next_init.min(MOST_INIT));
        let listed = last.map(|last| (last.msn.saturating_add(1), last.init));
        if let Some((from, init)) = listed {
            let hole = (end, now_unix_ms);
            numbered.miss(from..next_msn, hole, init, config.target_duration);
        }
        Self {
            contents,
            numbered,
            next_msn,
            next_init,
        }
    }

    fn into_left(
        self,
        folder: &Path,
        sequence: u64,
        next_init: u32,
        config: &Config,
    ) -> io::Result<Left> {
        let last = self.numbered.segments.last().map(|last| last.init);
        let last = last.and_then(|last| self.contents.inits.get(&last));
        let media = last.map(|init| init.media.clone());
        let gone = self.numbered.discontinuities_gone;
        let mut window = Window::after(sequence.saturating_add(gone));
        for segment in self.numbered.segments {
            window.push(segment, config);
        }
        let listed = window.segments();
        let oldest = listed.first().map_or(u32::MAX, |segment| segment.init);
        let mut inits = BTreeMap::new();
        for number in self
            .contents
            .inits
            .range(oldest..)
            .map(|(number, _)| *number)
        {
            match fs::read(folder.join(Name::Init(number).to_string())) {
                Ok(bytes) => inits.insert(number, Bytes::from(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(Left {
            window,
            next_msn: self.next_msn,
            next_init,
            inits,
            media,
            is_of_before: true,
        })
    }
}

/// Whatever a file says, there is room for numbers above these.
const MOST_MSN: u64 = 1 << 62;
const MOST_INIT: u32 = 1 << 30;

/// How many numbers can have been used of which nothing was written: segments are about half the
/// target duration long, and the one under way counts.
fn used_since(millis: i64, config: &Config) -> u64 {
    let millis = u64::try_from(millis).unwrap_or_default();
    let segment = u64::try_from(config.target_duration.as_millis() / 2).unwrap_or(u64::MAX);
    millis.div_ceil(segment.max(1)).saturating_add(1)
}

/// Each initialisation has a segment.
fn of_inits(segments: u64) -> u32 {
    u32::try_from(segments).unwrap_or(u32::MAX)
}

/// Deletes the segments of a rendition but the last, whose name tells of all numbers; none: the folder
/// holds none.
fn clear(folder: &Path, config: &Config, now_unix_ms: i64) -> io::Result<Option<Left>> {
    let (mut segments, mut last_init) = (BTreeMap::new(), None);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(Name::parse) {
            Some(Name::Segment(msn)) => {
                segments.insert(msn, path);
            }
            Some(Name::Init(number)) => last_init = last_init.max(Some(number)),
            _ => {}
        }
    }
    let last = segments.pop_last();
    let Some(last_init) = last_init else {
        return Ok(None);
    };
    segments.values().try_for_each(fs::remove_file)?;
    let written = match &last {
        Some((_, path)) => fs::metadata(path)?.modified()?,
        None => UNIX_EPOCH,
    };
    let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    let written = i64::try_from(written.as_millis()).unwrap_or_default();
    let unsaid = used_since(now_unix_ms.saturating_sub(written), config);
    let next_msn = last.map_or(0, |(last, _)| last.saturating_add(1));
    let next_init = last_init.saturating_add(1);
    Ok(Some(Left {
        next_msn: next_msn.saturating_add(unsaid).min(MOST_MSN),
        next_init: next_init.saturating_add(of_inits(unsaid)).min(MOST_INIT),
        is_of_before: true,
        ..Left::default()
    }))
}
