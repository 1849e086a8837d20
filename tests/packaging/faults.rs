//! Children that die and stand still (F13), and sources that misbehave (F14).

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hls::{Origin, PlaylistRequest, ReadError};
use media::{Config, Packager, TrackKind, Unit, Worker};
use tokio::sync::mpsc;

use crate::stage::{
    ALL, LARGE, PICTURE, SMALL, SOUND, Stage, config, discontinuities, listeners, maps, ms,
    part_durations, playlist, probe, worker,
};

const START: Duration = ms(5_000);

fn signal(signal: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Feeds all tracks as they come from a publisher, ends the child with a signal in between, and
/// looks at what players were told.
async fn survives(how: &str) {
    let stage = Stage::new(&ALL).await;
    let mut worker = stage.packager.worker();
    let fed = stage.feed_live(&ALL);
    for track in ALL {
        stage.reached(track, 2, 0).await;
    }
    let first = worker.borrow_and_update().expect("a child");
    signal(how, first);
    let is_another = |pid: &Option<u32>| pid.is_some_and(|pid| pid != first);
    worker.wait_for(is_another).await.unwrap();
    for track in ALL {
        let mut msn = 3;
        while discontinuities(&stage.reached(track, msn, 0).await) == 0 {
            msn += 1;
        }
    }
    fed.stop().await;
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 1, "{track}: {listed:#?}");
        assert_eq!(maps(&listed).len(), 2, "{track}: {listed:#?}");
        for (what, packets) in probe(&origin, track, &listed).await {
            assert!(packets > 10, "{track}: {what} {packets}");
        }
    }
}

#[tokio::test]
async fn a_child_that_is_killed_is_replaced() {
    survives("-KILL").await;
}

#[tokio::test]
async fn a_child_that_stands_still_is_replaced() {
    survives("-STOP").await;
}

#[tokio::test]
async fn a_program_that_cannot_work_holds_up_no_end() {
    for program in ["/bin/false", "/nowhere/tallylight"] {
        let origin = Origin::new(hls::Config::default(), "");
        let (made, _) = mpsc::channel(1);
        let worker = Worker {
            program: program.into(),
            ..worker()
        };
        let config = Config { worker, ..config() };
        let packager = Packager::start(config, origin.clone(), listeners(made));
        packager.add_track(SOUND, TrackKind::Sound, "audio");
        packager.finish().await;
        let nothing = origin.playlist("audio", PlaylistRequest::default()).await;
        assert_eq!(nothing.unwrap_err(), ReadError::NotFound, "it has ended");
    }
}

#[tokio::test]
async fn a_child_that_has_nothing_to_do_lives_on() {
    let stage = Stage::new(&[LARGE]).await;
    let mut worker = stage.packager.worker();
    stage.feed(stage.clip.at(&[LARGE], START)).await;
    stage.reached(LARGE, 3, 0).await;
    let first = *worker.borrow_and_update();
    // Longer than the patience with a child, and no key frame then.
    tokio::time::sleep(ms(7_000)).await;
    let mut units = stage.clip.at(&[LARGE], START + ms(13_000));
    units.retain(|unit| !unit.keyframe);
    stage.feed(units).await;
    assert_eq!(*worker.borrow_and_update(), first);
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!(probe(&origin, LARGE, &listed).await[0].1, 180);
}

#[tokio::test]
async fn twenty_seconds_between_key_frames_are_cut_into_segments() {
    let stage = Stage::new(&[LARGE, SOUND]).await;
    let mut units = Vec::new();
    for turn in 0..4 {
        units.extend(stage.clip.at(&[LARGE, SOUND], START + ms(6_000) * turn));
    }
    let keys = [START, START + ms(20_000)];
    units.retain(|unit| unit.track == SOUND || !unit.keyframe || keys.contains(&unit.pts));
    stage.feed(units).await;
    let listed = stage.reached(LARGE, 7, 0).await;
    let parts = part_durations(&listed);
    assert!(parts.iter().all(|part| *part < 0.335), "{parts:?}");
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!(discontinuities(&listed), 0, "{listed:#?}");
    assert!(!listed.independent_segments);
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    assert!(length > 15.0, "the window of memory is full: {listed:#?}");
}

#[tokio::test]
async fn sound_alone_makes_segments_of_its_own() {
    let stage = Stage::new(&[SOUND]).await;
    stage.feed(stage.clip.at(&[SOUND], START)).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, SOUND).await;
    assert_eq!(probe(&origin, SOUND, &listed).await[0].0, "aac");
    for segment in &listed.segments[..2] {
        assert!((segment.duration - 2.0).abs() < 0.022, "{segment:?}");
    }
}

