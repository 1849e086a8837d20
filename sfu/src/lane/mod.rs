//! The lane: how media leave for one viewer.
//!
//! str0m connects (ICE, DTLS) and carries data channels; the media themselves, their retransmissions
//! and the reports on them are sealed here, straight into the buffer that is sent, and what the viewer
//! reports is read here. A frame costs what its bytes cost and little more.
//!
//! Invariants: str0m has no outgoing stream of a viewer's session, so that every SSRC under the
//! session's keys is sealed by its lane alone; a number of an SSRC is sealed once ([`srtp::Claims`]);
//! reports of ours carry our SSRCs and a counter of their own. What str0m wants to send of RTCP does
//! not leave: it only tells which way its ICE agent chose.

mod estimate;
pub(crate) mod fuzzing;
mod handover;
mod header;
mod keys;
mod numbers;
mod repair;
mod ring;
mod rtcp;
mod srtp;
mod track;
mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::media::{MediaKind, Mid};
use str0m::net::Transmit;

use self::estimate::Estimator;
pub(crate) use self::handover::{ask_way, silence};
use self::handover::{mids_in, name_in};
use self::header::{Fields, Values};
pub(crate) use self::keys::{KeySlot, build};
use self::numbers::short;
use self::rtcp::Report;
use self::srtp::Ciphers;
use self::track::Track;
use self::transport::{Arrival, TransportLog};
use crate::egress::{Path, TransmitQueue};
use crate::packet::Packet;
use crate::ranks::MediaTotals;
use crate::rate::RateMeter;
use crate::session::bits;
use crate::video::renumber_vp8;
use crate::wall;

/// The way of media to one viewer.
#[derive(Debug)]
pub(crate) struct Lane {
    slot: KeySlot,
    ciphers: Option<Ciphers>,
    path: Option<Path>,
    /// str0m's way, where the viewer has left it.
    left: Option<Path>,
    tracks: Vec<Track>,
    /// What binds the tracks together (RFC 3550 §6.5.1).
    name: String,
    log: TransportLog,
    /// Where packets can be numbered across the transport.
    estimator: Option<Estimator>,
    /// Whether they are. The viewer answers twenty times a second, which is a good part of what it
    /// costs: only while there is something to choose.
    measures: bool,
    /// When the viewer told of arrivals last, or was first asked to.
    told_at: Instant,
    rtt: Option<Duration>,
    reported_at: Option<Instant>,
    /// The viewer's newest question for the round trip, and when it came.
    reference: Option<(u32, u32, Instant)>,
    /// The newest moment of sending, in 6.18 fixed point seconds.
    moment: (Instant, u32),
    media_bytes: RateMeter,
    repair_bytes: RateMeter,
    nacks: u64,
    /// Packets that were sent again since that was asked.
    resent: u64,
    /// Kept for their room.
    opened: Vec<u8>,
    arrivals: Vec<Arrival>,
}

/// Numbers of a VP8 picture, in place of those that came (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) id: u16,
    pub(crate) tl0: Option<u8>,
}

/// A packet on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outbound<'a> {
    /// Which of the lane's.
    pub(crate) track: usize,
    pub(crate) packet: &'a Arc<Packet>,
    pub(crate) payload_type: u8,
    /// Payload type of its retransmission.
    pub(crate) repair_type: Option<u8>,
    /// Extended sequence number.
    pub(crate) index: u64,
    pub(crate) timestamp: u32,
    /// When it was captured.
    pub(crate) wallclock: Instant,
    /// What it says of itself, to another node.
    pub(crate) caption: Option<&'a Arc<[u8]>>,
    pub(crate) picture: Option<Picture>,
}

/// One of the lane's tracks, as who sends on it knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrackName {
    pub(crate) number: usize,
    pub(crate) mid: Mid,
    pub(crate) ssrc: u32,
}

/// What a viewer said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Tracks whose picture is lost.
    pub(crate) lost: Vec<usize>,
}

/// Players hold sound and picture together once they have two reports of each.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of padding in one packet, the count included (RFC 3550 §5.1).
const PADDING: u8 = 255;
/// Numbers of one report that are looked up; nobody misses more who still sees anything.
const MOST_MISSING: usize = 1_024;
/// A viewer that was asked when packets arrive and says nothing for so long does not tell.
const SILENCE: Duration = Duration::from_secs(2);

