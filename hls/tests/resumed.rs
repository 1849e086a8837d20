//! A stream that goes on in another process than it began in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod checker;
mod feed;

use std::fs;
use std::path::Path;
use std::time::Duration;

use checker::Playlist;
use feed::{Feed, audio, config, init, text, video};
use hls::{Config, Init, Origin, PlaylistRequest, ReadCache, ReadError, Recorded};
use proptest::prelude::*;

/// Media time zero of the first process.
const ZERO: i64 = 1_700_000_000_000;

fn writing(folder: &Path, keep: bool) -> Config {
    Config {
        folder: Some(folder.to_owned()),
        keep,
        ..config()
    }
}

async fn resume(folder: &Path, keep: bool, now: i64) -> Origin {
    Origin::resume(writing(folder, keep), "", now)
        .await
        .unwrap()
}

async fn playlist(origin: &Origin, rendition: &str) -> Playlist {
    let rendered = origin.playlist(rendition, PlaylistRequest::default()).await;
    Playlist::checked(std::str::from_utf8(&rendered.unwrap().text()).unwrap())
}

/// What feeds the stream in another process: its own zero, and no discontinuity that it knows of.
fn feed_from(origin: &Origin, name: &str, media: hls::Media, zero_unix_ms: i64) -> Feed {
    let mut writer = origin.writer(name);
    let began = writer.begin(Init {
        zero_unix_ms,
        discontinuity: false,
        ..init(media)
    });
    began.unwrap();
    Feed {
        writer,
        at: Duration::ZERO,
        pushed: 100,
        in_segment: 0,
        padding: 0,
    }
}

/// Ten seconds of sound and picture; the last segment has four parts of six.
async fn first_process(folder: &Path, keep: bool) -> (Origin, [Feed; 2]) {
    let origin = Origin::new(writing(folder, keep), "");
    let mut feeds = [("audio", audio()), ("v0", video())]
        .map(|(name, media)| feed_from(&origin, name, media, ZERO));
    for _ in 0..28 {
        feeds.iter_mut().for_each(Feed::part);
    }
    (origin, feeds)
}

async fn leave(origin: &Origin, mut feeds: [Feed; 2]) {
    origin.leave();
    feeds.iter_mut().for_each(|feed| feed.writer.end());
    origin.close().await;
}

fn listed(playlist: &Playlist) -> Vec<(u64, &str, bool, bool, &str)> {
    let segments = playlist.segments.iter();
    segments
        .map(|one| {
            (
                one.msn,
                one.uri.as_str(),
                one.discontinuity,
                one.gap,
                one.map.as_str(),
            )
        })
        .collect()
}

