//! What an origin kept on disk is played later, whatever became of the process and the disk.

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
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use checker::Playlist;
use feed::{Feed, audio, config, init, text, video};
use hls::{
    Config, Elsewhere, Init, Library, OpenError, Origin, PlaylistRequest, ReadCache, ReadError,
    Recorded,
};
use proptest::prelude::*;

fn keeping(folder: &Path) -> Config {
    Config {
        folder: Some(folder.to_owned()),
        keep: true,
        ..config()
    }
}

async fn open(folder: &Path) -> Recorded {
    Recorded::open(folder, "", &ReadCache::new(1 << 20))
        .await
        .unwrap()
}

fn playlist(recorded: &Recorded, rendition: &str) -> Playlist {
    let rendered = recorded.playlist(rendition).unwrap();
    let playlist = Playlist::checked(std::str::from_utf8(&rendered.text()).unwrap());
    assert!(playlist.vod && playlist.ended);
    playlist
}

/// All segments that are there, one behind the other; each that is listed must be there.
async fn contents(recorded: &Recorded, rendition: &str) -> String {
    let mut all = String::new();
    for segment in playlist(recorded, rendition).segments {
        let name = segment.uri.rsplit('/').next().unwrap();
        let body = recorded.file(rendition, name).await;
        if segment.gap {
            assert_eq!(body, Err(ReadError::NotFound), "{}", segment.uri);
            continue;
        }
        all.push_str(&text(&body.unwrap()));
        let map = segment.map.rsplit('/').next().unwrap();
        let map = recorded.file(rendition, map).await.unwrap();
        assert_eq!(text(&map), "ftyp moov");
    }
    all
}

fn named(parts: std::ops::Range<u64>) -> String {
    parts.map(|number| format!("part {number};")).collect()
}

#[tokio::test]
async fn what_was_written_is_played_later() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    for _ in 0..20 {
        feed.part();
        sound.part();
    }
    feed.writer.end();
    sound.writer.end();
    origin.close().await;

    let recorded = open(folder.path()).await;
    assert_eq!(recorded.renditions().collect::<Vec<_>>(), ["audio", "v0"]);
    assert_eq!(recorded.start_unix_ms(), 1_700_000_000_000);
    assert_eq!(recorded.duration(), Duration::from_millis(20 * 333));
    let bytes = named(0..20).len() + "ftyp moov".len();
    assert_eq!(recorded.size_bytes(), 2 * u64::try_from(bytes).unwrap());
    assert_eq!(recorded.media("v0"), Some(&video()));
    let listed = playlist(&recorded, "v0");
    assert_eq!(listed.segments.len(), 4);
    assert_eq!(listed.target_duration, 2.0);
    assert_eq!(
        listed.segments[1].time.as_deref(),
        Some("2023-11-14T22:13:21.998Z")
    );
    assert_eq!(contents(&recorded, "v0").await, named(0..20));
    assert_eq!(recorded.segments("v0").count(), 4);
    assert!(recorded.is_closed());

    let longest = Duration::from_millis(2_500);
    let beginning = recorded.playlist_of_own("v0", Some(longest)).unwrap();
    let beginning = Playlist::checked(std::str::from_utf8(&beginning.text()).unwrap());
    let uris: Vec<&str> = beginning
        .segments
        .iter()
        .map(|one| one.uri.as_str())
        .collect();
    assert_eq!((uris, beginning.ended), (vec!["1.m4s", "2.m4s"], true));
    let is_shown = |name: &str| recorded.is_of_beginning("v0", name, longest);
    assert!(is_shown("2.m4s") && is_shown(&listed.segments[0].map));
    assert!(!is_shown("3.m4s") && !is_shown("../2.m4s"));

    let rendered = recorded.multivariant("t/").unwrap();
    let parsed = m3u8_rs::parse_master_playlist_res(&rendered.text()).unwrap();
    assert_eq!(parsed.variants[0].uri, "t/v0/index.m3u8");
    let media = recorded.playlist("v0").unwrap();
    let parsed = m3u8_rs::parse_media_playlist_res(&media.text()).unwrap();
    assert_eq!(parsed.playlist_type, Some(m3u8_rs::MediaPlaylistType::Vod));
    assert!(parsed.end_list);
}

