//! Doors for the fuzz targets in `sfu/fuzz` and for the replay of their corpus in `tests/corpus.rs`.
//!
//! Not part of the crate's face: hidden from its documentation and without promise. It stands behind
//! no feature, so that the corpus is replayed on the very build that all other tests use and nothing
//! is built twice; what a program does not call, its linker leaves out.
//!
//! Each entry takes bytes as a stranger could send them, and panics when a promise of the module
//! that reads them is broken.

mod packetise;
mod tap;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, Vp8Descriptor};
use str0m::{IceCreds, Input, Rtc, RtcConfig};

use crate::calls::Patched;
use crate::config::Config;
use crate::demux::{self, PacketKind};
use crate::event::Role;
use crate::ids::StreamId;
use crate::keyframe::GopCache;
use crate::lane;
use crate::lenient::Incomplete;
use crate::packet::{AUDIO_CLOCK, Packet, Source, VIDEO_CLOCK};
use crate::rewrite::{Rewriter, Rewritten};
use crate::sdp::{self, Accepted, Offer};
use crate::session::{Outbox, Session};
use crate::settings::Settings;
use crate::video::{self, VideoCodec};

pub use packetise::packetise;
pub use tap::tap;

/// The ICE user fragment of the session that [`demux`] knocks at, so that a corpus can name it.
pub const UFRAG: &str = "fuzz";

/// Longest offer that the entries read.
const MOST_SDP: usize = 64 * 1024;
/// Longest text that a refusal may have; it is shown to people.
const MOST_WORDS: usize = 1_000;
const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
    VideoCodec::H265,
];

/// A datagram from an address that nobody knows. None is taken by a session whose password its
/// sender cannot know.
pub fn demux(datagram: &[u8]) {
    thread_local! {
        static KNOCKED_AT: RefCell<Rtc> = RefCell::new(lonely_rtc());
    }
    let kind = demux::kind_of(datagram);
    let ufrag = demux::requested_ufrag(datagram);
    assert!(ufrag.is_none() || kind == PacketKind::Stun);
    if let Some(request) = Incomplete::parse(datagram) {
        assert_eq!(request.ufrag().map(str::to_owned), ufrag);
        let signed = request.complete(&IceCreds::new().pass);
        assert_eq!(signed, None, "signed for who does not know the password");
    }
    let source = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4_000));
    let destination = SocketAddr::from((Ipv4Addr::LOCALHOST, 8_189));
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        if let Ok(receive) = Receive::new(protocol, source, destination, datagram) {
            let input = Input::Receive(base(), receive);
            let is_taken = KNOCKED_AT.with_borrow(|rtc| rtc.accepts(&input));
            assert!(!is_taken, "a datagram without the right HMAC was taken");
        }
    }
}

/// An offer, before the policy over SDP.
pub fn offer(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let offer = match Offer::parse(text, MOST_SDP) {
        Ok(offer) => offer,
        Err(refused) => return check_words(&refused.to_string()),
    };
    match offer.accept_publisher(MOST_LAYERS) {
        Ok(accepted) => {
            assert!(accepted.layers <= MOST_LAYERS);
            assert_eq!(accepted.video.is_none(), accepted.layers == 0);
            check_accepted(&accepted, "sendonly");
        }
        Err(refused) => check_words(&refused.to_string()),
    }
    for published in CODECS.into_iter().map(Some).chain([None]) {
        for role in [Role::Viewer, Role::Relay] {
            match offer.accept_viewer(role, published) {
                Ok(accepted) => check_accepted(&accepted, "recvonly"),
                Err(refused) => check_words(&refused.to_string()),
            }
        }
    }
}

/// An offer up to the first NUL, answered through str0m on both endpoints, and fragments behind it.
///
/// No session may say anything to an address before that address proved itself.
pub fn session(script: &[u8]) {
    let Ok(script) = std::str::from_utf8(script) else {
        return;
    };
    let mut parts = script.split('\0');
    let Ok(offer) = Offer::parse(parts.next().unwrap_or_default(), MOST_SDP) else {
        return;
    };
    let fragments: Vec<_> = parts.collect();
    let (stream, shared) = (StreamId::from(1), Arc::default());
    let published = Session::publish(settings(), base(), stream, Arc::clone(&shared), &offer);
    let watched = Session::view(settings(), base(), stream, Arc::clone(&shared), &offer);
    let relayed = Session::relay(settings(), base(), stream, shared, &offer);
    for opened in [published, watched, relayed] {
        match opened {
            Ok((mut session, answer)) => {
                check_answer(&answer.sdp);
                patch(&mut session, &answer.ice_tag, &fragments);
                check_silence(&mut session);
            }
            Err(refused) => check_words(&refused.to_string()),
        }
    }
}