#[tokio::test]
async fn what_was_left_in_order_goes_on_at_the_next_number_behind_a_discontinuity() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, feeds) = first_process(folder.path(), true).await;
    leave(&origin, feeds).await;
    let last = playlist(&origin, "v0").await;
    assert!(!last.ended, "the stream goes on");
    assert_eq!(last.segments.len(), 5, "the last segment is complete");

    let now = ZERO + 20_000;
    let again = resume(folder.path(), true, now).await;
    let before = playlist(&again, "v0").await;
    before.check_follows(&last);
    assert_eq!(listed(&before), listed(&last));
    let served = again.file("v0", "5.m4s").await.unwrap();
    assert_eq!(text(&served), "part 124;part 125;part 126;part 127;");
    assert_eq!(
        text(&again.file("v0", "init0.mp4").await.unwrap()),
        "ftyp moov"
    );
    assert!(again.is_ready());
    let multivariant = again.multivariant("t/").await.unwrap().text();
    assert!(String::from_utf8_lossy(&multivariant).contains("t/v0/index.m3u8"));

    let mut feed = feed_from(&again, "v0", video(), now);
    let mut sound = feed_from(&again, "audio", audio(), now);
    let waits = tokio::spawn({
        let again = again.clone();
        async move {
            let request = PlaylistRequest {
                msn: Some(6),
                part: Some(0),
                skip: false,
                ..PlaylistRequest::default()
            };
            again.playlist("v0", request).await.is_ok()
        }
    });
    feed.parts(7);
    sound.parts(7);
    assert!(waits.await.unwrap());
    let after = playlist(&again, "v0").await;
    after.check_follows(&before);
    let seam = &after.segments[5];
    assert_eq!((seam.msn, seam.uri.as_str()), (6, "6.m4s"));
    assert!(seam.discontinuity && !after.segments[4].discontinuity);
    assert_eq!(seam.map, "init1.mp4");
    assert_eq!(seam.time.as_deref(), Some("2023-11-14T22:13:40.000Z"));
    assert_eq!(after.trailing.parts[0].uri, "7.0.m4s");
    feed.writer.end();
    sound.writer.end();
    again.close().await;

    let recorded = Recorded::open(folder.path(), "", &ReadCache::new(0)).await;
    let recorded = recorded.unwrap();
    assert!(recorded.is_closed());
    let whole = recorded.playlist("v0").unwrap();
    let whole = Playlist::checked(std::str::from_utf8(&whole.text()).unwrap());
    assert_eq!(whole.segments.len(), 7);
    let seams = whole.segments.iter().filter(|one| one.discontinuity);
    assert_eq!(seams.map(|one| one.msn).collect::<Vec<_>>(), [6]);
    assert!(!whole.segments.iter().any(|one| one.gap));
    assert_eq!(recorded.duration(), Duration::from_millis(35 * 333));
}

#[tokio::test]
async fn after_a_kill_no_number_is_given_again_that_may_have_been_used() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, feeds) = first_process(folder.path(), true).await;
    // All is on disk, and nothing was closed; the last line is torn.
    origin.close().await;
    let last = playlist(&origin, "v0").await;
    drop(feeds);
    let index = folder.path().join("v0/index.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    let text = text.replace("\"closed\"\n", "");
    fs::write(&index, text + "{\"part\":{\"msn\":5,").unwrap();

    let now = ZERO + 28 * 333 + 5_000;
    let again = resume(folder.path(), true, now).await;
    let before = playlist(&again, "v0").await;
    before.check_follows(&last);
    let gaps: Vec<u64> = before
        .segments
        .iter()
        .filter(|one| one.gap)
        .map(|one| one.msn)
        .collect();
    assert_eq!(gaps, [6, 7, 8, 9], "five seconds, and the one under way");
    assert_eq!(before.segments[4].msn, 5, "what there is of the last one");
    assert_eq!(again.file("v0", "6.m4s").await, Err(ReadError::NotFound));
    let mut feed = feed_from(&again, "v0", video(), now + 3_000);
    feed.parts(6);
    let after = playlist(&again, "v0").await;
    after.check_follows(&before);
    let seam = after.segments.last().unwrap();
    assert_eq!((seam.msn, seam.discontinuity), (10, true));
    assert_eq!(seam.map, "init5.mp4");
    feed.writer.end();
    again.close().await;

    let recorded = Recorded::open(folder.path(), "", &ReadCache::new(0)).await;
    let whole = recorded.unwrap().playlist("v0").unwrap();
    let whole = Playlist::checked(std::str::from_utf8(&whole.text()).unwrap());
    assert_eq!(whole.segments.len(), 6);
    assert!(!whole.segments.iter().any(|one| one.gap), "it is cut there");
}

