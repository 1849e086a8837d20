//! Two servers with one database and one Redis: a preview is one at both.

use std::fs;
use std::time::Duration;

use serde_json::json;
use sfu::StreamId;
use tallylight::accounts::Role;
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::streams::stream_uuid;

use crate::support::{Account, Backend, OwnRedis, PASSWORD, Server, new_postgres};

/// How many seconds are left to a stranger.
async fn left(server: &Server, stream: StreamId) -> u64 {
    let path = format!("/api/streams/{}/entry", stream_uuid(stream));
    let entry = server.anonymous().get(&path).await.json();
    assert_eq!(entry["access"], "followers", "{entry}");
    entry["preview_seconds"].as_u64().unwrap()
}

#[tokio::test]
async fn a_preview_that_began_at_one_server_has_begun_at_the_other() {
    let mut redis = OwnRedis::start().await;
    let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
    let shared = |config: &mut Config| {
        config.database.url.clone_from(&database);
        config.database.connections = 3;
        config.bus.url = redis.url();
        "t".clone_into(&mut config.bus.prefix);
    };
    let clock = Clock::movable();
    let data = tempfile::tempdir().unwrap();
    let one = Server::start_at(data, Backend::Sqlite, clock.clone(), shared).await;
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("data")).unwrap();
    fs::copy(one.file("pepper"), data.path().join("data/pepper")).unwrap();
    let two = Server::start_at(data, Backend::Sqlite, clock.clone(), shared).await;
    let both_hear = || async { (redis.listeners("t:streams").await == 2).then_some(()) };
    one.wait_for("both servers to hear", both_hear).await;
    let (_encoder, _) = one.on_air().await;
    let stream = one.stream_of("ada").await;
    let ada = Account::sign_in(&one, "ada", PASSWORD).await;
    let path = format!("/api/streams/{}", stream_uuid(stream));
    let gate = json!({ "gate": { "who": "followers" }, "preview_seconds": 60 });
    assert_eq!(ada.patch(&path, gate).await.status, 200);

    assert_eq!(left(&two, stream).await, 60, "it has not begun");
    let pass = format!("{path}/pass");
    let begun = one.anonymous().post(&pass, json!({})).await;
    let seconds = begun.json()["preview_seconds"].as_u64();
    assert!(seconds.is_some_and(|seconds| seconds > 50), "{begun:?}");
    clock.advance(Duration::from_secs(20));
    // The clock goes on meanwhile.
    assert!(left(&two, stream).await <= 40);
    assert!(left(&one, stream).await <= 40);

    // Redis away: each goes on by itself, and nobody is refused for that.
    redis.kill();
    assert!(left(&one, stream).await <= 40);
    let again = one.anonymous().post(&pass, json!({})).await;
    let seconds = again.json()["preview_seconds"].as_u64();
    assert!(seconds.is_some_and(|seconds| seconds <= 40), "{again:?}");
    let eve = one.account("eve", Role::Viewer).await;
    let begun = eve.post(&pass, json!({})).await;
    let seconds = begun.json()["preview_seconds"].as_u64();
    assert!(seconds.is_some_and(|seconds| seconds > 40), "{begun:?}");
}
