//! Media playlists (draft-pantos-hls-rfc8216bis §4.4.3, §4.4.4).

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use crate::config::Config;
use crate::segment::{Name, Part, Segment};
use crate::view::View;

/// A playlist as it goes out: rendered once, compressed once, for everybody.
#[derive(Debug, Clone)]
pub struct Rendered(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
    etag: String,
}

impl Rendered {
    pub(crate) fn new(text: String, etag: String) -> Self {
        Self(Arc::new(Inner {
            text: text.into(),
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
            etag,
        }))
    }

    /// One whose entity tag is made of its text.
    pub(crate) fn tagged(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let etag = format!("{:016x}", hasher.finish());
        Self::new(text, etag)
    }

    /// The text, UTF-8.
    #[must_use]
    pub fn text(&self) -> Bytes {
        self.0.text.clone()
    }

    /// The text in gzip (RFC 1952); the text itself, should that fail.
    #[must_use]
    pub fn gzip(&self) -> Bytes {
        self.0.gzip.get_or_init(|| gzip(&self.0.text)).clone()
    }

    /// The text in brotli (RFC 7932); the text itself, should that fail.
    #[must_use]
    pub fn brotli(&self) -> Bytes {
        let brotli = &self.0.brotli;
        brotli.get_or_init(|| in_brotli(&self.0.text)).clone()
    }

    /// Strong entity tag without quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.0.etag
    }
}

fn gzip(text: &Bytes) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    match encoder.write_all(text).and_then(|()| encoder.finish()) {
        Ok(compressed) => compressed.into(),
        Err(_) => text.clone(),
    }
}

/// Between speed and size: smaller than gzip at about its price.
const BROTLI_QUALITY: i32 = 4;

fn in_brotli(text: &Bytes) -> Bytes {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        size_hint: text.len(),
        ..Default::default()
    };
    let mut compressed = Vec::with_capacity(text.len() / 4);
    match brotli::BrotliCompress(&mut &text[..], &mut compressed, &parameters) {
        Ok(_) => compressed.into(),
        Err(_) => text.clone(),
    }
}

/// Where another rendition stands (§4.4.5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) uri: String,
    pub(crate) msn: u64,
    pub(crate) part: usize,
}

/// What stands before the names of a rendition's files.
pub(crate) fn base_of(base: &str, rendition: &str) -> String {
    match base {
        "" => String::new(),
        _ => format!("{base}{rendition}/"),
    }
}

/// Writes a media playlist; with `skip`, a delta update (§6.2.5.1) where that leaves anything out.
pub(crate) fn render(
    view: &View,
    config: &Config,
    base: &str,
    reports: &[Report],
    skip: bool,
) -> String {
    let skipped = if skip { skippable(view, config) } else { 0 };
    let listed = view.done.get(skipped..).unwrap_or_default();
    let mut text = String::with_capacity(1024 + listed.len() * 120);
    let mut writer = Writer {
        text: &mut text,
        base,
        config,
    };
    writer.head(view);
    if skipped > 0 {
        writer.line(format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
    }
    // A player that skips knows the map of what it has; the first segment it does not know names it.
    let mut map = None;
    let with_parts = first_with_parts(&view.done, config);
    for (at, segment) in listed.iter().enumerate() {
        writer.begin_segment(segment, &mut map);
        if !view.ended && skipped + at >= with_parts {
            writer.parts(segment);
        }
        writer.end_segment(segment);
    }
    if let Some(open) = &view.open {
        writer.begin_segment(open, &mut map);
        writer.parts(open);
    }
    if view.ended {
        writer.line(format_args!("#EXT-X-ENDLIST"));
    } else {
        writer.hint(view);
        for report in reports {
            writer.report(report);
        }
    }
    text
}

/// Index of the first segment near enough to the end to be listed with its parts.
fn first_with_parts(done: &[Arc<Segment>], config: &Config) -> usize {
    let mut behind = Duration::ZERO;
    let near = done.iter().rev().take_while(|segment| {
        let is_near = behind < config.target_duration * 3;
        behind += segment.duration;
        is_near
    });
    done.len() - near.count()
}

/// How many segments a delta update leaves out: those that end before the skip boundary.
fn skippable(view: &View, config: &Config) -> usize {
    let open = view.open.as_ref().map_or(Duration::ZERO, |o| o.duration);
    let mut behind = open;
    let kept = view.done.iter().rev().take_while(|segment| {
        let is_kept = behind < config.skip_until();
        behind += segment.duration;
        is_kept
    });
    view.done.len() - kept.count()
}

struct Writer<'a> {
    text: &'a mut String,
    base: &'a str,
    config: &'a Config,
}

