//! One MP4 of a recording, with its index in front, so that it plays while it is being downloaded.
//!
//! Samples are copied, not coded anew. Time in which no track has anything is left out; a change of
//! parameters becomes another sample entry. Two passes over the segments: what they hold, then their
//! bytes.

mod index;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::boxes::{BadBox, Sample, Track};
use crate::recorded::RecordedSegment;
use index::{MOVIE_TIMESCALE, head};

/// Why there is no MP4.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemuxError {
    /// The disk refuses.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file of the recording is not what its packager writes.
    #[error("cannot read {}: {source}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is nothing in it.
    #[error("there is nothing to write")]
    Nothing,
    /// The caller wished so.
    #[error("it was stopped")]
    Stopped,
}

/// The segments of a rendition and where they lie.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) folder: PathBuf,
    pub(crate) segments: Vec<RecordedSegment>,
}

/// Coverage that touches but for so much is one.
const TOGETHER: Duration = Duration::from_millis(100);

/// Writes the MP4; gives its size. `progress` is told of bytes done and in all, and returns whether
/// to go on.
pub(crate) fn remux(
    sources: &[Source],
    to: &Path,
    mut progress: impl FnMut(u64, u64) -> bool,
) -> Result<u64, RemuxError> {
    let mut tracks = Vec::new();
    let timeline = Timeline::of(sources);
    for source in sources.iter().filter(|source| !source.segments.is_empty()) {
        tracks.push(Written::plan(source, &timeline, || progress(0, 1))?);
    }
    if tracks.iter().all(|track| track.samples.is_empty()) {
        return Err(RemuxError::Nothing);
    }
    let chunks = interleaved(&tracks);
    let media: u64 = tracks.iter().map(Written::bytes).sum();
    let head = head(&mut tracks, &chunks, media);

    let failed = |source| RemuxError::Io {
        path: to.to_owned(),
        source,
    };
    let mut out = BufWriter::with_capacity(1 << 20, File::create(to).map_err(failed)?);
    out.write_all(&head).map_err(failed)?;
    let mut done = 0;
    for (track, chunk) in &chunks {
        let Some(chunk) = tracks
            .get(*track)
            .and_then(|track| track.chunks.get(*chunk))
        else {
            continue;
        };
        let file = read(&chunk.path, chunk.file_bytes)?;
        for range in &chunk.ranges {
            let bytes = usize::try_from(range.0)
                .ok()
                .zip(usize::try_from(range.1).ok());
            let bytes = bytes.and_then(|(from, to)| file.get(from..to));
            let bytes = bytes.ok_or_else(|| malformed(&chunk.path, BadBox("mdat")))?;
            out.write_all(bytes).map_err(failed)?;
        }
        done += chunk.bytes();
        if !progress(done, media) {
            return Err(RemuxError::Stopped);
        }
    }
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(u64::try_from(head.len()).unwrap_or_default() + media)
}

fn read(path: &Path, size_bytes: u64) -> Result<Bytes, RemuxError> {
    crate::cache::read(path, size_bytes).map_err(|source| RemuxError::Io {
        path: path.to_owned(),
        source,
    })
}

fn malformed(path: &Path, error: BadBox) -> RemuxError {
    RemuxError::Malformed {
        path: path.to_owned(),
        source: error.into(),
    }
}

/// Stretches of time in which some track has something; what lies between them is left out.
#[derive(Debug)]
struct Timeline(Vec<Stretch>);

#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Duration,
    to: Duration,
    /// Where it stands in the MP4.
    at: Duration,
}

impl Timeline {
    fn of(sources: &[Source]) -> Self {
        let segments = sources.iter().flat_map(|source| &source.segments);
        let mut covered: Vec<(Duration, Duration)> = segments
            .map(|segment| (start(segment), start(segment) + segment.duration))
            .collect();
        covered.sort_unstable();
        let mut all: Vec<Stretch> = Vec::new();
        for (from, to) in covered {
            match all.last_mut() {
                Some(last) if from <= last.to + TOGETHER => last.to = last.to.max(to),
                last => {
                    let at = last.map_or(Duration::ZERO, |last| last.at + (last.to - last.from));
                    all.push(Stretch { from, to, at });
                }
            }
        }
        Self(all)
    }

