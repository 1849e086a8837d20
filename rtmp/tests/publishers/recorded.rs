//! Publishers that are newer than what distributions have, as they were recorded behind the
//! handshake; the recordings are seeds of the fuzz target `session`, too.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rtmp::{AudioCodec, AudioUnit, Config, Error, Event, Session, VideoCodec, VideoUnit};

use crate::decoding::{annex_b, decoded_frames, with_adts};

#[derive(Default)]
struct Replayed {
    video: Vec<VideoUnit>,
    audio: Vec<AudioUnit>,
}

/// What a recording gives. Nothing of it may be lost.
fn replay(name: &str) -> Result<Replayed, Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/session");
    let recording = fs::read(folder.join(name)).expect("the recording");
    let mut session = Session::new(Config::default());
    for handshake in [&[3][..], &[0; 1_536], &[0; 1_536]] {
        session.receive(handshake).expect("a plain handshake");
    }
    // The first byte is the fuzz target's.
    session.receive(&recording[1..]).expect("it is open");
    let mut replayed = Replayed::default();
    while let Some(event) = session.next_event()? {
        match event {
            Event::PublishRequested(_) => session.accept(),
            Event::Video(unit) => replayed.video.push(unit),
            Event::Audio(unit) => replayed.audio.push(unit),
            _ => {}
        }
    }
    let counts = session.counts();
    assert_eq!(counts.broken + counts.before_configuration, 0);
    Ok(replayed)
}

/// Six pictures of 40 ms, of which the first and fourth are key frames.
fn check_pictures(video: &[VideoUnit], codec: VideoCodec) {
    let keyframes: Vec<_> = video.iter().map(|unit| unit.keyframe).collect();
    assert_eq!(keyframes, [true, false, false, true, false, false]);
    assert!(video.iter().all(|unit| unit.codec == codec));
    for pair in video.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(step.abs_diff(Duration::from_millis(40)) <= Duration::from_millis(1));
    }
}

/// Eleven packets of 20 ms.
fn check_opus(audio: &[AudioUnit], channels: u8) {
    assert_eq!(audio.len(), 11);
    let codec = AudioCodec::Opus { channels };
    assert!(audio.iter().all(|unit| unit.codec == codec));
    let apart = audio[10].pts - audio[0].pts;
    assert!(apart.abs_diff(Duration::from_millis(200)) < Duration::from_millis(10));
}

#[tokio::test]
async fn h265_of_ffmpeg_9_comes_through() {
    let replayed = replay("ffmpeg-9-hevc-aac").expect("it is taken");
    check_pictures(&replayed.video, VideoCodec::H265);
    assert_eq!(decoded_frames("hevc", annex_b(&replayed.video)).await, 6);
    assert_eq!(decoded_frames("aac", with_adts(&replayed.audio)).await, 11);
}

#[tokio::test]
async fn av1_and_opus_of_ffmpeg_9_come_through() {
    let replayed = replay("ffmpeg-9-av1-opus").expect("it is taken");
    check_pictures(&replayed.video, VideoCodec::Av1);
    check_opus(&replayed.audio, 2);
    // A decoder finds units by the delimiters that are taken away here.
    let units = replayed.video.iter();
    let delimited = units.flat_map(|unit| [&[0x12, 0][..], &unit.bytes].concat());
    assert_eq!(decoded_frames("obu", delimited.collect()).await, 6);
}

#[tokio::test]
async fn vp9_and_opus_of_ffmpeg_9_come_through() {
    let replayed = replay("ffmpeg-9-vp9-opus").expect("it is taken");
    check_pictures(&replayed.video, VideoCodec::Vp9);
    check_opus(&replayed.audio, 1);
    assert_eq!(decoded_frames("ivf", ivf(&replayed.video)).await, 6);
}

#[test]
fn what_has_no_place_is_named() {
    for (name, words) in [
        ("ffmpeg-9-flac", "FLAC audio is not supported"),
        ("ffmpeg-9-multitrack", "several tracks in one stream"),
    ] {
        let refused = replay(name).err().expect("it is refused").to_string();
        assert!(refused.starts_with(words), "{refused}");
    }
}

/// The plainest container of VP9.
fn ivf(units: &[VideoUnit]) -> Vec<u8> {
    let mut bytes = b"DKIF\0\0\x20\0VP90\x40\0\x40\0\x19\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for (number, unit) in units.iter().enumerate() {
        bytes.extend((unit.bytes.len() as u32).to_le_bytes());
        bytes.extend((number as u64).to_le_bytes());
        bytes.extend(&unit.bytes);
    }
    bytes
}
