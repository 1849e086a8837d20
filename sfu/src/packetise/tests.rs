//! What a tap makes of the payloads, of pictures that are made up and of those of real encoders.

use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;

use super::nal::nal_units;
use super::{MOST_PAYLOAD, packetise};
use crate::packet::{Packet, Source};
use crate::tap::testing::{Kind, Sender, base, ms, slice_of};
use crate::tap::{AccessUnit, Portion, Reader, Tapped};
use crate::video::{self, VideoCodec};

const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
];
const TICKS: u32 = 3_000;

/// What a tap makes of the payloads of these pictures.
fn tapped(codec: VideoCodec, units: &[Vec<u8>]) -> Vec<AccessUnit> {
    let zero = base();
    let mut sender = Sender::new(Source::Video(0));
    let mut reader = Reader::new(zero);
    for (number, unit) in (0..).zip(units) {
        let at = zero + ms(3_000) + ms(33) * number;
        sender.timestamp += TICKS;
        let payloads = packetise(codec, unit);
        let packet = |payload: &Arc<[u8]>| sender.packet(payload, at);
        let mut packets: Vec<Packet> = payloads.iter().map(packet).collect();
        packets.last_mut().expect("a packet").marker = true;
        reader.take_portion(&Portion::Slice(Arc::new(slice_of(codec, 1, 1, packets))));
    }
    reader.finish();
    let next = || reader.next();
    let unit = |tapped| match tapped {
        Tapped::Unit(unit) => Some(unit),
        Tapped::Tracks(_) => None,
    };
    std::iter::from_fn(next).filter_map(unit).collect()
}

/// What is read off the payloads of a picture: key frame and size, as those of any publisher.
fn inspected(codec: VideoCodec, unit: &[u8]) -> (bool, Option<(u32, u32)>) {
    let payloads = packetise(codec, unit);
    let facts: Vec<_> = payloads.iter().map(|p| video::inspect(codec, p)).collect();
    let is_key = facts.iter().any(|facts| facts.starts_keyframe);
    assert!(!is_key || facts[0].starts_keyframe, "the first says it");
    (is_key, facts.iter().find_map(|facts| facts.size))
}

#[test]
fn what_no_picture_needs_is_told() {
    for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp9] {
        let mut sender = Sender::new(Source::Video(0));
        sender.codec = codec;
        for kind in [Kind::Key, Kind::Reference, Kind::Disposable] {
            let unit = sender.picture(kind, &[3_000], base()).bytes;
            let payloads = packetise(codec, &unit);
            let mut facts = payloads.iter().map(|p| video::inspect(codec, p));
            let is_told = facts.next().expect("a payload").discardable;
            assert_eq!(is_told, kind == Kind::Disposable, "{codec:?} {kind:?}");
            // All payloads of VP9 go the way of the first.
            let others: Vec<_> = facts.map(|facts| facts.discardable).collect();
            let are_told = kind == Kind::Disposable && codec != VideoCodec::Vp9;
            assert_eq!(others, vec![are_told; others.len()], "{codec:?} {kind:?}");
        }
    }
}