    /// The stretch that holds a time of the recording.
    fn find(&self, time: Duration) -> Option<(usize, Stretch)> {
        let behind = self.0.partition_point(|stretch| stretch.from <= time);
        let at = behind.checked_sub(1)?;
        Some((at, *self.0.get(at)?))
    }
}

fn start(segment: &RecordedSegment) -> Duration {
    Duration::from_millis(u64::try_from(segment.unix_ms).unwrap_or_default())
}

/// A track of the MP4.
#[derive(Debug)]
struct Written {
    track: Track,
    samples: Vec<Placed>,
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    /// Decoding time in the MP4, in ticks.
    dts: u64,
    duration: u32,
    offset: i32,
    size: u32,
    is_sync: bool,
}

/// The samples of a segment, which stay together.
#[derive(Debug)]
struct Chunk {
    path: PathBuf,
    file_bytes: u64,
    /// Bytes of the file, from and to.
    ranges: Vec<(u64, u64)>,
    first: usize,
    samples: u32,
    /// In `stsd`, from one.
    entry: u32,
    /// In the MP4, in bytes.
    position: u64,
}

impl Chunk {
    fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.1 - range.0).sum()
    }
}

/// How times of a run of segments become times of the MP4.
struct Mapping {
    init: String,
    stretch: usize,
    /// Added to decoding times, in ticks.
    shift: i64,
}

impl Written {
    /// Without a sample; its entries come with them.
    fn new(mut track: Track) -> Self {
        track.entries.clear();
        Self {
            track,
            samples: Vec::new(),
            chunks: Vec::new(),
        }
    }

