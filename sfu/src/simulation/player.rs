//! A player: decodes in order, as a browser does, and counts what a person would see.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{KeyframeRequestKind, Mid};

use super::Mark;

/// Decodes in order, as a browser does, and counts what a person would see.
#[derive(Default)]
pub(crate) struct Player {
    video: Option<Mid>,
    frames: BTreeMap<u32, Arriving>,
    decoded: Option<Decoded>,
    last_request: Option<Instant>,
    pub(crate) connected_at: Option<Duration>,
    /// When each frame was shown, which layer it was of, how old it was.
    pub(crate) shown: Vec<Shown>,
    pub(crate) requests: usize,
    pub(crate) audio: Vec<Duration>,
    /// What the newest sender reports say: capture time less the time that the sender marked, in µs.
    pub(crate) audio_clock: Option<i64>,
    pub(crate) video_clock: Option<i64>,
    /// Sequence numbers of video, extended, as they came.
    pub(crate) sequence: Vec<u64>,
    /// What the sender reports said.
    pub(crate) told: Vec<Told>,
    /// Packets and bytes of sound and of video that came so far.
    came: [(u32, u32); 2],
    pub(crate) keeps_packets: bool,
    /// Those of video, where they are kept: extended sequence number and payload.
    pub(crate) packets: Vec<(u64, Vec<u8>)>,
    /// When the first packet of each frame came, and its RTP timestamp.
    times: Vec<(Duration, u32)>,
}

/// A sender report, and what had come before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) at: Duration,
    pub(crate) is_video: bool,
    /// As [`Player::audio_clock`].
    pub(crate) clock: Option<i64>,
    /// Packets and bytes.
    pub(crate) told: (u32, u32),
    pub(crate) came: (u32, u32),
    ntp: std::time::SystemTime,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) at: Duration,
    pub(crate) layer: u8,
    pub(crate) age: Duration,
}

#[derive(Debug, Clone, Default)]
struct Arriving {
    mark: Mark,
    parts: Vec<u16>,
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Decoded {
    timestamp: u32,
    mark: Mark,
}

/// A player waits this long for a retransmission before it asks for a key frame (Chromium: until ten
/// NACKs went unanswered).
const PATIENCE: Duration = Duration::from_millis(500);

/// By the newest sender report: when the packet was captured, less when it says it was.
fn reported_clock(packet: &str0m::rtp::RtpPacket, clock: i64) -> Option<i64> {
    let report = packet.last_sender_info?;
    let mark = Mark::read(&packet.payload)?;
    let since = report.ntp_time.duration_since(std::time::UNIX_EPOCH).ok()?;
    let reported = u32::try_from(report.rtp_time.numer() & 0xffff_ffff).ok()?;
    let ticks = packet.header.timestamp.wrapping_sub(reported).cast_signed();
    let captured = i64::try_from(since.as_micros()).ok()? + i64::from(ticks) * 1_000_000 / clock;
    Some(captured - i64::try_from(mark.captured_us).ok()?)
}

impl Player {
    pub(super) fn new(video: Mid) -> Self {
        Self {
            video: Some(video),
            ..Self::default()
        }
    }

    pub(super) fn take_event(
        &mut self,
        rtc: &mut Rtc,
        now: Instant,
        start: Instant,
        event: str0m::Event,
    ) {
        match event {
            str0m::Event::Connected => self.connected_at = Some(now - start),
            str0m::Event::RtpPacket(packet) => {
                let codec = rtc
                    .codec_config()
                    .params()
                    .iter()
                    .find(|p| p.pt() == packet.header.payload_type)
                    .map(|p| p.spec().codec);
                self.note_report(&packet, codec != Some(Codec::Opus), now - start);
                if codec == Some(Codec::Opus) {
                    self.audio.push(now - start);
                    self.audio_clock = reported_clock(&packet, 48_000).or(self.audio_clock);
                    return;
                }
                self.video_clock = reported_clock(&packet, 90_000).or(self.video_clock);
                self.sequence.push(*packet.seq_no);
                if self.keeps_packets {
                    self.packets.push((*packet.seq_no, packet.payload.to_vec()));
                }
                if self.times.last().map(|(_, t)| *t) != Some(packet.header.timestamp) {
                    self.times.push((now - start, packet.header.timestamp));
                }
                if let Some(mark) = Mark::read(&packet.payload) {
                    let frame = self.frames.entry(packet.header.timestamp).or_default();
                    frame.mark = Mark { part: 0, ..mark };
                    frame.since.get_or_insert(now);
                    frame.parts.push(mark.part);
                }
                self.decode(rtc, now, start);
            }
            _ => {}
        }
    }

