//! A viewer that says what it likes, in reports that are its own.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::SrtpProfile;
use str0m::media::{MediaKind, Mid};
use str0m::net::Protocol;
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues};
use str0m::{Rtc, RtcConfig};

use super::estimate::{Estimator, TICK};
use super::header::Extensions;
use super::keys::{KeySlot, Keys};
use super::repair::Repair;
use super::rtcp::{self, Report};
use super::srtp::{Ciphers, Claims};
use super::track::Track;
use super::{Heard, Lane, Outbound, is_rtcp};
use crate::egress::{Path, TransmitQueue};
use crate::packet::{Packet, Source, VIDEO_CLOCK};

/// A script: how the viewer negotiated and where numbers begin, then steps: media, time, reports.
pub(crate) fn reports(script: &[u8], base: Instant) {
    let Some((opening, mut steps)) = script.split_first_chunk::<3>() else {
        return;
    };
    let mut link = Link::new(*opening, base);
    while let Some((step, rest)) = steps.split_first_chunk::<3>() {
        let [action, first, second] = *step;
        steps = rest;
        match action % 8 {
            0 => link.send(MediaKind::Audio, 1, usize::from(first), second),
            1 => link.probe(u64::from(first) * 200_000, second),
            2 => link.pass(first, second),
            3 => link.report(),
            kind => {
                let (body, rest) = steps.split_at(steps.len().min(usize::from(first)));
                if kind < 7 {
                    steps = rest;
                    link.hear(&packet_of(kind, body));
                } else {
                    link.send(MediaKind::Video, usize::from(first), usize::from(second), 0);
                }
            }
        }
        if link.sent.len() > MOST_SENT {
            break;
        }
    }
    link.comes_to_rest();
}

const AUDIO: u32 = 0x0a0a_0a0a;
const VIDEO: u32 = 0x0b0b_0b0b;
const REPAIR: u32 = 0x0c0c_0c0c;
/// A script of few bytes must not be long work.
const MOST_SENT: usize = 2_000;
/// What a wake may send of padding: a probe of the highest rate as long as it is at most.
const MOST_PADDED: usize = 30_000_000 / 8 * 25 / 1_000;

/// A report with a right head, or without any.
fn packet_of(kind: u8, body: &[u8]) -> Vec<u8> {
    let format = match kind {
        5 => 1,
        6 => 15,
        _ => return body.to_vec(),
    };
    let mut packet = vec![0x80 | format, 205];
    let words = u16::try_from(2 + body.len().div_ceil(4)).unwrap_or(2);
    packet.extend_from_slice(&words.to_be_bytes());
    packet.extend_from_slice(&1u32.to_be_bytes());
    packet.extend_from_slice(&VIDEO.to_be_bytes());
    packet.extend_from_slice(body);
    packet.resize(packet.len().next_multiple_of(4), 0);
    packet
}

/// The lane of a viewer, and what left by it.
struct Link {
    lane: Lane,
    queue: TransmitQueue,
    now: Instant,
    base: Instant,
    index: u64,
    sound_index: u64,
    /// SSRC and number of each packet.
    sent: HashSet<(u32, u16)>,
    arrived: usize,
    media_bytes: usize,
    repair_bytes: usize,
}

impl Link {
    fn new([flags, high, low]: [u8; 3], base: Instant) -> Self {
        thread_local! {
            static UNUSED: RefCell<Rtc> = RefCell::new(RtcConfig::new().build(crate::fuzzing::base()));
        }
        let take = |rtc: &mut Rtc| Lane::take_over(rtc, "", KeySlot::default(), base);
        let mut lane = UNUSED.with_borrow_mut(take);
        lane.ciphers = Ciphers::new(&Keys {
            profile: SrtpProfile::AEAD_AES_128_GCM,
            material: vec![7; 2 * (16 + 12)],
            is_client: false,
        });
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        lane.path = Some(Path {
            protocol: Protocol::Udp,
            source: address(1),
            destination: address(2),
        });
        let has_numbers = flags & 1 == 0;
        let sound = (MediaKind::Audio, AUDIO);
        let repair = (flags & 2 == 0).then_some(REPAIR);
        lane.tracks = vec![
            track(sound, None, has_numbers && flags & 4 == 0),
            track((MediaKind::Video, VIDEO), repair, has_numbers),
        ];
        lane.estimator = has_numbers.then(Estimator::new);
        Self {
            lane,
            queue: TransmitQueue::default(),
            now: base,
            base,
            index: u64::from(u16::from_be_bytes([high, low])).max(1),
            sound_index: 1,
            sent: HashSet::new(),
            arrived: 0,
            media_bytes: 0,
            repair_bytes: 0,
        }
    }

    /// Counts what left, and looks at it. Returns datagrams and bytes.
    fn take_out(&mut self) -> (usize, usize) {
        let (mut count, mut bytes) = (0, 0);
        for (run, datagrams) in self.queue.runs() {
            for datagram in datagrams.chunks(run.segment.max(1)) {
                count += 1;
                bytes += datagram.len();
                if is_rtcp(datagram) {
                    continue;
                }
                let number = datagram.get(2..4).and_then(|n| n.try_into().ok());
                let ssrc = datagram.get(8..12).and_then(|n| n.try_into().ok());
                let (Some(number), Some(ssrc)) = (number, ssrc) else {
                    unreachable!("shorter than a header");
                };
                let (number, ssrc) = (u16::from_be_bytes(number), u32::from_be_bytes(ssrc));
                assert!([AUDIO, VIDEO, REPAIR].contains(&ssrc), "of whom?");
                assert!(self.sent.insert((ssrc, number)), "sealed twice: {number}");
            }
        }
        self.queue.forget(usize::MAX);
        (count, bytes)
    }

