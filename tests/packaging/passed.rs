//! AAC that is packaged as it came.

use std::process::Command;
use std::time::Duration;

use hls::Origin;
use media::Unit;

use crate::encoded::{heard, packets};
use crate::opus;
use crate::stage::{
    SOUND, Stage, decode, discontinuities, maps, ms, playlist, probe, runs, starts, through,
};

const START: Duration = ms(5_000);

/// Three seconds with a beep at the beginning of each, from that time on.
async fn aac(rate: u32, layout: &'static str, from: Duration) -> Vec<Unit> {
    let made = tokio::task::spawn_blocking(move || opus::aac(rate, layout));
    let frames = made.await.unwrap().into_iter();
    frames.map(|(at, bytes)| heard(from + at, bytes)).collect()
}

pub(crate) async fn packaged(units: Vec<Unit>) -> Origin {
    let stage = Stage::new(&[SOUND]).await;
    stage.feed(units).await;
    stage.finish().await.0
}

/// Codec, rate and channels, as ffprobe finds them.
pub(crate) fn format(file: &[u8]) -> String {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries"])
        .args(["stream=codec_name,sample_rate,channels", "-"]);
    let said = String::from_utf8(through(command, file.to_vec())).unwrap();
    said.trim().to_owned()
}

/// When each beep begins, in seconds since the first sample.
pub(crate) fn beeps(samples: &[i16]) -> Vec<f64> {
    let mut beeps: Vec<f64> = Vec::new();
    for (number, sample) in (0_u32..).zip(samples) {
        let at = f64::from(number) / 48_000.0;
        let is_new = beeps.last().is_none_or(|last| at > last + 0.5);
        if sample.unsigned_abs() > 3_000 && is_new {
            beeps.push(at);
        }
    }
    beeps
}

#[tokio::test]
async fn whatever_its_rate_and_channels_players_are_told_and_hear_it_in_time() {
    for (rate, layout, channels) in [
        (22_050, "mono", 1),
        (44_100, "stereo", 2),
        (48_000, "5.1", 6),
        (8_000, "mono", 1),
        (96_000, "stereo", 2),
    ] {
        let origin = packaged(aac(rate, layout, START).await).await;
        let listed = playlist(&origin, SOUND).await;
        assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 1));
        let file = runs(&origin, SOUND, &listed).await.remove(0);
        assert_eq!(format(&file), format!("aac,{rate},{channels}"));
        let length = 1_024.0 / f64::from(rate);
        let found = packets(&file, "a");
        for (number, packet) in (0_u32..).zip(&found) {
            let right = 5.0 + f64::from(number) * length;
            assert!((packet.pts - right).abs() < 0.000_2, "{rate}: {packet:?}");
        }
        let decoded = tokio::task::spawn_blocking(move || decode(file));
        let heard = beeps(&decoded.await.unwrap());
        assert_eq!(heard.len(), 3, "{rate} {layout}: {heard:?}");
        for (second, at) in (0_u32..).zip(heard) {
            // The encoder's own delay is a frame, which was no time in what it sent.
            let right = f64::from(second) + length;
            assert!((at - right).abs() < 0.04, "{rate} {layout}: {at} {right}");
        }
        let multivariant = origin.multivariant("").await.unwrap();
        let text = String::from_utf8(multivariant.text().to_vec()).unwrap();
        assert!(text.contains("CODECS=\"mp4a.40.2\""), "{text}");
    }
}

#[tokio::test]
async fn players_are_told_the_channels_beside_a_picture() {
    let stage = Stage::new(&[crate::stage::LARGE, SOUND]).await;
    let mut units = stage.clip.at(&[crate::stage::LARGE], START);
    units.truncate(90);
    units.extend(aac(48_000, "5.1", START).await);
    units.sort_by_key(|unit| unit.dts);
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    let multivariant = origin.multivariant("").await.unwrap();
    let text = String::from_utf8(multivariant.text().to_vec()).unwrap();
    assert!(text.contains("CHANNELS=\"6\""), "{text}");
}

#[tokio::test]
async fn sound_may_change_its_codec_and_its_rate() {
    let stage = Stage::new(&[SOUND]).await;
    let opus = |from| {
        let mut units = stage.clip.at(&[SOUND], from);
        units.truncate(100);
        units
    };
    stage.feed(opus(START)).await;
    let from = START + ms(2_000);
    stage.feed(aac(44_100, "stereo", from).await).await;
    // Nobody sends for a while.
    let from = START + ms(5_500);
    stage.feed(aac(22_050, "mono", from).await).await;
    stage.feed(opus(START + ms(8_500))).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, SOUND).await;
    assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 4));
    let found = probe(&origin, SOUND, &listed).await;
    assert!(found.iter().all(|(what, _)| what == "aac"), "{found:?}");
    let files = runs(&origin, SOUND, &listed).await;
    let formats: Vec<_> = files.iter().map(|file| format(file)).collect();
    let coded = "aac,48000,2";
    assert_eq!(formats, [coded, "aac,44100,2", "aac,22050,1", coded]);
    let begins: Vec<_> = files.iter().map(|file| packets(file, "a")[0].pts).collect();
    for (at, right) in begins.iter().zip([5.0, 7.0, 10.5, 13.5]) {
        // An encoder of AAC ends with a whole frame or two.
        assert!((at - right).abs() < 0.07, "{begins:?}");
    }
    // No hole and no overlap: durations of segments add up to where each begins.
    for begin in &begins {
        let is_start = |start: f64| (5.0 + start - begin).abs() < 0.002;
        assert!(starts(&listed).into_iter().any(is_start), "{begins:?}");
    }
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    assert!((length - 10.5).abs() < 0.05, "{length}");
}

#[tokio::test]
async fn a_hole_is_silence() {
    for (rate, layout) in [(22_050, "mono"), (44_100, "stereo"), (48_000, "5.1")] {
        let mut units = aac(rate, layout, START).await;
        let hole = START + ms(1_050)..START + ms(2_050);
        units.retain(|unit| !hole.contains(&unit.pts));
        let origin = packaged(units).await;
        let listed = playlist(&origin, SOUND).await;
        assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 1));
        let file = runs(&origin, SOUND, &listed).await.remove(0);
        let found = packets(&file, "a");
        let length = 1_024.0 / f64::from(rate);
        for two in found.windows(2) {
            let step = two[1].pts - two[0].pts;
            assert!(step < 2.0 * length, "{rate}: {two:?}");
        }
        let samples = tokio::task::spawn_blocking(move || decode(file))
            .await
            .unwrap();
        let is_silent = |samples: &[i16]| samples.iter().all(|one| one.unsigned_abs() < 50);
        assert!(
            is_silent(&samples[48_000 * 13 / 10..48_000 * 19 / 10]),
            "{layout}"
        );
        assert!(!is_silent(&samples[48_000..48_000 * 11 / 10]), "{layout}");
    }
}

#[tokio::test]
async fn what_is_no_aac_is_left_out() {
    let mut units = aac(44_100, "stereo", START).await;
    let count = units.len();
    for (number, unit) in units.iter_mut().enumerate() {
        if (40..45).contains(&number) {
            unit.bytes = unit.bytes.slice(1..);
        }
    }
    let origin = packaged(units).await;
    let listed = playlist(&origin, SOUND).await;
    assert_eq!(maps(&listed).len(), 1);
    let file = runs(&origin, SOUND, &listed).await.remove(0);
    // Silence stands for them.
    assert_eq!(packets(&file, "a").len(), count);
}