#[tokio::test]
async fn a_stream_goes_on_more_than_once() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, feeds) = first_process(folder.path(), true).await;
    leave(&origin, feeds).await;
    let mut before = playlist(&origin, "v0").await;
    for round in 1..=3 {
        let now = ZERO + round * 20_000;
        let again = resume(folder.path(), true, now).await;
        let media = [("audio", audio()), ("v0", video())];
        let mut feeds = media.map(|(name, media)| feed_from(&again, name, media, now));
        feeds.iter_mut().for_each(|feed| feed.parts(8));
        let after = playlist(&again, "v0").await;
        after.check_follows(&before);
        leave(&again, feeds).await;
        before = playlist(&again, "v0").await;
    }
    let seams = before.segments.iter().filter(|one| one.discontinuity);
    assert_eq!(seams.map(|one| one.msn).collect::<Vec<_>>(), [6, 8, 10]);
    // Beside each other, renditions have as many.
    let again = resume(folder.path(), true, ZERO + 90_000).await;
    let sound = playlist(&again, "audio").await;
    assert_eq!(
        sound
            .segments
            .iter()
            .filter(|one| one.discontinuity)
            .count(),
        3
    );
    // One that is new has missed all, and the one to come.
    let mut late = feed_from(&again, "v1", video(), ZERO + 90_000);
    late.parts(6);
    assert_eq!(playlist(&again, "v1").await.discontinuity_sequence, 4);
    let multivariant = again.multivariant("").await.unwrap().text();
    let multivariant = String::from_utf8_lossy(&multivariant).into_owned();
    assert!(multivariant.contains("v1/") && !multivariant.contains("v0/"));
    assert!(!playlist(&again, "v0").await.ended);
    again.end_left();
    assert!(playlist(&again, "v0").await.ended);
}

#[tokio::test]
async fn of_what_is_not_kept_the_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, feeds) = first_process(folder.path(), false).await;
    let last = playlist(&origin, "v0").await;
    leave(&origin, feeds).await;
    let now = changed(&folder.path().join("v0"));
    let again = resume(folder.path(), true, now).await;
    assert!(!again.keeps(), "a half would be recorded");
    let files = fs::read_dir(folder.path().join("v0")).unwrap().count();
    assert_eq!(files, 2, "an initialisation, and the last segment");
    let request = PlaylistRequest {
        msn: Some(last.end() + 1),
        part: None,
        skip: false,
        ..PlaylistRequest::default()
    };
    let waits = tokio::spawn({
        let again = again.clone();
        async move { again.playlist("v0", request).await.is_ok() }
    });
    let mut feed = feed_from(&again, "v0", video(), now);
    feed.parts(12);
    assert!(waits.await.unwrap());
    let after = playlist(&again, "v0").await;
    assert!(after.media_sequence > last.end(), "{after:?}");
    assert!(after.discontinuity_sequence > last.discontinuity_sequence);
    assert_ne!(after.segments[0].map, "init0.mp4");
}

/// When something in a folder changed last.
fn changed(folder: &Path) -> i64 {
    let changed = fs::metadata(folder).unwrap().modified().unwrap();
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn who_waits_when_the_process_ends_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, feeds) = first_process(folder.path(), true).await;
    let request = |msn, part| PlaylistRequest {
        msn: Some(msn),
        part,
        skip: false,
        ..PlaylistRequest::default()
    };
    let waiting = [request(5, Some(5)), request(6, Some(0)), request(6, None)].map(|request| {
        let origin = origin.clone();
        tokio::spawn(async move { origin.playlist("v0", request).await.map(|r| r.text()) })
    });
    leave(&origin, feeds).await;
    for waits in waiting {
        let text = waits.await.unwrap().unwrap();
        let playlist = Playlist::checked(std::str::from_utf8(&text).unwrap());
        assert!(!playlist.ended && playlist.segments.len() == 5);
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let origin = resume(&folder.path().join("none"), true, ZERO).await;
    let mut feed = feed_from(&origin, "v0", video(), ZERO);
    feed.parts(6);
    let first = playlist(&origin, "v0").await;
    assert_eq!((first.media_sequence, first.discontinuity_sequence), (1, 0));
    assert!(origin.keeps() && !first.segments[0].discontinuity);
}

