//! A checker for playlists, written from draft-pantos-hls-rfc8216bis and sharing nothing with
//! the code that writes them.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use hls::{Origin, PlaylistRequest, ReadError};

/// A media playlist as a player reads it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Playlist {
    pub(crate) target_duration: f64,
    pub(crate) part_target: Option<f64>,
    pub(crate) hold_back: Option<f64>,
    pub(crate) part_hold_back: Option<f64>,
    pub(crate) skip_until: Option<f64>,
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) independent_segments: bool,
    /// `EXT-X-PLAYLIST-TYPE:VOD`.
    pub(crate) vod: bool,
    pub(crate) skipped: u64,
    pub(crate) segments: Vec<Segment>,
    /// Parts behind the last segment.
    pub(crate) trailing: Segment,
    pub(crate) hint: Option<String>,
    pub(crate) reports: Vec<BTreeMap<String, String>>,
    pub(crate) ended: bool,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Segment {
    pub(crate) msn: u64,
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) discontinuity: bool,
    pub(crate) gap: bool,
    pub(crate) map: String,
    pub(crate) time: Option<String>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) independent: bool,
}

/// Attributes (§4.2): `NAME=value` and `NAME="value"`, separated by commas.
fn attributes(text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        let before = all.insert(name.to_owned(), value.to_owned());
        assert!(before.is_none(), "{name} stands twice in {text}");
        rest = next.strip_prefix(',').unwrap_or(next);
    }
    all
}

fn number(attributes: &BTreeMap<String, String>, name: &str) -> Option<f64> {
    attributes
        .get(name)
        .map(|value| value.parse().expect("a number"))
}

/// The playlist of the rendition `v0`.
pub(crate) async fn playlist(
    origin: &Origin,
    request: PlaylistRequest,
) -> Result<Playlist, ReadError> {
    let rendered = origin.playlist("v0", request).await?;
    let text = String::from_utf8(rendered.text().to_vec()).unwrap();
    Ok(Playlist::checked(&text))
}

/// The playlist as it stands.
pub(crate) fn now(origin: &Origin) -> Playlist {
    let asked = playlist(origin, PlaylistRequest::default());
    asked.now_or_never().expect("nothing to wait for").unwrap()
}

impl Playlist {
    /// Reads a playlist and holds it against the rules for a single one.
    pub(crate) fn checked(text: &str) -> Self {
        let playlist = Self::parse(text);
        playlist.check(text);
        playlist
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        let mut playlist = Self::default();
        let mut next = Segment::default();
        for line in lines {
            assert!(!line.contains('\r') && !line.is_empty(), "{line:?}");
            playlist.take(line, &mut next);
        }
        playlist.trailing = next;
        playlist
    }

