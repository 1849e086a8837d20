//! A live stream as HLS players get it: from WHIP through the real media-worker to HTTP.

use std::process::Command;

use loadtest::PublisherSpec;
use loadtest::source::Source;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::checker::Playlist;
use crate::support::{Server, until};

pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.app.http)
}

async fn get(server: &Server, path: &str) -> Response {
    reqwest::get(url(server, path)).await.unwrap()
}

pub(crate) async fn hls_state(server: &Server) -> Value {
    hls_state_of(server, "ada").await
}

async fn hls_state_of(server: &Server, handle: &str) -> Value {
    let path = format!("/api/channels/{handle}");
    let page: Value = get(server, &path).await.json().await.unwrap();
    page["hls"].clone()
}

pub(crate) async fn until_ready(server: &Server) {
    until_channel_ready(server, "ada").await;
}

pub(crate) async fn until_channel_ready(server: &Server, handle: &str) {
    until("HLS to be ready", || async {
        hls_state_of(server, handle).await["state"] == "ready"
    })
    .await;
}

/// URIs of the renditions, sound last, relative to `/hls/ada/`.
pub(crate) async fn renditions(server: &Server) -> Vec<String> {
    let response = get(server, "/hls/ada/index.m3u8").await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.unwrap();
    let uris = text.lines().filter(|line| !line.starts_with('#'));
    uris.map(str::to_owned).collect()
}

