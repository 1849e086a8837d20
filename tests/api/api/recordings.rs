//! `/api/channels/{handle}/recordings` and `/api/recordings`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Config;
use tallylight::db::Db;
use tallylight::streams::ChannelState;

use crate::support::{Account, Backend, Server, on_both_databases};

const LIST: &str = "/api/channels/ada/recordings";

on_both_databases! {
    async fn a_stream_becomes_a_recording_that_is_edited_and_deleted(server) {
        let ada = server.creator().await;
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let stream = server.stream_of("ada").await;
        let running = server.wait_for("a row", || async {
            let all = ada.get(LIST).await.json();
            (all["items"][0]["state"] == "recording").then(|| all["items"][0].clone())
        }).await;
        assert_eq!(running["playlist_url"], Value::Null);
        let path = format!("/api/recordings/{}", running["id"].as_str().unwrap());
        assert_eq!(ada.delete(&path).await.code(), "recording_running");
        let wish = ada.post(&format!("{path}/mp4"), Value::Null).await;
        assert_eq!(wish.code(), "recording_not_ready");
        let others = server.anonymous().get(LIST).await.json();
        assert_eq!(others["items"], json!([]), "only what is ready is public");

        server.package(stream, true).await;
        ada.post("/api/channels/ada/end", Value::Null).await;
        server.finished(&ada, &Value::Null).await;
        let ready = server.anonymous().get(&path).await.json();
        assert_eq!(ready["channel"], "ada");
        assert_eq!(ready["visibility"], "public");
        assert_eq!(ready["duration_ms"], 4_000);
        assert!(ready["size_bytes"].as_u64().unwrap() > 10_000);
        assert_ne!(ready["ended_at"], Value::Null);
        assert_eq!(ready["owner"], false);
        assert_eq!(ready["mp4"], Value::Null, "for the owner alone");
        let id = ready["id"].as_str().unwrap();
        assert_eq!(ready["playlist_url"], format!("/vod/{id}/index.m3u8"));
        assert_eq!(ready["thumbnail_url"], format!("/vod/{id}/thumbnail.jpg"));
        assert!(ready["title"].as_str().unwrap().starts_with("ada, 20"), "{ready}");

        let edit = json!({ "title": "  First light  ", "visibility": "unlisted" });
        let edited = ada.patch(&path, edit).await.json();
        assert_eq!(edited["title"], "First light");
        assert_eq!(edited["visibility"], "unlisted");
        let edited = ada.patch(&path, json!({ "visibility": "private" })).await.json();
        assert_eq!(edited["title"], "First light", "what is left out stays");
        let answer = ada.patch(&path, json!({ "title": "x".repeat(201) })).await;
        assert_eq!(answer.code(), "title_invalid");
        let answer = ada.patch(&path, json!({ "visibility": "secret" })).await;
        assert_eq!(answer.code(), "unknown_value");

        assert_eq!(ada.delete(&path).await.status, 204);
        assert_eq!(ada.get(&path).await.code(), "recording_not_found");
        assert_eq!(ada.delete(&path).await.code(), "recording_not_found");
        assert_eq!(ada.get(LIST).await.json()["items"], json!([]));
        assert!(!server.media(stream).exists());
    }

    async fn pages_go_from_the_newest_to_the_oldest(server) {
        let ada = server.creator().await;
        insert_many(server, 120).await;
        let mut titles = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ada.get(&format!("{LIST}?cursor={cursor}")).await.json();
            let items = page["items"].as_array().unwrap();
            titles.extend(items.iter().map(|item| item["title"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        // Ten of them began at the same time each.
        assert_eq!(titles.len(), 120);
        let expected: Vec<String> = (0..120).rev().map(|number| format!("{number:03}")).collect();
        assert_eq!(titles, expected);
        let wrong = ada.get(&format!("{LIST}?cursor=%00")).await;
        assert_eq!(wrong.code(), "cursor_invalid");
    }

    async fn visibility_decides_who_finds_it(server) {
        let ada = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let kept = server.record(&ada).await;
        let path = format!("/api/recordings/{}", kept.id);
        let vod = format!("/vod/{}/index.m3u8", kept.id);
        for (visibility, is_listed, is_found) in
            [("public", true, true), ("unlisted", false, true), ("private", false, false)]
        {
            let edited = ada.patch(&path, json!({ "visibility": visibility })).await;
            assert_eq!(edited.status, 200);
            let nobody = Account(server.anonymous());
            for other in [&eve, &nobody] {
                let listed = other.get(LIST).await.json()["items"].as_array().unwrap().len();
                assert_eq!(listed, usize::from(is_listed), "{visibility}");
                for path in [&path, &vod] {
                    let found = other.get(path).await;
                    assert_eq!(found.status == 200, is_found, "{visibility}: {found:?}");
                    if !is_found {
                        assert_eq!(found.code(), "recording_not_found");
                    }
                }
            }
            assert_eq!(ada.get(&path).await.json()["owner"], true);
            assert_eq!(ada.get(&vod).await.status, 200, "{visibility}");
            assert_eq!(ada.get(LIST).await.json()["items"].as_array().unwrap().len(), 1);
        }
    }

    async fn a_channel_that_does_not_record_leaves_nothing(server) {
        let ada = server.creator().await;
        let off = ada.patch("/api/channels/ada", json!({ "record": false })).await;
        assert_eq!(off.json()["record"], false);
        assert_eq!(ada.get("/api/session").await.json()["channels"][0]["record"], false);
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        ada.post("/api/channels/ada/end", Value::Null).await;
        let on = ada.patch("/api/channels/ada", json!({ "record": true })).await;
        assert_eq!(on.json()["record"], true);
        let kept = server.record(&ada).await;
        let all = ada.get(LIST).await.json();
        assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
        assert_eq!(all["items"][0]["id"], kept.id);
    }

    async fn an_mp4_is_made_and_downloaded(server) {
        let ada = server.creator().await;
        let kept = server.record(&ada).await;
        let path = format!("/api/recordings/{}", kept.id);
        let mp4 = server.wait_for("the MP4", || async {
            let mp4 = ada.get(&path).await.json()["mp4"].clone();
            assert_ne!(mp4["state"], "failed", "{mp4}");
            assert_ne!(mp4["state"], "none", "it is made by itself");
            (mp4["state"] == "ready").then_some(mp4)
        }).await;
        let url = mp4["url"].as_str().unwrap();
        assert_eq!(url, format!("{path}/mp4"));
        ada.patch(&path, json!({ "title": "Day \"1\" ü" })).await;
        let whole = ada.get(url).await;
        assert_eq!(whole.status, 200);
        assert_eq!(whole.header("content-type"), "video/mp4");
        assert_eq!(u64::try_from(whole.bytes.len()).unwrap(), mp4["size_bytes"]);
        let disposition = whole.header("content-disposition");
        assert!(disposition.starts_with("attachment; filename=\"ada-20"), "{disposition}");
        assert!(disposition.ends_with("filename*=UTF-8''Day%20%221%22%20%C3%BC.mp4"));
        let rest = ada.send("GET", url, &[("range", "bytes=1000-")]).await;
        assert_eq!(rest.status, 206);
        assert_eq!(rest.bytes, whole.bytes[1_000..]);

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &whole.bytes).unwrap();
        let probe = Command::new("ffprobe")
            .args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_name"])
            .arg(file.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(probe.stdout).unwrap(), "h264\naac\n");

        let again = ada.post(&format!("{path}/mp4"), Value::Null).await;
        assert_eq!(again.status, 202);
        assert_eq!(again.json()["mp4"]["state"], "ready", "it is there already");
        let eve = server.account("eve", Role::Creator).await;
        assert_eq!(eve.get(url).await.code(), "forbidden");
    }
}

/// Rows without files, each ten of one start.
async fn insert_many(server: &Server, count: u32) {
    let channel = server.app.services.channels.expect("ada").await.unwrap();
    for number in 0..count {
        let text = "INSERT INTO recording
            (id, stream_id, channel_id, title, visibility, state, started_at)
            VALUES ($1, $2, $3, $4, 'public', 'ready', $5)";
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let stream = format!("{number:032x}");
        let title = format!("{number:03}");
        let at = i64::from(number / 10);
        match &server.app.services.db {
            Db::Sqlite { writer, .. } => {
                let query = sqlx::query(text).bind(id).bind(stream);
                let query = query.bind(channel.id.to_string()).bind(title).bind(at);
                query.execute(writer).await.unwrap();
            }
            Db::Postgres(pool) => {
                let query = sqlx::query(text).bind(id).bind(stream);
                let query = query.bind(channel.id.to_string()).bind(title).bind(at);
                query.execute(pool).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn everything_of_an_owner_is_refused_to_others() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let nobody = Account(server.anonymous());
    let kept = server.record(&ada).await;
    let path = format!("/api/recordings/{}", kept.id);
    let mp4 = format!("{path}/mp4");
    let requests = [
        ("PATCH", path.as_str(), "{}"),
        ("DELETE", path.as_str(), ""),
        ("POST", mp4.as_str(), ""),
        ("GET", mp4.as_str(), ""),
        ("PATCH", "/api/channels/ada", "{}"),
    ];
    for (method, path, body) in requests {
        let json = [("content-type", "application/json")];
        for (who, code) in [(&nobody, "not_signed_in"), (&eve, "forbidden")] {
            let answer = who.send_body(method, path, &json, body).await;
            assert_eq!(answer.code(), code, "{method} {path}");
        }
    }
    for (id, code) in [
        ("x", "not_found"),
        ("..", "not_found"),
        ("%00", "not_found"),
        (
            "00000000-0000-4000-8000-000000000000",
            "recording_not_found",
        ),
    ] {
        let answer = nobody.get(&format!("/api/recordings/{id}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, code.to_owned()),
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_publisher_that_comes_back_in_time_continues_its_recording() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let stream = server.record_until_lost().await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    assert_eq!(server.stream_of("ada").await, stream);
    let all = ada.get(LIST).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    assert_eq!(all["items"][0]["state"], "recording");
}

#[tokio::test]
async fn the_oldest_go_when_there_is_too_much_or_they_are_too_old() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.recordings.quota_mb = 1;
        config.recordings.keep_days = 7;
        config.recordings.make_mp4 = false;
    })
    .await;
    let ada = server.creator().await;
    let first = server.record(&ada).await;
    let size = ada
        .get(&format!("/api/recordings/{}", first.id))
        .await
        .json()["size_bytes"]
        .as_u64()
        .unwrap();
    let mut kept = vec![first];
    for _ in 0..=1_000_000 / size {
        kept.push(server.record(&ada).await);
    }
    // Their rows go first, then their files.
    let oldest = &kept[0];
    server
        .wait_for("the oldest to go", || async {
            (!server.media(oldest.stream).exists()).then_some(())
        })
        .await;
    let listed = server
        .wait_for("all that is too much to go", || async {
            let all = ada.get(LIST).await.json();
            let listed = all["items"].as_array().unwrap().len();
            (u64::try_from(listed).unwrap() * size <= 1_000_000).then_some(listed)
        })
        .await;
    for one in kept.iter().rev().take(listed) {
        assert!(server.media(one.stream).exists(), "the newest stay");
    }
    server.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    // Logins do not live that long.
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    let newest = server.record(&ada).await;
    server
        .wait_for("the old ones to go", || async {
            let all = ada.get(LIST).await.json();
            let items = all["items"].as_array().unwrap();
            (items.len() == 1 && items[0]["id"] == newest.id).then_some(())
        })
        .await;
}

/// What was on air is over with its server: `restart.rs` has what goes on.
fn without_window(config: &mut Config) {
    config.streams.reconnect_window_seconds = 0;
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_recorded() {
    let server = Server::start_with(Backend::Sqlite, without_window).await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let stream = server.stream_of("ada").await;
    server.package(stream, true).await;
    let data = server.stop().await;
    let server = Server::start_on(data, Backend::Sqlite, without_window).await;
    let all = server.anonymous().get(LIST).await.json();
    assert_eq!(all["items"][0]["state"], "ready");
}

/// A server on a runtime of its own, which dies with it.
fn until_it_dies(data: tempfile::TempDir) -> (tempfile::TempDir, sfu::StreamId, sfu::StreamId) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (data, kept, dropped) = runtime.block_on(async {
        let server = Server::start_on(data, Backend::Sqlite, without_window).await;
        let ada = server.creator().await;
        ada.patch("/api/channels/ada", json!({ "record": false }))
            .await;
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let dropped = server.stream_of("ada").await;
        std::fs::create_dir_all(server.media(dropped).join("v0")).unwrap();
        ada.post("/api/channels/ada/end", Value::Null).await;
        ada.patch("/api/channels/ada", json!({ "record": true }))
            .await;
        server.go_live(&encoder).await;
        let kept = server.stream_of("ada").await;
        server.package(kept, false).await;
        server.wait_for_state("ada", ChannelState::Live).await;
        server
            .wait_for("its row", || async {
                let all = ada.get(LIST).await.json();
                (all["items"][0]["state"] == "recording").then_some(())
            })
            .await;
        (server.die(), kept, dropped)
    });
    runtime.shutdown_background();
    (data, kept, dropped)
}

#[test]
fn a_killed_server_plays_what_it_recorded_and_deletes_what_it_did_not() {
    let (data, kept, dropped) = until_it_dies(tempfile::tempdir().unwrap());
    // A part that no line of the index tells of.
    let torn = data
        .path()
        .join("data/media")
        .join(kept.to_string())
        .join("v0/3.m4s");
    std::fs::write(&torn, "half a part").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = Server::start_on(data, Backend::Sqlite, without_window).await;
        let all = server.anonymous().get(LIST).await.json();
        let recording = &all["items"][0];
        assert_eq!(recording["state"], "ready", "{all}");
        assert_eq!(recording["duration_ms"], 4_000);
        assert_eq!(
            recording["ended_at"], "2023-11-14T22:13:24Z",
            "its last sample"
        );
        let vod = recording["playlist_url"].as_str().unwrap();
        assert_eq!(server.anonymous().get(vod).await.status, 200);
        assert!(!torn.exists());
        assert!(!server.media(dropped).exists());
    });
}

#[test]
fn a_recording_that_the_database_lost_is_found_in_its_folder() {
    let (data, kept, _) = until_it_dies(tempfile::tempdir().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}/data/tallylight.sqlite", data.path().display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::query("DELETE FROM recording")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        let server = Server::start_on(data, Backend::Sqlite, without_window).await;
        let all = server.anonymous().get(LIST).await.json();
        assert_eq!(all["items"][0]["state"], "ready", "{all}");
        assert!(server.media(kept).exists());
    });
}
