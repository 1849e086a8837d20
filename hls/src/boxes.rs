//! Reading what a recording's files are made of: initialisations and chunks of one track (ISO/IEC
//! 14496-12), as far as a remux needs it.

/// A box is not what it must be; names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its box `{0}` is missing, cut short, or of an unknown form")]
pub(crate) struct BadBox(pub(crate) &'static str);

/// A track, from its initialisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    /// Ticks a second.
    pub(crate) timescale: u32,
    pub(crate) is_video: bool,
    /// Pixels as fixed-point numbers of 16.16.
    pub(crate) size: (u32, u32),
    /// Whole boxes, to be written again as they are.
    pub(crate) handler: Vec<u8>,
    pub(crate) media_header: Vec<u8>,
    /// Of `stsd`: how samples are coded.
    pub(crate) entries: Vec<Vec<u8>>,
    /// Ticks at the start that are not played, as an encoder of sound needs them (§8.6.6).
    pub(crate) skip: u64,
    defaults: Defaults,
}

/// What samples are like unless they say otherwise (`trex`, `tfhd`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Defaults {
    entry: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

/// A sample of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Decoding time, in ticks.
    pub(crate) dts: u64,
    pub(crate) duration: u32,
    /// Presentation after decoding.
    pub(crate) offset: i32,
    pub(crate) is_sync: bool,
    /// Number of its entry in `stsd`, from zero.
    pub(crate) entry: usize,
    /// Where it lies in the file.
    pub(crate) at: u64,
    pub(crate) size: u32,
}

