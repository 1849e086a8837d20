//! `/api/channels` and what stands below it.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::secret::Secret;
use tallylight::streams::ChannelState;

use crate::support::{Account, Backend, PASSWORD, Server, on_both_databases, publish_offer};

on_both_databases! {
    async fn making_and_showing_channels(server) {
        let ada = server.creator().await;
        let wish = json!({ "handle": "Workshop", "name": "The workshop" });
        let answer = ada.post("/api/channels", wish.clone()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["handle"], "workshop");
        assert_eq!(ada.post("/api/channels", wish).await.code(), "handle_taken");
        let shown = ada.get("/api/channels/workshop").await.json();
        assert_eq!(shown["state"], "offline");
        assert_eq!(shown["owner"], true);
        assert_eq!(shown["ended_at"], Value::Null);
        let shown = server.anonymous().get("/api/channels/WORKSHOP").await.json();
        assert_eq!(shown["owner"], false);
        let all = server.anonymous().get("/api/channels").await.json();
        assert_eq!(all["items"].as_array().unwrap().len(), 2);
        assert_eq!(all["next_cursor"], Value::Null);
        assert_eq!(server.anonymous().get("/api/channels/x").await.code(), "channel_not_found");
    }

    async fn a_stream_key_is_shown_once_rotated_and_revoked(server) {
        let ada = server.creator().await;
        let keys = "/api/channels/ada/stream_keys";
        let made = ada.post(keys, json!({ "name": "OBS" })).await;
        assert_eq!(made.status, 201);
        let made = made.json();
        let text = made["key"].as_str().unwrap();
        let prefix = made["prefix"].as_str().unwrap();
        assert!(text.starts_with(&format!("tl_{prefix}")), "{text}");
        let listed = ada.get(keys).await;
        assert!(!listed.text.contains(text), "never shown again");
        assert_eq!(listed.json()["items"][0]["prefix"], prefix);

        let id = made["id"].as_str().unwrap();
        let rotated = ada.post(&format!("{keys}/{id}/rotate"), json!({})).await.json();
        assert_eq!(rotated["id"], id);
        assert_ne!(rotated["key"], text);
        assert_eq!(stream_key_works(server, text).await, Err("stream_key_invalid".into()));
        let new = rotated["key"].as_str().unwrap();
        assert_eq!(stream_key_works(server, new).await, Ok(()));
        let listed = ada.get(keys).await.json();
        assert_ne!(listed["items"][0]["last_used_at"], Value::Null);

        assert_eq!(ada.delete(&format!("{keys}/{id}")).await.status, 204);
        assert_eq!(stream_key_works(server, new).await, Err("stream_key_invalid".into()));
        assert_eq!(ada.delete(&format!("{keys}/{id}")).await.code(), "stream_key_not_found");
    }

    async fn what_a_stream_did_is_remembered(server) {
        let (_, session) = server.on_air().await;
        server.media_is_lost(session).await;
        server.wait_for_state("ada", ChannelState::Reconnecting).await;
        server.clock.advance(Duration::from_secs(31));
        let page = server.wait_for("the end to be written", || async {
            let page = server.anonymous().get("/api/channels/ada").await.json();
            (page["ended_at"] != Value::Null).then_some(page)
        }).await;
        assert_eq!(page["state"], "offline");
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let page = server.anonymous().get("/api/channels/ada").await.json();
        assert_eq!(page["ended_at"], Value::Null);
    }
}

on_both_databases! {
    async fn a_handle_that_no_channel_can_have_is_not_found(server) {
        let person = server.anonymous();
        for path in ["/api/channels/%00", "/api/channels/a%20b", "/api/channels/%F0%9F%8E%A5"] {
            assert_eq!(person.get(path).await.code(), "channel_not_found", "{path}");
        }
        let headers = [("content-type", "application/sdp")];
        let answer = person.send_body("POST", "/whep/%00", &headers, "v=0").await;
        assert_eq!(answer.code(), "channel_not_found");
        let answer = person.get("/api/channels?cursor=%00").await;
        assert_eq!(answer.code(), "cursor_invalid");
    }
}

/// Tries to publish with a key; the session is ended at once.
async fn stream_key_works(server: &Server, key: &str) -> Result<(), String> {
    let encoder = crate::support::Encoder::new(server, key);
    let answer = encoder.publish(publish_offer()).await;
    if answer.status != 201 {
        return Err(answer.code());
    }
    let ended = encoder.http.delete(answer.header("location")).await;
    assert_eq!(ended.status, 200);
    Ok(())
}

#[tokio::test]
async fn everything_of_an_owner_is_refused_to_others() {
    let server = Server::plain().await;
    server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let nobody = Account(server.anonymous());
    let some_id = "01932b1e-0000-7000-8000-000000000000";
    for (method, path) in [
        ("GET", "/api/channels/ada/stream_keys".to_owned()),
        ("POST", "/api/channels/ada/stream_keys".to_owned()),
        (
            "POST",
            format!("/api/channels/ada/stream_keys/{some_id}/rotate"),
        ),
        ("DELETE", format!("/api/channels/ada/stream_keys/{some_id}")),
        ("GET", "/api/channels/ada/ingest".to_owned()),
        ("POST", "/api/channels/ada/end".to_owned()),
    ] {
        let json = [("content-type", "application/json")];
        let body = r#"{"name":"x"}"#;
        let answer = eve.send_body(method, &path, &json, body).await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(answer.code(), "forbidden");
        let answer = nobody.send_body(method, &path, &json, body).await;
        assert_eq!(answer.code(), "not_signed_in", "{method} {path}");
    }
}

