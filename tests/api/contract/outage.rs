//! The database goes away and comes back.

use std::time::Duration;

use serde_json::json;
use tallylight::streams::ChannelState;
use tokio::time::timeout;

use crate::support::{Answer, Backend, OwnPostgres, Server};

/// An answer must come within this time, database or not.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn at_once(asked: impl Future<Output = Answer>) -> Answer {
    timeout(AT_ONCE, asked).await.expect("an answer within 3 s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_the_server_refuses_writes_in_time_and_plays_on() {
    let mut postgres = tokio::task::spawn_blocking(OwnPostgres::start)
        .await
        .unwrap();
    let url = postgres.url();
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.database.url = url;
        config.database.connections = 3;
    })
    .await;
    server.on_air().await;
    let ada = crate::support::Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    let person = server.anonymous();

    tokio::task::block_in_place(|| postgres.down());
    for number in 0..4 {
        let new = json!({ "handle": format!("lost{number}"), "name": "Lost" });
        let answer = at_once(ada.post("/api/channels", new)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.code(), "database_unavailable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert_eq!(at_once(person.get("/readyz")).await.status, 503);
    for path in [
        "/healthz",
        "/dashboard",
        "/api/openapi.json",
        "/api/channels?live=true",
    ] {
        let answer = at_once(person.get(path)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let live = server.live("ada").await.expect("she is still on air");
    assert_eq!(live.state, ChannelState::Live);

    tokio::task::block_in_place(|| postgres.up());
    let found = server
        .wait_for("the database to be found again", || async {
            let new = json!({ "handle": "found", "name": "Found" });
            let answer = ada.post("/api/channels", new).await;
            (answer.status == 201).then_some(answer)
        })
        .await;
    assert_eq!(found.json()["handle"], "found");
    for number in 0..4 {
        let path = format!("/api/channels/lost{number}");
        assert_eq!(person.get(&path).await.status, 404, "nothing was half done");
    }
    assert_eq!(person.get("/readyz").await.status, 200);
}