/// An SDP fragment up to the first NUL, and an offer or answer behind it.
pub fn fragment(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let (fragment, offer) = text.split_once('\0').unwrap_or((text, text));
    match sdp::fragment_credentials(fragment) {
        Ok(Some(credentials)) => {
            let restarted = sdp::with_credentials(offer, &credentials);
            assert_eq!(restarted.lines().count(), offer.lines().count());
            let again = sdp::with_credentials(&restarted, &credentials);
            assert_eq!(again, restarted, "a second time changes nothing");
            for line in restarted.lines() {
                let ufrag = line.strip_prefix("a=ice-ufrag:");
                assert!(ufrag.is_none_or(|ufrag| ufrag == credentials.ufrag));
                let pwd = line.strip_prefix("a=ice-pwd:");
                assert!(pwd.is_none_or(|pwd| pwd == credentials.pwd));
            }
        }
        Ok(None) => {}
        Err(refused) => check_words(&refused),
    }
    let answer = sdp::answer_fragment(offer);
    assert!(answer.lines().all(|line| offer.lines().any(|l| l == line)));
    let sections = answer.lines().filter(|line| line.starts_with("m="));
    assert!(sections.count() <= 1, "credentials are of the whole bundle");
}

/// An RTP payload of the codec that the first byte chooses.
pub fn video_payload(bytes: &[u8]) {
    let Some((choice, payload)) = bytes.split_first() else {
        return;
    };
    let Some(codec) = CODECS.get(usize::from(*choice) % CODECS.len()) else {
        return;
    };
    let facts = video::inspect(*codec, payload);
    if let Some((width, height)) = facts.size {
        assert!((1..=16_384).contains(&width) && (1..=16_384).contains(&height));
    }
    assert!(
        !(facts.starts_keyframe && facts.discardable),
        "a key frame can be dropped without harm"
    );
}

/// A script of packets through the cache of a layer, and through the rewriter of a viewer who is
/// switched, spared packets and left alone as the script says.
pub fn rtp_sequence(script: &[u8]) {
    let Some((opening, steps)) = script.split_first_chunk::<8>() else {
        return;
    };
    let [clock, seq_high, seq_low, t3, t2, t1, t0, wrap] = *opening;
    let mut track = Track::new(
        if clock & 1 == 0 {
            VIDEO_CLOCK
        } else {
            AUDIO_CLOCK
        },
        u16::from_be_bytes([seq_high, seq_low]),
        u32::from_be_bytes([t3, t2, t1, t0]),
    );
    let mut source = Upstream::new(wrap);
    let mut layer = Layer::new();
    for step in steps.as_chunks::<8>().0 {
        let packet = source.next(step);
        layer.take(&packet);
        track.take(step, &packet);
    }
}

/// A script of media to a viewer, of time, and of what the viewer's reports hold once they are opened.
///
/// Nothing arrives that was not sent, nothing is sent again twice for one report, no number is sealed
/// twice, and probes end.
pub fn reports(script: &[u8]) {
    lane::fuzzing::reports(script, base());
}

// What is checked of offers.

const MOST_LAYERS: usize = 4;

fn check_words(words: &str) {
    assert!(!words.trim().is_empty(), "a refusal without words");
    assert!(
        words.len() <= MOST_WORDS,
        "a refusal of {} bytes is for no one to read",
        words.len()
    );
    let is_plain = !words.chars().any(char::is_control);
    assert!(is_plain, "a refusal repeats control characters: {words:?}");
}

fn check_accepted(accepted: &Accepted, direction: &str) {
    let sdp = accepted.sdp.as_str();
    assert!(!accepted.codecs.params().is_empty(), "nothing to play");
    for params in accepted.codecs.params() {
        assert!(*params.pt() < 128, "RFC 3550 §5.1: seven bits");
        assert!(params.resend().is_none_or(|pt| *pt < 128));
    }
    // A reader of SDP may take a single CR for the end of a line.
    for line in sdp.split(['\r', '\n']) {
        assert!(
            !line.starts_with("a=candidate:"),
            "an address of the offer is left"
        );
    }
    let media = sdp.split("\r\nm=application").next().unwrap_or_default();
    let other = ["sendonly", "recvonly", "sendrecv"]
        .into_iter()
        .find(|found| *found != direction && media.contains(&format!("\r\na={found}\r\n")));
    assert_eq!(other, None, "beside {direction}");
}

fn check_answer(answer: &str) {
    assert!(answer.starts_with("v=0\r\n"));
    assert!(answer.contains("a=ice-lite\r\n"));
    assert!(answer.contains("\r\na=fingerprint:"));
    assert!(answer.lines().any(|line| line.starts_with("m=")));
}

