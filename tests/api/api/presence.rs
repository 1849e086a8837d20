//! `/api/channels/{handle}/presence`, `/api/streams/{id}/viewers`: one count over all ways of watching.

use std::time::Duration;

use serde_json::{Value, json};
use sfu::{SessionId, StreamId};
use tallylight::accounts::Role;
use uuid::Uuid;

use crate::support::{Account, Answer, Player, Server, on_both_databases, view_offer};

const ANA: &str = "ana-0123456789abcdef";
const BEN: &str = "ben-0123456789abcdef";

fn beat(viewer: &str, transport: &str, session: Option<&str>) -> Value {
    json!({ "viewer": viewer, "transport": transport, "session": session })
}

/// A player as one of ours, or as an embed on a page elsewhere.
async fn tell(player: &Player, body: Value) -> Answer {
    player.http.post("/api/channels/ada/presence", body).await
}

/// A session by WHEP that is connected; the last part of its URL.
async fn connected(server: &Server, stream: StreamId) -> (SessionId, String) {
    let answer = server.player().view("ada", view_offer()).await;
    let url = answer.header("location").to_owned();
    let session = answer.session();
    server.viewer_connects(session, stream).await;
    (session, url.rsplit('/').next().unwrap().to_owned())
}

/// `@ada`, signed in and on air.
async fn on_air(server: &Server) -> (Account, StreamId, String) {
    let ada = server.creator().await;
    server.go_live(&server.encoder("ada").await).await;
    let stream = server.stream_of("ada").await;
    let id = Uuid::from_u128(stream.into()).to_string();
    (ada, stream, format!("/api/streams/{id}/viewers"))
}

async fn waits_for(server: &Server, url: &str, viewers: i64) {
    let what = format!("{viewers} viewers");
    server
        .wait_for(&what, || async {
            let now = server.anonymous().get(url).await.json()["now"].clone();
            (now == viewers).then_some(())
        })
        .await;
}

on_both_databases! {
    async fn a_viewer_is_one_whichever_way_it_watches(server) {
        let (ada, stream, url) = on_air(server).await;
        let player = server.player();
        let (_, first) = connected(server, stream).await;
        let (_, _foreign) = connected(server, stream).await;
        waits_for(server, &url, 2).await;
        let told = tell(&player, beat(ANA, "webrtc", Some(&first))).await;
        assert_eq!(told.status, 204, "{told:?}");
        // By HLS, while the session is still there.
        tell(&player, beat(ANA, "ll_hls", Some(&first))).await;
        waits_for(server, &url, 2).await;
        // Another session of the same viewer, named before it is connected.
        tell(&player, beat(ANA, "webrtc", Some(&"0".repeat(32)))).await;
        tell(&player, beat(BEN, "hls", None)).await;
        waits_for(server, &url, 3).await;

        server.clock.advance(Duration::from_secs(10));
        server.app.services.analytics.write_now().await;
        let report = ada.get(&url).await.json();
        assert_eq!((&report["now"], &report["peak"]), (&json!(3), &json!(3)), "{report}");
        assert_eq!(report["unique"], 1, "three from one address with one player");
        assert!(report["watch_seconds"].as_i64().unwrap() >= 10, "{report}");
        assert_eq!(report["curve"].as_array().unwrap().len(), 1, "{report}");
        let by = &report["watch_seconds_by_transport"];
        assert!(by["webrtc"].as_i64().unwrap() >= 10, "{report}");
        let stranger = server.anonymous().get(&url).await.json();
        assert_eq!(stranger["peak"], 3);
        assert_eq!(stranger["unique"], Value::Null, "the owner's alone");
    }

    async fn who_says_goodbye_or_nothing_counts_no_longer(server) {
        let (ada, _, url) = on_air(server).await;
        let player = server.player();
        tell(&player, beat(ANA, "hls", None)).await;
        tell(&player, beat(BEN, "ll_hls", None)).await;
        waits_for(server, &url, 2).await;
        let mut goodbye = beat(ANA, "hls", None);
        goodbye["leaving"] = json!(true);
        assert_eq!(tell(&player, goodbye).await.status, 204);
        waits_for(server, &url, 1).await;
        server.clock.advance(Duration::from_secs(46));
        waits_for(server, &url, 0).await;
        assert_eq!(ada.get(&url).await.json()["peak"], 2);
    }

    async fn the_owner_is_no_viewer_of_its_own_stream(server) {
        let (ada, stream, url) = on_air(server).await;
        let (_, session) = connected(server, stream).await;
        waits_for(server, &url, 1).await;
        let told = ada
            .post("/api/channels/ada/presence", beat(ANA, "webrtc", Some(&session)))
            .await;
        assert_eq!(told.status, 204);
        waits_for(server, &url, 0).await;
        let eve = server.account("eve", Role::Creator).await;
        eve.post("/api/channels/ada/presence", beat(BEN, "webrtc", None)).await;
        waits_for(server, &url, 1).await;
    }

    async fn numbers_outlive_the_stream(server) {
        let (ada, _, url) = on_air(server).await;
        tell(&server.player(), beat(ANA, "ll_hls", None)).await;
        waits_for(server, &url, 1).await;
        server.clock.advance(Duration::from_secs(20));
        assert_eq!(ada.post("/api/channels/ada/end", Value::Null).await.status, 204);
        server.app.services.analytics.write_now().await;
        server.app.services.analytics.write_now().await;
        let report = ada.get(&url).await.json();
        assert_eq!((&report["now"], &report["peak"]), (&json!(0), &json!(1)));
        let watched = report["watch_seconds_by_transport"]["ll_hls"].as_i64().unwrap();
        assert!((20..40).contains(&watched), "{report}");
        let insights = ada.get("/api/channels/ada/insights").await.json();
        assert_eq!(insights["items"][0]["peak"], 1, "{insights}");
        assert_eq!(insights["items"][0]["unique"], 1, "{insights}");
        assert_eq!(insights["next_cursor"], Value::Null);
    }
}

