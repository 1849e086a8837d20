//! A client that publishes: encoded video in a loop, at its pace, and key frames when asked.

use std::time::{Duration, Instant};

use serde::Serialize;
use str0m::format::{Codec, CodecConfig, FormatParams, PayloadParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::rtp::{Extension, ExtensionMap, RtpWrite};
use str0m::{Event, Rtc, RtcConfig};

use crate::clock;
use crate::peer::{Prepared, Role};
use crate::sdp::{self, Shape};
use crate::sent::{Sent, SentFrame};
use crate::source::{AUDIO, AUDIO_48KHZ, Encoding, FRAME, FRAME_90KHZ, Source, VideoCodec};

/// What a publisher is to be.
#[derive(Debug, Clone)]
pub struct PublisherSpec {
    /// What it sends.
    pub source: Source,
    /// Whose offer it sends.
    pub shape: Shape,
    /// Whether it makes a key frame when asked. It skips to the clip's next one, which a decoder
    /// cannot tell from an encoder that made one.
    pub answers_keyframe_requests: bool,
    /// Whether it opens the data channel `chat`.
    pub with_chat: bool,
}

/// A client that publishes.
#[derive(Debug)]
pub struct Publisher {
    codec: VideoCodec,
    video: Mid,
    audio: Mid,
    layers: Vec<Layer>,
    audio_packets: Vec<std::sync::Arc<[u8]>>,
    audio_seq: u64,
    next_frame: Option<Instant>,
    next_audio: Instant,
    frame: u64,
    answers_keyframe_requests: bool,
    is_paused: bool,
    sent: Sent,
    report: PublishReport,
}

#[derive(Debug)]
struct Layer {
    rid: Option<Rid>,
    encoding: Encoding,
    next: usize,
    seq: u64,
    asked: bool,
    keyframe_at: Option<Instant>,
}

/// What a publisher did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PublishReport {
    /// Whether DTLS came up.
    pub connected: bool,
    /// Whether the session is over.
    pub closed: bool,
    /// Video packets sent, of all layers.
    pub video_packets: u64,
    /// Audio packets sent.
    pub audio_packets: u64,
    /// Times a frame was due, layers counted once.
    pub frames: u64,
    /// Key frame requests that came.
    pub keyframe_requests: u64,
    /// Key frames made because of them.
    pub forced_keyframes: u64,
}

/// A key frame is made this long after the one before, at the soonest, as encoders do.
const KEYFRAME_FLOOR: Duration = Duration::from_millis(300);
/// More frames than these are not made up for after a delay.
const MOST_LATE: u32 = 15;
const OPUS_PT: u8 = 111;
const VIDEO_PT: u8 = 96;
const CONSTRAINED_BASELINE_31: u32 = 0x42_e0_1f;

impl PublisherSpec {
    /// A publisher that behaves as a browser.
    #[must_use]
    pub fn browser(source: Source) -> Self {
        Self {
            source,
            shape: Shape::Browser,
            answers_keyframe_requests: true,
            with_chat: false,
        }
    }

    /// Makes the offer.
    #[must_use]
    pub fn prepare(&self, sent: &Sent) -> Option<Prepared> {
        let codec = self.source.codec;
        let mut rtc = config(self.shape, codec).build(clock::now());
        let mut change = rtc.sdp_api();
        let audio = change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let rids = || {
            self.source
                .layers
                .iter()
                .filter_map(|layer| layer.rid.as_deref())
        };
        let simulcast = rids().next().map(|_| Simulcast {
            send: rids()
                .map(|rid| SimulcastLayer::new(&Rid::from(rid)))
                .collect(),
            recv: Vec::new(),
        });
        let video = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, simulcast);
        if self.with_chat {
            change.add_channel("chat".to_owned());
        }
        let (offer, pending) = change.apply()?;
        let layers = self.source.layers.iter().map(Layer::new).collect();
        let publisher = Publisher {
            codec,
            video,
            audio,
            layers,
            audio_packets: self.source.audio.clone(),
            audio_seq: 0,
            next_frame: None,
            next_audio: clock::now(),
            frame: 0,
            answers_keyframe_requests: self.answers_keyframe_requests,
            is_paused: false,
            sent: sent.clone(),
            report: PublishReport::default(),
        };
        let sdp = sdp::shaped(&offer.to_sdp_string(), self.shape);
        let role = Role::Publisher(Box::new(publisher));
        Some(Prepared::new(rtc, pending, role, sdp))
    }
}

fn config(shape: Shape, codec: VideoCodec) -> RtcConfig {
    let mut config = RtcConfig::new().set_rtp_mode(true).clear_codecs();
    if shape == Shape::Browser {
        config = config.enable_opus(true, false);
        return match codec {
            VideoCodec::H264 => config.enable_h264(true),
            VideoCodec::Vp8 => config.enable_vp8(true),
        };
    }
    let mut extensions = ExtensionMap::empty();
    extensions.set(1, Extension::RtpMid);
    extensions.set(2, Extension::RtpStreamId);
    config = config.set_extension_map(extensions);
    let codecs: &mut CodecConfig = config.codec_config();
    let rate = Frequency::FORTY_EIGHT_KHZ;
    let opus = FormatParams::default();
    codecs.add_config(OPUS_PT.into(), None, Codec::Opus, rate, Some(2), opus);
    codecs.add_h264(VIDEO_PT.into(), None, true, CONSTRAINED_BASELINE_31);
    config
}

