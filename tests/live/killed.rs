//! `kill -9` of the server while it records (RELIABILITY F6): what was recorded is played.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, PublisherSpec, Sent};
use serde_json::Value;
use tallylight::secret::random_bytes;

use crate::checker::Playlist;
use crate::process::{self, Process};
use crate::support::until;

fn run(data: &Path, arguments: &[&str]) -> String {
    process::run(data, arguments, &[], "")
}

/// What was on air is over with the process: `restarting` has what happens else.
const ENDS: [(&str, &str); 1] = [("TALLYLIGHT_STREAMS_RECONNECT_WINDOW_SECONDS", "0")];

async fn get(server: &Process, path: &str) -> Option<String> {
    let response = reqwest::get(format!("{}{path}", server.base)).await.ok()?;
    let response = response.error_for_status().ok()?;
    response.text().await.ok()
}

/// How much of the stream HLS viewers have been told of.
async fn told(server: &Process) -> Option<f64> {
    let multivariant = get(server, "/hls/ada/index.m3u8").await?;
    let uri = multivariant.lines().find(|line| !line.starts_with('#'))?;
    let playlist = get(server, &format!("/hls/ada/{uri}")).await?;
    let playlist = Playlist::checked(&playlist);
    let whole: f64 = playlist.segments.iter().map(|s| s.duration).sum();
    let parts = playlist.trailing.parts.iter();
    Some(whole + parts.map(|part| part.duration).sum::<f64>())
}

/// Somewhere within two seconds.
fn random_moment() -> Duration {
    let [a, b] = random_bytes();
    Duration::from_millis(u64::from(u16::from_be_bytes([a, b])) % 2_000)
}

/// Decodes all of it.
fn assert_decodes(url: &str) {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,nb_read_frames", url])
        .output()
        .expect("ffprobe is installed");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{said}");
    let found = String::from_utf8(run.stdout).unwrap();
    assert!(found.contains("h264") && found.contains("aac"), "{found}");
}

async fn record_and_be_killed(data: &Path, key: &str) {
    let mut server = Process::start(data, &ENDS);
    let whip = Endpoint::new(&format!("{}/whip", server.base), Some(key)).unwrap();
    let clients = Driver::start("clients").unwrap();
    let spec = PublisherSpec::browser(Source::clip(1).unwrap());
    let publisher = loadtest::publish(&clients, &whip, &spec, &Sent::default()).await;
    until("two seconds to play", || async {
        told(&server).await.is_some_and(|told| told > 2.0)
    })
    .await;
    // Whatever the process is doing then.
    tokio::time::sleep(random_moment()).await;
    let told = told(&server).await.unwrap();
    server.kill();
    drop(publisher);

    let again = Process::start(data, &ENDS);
    let all = get(&again, "/api/channels/ada/recordings").await.unwrap();
    let all: Value = serde_json::from_str(&all).unwrap();
    let recording = &all["items"][0];
    assert_eq!(recording["state"], "ready", "{all}");
    let length = Duration::from_millis(recording["duration_ms"].as_u64().unwrap());
    // The last part may be lost, and the one that was told of while it was on its way to disk.
    assert!(length.as_secs_f64() > told - 1.0, "{length:?} of {told}");
    let vod = recording["playlist_url"].as_str().unwrap();
    let multivariant = get(&again, vod).await.unwrap();
    for uri in multivariant.lines().filter(|line| !line.starts_with('#')) {
        let playlist = get(&again, &vod.replace("index.m3u8", uri)).await.unwrap();
        assert!(Playlist::checked(&playlist).ended);
    }
    let url = format!("{}{vod}", again.base);
    let decoded = tokio::task::spawn_blocking(move || assert_decodes(&url));
    decoded.await.unwrap();
}

/// `KILLS=20` kills it more often.
#[tokio::test]
async fn a_server_that_is_killed_plays_what_it_recorded() {
    let data = tempfile::tempdir().unwrap();
    run(data.path(), &["account", "create", "ada", "--admin"]);
    run(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
    let key = run(data.path(), &["stream-key", "new", "ada"]);
    let kills = std::env::var("KILLS").ok();
    let kills = kills.map_or(2, |kills| kills.parse().unwrap());
    for _ in 0..kills {
        record_and_be_killed(data.path(), &key).await;
    }
}

/// How many messages stand in the database, as somebody else sees it.
async fn written(data: &Path) -> i64 {
    let path = data.join("data").join("tallylight.sqlite");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM chat_message");
    let count = count.fetch_one(&pool).await.unwrap();
    pool.close().await;
    count
}

#[tokio::test]
async fn a_server_that_is_killed_knows_what_was_said() {
    let data = tempfile::tempdir().unwrap();
    run(data.path(), &["account", "create", "ada", "--admin"]);
    run(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
    let scopes = ["--scopes", "chat:read,chat:write"];
    let token = run(
        data.path(),
        &[&["token", "create", "ada"][..], &scopes].concat(),
    );
    let mut server = Process::start(data.path(), &[]);
    let path = "/api/channels/ada/chat/messages";
    for n in 0..10 {
        let said = reqwest::Client::new()
            .post(format!("{}{path}", server.base))
            .bearer_auth(&token)
            .json(&serde_json::json!({ "text": format!("message {n}") }))
            .send()
            .await
            .unwrap();
        assert_eq!(said.status(), 201);
    }
    // They are written within 200 ms, in batches; nobody has asked for them.
    until("all to be written", || async {
        written(data.path()).await == 10
    })
    .await;
    server.kill();
    let again = Process::start(data.path(), &[]);
    let all: Value = serde_json::from_str(&get(&again, path).await.unwrap()).unwrap();
    let texts = all["items"].as_array().unwrap().iter();
    let texts: Vec<&str> = texts.map(|item| item["text"].as_str().unwrap()).collect();
    let wanted: Vec<String> = (0..10).map(|n| format!("message {n}")).collect();
    assert_eq!(texts, wanted);
}
