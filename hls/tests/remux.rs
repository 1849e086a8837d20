//! The MP4 of a recording, as a foreign reader finds it. ffmpeg makes the media and reads it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod clip;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clip::{Clip, audio, ffmpeg, push, video};
use hls::{Config, Origin, ReadCache, Recorded, RemuxError};

fn origin(folder: &Path) -> Origin {
    let config = Config {
        folder: Some(folder.to_owned()),
        keep: true,
        ..Config::default()
    };
    Origin::new(config, "")
}

async fn remux(folder: &Path) -> PathBuf {
    let recorded = Recorded::open(folder, "", &ReadCache::new(0))
        .await
        .unwrap();
    let to = folder.join("out.mp4");
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let progress = move |done, total| {
        tell.lock().unwrap().push((done, total));
        true
    };
    let size = recorded.remux(to.clone(), progress).await.unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().len(), size);
    let told = told.lock().unwrap();
    let (done, total) = told.last().unwrap();
    assert_eq!(done, total);
    // The index comes first.
    let bytes = std::fs::read(&to).unwrap();
    let find = |kind: &[u8]| bytes.windows(4).position(|window| window == kind).unwrap();
    assert!(find(b"moov") < find(b"mdat"));
    // And every sample can be decoded.
    let said = ffmpeg(&["-i", to.to_str().unwrap(), "-f", "null", "-"]);
    assert_eq!(said, "");
    to
}

/// What ffprobe says of a file: one line a stream, or a packet.
fn probe(path: &Path, arguments: &[&str]) -> Vec<String> {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("ffprobe runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let text = String::from_utf8(run.stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned());
    // Side data of a packet leaves an empty line.
    lines.filter(|line| !line.is_empty()).collect()
}

/// Presentation times of the packets of a stream, in seconds.
fn times(path: &Path, stream: &str) -> Vec<f64> {
    let lines = probe(
        path,
        &[
            "-select_streams",
            stream,
            "-show_entries",
            "packet=pts_time",
        ],
    );
    let mut times: Vec<f64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    times
}

#[tokio::test]
async fn picture_and_sound_come_out_together_frame_for_frame() {
    for bframes in ["0", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let origin = origin(folder.path());
        let (mut large, mut small) = (origin.writer("v0"), origin.writer("v1"));
        let mut sound = origin.writer("audio");
        let start = Duration::from_secs(7);
        let clip = Clip::video("320x180", bframes);
        push(&mut large, &clip, video(320, 180), start, &[]);
        push(
            &mut small,
            &Clip::video("160x90", "0"),
            video(160, 90),
            start,
            &[],
        );
        push(&mut sound, &Clip::sound(), audio(), start, &[]);
        origin.close().await;
        let mp4 = remux(folder.path()).await;
        let entries = "stream=codec_name,width,height,nb_read_packets,start_time";
        let streams = probe(&mp4, &["-count_packets", "-show_entries", entries]);
        assert_eq!(streams[0], "h264,320,180,0.000000,120");
        let frames: Vec<&str> = streams[1].split(',').collect();
        assert_eq!(frames[0], "aac");
        assert!(
            (188..=190).contains(&frames[2].parse::<u32>().unwrap()),
            "{streams:?}"
        );
        let pictures = times(&mp4, "v");
        for (number, time) in (0_u32..).zip(&pictures) {
            let expected = f64::from(number) / 30.0;
            assert!(
                (time - expected).abs() < 0.002,
                "picture {number} at {time}"
            );
        }
        let sounds = times(&mp4, "a");
        assert!((sounds.last().unwrap() - 4.0).abs() < 0.05, "{sounds:?}");
    }
}

#[tokio::test]
async fn a_discontinuity_with_another_size_and_time_plays_on() {
    let folder = tempfile::tempdir().unwrap();
    let origin = origin(folder.path());
    let (mut pictures, mut sound) = (origin.writer("v0"), origin.writer("audio"));
    let (first, second) = (Clip::video("320x180", "0"), Clip::video("160x90", "0"));
    let tone = Clip::sound();
    for (clip, at) in [(&first, 0), (&second, 60), (&first, 100)] {
        let at = Duration::from_secs(at);
        push(&mut pictures, clip, video(320, 180), at, &[]);
        push(&mut sound, &tone, audio(), at, &[]);
    }
    origin.close().await;
    let mp4 = remux(folder.path()).await;
    let (pictures, sounds) = (times(&mp4, "v"), times(&mp4, "a"));
    assert_eq!(pictures.len(), 360);
    for (times, frame) in [(&pictures, 1.0 / 30.0), (&sounds, 1024.0 / 48_000.0)] {
        for pair in times.windows(2) {
            let step = pair[1] - pair[0];
            assert!(step > 0.0 && step < frame + 0.04, "{step} at {}", pair[0]);
        }
        assert!((11.9..12.1).contains(times.last().unwrap()), "{times:?}");
    }
    let sizes = probe(
        &mp4,
        &["-select_streams", "v", "-show_entries", "frame=width"],
    );
    assert_eq!(sizes.len(), 360);
    assert_eq!(
        (sizes[0].as_str(), sizes[150].as_str(), sizes[300].as_str()),
        ("320", "160", "320")
    );
}

#[tokio::test]
async fn sound_stays_with_its_picture_where_pictures_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let origin = origin(folder.path());
    let (mut pictures, mut sound) = (origin.writer("v0"), origin.writer("audio"));
    let clip = Clip::video("320x180", "0");
    // A second of pictures is missing, from the first on, and half a second later on.
    push(
        &mut pictures,
        &clip,
        video(320, 180),
        Duration::ZERO,
        &[0, 1, 5],
    );
    push(&mut sound, &Clip::sound(), audio(), Duration::ZERO, &[]);
    origin.close().await;
    let mp4 = remux(folder.path()).await;
    let (pictures, sounds) = (times(&mp4, "v"), times(&mp4, "a"));
    assert!((pictures[0] - 1.0).abs() < 0.002, "{pictures:?}");
    assert!(sounds[0] < 0.03);
    assert!((pictures.last().unwrap() - (4.0 - 1.0 / 30.0)).abs() < 0.002);
}

#[tokio::test]
async fn it_stops_when_it_is_told_so_and_says_what_is_malformed() {
    let folder = tempfile::tempdir().unwrap();
    let origin = origin(folder.path());
    let mut sound = origin.writer("audio");
    push(&mut sound, &Clip::sound(), audio(), Duration::ZERO, &[]);
    origin.close().await;
    let recorded = Recorded::open(folder.path(), "", &ReadCache::new(0))
        .await
        .unwrap();
    let to = folder.path().join("out.mp4");
    let stopped = recorded.remux(to.clone(), |done, _| done == 0).await;
    assert!(matches!(stopped, Err(RemuxError::Stopped)), "{stopped:?}");
    let segment = folder.path().join("audio/1.m4s");
    let size = std::fs::metadata(&segment).unwrap().len();
    std::fs::write(&segment, vec![0xa5; usize::try_from(size).unwrap()]).unwrap();
    let refused = recorded.remux(to, |_, _| true).await;
    assert!(
        matches!(refused, Err(RemuxError::Malformed { .. })),
        "{refused:?}"
    );
}
