//! An encoder: frames of the right sizes whose bytes say which they are.

use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{Mid, Rid};
use str0m::rtp::{RtpWrite, Ssrc};

use super::mark::Mark;
use super::payload::{Part, sets_of};

/// Makes frames of the right sizes whose bytes say which they are.
pub(crate) struct Encoder {
    codec: Codec,
    video: Mid,
    audio: Mid,
    layers: Vec<EncoderLayer>,
    keyframe_every: Duration,
    pub(crate) listens: bool,
    video_delay: Duration,
    pub(super) next_frame: Instant,
    pub(super) next_audio: Instant,
    audio_seq: u64,
    is_connected: bool,
    pub(crate) is_paused: bool,
    pub(crate) requests: usize,
    /// A layer that it sends nothing of, as browsers do when bandwidth is short.
    pub(crate) paused_layer: Option<usize>,
    /// Whether the first packet of each key frame leaves after the frame behind it, as one does
    /// that had to be sent again.
    pub(crate) opens_late: bool,
    held_back: Vec<(Option<Rid>, RtpWrite)>,
}

struct EncoderLayer {
    rid: Option<Rid>,
    index: u8,
    bitrate: u64,
    sps: &'static [u8],
    frame: u32,
    seq: u64,
    timestamp: u32,
    picture_id: u16,
    last_keyframe: Option<Instant>,
    wants_keyframe: bool,
}

/// What a test says of an encoder.
#[derive(Debug, Clone)]
pub(crate) struct EncoderSpec {
    /// That of its video.
    pub(crate) codec: Codec,
    /// RID and bit/s, as the offer lists them.
    pub(crate) layers: Vec<(Option<&'static str>, u64)>,
    pub(crate) keyframe_every: Duration,
    /// Whether it makes a key frame when asked.
    pub(crate) listens: bool,
    /// How long its video takes to encode; sound takes no time.
    pub(crate) video_delay: Duration,
}

impl EncoderSpec {
    /// One layer of 2.5 Mbit/s.
    pub(crate) fn single(keyframe_every: Duration, listens: bool) -> Self {
        Self {
            codec: Codec::H264,
            layers: vec![(None, 2_500_000)],
            keyframe_every,
            listens,
            video_delay: Duration::ZERO,
        }
    }

    /// What a browser sends: three layers, key frames only when asked.
    pub(crate) fn simulcast() -> Self {
        Self {
            codec: Codec::H264,
            layers: vec![
                (Some("l"), 150_000),
                (Some("m"), 500_000),
                (Some("h"), 1_800_000),
            ],
            keyframe_every: Duration::from_secs(3_600),
            listens: true,
            video_delay: Duration::ZERO,
        }
    }
}

/// H264 sequence parameter sets of x264 for 320x180, 640x360 and 1280x720.
const SPS_180: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0xa4, 0x80,
];
pub(super) const SPS_360: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
    0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48,
];
const SPS_720: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x24, 0x80,
];

const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO: Duration = Duration::from_millis(20);
const PART: usize = 1_150;
/// A key frame is this many times an ordinary frame.
const KEYFRAME_FACTOR: u64 = 6;

impl Encoder {
    pub(super) fn new(spec: &EncoderSpec, video: Mid, audio: Mid, now: Instant) -> Self {
        let sps_of = |bitrate: u64| match bitrate {
            0..300_000 => SPS_180,
            300_000..1_000_000 => SPS_360,
            _ => SPS_720,
        };
        let layers = spec
            .layers
            .iter()
            .enumerate()
            .map(|(index, (rid, bitrate))| EncoderLayer {
                rid: rid.map(Rid::from),
                index: u8::try_from(index).expect("few layers"),
                bitrate: *bitrate,
                sps: sps_of(*bitrate),
                frame: 0,
                seq: 1_000 * (index as u64 + 1),
                timestamp: 77_000_000 * (u32::try_from(index).expect("few layers") + 1),
                picture_id: 0x7ff0,
                last_keyframe: None,
                wants_keyframe: true,
            })
            .collect();
        Self {
            codec: spec.codec,
            video,
            audio,
            layers,
            keyframe_every: spec.keyframe_every,
            listens: spec.listens,
            video_delay: spec.video_delay,
            next_frame: now,
            next_audio: now,
            audio_seq: 1,
            is_connected: false,
            is_paused: false,
            requests: 0,
            paused_layer: None,
            opens_late: false,
            held_back: Vec::new(),
        }
    }

    /// Goes on with another SSRC and other numbers.
    pub(super) fn change_ssrc(&mut self, rtc: &mut Rtc) {
        for layer in &mut self.layers {
            let number = u32::from(layer.index);
            let (ssrc, rtx) = (Ssrc::from(7_000 + number), Ssrc::from(8_000 + number));
            let mut direct = rtc.direct_api();
            let stream = direct.reset_stream_tx(self.video, layer.rid, ssrc, Some(rtx));
            stream.expect("a video stream");
            layer.seq = 20_000;
            layer.timestamp = layer.timestamp.wrapping_sub(1_234_567_890);
        }
    }

