//! What stands in front of the samples: `ftyp`, `moov` and the head of `mdat` (ISO/IEC 14496-12).

use super::{Chunk, Written};

/// Ticks a second of the movie.
pub(super) const MOVIE_TIMESCALE: u32 = 1_000;

/// Everything in front of the samples, whose places it notes.
pub(super) fn head(tracks: &mut [Written], chunks: &[(usize, usize)], media: u64) -> Vec<u8> {
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
