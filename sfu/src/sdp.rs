//! The policy over SDP offers: what a WHIP or WHEP client may ask for, and in which words it is refused.
//!
//! str0m negotiates; this module decides beforehand (RFC 9725 §4.4: all or nothing, no partial
//! success) and hands on a cleaned offer: without the client's candidates, which an ICE-lite agent
//! never uses, so that no address in an offer is ever contacted, and with the one direction that the
//! endpoint serves.

use str0m::format::{Codec, CodecConfig, FormatParams};
use str0m::media::Frequency;

use crate::calls::OfferError;
use crate::event::Role;
use crate::video::VideoCodec;

/// A parsed offer.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    session: Vec<String>,
    sections: Vec<Section>,
}

#[derive(Debug, Clone)]
struct Section {
    kind: Kind,
    rejected: bool,
    direction: Option<String>,
    codecs: Vec<OfferedCodec>,
    rids: Vec<String>,
    lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Audio,
    Video,
    Application,
    Other(String),
}

#[derive(Debug, Clone)]
struct OfferedCodec {
    pt: u8,
    name: String,
    clock_rate: u32,
    channels: Option<u8>,
    fmtp: String,
    rtx: Option<u8>,
}

/// What the policy settled.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// The offer for str0m.
    pub(crate) sdp: String,
    /// The codecs for str0m, in order of preference, with the offer's payload types.
    pub(crate) codecs: CodecConfig,
    /// The publisher's video codec.
    pub(crate) video: Option<VideoCodec>,
    /// Simulcast layers offered; 1 without simulcast, 0 without video.
    pub(crate) layers: usize,
}

/// Video codecs in the order in which publishers are asked for them: HLS needs H264.
const PUBLISH_PREFERENCE: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
    VideoCodec::H265,
];

const USABLE_VIDEO: &str = "H264, VP8, VP9, AV1 or H265";
const USABLE_AUDIO: &str = "opus";
const MOST_LINES: usize = 2_000;
const MOST_SECTIONS: usize = 32;
const MOST_CODECS: usize = 128;

impl Offer {
    /// Reads an offer (RFC 8866 §5), within `most_bytes`.
    pub(crate) fn parse(text: &str, most_bytes: usize) -> Result<Self, OfferError> {
        if text.len() > most_bytes {
            return Err(invalid(format!("it is longer than {most_bytes} bytes")));
        }
        if !text.trim_start().starts_with("v=0") {
            return Err(invalid("it does not start with v=0"));
        }
        let mut session = Vec::new();
        let mut sections: Vec<Section> = Vec::new();
        for (number, line) in lines(text).enumerate() {
            if number >= MOST_LINES {
                return Err(invalid(format!("it has more than {MOST_LINES} lines")));
            }
            if line.is_empty() {
                continue;
            }
            if line.as_bytes().get(1) != Some(&b'=') {
                return Err(invalid(format!("line {} has no type", number + 1)));
            }
            if let Some(media) = line.strip_prefix("m=") {
                if sections.len() >= MOST_SECTIONS {
                    return Err(invalid(format!("it has more than {MOST_SECTIONS} m-lines")));
                }
                sections.push(Section::new(media, line)?);
            } else if let Some(section) = sections.last_mut() {
                section.take(line)?;
            } else {
                session.push(line.to_owned());
            }
        }
        if sections.is_empty() {
            return Err(OfferError::NoMedia);
        }
        Ok(Self { session, sections })
    }

    /// Decides on a WHIP offer.
    pub(crate) fn accept_publisher(&self, most_layers: usize) -> Result<Accepted, OfferError> {
        self.check_sections(Role::Publisher)?;
        let mut codecs = CodecConfig::empty();
        self.add_opus(&mut codecs)?;
        let mut video = None;
        let mut layers = 0;
        if let Some(section) = self.section(&Kind::Video) {
            let chosen = PUBLISH_PREFERENCE
                .into_iter()
                .find(|codec| section.usable(*codec).next().is_some())
                .ok_or_else(|| section.no_usable_codec("video", USABLE_VIDEO))?;
            section.add(&mut codecs, chosen);
            video = Some(chosen);
            layers = section.rids.len().max(1);
            if layers > most_layers {
                return Err(OfferError::TooManyLayers {
                    count: layers,
                    most: most_layers,
                });
            }
        }
        Ok(Accepted {
            sdp: self.cleaned("sendonly"),
            codecs,
            video,
            layers,
        })
    }

