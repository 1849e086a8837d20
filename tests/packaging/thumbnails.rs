//! Pictures for lists of streams.

use std::collections::BTreeMap;
use std::process::Command;

use crate::stage::{LARGE, SMALL, Stage, ms, through};

/// What ffmpeg measures of a picture that it decodes, such as `YAVG`.
fn measure(picture: &[u8]) -> BTreeMap<String, f64> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-f", "mjpeg", "-i", "-"])
        .args(["-vf", "signalstats,metadata=print:file=-", "-f", "null"])
        .arg("-");
    let text = String::from_utf8(through(command, picture.to_vec())).unwrap();
    let lines = text.lines();
    lines
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("lavfi.signalstats.")?.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// Width and height in the frame header of a JPEG (ITU-T T.81 §B.2.2).
fn size(jpeg: &[u8]) -> (u16, u16) {
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xc0]);
    let frame = &jpeg[at.expect("a baseline JPEG") + 5..];
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    (number(2), number(0))
}

#[tokio::test]
async fn every_ten_seconds_there_is_a_picture_of_the_first_layer() {
    let mut stage = Stage::new(&[LARGE, SMALL]).await;
    for turn in 0..4 {
        let units = stage.clip.at(&[LARGE, SMALL], ms(5_000 + turn * 6_000));
        stage.feed(units).await;
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(stage.thumbnails.recv().await.unwrap());
    }
    stage.finish().await;
    let times: Vec<_> = seen.iter().map(|thumbnail| thumbnail.pts).collect();
    assert_eq!(times, [ms(5_000), ms(15_000), ms(25_000)]);
    for thumbnail in seen {
        assert_eq!(size(&thumbnail.jpeg), (320, 180));
        let picture = measure(&thumbnail.jpeg);
        assert!(picture["YMAX"] - picture["YMIN"] > 150.0, "{picture:?}");
        assert!(picture["SATAVG"] > 20.0, "it has colours: {picture:?}");
    }
}
