//! One MP4 of a recording, with its index in front, so that it plays while it is being downloaded.
//!
//! Samples are copied, not coded anew. Time in which no track has anything is left out; a change of
//! parameters becomes another sample entry. Two passes over the segments: what they hold, then their
//! bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::boxes::{BadBox, Sample, Track};
use crate::recorded::RecordedSegment;

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
/// Ticks a second of the movie.
const MOVIE_TIMESCALE: u32 = 1_000;

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

/// Everything in front of the samples, whose places it notes.
fn head(tracks: &mut [Written], chunks: &[(usize, usize)], media: u64) -> Vec<u8> {
    let file_type = boxed(b"ftyp", b"isom\x00\x00\x02\x00isomiso2avc1mp41");
    // Places are told in 32 bits where that does.
    let is_large = media > u64::from(u32::MAX) - (64 << 20);
    let index = moov(tracks, is_large).len();
    let mut position = file_type.len() + index + 16;
    for (track, chunk) in chunks {
        let chunk = tracks
            .get_mut(*track)
            .and_then(|track| track.chunks.get_mut(*chunk));
        if let Some(chunk) = chunk {
            chunk.position = u64::try_from(position).unwrap_or(u64::MAX);
            position = position.saturating_add(usize::try_from(chunk.bytes()).unwrap_or_default());
        }
    }
    let mut head = file_type;
    head.extend(moov(tracks, is_large));
    head.extend(1_u32.to_be_bytes());
    head.extend(b"mdat");
    head.extend((media + 16).to_be_bytes());
    head
}

fn moov(tracks: &[Written], is_large: bool) -> Vec<u8> {
    let ends = tracks
        .iter()
        .map(|track| track.in_movie(track.start() + track.duration()));
    let duration = ends.max().unwrap_or_default();
    let mut moov = movie_header(duration, tracks.len());
    for (number, track) in (1..).zip(tracks) {
        moov.extend(trak(track, number, is_large));
    }
    boxed(b"moov", &moov)
}

/// `mvhd` (§8.2.2).
fn movie_header(duration: u64, tracks: usize) -> Vec<u8> {
    let mut fields = Fields::full(1, 0);
    fields
        .u64s(&[0, 0])
        .u32s(&[MOVIE_TIMESCALE])
        .u64s(&[duration]);
    // Rate 1, volume 1, reserved, the identity.
    fields
        .u32s(&[0x0001_0000, 0x0100_0000, 0, 0])
        .u32s(&IDENTITY);
    fields.u32s(&[0; 6]);
    fields.u32s(&[u32::try_from(tracks + 1).unwrap_or(u32::MAX)]);
    boxed(b"mvhd", &fields.0)
}

const IDENTITY: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn trak(track: &Written, number: u32, is_large: bool) -> Vec<u8> {
    let plays = track.in_movie(track.start() + track.duration());
    let mut header = Fields::full(1, 3);
    header.u64s(&[0, 0]).u32s(&[number, 0]).u64s(&[plays]);
    let volume = if track.track.is_video { 0 } else { 0x0100_0000 };
    header.u32s(&[0, 0, 0, volume]).u32s(&IDENTITY);
    header.u32s(&[track.track.size.0, track.track.size.1]);
    let mut trak = boxed(b"tkhd", &header.0);
    trak.extend(edits(track));
    trak.extend(media(track, is_large));
    boxed(b"trak", &trak)
}

/// `edts` (§8.6.5): nothing until the track begins, then all but what is not to be played.
fn edits(track: &Written) -> Vec<u8> {
    let delay = track.in_movie(track.start());
    let first = track.samples.first().map_or(0, |first| first.offset);
    let skipped = u64::try_from(first).unwrap_or_default() + track.track.skip;
    if delay == 0 && skipped == 0 {
        return Vec::new();
    }
    let mut list = Fields::full(1, 0);
    list.u32s(&[if delay > 0 { 2 } else { 1 }]);
    if delay > 0 {
        list.u64s(&[delay, u64::MAX]).u32s(&[0x0001_0000]);
    }
    let length = track.in_movie(track.duration().saturating_sub(track.track.skip));
    list.u64s(&[length, skipped]).u32s(&[0x0001_0000]);
    boxed(b"edts", &boxed(b"elst", &list.0))
}