    /// Decides on a viewer's or another node's offer for a stream whose video codec is `published`, where
    /// it is known.
    pub(crate) fn accept_viewer(
        &self,
        role: Role,
        published: Option<VideoCodec>,
    ) -> Result<Accepted, OfferError> {
        self.check_sections(role)?;
        let mut codecs = CodecConfig::empty();
        self.add_opus(&mut codecs)?;
        if let Some(section) = self.section(&Kind::Video) {
            let mut order = PUBLISH_PREFERENCE;
            order.sort_by_key(|codec| Some(*codec) != published);
            for codec in order {
                section.add(&mut codecs, codec);
            }
            if !codecs.params().iter().any(|p| p.spec().codec.is_video()) {
                return Err(section.no_usable_codec("video", USABLE_VIDEO));
            }
            if let Some(codec) = published
                && section.usable(codec).next().is_none()
            {
                return Err(OfferError::CodecMismatch {
                    published: codec.name().to_owned(),
                    offered: section.codec_names(),
                });
            }
        }
        Ok(Accepted {
            sdp: self.cleaned("recvonly"),
            codecs,
            video: published,
            layers: 0,
        })
    }

    fn section(&self, kind: &Kind) -> Option<&Section> {
        self.sections
            .iter()
            .find(|s| &s.kind == kind && !s.rejected)
    }

    fn check_sections(&self, role: Role) -> Result<(), OfferError> {
        for (kind, name) in [(Kind::Audio, "audio"), (Kind::Video, "video")] {
            let count = self
                .sections
                .iter()
                .filter(|s| s.kind == kind && !s.rejected)
                .count();
            let takes_many = role == Role::Relay && kind == Kind::Video;
            if count > 1 && !takes_many {
                return Err(OfferError::TooManyTracks { kind: name, count });
            }
            if let Some(section) = self.section(&kind) {
                self.check_direction(section, role, name)?;
            }
        }
        for section in &self.sections {
            if !section.lines.iter().any(|line| line.starts_with("a=mid:")) {
                return Err(invalid("an m-line has no a=mid"));
            }
            if let Kind::Other(kind) = &section.kind {
                return Err(invalid(format!(
                    "m={kind} is not supported; send audio and video"
                )));
            }
        }
        if self.section(&Kind::Audio).is_none() && self.section(&Kind::Video).is_none() {
            return Err(OfferError::NoMedia);
        }
        Ok(())
    }

    fn check_direction(
        &self,
        section: &Section,
        role: Role,
        kind: &'static str,
    ) -> Result<(), OfferError> {
        let found = section
            .direction
            .clone()
            .or_else(|| self.session.iter().find_map(|line| direction_of(line)))
            .unwrap_or_else(|| "sendrecv".to_owned());
        let (right, wanted) = match role {
            Role::Publisher => ("sendonly", "a WHIP offer is sendonly"),
            Role::Viewer | Role::Relay => ("recvonly", "a WHEP offer is recvonly"),
        };
        if found == right || found == "sendrecv" {
            return Ok(());
        }
        Err(OfferError::WrongDirection {
            kind,
            found,
            wanted,
        })
    }

    fn add_opus(&self, codecs: &mut CodecConfig) -> Result<(), OfferError> {
        let Some(section) = self.section(&Kind::Audio) else {
            return Ok(());
        };
        let opus = section
            .codecs
            .iter()
            .find(|c| c.name == "OPUS" && c.clock_rate == 48_000)
            .ok_or_else(|| section.no_usable_codec("audio", USABLE_AUDIO))?;
        codecs.add_config(
            opus.pt.into(),
            opus.rtx.map(Into::into),
            Codec::Opus,
            Frequency::FORTY_EIGHT_KHZ,
            opus.channels,
            FormatParams::parse_line(&opus.fmtp),
        );
        Ok(())
    }

    /// The offer for str0m: no candidates, one direction, CRLF.
    fn cleaned(&self, direction: &str) -> String {
        let mut sdp = String::new();
        let mut push = |line: &str| {
            sdp.push_str(line);
            sdp.push_str("\r\n");
        };
        for line in &self.session {
            if direction_of(line).is_none() && !is_candidate(line) {
                push(line);
            }
        }
        for section in &self.sections {
            let is_media = matches!(section.kind, Kind::Audio | Kind::Video);
            for line in &section.lines {
                if is_candidate(line) {
                    continue;
                }
                if is_media && direction_of(line).is_some() {
                    continue;
                }
                push(line);
            }
            if is_media && !section.rejected {
                push(&format!("a={direction}"));
            } else if is_media {
                push("a=inactive");
            }
        }
        sdp
    }
}

impl Section {
    fn new(media: &str, line: &str) -> Result<Self, OfferError> {
        let mut words = media.split_ascii_whitespace();
        let kind = match words.next() {
            Some("audio") => Kind::Audio,
            Some("video") => Kind::Video,
            Some("application") => Kind::Application,
            Some(other) => Kind::Other(token(other).unwrap_or("unknown").to_owned()),
            None => return Err(invalid("an m-line is empty")),
        };
        let port = words
            .next()
            .ok_or_else(|| invalid("an m-line has no port"))?;
        Ok(Self {
            kind,
            // Port 0 also means "bundled with the first" (RFC 9143 §7.2.1).
            rejected: port == "0",
            direction: None,
            codecs: Vec::new(),
            rids: Vec::new(),
            lines: vec![line.to_owned()],
        })
    }