    fn note_report(&mut self, packet: &str0m::rtp::RtpPacket, is_video: bool, at: Duration) {
        let came = &mut self.came[usize::from(is_video)];
        let mut known = self.told.iter().rev();
        let newest = known.find(|told| told.is_video == is_video);
        if let Some(report) = packet.last_sender_info
            && newest.is_none_or(|newest| newest.ntp != report.ntp_time)
        {
            self.told.push(Told {
                at,
                is_video,
                clock: reported_clock(packet, if is_video { 90_000 } else { 48_000 }),
                told: (report.sender_packet_count, report.sender_octet_count),
                came: *came,
                ntp: report.ntp_time,
            });
        }
        came.0 += 1;
        came.1 += u32::try_from(packet.payload.len()).expect("short");
    }

    fn decode(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let mut has_gap = false;
        let timestamps: Vec<u32> = self.frames.keys().copied().collect();
        for timestamp in timestamps {
            let frame = &self.frames[&timestamp];
            let is_whole = frame.parts.len() == usize::from(frame.mark.parts);
            let follows = self.decoded.is_some_and(|before| {
                before.mark.layer == frame.mark.layer && before.mark.frame + 1 == frame.mark.frame
            });
            let is_newer = self
                .decoded
                .is_none_or(|before| timestamp.wrapping_sub(before.timestamp) < u32::MAX / 2);
            if is_whole && is_newer && (frame.mark.is_key || follows) {
                let mark = frame.mark;
                let at = now - start;
                self.shown.push(Shown {
                    at,
                    layer: mark.layer,
                    age: at - Duration::from_micros(mark.captured_us),
                });
                self.decoded = Some(Decoded { timestamp, mark });
                self.frames.retain(|kept, _| {
                    kept.wrapping_sub(timestamp) < u32::MAX / 2 && *kept != timestamp
                });
                continue;
            }
            let waited = frame.since.is_some_and(|since| now - since > PATIENCE);
            has_gap |= waited;
        }
        let may_ask = self
            .last_request
            .is_none_or(|last| now - last > Duration::from_millis(300));
        if has_gap && may_ask {
            self.last_request = Some(now);
            self.requests += 1;
            let video = self.video.expect("it has video");
            if let Some(stream) = rtc.direct_api().stream_rx_by_mid(video, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
    }

    /// Time in which the picture stood still for longer than `pause`, from the first frame to `end`.
    pub(crate) fn frozen(&self, end: Duration, pause: Duration) -> Duration {
        let Some(first) = self.shown.first() else {
            return end;
        };
        let mut last = first.at;
        let mut frozen = Duration::ZERO;
        for at in self.shown.iter().map(|s| s.at).chain([end]) {
            let gap = at.saturating_sub(last);
            if gap > pause {
                frozen += gap - pause;
            }
            last = at;
        }
        frozen
    }

    /// By how much timestamps and the time at which they came ran apart.
    pub(crate) fn drift(&self) -> Duration {
        let Some((first_at, first)) = self.times.first() else {
            return Duration::ZERO;
        };
        let apart = self.times.iter().map(|(at, timestamp)| {
            let ticks = timestamp.wrapping_sub(*first).cast_signed();
            let came = i64::try_from((*at - *first_at).as_micros()).expect("a short test");
            i64::from(ticks) * 1_000 / 90 - came
        });
        let (least, most) = (apart.clone().min(), apart.max());
        let span = most.zip(least).map_or(0, |(most, least)| most - least);
        Duration::from_micros(span.unsigned_abs())
    }

    /// Frames shown in a span.
    pub(crate) fn shown_between(
        &self,
        from: Duration,
        to: Duration,
    ) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |s| s.at >= from && s.at < to)
    }

    /// The layer of the newest frame.
    pub(crate) fn layer(&self) -> Option<u8> {
        self.shown.last().map(|s| s.layer)
    }
}