#[tokio::test]
async fn what_is_still_written_can_be_opened_and_says_that_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    let library = Library::new(1 << 20);
    let waiting = async {
        loop {
            match library.open(folder.path(), "https://cdn.example/").await {
                Ok(recorded) if contents(&recorded, "v0").await == named(0..8) => break recorded,
                _ => library.forget(folder.path()).await,
            }
            tokio::task::yield_now().await;
        }
    };
    let recorded = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(!recorded.unwrap().is_closed());
    origin.close().await;
    library.forget(folder.path()).await;
    let recorded = library
        .open(folder.path(), "https://cdn.example/")
        .await
        .unwrap();
    assert!(recorded.is_closed());
    let text = recorded.playlist("v0").unwrap().text();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains("\nhttps://cdn.example/v0/1.m4s\n"), "{text}");
}

#[tokio::test]
async fn discontinuities_and_maps_are_those_of_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    feed.writer.begin(init(video())).unwrap();
    feed.at = Duration::from_secs(60);
    feed.in_segment = 0;
    feed.parts(6);
    let same_time = Init {
        discontinuity: false,
        ..init(video())
    };
    feed.writer.begin(same_time).unwrap();
    feed.parts(1);
    let request = PlaylistRequest::default();
    let live = origin.playlist("v0", request).await.unwrap().text();
    let live = Playlist::checked(std::str::from_utf8(&live).unwrap());
    origin.close().await;
    let listed = playlist(&open(folder.path()).await, "v0");
    let told = |playlist: &Playlist| -> Vec<_> {
        let segments = playlist.segments.iter();
        segments
            .map(|s| {
                (
                    s.uri.clone(),
                    s.map.clone(),
                    s.discontinuity,
                    s.time.clone(),
                )
            })
            .collect()
    };
    assert_eq!(told(&listed)[..3], told(&live)[..]);
    assert_eq!(listed.segments[3].map, "init2.mp4");
    assert!(!listed.segments[3].discontinuity);
}

#[tokio::test]
async fn nothing_else_in_the_folder_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    Feed::new(&origin, "v0", video()).parts(2);
    origin.close().await;
    fs::write(folder.path().join("v0/7.m4s"), "not indexed").unwrap();
    fs::create_dir(folder.path().join("thumbs")).unwrap();
    let recorded = open(folder.path()).await;
    for name in [
        "7.m4s",
        "1.0.m4s",
        "init1.mp4",
        "index.jsonl",
        "../v0/1.m4s",
        "1.m4s/",
        "",
    ] {
        let asked = recorded.file("v0", name).await;
        assert_eq!(asked, Err(ReadError::NotFound), "{name}");
    }
    for rendition in ["v1", "thumbs", "..", "", "../v0"] {
        let asked = recorded.file(rendition, "1.m4s").await;
        assert_eq!(asked, Err(ReadError::NotFound), "{rendition}");
        assert!(recorded.playlist(rendition).is_err());
    }
}

#[tokio::test]
async fn a_folder_with_nothing_to_play_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ReadCache::new(1 << 20);
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        let opened = Recorded::open(path, "", &cache).await;
        assert!(matches!(opened, Err(OpenError::Nothing(_))), "{opened:?}");
    }
}

#[tokio::test]
async fn a_thousand_who_ask_at_once_cost_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    Feed::new(&origin, "v0", video()).parts(12);
    origin.close().await;
    let cache = ReadCache::new(1 << 20);
    let recorded = Recorded::open(folder.path(), "", &cache).await.unwrap();
    let asked = (0..1_000).map(|_| {
        let recorded = recorded.clone();
        tokio::spawn(async move { recorded.file("v0", "2.m4s").await })
    });
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(text(&asked.await.unwrap().unwrap()), named(6..12));
    }
    assert_eq!(cache.reads(), 1);
}

/// Serves a folder as if it were far away.
#[derive(Debug)]
struct FarAway(PathBuf);

