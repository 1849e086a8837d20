//! The crate's public face: what is pushed in comes out as players need it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod checker;
mod feed;

use std::time::Duration;

use bytes::Bytes;
use checker::{Playlist, now, playlist};
use feed::{Feed, PART, audio, config, init, text, video};
use hls::{Chunk, Config, Init, Origin, PlaylistRequest, PushError, ReadError};
use proptest::prelude::*;

/// Lets other tasks run until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn blocking(msn: u64, part: Option<usize>) -> PlaylistRequest {
    PlaylistRequest {
        msn: Some(msn),
        part,
        skip: false,
        ..PlaylistRequest::default()
    }
}

#[tokio::test]
async fn what_goes_in_comes_out_part_by_part_and_as_segments() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    assert_eq!(listed.segments.len(), 1);
    assert_eq!(listed.segments[0].parts.len(), 6);
    assert_eq!(listed.trailing.parts.len(), 2);
    assert_eq!(listed.hint.as_deref(), Some("2.2.m4s"));
    assert_eq!(
        listed.segments[0].time.as_deref(),
        Some("2023-11-14T22:13:20.000Z")
    );
    let segment = origin.file("v0", &listed.segments[0].uri).await.unwrap();
    assert_eq!(text(&segment), "part 0;part 1;part 2;part 3;part 4;part 5;");
    let part = origin.file("v0", "2.1.m4s").await.unwrap();
    assert_eq!(text(&part), "part 7;");
    let map = origin.file("v0", &listed.segments[0].map).await.unwrap();
    assert_eq!(text(&map), "ftyp moov");
}

/// Who joins in its first seconds needs parts of it, and hls.js (1.7) keeps none of a segment 0, which
/// it takes for none (`appendedPart?.fragment.sn || -1`): it would load the same part for ever.
#[tokio::test]
async fn the_first_segment_of_a_stream_is_never_number_0() {
    let followed = Origin::follow(config(), "", 0);
    for origin in [Origin::new(config(), ""), followed] {
        let mut feed = Feed::new(&origin, "v0", video());
        feed.part();
        let first = now(&origin);
        assert_eq!(first.media_sequence, 1);
        assert_eq!(first.trailing.parts[0].uri, "1.0.m4s");
        assert_eq!(first.hint.as_deref(), Some("1.1.m4s"));
        feed.parts(5);
        assert_eq!(now(&origin).segments[0].uri, "1.m4s");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_number_before_the_first_waits_for_something_to_play() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { playlist(&origin, blocking(0, None)).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "there is nothing to list");
    feed.part();
    assert_eq!(waiting.await.unwrap().unwrap().trailing.parts.len(), 1);
}

#[tokio::test]
async fn the_newest_segments_are_near_the_edge_and_older_ones_are_not() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    // Six to a segment: the newest part is the second of the fifth.
    feed.parts(26);
    let is_near = |name: &str, behind| origin.is_near_edge("v0", name, behind);
    assert!(
        is_near("5.1.m4s", 0) && is_near("6.m4s", 0),
        "{:?}",
        now(&origin).hint
    );
    assert!(is_near("3.m4s", 2) && !is_near("3.m4s", 1));
    assert!(is_near("3.3.m4s", 2) && !is_near("3.3.m4s", 1));
    assert!(
        is_near(&now(&origin).segments[0].map, 0),
        "it holds no picture"
    );
    assert!(!is_near("../1.m4s", 100));
    assert!(!origin.is_near_edge("v9", "1.m4s", 0));
}

#[tokio::test]
async fn another_base_counts_from_the_next_part_on() {
    let origin = Origin::new(config(), "https://cdn.example/t/");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    assert_eq!(
        now(&origin).segments[0].uri,
        "https://cdn.example/t/v0/1.m4s"
    );
    origin.set_base("");
    feed.parts(1);
    assert_eq!(now(&origin).segments[0].uri, "1.m4s");
}