impl Layer {
    fn new(encoding: &Encoding) -> Self {
        Self {
            rid: encoding.rid.as_deref().map(Rid::from),
            encoding: encoding.clone(),
            next: 0,
            seq: 0,
            asked: false,
            keyframe_at: None,
        }
    }

    fn answer_request(&mut self, now: Instant) -> bool {
        let may = self
            .keyframe_at
            .is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_FLOOR);
        if !self.asked || !may {
            return false;
        }
        self.asked = false;
        let frames = &self.encoding.frames;
        let ahead = frames.iter().skip(self.next).position(|frame| frame.is_key);
        self.next = ahead.map_or(0, |ahead| self.next + ahead);
        true
    }
}

impl Publisher {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next_frame.map(|frame| frame.min(self.next_audio))
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        self.next_frame = Some(now);
        self.next_audio = now;
    }

    /// Sends nothing, or goes on.
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub(crate) fn report(&self) -> PublishReport {
        self.report
    }

    pub(crate) fn take(&mut self, event: &Event, _now: Instant) {
        if let Event::KeyframeRequest(request) = event {
            self.report.keyframe_requests += 1;
            if !self.answers_keyframe_requests {
                return;
            }
            let layers = self.layers.iter_mut();
            for layer in layers.filter(|l| request.rid.is_none() || l.rid == request.rid) {
                layer.asked = true;
            }
        }
    }

    pub(crate) fn send_due(&mut self, rtc: &mut Rtc, now: Instant) {
        while now >= self.next_audio {
            self.next_audio += AUDIO;
            if !self.is_paused {
                self.send_audio(rtc, now);
            }
        }
        let Some(mut due) = self.next_frame else {
            return;
        };
        if now.saturating_duration_since(due) > FRAME * MOST_LATE {
            due = now;
        }
        while now >= due {
            due += FRAME;
            if !self.is_paused {
                self.send_frame(rtc, now);
            }
            self.frame += 1;
        }
        self.next_frame = Some(due);
    }

    fn send_audio(&mut self, rtc: &mut Rtc, now: Instant) {
        let Some(pt) = payload_type(rtc, Codec::Opus) else {
            return;
        };
        let at = usize::try_from(self.audio_seq).unwrap_or(0) % self.audio_packets.len().max(1);
        let Some(payload) = self.audio_packets.get(at) else {
            return;
        };
        let time = low_32(self.audio_seq.wrapping_mul(u64::from(AUDIO_48KHZ)));
        let write = RtpWrite::new(
            pt,
            self.audio_seq.into(),
            time,
            now,
            std::sync::Arc::clone(payload),
        );
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.audio, None) {
            stream.write_rtp(write);
            self.audio_seq += 1;
            self.report.audio_packets += 1;
        }
    }

    fn send_frame(&mut self, rtc: &mut Rtc, now: Instant) {
        let codec = match self.codec {
            VideoCodec::H264 => Codec::H264,
            VideoCodec::Vp8 => Codec::Vp8,
        };
        let Some(pt) = payload_type(rtc, codec) else {
            return;
        };
        self.report.frames += 1;
        let time = low_32(self.frame.wrapping_mul(u64::from(FRAME_90KHZ)));
        for (index, layer) in self.layers.iter_mut().enumerate() {
            self.report.forced_keyframes += u64::from(layer.answer_request(now));
            let Some(frame) = layer.encoding.frames.get(layer.next) else {
                continue;
            };
            if frame.is_key {
                layer.keyframe_at = Some(now);
            }
            let mut direct = rtc.direct_api();
            let Some(stream) = direct.stream_tx_by_mid(self.video, layer.rid) else {
                continue;
            };
            if let Some(last) = frame.payloads.last() {
                let sent = SentFrame {
                    at: clock::since_1970(),
                    layer: index,
                    number: self.frame,
                    is_key: frame.is_key,
                };
                self.sent.note(last, sent);
            }
            let count = frame.payloads.len();
            for (part, payload) in frame.payloads.iter().enumerate() {
                let payload = std::sync::Arc::clone(payload);
                let write = RtpWrite::new(pt, layer.seq.into(), time, now, payload)
                    .marker(part + 1 == count)
                    .nackable(true);
                stream.write_rtp(write);
                layer.seq += 1;
                self.report.video_packets += 1;
            }
            layer.next = (layer.next + 1) % layer.encoding.frames.len();
        }
    }
}

/// RTP time stamps are the low 32 bits (RFC 3550 §5.1).
fn low_32(time: u64) -> u32 {
    u32::try_from(time & u64::from(u32::MAX)).unwrap_or_default()
}

fn payload_type(rtc: &Rtc, codec: Codec) -> Option<Pt> {
    let params = rtc.codec_config().params();
    let wanted = |p: &&PayloadParams| {
        p.spec().codec == codec && p.spec().format.packetization_mode != Some(0)
    };
    let baseline = |p: &&PayloadParams| {
        wanted(p) && p.spec().format.profile_level_id == Some(CONSTRAINED_BASELINE_31)
    };
    let found = params
        .iter()
        .find(baseline)
        .or_else(|| params.iter().find(wanted));
    found.map(PayloadParams::pt)
}