    fn plan(
        source: &Source,
        timeline: &Timeline,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Self, RemuxError> {
        let mut written: Option<Self> = None;
        let mut now: Option<Track> = None;
        let mut mapping: Option<Mapping> = None;
        for segment in &source.segments {
            if !go_on() {
                return Err(RemuxError::Stopped);
            }
            let is_new = mapping
                .as_ref()
                .is_none_or(|last| last.init != segment.init);
            if is_new || now.is_none() {
                now = Some(read_track(&source.folder.join(&segment.init))?);
            }
            let Some(track) = &now else { continue };
            let written = written.get_or_insert_with(|| Self::new(track.clone()));
            let path = source.folder.join(&segment.name);
            let file = read(&path, segment.size_bytes)?;
            let mut samples = track
                .samples(&file)
                .map_err(|error| malformed(&path, error))?;
            // Sound of another rate has ticks of its own; those of a track are as its first.
            let ticks = written.track.timescale;
            if track.timescale != ticks {
                let own = samples.into_iter();
                samples = own
                    .map(|sample| sample.in_ticks(track.timescale, ticks))
                    .collect();
            }
            let Some((stretch, found)) = timeline.find(start(segment)) else {
                continue;
            };
            let is_same = |last: &Mapping| last.init == segment.init && last.stretch == stretch;
            let shift = match mapping.as_ref().filter(|last| is_same(last)) {
                Some(last) => last.shift,
                None => written.shift(&samples, start(segment) - found.from + found.at),
            };
            mapping = Some(Mapping {
                init: segment.init.clone(),
                stretch,
                shift,
            });
            written.add(track, path, segment.size_bytes, &samples, shift);
        }
        written.ok_or(RemuxError::Nothing)
    }

    fn add(
        &mut self,
        track: &Track,
        path: PathBuf,
        file_bytes: u64,
        samples: &[Sample],
        shift: i64,
    ) {
        self.track.size.0 = self.track.size.0.max(track.size.0);
        self.track.size.1 = self.track.size.1.max(track.size.1);
        let mut rest = samples;
        while let Some(first) = rest.first() {
            let alike = rest.iter().take_while(|sample| sample.entry == first.entry);
            let (now, later) = rest.split_at(alike.count());
            let chunk = Chunk {
                path: path.clone(),
                file_bytes,
                ranges: ranges(now),
                first: self.samples.len(),
                samples: u32::try_from(now.len()).unwrap_or(u32::MAX),
                entry: self.entry(track, first.entry),
                position: 0,
            };
            self.chunks.push(chunk);
            for sample in now {
                self.place(sample, shift);
            }
            rest = later;
        }
    }

    /// What lets the first sample be shown at that time. The offset of the very first is not played.
    fn shift(&self, samples: &[Sample], at: Duration) -> i64 {
        let ticks = at.as_nanos() * u128::from(self.track.timescale) / 1_000_000_000;
        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
        let Some(first) = samples.first() else {
            return ticks;
        };
        let skipped = self
            .samples
            .first()
            .map_or(first.offset, |very| very.offset);
        let shown = i64::try_from(first.dts).unwrap_or(i64::MAX);
        let shown = shown.saturating_add(i64::from(first.offset) - i64::from(skipped));
        ticks.saturating_sub(shown)
    }

    fn place(&mut self, sample: &Sample, shift: i64) {
        let wanted = sample.dts.saturating_add_signed(shift);
        // Rounding may let two runs overlap by a tick or two, and an encoder that decodes earlier before
        // it shows by more than that; decoding times only rise.
        let least = self.samples.last().map_or(0, |last| last.dts + 1);
        let dts = wanted.max(least);
        let late = i32::try_from(dts - wanted).unwrap_or(i32::MAX);
        let offset = match sample.offset {
            // It is shown when it was to be shown, all the same.
            1.. => sample.offset.saturating_sub(late).max(0),
            offset => offset,
        };
        self.samples.push(Placed {
            dts,
            duration: sample.duration,
            offset,
            size: sample.size,
            is_sync: sample.is_sync,
        });
    }

    /// Number of a sample entry of a segment's own `stsd` in that of the MP4.
    fn entry(&mut self, track: &Track, own: usize) -> u32 {
        let Some(entry) = track.entries.get(own).or_else(|| track.entries.first()) else {
            return 1;
        };
        let known = self.track.entries.iter().position(|known| known == entry);
        let at = known.unwrap_or_else(|| {
            self.track.entries.push(entry.clone());
            self.track.entries.len() - 1
        });
        u32::try_from(at + 1).unwrap_or(1)
    }

    fn bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::bytes).sum()
    }

    fn start(&self) -> u64 {
        self.samples.first().map_or(0, |first| first.dts)
    }

    /// Ticks from the first sample to the end of the last.
    fn duration(&self) -> u64 {
        let end = self.samples.last();
        let end = end.map_or(0, |last| last.dts + u64::from(last.duration));
        end - self.start()
    }

    /// How long each sample is decoded: until the next.
    fn durations(&self) -> impl Iterator<Item = u32> {
        let next = self.samples.iter().skip(1).map(|sample| Some(sample.dts));
        self.samples
            .iter()
            .zip(next.chain([None]))
            .map(|(sample, next)| {
                let length = next.map_or(u64::from(sample.duration), |next| next - sample.dts);
                u32::try_from(length).unwrap_or(u32::MAX)
            })
    }

    fn seconds(&self, ticks: u64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "2^53 ticks are thousands of years"
        )]
        let ticks = ticks as f64;
        ticks / f64::from(self.track.timescale)
    }

    /// In ticks of the movie.
    fn in_movie(&self, ticks: u64) -> u64 {
        rescaled(ticks, self.track.timescale, MOVIE_TIMESCALE)
    }
}

fn read_track(path: &Path) -> Result<Track, RemuxError> {
    let init = std::fs::read(path).map_err(|source| RemuxError::Io {
        path: path.to_owned(),
        source,
    })?;
    Track::read(&init).map_err(|error| malformed(path, error))
}

fn rescaled(ticks: u64, from: u32, to: u32) -> u64 {
    let scaled = u128::from(ticks) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Neighbours as one.
fn ranges(samples: &[Sample]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for sample in samples {
        let end = sample.at + u64::from(sample.size);
        match ranges.last_mut() {
            Some(last) if last.1 == sample.at => last.1 = end,
            _ => ranges.push((sample.at, end)),
        }
    }
    ranges
}

/// Track and chunk in the order of time, so that players read all tracks at one place of the file.
fn interleaved(tracks: &[Written]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        for (at, chunk) in track.chunks.iter().enumerate() {
            let first = track.samples.get(chunk.first).map_or(0, |first| first.dts);
            all.push((track.seconds(first), number, at));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.into_iter()
        .map(|(_, track, chunk)| (track, chunk))
        .collect()
}
