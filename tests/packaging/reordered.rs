//! Pictures that are shown in another order than they are decoded.

use std::time::Duration;

use hls::{ReadCache, Recorded};
use media::{Codec, Unit};

use crate::encoded::{self, Packet, packets, payload, pictures, sample};
use crate::stage::{
    Clip, LARGE, SMALL, SOUND, Stage, discontinuities, maps, ms, playlist, runs, starts,
};

const START: Duration = ms(5_000);
/// The unit of what is told of pictures, and as much for rounding.
const TICK: f64 = 0.000_101;

async fn flv() -> Vec<u8> {
    tokio::task::spawn_blocking(encoded::flv).await.unwrap()
}

/// Pictures in their order, and the sound beside them.
fn together(pictures: &[Unit], sound: &[Unit]) -> Vec<Unit> {
    let mut sound = sound.iter().cloned().peekable();
    let mut all = Vec::new();
    for picture in pictures {
        let is_due = |sound: &Unit| sound.pts <= picture.dts;
        all.extend(std::iter::from_fn(|| sound.next_if(is_due)));
        all.push(picture.clone());
    }
    all.extend(sound);
    all
}

fn check_times(found: &[Packet], fed: &[Unit], within: f64) {
    assert_eq!(found.len(), fed.len());
    for (found, fed) in found.iter().zip(fed) {
        let is_right = |found: f64, fed: Duration| (found - fed.as_secs_f64()).abs() < within;
        assert!(is_right(found.pts, fed.pts), "{found:?} of {fed:?}");
        assert!(is_right(found.dts, fed.dts), "{found:?} of {fed:?}");
        assert_eq!(found.is_key, fed.keyframe);
    }
}

#[tokio::test]
async fn pictures_and_sound_come_out_as_an_encoder_sent_them() {
    let flv = flv().await;
    let (shown, heard) = (
        pictures(&flv, Codec::H264, START),
        encoded::sound(&flv, START),
    );
    let goes_back = shown.windows(2).filter(|two| two[1].pts < two[0].pts);
    assert!(goes_back.count() > 50, "it has B-frames");
    let lead = shown[0].pts - shown[0].dts;
    assert!(lead >= ms(33));

    let mut stage = Stage::new(&[LARGE, SOUND]).await;
    stage.feed(together(&shown, &heard)).await;
    let thumbnail = stage.thumbnails.recv().await.unwrap();
    assert_eq!(thumbnail.pts, shown[0].pts);
    for track in [LARGE, SOUND] {
        let listed = stage.reached(track, 3, 0).await;
        assert_eq!(listed.segments.len(), 2);
        for segment in &listed.segments {
            let parts: Vec<_> = segment.parts.iter().map(|part| part.duration).collect();
            let (last, others) = parts.split_last().unwrap();
            let is_full = |part: &f64| *part > 0.32 && *part < 0.335;
            assert!(others.iter().all(is_full) && *last < 0.335, "{parts:?}");
            let sum: f64 = parts.iter().sum();
            assert!((sum - segment.duration).abs() < 0.001, "{segment:?}");
        }
    }
    let (origin, _) = stage.finish().await;

    let large = playlist(&origin, LARGE).await;
    assert_eq!((large.segments.len(), maps(&large).len()), (3, 1));
    assert!(large.independent_segments);
    let file = runs(&origin, LARGE, &large).await.remove(0);
    check_times(&packets(&file, "v"), &shown, TICK);
    assert!(payload(&file, "v") == shown.iter().flat_map(sample).collect::<Vec<_>>());

    let listed = playlist(&origin, SOUND).await;
    let file = runs(&origin, SOUND, &listed).await.remove(0);
    // As they were told, to the millisecond.
    check_times(&packets(&file, "a"), &heard, 0.001);
    let frames = heard.iter().flat_map(|unit| unit.bytes[7..].to_vec());
    assert!(payload(&file, "a") == frames.collect::<Vec<_>>());

    // Segments begin with what is seen and heard at the same time.
    let keys = shown.iter().filter(|unit| unit.keyframe);
    let keys: Vec<_> = keys.map(|key| key.pts.as_secs_f64()).collect();
    let seen = starts(&large);
    let sounds = starts(&listed);
    assert_eq!((keys.len(), seen.len(), sounds.len()), (3, 3, 3));
    for (number, key) in keys.iter().enumerate() {
        let seen = shown[0].pts.as_secs_f64() + seen[number];
        assert!((seen - key).abs() < 0.001, "{seen} {key}");
        let heard = heard[0].pts.as_secs_f64() + sounds[number];
        // The first begins when sound does.
        assert!(number == 0 || (heard - key).abs() < 0.012, "{heard} {key}");
    }
    let first = format!("{:06.3}Z", 20.0 + shown[0].pts.as_secs_f64());
    let time = large.segments[0].time.as_ref().unwrap();
    assert!(
        time.ends_with(&first),
        "{time} is when it is shown: {first}"
    );
}

#[tokio::test]
async fn key_frames_that_are_decoded_before_pictures_shown_earlier_begin_segments() {
    let file = tokio::task::spawn_blocking(encoded::h265).await.unwrap();
    let shown = pictures(&file, Codec::H265, START);
    let mut keys = (0..).zip(&shown).filter(|(_, unit)| unit.keyframe);
    let (second, key) = keys.nth(1).unwrap();
    assert!(shown[second + 1].pts < key.pts, "a picture leads it");
    let stage = Stage::new(&[LARGE]).await;
    stage.feed(shown.clone()).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 1));
    let file = runs(&origin, LARGE, &listed).await.remove(0);
    check_times(&packets(&file, "v"), &shown, TICK);
    assert!(payload(&file, "v") == shown.iter().flat_map(sample).collect::<Vec<_>>());
    // What is shown first of a segment is shown when it begins.
    let first = shown[second..].iter().map(|unit| unit.pts).min().unwrap();
    let begins = shown[0].pts.as_secs_f64() + starts(&listed)[1];
    assert!(
        (begins - first.as_secs_f64()).abs() < 0.001,
        "{begins} {first:?}"
    );
}