impl Sample {
    /// The same in ticks of another length.
    pub(crate) fn in_ticks(self, from: u32, to: u32) -> Self {
        let scaled = |ticks: u64| {
            let scaled = u128::from(ticks) * u128::from(to) / u128::from(from.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        let dts = scaled(self.dts);
        // Ends are rounded, not lengths, so that nothing adds up.
        let end = scaled(self.dts.saturating_add(u64::from(self.duration)));
        let offset = i64::from(self.offset) * i64::from(to) / i64::from(from.max(1));
        Self {
            dts,
            duration: u32::try_from(end.saturating_sub(dts)).unwrap_or(u32::MAX),
            offset: i32::try_from(offset).unwrap_or_default(),
            ..self
        }
    }
}

/// `sample_is_non_sync_sample` (§8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

impl Track {
    /// # Errors
    /// When it is no initialisation of one track.
    pub(crate) fn read(init: &[u8]) -> Result<Self, BadBox> {
        let moov = inner(init, b"moov").ok_or(BadBox("moov"))?;
        let trak = inner(moov, b"trak").ok_or(BadBox("trak"))?;
        let mdia = inner(trak, b"mdia").ok_or(BadBox("mdia"))?;
        let minf = inner(mdia, b"minf").ok_or(BadBox("minf"))?;
        let stbl = inner(minf, b"stbl").ok_or(BadBox("stbl"))?;
        let tkhd = inner(trak, b"tkhd").ok_or(BadBox("tkhd"))?;
        let video = whole(minf, b"vmhd");
        let media_header = video.or_else(|| whole(minf, b"smhd"));
        Ok(Self {
            timescale: timescale(mdia)?,
            is_video: video.is_some(),
            size: size(tkhd)?,
            handler: whole(mdia, b"hdlr").ok_or(BadBox("hdlr"))?.to_vec(),
            media_header: media_header.ok_or(BadBox("vmhd"))?.to_vec(),
            entries: entries(stbl)?,
            skip: skip(trak),
            defaults: trex(moov)?,
        })
    }

    /// The samples of a segment's file.
    ///
    /// # Errors
    /// When it is no row of chunks, or tells of bytes that it has not.
    pub(crate) fn samples(&self, file: &[u8]) -> Result<Vec<Sample>, BadBox> {
        let mut samples = Vec::new();
        for found in Boxes::of(file).filter(|found| found.kind == *b"moof") {
            let start = u64::try_from(found.start).map_err(|_| BadBox("moof"))?;
            for traf in Boxes::of(found.payload).filter(|found| found.kind == *b"traf") {
                self.fragment(traf.payload, start, &mut samples)?;
            }
        }
        let length = u64::try_from(file.len()).unwrap_or(u64::MAX);
        let is_there = |sample: &Sample| {
            let end = sample.at.checked_add(u64::from(sample.size));
            end.is_some_and(|end| end <= length)
        };
        if samples.is_empty() || !samples.iter().all(is_there) {
            return Err(BadBox("trun"));
        }
        Ok(samples)
    }

    fn fragment(&self, traf: &[u8], moof: u64, samples: &mut Vec<Sample>) -> Result<(), BadBox> {
        let header = inner(traf, b"tfhd").ok_or(BadBox("tfhd"))?;
        let (base, defaults) = self.header(header, moof).ok_or(BadBox("tfhd"))?;
        let time = inner(traf, b"tfdt").ok_or(BadBox("tfdt"))?;
        let mut dts = base_time(time).ok_or(BadBox("tfdt"))?;
        let mut at = base;
        for run in Boxes::of(traf).filter(|found| found.kind == *b"trun") {
            let mut reader = Reader(run.payload);
            let read = read_run(&mut reader, defaults, base, (&mut dts, &mut at), samples);
            read.ok_or(BadBox("trun"))?;
        }
        Ok(())
    }

    /// `tfhd` (§8.8.7): where the data lies, and what holds unless a run says otherwise.
    fn header(&self, tfhd: &[u8], moof: u64) -> Option<(u64, Defaults)> {
        let mut reader = Reader(tfhd);
        let flags = reader.u32()?;
        let mut defaults = self.defaults;
        let _track = reader.u32()?;
        let base = if flags & 0x01 == 0 {
            moof
        } else {
            reader.u64()?
        };
        if flags & 0x02 != 0 {
            defaults.entry = reader.u32()?;
        }
        if flags & 0x08 != 0 {
            defaults.duration = reader.u32()?;
        }
        if flags & 0x10 != 0 {
            defaults.size = reader.u32()?;
        }
        if flags & 0x20 != 0 {
            defaults.flags = reader.u32()?;
        }
        Some((base, defaults))
    }
}

/// `trun` (§8.8.8).
fn read_run(
    reader: &mut Reader<'_>,
    defaults: Defaults,
    base: u64,
    (dts, at): (&mut u64, &mut u64),
    samples: &mut Vec<Sample>,
) -> Option<()> {
    let flags = reader.u32()?;
    let count = reader.u32()?;
    if flags & 0x01 != 0 {
        *at = base.checked_add_signed(reader.i32()?.into())?;
    }
    let first_flags = if flags & 0x04 == 0 {
        None
    } else {
        Some(reader.u32()?)
    };
    for number in 0..count {
        let mut field = |flag: u32, default: u32| match flags & flag {
            0 => Some(default),
            _ => reader.u32(),
        };
        let duration = field(0x100, defaults.duration)?;
        let size = field(0x200, defaults.size)?;
        let own_flags = field(0x400, defaults.flags)?;
        let offset = field(0x800, 0)?;
        let own_flags = first_flags.filter(|_| number == 0).unwrap_or(own_flags);
        samples.push(Sample {
            dts: *dts,
            duration,
            // Version 0 has no sign, and no encoder an offset that large.
            offset: i32::from_ne_bytes(offset.to_ne_bytes()),
            is_sync: own_flags & NON_SYNC == 0,
            entry: usize::try_from(defaults.entry.saturating_sub(1)).ok()?,
            at: *at,
            size,
        });
        *dts = dts.checked_add(u64::from(duration))?;
        *at = at.checked_add(u64::from(size))?;
    }
    Some(())
}

fn base_time(tfdt: &[u8]) -> Option<u64> {
    let mut reader = Reader(tfdt);
    match reader.u32()? >> 24 {
        0 => reader.u32().map(u64::from),
        _ => reader.u64(),
    }
}

fn timescale(mdia: &[u8]) -> Result<u32, BadBox> {
    let read = inner(mdia, b"mdhd").and_then(|mdhd| {
        let mut reader = Reader(mdhd);
        let times = if reader.u32()? >> 24 == 0 { 8 } else { 16 };
        reader.skip(times)?;
        reader.u32().filter(|timescale| *timescale > 0)
    });
    read.ok_or(BadBox("mdhd"))
}

/// Width and height stand at the end of `tkhd` (§8.3.2).
fn size(tkhd: &[u8]) -> Result<(u32, u32), BadBox> {
    let read = tkhd.len().checked_sub(8).and_then(|at| {
        let mut reader = Reader(tkhd.get(at..)?);
        Some((reader.u32()?, reader.u32()?))
    });
    read.ok_or(BadBox("tkhd"))
}

fn entries(stbl: &[u8]) -> Result<Vec<Vec<u8>>, BadBox> {
    let stsd = inner(stbl, b"stsd").and_then(|stsd| stsd.get(8..));
    let entries = Boxes::of(stsd.ok_or(BadBox("stsd"))?);
    let entries: Vec<_> = entries.map(|entry| entry.whole.to_vec()).collect();
    if entries.is_empty() {
        return Err(BadBox("stsd"));
    }
    Ok(entries)
}

/// Of an edit list with one edit that plays all but the start.
fn skip(trak: &[u8]) -> u64 {
    let read = inner(trak, b"edts").and_then(|edts| {
        let mut reader = Reader(inner(edts, b"elst")?);
        let is_long = reader.u32()? >> 24 != 0;
        if reader.u32()? != 1 {
            return None;
        }
        let time = if is_long {
            reader.skip(8)?;
            i64::from_ne_bytes(reader.u64()?.to_ne_bytes())
        } else {
            reader.skip(4)?;
            reader.i32()?.into()
        };
        u64::try_from(time).ok()
    });
    read.unwrap_or_default()
}

fn trex(moov: &[u8]) -> Result<Defaults, BadBox> {
    let trex = inner(moov, b"mvex").and_then(|mvex| inner(mvex, b"trex"));
    let read = trex.and_then(|trex| {
        let mut reader = Reader(trex);
        reader.skip(8)?;
        Some(Defaults {
            entry: reader.u32()?,
            duration: reader.u32()?,
            size: reader.u32()?,
            flags: reader.u32()?,
        })
    });
    read.ok_or(BadBox("trex"))
}

/// What the first box of that kind holds.
fn inner<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut boxes = Boxes::of(bytes);
    boxes.find(|found| found.kind == *kind).map(|b| b.payload)
}

/// The first box of that kind, its header included.
fn whole<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut boxes = Boxes::of(bytes);
    boxes.find(|found| found.kind == *kind).map(|b| b.whole)
}