#[tokio::test]
async fn a_foreign_parser_reads_both_playlists() {
    let origin = Origin::new(config(), "https://cdn.example/t/");
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(20);
    sound.parts(20);
    let rendered = origin
        .playlist("v0", PlaylistRequest::default())
        .await
        .unwrap();
    let parsed = m3u8_rs::parse_media_playlist_res(&rendered.text()).unwrap();
    assert_eq!(parsed.target_duration, 4);
    assert_eq!(parsed.segments[0].uri, "https://cdn.example/t/v0/1.m4s");
    let rendered = origin.multivariant("t/").await.unwrap();
    let parsed = m3u8_rs::parse_master_playlist_res(&rendered.text()).unwrap();
    assert_eq!(parsed.variants[0].uri, "t/v0/index.m3u8");
    assert_eq!(
        parsed.alternatives[0].uri.as_deref(),
        Some("t/audio/index.m3u8")
    );
}

#[tokio::test(start_paused = true)]
async fn a_blocked_request_wakes_with_its_part() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(7);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { playlist(&origin, blocking(2, Some(2))).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    feed.part();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "that was part 1");
    feed.part();
    let listed = waiting.await.unwrap().unwrap();
    assert_eq!(listed.trailing.parts.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_hinted_part_is_waited_for_and_no_other() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(6);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { origin.file("v0", "2.0.m4s").await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    feed.part();
    assert_eq!(text(&waiting.await.unwrap().unwrap()), "part 6;");
    for name in ["2.2.m4s", "3.0.m4s", "3.m4s", "init1.mp4", "../1.m4s"] {
        assert_eq!(
            origin.file("v0", name).await,
            Err(ReadError::NotFound),
            "{name}"
        );
    }
    assert_eq!(origin.file("v1", "1.m4s").await, Err(ReadError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_part_behind_the_last_of_a_segment_is_the_first_of_the_next() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(6);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { playlist(&origin, blocking(1, Some(6))).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    feed.part();
    assert_eq!(waiting.await.unwrap().unwrap().trailing.parts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_has_bounds() {
    let origin = Origin::new(
        Config {
            waiters: 1,
            ..config()
        },
        "",
    );
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(7);
    assert_eq!(
        playlist(&origin, blocking(5, None)).await,
        Err(ReadError::TooFarAhead)
    );
    assert_eq!(
        playlist(&origin, blocking(2, Some(10))).await,
        Err(ReadError::TooFarAhead)
    );
    let part_alone = PlaylistRequest {
        part: Some(1),
        ..PlaylistRequest::default()
    };
    assert_eq!(
        playlist(&origin, part_alone).await,
        Err(ReadError::PartWithoutSegment)
    );
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { playlist(&origin, blocking(2, Some(1))).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(
        playlist(&origin, blocking(2, Some(1))).await,
        Err(ReadError::TooManyWaiters)
    );
    // Nothing comes: after three target durations the answer is that it is late.
    assert_eq!(waiting.await.unwrap(), Err(ReadError::Late));
}

#[tokio::test]
async fn a_segment_without_a_key_frame_is_cut_before_it_is_too_long() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    for number in 0..30 {
        feed.push(PART, number == 0, false).unwrap();
    }
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    assert!(listed.segments.len() >= 2);
    assert!(!listed.independent_segments, "the second needs the first");
}

#[tokio::test]
async fn a_new_initialisation_is_a_discontinuity() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    feed.writer.begin(init(video())).unwrap();
    feed.at = Duration::from_secs(60);
    feed.in_segment = 0;
    feed.parts(7);
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    let maps: Vec<_> = listed.segments.iter().map(|s| s.map.as_str()).collect();
    assert_eq!(maps, ["init0.mp4", "init0.mp4", "init1.mp4"]);
    assert!(listed.segments[2].discontinuity);
    assert!(!listed.segments[1].discontinuity);
    assert_eq!(listed.segments[1].parts.len(), 2, "cut where it was");
}

#[tokio::test]
async fn a_rendition_that_comes_late_counts_the_discontinuities_of_the_others() {
    let origin = Origin::new(config(), "");
    let mut early = Feed::new(&origin, "v0", video());
    early.parts(8);
    early.writer.begin(init(video())).unwrap();
    early.at = Duration::from_secs(60);
    early.parts(2);
    let mut late = Feed::new(&origin, "v1", video());
    late.at = early.at;
    late.parts(2);
    let rendered = origin.playlist("v1", PlaylistRequest::default()).await;
    let text = String::from_utf8(rendered.unwrap().text().to_vec()).unwrap();
    assert_eq!(Playlist::checked(&text).discontinuity_sequence, 1);
}

#[tokio::test]
async fn a_change_of_size_alone_is_a_new_map_and_no_discontinuity() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(6);
    let same_time = Init {
        discontinuity: false,
        ..init(video())
    };
    feed.writer.begin(same_time).unwrap();
    feed.parts(6);
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    assert_eq!(listed.segments[1].map, "init1.mp4");
    assert!(!listed.segments[1].discontinuity);
}

#[tokio::test]
async fn initialisations_leave_with_the_last_segment_that_needs_them() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    for _ in 0..30 {
        feed.parts(6);
        feed.writer.begin(init(video())).unwrap();
    }
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    for segment in &listed.segments {
        assert!(origin.file("v0", &segment.map).await.is_ok());
    }
    let first = origin.file("v0", "init0.mp4").await;
    assert_eq!(first, Err(ReadError::NotFound));
}

#[tokio::test]
async fn the_part_target_grows_with_the_longest_part() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(2);
    feed.push(Duration::from_millis(800), false, false).unwrap();
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    assert_eq!(listed.part_target, Some(0.8));
    assert_eq!(listed.part_hold_back, Some(2.4));
}

#[tokio::test]
async fn chunks_that_would_break_a_playlist_are_refused() {
    let origin = Origin::new(config(), "");
    let mut writer = origin.writer("v0");
    let chunk = |start_ms, duration_ms| Chunk {
        bytes: Bytes::from_static(b"x"),
        start: Duration::from_millis(start_ms),
        duration: Duration::from_millis(duration_ms),
        independent: true,
        ends_segment: false,
    };
    assert_eq!(writer.push(chunk(0, 300)), Err(PushError::NoInit));
    writer.begin(init(video())).unwrap();
    writer.push(chunk(0, 300)).unwrap();
    assert!(matches!(
        writer.push(chunk(300, 10_000)),
        Err(PushError::TooLong { .. })
    ));
    assert!(matches!(
        writer.push(chunk(100, 300)),
        Err(PushError::Backwards { .. })
    ));
    assert_eq!(writer.push(chunk(300, 0)), Err(PushError::Empty));
    writer.end();
    assert_eq!(writer.push(chunk(300, 300)), Err(PushError::Ended));
}

#[tokio::test]
async fn the_end_is_told_and_releases_who_waits() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { playlist(&origin, blocking(2, Some(4))).await }
    });
    tokio::task::yield_now().await;
    feed.writer.end();
    let listed = waiting.await.unwrap().unwrap();
    assert!(listed.ended && listed.trailing.parts.is_empty());
    assert_eq!(listed.segments.len(), 2);
    assert!(
        listed
            .segments
            .iter()
            .all(|segment| segment.parts.is_empty())
    );
}