    fn take(&mut self, line: &str, next: &mut Segment) {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-VERSION" => assert_eq!(value, "9", "EXT-X-SKIP wants version 9"),
            "#EXT-X-TARGETDURATION" => {
                self.target_duration = f64::from(value.parse::<u32>().expect("whole seconds"));
            }
            "#EXT-X-SERVER-CONTROL" => {
                let control = attributes(value);
                assert_eq!(control["CAN-BLOCK-RELOAD"], "YES");
                self.hold_back = number(&control, "HOLD-BACK");
                self.part_hold_back = number(&control, "PART-HOLD-BACK");
                self.skip_until = number(&control, "CAN-SKIP-UNTIL");
            }
            "#EXT-X-PART-INF" => self.part_target = number(&attributes(value), "PART-TARGET"),
            "#EXT-X-MEDIA-SEQUENCE" => {
                assert!(self.segments.is_empty() && self.skipped == 0);
                self.media_sequence = value.parse().expect("a number");
            }
            "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                assert!(self.segments.is_empty(), "before the first segment");
                self.discontinuity_sequence = value.parse().expect("a number");
            }
            "#EXT-X-INDEPENDENT-SEGMENTS" => self.independent_segments = true,
            "#EXT-X-PLAYLIST-TYPE" => {
                assert!(self.segments.is_empty(), "before the first segment");
                assert_eq!(value, "VOD", "an event would never lose a segment");
                self.vod = true;
            }
            "#EXT-X-SKIP" => {
                assert!(self.segments.is_empty() && self.skipped == 0);
                let skip = attributes(value);
                self.skipped = skip["SKIPPED-SEGMENTS"].parse().expect("a number");
                assert!(self.skipped > 0);
            }
            "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
            "#EXT-X-GAP" => next.gap = true,
            "#EXT-X-MAP" => next.map = attributes(value)["URI"].clone(),
            "#EXT-X-PROGRAM-DATE-TIME" => next.time = Some(value.to_owned()),
            "#EXT-X-PART" => {
                let part = attributes(value);
                next.parts.push(Part {
                    uri: part["URI"].clone(),
                    duration: number(&part, "DURATION").expect("a duration"),
                    independent: part.get("INDEPENDENT").is_some_and(|yes| yes == "YES"),
                });
            }
            "#EXTINF" => {
                let duration = value.trim_end_matches(',');
                next.duration = duration.parse().expect("a duration");
            }
            "#EXT-X-PRELOAD-HINT" => {
                let hint = attributes(value);
                assert_eq!(hint["TYPE"], "PART");
                self.hint = Some(hint["URI"].clone());
            }
            "#EXT-X-RENDITION-REPORT" => self.reports.push(attributes(value)),
            "#EXT-X-ENDLIST" => self.ended = true,
            _ if line.starts_with('#') => panic!("unknown tag {line}"),
            _ => self.end_segment(line, std::mem::take(next), next),
        }
    }

    fn end_segment(&mut self, uri: &str, mut segment: Segment, next: &mut Segment) {
        uri.clone_into(&mut segment.uri);
        let before = u64::try_from(self.segments.len()).expect("few");
        segment.msn = self.media_sequence + self.skipped + before;
        // §4.4.4.5: a map holds until the next.
        if segment.map.is_empty()
            && let Some(last) = self.segments.last()
        {
            segment.map.clone_from(&last.map);
        }
        next.map.clone_from(&segment.map);
        self.segments.push(segment);
    }

    fn check(&self, text: &str) {
        let say = |rule: &str| format!("{rule} in\n{text}");
        for segment in &self.segments {
            assert!(segment.duration > 0.0, "{}", say("EXTINF is positive"));
            assert!(
                segment.duration.round() <= self.target_duration,
                "{}",
                say("§4.4.3.1: no EXTINF rounds to more than the target duration")
            );
            assert!(
                !segment.map.is_empty(),
                "{}",
                say("every segment has a map")
            );
            assert!(segment.time.is_some(), "{}", say("and a time of day"));
            if !segment.parts.is_empty() {
                let sum: f64 = segment.parts.iter().map(|part| part.duration).sum();
                assert!(
                    (sum - segment.duration).abs() < 0.001,
                    "{}",
                    say("the parts of a segment are as long as the segment")
                );
            }
            if self.independent_segments && !segment.parts.is_empty() {
                assert!(segment.parts[0].independent, "{}", say("§4.4.2.1"));
            }
        }
        assert!(!self.vod || self.ended, "{}", say("a VOD has an end"));
        let Some(part_target) = self.part_target else {
            assert!(self.ended, "{}", say("a live playlist has parts"));
            return;
        };
        let segments = self.segments.iter().chain([&self.trailing]);
        for part in segments.flat_map(|segment| &segment.parts) {
            assert!(
                part.duration <= part_target + 0.00001,
                "{}",
                say("§4.4.4.9: no part is longer than the part target")
            );
        }
        let target = self.target_duration;
        assert!(
            self.hold_back.unwrap() >= 3.0 * target,
            "{}",
            say("§4.4.3.8")
        );
        assert!(
            self.part_hold_back.unwrap() >= 3.0 * part_target - 0.001,
            "{}",
            say("§4.4.3.8")
        );
        assert!(
            self.skip_until.unwrap() >= 6.0 * target,
            "{}",
            say("§4.4.3.8")
        );
        assert_eq!(self.hint.is_some(), !self.ended, "{}", say("a hint"));
        let listed: Vec<&String> = self
            .segments
            .iter()
            .chain([&self.trailing])
            .flat_map(|segment| segment.parts.iter().map(|part| &part.uri))
            .collect();
        if let Some(hint) = &self.hint {
            assert!(!listed.contains(&hint), "{}", say("the hint is to come"));
        }
    }

    /// Holds a playlist against the one before it of the same rendition (§6.2.1, §6.2.2).
    pub(crate) fn check_follows(&self, before: &Self) {
        assert_eq!(self.target_duration, before.target_duration, "§4.4.3.1");
        assert!(self.media_sequence >= before.media_sequence);
        assert!(!before.ended || self == before, "nothing follows the end");
        let removed = before
            .segments
            .iter()
            .filter(|segment| segment.msn < self.media_sequence);
        let discontinuities = removed.filter(|segment| segment.discontinuity).count();
        assert_eq!(
            self.discontinuity_sequence,
            before.discontinuity_sequence + u64::try_from(discontinuities).expect("few"),
            "§6.2.2"
        );
        for segment in &self.segments {
            let same = before.segments.iter().find(|old| old.msn == segment.msn);
            if let Some(old) = same {
                assert_eq!(
                    (
                        &old.uri,
                        old.duration,
                        old.discontinuity,
                        &old.map,
                        &old.time
                    ),
                    (
                        &segment.uri,
                        segment.duration,
                        segment.discontinuity,
                        &segment.map,
                        &segment.time
                    ),
                    "a segment never changes"
                );
            }
            if segment.msn == before.end() && !segment.parts.is_empty() {
                let kept = before.trailing.parts.len();
                assert_eq!(segment.parts[..kept], before.trailing.parts[..]);
            }
        }
    }

    /// The playlist that a player has after this delta update of `before` (§6.2.5.1).
    pub(crate) fn applied_to(&self, before: &Self) -> Self {
        let mut whole = self.clone();
        whole.skipped = 0;
        let first = self.media_sequence;
        let kept = before
            .segments
            .iter()
            .filter(|segment| (first..first + self.skipped).contains(&segment.msn));
        let mut segments: Vec<Segment> = kept.cloned().collect();
        assert_eq!(u64::try_from(segments.len()).expect("few"), self.skipped);
        segments.extend(self.segments.iter().cloned());
        whole.segments = segments;
        whole
    }

    /// The number of the segment behind the last.
    pub(crate) fn end(&self) -> u64 {
        self.media_sequence + self.skipped + u64::try_from(self.segments.len()).expect("few")
    }
}