    fn take(&mut self, line: &str) -> Result<(), OfferError> {
        if let Some(rtpmap) = line.strip_prefix("a=rtpmap:") {
            self.take_rtpmap(rtpmap)?;
        } else if let Some(fmtp) = line.strip_prefix("a=fmtp:") {
            self.take_fmtp(fmtp);
        } else if let Some(rid) = line.strip_prefix("a=rid:") {
            let rid = rid.split_ascii_whitespace().next().and_then(token);
            let rid = rid.ok_or_else(|| invalid("an a=rid line is malformed"))?;
            self.rids.push(rid.to_owned());
        } else if line.starts_with("a=bundle-only") {
            self.rejected = false;
        } else if let Some(direction) = direction_of(line) {
            self.direction = Some(direction);
        }
        self.lines.push(line.to_owned());
        Ok(())
    }

    fn take_rtpmap(&mut self, rtpmap: &str) -> Result<(), OfferError> {
        if self.codecs.len() >= MOST_CODECS {
            return Err(invalid(format!("it has more than {MOST_CODECS} codecs")));
        }
        let parsed = rtpmap.split_once(' ').and_then(|(pt, encoding)| {
            let mut parts = encoding.trim().split('/');
            let name = token(parts.next()?)?.to_ascii_uppercase();
            let clock_rate = parts.next()?.parse().ok()?;
            let channels = parts.next().and_then(|c| c.parse().ok());
            let pt = payload_type(pt)?;
            Some((pt, name, clock_rate, channels))
        });
        let (pt, name, clock_rate, channels) =
            parsed.ok_or_else(|| invalid("an a=rtpmap line is malformed"))?;
        self.codecs.push(OfferedCodec {
            pt,
            name,
            clock_rate,
            channels,
            fmtp: String::new(),
            rtx: None,
        });
        Ok(())
    }

    fn take_fmtp(&mut self, fmtp: &str) {
        let Some((pt, parameters)) = fmtp.split_once(' ') else {
            return;
        };
        let Some(pt) = payload_type(pt) else { return };
        let apt = parameters
            .trim()
            .strip_prefix("apt=")
            .and_then(|apt| payload_type(apt.split(';').next()?));
        if let Some(apt) = apt {
            if let Some(primary) = self.codecs.iter_mut().find(|c| c.pt == apt) {
                primary.rtx = Some(pt);
            }
        } else if let Some(codec) = self.codecs.iter_mut().find(|c| c.pt == pt) {
            codec.fmtp = parameters.trim().to_owned();
        }
    }

    /// Entries of one codec that we can forward. H264 wants packetization-mode 1 (RFC 6184 §6.3);
    /// mode 0 is taken only where there is nothing else.
    fn usable(&self, codec: VideoCodec) -> impl Iterator<Item = &OfferedCodec> {
        let has_mode_1 = self
            .codecs
            .iter()
            .any(|c| c.name == "H264" && is_packetization_mode_1(&c.fmtp));
        self.codecs.iter().filter(move |c| {
            c.clock_rate == 90_000
                && c.name == codec.name()
                && (codec != VideoCodec::H264 || !has_mode_1 || is_packetization_mode_1(&c.fmtp))
        })
    }

    fn add(&self, codecs: &mut CodecConfig, codec: VideoCodec) {
        let mut entries: Vec<_> = self.usable(codec).collect();
        // Constrained baseline first: every decoder has it.
        entries.sort_by_key(|c| {
            !c.fmtp
                .to_ascii_lowercase()
                .contains("profile-level-id=42e0")
        });
        for entry in entries {
            codecs.add_config(
                entry.pt.into(),
                entry.rtx.map(Into::into),
                codec.for_str0m(),
                Frequency::NINETY_KHZ,
                None,
                FormatParams::parse_line(&entry.fmtp),
            );
        }
    }

    fn codec_names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for codec in &self.codecs {
            let helper = matches!(codec.name.as_str(), "RTX" | "RED" | "ULPFEC" | "FLEXFEC-03");
            if !helper && !names.contains(&codec.name.as_str()) {
                names.push(&codec.name);
            }
        }
        if names.is_empty() {
            return "none".to_owned();
        }
        names.truncate(12);
        names.join(", ")
    }

    fn no_usable_codec(&self, kind: &'static str, usable: &'static str) -> OfferError {
        OfferError::NoUsableCodec {
            kind,
            offered: self.codec_names(),
            usable,
        }
    }
}

/// The ICE credentials in an SDP fragment (RFC 8840 §9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
}