impl Lane {
    /// Takes the outgoing streams that were negotiated from str0m.
    pub(crate) fn take_over(rtc: &mut Rtc, answer: &str, slot: KeySlot, now: Instant) -> Self {
        let mut lane = Self {
            slot,
            ciphers: None,
            path: None,
            left: None,
            tracks: Vec::new(),
            name: name_in(answer).unwrap_or("tallylight").to_owned(),
            log: TransportLog::new(now),
            estimator: None,
            measures: false,
            told_at: now,
            rtt: None,
            reported_at: None,
            reference: None,
            moment: (now, wall::abs_send_time(now)),
            media_bytes: RateMeter::new(now),
            repair_bytes: RateMeter::new(now),
            nacks: 0,
            resent: 0,
            opened: Vec::new(),
            arrivals: Vec::new(),
        };
        let tracks = mids_in(answer).filter_map(|mid| Track::take_over(rtc, mid));
        lane.tracks.extend(tracks);
        let mut pictures = lane.tracks.iter().filter(|track| track.is_video());
        let has_numbers = pictures.any(|track| track.extensions.has_transport_sequence());
        lane.estimator = has_numbers.then(Estimator::new);
        lane
    }

    /// The tracks that were negotiated of a kind, in the order of the offer.
    pub(crate) fn tracks(&self, kind: MediaKind) -> impl Iterator<Item = TrackName> {
        let tracks = self.tracks.iter().enumerate();
        let of_kind = tracks.filter(move |(_, track)| track.kind == kind);
        of_kind.map(|(number, track)| TrackName {
            number,
            mid: track.mid,
            ssrc: track.ssrc,
        })
    }

    /// The handshake is done. Returns false when it came to nothing that can be used.
    pub(crate) fn open(&mut self) -> bool {
        self.ciphers = self.slot.get().and_then(Ciphers::new);
        self.ciphers.is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.ciphers.is_some()
    }

    pub(crate) fn path(&self) -> Option<Path> {
        self.path
    }

    /// The viewer is elsewhere than str0m takes it to be, until str0m changes its mind.
    pub(crate) fn turn(&mut self, way: Path) {
        let before = self.path.replace(way);
        self.left = self.left.or(before).filter(|left| *left != way);
    }

    /// Looks at what str0m sends. Returns whether it may leave.
    pub(crate) fn let_through(&mut self, transmit: &Transmit) -> bool {
        match transmit.contents.first() {
            // STUN tries all ways.
            Some(0..=3) => true,
            first => {
                let way = Some(Path::of(transmit));
                if way != self.left {
                    (self.path, self.left) = (way, None);
                }
                !first.is_some_and(|first| is_rtp_or_rtcp(*first))
            }
        }
    }