fn patch(session: &mut Session, ice_tag: &str, fragments: &[&str]) {
    let mut tags = BTreeSet::from([ice_tag.to_owned()]);
    for fragment in fragments {
        match session.link.patch(fragment) {
            Ok(Patched::Restarted { fragment, ice_tag }) => {
                assert!(fragment.contains("a=ice-ufrag:"));
                assert_eq!(session.ufrag(), ice_tag);
                assert!(tags.insert(ice_tag), "an ETag names two restarts");
            }
            Ok(_) => {}
            Err(refused) => check_words(&refused.to_string()),
        }
    }
}

fn check_silence(session: &mut Session) {
    let mut outbox = Outbox::default();
    for seconds in [0, 1, 5] {
        let now = base() + Duration::from_secs(seconds);
        session.drive(now, Input::Timeout(now), &mut outbox);
    }
    let is_silent = outbox.transmits.runs().next().is_none();
    assert!(is_silent, "an ICE-lite agent speaks when spoken to");
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let config = Config {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ..Config::default()
        };
        Settings::new(config, 8_189)
    })
}

/// A session with a user fragment that anybody knows and a password that nobody does.
fn lonely_rtc() -> Rtc {
    let credentials = IceCreds {
        ufrag: UFRAG.to_owned(),
        pass: IceCreds::new().pass,
    };
    RtcConfig::new()
        .set_ice_lite(true)
        .set_local_ice_credentials(credentials)
        .build(base())
}

/// The one moment from which all time here is counted.
pub(crate) fn base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant can be had only from the clock; nothing depends on which"
    )]
    *BASE.get_or_init(Instant::now)
}

// What is checked of RTP.

/// Makes packets out of the steps of a script.
struct Upstream {
    seq: u64,
    timestamp: u32,
    arrival: Instant,
}

impl Upstream {
    fn new(wrap: u8) -> Self {
        Self {
            // Either far from any turn of the 16 bit number, or close before one.
            seq: 0x0001_8000 + u64::from(wrap) * 0x80,
            timestamp: u32::from(wrap) << 24,
            arrival: base(),
        }
    }

    /// A step: what to do with the packet, its distances in number, time and arrival, what it is,
    /// how long, and its VP8 picture id.
    fn next(&mut self, step: &[u8; 8]) -> Arc<Packet> {
        let [_, seq, time_high, time_low, later, what, size, picture] = *step;
        self.seq = self.seq.saturating_add_signed(i64::from(seq.cast_signed()));
        let ticks = i16::from_be_bytes([time_high, time_low]);
        self.timestamp = self.timestamp.wrapping_add_signed(i32::from(ticks));
        self.arrival += Duration::from_millis(u64::from(later) * 4);
        let since_base = self.arrival.saturating_duration_since(base());
        let capture_us = i64::try_from(since_base.as_micros()).unwrap_or(i64::MAX)
            - i64::from(time_low) * 1_000_000;
        Arc::new(Packet {
            source: Source::Video(0),
            seq: self.seq,
            timestamp: self.timestamp,
            marker: what & 1 != 0,
            payload: vec![0; usize::from(size)].into(),
            arrival: self.arrival,
            capture_us: (what & 2 != 0).then_some(capture_us),
            wallclock: self.arrival,
            starts_keyframe: what & 4 != 0,
            discardable: what & 8 != 0,
            is_past: false,
            lead: None,
            vp8: (what & 16 != 0).then(|| vp8(picture)).flatten(),
            extensions: ExtensionValues::default(),
        })
    }
}

fn vp8(picture: u8) -> Option<Vp8Descriptor> {
    // RFC 7741 §4.2: X, S; I, L, T; picture id of 15 bits; TL0PICIDX; TID.
    Vp8Descriptor::parse(&[0x90, 0xe0, 0xff, picture, picture, 0, 0]).ok()
}

/// A [`GopCache`] with small bounds, and what it was given.
struct Layer {
    cache: GopCache,
    /// Number and timestamp of the newest key frame's first packet.
    newest_keyframe: Option<(u64, u32)>,
}

const MOST_AGE: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 2_000;

impl Layer {
    fn new() -> Self {
        Self {
            cache: GopCache::new(MOST_AGE, MOST_BYTES),
            newest_keyframe: None,
        }
    }

    fn take(&mut self, packet: &Arc<Packet>) {
        let generation = self.cache.generation();
        let opened = self.cache.push(packet);
        assert!(!opened || packet.starts_keyframe);
        assert!(!opened || self.cache.generation() != generation);
        if opened {
            self.newest_keyframe = Some((packet.seq, packet.timestamp));
        }
        self.check(packet.arrival);
    }