#[tokio::test]
async fn what_is_no_heartbeat_is_refused_with_its_field() {
    let server = Server::plain().await;
    let (_, stream, url) = on_air(&server).await;
    let player = server.player();
    for (body, rule) in [
        (beat("short", "hls", None), "viewer_invalid"),
        (beat("a<b>0123456789abcdef", "hls", None), "viewer_invalid"),
        (beat(ANA, "webrtc", Some("../..")), "session_invalid"),
        (beat(ANA, "carrier_pigeon", None), "unknown_value"),
        (
            json!({ "viewer": ANA, "transport": "hls", "admin": true }),
            "unknown_field",
        ),
    ] {
        let answer = tell(&player, body).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.code(), rule);
    }
    let long = beat(&"a".repeat(2_000), "hls", None);
    assert_eq!(tell(&player, long).await.status, 413);
    let nobody = player
        .http
        .post("/api/channels/nobody/presence", beat(ANA, "hls", None))
        .await;
    assert_eq!(nobody.code(), "not_live");
    waits_for(&server, &url, 0).await;
    let _ = stream;
}

#[tokio::test]
async fn a_page_of_another_site_may_tell_of_viewers() {
    let server = Server::plain().await;
    on_air(&server).await;
    let headers = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let player = server.player();
    let path = "/api/channels/ada/presence";
    let preflight = player.http.send("OPTIONS", path, &headers).await;
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("POST")
    );
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        "content-type"
    );
    let answer = tell(&player, beat(ANA, "webrtc", None)).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn an_address_that_tells_too_much_is_slowed_down() {
    let server = Server::start_with(crate::support::Backend::Sqlite, |config| {
        config.limits.loopback_factor = 1;
    })
    .await;
    on_air(&server).await;
    let player = server.player();
    for _ in 0..120 {
        assert_eq!(tell(&player, beat(ANA, "hls", None)).await.status, 204);
    }
    let answer = tell(&player, beat(ANA, "hls", None)).await;
    assert_eq!(answer.status, 429);
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn what_a_server_that_died_wrote_stays() {
    let server = Server::plain().await;
    let (_, _, url) = on_air(&server).await;
    tell(&server.player(), beat(ANA, "hls", None)).await;
    server.clock.advance(Duration::from_secs(30));
    tell(&server.player(), beat(ANA, "hls", None)).await;
    server.app.services.analytics.write_now().await;
    let data = server.die();
    let server = Server::start_on(data, crate::support::Backend::Sqlite, |_| {}).await;
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    let report = ada.get(&url).await.json();
    assert_eq!((&report["peak"], &report["unique"]), (&json!(1), &json!(1)));
    assert!(report["watch_seconds"].as_i64().unwrap() >= 29, "{report}");
}