    fn send(&mut self, kind: MediaKind, count: usize, size: usize, later_ms: u8) {
        self.now += Duration::from_millis(later_ms.into());
        for _ in 0..count {
            let (index, source) = match kind {
                MediaKind::Audio => (&mut self.sound_index, Source::Audio),
                MediaKind::Video => (&mut self.index, Source::Video(0)),
            };
            *index += 1;
            let packet = Arc::new(packet(source, *index, size * 4, self.now));
            let outbound = Outbound {
                track: usize::from(kind == MediaKind::Video),
                packet: &packet,
                payload_type: 96,
                repair_type: Some(97),
                index: *index,
                timestamp: u32::try_from(*index & 0xffff_ffff).unwrap_or(0),
                wallclock: self.now,
                caption: None,
                picture: None,
            };
            assert!(self.lane.send(self.now, &mut self.queue, &outbound));
        }
        let (datagrams, bytes) = self.take_out();
        assert_eq!(datagrams, count);
        self.media_bytes += bytes;
    }

    fn pass(&mut self, seconds: u8, ms: u8) {
        self.now += Duration::from_millis(u64::from(seconds % 16) * 250 + u64::from(ms));
        self.pad();
    }

    fn probe(&mut self, wanted: u64, ticks: u8) {
        self.lane.want(self.now, wanted);
        for _ in 0..ticks % 32 {
            self.now += TICK;
            self.pad();
        }
    }

    fn pad(&mut self) {
        self.lane.pad(self.now, &mut self.queue);
        let (datagrams, bytes) = self.take_out();
        assert!(bytes <= MOST_PADDED, "{bytes} bytes of padding at once");
        assert!(datagrams == 0 || self.lane.measures);
        self.check_estimate();
    }

    fn report(&mut self) {
        self.lane.report(self.now, &mut self.queue);
        let (datagrams, _) = self.take_out();
        assert!(datagrams <= 1);
    }

    /// A compound report, as it was opened.
    fn hear(&mut self, compound: &[u8]) {
        let mut heard = Heard::default();
        let mut asked_for = HashSet::new();
        let (lane, queue, now) = (&mut self.lane, &mut self.queue, self.now);
        let (sent, mut arrived) = (self.sent.len(), self.arrived);
        rtcp::read(compound, |report| {
            if let Report::Missing { entries, .. } = report {
                asked_for.extend(rtcp::missing(entries));
            }
            lane.take(now, report, &mut heard, queue);
            if matches!(report, Report::Transport(_)) {
                arrived += lane.arrivals.len();
            }
        });
        assert!(arrived <= sent, "{arrived} came of {sent}");
        self.arrived = arrived;
        let (datagrams, bytes) = self.take_out();
        let asked_for = asked_for.len();
        assert!(datagrams <= asked_for, "{datagrams} for {asked_for}");
        self.repair_bytes += bytes;
        let seconds = usize::try_from((self.now - self.base).as_secs()).unwrap_or(usize::MAX);
        let most = self.media_bytes + (seconds + 1) * 2_000;
        assert!(self.repair_bytes <= most, "more sent again than sent");
        self.check_estimate();
    }

    fn check_estimate(&mut self) {
        if let Some(estimate) = self.lane.estimate() {
            assert!((50_000..=200_000_000).contains(&estimate), "{estimate}");
        }
        let loss = self.lane.loss(self.now);
        assert!(
            loss.is_none_or(|loss| (0.0..=1.0).contains(&loss)),
            "{loss:?}"
        );
    }

    /// No probe goes on for ever.
    fn comes_to_rest(&mut self) {
        for _ in 0..150 {
            self.now += TICK;
            self.pad();
        }
        assert_eq!(self.lane.deadline(self.now), None);
    }
}

fn track((kind, ssrc): (MediaKind, u32), repair: Option<u32>, has_numbers: bool) -> Track {
    let mut map = ExtensionMap::empty();
    map.set(2, Extension::AbsoluteSendTime);
    if has_numbers {
        map.set(3, Extension::TransportSequenceNumber);
    }
    map.set(4, Extension::RtpMid);
    Track {
        kind,
        mid: Mid::from("0"),
        ssrc,
        claims: Claims::new(),
        repair: repair.map(Repair::new),
        extensions: Extensions::new(&map),
        clock: VIDEO_CLOCK,
        packets: 0,
        octets: 0,
        newest: None,
        newest_index: 0,
        is_known: false,
        reported_loss: None,
        gone: 0,
        counted: (0, 0, 0),
    }
}

fn packet(source: Source, seq: u64, bytes: usize, now: Instant) -> Packet {
    Packet {
        source,
        seq,
        timestamp: 0,
        marker: false,
        payload: vec![0xee; bytes].into(),
        arrival: now,
        capture_us: None,
        wallclock: now,
        starts_keyframe: false,
        discardable: false,
        is_past: false,
        lead: None,
        vp8: None,
        extensions: ExtensionValues::default(),
    }
}