    pub(super) fn take_event(&mut self, event: &str0m::Event) {
        match event {
            str0m::Event::Connected => self.is_connected = true,
            str0m::Event::KeyframeRequest(request) => {
                self.requests += 1;
                if !self.listens {
                    return;
                }
                for layer in &mut self.layers {
                    if layer.rid == request.rid {
                        layer.wants_keyframe = true;
                    }
                }
            }
            _ => {}
        }
    }

    /// Makes its next frames key frames.
    pub(crate) fn want_keyframes(&mut self) {
        for layer in &mut self.layers {
            layer.wants_keyframe = true;
        }
    }

    pub(super) fn make(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) -> bool {
        let mut is_made = false;
        while now >= self.next_audio {
            self.next_audio += AUDIO;
            if self.is_connected && !self.is_paused {
                self.make_audio(rtc, now, start);
                is_made = true;
            }
        }
        while now >= self.next_frame {
            self.next_frame += FRAME;
            for layer in &mut self.layers {
                layer.timestamp = layer.timestamp.wrapping_add(3_000);
            }
            if self.is_connected && !self.is_paused {
                self.make_frame(rtc, now, start);
                is_made = true;
            }
        }
        is_made
    }

    fn make_audio(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let pt = payload_type(rtc, Codec::Opus);
        let mut direct = rtc.direct_api();
        let stream = direct
            .stream_tx_by_mid(self.audio, None)
            .expect("an audio stream");
        let elapsed = u32::try_from((now - start).as_millis()).expect("a short test");
        self.audio_seq += 1;
        let mut payload = vec![0xfc; 140];
        Mark {
            captured_us: u64::try_from((now - start).as_micros()).expect("short"),
            ..Mark::default()
        }
        .write(&mut payload);
        let write = RtpWrite::new(pt, self.audio_seq.into(), elapsed * 48, now, payload);
        stream.write_rtp(write);
    }

    fn make_frame(&mut self, rtc: &mut Rtc, now: Instant, start: Instant) {
        let pt = payload_type(rtc, self.codec);
        let captured = (now - self.video_delay).max(start);
        let held_back = std::mem::take(&mut self.held_back);
        for layer in &mut self.layers {
            if self.paused_layer == Some(layer.index.into()) {
                continue;
            }
            let is_due = layer
                .last_keyframe
                .is_none_or(|last| now - last >= self.keyframe_every);
            let is_key = std::mem::take(&mut layer.wants_keyframe) || is_due;
            if is_key {
                layer.last_keyframe = Some(now);
            }
            let mut bytes = layer.bitrate / 8 / 30;
            if is_key {
                bytes *= KEYFRAME_FACTOR;
            }
            let sets = if is_key { sets_of(self.codec) } else { 0 };
            let parts = usize::try_from(bytes).expect("small") / PART + 1 + sets;
            let part_bytes = usize::try_from(bytes).expect("small") / parts;
            layer.frame += 1;
            layer.picture_id = (layer.picture_id + 1) & 0x7fff;
            for part in 0..parts {
                let mut payload = Part {
                    codec: self.codec,
                    is_key,
                    number: part,
                    is_last: part + 1 == parts,
                    bytes: part_bytes,
                    picture_id: layer.picture_id,
                    sps: layer.sps,
                }
                .payload();
                Mark {
                    epoch: 0,
                    layer: layer.index,
                    is_key,
                    frame: layer.frame,
                    part: u16::try_from(part).expect("few parts"),
                    parts: u16::try_from(parts).expect("few parts"),
                    captured_us: u64::try_from((captured - start).as_micros()).expect("short"),
                }
                .write(&mut payload);
                let mut direct = rtc.direct_api();
                let stream = direct
                    .stream_tx_by_mid(self.video, layer.rid)
                    .expect("a video stream");
                layer.seq += 1;
                let write = RtpWrite::new(pt, layer.seq.into(), layer.timestamp, captured, payload)
                    .marker(part + 1 == parts)
                    .nackable(true);
                if self.opens_late && is_key && part == 0 {
                    self.held_back.push((layer.rid, write));
                } else {
                    stream.write_rtp(write);
                }
            }
        }
        for (rid, write) in held_back {
            let mut direct = rtc.direct_api();
            let stream = direct
                .stream_tx_by_mid(self.video, rid)
                .expect("a video stream");
            stream.write_rtp(write);
        }
    }
}

fn payload_type(rtc: &Rtc, codec: Codec) -> str0m::media::Pt {
    let params = rtc.codec_config().params();
    let wanted = |p: &&str0m::format::PayloadParams| {
        let spec = p.spec();
        spec.codec == codec && spec.format.packetization_mode != Some(0)
    };
    // The answer has one H264 entry first: constrained baseline.
    let baseline = params
        .iter()
        .filter(wanted)
        .find(|p| p.spec().format.profile_level_id == Some(0x42_e0_1f));
    baseline
        .or_else(|| params.iter().find(wanted))
        .expect("the codec is negotiated")
        .pt()
}
