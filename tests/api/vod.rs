//! `/vod/{id}`: what players ask for.

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Backend, Server};

#[tokio::test]
async fn a_recording_is_played_from_any_page_and_any_cache() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    let player = server.player().http;
    let at = |name: &str| format!("/vod/{}/{name}", kept.id);

    let multivariant = player.get(&at("index.m3u8")).await;
    assert_eq!(multivariant.status, 200);
    assert_eq!(
        multivariant.header("content-type"),
        "application/vnd.apple.mpegurl"
    );
    assert_eq!(multivariant.header("cache-control"), "public, max-age=10");
    assert_eq!(multivariant.header("access-control-allow-origin"), "*");
    assert!(
        multivariant.text.contains("\nv0/index.m3u8\n"),
        "{}",
        multivariant.text
    );

    let playlist = player.get(&at("v0/index.m3u8")).await;
    assert!(playlist.text.contains("#EXT-X-PLAYLIST-TYPE:VOD"));
    assert!(playlist.text.contains("\n1.m4s\n") && playlist.text.contains("#EXT-X-ENDLIST"));
    let gzip = [("accept-encoding", "gzip")];
    let packed = player.send("GET", &at("v0/index.m3u8"), &gzip).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "accept-encoding");
    assert_ne!(packed.header("etag"), playlist.header("etag"));
    let known = [("if-none-match", playlist.header("etag"))];
    let same = player.send("GET", &at("v0/index.m3u8"), &known).await;
    assert_eq!(same.status, 304);
    assert!(same.bytes.is_empty());

    let segment = player.get(&at("v0/1.m4s")).await;
    assert_eq!(segment.header("content-type"), "video/mp4");
    assert_eq!(
        segment.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(segment.header("accept-ranges"), "bytes");
    assert_eq!(&segment.bytes[4..8], b"moof");
    let head = player.send("HEAD", &at("v0/1.m4s"), &[]).await;
    assert_eq!(
        head.header("content-length"),
        segment.bytes.len().to_string()
    );
    let part = [("range", "bytes=4-7")];
    let part = player.send("GET", &at("v0/1.m4s"), &part).await;
    assert_eq!((part.status.as_u16(), part.text.as_str()), (206, "moof"));
    let told = format!("bytes 4-7/{}", segment.bytes.len());
    assert_eq!(part.header("content-range"), told);
    let changed = [("range", "bytes=4-7"), ("if-range", "\"another\"")];
    let whole = player.send("GET", &at("v0/1.m4s"), &changed).await;
    assert_eq!(
        (whole.status.as_u16(), whole.bytes.len()),
        (200, segment.bytes.len())
    );
    let beyond = player
        .send("GET", &at("v0/1.m4s"), &[("range", "bytes=99999999-")])
        .await;
    assert_eq!(beyond.status, 416);
    let sound = player.get(&at("audio/init0.mp4")).await;
    assert_eq!(sound.header("content-type"), "audio/mp4");
    let preflight = [("access-control-request-method", "GET")];
    let preflight = player.send("OPTIONS", &at("v0/1.m4s"), &preflight).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        "authorization, range"
    );
}

#[tokio::test]
async fn segments_are_found_where_the_operator_says_unless_they_are_private() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.hls.segment_urls = vec!["https://cdn.example/".to_owned()];
    })
    .await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    let path = format!("/vod/{}/v0/index.m3u8", kept.id);
    let playlist = ada.get(&path).await.text;
    let uri = format!("\nhttps://cdn.example/vod/{}/v0/1.m4s\n", kept.id);
    assert!(playlist.contains(&uri), "{playlist}");
    let edit = json!({ "visibility": "private" });
    ada.patch(&format!("/api/recordings/{}", kept.id), edit)
        .await;
    let playlist = ada.get(&path).await.text;
    assert!(playlist.contains("\n1.m4s\n"), "{playlist}");
}