/// A multivariant playlist as a player that steers reads it (§4.4.6, §7).
#[derive(Debug, Default)]
pub(crate) struct Multivariant {
    /// `SERVER-URI` and `PATHWAY-ID` of `EXT-X-CONTENT-STEERING`.
    pub(crate) steering: Option<(String, String)>,
    /// Attributes of each `EXT-X-MEDIA`.
    pub(crate) media: Vec<BTreeMap<String, String>>,
    /// Attributes and URI of each `EXT-X-STREAM-INF`.
    pub(crate) variants: Vec<(BTreeMap<String, String>, String)>,
}

impl Multivariant {
    /// Reads it and holds it against the rules.
    pub(crate) fn checked(text: &str) -> Self {
        let mut read = Self::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        while let Some(line) = lines.next() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-VERSION" => {}
                "#EXT-X-CONTENT-STEERING" => {
                    let of = attributes(value);
                    let told = (of["SERVER-URI"].clone(), of["PATHWAY-ID"].clone());
                    assert!(read.steering.replace(told).is_none(), "one at most");
                }
                "#EXT-X-MEDIA" => read.media.push(attributes(value)),
                "#EXT-X-STREAM-INF" => {
                    let uri = lines.next().expect("a URI").to_owned();
                    read.variants.push((attributes(value), uri));
                }
                _ => panic!("unknown line {line}"),
            }
        }
        read.check();
        read
    }

    /// The pathways, in the order in which they are listed.
    pub(crate) fn pathways(&self) -> Vec<&str> {
        let mut pathways = Vec::new();
        for (variant, _) in &self.variants {
            let pathway = variant.get("PATHWAY-ID").map_or(".", String::as_str);
            if !pathways.contains(&pathway) {
                pathways.push(pathway);
            }
        }
        pathways
    }

    /// What a player has to choose from on a pathway: stable names, without URIs and groups.
    fn choice(&self, pathway: &str) -> Vec<BTreeMap<String, String>> {
        let of_pathway = self.variants.iter().map(|(variant, _)| variant);
        let of_pathway =
            of_pathway.filter(|one| one.get("PATHWAY-ID").map_or(".", String::as_str) == pathway);
        let choice = of_pathway.map(|variant| {
            let mut variant = variant.clone();
            variant.remove("PATHWAY-ID");
            variant.remove("AUDIO");
            variant
        });
        choice.collect()
    }

    fn check(&self) {
        let pathways = self.pathways();
        if let Some((_, first)) = &self.steering {
            assert!(
                pathways.contains(&first.as_str()),
                "§4.4.6.6: one that there is"
            );
        }
        let mut owners = BTreeMap::new();
        for (variant, _) in &self.variants {
            let pathway = variant.get("PATHWAY-ID").map_or(".", String::as_str);
            assert!(pathway == "." || variant.contains_key("STABLE-VARIANT-ID"));
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(pathway.chars().all(allowed), "{pathway}");
            let Some(group) = variant.get("AUDIO") else {
                continue;
            };
            assert!(
                self.media.iter().any(|media| media["GROUP-ID"] == *group),
                "§4.4.6.2: there is such a group"
            );
            let owner = *owners.entry(group).or_insert(pathway);
            assert_eq!(owner, pathway, "a group is of one pathway");
        }
        for pathway in &pathways {
            assert_eq!(
                self.choice(pathway),
                self.choice(pathways[0]),
                "a pathway has what the others have"
            );
        }
        let uris = self.variants.iter().map(|(_, uri)| uri);
        let mut uris: Vec<_> = uris.collect();
        uris.sort_unstable();
        uris.dedup();
        assert_eq!(uris.len(), self.variants.len(), "no URI stands twice");
    }
}