proptest! {
    #[test]
    fn pictures_come_out_as_they_went_in(
        pictures in proptest::collection::vec(
            (
                prop_oneof![Just(Kind::Key), Just(Kind::Reference), Just(Kind::Disposable)],
                proptest::collection::vec(1_usize..4_000, 1..6),
            ),
            1..6,
        ),
    ) {
        for codec in CODECS {
            let mut sender = Sender::new(Source::Video(0));
            sender.codec = codec;
            let mut picture = |kind, sizes: &[usize]| sender.picture(kind, sizes, base()).bytes;
            let mut units = vec![picture(Kind::Key, &[1_000])];
            units.extend(pictures.iter().map(|(kind, sizes)| picture(*kind, sizes)));
            let tapped = tapped(codec, &units);
            let bytes: Vec<_> = tapped.iter().map(|unit| unit.bytes.to_vec()).collect();
            prop_assert_eq!(&bytes, &units);
            let kinds = std::iter::once(Kind::Key).chain(pictures.iter().map(|(kind, _)| *kind));
            for ((kind, unit), tapped) in kinds.zip(&units).zip(&tapped) {
                prop_assert_eq!(tapped.keyframe, kind == Kind::Key);
                prop_assert_eq!(inspected(codec, unit).0, kind == Kind::Key, "{:?}", codec);
                for payload in packetise(codec, unit) {
                    prop_assert!((1..=MOST_PAYLOAD).contains(&payload.len()));
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        for codec in CODECS {
            for payload in packetise(codec, &bytes) {
                prop_assert!((1..=MOST_PAYLOAD).contains(&payload.len()));
            }
        }
    }

    #[test]
    fn frames_of_any_bytes_are_cut_as_they_lie(
        frame in proptest::collection::vec(any::<u8>(), 1..4_000),
    ) {
        for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
            let payloads = packetise(codec, &frame);
            let body = |payload: &Arc<[u8]>| match codec {
                VideoCodec::Vp8 => video::Vp8Payload::parse(payload).map(|p| p.body.to_vec()),
                _ => video::Vp9Payload::parse(payload).map(|p| p.body.to_vec()),
            };
            let bodies: Vec<u8> = payloads.iter().filter_map(body).flatten().collect();
            prop_assert_eq!(&bodies, &frame);
        }
    }
}

/// Two seconds of moving shapes with a key frame every second, as ffmpeg codes them.
fn coded(encoder: &[&str], format: &str) -> Vec<u8> {
    let shapes = format!("testsrc2=s={WIDTH}x{HEIGHT}:r=30:d=2");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "lavfi", "-i", &shapes]);
    command.args(["-pix_fmt", "yuv420p", "-g", "30", "-b:v", "2M", "-c:v"]);
    let command = command.args(encoder).args(["-f", format, "-"]);
    let output = command.output().expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output.stdout
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;

/// The frames of an IVF file.
fn ivf(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes"));
        let (frame, after) = after.split_at(length.try_into().expect("it fits"));
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

/// Access units that each begin with this delimiter.
fn delimited(stream: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let windows = stream.windows(delimiter.len()).enumerate();
    let starts = windows.filter_map(|(at, bytes)| (bytes == delimiter).then_some(at));
    let starts: Vec<_> = starts.collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends);
    units
        .map(|(start, end)| stream[*start..end].to_vec())
        .collect()
}

/// An access unit as it comes out: start codes of four bytes, and no delimiter.
fn without_delimiter(unit: &[u8]) -> Vec<u8> {
    let nals = nal_units(unit).skip(1);
    nals.flat_map(|nal| [&[0, 0, 0, 1], nal].concat()).collect()
}

/// Pictures of a real encoder come out as `expected`, with their key frames and sizes.
fn check_real(codec: VideoCodec, units: &[Vec<u8>], expected: &[Vec<u8>]) {
    let tapped = tapped(codec, units);
    let bytes: Vec<_> = tapped.iter().map(|unit| unit.bytes.to_vec()).collect();
    assert_eq!(bytes.len(), expected.len());
    assert!(bytes == expected, "they differ");
    let keys: Vec<_> = tapped.iter().map(|unit| unit.keyframe).collect();
    let seen: Vec<_> = units.iter().map(|unit| inspected(codec, unit)).collect();
    for (number, (is_key, (starts_keyframe, size))) in keys.iter().zip(seen).enumerate() {
        assert_eq!(starts_keyframe, *is_key, "picture {number}");
        assert_eq!(size.is_some(), *is_key, "picture {number}");
        assert!(size.is_none_or(|size| size == (WIDTH, HEIGHT)), "{size:?}");
    }
    assert_eq!(keys.iter().filter(|is_key| **is_key).count(), 2);
    let most = units.iter().map(|unit| packetise(codec, unit).len()).max();
    assert!(most > Some(3), "nothing had to be cut");
}

#[test]
fn pictures_of_x265_come_out_whole() {
    let options = "bframes=0:aud=1:repeat-headers=1:scenecut=0:keyint=30:log-level=none";
    let encoder = ["libx265", "-preset", "ultrafast", "-x265-params", options];
    let stream = coded(&encoder, "hevc");
    let units = delimited(&stream, &[0, 0, 0, 1, 0x46, 0x01]);
    let expected: Vec<_> = units.iter().map(|unit| without_delimiter(unit)).collect();
    check_real(VideoCodec::H265, &units, &expected);
}

#[test]
fn pictures_of_x264_come_out_whole() {
    let options = "aud=1:scenecut=0:keyint=30:slices=4";
    let encoder = [
        "libx264",
        "-bf",
        "0",
        "-preset",
        "ultrafast",
        "-x264-params",
        options,
    ];
    let stream = coded(&encoder, "h264");
    let units = delimited(&stream, &[0, 0, 0, 1, 0x09]);
    let expected: Vec<_> = units.iter().map(|unit| without_delimiter(unit)).collect();
    check_real(VideoCodec::H264, &units, &expected);
}

#[test]
fn frames_of_libvpx_come_out_whole() {
    for (encoder, codec) in [("libvpx", VideoCodec::Vp8), ("libvpx-vp9", VideoCodec::Vp9)] {
        let options = [
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-lag-in-frames",
            "0",
        ];
        let units = ivf(&coded(&[&[encoder], &options[..]].concat(), "ivf"));
        check_real(codec, &units, &units);
    }
}

/// Hidden frames that later ones refer to come with the next frame that is shown.
#[test]
fn superframes_of_libvpx_come_out_whole() {
    let log = std::env::temp_dir().join(format!("tallylight-superframes-{}", std::process::id()));
    let log = log.to_str().expect("it is UTF-8");
    // libvpx hides frames only where it knows what comes.
    let pass = |number| {
        let options = [
            "libvpx-vp9",
            "-cpu-used",
            "5",
            "-auto-alt-ref",
            "1",
            "-lag-in-frames",
            "25",
            "-passlogfile",
            log,
            "-pass",
            number,
        ];
        coded(&options, "ivf")
    };
    pass("1");
    let units = ivf(&pass("2"));
    std::fs::remove_file(format!("{log}-0.log")).expect("what was learnt is there");
    let has_index = |unit: &&Vec<u8>| unit.last().is_some_and(|last| last & 0xe0 == 0xc0);
    assert!(units.iter().filter(has_index).count() > 0);
    check_real(VideoCodec::Vp9, &units, &units);
}

#[test]
fn temporal_units_of_encoders_come_out_whole() {
    let aom = [
        "libaom-av1",
        "-usage",
        "realtime",
        "-cpu-used",
        "8",
        "-lag-in-frames",
        "0",
    ];
    let svt = [
        "libsvtav1",
        "-preset",
        "12",
        "-svtav1-params",
        "pred-struct=1",
    ];
    for encoder in [&aom[..], &svt] {
        let units = ivf(&coded(encoder, "ivf"));
        let without_delimiter = |unit: &Vec<u8>| {
            let rest = unit.strip_prefix(&[0x12, 0x00]);
            rest.expect("a delimiter").to_vec()
        };
        let expected: Vec<_> = units.iter().map(without_delimiter).collect();
        check_real(VideoCodec::Av1, &units, &expected);
    }
}
