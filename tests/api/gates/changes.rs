//! Gates that change under those who watch, and what is left behind by what had one.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, membership};
use super::{chat, media_playlist, outcome, view};
use crate::support::{Account, Anonymous, Talker};

fn password(password: &str) -> Value {
    json!({ "gate": { "who": "password", "password": password } })
}

/// Somebody who gave a password there.
async fn guest(stage: &Stage, path: &str, password: &str) -> Anonymous {
    let guest = stage.till.server.anonymous();
    let given = guest.post(path, json!({ "password": password })).await;
    assert_eq!(given.status, 204, "{given:?}");
    Account::with_cookie_of(guest, &given).0
}

async fn until_over(stage: &Stage, who: &Anonymous, session: &str) {
    stage
        .till
        .server
        .wait_for("the session to end", || async {
            (who.get(session).await.status == 404).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_password_opens_no_other_gate() {
    let stage = Stage::set().await;
    stage.gate(&password("open sesame")).await;
    let path = stage.recording_path("/password");
    let of_recording = guest(&stage, &path, "open sesame").await;
    let guest = guest(&stage, &stage.stream_path("/password"), "open sesame").await;
    let playlist = media_playlist(&guest).await;
    let vod = format!("/vod/{}/index.m3u8", stage.recording);
    let vod = of_recording.get(&vod).await.text;
    let vod = vod.lines().find(|line| !line.starts_with('#')).unwrap();
    let vod = format!("/vod/{}", vod.strip_prefix("../").unwrap());
    let player = stage.till.server.anonymous();
    assert_eq!(outcome(&player.get(&vod).await), "yes");
    let viewed = view(&guest).await;
    assert_eq!(viewed.status, 201, "{viewed:?}");
    stage
        .gate(&json!({ "gate": { "who": "members", "tier": 1 } }))
        .await;
    assert_eq!(outcome(&player.get(&playlist).await), "members_only");
    assert_eq!(outcome(&player.get(&vod).await), "members_only");
    until_over(&stage, &guest, viewed.header("location")).await;
}

#[tokio::test]
async fn a_channels_password_opens_no_gate_of_its_stream() {
    let stage = Stage::set().await;
    let door = json!({ "visibility": "password", "password": "open sesame" });
    let set = stage.till.ada.patch("/api/channels/ada", door).await;
    assert_eq!(set.status, 200, "{set:?}");
    let guest = guest(&stage, "/api/channels/ada/access", "open sesame").await;
    let playlist = media_playlist(&guest).await;
    let viewed = view(&guest).await;
    assert_eq!(viewed.status, 201, "{viewed:?}");
    stage.gate(&json!({ "gate": { "who": "followers" } })).await;
    let player = stage.till.server.anonymous();
    assert_ne!(outcome(&player.get(&playlist).await), "yes");
    assert_eq!(outcome(&guest.get(&playlist).await), "followers_only");
    until_over(&stage, &guest, viewed.header("location")).await;
}

/// Whoever came as a member has to give the password that the stream has now.
#[tokio::test]
async fn a_new_password_clears_the_house() {
    let stage = Stage::set().await;
    let bob = stage.till.viewer("bob").await;
    stage.till.buy(&bob, membership(1)).await;
    stage
        .gate(&json!({ "gate": { "who": "members", "tier": 1 } }))
        .await;
    let viewed = view(&bob).await;
    assert_eq!(viewed.status, 201, "{viewed:?}");
    stage.gate(&password("open sesame")).await;
    until_over(&stage, &bob, viewed.header("location")).await;
}

/// Else whoever was let in once would go on for ever, without anybody looking at them again.
#[tokio::test]
async fn a_pass_makes_no_other() {
    let stage = Stage::set().await;
    stage.gate(&password("open sesame")).await;
    let path = stage.recording_path("/password");
    let guest = guest(&stage, &path, "open sesame").await;
    let passed = guest.post(&stage.recording_path("/pass"), json!({})).await;
    let pass = passed.json()["pass"].as_str().unwrap().to_owned();
    stage.till.server.clock.advance(Duration::from_secs(200));
    let player = stage.till.server.anonymous();
    let path = format!("/vod/{}.{pass}/index.m3u8", stage.recording);
    let multivariant = player.get(&path).await;
    assert_eq!(multivariant.status, 200, "{multivariant:?}");
    assert!(multivariant.text.contains(&pass), "{}", multivariant.text);
    stage.till.server.clock.advance(Duration::from_secs(60));
    assert_eq!(outcome(&player.get(&path).await), "password_required");
}

#[tokio::test]
async fn what_was_said_behind_a_gate_stays_there() {
    let stage = Stage::set().await;
    let ada = &stage.till.ada;
    stage
        .gate(&json!({ "gate": { "who": "members", "tier": 1 } }))
        .await;
    let mut talker = Talker::of(ada, "ada").await;
    let secret = talker.said("between us").await;
    let pin = json!({ "message": secret });
    let pinned = ada.put("/api/channels/ada/chat/pin", pin).await;
    assert_eq!(pinned.status, 204, "{pinned:?}");
    let poll = json!({ "question": "Our secret?", "options": ["a", "b"], "seconds": 600 });
    let poll = ada.post("/api/channels/ada/chat/polls", poll).await;
    assert_eq!(poll.status, 201, "{poll:?}");
    let stranger = stage.till.server.anonymous();
    assert_eq!(chat(&stranger).await, "members_only");

    let ended = ada.post("/api/channels/ada/end", Value::Null).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    stage
        .till
        .server
        .wait_for("the room to be open", || async {
            (chat(&stranger).await == "yes").then_some(())
        })
        .await;
    assert_eq!(talker.closed().await, "door_changed");
    let guest = Talker::stranger(&stranger, "ada", json!({})).await;
    let hello = guest.hello.to_string();
    assert!(!hello.contains("between us"), "{hello}");
    assert!(!hello.contains("Our secret"), "{hello}");
    for path in [
        "/api/channels/ada/chat/messages",
        "/api/channels/ada/chat/polls",
    ] {
        let listed = stranger.get(path).await.text;
        assert!(!listed.contains("between us"), "{listed}");
        assert!(!listed.contains("Our secret"), "{listed}");
    }
    let replay = stranger.get(&stage.stream_path("/chat")).await;
    assert_eq!(outcome(&replay), "members_only");
}

/// The recording of a stream that everybody saw is for members, and what was said beside it as well.
#[tokio::test]
async fn a_recordings_gate_holds_for_the_chat_beside_it() {
    let stage = Stage::set().await;
    let stranger = stage.till.server.anonymous();
    let recorded = stranger.get(&stage.recording_path("")).await.json();
    let path = format!("/api/streams/{}/chat", recorded["stream"].as_str().unwrap());
    assert_eq!(outcome(&stranger.get(&path).await), "yes");
    let gate = json!({ "gate": { "who": "members" } });
    let edited = stage.till.ada.patch(&stage.recording_path(""), gate).await;
    assert_eq!(edited.json()["gate_is_own"], true, "{edited:?}");
    assert_eq!(outcome(&stranger.get(&path).await), "members_only");
    let back = json!({ "gate": null });
    let edited = stage.till.ada.patch(&stage.recording_path(""), back).await;
    assert_eq!(edited.json()["gate_is_own"], false, "{edited:?}");
    assert_eq!(outcome(&stranger.get(&path).await), "yes");
}

/// The next stream that nobody planned has the gate of the last, and its tickets for some hours.
#[tokio::test]
async fn a_stream_that_goes_on_with_another_has_its_gate() {
    let stage = Stage::set().await;
    let ada = &stage.till.ada;
    stage.gate(&json!({ "gate": { "who": "ticket" } })).await;
    let order = super::stage::sell_ticket(&stage.till, &[stage.stream.as_str()]).await;
    let bob = stage.till.viewer("bob").await;
    stage.till.buy(&bob, order).await;
    ada.post("/api/channels/ada/end", Value::Null).await;
    stage
        .till
        .server
        .wait_for("the end", || async {
            let page = ada.get("/api/channels/ada").await.json();
            (page["state"] == "offline").then_some(())
        })
        .await;
    let encoder = stage.till.server.encoder("ada").await;
    stage.till.server.go_live(&encoder).await;
    let page = ada.get("/api/channels/ada").await.json();
    assert_ne!(page["stream"]["id"], stage.stream);
    assert_eq!(page["stream"]["gate"]["who"], "ticket");
    let stranger = stage.till.server.anonymous();
    assert_eq!(view(&stranger).await.code(), "ticket_required");
    stage
        .till
        .server
        .wait_for("the ticket to go on", || async {
            (view(&bob).await.status == 201).then_some(())
        })
        .await;
}

#[tokio::test]
async fn gates_that_cannot_be_are_told_field_by_field() {
    let stage = Stage::set().await;
    let path = stage.stream_path("");
    for (edit, field, rule) in [
        (
            json!({ "gate": { "who": "members", "tier": 4 } }),
            "gate.tier",
            "out_of_range",
        ),
        (
            json!({ "gate": { "who": "members", "tier": 0 } }),
            "gate.tier",
            "out_of_range",
        ),
        (
            json!({ "gate": { "who": "password" } }),
            "gate.password",
            "password_missing",
        ),
        (
            json!({ "gate": { "who": "password", "password": "abc" } }),
            "gate.password",
            "password_invalid",
        ),
        (
            json!({ "gate": { "who": "everyone", "password": "open sesame" } }),
            "gate.password",
            "password_unfit",
        ),
        (
            json!({ "preview_seconds": 601 }),
            "preview_seconds",
            "out_of_range",
        ),
    ] {
        let refused = stage.till.ada.patch(&path, edit.clone()).await;
        assert_eq!(refused.status, 422, "{edit}: {refused:?}");
        let told = refused.json()["errors"][0].clone();
        assert_eq!(
            (&told["field"], &told["rule"]),
            (&json!(field), &json!(rule)),
            "{told}"
        );
    }
    let page = stage.till.ada.get("/api/channels/ada").await.json();
    assert_eq!(
        page["stream"]["gate"]["who"], "everyone",
        "nothing was changed"
    );
}