/// Reads the ICE credentials of an `application/trickle-ice-sdpfrag`; none in plain trickle.
///
/// # Errors
/// In words, when only one half is there or a length is not that of RFC 8839 §5.4.
pub(crate) fn fragment_credentials(fragment: &str) -> Result<Option<Credentials>, String> {
    match (ice_ufrag(fragment), first(fragment, "a=ice-pwd:")) {
        (None, None) => Ok(None),
        (Some(ufrag), Some(pwd)) => {
            let fits = |text: &str, least: usize| {
                (least..=256).contains(&text.len())
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
            };
            if fits(ufrag, 4) && fits(pwd, 22) {
                let (ufrag, pwd) = (ufrag.to_owned(), pwd.to_owned());
                Ok(Some(Credentials { ufrag, pwd }))
            } else {
                Err("ice-ufrag wants 4 and ice-pwd 22 to 256 ICE characters".to_owned())
            }
        }
        _ => Err("ice-ufrag and ice-pwd come together".to_owned()),
    }
}

/// The first `ice-ufrag` of an offer or a fragment (RFC 8839 §5.4). A fragment whose value is not
/// that of the offer asks for an ICE restart.
#[must_use]
pub fn ice_ufrag(sdp: &str) -> Option<&str> {
    first(sdp, "a=ice-ufrag:")
}

/// The value of the first such line.
fn first<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    lines(sdp).find_map(|line| line.strip_prefix(name))
}

/// The lines without blanks around them. A line ends at CRLF, but also at a CR or LF alone: a reader
/// after us may see an end there, and must not find a line that we have not judged.
fn lines(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.split("\r\n")
        .flat_map(|line| line.split(['\r', '\n']))
        .map(str::trim)
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates")
}

/// The offer with other ICE credentials, as for a restart.
pub(crate) fn with_credentials(offer: &str, credentials: &Credentials) -> String {
    let mut sdp = String::with_capacity(offer.len());
    for line in offer.lines() {
        if line.starts_with("a=ice-ufrag:") {
            sdp.push_str("a=ice-ufrag:");
            sdp.push_str(&credentials.ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            sdp.push_str("a=ice-pwd:");
            sdp.push_str(&credentials.pwd);
        } else {
            sdp.push_str(line);
        }
        sdp.push_str("\r\n");
    }
    sdp
}

/// The credentials of an offer, for telling a restart from plain trickle.
pub(crate) fn offer_credentials(offer: &str) -> Option<Credentials> {
    fragment_credentials(offer).ok().flatten()
}

/// Our part of a restarted session as `application/trickle-ice-sdpfrag` (RFC 9725 §4.3.3).
pub(crate) fn answer_fragment(answer: &str) -> String {
    let mut fragment = String::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut section = "";
    for line in answer.lines() {
        let wanted = ["a=ice-lite", "a=ice-options", "a=ice-ufrag", "a=ice-pwd"]
            .iter()
            .any(|prefix| line.starts_with(prefix));
        if wanted && !seen.contains(&line) {
            seen.push(line);
            fragment.push_str(line);
            fragment.push_str("\r\n");
        }
    }
    let mut is_first = false;
    for line in answer.lines() {
        if line.starts_with("m=") {
            if !section.is_empty() {
                break;
            }
            section = line;
            is_first = true;
            fragment.push_str(line);
            fragment.push_str("\r\n");
        }
        let wanted = line.starts_with("a=mid:")
            || line.starts_with("a=candidate:")
            || line.starts_with("a=end-of-candidates");
        if is_first && wanted {
            fragment.push_str(line);
            fragment.push_str("\r\n");
        }
    }
    fragment
}

/// A short token of plain characters (RFC 8866 §9), safe to show.
fn token(text: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&b);
    let fits = (1..=32).contains(&text.len());
    (fits && text.bytes().all(is_plain)).then_some(text)
}

/// A payload type has 7 bits (RFC 3550 §5.1).
fn payload_type(text: &str) -> Option<u8> {
    text.trim().parse().ok().filter(|pt| *pt < 128)
}

fn is_packetization_mode_1(fmtp: &str) -> bool {
    fmtp.split(';')
        .any(|parameter| parameter.trim() == "packetization-mode=1")
}

fn direction_of(line: &str) -> Option<String> {
    ["sendonly", "recvonly", "sendrecv", "inactive"]
        .into_iter()
        .find(|direction| line.strip_prefix("a=") == Some(direction))
        .map(str::to_owned)
}

fn invalid(reason: impl Into<String>) -> OfferError {
    OfferError::InvalidSdp(reason.into())
}

/// What str0m says of an offer, in one line that a person can read.
pub(crate) fn readable(error: &str) -> String {
    let told = error
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("PointerOffset"));
    let text = told.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        return "it does not follow the SDP grammar".to_owned();
    }
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