/// Reads a rendition as a low-latency player does, until it has seen so many more segments or the
/// end; every playlist is checked by itself and against the one before.
pub(crate) async fn follow(server: &Server, uri: &str, segments: u64) -> Playlist {
    let mut before: Option<Playlist> = None;
    let mut query = String::new();
    loop {
        let response = get(server, &format!("/hls/ada/{uri}{query}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}{query}");
        let text = response.text().await.unwrap();
        let mut now = Playlist::checked(&text);
        if let Some(before) = &before {
            now = now.applied_to(before);
            now.check_follows(before);
        }
        let first = before.as_ref().map_or(now.end(), |_| now.media_sequence);
        if now.ended || (before.is_some() && now.end() >= first + segments) {
            return now;
        }
        let part = now.trailing.parts.len();
        query = format!("?_HLS_msn={}&_HLS_part={part}&_HLS_skip=YES", now.end());
        before = Some(now);
    }
}

fn three_layers() -> PublisherSpec {
    PublisherSpec::browser(Source::clip(3).unwrap())
}

#[tokio::test]
async fn every_layer_and_the_sound_are_played_by_hls() {
    let server = Server::start().await;
    let publisher = server.on_air(&three_layers()).await;
    until_ready(&server).await;
    let uris = renditions(&server).await;
    assert_eq!(uris.len(), 4, "{uris:?}");
    let mut starts = Vec::new();
    for played in uris.iter().map(|uri| follow(&server, uri, 4)) {
        let playlist = played.await;
        assert!(playlist.part_target.unwrap() < 0.4, "{playlist:?}");
        // On a machine that stands still for a second, the stream does too.
        let broken = playlist.segments.iter();
        let broken = broken.filter(|s| s.gap || s.discontinuity).count();
        assert!(broken * 3 < playlist.segments.len(), "{playlist:#?}");
        starts.push(playlist);
    }
    assert_aligned(&starts);
    let streams = ["h264,1280,720", "h264,640,360", "h264,320,180", "aac"];
    assert_played_by_ffmpeg(&server, &streams).await;
    drop(publisher);
}

/// A picture's length in milliseconds, rounded up.
const FRAME: i64 = 34;

/// Segments begin together, within a frame, on one clock.
pub(crate) fn assert_aligned(playlists: &[Playlist]) {
    let begins = |playlist: &Playlist| -> Vec<i64> {
        let segments = playlist.segments.iter().skip(1);
        let times = segments.filter_map(|s| s.time.as_ref());
        times
            .map(|time| {
                let time: jiff::Timestamp = time.parse().unwrap();
                time.as_millisecond()
            })
            .collect()
    };
    let first = begins(&playlists[0]);
    for other in &playlists[1..] {
        let theirs = begins(other);
        let end = first.last().min(theirs.last()).unwrap() + FRAME;
        let begin = first.first().max(theirs.first()).unwrap() - FRAME;
        let both: Vec<_> = theirs
            .iter()
            .filter(|at| (begin..=end).contains(*at))
            .collect();
        for at in &both {
            let nearest = first.iter().map(|ours| (ours - **at).abs()).min();
            assert!(nearest <= Some(FRAME), "{at}: {first:?} {theirs:?}");
        }
        assert!(both.len() >= 2, "{first:?} {theirs:?}");
    }
}

pub(crate) async fn assert_played_by_ffmpeg(server: &Server, streams: &[&str]) {
    let words = told_by_ffprobe(server, "/hls/ada/index.m3u8").await;
    for expected in streams {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

/// Codec and size of each stream behind that path, a line each; errors behind them.
pub(crate) async fn told_by_ffprobe(server: &Server, path: &str) -> String {
    let address = url(server, path);
    let probe = tokio::task::spawn_blocking(move || {
        Command::new("ffprobe")
            .args(["-v", "error", "-of", "csv=p=0"])
            .args(["-show_entries", "stream=codec_name,width,height", &address])
            .output()
            .expect("ffprobe runs")
    });
    let output = probe.await.unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    words + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_the_playlists() {
    let server = Server::start().await;
    let publisher = server.on_air(&three_layers()).await;
    until_ready(&server).await;
    let uri = renditions(&server).await.remove(0);
    publisher.session.delete().await.unwrap();
    let playlist = follow(&server, &uri, u64::MAX / 2).await;
    assert!(playlist.ended);
    let segment = playlist.segments.last().unwrap().uri.clone();
    let folder = uri.rsplit_once('/').unwrap().0;
    let response = get(&server, &format!("/hls/ada/{folder}/{segment}")).await;
    assert_eq!(response.status(), StatusCode::OK, "who is behind plays on");
    assert!(hls_state(&server).await.is_null());
}

#[tokio::test]
async fn caches_and_pages_of_others_are_told_what_they_may_do() {
    let server = Server::start().await;
    server.on_air(&three_layers()).await;
    until_ready(&server).await;
    let uri = renditions(&server).await.remove(0);
    let path = format!("/hls/ada/{uri}");
    let response = get(&server, &path).await;
    let headers = response.headers();
    assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let live = "public, max-age=1, stale-while-revalidate=1, stale-if-error=60";
    assert_eq!(headers[CACHE_CONTROL], live);
    let text = response.text().await.unwrap();
    let init = Playlist::checked(&text)
        .segments
        .first()
        .map(|s| s.map.clone());
    let init = init.unwrap_or_else(|| Playlist::checked(&text).trailing.map);
    let folder = uri.rsplit_once('/').unwrap().0;
    let response = get(&server, &format!("/hls/ada/{folder}/{init}")).await;
    let caching = &response.headers()[CACHE_CONTROL];
    assert_eq!(caching, "public, max-age=31536000, immutable");
    assert_eq!(response.headers()["content-type"], "video/mp4");
    let zipped = reqwest::Client::new()
        .get(url(&server, &path))
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(zipped.headers()[CONTENT_ENCODING], "gzip");
    let packed = reqwest::Client::new()
        .get(url(&server, &path))
        .header("accept-encoding", "gzip, br")
        .send()
        .await
        .unwrap();
    assert_eq!(packed.headers()[CONTENT_ENCODING], "br");
}

#[tokio::test]
async fn answers_ahead_of_the_routes_are_those_of_the_routes() {
    let server = Server::start().await;
    let publisher = server.on_air(&three_layers()).await;
    until_ready(&server).await;
    let uri = renditions(&server).await.remove(0);
    publisher.session.delete().await.unwrap();
    let ended = follow(&server, &uri, u64::MAX / 2).await;
    let segment = ended.segments.last().unwrap().uri.clone();
    let folder = uri.rsplit_once('/').unwrap().0;
    for path in [
        uri.clone(),
        format!("{uri}?_HLS_msn=0&_HLS_skip=YES"),
        format!("{uri}?_HLS_msn=x"),
        format!("{folder}/{segment}"),
        format!("{folder}/999999.m4s"),
    ] {
        let mut answers = Vec::new();
        // What is escaped goes by the routes.
        for handle in ["ada", "%61da"] {
            let response = get(&server, &format!("/hls/{handle}/{path}")).await;
            let (status, mut headers) = (response.status(), response.headers().clone());
            headers.remove("date");
            assert!(headers.contains_key("content-security-policy"), "{path}");
            answers.push((status, headers, response.bytes().await.unwrap()));
        }
        assert_eq!(answers[0], answers[1], "{path}");
    }
}

#[tokio::test]
async fn hostile_names_and_queries_are_refused() {
    let server = Server::start().await;
    server.on_air(&three_layers()).await;
    until_ready(&server).await;
    let uri = renditions(&server).await.remove(0);
    let folder = uri.rsplit_once('/').unwrap().0;
    for path in [
        "/hls/..%2f..%2fetc%2fpasswd/index.m3u8".to_owned(),
        "/hls/nobody/index.m3u8".to_owned(),
        "/hls/ada/0000/v0/index.m3u8".to_owned(),
        "/hls/ada".to_owned(),
        format!("/hls/ada/{folder}/..%2f..%2f..%2ftallylight.sqlite"),
        format!("/hls/ada/{folder}/index.jsonl"),
        format!("/hls/ada/{folder}/%00"),
        format!("/hls/ada/{folder}/+1.m4s"),
        format!("/hls/ada/{folder}/999999.m4s"),
        format!("/hls/ada/{folder}/..%5c1.m4s"),
    ] {
        let response = get(&server, &path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for query in [
        "_HLS_msn=x",
        "_HLS_part=1",
        "_HLS_msn=1000000",
        "_HLS_msn=0&_HLS_msn=1",
        "_HLS_msn=18446744073709551616",
        "_HLS_skip=maybe",
    ] {
        let response = get(&server, &format!("/hls/ada/{uri}?{query}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_codec_that_hls_players_lack_is_named() {
    let server = Server::start().await;
    server
        .on_air(&PublisherSpec::browser(Source::made_up_vp8()))
        .await;
    until("the reason", || async {
        hls_state(&server).await["state"] == "unavailable"
    })
    .await;
    let reason = hls_state(&server).await["reason"].to_string();
    assert!(reason.contains("VP8"), "{reason}");
    let response = get(&server, "/hls/ada/index.m3u8").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "hls_unavailable");
}

#[tokio::test]
async fn a_small_picture_is_there_for_cards_and_seek_bars() {
    let server = Server::start().await;
    server.on_air(&three_layers()).await;
    until("a thumbnail", || async {
        get(&server, "/hls/ada/thumbnail.jpg").await.status() == StatusCode::OK
    })
    .await;
    let jpeg = get(&server, "/hls/ada/thumbnail.jpg").await.bytes().await;
    assert_eq!(jpeg.as_ref().unwrap()[..2], [0xff, 0xd8]);
    let list = get(&server, "/hls/ada/storyboard.json").await;
    let list: Value = list.json().await.unwrap();
    let name = list["images"][0]["uri"].as_str().unwrap();
    let picture = get(&server, &format!("/hls/ada/{name}")).await;
    assert_eq!(picture.status(), StatusCode::OK, "{list}");
    assert_eq!(picture.bytes().await.unwrap(), jpeg.unwrap());
}