impl Writer<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    fn head(&mut self, view: &View) {
        let config = self.config;
        self.line(format_args!("#EXTM3U"));
        self.line(format_args!("#EXT-X-VERSION:9"));
        let target = config.target_duration.as_secs().max(1);
        self.line(format_args!("#EXT-X-TARGETDURATION:{target}"));
        if view.is_whole {
            self.line(format_args!("#EXT-X-PLAYLIST-TYPE:VOD"));
        }
        if !view.ended {
            self.line(format_args!(
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={:.3},\
                 HOLD-BACK={:.3},PART-HOLD-BACK={:.3}",
                config.skip_until().as_secs_f64(),
                config.hold_back().as_secs_f64(),
                view.part_hold_back().as_secs_f64(),
            ));
            self.line(format_args!(
                "#EXT-X-PART-INF:PART-TARGET={:.3}",
                view.part_target.as_secs_f64()
            ));
        }
        let first = view
            .done
            .first()
            .map_or(view.next_msn, |segment| segment.msn);
        self.line(format_args!("#EXT-X-MEDIA-SEQUENCE:{first}"));
        if view.discontinuity_sequence > 0 {
            self.line(format_args!(
                "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
                view.discontinuity_sequence
            ));
        }
        let all = view.done.iter().map(AsRef::as_ref).chain(&view.open);
        if all.into_iter().all(|segment: &Segment| segment.independent) {
            self.line(format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
        }
    }

    fn begin_segment(&mut self, segment: &Segment, map: &mut Option<u32>) {
        if segment.discontinuity {
            self.line(format_args!("#EXT-X-DISCONTINUITY"));
        }
        if map.replace(segment.init) != Some(segment.init) {
            let base = self.base;
            let name = Name::Init(segment.init);
            self.line(format_args!("#EXT-X-MAP:URI=\"{base}{name}\""));
        }
        if let Ok(time) = Timestamp::from_millisecond(segment.unix_ms) {
            self.line(format_args!("#EXT-X-PROGRAM-DATE-TIME:{time:.3}"));
        }
    }

    fn parts(&mut self, segment: &Segment) {
        for (number, part) in segment.parts().iter().enumerate() {
            self.part(segment.msn, number, part);
        }
    }

    fn part(&mut self, msn: u64, number: usize, part: &Part) {
        let independent = if part.independent {
            ",INDEPENDENT=YES"
        } else {
            ""
        };
        let duration = part.duration.as_secs_f64();
        let (base, name) = (self.base, Name::Part(msn, number));
        self.line(format_args!(
            "#EXT-X-PART:DURATION={duration:.5},URI=\"{base}{name}\"{independent}"
        ));
    }

    fn end_segment(&mut self, segment: &Segment) {
        if segment.is_lost() {
            self.line(format_args!("#EXT-X-GAP"));
        }
        let duration = segment.duration.as_secs_f64();
        self.line(format_args!("#EXTINF:{duration:.5},"));
        let (base, name) = (self.base, Name::Segment(segment.msn));
        self.line(format_args!("{base}{name}"));
    }

    /// §4.4.5.3: the part that comes next.
    fn hint(&mut self, view: &View) {
        let part = view.open.as_ref().map_or(0, |open| open.parts().len());
        let (base, name) = (self.base, Name::Part(view.next_msn, part));
        self.line(format_args!(
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{base}{name}\""
        ));
    }

    fn report(&mut self, report: &Report) {
        let Report { uri, msn, part } = report;
        self.line(format_args!(
            "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn},LAST-PART={part}"
        ));
    }
}
