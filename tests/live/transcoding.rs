//! Ladders that the server makes: for players of HLS and for viewers by WebRTC.

use std::sync::Mutex;

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{PublisherSpec, Watching};
use serde_json::Value;
use tallylight::accounts::Role;
use tallylight::config::Config;
use tallylight::secret::Secret;

use crate::hls::{
    assert_aligned, assert_played_by_ffmpeg, follow, hls_state, renditions, until_ready,
};
use crate::support::{Server, until, until_more};

fn transcoding(config: &mut Config) {
    config.media.transcode = 1;
}

async fn layer_of(server: &Server) -> Vec<(Option<String>, Option<u32>, bool)> {
    let live = server.app.services.streams.live_on(server.channel.id).await;
    let stats = server.sfu.stream_stats(live.unwrap().stream).await.unwrap();
    let layers = stats.layers.into_iter();
    layers
        .map(|layer| (layer.rid, layer.height, layer.made))
        .collect()
}

/// Waits for pictures that no publisher sent, or that one did.
async fn until_made(viewer: &Watching, is_made: bool) {
    let before = Mutex::new(viewer.report().await.unwrap());
    until("pictures of the layer", || async {
        let now = viewer.report().await.unwrap();
        assert!(!now.closed, "the session is over: {now:?}");
        let mut before = before.lock().unwrap();
        if now.video_packets < before.video_packets + 50 {
            return false;
        }
        let is_sent = now.newest_frame != before.newest_frame;
        *before = now;
        is_sent != is_made
    })
    .await;
}

#[tokio::test]
async fn one_layer_gets_smaller_ones() {
    let server = Server::with(transcoding).await;
    let publisher = PublisherSpec::browser(Source::clip(1).unwrap());
    let publisher = server.on_air(&publisher).await;
    until_ready(&server).await;
    until("the ladder", || async {
        renditions(&server).await.len() == 4
    })
    .await;
    let uris = renditions(&server).await;
    let mut played = Vec::new();
    for uri in &uris {
        played.push(follow(&server, uri, 4).await);
    }
    assert_aligned(&played);
    assert_played_by_ffmpeg(
        &server,
        &["h264,1280,720", "h264,854,480", "h264,640,360", "aac"],
    )
    .await;
    // By WebRTC too.
    until("the offer", || async { layer_of(&server).await.len() == 3 }).await;
    let viewer = server.watch().await;
    until_more(&viewer, 5).await;
    for (choice, is_made) in [("360p", true), ("480p", true)] {
        let choice = format!(r#"{{"mediaId":"1","rid":"{choice}"}}"#);
        viewer.session.choose_layer(&choice).await.unwrap();
        until_made(&viewer, is_made).await;
    }
    viewer
        .session
        .choose_layer(r#"{"mediaId":"1"}"#)
        .await
        .unwrap();
    until_made(&viewer, false).await;
    drop(publisher);
}

#[tokio::test]
async fn vp8_is_played_by_hls() {
    let server = Server::with(transcoding).await;
    let publisher = PublisherSpec::browser(Source::clip_vp8().unwrap());
    let publisher = server.on_air(&publisher).await;
    until_ready(&server).await;
    assert!(hls_state(&server).await["reason"].is_null());
    until("picture and sound", || async {
        renditions(&server).await.len() == 2
    })
    .await;
    let mut played = Vec::new();
    for uri in &renditions(&server).await {
        played.push(follow(&server, uri, 3).await);
    }
    assert_aligned(&played);
    assert_played_by_ffmpeg(&server, &["h264,640,360", "aac"]).await;
    drop(publisher);
}

/// State and reason of a channel's HLS.
async fn hls_of(server: &Server, handle: &str) -> (String, String) {
    let url = format!("http://{}/api/channels/{handle}", server.app.http);
    let page: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let words = |key: &str| page["hls"][key].as_str().unwrap_or_default().to_owned();
    (words("state"), words("reason"))
}

#[tokio::test]
async fn a_stream_without_room_says_so_and_gets_its_turn() {
    let server = Server::with(transcoding).await;
    let spec = PublisherSpec::browser(Source::clip_vp8().unwrap());
    let first = server.on_air(&spec).await;
    until_ready(&server).await;

    let services = &server.app.services;
    let password = Secret::new("correct horse");
    let bob = services.accounts.create("bob", &password, Role::Admin);
    let bob = bob.await.unwrap();
    let channel = services.channels.create(&bob, "bob", "Bob").await.unwrap();
    let (_, key) = services
        .channels
        .create_stream_key(channel.id, "test")
        .await
        .unwrap();
    let whip = format!("http://{}/whip", server.app.http);
    let whip = Endpoint::new(&whip, Some(key.reveal())).unwrap();
    let second = loadtest::publish(&server.clients, &whip, &spec, &server.sent).await;
    until("the reason", || async {
        let (state, reason) = hls_of(&server, "bob").await;
        state == "unavailable" && reason.contains("busy with other streams")
    })
    .await;
    // Once there is room.
    let live = services.streams.live_on(server.channel.id).await;
    server.sfu.end_stream(live.unwrap().stream).await;
    until("its turn", || async {
        hls_of(&server, "bob").await.0 == "ready"
    })
    .await;
    drop((first, second));
}
