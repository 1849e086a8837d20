//! The program, stopped or killed and started again while somebody publishes and somebody plays
//! (RELIABILITY P5, P7): the same stream, the same address, one recording.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tallylight::clock::Clock;

use crate::checker::Playlist;
use crate::process::Process;
use crate::recording::{assert_decodes, probe};
use crate::site::{Player, Site, playlist_uri, seams};
use crate::support::until;

fn mp4(data: &Path) -> Option<PathBuf> {
    let streams = std::fs::read_dir(data.join("data/media"))
        .unwrap()
        .flatten();
    let mut paths = streams.map(|entry| entry.path().join("recording.mp4"));
    paths.find(|path| path.exists())
}

async fn goes_on_after(how: &str, stop: impl Fn(&mut Process)) {
    let site = Site::new();
    let mut server = site.start();
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let player = Player::start(format!("http://{}/hls/ada/{uri}", site.http));
    player
        .until("three segments", |seen| seen.segments.len() >= 3)
        .await;
    let before = site.items("/api/streams?channel=ada").await;

    let began = Clock::system().instant();
    tokio::task::block_in_place(|| stop(&mut server));
    let stopped = began.elapsed();
    let mut server = site.start();
    let started = began.elapsed();
    assert_eq!(playlist_uri(&site).await, uri, "the address stays");
    player
        .until("two segments more", |seen| {
            let seam = seams(seen).first().copied();
            seam.is_some_and(|seam| seen.end() >= seam + 2)
        })
        .await;
    let seen = player.1.lock().unwrap().newest.clone();
    assert_eq!(seams(&seen).len(), 1, "{seen:?}");
    assert!(
        seen.segments.iter().any(|segment| segment.msn == 1),
        "the window of before"
    );
    report(how, stopped, started, &player);
    let after = site.items("/api/streams?channel=ada").await;
    assert_eq!((after.len(), &after[0]["id"]), (1, &before[0]["id"]));
    assert_eq!(after[0]["state"], "live");

    // What is listed is served.
    site.assert_served(&uri, &seen).await;
    drop((player, publishing));
    site.end().await;
    assert_recorded(&site).await;
    server.terminate();
}

/// One recording, of all of it.
async fn assert_recorded(site: &Site) {
    until("the recording", || async {
        let all = site.items("/api/channels/ada/recordings").await;
        all.len() == 1 && all[0]["state"] == "ready"
    })
    .await;
    let recording = site.items("/api/channels/ada/recordings").await.remove(0);
    let vod = recording["playlist_url"].as_str().unwrap();
    let multivariant = site.get(vod).await.unwrap();
    for uri in multivariant.lines().filter(|line| !line.starts_with('#')) {
        let playlist = site.get(&vod.replace("index.m3u8", uri)).await.unwrap();
        let playlist = Playlist::checked(&playlist);
        assert!(playlist.vod && playlist.ended);
        assert_eq!(seams(&playlist).len(), 1, "{uri}: {playlist:?}");
    }
    let seconds =
        f64::from(u32::try_from(recording["duration_ms"].as_u64().unwrap()).unwrap()) / 1e3;
    until("the MP4", || async { mp4(site.data.path()).is_some() }).await;
    let mp4 = mp4(site.data.path()).unwrap();
    let url = format!("http://{}{vod}", site.http);
    let length = tokio::task::spawn_blocking(move || {
        assert_decodes(&url);
        let path = mp4.to_str().unwrap();
        assert_decodes(path);
        probe(&["-show_entries", "format=duration"], path)
    });
    let length: f64 = length.await.unwrap().trim().parse().unwrap();
    assert!((length - seconds).abs() < 1.0, "{length} of {seconds}");
    assert!(length > 8.0, "what was before and after: {length}");
}

#[expect(clippy::print_stderr, reason = "what it measures")]
fn report(how: &str, stopped: Duration, started: Duration, player: &Player) {
    let seen = player.1.lock().unwrap();
    eprintln!(
        "{how}: ended after {stopped:?}, ports open again after {started:?}, playlists away {:?}, \
         nothing new in them for {:?}",
        seen.away, seen.stood
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_air_when_the_server_is_stopped_goes_on() {
    goes_on_after("SIGTERM", Process::terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_air_when_the_server_is_killed_goes_on() {
    goes_on_after("SIGKILL", Process::kill).await;
}

#[tokio::test]
async fn while_the_publisher_is_away_what_was_before_is_played() {
    let site = Site::new();
    let mut server = site.start();
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let enough = |seen: Option<Playlist>| seen.is_some_and(|seen| seen.segments.len() >= 2);
    until("two segments", || async {
        enough(site.playlist(&uri).await)
    })
    .await;
    drop(publishing);
    server.terminate();
    let mut server = site.start();
    assert_eq!(site.state().await, "reconnecting");
    let before = site.playlist(&uri).await.unwrap();
    assert!(!before.ended && before.segments.len() >= 2, "{before:?}");
    site.assert_served(&uri, &before).await;
    // Stopped once more meanwhile.
    server.terminate();
    let mut server = site.start();
    let again = site.playlist(&uri).await.unwrap();
    again.check_follows(&before);
    assert_eq!(again.segments, before.segments);
    let _publishing = site.publish();
    until("the next segment", || async {
        let now = site.playlist(&uri).await.unwrap();
        now.check_follows(&again);
        now.end() > again.end()
    })
    .await;
    assert_eq!(seams(&site.playlist(&uri).await.unwrap()), [again.end()]);
    assert_eq!(site.state().await, "live");
    server.terminate();
}

#[tokio::test]
async fn the_numbers_of_what_is_not_recorded_go_on() {
    let site = Site::new();
    let mut server = site.start();
    site.do_not_record().await;
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let enough = |seen: Option<Playlist>| seen.is_some_and(|seen| seen.segments.len() >= 2);
    until("two segments", || async {
        enough(site.playlist(&uri).await)
    })
    .await;
    let before = site.playlist(&uri).await.unwrap();
    server.terminate();
    let mut server = site.start();
    let after = Mutex::new(Playlist::default());
    until("what comes after", || async {
        let found = site.playlist(&uri).await;
        let is_there = found.as_ref().is_some_and(|now| !now.segments.is_empty());
        *after.lock().unwrap() = found.unwrap_or_default();
        is_there
    })
    .await;
    let after = after.into_inner().unwrap();
    assert!(
        after.media_sequence > before.end(),
        "{after:?} behind {before:?}"
    );
    assert!(after.discontinuity_sequence > before.discontinuity_sequence);
    assert_ne!(after.segments[0].map, before.segments[0].map);
    site.assert_served(&uri, &after).await;
    drop(publishing);
    site.end().await;
    assert!(site.items("/api/channels/ada/recordings").await.is_empty());
    server.terminate();
}