#[tokio::test]
async fn old_segments_are_read_from_disk_and_the_oldest_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(
        Config {
            folder: Some(folder.path().to_owned()),
            ..config()
        },
        "",
    );
    let mut feed = Feed::new(&origin, "v0", video());
    for segment in 1..=60_u64 {
        feed.parts(6);
        // The disk is another task.
        let path = folder.path().join("v0").join(format!("{segment}.m4s"));
        until("it is written", || {
            std::fs::metadata(&path).is_ok_and(|file| file.len() > 6)
        })
        .await;
    }
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    let length: f64 = listed.segments.iter().map(|segment| segment.duration).sum();
    assert!((58.0..64.0).contains(&length), "{length}");
    assert!(listed.segments.iter().all(|segment| !segment.gap));
    let first = &listed.segments[0];
    let body = origin.file("v0", &first.uri).await.unwrap();
    assert!(text(&body).starts_with(&format!("part {};", (first.msn - 1) * 6)));
    let gone = format!("{}.m4s", first.msn - 1);
    assert_eq!(origin.file("v0", &gone).await, Err(ReadError::NotFound));
    let path = folder.path().join("v0").join(&gone);
    until("it is removed", || !path.exists()).await;
}

#[tokio::test]
async fn a_disk_that_fails_makes_gaps_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    std::fs::write(folder.path().join("v0"), "in the way").unwrap();
    let origin = Origin::new(
        Config {
            folder: Some(folder.path().to_owned()),
            ..config()
        },
        "",
    );
    let mut feed = Feed::new(&origin, "v0", video());
    let mut listed = Playlist::default();
    until("the first is a gap", || {
        feed.parts(6);
        listed = now(&origin);
        listed.segments[0].gap
    })
    .await;
    assert!(
        !listed.segments.last().unwrap().gap,
        "the newest are in memory"
    );
}

