//! Time that stands, jumps and goes astray.

use std::time::Duration;

use crate::stage::{
    ALL, LARGE, SOUND, Stage, decode, discontinuities, ms, part_durations, playlist, probe, runs,
};

const START: Duration = ms(5_000);

#[tokio::test]
async fn time_that_jumps_is_a_discontinuity_in_every_rendition() {
    let stage = Stage::new(&ALL).await;
    for from in [START, ms(30_000), ms(10_000)] {
        stage.feed(stage.clip.at(&ALL, from)).await;
    }
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 2, "{track}: {listed:#?}");
        for segment in &listed.segments {
            assert!(segment.duration < 2.1, "nothing is stretched: {segment:?}");
        }
    }
}

#[tokio::test]
async fn a_picture_a_second_is_no_jump() {
    let stage = Stage::new(&[LARGE, SOUND]).await;
    let mut units = stage.clip.at(&[LARGE, SOUND], START);
    // Key frames are every two seconds: the pictures between may be any, as no one decodes them.
    let mut next = START;
    units.retain(|unit| {
        let is_due = unit.track == SOUND || unit.pts >= next;
        if is_due && unit.track == LARGE {
            next = unit.pts + ms(980);
        }
        is_due
    });
    stage.feed(units).await;
    let parts = part_durations(&stage.reached(LARGE, 3, 0).await);
    assert!(parts.len() >= 5, "a picture is a part: {parts:?}");
    assert!(parts.iter().all(|part| *part < 1.01), "{parts:?}");
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!(discontinuities(&listed), 0, "{listed:#?}");
    assert_eq!(probe(&origin, LARGE, &listed).await[0].1, 6);
}

#[tokio::test]
async fn a_picture_that_stands_a_while_is_no_jump_and_makes_no_other_part_longer() {
    let stage = Stage::new(&ALL).await;
    let mut units = stage.clip.at(&ALL, START);
    let stands = START + ms(2_500)..START + ms(3_660);
    units.retain(|unit| !stands.contains(&unit.pts));
    stage.feed(units).await;
    for track in ALL {
        let mut parts = part_durations(&stage.reached(track, 3, 0).await);
        parts.retain(|part| *part > 0.335);
        match track {
            SOUND => assert!(parts.is_empty(), "silence is sound: {parts:?}"),
            // The picture that stood.
            _ => assert!(parts.len() == 1 && parts[0] < 1.21, "{parts:?}"),
        }
    }
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 0, "{listed:#?}");
        let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
        assert!((length - 6.0).abs() < 0.05, "{track}: {length}");
    }
}

#[tokio::test]
async fn a_longer_pause_is_a_discontinuity_in_every_rendition() {
    let stage = Stage::new(&ALL).await;
    let mut units = stage.clip.at(&ALL, START);
    // Sound alone stops for 1.3 s.
    let stands = START + ms(2_500)..START + ms(3_800);
    units.retain(|unit| unit.track != SOUND || !stands.contains(&unit.pts));
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 1, "{track}: {listed:#?}");
    }
}

#[tokio::test]
async fn sound_is_heard_when_it_was_made() {
    let stage = Stage::new(&[SOUND]).await;
    let mut units = stage.clip.at(&[SOUND], START);
    // It is silent for a second.
    let silent = START + ms(2_000)..START + ms(3_000);
    units.retain(|unit| !silent.contains(&unit.pts));
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, SOUND).await;
    let samples = decode(runs(&origin, SOUND, &listed).await.remove(0));
    let is_loud = |sample: &i16| sample.unsigned_abs() > 200;
    let (before, after) = samples.split_at(48_000 * 5 / 2);
    let stops = before.iter().rposition(is_loud).unwrap();
    let begins = before.len() + after.iter().position(is_loud).unwrap();
    // Within 15 ms: Opus looks 6.5 ms ahead, and AAC smears.
    for (heard, made) in [(stops, 2 * 48_000), (begins, 3 * 48_000)] {
        assert!(heard.abs_diff(made) < 720, "{heard} samples, not {made}");
    }
}