fn media(track: &Written, is_large: bool) -> Vec<u8> {
    let mut header = Fields::full(1, 0);
    header.u64s(&[0, 0]).u32s(&[track.track.timescale]);
    // Language `und`.
    header.u64s(&[track.duration()]).u32s(&[0x55c4_0000]);
    let mut media = boxed(b"mdhd", &header.0);
    media.extend(&track.track.handler);
    let mut information = track.track.media_header.clone();
    let own = boxed(b"url ", &Fields::full(0, 1).0);
    let references = [&Fields::full(0, 0).0[..], &1_u32.to_be_bytes(), &own].concat();
    information.extend(boxed(b"dinf", &boxed(b"dref", &references)));
    information.extend(sample_table(track, is_large));
    media.extend(boxed(b"minf", &information));
    boxed(b"mdia", &media)
}

/// `stbl` (§8.5).
fn sample_table(track: &Written, is_large: bool) -> Vec<u8> {
    let mut entries = Fields::full(0, 0);
    entries.u32s(&[length(&track.track.entries)]);
    entries.0.extend(track.track.entries.iter().flatten());
    let mut table = boxed(b"stsd", &entries.0);
    table.extend(boxed(b"stts", &runs(0, track.durations())));
    if track.samples.iter().any(|sample| sample.offset != 0) {
        let offsets = track.samples.iter();
        // Two's complement, as version 1 has it.
        let offsets = offsets.map(|sample| u32::from_ne_bytes(sample.offset.to_ne_bytes()));
        table.extend(boxed(b"ctts", &runs(1, offsets)));
    }
    if track.samples.iter().any(|sample| !sample.is_sync) {
        let numbered = (1_u32..).zip(&track.samples);
        let sync = numbered.filter(|(_, sample)| sample.is_sync);
        table.extend(boxed(b"stss", &listed(sync.map(|(number, _)| number))));
    }
    table.extend(boxed(b"stsc", &chunk_runs(&track.chunks)));
    let mut sizes = Fields::full(0, 0);
    sizes.u32s(&[0, length(&track.samples)]);
    for sample in &track.samples {
        sizes.u32s(&[sample.size]);
    }
    table.extend(boxed(b"stsz", &sizes.0));
    table.extend(places(&track.chunks, is_large));
    boxed(b"stbl", &table)
}

/// Values with how often each comes in a row.
fn runs(version: u32, values: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some(last) if last.1 == value => last.0 += 1,
            _ => runs.push((1, value)),
        }
    }
    let mut fields = Fields::full(version, 0);
    fields.u32s(&[length(&runs)]);
    for (count, value) in runs {
        fields.u32s(&[count, value]);
    }
    fields.0
}

fn listed(values: impl Iterator<Item = u32>) -> Vec<u8> {
    let values: Vec<u32> = values.collect();
    let mut fields = Fields::full(0, 0);
    fields.u32s(&[length(&values)]).u32s(&values);
    fields.0
}

/// `stsc` (§8.7.4): from which chunk on there are how many samples of which entry.
fn chunk_runs(chunks: &[Chunk]) -> Vec<u8> {
    let mut runs: Vec<(u32, u32, u32)> = Vec::new();
    for (number, chunk) in (1_u32..).zip(chunks) {
        let is_same = runs
            .last()
            .is_some_and(|last| (last.1, last.2) == (chunk.samples, chunk.entry));
        if !is_same {
            runs.push((number, chunk.samples, chunk.entry));
        }
    }
    let mut fields = Fields::full(0, 0);
    fields.u32s(&[length(&runs)]);
    for (first, samples, entry) in runs {
        fields.u32s(&[first, samples, entry]);
    }
    fields.0
}

fn places(chunks: &[Chunk], is_large: bool) -> Vec<u8> {
    let mut fields = Fields::full(0, 0);
    fields.u32s(&[length(chunks)]);
    for chunk in chunks {
        if is_large {
            fields.u64s(&[chunk.position]);
        } else {
            fields.u32s(&[u32::try_from(chunk.position).unwrap_or(u32::MAX)]);
        }
    }
    boxed(if is_large { b"co64" } else { b"stco" }, &fields.0)
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).unwrap_or(u32::MAX);
    [&size.to_be_bytes()[..], kind, payload].concat()
}

/// Numbers one after the other, most significant byte first.
struct Fields(Vec<u8>);

impl Fields {
    /// Those of a full box (§4.2.2).
    fn full(version: u32, flags: u32) -> Self {
        Self((version << 24 | flags).to_be_bytes().to_vec())
    }

    fn u32s(&mut self, numbers: &[u32]) -> &mut Self {
        self.0
            .extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        self
    }

    fn u64s(&mut self, numbers: &[u64]) -> &mut Self {
        self.0
            .extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        self
    }
}