    /// Sends a packet. Returns whether it went.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        queue: &mut TransmitQueue,
        outbound: &Outbound<'_>,
    ) -> bool {
        let track = self.tracks.get_mut(outbound.track);
        let (Some(ciphers), Some(path), Some(track)) = (&self.ciphers, self.path, track) else {
            return false;
        };
        let packet = outbound.packet;
        let fields = Fields {
            payload_type: outbound.payload_type,
            marker: packet.marker,
            has_padding: false,
            sequence: short(outbound.index),
            timestamp: outbound.timestamp,
            ssrc: track.ssrc,
        };
        let has_number = self.measures && track.extensions.has_transport_sequence();
        if self.moment.0 != now {
            self.moment = (now, wall::abs_send_time(now));
        }
        let values = Values {
            mid: (!track.is_known).then_some(track.mid),
            abs_send_time: self.moment.1,
            transport_sequence: has_number.then(|| self.log.next()),
            caption: outbound.caption.map(AsRef::as_ref),
            media: Some(&packet.extensions),
        };
        let written = queue.write(path, |out| {
            let start = out.len();
            let header = track.extensions.write(out, fields, &values);
            out.extend_from_slice(&packet.payload);
            if let Some(picture) = outbound.picture {
                renumber(out, start + header, picture);
            }
            let place = (start, header);
            ciphers.seal_rtp(&mut track.claims, track.ssrc, outbound.index, out, place)
        });
        let Some(bytes) = written else {
            return false;
        };
        track.note(now, outbound);
        self.media_bytes.add(now, bytes as u64);
        if has_number {
            self.note_transport(now, bytes);
        }
        true
    }

    fn note_transport(&mut self, now: Instant, bytes: usize) {
        let probe = self.estimator.as_mut().map_or(0, |estimator| {
            let probe = estimator.probe();
            estimator.note_sent(bytes as u64);
            probe
        });
        self.log.note(now, bytes, probe);
    }

    /// Takes a report of the viewer and answers it. `None` for what is not the viewer's.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        sealed: &[u8],
        queue: &mut TransmitQueue,
    ) -> Option<Heard> {
        let mut opened = std::mem::take(&mut self.opened);
        let is_real = self.ciphers.as_mut()?.open_rtcp(sealed, &mut opened);
        let mut heard = Heard::default();
        if is_real {
            rtcp::read(&opened, |report| self.take(now, report, &mut heard, queue));
        }
        self.opened = opened;
        is_real.then_some(heard)
    }

    fn take(
        &mut self,
        now: Instant,
        report: Report<'_>,
        heard: &mut Heard,
        queue: &mut TransmitQueue,
    ) {
        let picture = |ssrc| {
            let mut tracks = self.tracks.iter();
            tracks.position(|track| track.ssrc == ssrc && track.is_video())
        };
        match report {
            Report::Reception {
                ssrc,
                lost,
                gone,
                last_report,
                delay,
            } => {
                let mut tracks = self.tracks.iter_mut();
                if let Some(track) = tracks.find(|track| track.ssrc == ssrc) {
                    track.is_known = true;
                    track.reported_loss = Some(f32::from(lost) / 256.0);
                    track.gone = track.gone.max(gone);
                    self.rtt = round_trip(now, last_report, delay).or(self.rtt);
                }
            }
            Report::Missing { ssrc, entries } => {
                if let Some(track) = picture(ssrc) {
                    self.nacks += 1;
                    for number in rtcp::missing(entries).take(MOST_MISSING) {
                        self.send_again(now, track, number, queue);
                    }
                }
            }
            Report::PictureLost { ssrc } => heard.lost.extend(picture(ssrc)),
            Report::Transport(report) => self.take_arrivals(now, report),
            Report::Reference { ssrc, time } => self.reference = Some((ssrc, time, now)),
        }
    }

    fn take_arrivals(&mut self, now: Instant, report: &[u8]) {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        arrivals.clear();
        self.log.apply(now, report, &mut arrivals);
        if !arrivals.is_empty() {
            self.told_at = now;
        }
        let now_us = self.log.micros(now);
        let rtt = transport::round_trip(now_us, &arrivals);
        let loss = self.log.loss(now);
        if let (Some(estimator), Some(rtt)) = (&mut self.estimator, rtt) {
            estimator.update(now_us, &arrivals, loss, rtt);
        }
        self.arrivals = arrivals;
    }

    /// When the lane wants to be woken.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let is_probing = self.estimator.as_ref().is_some_and(|e| e.probe() != 0);
        is_probing.then(|| now + estimate::TICK)
    }

    /// Sends what the probe needs of padding now.
    pub(crate) fn pad(&mut self, now: Instant, queue: &mut TransmitQueue) {
        let now_us = self.log.micros(now);
        let Some(estimator) = &mut self.estimator else {
            return;
        };
        let mut due = estimator.padding(now_us);
        while due > 0 {
            let Some(bytes) = self.write_padding(now, queue) else {
                return;
            };
            self.note_transport(now, bytes);
            due = due.saturating_sub(bytes as u64);
        }
    }

    fn write_padding(&mut self, now: Instant, queue: &mut TransmitQueue) -> Option<usize> {
        let (ciphers, path) = (self.ciphers.as_ref()?, self.path?);
        let track = self.tracks.iter_mut().find(|track| track.is_video())?;
        let repair = &mut track.repair.as_mut()?.stream;
        let fields = Fields {
            payload_type: repair.payload_type?,
            marker: false,
            has_padding: true,
            sequence: short(repair.next),
            timestamp: track.newest?.0,
            ssrc: repair.ssrc,
        };
        let values = Values {
            mid: Some(track.mid),
            abs_send_time: wall::abs_send_time(now),
            transport_sequence: Some(self.log.next()),
            caption: None,
            media: None,
        };
        queue.write(path, |out| {
            let start = out.len();
            let header = track.extensions.write(out, fields, &values);
            out.resize(out.len() + usize::from(PADDING) - 1, 0);
            out.push(PADDING);
            repair.seal(ciphers, out, (start, header))
        })
    }

    /// Sends reports where they are due (RFC 3550 §6.4.1).
    pub(crate) fn report(&mut self, now: Instant, queue: &mut TransmitQueue) {
        let is_due = self
            .reported_at
            .is_none_or(|at| now >= at + REPORT_INTERVAL);
        if is_due && self.write_reports(now, queue, false).is_some() {
            self.reported_at = Some(now);
        }
    }

    /// Tells the viewer that the tracks have ended.
    pub(crate) fn say_goodbye(&mut self, now: Instant, queue: &mut TransmitQueue) {
        self.write_reports(now, queue, true);
    }

    fn write_reports(
        &mut self,
        now: Instant,
        queue: &mut TransmitQueue,
        is_last: bool,
    ) -> Option<usize> {
        let path = self.path?;
        let ciphers = self.ciphers.as_mut()?;
        let tracks = self.tracks.iter();
        let reports: Vec<_> = tracks.filter_map(|track| track.report(now)).collect();
        let ours = reports.first()?.ssrc;
        // Nothing follows a goodbye (RFC 3550 §6.6).
        let question = self.reference.take().filter(|_| !is_last);
        let name = &self.name;
        queue.write(path, |out| {
            let start = out.len();
            for report in &reports {
                rtcp::write_sender_report(out, *report);
                rtcp::write_name(out, report.ssrc, name);
                if is_last {
                    rtcp::write_goodbye(out, report.ssrc);
                }
            }
            if let Some((ssrc, time, came)) = question {
                let delay = wall::to_compact(now.saturating_duration_since(came));
                rtcp::write_delay(out, ours, (ssrc, time), delay);
            }
            ciphers.seal_rtcp(out, start)
        })
    }

    /// Whether the link is to be measured from now on, where the viewer can tell.
    pub(crate) fn measure(&mut self, now: Instant, measures: bool) {
        if measures && !self.measures {
            self.told_at = now;
        }
        self.measures = measures;
    }

    /// Whether the link is measured: whether the viewer is asked when packets arrive, and tells.
    pub(crate) fn estimates(&self, now: Instant) -> bool {
        let tells = || now.saturating_duration_since(self.told_at) < SILENCE;
        self.measures && self.estimator.is_some() && tells()
    }

    /// Bit/s that the link carries, headers included; unknown at first.
    pub(crate) fn estimate(&self) -> Option<u64> {
        self.estimator.as_ref().filter(|_| self.measures)?.rate()
    }

    /// What the viewer could use, in bit/s: up to there it is probed.
    pub(crate) fn want(&mut self, now: Instant, wanted: u64) {
        let now_us = self.log.micros(now);
        if let Some(estimator) = &mut self.estimator {
            estimator.want(now_us, wanted);
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Share of packets lost lately: of all in the last second, else of pictures by the newest report.
    pub(crate) fn loss(&mut self, now: Instant) -> Option<f32> {
        let mut pictures = self.tracks.iter().filter(|track| track.is_video());
        let reported = pictures.find_map(|track| track.reported_loss);
        self.log.loss(now).or(reported)
    }

    /// Share of packets of a picture that were lost lately, of that track which lost most, by the newest
    /// reports.
    pub(crate) fn worst_loss(&self) -> Option<f32> {
        let losses = self.tracks.iter().filter_map(|track| track.reported_loss);
        losses.reduce(f32::max)
    }

    /// Bit/s of media that were sent in the last second, retransmissions not among them.
    pub(crate) fn media_rate(&mut self, now: Instant) -> u64 {
        bits(self.media_bytes.per_second(now))
    }

    pub(crate) fn nacks(&self) -> u64 {
        self.nacks
    }

    /// What was sent of that kind since the last call, and what the viewer missed of it.
    pub(crate) fn take_sent(&mut self, kind: MediaKind) -> MediaTotals {
        let tracks = self.tracks.iter_mut().filter(|track| track.kind == kind);
        tracks.fold(MediaTotals::default(), |sum, track| {
            let new = track.take_sent();
            MediaTotals {
                bytes: sum.bytes + new.bytes,
                packets: sum.packets + new.packets,
                lost: sum.lost + new.lost,
            }
        })
    }

    /// Packets that were sent again since the last call.
    pub(crate) fn take_resent(&mut self) -> u64 {
        std::mem::take(&mut self.resent)
    }
}

/// Whether a datagram is RTCP (RFC 7983 §7, RFC 5761 §4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if is_rtp_or_rtcp(*first))
}

fn is_rtp_or_rtcp(first: u8) -> bool {
    (128..=191).contains(&first)
}

/// Writes the numbers of a picture over those in a VP8 payload that begins at `start`.
fn renumber(out: &mut [u8], start: usize, picture: Picture) {
    if let Some(payload) = out.get_mut(start..) {
        renumber_vp8(payload, picture.id, picture.tl0);
    }
}

/// By the report that the viewer answers (RFC 3550 §6.4.1).
fn round_trip(now: Instant, last_report: u32, delay: u32) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let now = wall::compact(wall::ntp_at(now));
    let span = now.wrapping_sub(last_report).wrapping_sub(delay);
    // A little below zero is a clock that rounds.
    (span < u32::MAX / 2).then(|| wall::from_compact(span))
}