#[tokio::test]
async fn pages_of_channels_follow_each_other() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for number in 0..49 {
        let wish = json!({ "handle": format!("c{number:02}"), "name": "x" });
        assert_eq!(ada.post("/api/channels", wish).await.status, 201);
    }
    let one_too_many = json!({ "handle": "zz", "name": "x" });
    let answer = ada.post("/api/channels", one_too_many).await;
    assert_eq!(answer.code(), "too_many_channels");
    server.account("zoe", Role::Creator).await;
    let first = ada.get("/api/channels").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 50);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ada
        .get(&format!("/api/channels?cursor={cursor}"))
        .await
        .json();
    assert_eq!(second["items"][0]["handle"], "zoe");
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn live_channels_are_listed_while_they_are_live() {
    let server = Server::plain().await;
    let (_, session) = server.on_air().await;
    let person = server.anonymous();
    let list = person.get("/api/channels?live=true").await.json();
    assert_eq!(list["items"][0]["handle"], "ada");
    assert_eq!(list["items"][0]["state"], "live");
    assert_ne!(list["items"][0]["started_at"], Value::Null);
    server.media_stops(session).await;
    server
        .wait_for("reconnecting", || async {
            let list = person.get("/api/channels?live=true").await.json();
            (list["items"][0]["state"] == "reconnecting").then_some(())
        })
        .await;
}

#[tokio::test]
async fn the_owner_sees_how_far_the_encoder_is() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let ingest = || async { ada.get("/api/channels/ada/ingest").await.json() };
    let report = ingest().await;
    assert_eq!(report["state"], "waiting");
    assert_eq!(report["summary"], "waiting for media…");
    assert_eq!(report["source"], Value::Null);
    let encoder = server.encoder("ada").await;
    let session = encoder.publish(publish_offer()).await.session();
    let report = ingest().await;
    assert_eq!(report["state"], "connecting");
    assert_eq!(report["source"], "whip");
    assert_eq!(report["checks"], json!([]), "before there is media");
    server.clock.advance(Duration::from_secs(6));
    let problem = ingest().await["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("UDP port"), "{problem}");
    server.media_connects("ada", session).await;
    let report = server
        .wait_for("receiving", || async {
            let report = ingest().await;
            (report["state"] == "receiving").then_some(report)
        })
        .await;
    assert_ne!(report["started_at"], Value::Null);
    server.media_is_lost(session).await;
    let report = server
        .wait_for("reconnecting", || async {
            let report = ingest().await;
            (report["state"] == "reconnecting").then_some(report)
        })
        .await;
    let attempt = report["last_attempt"]["detail"].as_str().unwrap();
    assert!(attempt.contains("went away"), "{attempt}");
}

#[tokio::test]
async fn the_owner_ends_the_stream() {
    let server = Server::plain().await;
    let (encoder, session) = server.on_air().await;
    let ada = Account::sign_in(&server, "ada", "correct horse").await;
    assert_eq!(
        ada.post("/api/channels/ada/end", json!({})).await.status,
        204
    );
    assert!(server.live("ada").await.is_none());
    let again = ada.post("/api/channels/ada/end", json!({})).await;
    assert_eq!(again.code(), "not_live");
    let url = format!("/whip/sessions/{}", session.reveal());
    server
        .wait_for("the encoder's session to be closed", || async {
            (encoder.http.get(&url).await.status == 404).then_some(())
        })
        .await;
}

#[tokio::test]
async fn revoking_a_key_ends_its_session() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let keys = "/api/channels/ada/stream_keys";
    let made = ada.post(keys, json!({ "name": "OBS" })).await.json();
    let encoder = crate::support::Encoder::new(&server, made["key"].as_str().unwrap());
    let answer = encoder.publish(publish_offer()).await;
    let url = answer.header("location").to_owned();
    assert_eq!(encoder.http.get(&url).await.status, 204);
    let id = made["id"].as_str().unwrap();
    assert_eq!(ada.delete(&format!("{keys}/{id}")).await.status, 204);
    server
        .wait_for("the session to end", || async {
            (encoder.http.get(&url).await.status == 404).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_crash_leaves_no_stream_open() {
    let server = Server::start(Backend::Sqlite).await;
    server.on_air().await;
    server
        .wait_for("the start to be written, and to be closed", || async {
            let closed = server.close_unfinished().await;
            (closed == 1).then_some(())
        })
        .await;
    let again = server.close_unfinished().await;
    assert_eq!(again, 0);
}

#[tokio::test]
async fn a_viewer_is_told_whom_to_ask_for_a_channel() {
    let server = Server::plain().await;
    let accounts = &server.app.services.accounts;
    let password = Secret::new(PASSWORD);
    accounts
        .create("vic", &password, Role::Viewer)
        .await
        .unwrap();
    let vic = Account::sign_in(&server, "vic", PASSWORD).await;
    let answer = vic
        .post("/api/channels", json!({ "handle": "vic", "name": "Vic" }))
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.code(), "forbidden");
    assert!(answer.text.contains("ask an admin"), "{answer:?}");
}
