//! A live stream as it is found afterwards: from WHIP through the real media-worker to VOD and MP4.

use std::path::{Path, PathBuf};
use std::process::Command;

use loadtest::PublisherSpec;
use loadtest::source::Source;
use serde_json::Value;

use crate::checker::Playlist;
use crate::support::{Server, until};

async fn get(server: &Server, path: &str) -> String {
    let url = format!("http://{}{path}", server.app.http);
    let response = reqwest::get(url).await.unwrap();
    assert!(response.status().is_success(), "{path}: {response:?}");
    response.text().await.unwrap()
}

async fn recording(server: &Server) -> Value {
    let all = get(server, "/api/channels/ada/recordings").await;
    let all: Value = serde_json::from_str(&all).unwrap();
    all["items"][0].clone()
}

/// Plays the newest part of the large rendition until the stream is so many segments long.
async fn until_long(server: &Server, segments: usize) {
    until("segments", || async {
        let url = format!("http://{}/hls/ada/index.m3u8", server.app.http);
        let Ok(response) = reqwest::get(url).await else {
            return false;
        };
        if !response.status().is_success() {
            return false;
        }
        let text = response.text().await.unwrap();
        let uri = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let playlist = get(server, &format!("/hls/ada/{uri}")).await;
        Playlist::checked(&playlist).segments.len() >= segments
    })
    .await;
}

pub(crate) fn probe(arguments: &[&str], path: &str) -> String {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{path}: {said}");
    String::from_utf8(run.stdout).unwrap()
}

pub(crate) fn assert_decodes(path: &str) {
    let frames = ["-count_frames", "-show_entries", "stream=nb_read_frames"];
    probe(&frames, path);
}

/// Presentation times of a stream's packets, in seconds.
fn times(path: &str, stream: &str) -> Vec<f64> {
    let wanted = [
        "-select_streams",
        stream,
        "-show_entries",
        "packet=pts_time",
    ];
    let text = probe(&wanted, path);
    let lines = text.lines().map(|line| line.trim_end_matches(','));
    lines.filter_map(|line| line.parse().ok()).collect()
}

async fn finished_mp4(server: &Server) -> PathBuf {
    let media = server.data.path().join("data/media");
    let find = || {
        let streams = std::fs::read_dir(&media).unwrap().flatten();
        let mut paths = streams.map(|entry| entry.path().join("recording.mp4"));
        paths.find(|path| path.exists())
    };
    until("the MP4", || async { find().is_some() }).await;
    find().unwrap()
}

fn check_mp4(path: &Path) {
    let path = path.to_str().unwrap();
    let entries = ["-show_entries", "stream=codec_name,width,height"];
    let streams = probe(&entries, path);
    assert_eq!(streams, "h264,1280,720\naac\n");
    assert_decodes(path);
    let (pictures, sounds) = (times(path, "v"), times(path, "a"));
    for pair in pictures.windows(2) {
        assert!(pair[1] > pair[0], "{pair:?}");
    }
    assert!(
        pictures.len() > 120,
        "{} pictures in six seconds",
        pictures.len()
    );
    // Together, but for the priming of the sound and where each was cut at the end.
    let starts = pictures[0] - sounds[0];
    assert!(starts.abs() < 0.1, "{starts}");
    let ends = pictures.last().unwrap() - sounds.last().unwrap();
    assert!(ends.abs() < 0.5, "{ends}");
}

#[tokio::test]
async fn a_stream_is_played_at_once_when_it_has_ended_and_downloaded() {
    let server = Server::start().await;
    let layers = PublisherSpec::browser(Source::clip(3).unwrap());
    let publisher = server.on_air(&layers).await;
    until_long(&server, 3).await;
    assert!(server.app.services.streams.end(server.channel.id).await);
    until("the recording", || async {
        recording(&server).await["state"] == "ready"
    })
    .await;
    let recording = recording(&server).await;
    assert!(
        recording["duration_ms"].as_u64().unwrap() >= 6_000,
        "{recording}"
    );
    let vod = recording["playlist_url"].as_str().unwrap();
    let multivariant = get(&server, vod).await;
    let uris: Vec<&str> = multivariant
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(uris.len(), 4, "{multivariant}");
    for uri in uris {
        let playlist = get(&server, &vod.replace("index.m3u8", uri)).await;
        let playlist = Playlist::checked(&playlist);
        assert!(playlist.vod && playlist.ended);
    }
    let mp4 = finished_mp4(&server).await;
    let address = format!("http://{}{vod}", server.app.http);
    tokio::task::spawn_blocking(move || {
        assert_decodes(&address);
        check_mp4(&mp4);
    })
    .await
    .unwrap();
    drop(publisher);
}