impl Elsewhere for FarAway {
    fn get(
        &self,
        rendition: &str,
        name: &str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>> {
        let path = self.0.join(rendition).join(name);
        Box::pin(async move { tokio::fs::read(path).await.map(Bytes::from) })
    }
}

#[tokio::test]
async fn files_that_are_elsewhere_are_played_from_there() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let origin = Origin::new(keeping(far.path()), "");
    Feed::new(&origin, "v0", video()).parts(20);
    origin.close().await;
    fs::create_dir(near.path().join("v0")).unwrap();
    let index = "v0/index.jsonl";
    fs::copy(far.path().join(index), near.path().join(index)).unwrap();
    // One that is here is taken from here.
    fs::copy(far.path().join("v0/1.m4s"), near.path().join("v0/1.m4s")).unwrap();
    fs::remove_file(far.path().join("v0/1.m4s")).unwrap();
    let elsewhere = Arc::new(FarAway(far.path().to_owned()));
    let library = Library::new(1 << 20);
    let opened = library.open_elsewhere(near.path(), "", elsewhere).await;
    let recorded = opened.unwrap();
    assert_eq!(contents(&recorded, "v0").await, named(0..20));
    fs::remove_file(far.path().join("v0/2.m4s")).unwrap();
    let again = recorded.file("v0", "2.m4s").await;
    assert!(again.is_ok(), "it was read before");
    library.forget(near.path()).await;
    let here_alone = Recorded::open(near.path(), "", &ReadCache::new(0)).await;
    assert!(
        matches!(here_alone, Err(OpenError::Nothing(_))),
        "the map is elsewhere"
    );
}

#[tokio::test]
async fn a_layer_that_died_early_is_not_offered_and_one_that_came_late_begins_with_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    let mut feed = Feed::new(&origin, "v0", video());
    let mut early = Feed::new(&origin, "v1", video());
    let mut late = Feed::new(&origin, "v2", video());
    // Pictures came only in the middle of the stream.
    Feed::new(&origin, "audio", audio()).parts(120);
    feed.parts(60);
    early.parts(6);
    late.at = Duration::from_millis(333 * 6);
    late.parts(54);
    origin.close().await;
    let recorded = open(folder.path()).await;
    let text = recorded.multivariant("").unwrap().text();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains("v0/") && text.contains("v2/") && !text.contains("v1/"));
    let listed = playlist(&recorded, "v2");
    assert!(listed.segments[0].gap);
    assert_eq!(
        listed.segments[0].time,
        playlist(&recorded, "v0").segments[0].time
    );
    assert!(!listed.segments[1].gap);
    assert_eq!(contents(&recorded, "v2").await, named(0..54));
}

#[tokio::test]
async fn a_recording_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    Feed::new(&origin, "v0", video()).parts(6);
    origin.close().await;
    let again = Origin::new(keeping(folder.path()), "");
    let mut problem = again.disk_problem().unwrap();
    let mut feed = Feed::new(&again, "v0", video());
    feed.parts(12);
    let told = problem.wait_for(Option::is_some).await.unwrap().clone();
    assert!(told.unwrap().contains("holds a recording already"));
    again.close().await;
    assert_eq!(
        contents(&open(folder.path()).await, "v0").await,
        named(0..6)
    );
}

#[tokio::test]
async fn a_disk_that_fails_is_told_of_and_used_again_when_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("v0");
    fs::write(&in_the_way, "in the way").unwrap();
    let origin = Origin::new(keeping(folder.path()), "");
    let mut problem = origin.disk_problem().unwrap();
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    for _ in 0..6 {
        sound.part();
        feed.part();
    }
    problem.wait_for(Option::is_some).await.unwrap();
    let lost = origin.file("v0", "1.m4s").await.unwrap();
    assert_eq!(text(&lost), named(0..6), "live goes on from memory");
    fs::remove_file(&in_the_way).unwrap();
    while problem.borrow().is_some() {
        feed.parts(6);
        sound.parts(6);
        let _ = tokio::time::timeout(Duration::from_millis(20), problem.changed()).await;
    }
    origin.close().await;
    let recorded = open(folder.path()).await;
    let listed = playlist(&recorded, "v0");
    assert!(listed.segments[0].gap && !listed.segments.last().unwrap().gap);
    let kept = contents(&recorded, "v0").await;
    assert!(named(0..feed.pushed).ends_with(&kept));
}

/// Runs a test of this program again, in a mount namespace of its own.
fn in_own_mounts(test: &str) -> bool {
    const MARK: &str = "HLS_TEST_IN_OWN_MOUNTS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .output();
    let run = run.expect("util-linux is there");
    let said = String::from_utf8_lossy(&run.stderr);
    if said.contains("unshare failed") || said.contains("Operation not permitted") {
        eprintln!("not run, for lack of user namespaces: {test}");
    } else {
        assert!(
            run.status.success(),
            "{}\n{said}",
            String::from_utf8_lossy(&run.stdout)
        );
    }
    false
}

