//! What comes out of tracks that come, go and change.

use crate::stage::{
    ALL, LARGE, PICTURE, SMALL, SOUND, Stage, discontinuities, maps, ms, playlist, probe, starts,
};

/// A second of the clip's own time is long over before a test ends.
const START: std::time::Duration = ms(5_000);

#[tokio::test]
async fn layers_and_sound_come_out_as_renditions_that_every_player_has() {
    let stage = Stage::new(&ALL).await;
    stage.feed(stage.clip.at(&ALL, START)).await;
    let (origin, told) = stage.finish().await;
    for (track, told) in told {
        assert!(told > 5, "parts of {track} were told one by one");
    }
    let rendered = origin.multivariant("").await.unwrap();
    let text = String::from_utf8(rendered.text().to_vec()).unwrap();
    assert!(
        text.contains("RESOLUTION=640x360,FRAME-RATE=30.000"),
        "{text}"
    );
    assert!(text.contains("CODECS=\"avc1.42c01e,mp4a.40.2\""), "{text}");

    let large = playlist(&origin, LARGE).await;
    assert_eq!(large.segments.len(), 3);
    assert!(large.independent_segments);
    for segment in &large.segments {
        assert!((segment.duration - 2.0).abs() < 0.001, "{segment:?}");
    }
    assert_eq!(
        probe(&origin, LARGE, &large).await,
        [("h264,640,360".into(), 180)]
    );
    let small = playlist(&origin, SMALL).await;
    assert_eq!(
        probe(&origin, SMALL, &small).await,
        [("h264,320,180".into(), 180)]
    );
    let sound = playlist(&origin, SOUND).await;
    let probed = probe(&origin, SOUND, &sound).await;
    let (what, frames) = &probed[0];
    assert_eq!(what, "aac");
    assert!(
        (278..=284).contains(frames),
        "{frames} frames of 21 ms in 6 s"
    );
    for other in [&small, &sound] {
        for (at, (ours, theirs)) in starts(&large).iter().zip(starts(other)).enumerate() {
            assert!(
                (ours - theirs).abs() < 0.034,
                "segment {at}: {ours} {theirs}"
            );
        }
        assert_eq!(other.segments[0].time, large.segments[0].time);
    }
}

#[tokio::test]
async fn a_track_may_come_later_and_stop_sooner() {
    let mut stage = Stage::new(&[SMALL]).await;
    stage.feed(stage.clip.at(&[SMALL], START)).await;
    stage.add(SOUND);
    stage.add(LARGE);
    let all = stage.clip.at(&ALL, START + ms(6_000));
    stage.feed(all).await;
    // The large layer and the sound stop.
    stage
        .feed(stage.clip.at(&[SMALL], START + ms(12_000)))
        .await;
    let (origin, _) = stage.finish().await;
    let mut counts = Vec::new();
    for track in [SMALL, LARGE] {
        let listed = playlist(&origin, track).await;
        assert_eq!(discontinuities(&listed), 0, "{listed:#?}");
        counts.push(probe(&origin, track, &listed).await[0].1);
    }
    assert_eq!(counts, [540, 180]);
    let sound = playlist(&origin, SOUND).await;
    assert!((278..=284).contains(&probe(&origin, SOUND, &sound).await[0].1));
}

#[tokio::test]
async fn a_track_that_sends_nothing_holds_up_no_other() {
    let stage = Stage::new(&ALL).await;
    stage.feed(stage.clip.at(&[SMALL], START)).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, SMALL).await;
    assert!(listed.ended);
    let probed = probe(&origin, SMALL, &listed).await;
    assert_eq!(probed, [("h264,320,180".into(), 180)]);
}

#[tokio::test]
async fn a_rendition_goes_on_from_another_source_in_the_same_time() {
    let stage = Stage::new(&[LARGE, SOUND]).await;
    stage.feed(stage.clip.at(&[LARGE, SOUND], START)).await;
    let mut other = stage.clip.at(&[SMALL, SOUND], START + ms(6_000));
    for unit in other.iter_mut().filter(|unit| unit.track == SMALL) {
        unit.track = LARGE;
    }
    stage.feed(other).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!(discontinuities(&listed), 0, "{listed:#?}");
    assert_eq!(maps(&listed).len(), 2, "{listed:#?}");
    assert_eq!(
        probe(&origin, LARGE, &listed).await,
        [("h264,640,360".into(), 180), ("h264,320,180".into(), 180)]
    );
    for segment in &listed.segments {
        assert!((segment.duration - 2.0).abs() < 0.001, "{segment:?}");
    }
    let sound = playlist(&origin, SOUND).await;
    assert_eq!((discontinuities(&sound), maps(&sound).len()), (0, 1));
    for (ours, theirs) in starts(&listed).iter().zip(starts(&sound)) {
        assert!((ours - theirs).abs() < 0.034, "{ours} {theirs}");
    }
}

#[tokio::test]
async fn a_source_that_ends_between_key_frames_leaves_no_hole() {
    let stage = Stage::new(&[LARGE]).await;
    let mut units = stage.clip.at(&[LARGE], START);
    // 5.1 s at 10 pictures a second: the last one's own pace is another than the pause after it.
    units.retain(|unit| unit.keyframe || unit.pts < START + ms(5_100));
    let end = units.last().unwrap().pts + PICTURE * 9;
    let mut other = stage.clip.at(&[SMALL], end);
    for unit in &mut other {
        unit.track = LARGE;
    }
    stage.feed(units).await;
    stage.feed(other).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 2));
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    let fed = (end - START).as_secs_f64() + 6.0;
    assert!((length - fed).abs() < 0.001, "{length} of {fed}");
}