struct Found<'a> {
    kind: [u8; 4],
    /// Where it begins.
    start: usize,
    whole: &'a [u8],
    payload: &'a [u8],
}

/// The boxes that stand one behind the other (§4.2). What is cut short ends them.
struct Boxes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Boxes<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let mut reader = Reader(rest);
        let size = reader.u32()?;
        let kind = reader.array()?;
        let (header, size) = match size {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(reader.u64()?).ok()?),
            _ => (8, usize::try_from(size).ok()?),
        };
        let whole = rest.get(..size)?;
        let payload = whole.get(header..)?;
        let start = self.at;
        self.at = self.at.checked_add(size)?;
        Some(Found {
            kind,
            start,
            whole,
            payload,
        })
    }
}

/// Numbers one after the other, most significant byte first.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len() + 8).unwrap();
        [&size.to_be_bytes()[..], kind, payload].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    }

    fn track() -> Track {
        Track {
            timescale: 90_000,
            is_video: true,
            size: (0, 0),
            handler: Vec::new(),
            media_header: Vec::new(),
            entries: vec![Vec::new()],
            skip: 0,
            defaults: Defaults {
                entry: 1,
                duration: 3_000,
                size: 2,
                flags: NON_SYNC,
            },
        }
    }

    #[test]
    fn samples_are_read_from_runs() {
        let tfhd = boxed(b"tfhd", &numbers(&[0x02_0000, 1]));
        let tfdt = boxed(b"tfdt", &numbers(&[0x0100_0000, 1, 5]));
        // Data offset, flags of the first, then size and presentation of each.
        let flags = 0x0100_0000 | 0x01 | 0x04 | 0x200 | 0x800;
        let run = numbers(&[flags, 2, 100, 0, 3, 9, 4, u32::MAX]);
        let traf = boxed(b"traf", &[tfhd, tfdt, boxed(b"trun", &run)].concat());
        let moof = boxed(b"moof", &traf);
        let styp = boxed(b"styp", b"x");
        let mut file = [styp.clone(), moof].concat();
        file.resize(styp.len() + 100, 0);
        file.extend([1, 2, 3, 4, 5, 6, 7]);
        let samples = track().samples(&file).unwrap();
        let sample = |dts, offset, is_sync, at, size| Sample {
            dts,
            duration: 3_000,
            offset,
            is_sync,
            entry: 0,
            at,
            size,
        };
        let start = (1 << 32) + 5;
        assert_eq!(
            samples,
            [
                sample(start, 9, true, 109, 3),
                sample(start + 3_000, -1, false, 112, 4)
            ]
        );
        file.pop();
        assert_eq!(track().samples(&file), Err(BadBox("trun")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Track::read(&bytes);
            let _ = track().samples(&bytes);
            let moof = boxed(b"moof", &boxed(b"traf", &bytes));
            let _ = track().samples(&moof);
        }

        #[test]
        fn hostile_runs_are_refused_or_lie_within_the_file(
            fields in prop::collection::vec(any::<u32>(), 0..12),
            flags in 0_u32..0x1000,
            count in 0_u32..9,
        ) {
            let tfhd = boxed(b"tfhd", &numbers(&[0x02_0000, 1]));
            let tfdt = boxed(b"tfdt", &numbers(&[0, 5]));
            let run = numbers(&[&[flags, count], &fields[..]].concat());
            let traf = boxed(b"traf", &[tfhd, tfdt, boxed(b"trun", &run)].concat());
            let file = boxed(b"moof", &traf);
            if let Ok(samples) = track().samples(&file) {
                for sample in samples {
                    let end = sample.at + u64::from(sample.size);
                    prop_assert!(end <= u64::try_from(file.len()).unwrap());
                }
            }
        }
    }
}