#[tokio::test]
async fn a_full_disk_makes_a_gap_and_live_goes_on() {
    if !in_own_mounts("a_full_disk_makes_a_gap_and_live_goes_on") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(folder.path())
        .status();
    assert!(mounted.unwrap().success());
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![0; 900 * 1024]).unwrap();

    let origin = Origin::new(keeping(&folder.path().join("stream")), "");
    let mut problem = origin.disk_problem().unwrap();
    let mut feed = Feed::new(&origin, "v0", video());
    feed.padding = 8 * 1024;
    while problem.borrow().is_none() {
        feed.parts(6);
        let _ = tokio::time::timeout(Duration::from_millis(20), problem.changed()).await;
    }
    let told = problem.borrow().clone().unwrap();
    assert!(told.contains("No space left"), "{told}");
    let request = PlaylistRequest::default();
    let live = origin.playlist("v0", request).await.unwrap().text();
    let live = Playlist::checked(std::str::from_utf8(&live).unwrap());
    for segment in live.segments.iter().rev().take(3) {
        assert!(!segment.gap, "it is in memory");
        origin.file("v0", &segment.uri).await.unwrap();
    }

    fs::remove_file(&ballast).unwrap();
    while problem.borrow().is_some() {
        feed.parts(6);
        let _ = tokio::time::timeout(Duration::from_millis(20), problem.changed()).await;
    }
    let resumed = feed.pushed;
    feed.parts(6);
    feed.writer.end();
    origin.close().await;

    let recorded = open(&folder.path().join("stream")).await;
    let listed = playlist(&recorded, "v0");
    let gaps: Vec<bool> = listed.segments.iter().map(|segment| segment.gap).collect();
    assert!(
        !gaps[0] && !gaps.last().unwrap() && gaps.contains(&true),
        "{gaps:?}"
    );
    assert_eq!(recorded.duration(), feed.at, "gaps keep the time");
    let kept = contents(&recorded, "v0").await;
    assert!(kept.contains(&format!("part {};", feed.pushed - 1)));
    let whole: Vec<&str> = kept.split_inclusive(';').map(str::trim_start).collect();
    assert!(whole.len() < usize::try_from(feed.pushed).unwrap());
    let numbers: Vec<u64> = whole
        .iter()
        .map(|part| {
            part.strip_prefix("part ")
                .unwrap()
                .trim_end_matches(';')
                .parse()
                .unwrap()
        })
        .collect();
    assert!(numbers.is_sorted(), "no part is torn or twice: {numbers:?}");
    assert!(numbers.contains(&(resumed - 1)));
}

