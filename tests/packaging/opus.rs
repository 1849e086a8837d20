//! AAC made into Opus by a real media-worker.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use media::{Codec, OpusJob, Transcoder, Unit};
use tokio::sync::mpsc;

use crate::encoded;
use crate::stage::{ms, through, worker};

const TRACK: u8 = 3;

/// Three seconds of a beep at the beginning of each second, as ADTS frames and their times.
pub(crate) fn aac(rate: u32, layout: &str) -> Vec<(Duration, Bytes)> {
    let mut command = Command::new("ffmpeg");
    let beep = format!("aevalsrc=exprs=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.1):s={rate}:d=3");
    command
        .args(["-v", "error", "-f", "lavfi", "-i", &beep])
        .args(["-af", &format!("aformat=channel_layouts={layout}")])
        .args(["-c:a", "aac", "-b:a", "96k", "-f", "adts", "-"]);
    let stream = through(command, Vec::new());
    let frames = (0..).zip(encoded::frames(&stream));
    frames
        .map(|(number, frame)| {
            // As RTMP has them: whole milliseconds.
            let at: u64 = number * 1_024 * 1_000 / u64::from(rate);
            (ms(at), frame)
        })
        .collect()
}

/// What it becomes, from that time on, fed twice as fast as it plays.
pub(crate) async fn made(frames: &[(Duration, Bytes)], from: Duration) -> Vec<Unit> {
    let (sender, mut made) = mpsc::channel(1_024);
    let job = OpusJob {
        track: TRACK,
        bits_a_second: 128_000,
    };
    let transcoder = Transcoder::to_opus(worker(), job, sender);
    for (pts, bytes) in frames {
        let unit = Unit {
            track: 0,
            codec: Codec::Aac,
            pts: from + *pts,
            dts: from + *pts,
            keyframe: true,
            size: None,
            bytes: bytes.clone(),
        };
        while !transcoder.push(unit.clone()) {
            tokio::time::sleep(ms(2)).await;
        }
    }
    let end = from + frames.last().unwrap().0 - ms(60);
    let mut units: Vec<Unit> = Vec::new();
    while units.last().is_none_or(|unit| unit.pts < end) {
        let next = tokio::time::timeout(ms(20_000), made.recv()).await;
        units.push(next.expect("more Opus").unwrap());
    }
    units
}

/// Samples of the packets, 48,000 a second, in an Ogg stream that ffmpeg reads.
fn decode(units: &[Unit]) -> Vec<i16> {
    let mut ogg = Ogg::default();
    let mut head = b"OpusHead".to_vec();
    head.extend([1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0]);
    ogg.page(2, 0, &head);
    ogg.page(0, 0, b"OpusTags\x04\0\0\0test\0\0\0\0");
    for (number, unit) in (1..).zip(units) {
        ogg.page(0, number * 960, &unit.bytes);
    }
    crate::stage::decode(ogg.bytes)
}

#[derive(Default)]
struct Ogg {
    bytes: Vec<u8>,
    pages: u32,
}

impl Ogg {
    fn page(&mut self, flags: u8, granule: u64, packet: &[u8]) {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend(granule.to_le_bytes());
        page.extend([1, 0, 0, 0]);
        page.extend(self.pages.to_le_bytes());
        page.extend([0; 4]);
        let (full, rest) = (packet.len() / 255, packet.len() % 255);
        page.push(u8::try_from(full + 1).unwrap());
        page.extend(vec![255; full]);
        page.push(u8::try_from(rest).unwrap());
        page.extend(packet);
        let sum = page.iter().fold(0_u32, |sum, byte| {
            let start = sum ^ u32::from(*byte) << 24;
            (0..8).fold(start, |sum, _| {
                sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
            })
        });
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        self.bytes.extend(page);
        self.pages += 1;
    }
}

/// When each beep begins, in the time of the units.
pub(crate) fn beeps(units: &[Unit]) -> Vec<Duration> {
    let samples = decode(units);
    let mut beeps: Vec<Duration> = Vec::new();
    for (number, sample) in (0_u64..).zip(samples) {
        let at = units[0].pts + Duration::from_nanos(number * 1_000_000_000 / 48_000);
        let is_new = beeps.last().is_none_or(|last| at > *last + ms(500));
        if sample.unsigned_abs() > 3_000 && is_new {
            beeps.push(at);
        }
    }
    beeps
}

#[tokio::test]
async fn whatever_its_rate_and_channels_it_is_heard_in_time() {
    for (rate, layout) in [
        (48_000, "stereo"),
        (44_100, "mono"),
        (44_100, "stereo"),
        (48_000, "5.1"),
        (22_050, "mono"),
    ] {
        let frames = tokio::task::spawn_blocking(move || aac(rate, layout))
            .await
            .unwrap();
        let units = made(&frames, ms(5_000)).await;
        assert!(
            units
                .iter()
                .all(|unit| unit.track == TRACK && unit.codec == Codec::Opus)
        );
        // The first begins before the sound does, by what the encoder looks ahead, and is not told so.
        for two in units[1..].windows(2) {
            let step = two[1].pts - two[0].pts;
            assert!(step.abs_diff(ms(20)) < ms(1), "{rate} {layout}: {step:?}");
        }
        let bits: usize = units.iter().map(|unit| unit.bytes.len() * 8).sum();
        assert!(bits > 3 * 40_000, "{bits} bits");
        let units = units.clone();
        let heard = tokio::task::spawn_blocking(move || beeps(&units))
            .await
            .unwrap();
        assert_eq!(heard.len(), 3, "{rate} {layout}: {heard:?}");
        for (second, at) in (0..).zip(heard) {
            // The AAC encoder's own delay is a frame or two, which its player cannot know.
            let right =
                ms(5_000) + ms(1_000) * second + Duration::from_secs_f64(1_024.0 / f64::from(rate));
            assert!(
                at.abs_diff(right) < ms(40),
                "{rate} {layout}: {at:?} instead of {right:?}"
            );
        }
    }
}

#[tokio::test]
async fn nonsense_and_a_jump_in_time_cost_no_more_than_themselves() {
    let mut frames = tokio::task::spawn_blocking(|| aac(48_000, "stereo"))
        .await
        .unwrap();
    for (number, (pts, bytes)) in frames.iter_mut().enumerate() {
        if (20..25).contains(&number) {
            *bytes = Bytes::from_static(&[0xff, 0xf1, 0x4c, 0x80, 1, 0x3f, 0xfc, 9, 9]);
        }
        if number >= 70 {
            *pts += ms(30_000);
        }
    }
    let units = made(&frames, ms(5_000)).await;
    let after = units.iter().filter(|unit| unit.pts > ms(30_000)).count();
    assert!(after > 50, "{after} packets");
    let gap = units
        .windows(2)
        .filter(|two| two[1].pts - two[0].pts > ms(1_000))
        .count();
    assert_eq!(gap, 1);
}