    fn check(&self, now: Instant) {
        let cached: Vec<_> = self.cache.from(0).collect();
        assert_eq!(cached.is_empty(), self.cache.is_empty());
        let bytes: usize = cached.iter().map(|packet| packet.payload.len()).sum();
        assert_eq!(bytes, self.cache.bytes());
        assert!(bytes <= MOST_BYTES, "more bytes than the bound");
        assert!(
            cached.iter().map(|p| p.seq).is_sorted_by(|a, b| a < b),
            "not in order"
        );
        let Some(first) = self.cache.first() else {
            assert_eq!(self.cache.frames(), 0);
            return;
        };
        let opening = cached.iter().filter(|p| p.timestamp == first.timestamp);
        assert!(
            opening.into_iter().any(|p| p.starts_keyframe),
            "starts with no key frame"
        );
        assert!(
            self.newest_keyframe
                .is_some_and(|(_, t)| t == first.timestamp),
            "starts with another key frame than the newest"
        );
        assert!(
            self.cache.age(now).is_some_and(|age| age <= MOST_AGE),
            "older than the bound"
        );
        assert!((1..=cached.len()).contains(&self.cache.frames()));
        assert!(self.cache.from(first.seq + 1).all(|p| p.seq > first.seq));
    }
}

/// A [`Rewriter`], and what it said.
struct Track {
    rewriter: Rewriter,
    clock: u32,
    first_timestamp: u32,
    /// Counts the switches.
    source: u32,
    /// Which packet of which source each outgoing number stands for.
    sent: HashMap<u64, (u32, u64)>,
    newest: Option<Rewritten>,
    /// Numbers of the source that were skipped.
    skipped: BTreeSet<u64>,
}

impl Track {
    fn new(clock: u32, first_seq: u16, first_timestamp: u32) -> Self {
        Self {
            rewriter: Rewriter::new(clock, first_seq, first_timestamp),
            clock,
            first_timestamp,
            source: 0,
            sent: HashMap::new(),
            newest: None,
            skipped: BTreeSet::new(),
        }
    }

    fn take(&mut self, step: &[u8; 8], packet: &Packet) {
        let [action, .., picture] = *step;
        match action % 8 {
            0 => {
                self.rewriter.end_source();
                assert!(!self.rewriter.has_source());
                assert_eq!(self.rewriter.rewrite(packet), None);
            }
            1 => self.switch(packet),
            2 => {
                if self.rewriter.skip(packet) {
                    self.skipped.insert(packet.seq);
                }
            }
            3 => {
                let timestamp = self.rewriter.timestamp_of(packet);
                let close = timestamp.wrapping_add(u32::from(picture));
                let out = self.rewriter.rewrite_at(packet, close, packet.arrival);
                assert!(out.is_none_or(|out| out.timestamp == close));
                self.check(packet, out);
            }
            _ => {
                let timestamp = self.rewriter.timestamp_of(packet);
                let out = self.rewriter.rewrite(packet);
                assert!(out.is_none_or(|out| out.timestamp == timestamp));
                self.check(packet, out);
            }
        }
    }

    /// Switches as a viewer does: the packet goes out at once.
    fn switch(&mut self, packet: &Packet) {
        self.source += 1;
        self.skipped.clear();
        self.rewriter.switch(packet);
        let before = self.newest;
        let out = self.rewriter.rewrite(packet);
        self.check(packet, out);
        let Some(out) = out else {
            unreachable!("the first packet of a source is of the source");
        };
        let Some(before) = before else {
            assert_eq!(out.timestamp, self.first_timestamp);
            assert!(out.seq < 0x8000, "RFC 3711 §3.3.1");
            return;
        };
        assert_eq!(out.seq, before.seq + 1, "a switch leaves no gap");
        let ahead = out.timestamp.wrapping_sub(before.timestamp);
        assert!(
            (1..=60 * self.clock).contains(&ahead),
            "time stands still or jumps by {ahead}"
        );
        if let (Some(before), Some(out)) = (before.picture_id, out.picture_id) {
            assert_eq!(out, (before + 1) & 0x7fff);
        }
        if let (Some(before), Some(out)) = (before.tl0_pic_idx, out.tl0_pic_idx) {
            assert_eq!(out, before.wrapping_add(1));
        }
    }

    fn check(&mut self, packet: &Packet, out: Option<Rewritten>) {
        let Some(out) = out else { return };
        assert!(!self.skipped.contains(&packet.seq), "skipped, yet sent");
        let this = (self.source, packet.seq);
        let known = *self.sent.entry(out.seq).or_insert(this);
        assert_eq!(known, this, "number {} stands for two packets", out.seq);
        assert!(out.picture_id.is_none_or(|id| id < 0x8000));
        if self.newest.is_none_or(|newest| out.seq > newest.seq) {
            self.newest = Some(out);
        }
    }
}