/// What a packager may do.
#[derive(Debug, Clone)]
enum Step {
    Part { millis: u64, ends_segment: bool },
    Begin { discontinuity: bool },
    Skip { millis: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = (100_u64..=500, prop::bool::weighted(0.2));
    let step = prop_oneof![
        30 => part.prop_map(|(millis, ends_segment)| Step::Part { millis, ends_segment }),
        1 => any::<bool>().prop_map(|discontinuity| Step::Begin { discontinuity }),
        1 => (1_u64..3_000).prop_map(|millis| Step::Skip { millis }),
    ];
    prop::collection::vec(step, 1..200)
}

/// Plays the steps into a folder. Returns the durations of the parts.
async fn write(folder: &Path, steps: &[Step]) -> Vec<Duration> {
    let origin = Origin::new(keeping(folder), "");
    let mut feed = Feed::new(&origin, "v0", video());
    let mut durations = Vec::new();
    let mut opens = true;
    for step in steps {
        match *step {
            Step::Part {
                millis,
                ends_segment,
            } => {
                let duration = Duration::from_millis(millis);
                feed.push(duration, opens, ends_segment).unwrap();
                durations.push(duration);
                opens = ends_segment;
            }
            Step::Begin { discontinuity } => {
                let begins = Init {
                    discontinuity,
                    ..init(video())
                };
                feed.writer.begin(begins).unwrap();
                opens = true;
            }
            Step::Skip { millis } => feed.at += Duration::from_millis(millis),
        }
    }
    origin.close().await;
    durations
}

/// Whether every segment begins where the one before ended, or later.
fn check_times(listed: &Playlist) {
    let mut end = f64::MIN;
    for segment in &listed.segments {
        let time: jiff::Timestamp = segment.time.as_ref().unwrap().parse().unwrap();
        let start = time.as_duration().as_secs_f64();
        assert!(start >= end - 0.003, "{} starts too early", segment.uri);
        end = start + segment.duration;
    }
}

fn block_on(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_killed_process_loses_at_most_the_part_under_way(
        steps in steps(),
        killed in 0.0..1.0,
        torn in 0_u64..200,
    ) {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let durations = write(folder.path(), &steps).await;
            // Killed: the index ends anywhere, and the part it does not tell of is there in part.
            let rendition = folder.path().join("v0");
            let index = rendition.join("index.jsonl");
            let Ok(lines) = fs::read(&index) else {
                prop_assert!(durations.is_empty());
                return Ok(());
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position")]
            let cut = (lines.len() as f64 * killed) as usize;
            fs::write(&index, &lines[..cut]).unwrap();
            let whole = &lines[..lines[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)];
            let told = std::str::from_utf8(whole).unwrap();
            let parts: Vec<&str> = told.lines().filter(|line| line.starts_with("{\"part\"")).collect();
            if let Some(last) = parts.last() {
                let msn = last.split("\"msn\":").nth(1).unwrap().split(',').next().unwrap();
                let of_last = parts.iter().filter(|line| line.contains(&format!("\"msn\":{msn},")));
                let size = |line: &&&str| -> u64 {
                    line.split("\"size_bytes\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
                };
                let told_bytes: u64 = of_last.map(|line| size(&line)).sum();
                let file = fs::OpenOptions::new().write(true).open(rendition.join(format!("{msn}.m4s"))).unwrap();
                let there = file.metadata().unwrap().len();
                file.set_len(there.min(told_bytes + torn)).unwrap();
            }
            let cache = ReadCache::new(1 << 20);
            for repaired in [false, true] {
                if repaired {
                    hls::repair(folder.path()).await.unwrap();
                }
                let opened = Recorded::open(folder.path(), "", &cache).await;
                if parts.is_empty() {
                    prop_assert!(matches!(opened, Err(OpenError::Nothing(_))));
                    continue;
                }
                let recorded = opened.unwrap();
                let count = u64::try_from(parts.len()).unwrap();
                prop_assert_eq!(contents(&recorded, "v0").await, named(0..count));
                let length: Duration = durations[..parts.len()].iter().sum();
                prop_assert_eq!(recorded.duration(), length);
                check_times(&playlist(&recorded, "v0"));
            }
            prop_assert_eq!(fs::metadata(&index).unwrap().len(), u64::try_from(whole.len()).unwrap());
            Ok(())
        })?;
    }

    #[test]
    fn whatever_the_disk_lost_what_is_listed_is_there(
        steps in steps(),
        cuts in prop::collection::vec((0_usize..60, 0_u64..60), 0..12),
        index_cut in prop::option::of(0_usize..20_000),
    ) {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let durations = write(folder.path(), &steps).await;
            let rendition = folder.path().join("v0");
            if let Some(cut) = index_cut && let Ok(lines) = fs::read(rendition.join("index.jsonl")) {
                fs::write(rendition.join("index.jsonl"), &lines[..cut.min(lines.len())]).unwrap();
            }
            for (msn, size) in cuts {
                let name = if msn == 59 { "init0.mp4".to_owned() } else { format!("{msn}.m4s") };
                if let Ok(file) = fs::OpenOptions::new().write(true).open(rendition.join(name)) {
                    let there = file.metadata().unwrap().len();
                    file.set_len(there.min(size)).unwrap();
                }
            }
            for repaired in [false, true] {
                if repaired && rendition.exists() {
                    hls::repair(folder.path()).await.unwrap();
                }
                let opened = Recorded::open(folder.path(), "", &ReadCache::new(1 << 20)).await;
                let Ok(recorded) = opened else { continue };
                let kept = contents(&recorded, "v0").await;
                let all = named(0..u64::try_from(durations.len()).unwrap());
                let mut rest = all.as_str();
                for part in kept.split_inclusive(';') {
                    let at = rest.find(part);
                    prop_assert!(at.is_some(), "{part} is torn, twice or out of order");
                    rest = &rest[at.unwrap() + part.len()..];
                }
                check_times(&playlist(&recorded, "v0"));
            }
            Ok(())
        })?;
    }
}