#[tokio::test]
async fn pictures_stand_for_it_and_for_its_seek_bar() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    let player = server.player().http;
    let at = |name: &str| format!("/vod/{}/{name}", kept.id);
    let storyboard = player.get(&at("storyboard.json")).await.json();
    assert_eq!(storyboard["start_unix_ms"], 1_700_000_000_000_i64);
    assert_eq!(storyboard["every_ms"], 10_000);
    assert_eq!(storyboard["width"], 320);
    let second = &storyboard["images"][1];
    assert_eq!(
        second,
        &json!({ "unix_ms": 1_700_000_010_000_i64, "uri": "thumbs/1700000010000.jpg" })
    );
    let picture = player.get(&at("thumbs/1700000010000.jpg")).await;
    assert_eq!(picture.text, "at 1700000010000");
    assert_eq!(picture.header("content-type"), "image/jpeg");
    assert_eq!(
        picture.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let card = player.get(&at("thumbnail.jpg")).await;
    assert_eq!(card.text, "at 1700000010000");
    assert_eq!(card.header("cache-control"), "public, max-age=10");
}

#[tokio::test]
async fn hostile_names_touch_nothing() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    let player = server.player().http;
    let id = &kept.id;
    let upper = id.to_uppercase();
    for path in [
        format!("/vod/{id}/v0/..%2findex.jsonl"),
        format!("/vod/{id}/v0/index.jsonl"),
        format!("/vod/{id}/..%2f{}/v0/1.m4s", kept.stream),
        format!("/vod/{id}/thumbs/..%2fv0%2f1.m4s"),
        format!("/vod/{id}/thumbs/recording.mp4"),
        format!("/vod/{id}/v0/recording.mp4"),
        format!("/vod/{id}/v0/1.0.m4s"),
        format!("/vod/{id}/v0/%00.m4s"),
        format!("/vod/{id}/v0/01.m4s"),
        format!("/vod/{id}/v9/index.m3u8"),
        format!("/vod/{id}/%2e%2e/index.m3u8"),
        format!("/vod/{}/index.m3u8", kept.stream),
        "/vod/00000000-0000-4000-8000-000000000000/index.m3u8".to_owned(),
        "/vod/x/index.m3u8".to_owned(),
        "/vod/%00/index.m3u8".to_owned(),
    ] {
        let answer = player.get(&path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    // The same id in capitals is the same id.
    assert_eq!(
        player.get(&format!("/vod/{upper}/index.m3u8")).await.status,
        200
    );
}

#[tokio::test]
async fn what_is_private_is_kept_by_no_cache_between() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    let path = format!("/api/recordings/{}", kept.id);
    ada.patch(&path, json!({ "visibility": "private" })).await;
    let root = server.account("root", Role::Admin).await;
    for name in [
        "index.m3u8",
        "v0/index.m3u8",
        "v0/1.m4s",
        "thumbnail.jpg",
        "storyboard.json",
    ] {
        let mine = ada.get(&format!("/vod/{}/{name}", kept.id)).await;
        assert_eq!(mine.status, 200, "{name}");
        assert!(
            mine.header("cache-control").starts_with("private, "),
            "{name}"
        );
        let admins = root.get(&format!("/vod/{}/{name}", kept.id)).await;
        assert_eq!(admins.status, 200, "{name}");
        let theirs = server
            .anonymous()
            .get(&format!("/vod/{}/{name}", kept.id))
            .await;
        assert_eq!(theirs.code(), "recording_not_found", "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_is_unlisted_on_air_has_an_unlisted_recording() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let visibility = async || {
        let all = ada.get("/api/channels/ada/recordings").await.json();
        all["items"][0]["visibility"].as_str().map(str::to_owned)
    };
    let first = server.wait_for("its row", visibility).await;
    assert_eq!(first, "public");
    let live = ada.get("/api/channels/ada/live").await.json();
    let stream = format!("/api/streams/{}", live["id"].as_str().unwrap());
    let edit = json!({ "visibility": "unlisted" });
    let answer = ada.patch(&stream, edit).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server
        .wait_for("the recording to be unlisted", async || {
            (visibility().await? == "unlisted").then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_stream_that_is_on_air_is_not_played_as_a_recording() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let id = server
        .wait_for("its row", || async {
            let all = ada.get("/api/channels/ada/recordings").await.json();
            all["items"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
    let asked = server
        .anonymous()
        .get(&format!("/vod/{id}/index.m3u8"))
        .await;
    assert_eq!(asked.code(), "recording_not_ready");
    // Nothing was packaged: then there is no recording.
    ada.post("/api/channels/ada/end", Value::Null).await;
    server
        .wait_for("the row to go", || async {
            let all = ada.get("/api/channels/ada/recordings").await.json();
            (all["items"] == json!([])).then_some(())
        })
        .await;
}
