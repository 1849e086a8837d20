//! `/api/streams/{id}/health`: how a stream arrives, and arrived.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::streams::ChannelState;
use uuid::Uuid;

use crate::support::{Server, on_both_databases};

/// `@ada` on air, her publisher away: the one thing that needs no media to be seen.
async fn away(server: &Server) -> (crate::support::Account, String) {
    let ada = server.creator().await;
    let session = server.go_live(&server.encoder("ada").await).await;
    server.media_stops(session).await;
    let stream = server
        .wait_for_state("ada", ChannelState::Reconnecting)
        .await;
    let id = Uuid::from_u128(stream.into()).to_string();
    (ada, format!("/api/streams/{id}/health"))
}

/// What is known of a stream that is over, once so many points are written: its row may be on its way into the
/// database still.
async fn written(
    server: &Server,
    ada: &crate::support::Account,
    url: &str,
    points: usize,
) -> Value {
    let known = || async {
        server.app.services.analytics.write_now().await;
        let answer = ada.get(url).await;
        let report = (answer.status == 200).then(|| answer.json())?;
        let has_points = report["points"]
            .as_array()
            .is_some_and(|all| all.len() >= points);
        has_points.then_some(report)
    };
    server.wait_for("the stream to be known", known).await
}

on_both_databases! {
    async fn that_the_publisher_was_away_is_told_live_and_afterwards(server) {
        let (ada, url) = away(server).await;
        let analytics = &server.app.services.analytics;
        analytics.sample_now().await;
        let report = ada.get(&url).await.json();
        assert_eq!(report["live"], true);
        let point = report["points"].as_array().unwrap().last().unwrap();
        assert_eq!((&point["away"], &point["score"]), (&json!(true), &json!(0)), "{report}");
        let alert = &report["alerts"][0];
        assert_eq!(alert["alert"], "publisher_away");
        assert_eq!(alert["to"], Value::Null, "it lasts");
        assert!(alert["detail"].as_str().unwrap().contains("away"));

        let ingest = ada.get("/api/channels/ada/ingest").await.json();
        assert_eq!(ingest["alerts"][0]["alert"], "publisher_away", "{ingest}");

        ada.post("/api/channels/ada/end", Value::Null).await;
        let report = written(server, &ada, &url, 1).await;
        assert_eq!(report["live"], false);
        assert!(!report["points"].as_array().unwrap().is_empty(), "{report}");
        assert_ne!(report["alerts"][0]["to"], Value::Null, "it is over: {report}");
        let insights = ada.get("/api/channels/ada/insights").await.json();
        assert_eq!(insights["items"][0]["score"], 0, "{insights}");
        assert_eq!(insights["items"][0]["incidents"][0]["alert"], "publisher_away");
    }

    async fn after_a_week_a_minute_has_one_sample(server) {
        let (ada, url) = away(server).await;
        let analytics = &server.app.services.analytics;
        for _ in 0..6 {
            analytics.sample_now().await;
            server.clock.advance(Duration::from_millis(100));
        }
        ada.post("/api/channels/ada/end", Value::Null).await;
        written(server, &ada, &url, 6).await;
        server.clock.advance(Duration::from_secs(8 * 24 * 3_600));
        analytics.thin_now().await;
        let after = ada.get(&url).await.json();
        let points = after["points"].as_array().unwrap();
        assert!(points.len() <= 2, "{after}");
        assert_eq!(points[0]["span_seconds"], 60);
        assert_eq!(after["alerts"][0]["alert"], "publisher_away");
    }
}

#[tokio::test]
async fn only_its_owner_sees_it() {
    let server = Server::plain().await;
    let (ada, url) = away(&server).await;
    assert_eq!(server.anonymous().get(&url).await.status, 401);
    let eve = server.account("eve", Role::Creator).await;
    assert_eq!(eve.get(&url).await.code(), "forbidden");
    assert_eq!(eve.get("/api/channels/ada/insights").await.status, 403);
    let unknown = format!("/api/streams/{}/health", Uuid::nil());
    assert_eq!(ada.get(&unknown).await.code(), "stream_not_found");
    assert_eq!(ada.get("/api/streams/x/health").await.status, 404);
    let wrong = format!("{url}?from=yesterday");
    assert_eq!(ada.get(&wrong).await.status, 422);
    let part = format!("{url}?from=2000-01-01T00:00:00Z&to=2000-01-02T00:00:00Z");
    assert_eq!(ada.get(&part).await.json()["points"], json!([]));
}
