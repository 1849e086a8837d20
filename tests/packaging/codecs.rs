//! Codecs that are packaged as they come.

use std::process::Command;

use bytes::Bytes;
use media::{Codec, Unit};

use crate::stage::{LARGE, PICTURE, Stage, maps, ms, playlist, probe, through};

/// Two seconds of moving shapes, 320x180, with a key frame every second, as ffmpeg codes them.
fn coded(encoder: &[&str], format: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=30:d=2",
        ])
        .args(["-pix_fmt", "yuv420p", "-g", "30", "-c:v"])
        .args(encoder)
        .args(["-f", format, "-"]);
    through(command, Vec::new())
}

/// The frames of an IVF file.
fn ivf(file: &[u8]) -> Vec<Bytes> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap());
        let (frame, after) = after.split_at(length.try_into().unwrap());
        frames.push(Bytes::copy_from_slice(frame));
        rest = after;
    }
    frames
}

/// Access units that each begin with a delimiter.
fn h265() -> Vec<Bytes> {
    let options = "bframes=0:aud=1:repeat-headers=1:scenecut=0:keyint=30:log-level=none";
    let stream = coded(
        &["libx265", "-preset", "ultrafast", "-x265-params", options],
        "hevc",
    );
    let delimiter = [0, 0, 0, 1, 0x46, 0x01];
    let starts: Vec<_> = stream
        .windows(delimiter.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == delimiter).then_some(at))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends);
    units
        .map(|(start, end)| Bytes::copy_from_slice(&stream[*start..end]))
        .collect()
}

fn vp9() -> Vec<Bytes> {
    let options = [
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-lag-in-frames",
        "0",
    ];
    ivf(&coded(&options, "ivf"))
}

/// Temporal units without their delimiters.
fn av1() -> Vec<Bytes> {
    let options = [
        "libaom-av1",
        "-usage",
        "realtime",
        "-cpu-used",
        "8",
        "-lag-in-frames",
        "0",
    ];
    let units = ivf(&coded(&options, "ivf")).into_iter();
    let delimiter: &[u8] = &[0x12, 0x00];
    units
        .map(|unit| {
            unit.strip_prefix(delimiter)
                .map_or(unit.clone(), |rest| unit.slice_ref(rest))
        })
        .collect()
}

/// The pictures, from that time on; every thirtieth is a key frame.
fn units(codec: Codec, pictures: &[Bytes], from: std::time::Duration) -> Vec<Unit> {
    let pictures = (0..).zip(pictures);
    pictures
        .map(|(number, bytes)| Unit {
            track: LARGE,
            codec,
            pts: from + PICTURE * number,
            dts: from + PICTURE * number,
            keyframe: number % 30 == 0,
            size: (number % 30 == 0).then_some((320, 180)),
            bytes: bytes.clone(),
        })
        .collect()
}

/// Packages it, and says what players are told it is, and what ffprobe finds.
async fn packaged(codec: Codec, pictures: Vec<Bytes>) -> (String, Vec<(String, usize)>, usize) {
    assert_eq!(pictures.len(), 60);
    let mut stage = Stage::new(&[LARGE]).await;
    stage.feed(units(codec, &pictures, ms(5_000))).await;
    stage.feed(units(codec, &pictures, ms(7_000))).await;
    let thumbnail = tokio::time::timeout(ms(20_000), stage.thumbnails.recv()).await;
    let thumbnail = thumbnail.expect("a thumbnail").unwrap();
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!(maps(&listed).len(), 1, "{listed:#?}");
    let multivariant = origin.multivariant("").await.unwrap().text().to_vec();
    let multivariant = String::from_utf8(multivariant).unwrap();
    let named = multivariant.split("CODECS=\"").nth(1).unwrap();
    let named = named.split('"').next().unwrap().to_owned();
    (
        named,
        probe(&origin, LARGE, &listed).await,
        thumbnail.jpeg.len(),
    )
}

async fn made(clip: fn() -> Vec<Bytes>) -> Vec<Bytes> {
    tokio::task::spawn_blocking(clip).await.unwrap()
}

#[tokio::test]
async fn h265_is_packaged() {
    let (named, found, jpeg) = packaged(Codec::H265, made(h265).await).await;
    assert_eq!(found, [("hevc,320,180".into(), 120)]);
    assert!(named.starts_with("hvc1.1.6.L60"), "{named}");
    assert!(jpeg > 1_000);
}

#[tokio::test]
async fn vp9_is_packaged() {
    let (named, found, jpeg) = packaged(Codec::Vp9, made(vp9).await).await;
    assert_eq!(found, [("vp9,320,180".into(), 120)]);
    assert_eq!(named, "vp09.00.41.08");
    assert!(jpeg > 1_000);
}

#[tokio::test]
async fn av1_is_packaged() {
    let (named, found, jpeg) = packaged(Codec::Av1, made(av1).await).await;
    assert_eq!(found, [("av1,320,180".into(), 120)]);
    assert!(
        named.starts_with("av01.0.") && named.ends_with("M.08"),
        "{named}"
    );
    assert!(jpeg > 1_000);
}

/// Another encoder takes over, in the same time.
#[tokio::test]
async fn a_rendition_may_change_its_codec() {
    let stage = Stage::new(&[LARGE]).await;
    let (first, second) = (made(h265).await, made(vp9).await);
    stage.feed(units(Codec::H265, &first, ms(5_000))).await;
    stage.feed(units(Codec::Vp9, &second, ms(7_000))).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    let found = probe(&origin, LARGE, &listed).await;
    assert_eq!(
        found,
        [("hevc,320,180".into(), 60), ("vp9,320,180".into(), 60)]
    );
}
