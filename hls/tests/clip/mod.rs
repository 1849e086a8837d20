//! Media that ffmpeg makes, cut as a packager cuts it.

#![allow(dead_code, reason = "each test program uses a part")]

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hls::{Chunk, Init, Media, Writer};

/// A fragmented MP4 of one track: its initialisation and its fragments, half a second each.
pub(crate) struct Clip {
    pub(crate) init: Bytes,
    pub(crate) fragments: Vec<Bytes>,
}

pub(crate) const FRAGMENT: Duration = Duration::from_millis(500);

pub(crate) fn ffmpeg(arguments: &[&str]) -> String {
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .output()
        .expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}");
    said
}

impl Clip {
    /// Four seconds.
    pub(crate) fn make(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let fixed = [
            "-movflags",
            "cmaf+empty_moov+default_base_moof",
            "-frag_duration",
            "500000",
            path.to_str().unwrap(),
        ];
        ffmpeg(&[arguments, &fixed].concat());
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let mut clip = Self {
            init: Bytes::new(),
            fragments: Vec::new(),
        };
        let (mut at, mut moof) = (0, None);
        while at < bytes.len() {
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            let end = at + usize::try_from(size).unwrap();
            match &bytes[at + 4..at + 8] {
                b"moov" => clip.init = bytes.slice(..end),
                b"moof" => moof = Some(at),
                b"mdat" => clip.fragments.push(bytes.slice(moof.unwrap()..end)),
                _ => {}
            }
            at = end;
        }
        clip
    }

    pub(crate) fn video(size: &str, bframes: &str) -> Self {
        let source = format!("testsrc2=size={size}:rate=30:duration=4");
        Self::make(&[
            "-f",
            "lavfi",
            "-i",
            &source,
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            bframes,
            "-g",
            "15",
            "-keyint_min",
            "15",
            "-sc_threshold",
            "0",
        ])
    }

    pub(crate) fn sound() -> Self {
        let source = "sine=frequency=440:sample_rate=48000:duration=4";
        Self::make(&["-f", "lavfi", "-i", source, "-ac", "2", "-c:a", "aac"])
    }
}

pub(crate) fn video(width: u32, height: u32) -> Media {
    Media::Video {
        codec: "avc1.42c01e".to_owned(),
        width,
        height,
        frame_rate: 30.0,
    }
}

pub(crate) fn audio() -> Media {
    Media::Audio {
        codec: "mp4a.40.2".to_owned(),
        channels: 2,
    }
}

/// Begins a run and pushes a clip, whose own time begins at zero, at that time of the stream.
pub(crate) fn push(writer: &mut Writer, clip: &Clip, media: Media, at: Duration, lost: &[usize]) {
    let init = Init {
        bytes: clip.init.clone(),
        media,
        zero_unix_ms: 1_700_000_000_000,
        discontinuity: true,
    };
    writer.begin(init).unwrap();
    for (number, bytes) in (0..).zip(&clip.fragments) {
        let chunk = Chunk {
            bytes: bytes.clone(),
            start: at + FRAGMENT * number,
            duration: FRAGMENT,
            independent: true,
            ends_segment: number % 4 == 3,
        };
        if !lost.contains(&usize::try_from(number).unwrap()) {
            writer.push(chunk).unwrap();
        }
    }
}