#[tokio::test]
async fn sound_that_comes_five_seconds_late_is_in_its_place() {
    let stage = Stage::new(&[LARGE, SOUND]).await;
    let mut units = Vec::new();
    for turn in 0..2 {
        units.extend(stage.clip.at(&[LARGE, SOUND], START + ms(6_000) * turn));
    }
    let arrives = |unit: &Unit| match unit.track {
        SOUND => unit.pts + ms(5_000),
        _ => unit.pts,
    };
    units.sort_by_key(arrives);
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    let (large, sound) = (
        playlist(&origin, LARGE).await,
        playlist(&origin, SOUND).await,
    );
    for (picture, sound) in large.segments.iter().zip(&sound.segments) {
        assert_eq!((sound.discontinuity, &sound.time.is_some()), (false, &true));
        assert!(
            (picture.duration - sound.duration).abs() < 0.034,
            "{sound:?}"
        );
    }
    assert_eq!(large.segments[0].time, sound.segments[0].time);
    assert_eq!(large.segments.len(), sound.segments.len());
}

#[tokio::test]
async fn sound_that_begins_five_seconds_late_joins_in() {
    let stage = Stage::new(&[LARGE, SOUND]).await;
    let mut units = stage.clip.at(&ALL, START);
    units.retain(|unit| unit.track == LARGE || unit.pts >= START + ms(5_000));
    units.extend(stage.clip.at(&[LARGE, SOUND], START + ms(6_000)));
    units.retain(|unit| unit.track != SMALL);
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    for track in [LARGE, SOUND] {
        let listed = playlist(&origin, track).await;
        assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 1));
    }
    let listed = playlist(&origin, SOUND).await;
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    assert!((length - 7.0).abs() < 0.06, "{length}");
}

#[tokio::test]
async fn jumps_and_wraps_of_tracks_that_do_not_jump_together_are_one_discontinuity_each() {
    let stage = Stage::new(&ALL).await;
    // Ten seconds on, ten back, and past the end of 2^32 ticks of 90 kHz.
    let begins = [ms(20_000), ms(36_000), ms(32_000), ms(47_715_000), ms(0)];
    let units = begins.iter().flat_map(|begin| stage.clip.at(&ALL, *begin));
    // Sound jumps after the pictures.
    stage.feed(delay_sound(units.collect(), 10)).await;
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        let seen = usize::try_from(listed.discontinuity_sequence).unwrap();
        assert_eq!(seen + discontinuities(&listed), 4, "{track}: {listed:#?}");
    }
}

/// Lets every packet of sound come so many units later.
fn delay_sound(units: Vec<Unit>, by: usize) -> Vec<Unit> {
    let mut places: Vec<_> = units.into_iter().enumerate().collect();
    places.sort_by_key(|(at, unit)| match unit.track {
        SOUND => at + by,
        _ => *at,
    });
    places.into_iter().map(|(_, unit)| unit).collect()
}

#[tokio::test]
async fn three_seconds_of_lost_packets_are_a_discontinuity() {
    let stage = Stage::new(&ALL).await;
    let mut units = stage.clip.at(&ALL, START);
    let lost = START + ms(1_500)..START + ms(4_500);
    units.retain(|unit| !lost.contains(&unit.pts));
    units.extend(stage.clip.at(&ALL, START + ms(6_000)));
    stage.feed(units).await;
    for track in ALL {
        let parts = part_durations(&stage.reached(track, 3, 0).await);
        assert!(parts.iter().all(|part| *part < 0.335), "{parts:?}");
    }
    let (origin, _) = stage.finish().await;
    for track in ALL {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 1, "{track}: {listed:#?}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_holds_nothing_up() {
    let stage = Stage::new(&ALL).await;
    let mut units = stage.clip.at(&ALL, START);
    let mut seed = 1_u32;
    for unit in units.iter_mut().filter(|unit| unit.track != LARGE) {
        let mut bytes = unit.bytes.to_vec();
        for byte in &mut bytes {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = seed.to_be_bytes()[0];
        }
        // Some begin as pictures do.
        if unit.pts.as_millis() % 2 == 0 {
            bytes.splice(0..0, [0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 1, 0x68, 4, 0, 0, 1]);
        }
        unit.bytes = Bytes::from(bytes);
    }
    let mut worker = stage.packager.worker();
    stage.feed(units).await;
    stage.reached(LARGE, 3, 0).await;
    let first = *worker.borrow_and_update();
    let after = stage.clip.at(&[LARGE], START + ms(6_000) + PICTURE);
    stage.feed(after).await;
    stage.reached(LARGE, 6, 0).await;
    assert_eq!(*worker.borrow_and_update(), first, "one child did it all");
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    let probed = probe(&origin, LARGE, &listed).await;
    assert_eq!(probed, [("h264,640,360".into(), 360)]);
}