/// Ten seconds of an encoder with B-frames, then without, then with them, in the order in which they
/// are decoded.
fn encoders(flv: &[u8], clip: &Clip) -> Vec<Unit> {
    let coded = |from, count| {
        let mut units = pictures(flv, Codec::H264, from);
        units.truncate(count);
        units
    };
    // Each begins when the last picture of the one before has been shown.
    let first = coded(START, 120);
    let from = first[0].pts;
    let mut second = clip.at(&[SMALL], from + ms(4_000));
    second.truncate(60);
    second.iter_mut().for_each(|unit| unit.track = LARGE);
    let third = coded(START + ms(6_000), 120);
    [first, second, third].concat()
}

#[tokio::test]
async fn encoders_with_and_without_take_over_from_each_other_in_the_same_time() {
    let flv = flv().await;
    let stage = Stage::new(&[LARGE, SOUND]).await;
    let fed = encoders(&flv, &stage.clip);
    let from = fed[0].pts;
    let heard = encoded::sound(&flv, from);
    // A frame of it overlaps with the one before.
    let mut later = encoded::sound(&flv, from + ms(5_995));
    later.truncate(172);
    let heard = [heard, later].concat();
    stage.feed(together(&fed, &heard)).await;
    let (origin, _) = stage.finish().await;

    let listed = playlist(&origin, LARGE).await;
    assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 3));
    let mut found = Vec::new();
    for file in runs(&origin, LARGE, &listed).await {
        found.extend(packets(&file, "v"));
    }
    // Those between have times that are not whole in that unit.
    check_times(&found, &fed, 0.001);
    let sound = playlist(&origin, SOUND).await;
    assert_eq!((discontinuities(&sound), maps(&sound).len()), (0, 1));
    for (listed, first) in [(&listed, &fed[0]), (&sound, &heard[0])] {
        for (number, start) in starts(listed).iter().enumerate().skip(1) {
            let even = 2.0 * f64::from(u32::try_from(number).unwrap());
            let off = (first.pts - from).as_secs_f64() + start - even;
            assert!(off.abs() < 0.015, "{off}: {:?}", starts(listed));
        }
    }
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    assert!((length - 10.0).abs() < 0.035, "{length}");
}

/// In the MP4 of a recording, too, picture and sound stay together.
#[tokio::test]
async fn a_recording_shows_and_plays_all_of_them_when_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let flv = flv().await;
    let stage = Stage::recording(&[LARGE, SOUND], folder.path()).await;
    let shown = encoders(&flv, &stage.clip);
    let from = shown[0].pts;
    let mut heard = encoded::sound(&flv, from);
    // Opus, which has another rate, goes on.
    let end = heard.last().unwrap().pts + ms(23);
    heard.extend(stage.clip.at(&[SOUND], end));
    heard.retain(|unit| unit.pts < from + ms(10_000));
    stage.feed(together(&shown, &heard)).await;
    let (origin, _) = stage.finish().await;
    origin.close().await;
    let opened = Recorded::open(folder.path(), "", &ReadCache::new(0)).await;
    let mp4 = folder.path().join("out.mp4");
    let written = opened.unwrap().remux(mp4.clone(), |_, _| true).await;
    assert!(written.unwrap() > 0);

    let file = std::fs::read(&mp4).unwrap();
    let mut right: Vec<_> = shown.iter().map(|unit| unit.pts - from).collect();
    right.sort();
    let mut found: Vec<_> = packets(&file, "v").iter().map(|one| one.pts).collect();
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), right.len());
    for (found, right) in found.iter().zip(right) {
        assert!(
            (found - right.as_secs_f64()).abs() < 0.002,
            "{found} {right:?}"
        );
    }
    let sound = packets(&file, "a");
    let seconds = |unit: &Unit| (unit.pts - from).as_secs_f64();
    let is_near = |one: f64, other: f64| (one - other).abs() < 0.002;
    assert!(is_near(sound[0].pts, seconds(&heard[0])), "{:?}", sound[0]);
    for two in sound.windows(2) {
        let step = two[1].pts - two[0].pts;
        assert!(step > 0.015 && step < 0.03, "{two:?}");
    }
    let last = sound.last().unwrap().pts;
    assert!((last - 10.0).abs() < 0.04, "{last}");
}

/// Where decoding is told to be later than showing, the picture is shown, and time still rises.
#[tokio::test]
async fn times_that_make_no_sense_end_nothing() {
    let flv = flv().await;
    let stage = Stage::new(&[LARGE]).await;
    let mut units = pictures(&flv, Codec::H264, START);
    for unit in &mut units {
        unit.dts += ms(80);
    }
    units[70].pts += ms(3_600_000);
    let count = units.len();
    stage.feed(units).await;
    let (origin, _) = stage.finish().await;
    let listed = playlist(&origin, LARGE).await;
    assert_eq!((discontinuities(&listed), maps(&listed).len()), (0, 1));
    let file = runs(&origin, LARGE, &listed).await.remove(0);
    let found = packets(&file, "v");
    assert_eq!(found.len(), count);
    assert!(found.is_sorted_by(|one, next| one.dts < next.dts));
    assert!(found.iter().all(|packet| packet.dts <= packet.pts));
}
