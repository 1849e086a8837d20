//! Low-latency HLS over the server's own TLS: what players do, on one connection of HTTP/2.

use futures_util::future::join_all;
use loadtest::PublisherSpec;
use loadtest::source::Source;
use reqwest::{Client, StatusCode, Version};
use tallylight::config::Config;

use crate::checker::Playlist;
use crate::hls::{follow, renditions, until_ready};
use crate::secure;
use crate::support::Server;

/// Requests that wait at the same time, fewer than HTTP/2 may have on a connection.
const WAITING: usize = 80;

async fn text(client: &Client, url: &str) -> String {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.status(), StatusCode::OK, "{url}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn many_wait_for_a_part_on_one_connection_and_all_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = secure::issue(folder.path());
    let tls = files.clone();
    let server = Server::with(|config: &mut Config| {
        config.http.tls_listen = "127.0.0.1:0".to_owned();
        config.tls = tls;
    })
    .await;
    let publisher = server
        .on_air(&PublisherSpec::browser(Source::clip(1).unwrap()))
        .await;
    until_ready(&server).await;
    let https = server.app.https.unwrap();
    let client = secure::client(&files, https).build().unwrap();
    let uri = renditions(&server).await.remove(0);
    let url = format!("https://localhost:{}/hls/ada/{uri}", https.port());
    let mut now = Playlist::checked(&text(&client, &url).await);
    for _ in 0..6 {
        let (msn, part) = (now.end(), now.trailing.parts.len());
        let next = format!("{url}?_HLS_msn={msn}&_HLS_part={part}");
        let hinted = format!("{}/{msn}.{part}.m4s", url.rsplit_once('/').unwrap().0);
        let playlists = join_all((0..WAITING).map(|_| text(&client, &next)));
        // The part itself is asked for before it is there.
        let media = async { client.get(&hinted).send().await.unwrap() };
        let (playlists, media) = tokio::join!(playlists, media);
        assert!(playlists.iter().all(|text| *text == playlists[0]));
        let told = Playlist::checked(&playlists[0]);
        told.check_follows(&now);
        // The last part of a segment has no number behind it; the hint was for one more then.
        if media.status() == StatusCode::OK {
            assert!(!media.bytes().await.unwrap().is_empty());
        } else {
            assert_ne!(told.end(), msn, "the hint was kept");
        }
        now = told;
    }
    drop(publisher);
}

#[tokio::test]
async fn ffmpeg_plays_it_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let files = secure::issue(folder.path());
    let tls = files.clone();
    let server = Server::with(|config: &mut Config| {
        config.http.tls_listen = "127.0.0.1:0".to_owned();
        config.tls = tls;
    })
    .await;
    let publisher = server
        .on_air(&PublisherSpec::browser(Source::clip(1).unwrap()))
        .await;
    until_ready(&server).await;
    // Of less than a segment ffmpeg may not tell what it is.
    let uri = renditions(&server).await.remove(0);
    follow(&server, &uri, 3).await;
    let port = server.app.https.unwrap().port();
    let probe = tokio::process::Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-tls_verify", "0"])
        .args(["-show_entries", "stream=codec_name"])
        .arg(format!("https://127.0.0.1:{port}/hls/ada/index.m3u8"))
        .output();
    let output = probe.await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("h264") && told.contains("aac"), "{output:?}");
    drop(publisher);
}