/// What a process wrote, and left in order, when streams began at number 0.
fn write_from_0(folder: &Path) {
    let folder = folder.join("audio");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("init0.mp4"), "ftyp moov").unwrap();
    let mut index = format!(
        "{{\"init\":{{\"number\":0,\"media\":{{\"audio\":{{\"codec\":\"mp4a.40.2\",\"channels\":2}}}},\
         \"zero_unix_ms\":{ZERO},\"discontinuity\":false,\"size_bytes\":9}}}}\n"
    );
    for msn in 0..2 {
        fs::write(folder.join(format!("{msn}.m4s")), format!("part {msn};")).unwrap();
        index += &format!(
            "{{\"part\":{{\"msn\":{msn},\"init\":0,\"start_ns\":{},\
             \"duration_ns\":1000000000,\"size_bytes\":7,\"independent\":true}}}}\n\
             {{\"end\":{{\"msn\":{msn}}}}}\n",
            msn * 1_000_000_000_u64,
        );
    }
    index += "{\"left\":{\"msn\":2,\"init\":1}}\n\"closed\"\n";
    fs::write(folder.join("index.jsonl"), index).unwrap();
}

#[tokio::test]
async fn a_folder_that_begins_at_0_is_played_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    write_from_0(folder.path());
    let recorded = Recorded::open(folder.path(), "", &ReadCache::new(0)).await;
    let recorded = recorded.unwrap();
    let whole = recorded.playlist("audio").unwrap();
    let whole = Playlist::checked(std::str::from_utf8(&whole.text()).unwrap());
    let again = resume(folder.path(), true, ZERO + 5_000).await;
    let before = playlist(&again, "audio").await;
    for (listed, how) in [(&whole, "recorded"), (&before, "live")] {
        let uris = listed.segments.iter().map(|one| one.uri.as_str());
        assert_eq!(uris.collect::<Vec<_>>(), ["0.m4s", "1.m4s"], "{how}");
        assert_eq!(listed.media_sequence, 0, "{how}");
    }
    let served = recorded.file("audio", "0.m4s").await.unwrap();
    assert_eq!(text(&served), "part 0;");
    let served = again.file("audio", "0.m4s").await.unwrap();
    assert_eq!(text(&served), "part 0;");
    let mut feed = feed_from(&again, "audio", audio(), ZERO + 5_000);
    feed.parts(6);
    let after = playlist(&again, "audio").await;
    after.check_follows(&before);
    let seam = after.segments.last().unwrap();
    assert_eq!((seam.uri.as_str(), seam.discontinuity), ("2.m4s", true));
}

/// Lines with any numbers.
fn lines() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just(u64::MAX),
        Just(u64::from(u32::MAX)),
        0..100_u64,
        any::<u64>()
    ];
    let line = (0..6, number.clone(), number).prop_map(|(kind, a, b)| match kind {
        0 => format!(
            "{{\"init\":{{\"number\":{},\"media\":{{\"audio\":{{\"codec\":\"x\",\"channels\":2}}}},\
             \"zero_unix_ms\":{},\"discontinuity\":true,\"size_bytes\":0}}}}\n",
            a % (1 << 32),
            b >> 1,
        ),
        1 | 2 => format!(
            "{{\"part\":{{\"msn\":{a},\"init\":{},\"start_ns\":{b},\"duration_ns\":{b},\
             \"size_bytes\":0,\"independent\":true}}}}\n",
            b % 3,
        ),
        3 => format!("{{\"left\":{{\"msn\":{a},\"init\":{}}}}}\n", b % (1 << 32)),
        4 => "\"closed\"\n".to_owned(),
        _ => format!("{{\"end\":{{\"msn\":{a}}}}}\n"),
    });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_stands_in_an_index_the_stream_goes_on(index in lines(), now in any::<i64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let rendition = folder.path().join("audio");
            fs::create_dir(&rendition).unwrap();
            fs::write(rendition.join("index.jsonl"), &index).unwrap();
            for number in 0..3 {
                fs::write(rendition.join(format!("init{number}.mp4")), "").unwrap();
            }
            let origin = resume(folder.path(), true, now).await;
            let mut feed = feed_from(&origin, "audio", audio(), ZERO);
            feed.parts(14);
            feed.writer.end();
            origin.close().await;
            let whole = origin.playlist("audio", PlaylistRequest::default()).await.unwrap();
            assert!(whole.text().ends_with(b"#EXT-X-ENDLIST\n"));
        });
    }
}
