//! HE-AAC: its core stands in ADTS headers, and decoders find the rest.
//!
//! The samples are three seconds of 48 kHz in stereo, with a beep at the beginning of each, from the
//! Fraunhofer encoder: no packaged one makes HE-AAC.

use std::time::Duration;

use bytes::Bytes;

use crate::encoded::{frames, heard};
use crate::opus;
use crate::passed::{beeps, format, packaged};
use crate::stage::{SOUND, decode, ms, playlist, runs};

const START: Duration = ms(5_000);
/// Each with the delay of its encoder, in samples.
const SAMPLES: [(&[u8], u32); 2] = [
    (include_bytes!("samples/he-aac.aac"), 5_058),
    (include_bytes!("samples/he-aac-v2.aac"), 7_106),
];

/// Frames and their times, from that one on: 2,048 samples each.
fn timed(sample: &[u8], from: Duration) -> Vec<(Duration, Bytes)> {
    let frames = frames(sample);
    (0..)
        .zip(frames)
        .map(|(number, frame): (u64, Bytes)| (from + ms(number * 2_048 / 48), frame))
        .collect()
}

fn in_time(heard: f64, second: u32, delay: u32) -> bool {
    let right = f64::from(second) + f64::from(delay) / 48_000.0;
    (heard - right).abs() < 0.04
}

#[tokio::test]
async fn it_becomes_opus_in_time() {
    for (sample, delay) in SAMPLES {
        let units = opus::made(&timed(sample, Duration::ZERO), START).await;
        let beeps = tokio::task::spawn_blocking(move || opus::beeps(&units));
        let heard = beeps.await.unwrap();
        assert_eq!(heard.len(), 3, "{heard:?}");
        for (second, at) in (0..).zip(heard) {
            assert!(in_time((at - START).as_secs_f64(), second, delay), "{at:?}");
        }
    }
}

#[tokio::test]
async fn it_is_packaged_as_it_came() {
    for (sample, delay) in SAMPLES {
        let frames = timed(sample, START).into_iter();
        let units = frames.map(|(at, frame)| heard(at, frame)).collect();
        let origin = packaged(units).await;
        let listed = playlist(&origin, SOUND).await;
        let file = runs(&origin, SOUND, &listed).await.remove(0);
        assert_eq!(format(&file), "aac,48000,2");
        let decoded = tokio::task::spawn_blocking(move || decode(file));
        let heard = beeps(&decoded.await.unwrap());
        assert_eq!(heard.len(), 3, "{heard:?}");
        for (second, at) in (0..).zip(heard) {
            assert!(in_time(at, second, delay), "{at:?}");
        }
    }
}