#[tokio::test]
async fn renditions_tell_of_each_other() {
    let origin = Origin::new(config(), "");
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    sound.parts(3);
    feed.parts(8);
    let listed = playlist(&origin, PlaylistRequest::default()).await.unwrap();
    assert_eq!(listed.reports.len(), 1);
    assert_eq!(listed.reports[0]["URI"], "../audio/index.m3u8");
    assert_eq!(listed.reports[0]["LAST-MSN"], "1");
    assert_eq!(listed.reports[0]["LAST-PART"], "2");
}

#[tokio::test]
async fn a_playlist_is_rendered_and_compressed_once() {
    let origin = Origin::new(config(), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    let get = || origin.playlist("v0", PlaylistRequest::default());
    let (first, second) = (get().await.unwrap(), get().await.unwrap());
    assert_eq!(first.text().as_ptr(), second.text().as_ptr());
    assert_eq!(first.gzip().as_ptr(), second.gzip().as_ptr());
    let mut plain = Vec::new();
    let gzip = first.gzip();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip[..]), &mut plain).unwrap();
    assert_eq!(plain, first.text());
    let (mut plain, brotli) = (Vec::new(), first.brotli());
    brotli::BrotliDecompress(&mut &brotli[..], &mut plain).unwrap();
    assert_eq!(plain, first.text());
    assert!(brotli.len() < gzip.len());
    feed.part();
    assert_ne!(get().await.unwrap().etag(), first.etag());
}

/// What a packager may do.
#[derive(Debug, Clone)]
enum Step {
    Part { millis: u64, ends_segment: bool },
    Begin,
    Skip { millis: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = (100_u64..=500, prop::bool::weighted(0.2));
    let step = prop_oneof![
        30 => part.prop_map(|(millis, ends_segment)| Step::Part { millis, ends_segment }),
        1 => Just(Step::Begin),
        1 => (1_u64..3_000).prop_map(|millis| Step::Skip { millis }),
    ];
    prop::collection::vec(step, 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_playlist_obeys_the_rules_and_follows_the_one_before(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let config = Config { window: Duration::from_secs(30), ..config() };
            let origin = Origin::new(config, "");
            let mut feed = Feed::new(&origin, "v0", video());
            let mut before: Option<Playlist> = None;
            let mut opens = true;
            for step in steps {
                match step {
                    Step::Part { millis, ends_segment } => {
                        feed.push(Duration::from_millis(millis), opens, ends_segment).unwrap();
                        opens = ends_segment;
                    }
                    Step::Begin => {
                        feed.writer.begin(init(video())).unwrap();
                        opens = true;
                    }
                    Step::Skip { millis } => feed.at += Duration::from_millis(millis),
                }
                if feed.pushed == 0 {
                    continue;
                }
                let whole = playlist(&origin, PlaylistRequest::default()).await.unwrap();
                if let Some(before) = &before {
                    whole.check_follows(before);
                    let skip = PlaylistRequest { skip: true, ..PlaylistRequest::default() };
                    let delta = playlist(&origin, skip).await.unwrap();
                    prop_assert_eq!(&delta.applied_to(before).segments, &{
                        // Parts of older segments leave between the two.
                        let mut segments = whole.segments.clone();
                        for segment in &mut segments {
                            let skipped = segment.msn < delta.media_sequence + delta.skipped;
                            let old = before.segments.iter().find(|old| old.msn == segment.msn);
                            if let (true, Some(old)) = (skipped, old) {
                                segment.parts.clone_from(&old.parts);
                            }
                        }
                        segments
                    });
                }
                before = Some(whole);
            }
            Ok(())
        })?;
    }
}
