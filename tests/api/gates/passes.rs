//! Passes: what a player shows with each file.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, membership, sell_ticket};
use super::{media_playlist, outcome, segment_of};
use crate::support::{Account, Anonymous, Follower};

const FOR_MEMBERS: &str = "members";

async fn for_members(stage: &Stage) {
    let gate = json!({ "gate": { "who": FOR_MEMBERS, "tier": 1 } });
    stage.gate(&gate).await;
}

/// The path with another pass in it.
fn with_pass(path: &str, pass: &str) -> String {
    let (before, behind) = path.split_once('.').unwrap();
    let (_, behind) = behind.split_once('/').unwrap();
    format!("{before}.{pass}/{behind}")
}

fn pass_of(path: &str) -> &str {
    let behind = path.split_once('.').unwrap().1;
    behind.split_once('/').unwrap().0
}

#[tokio::test]
async fn a_pass_alone_plays_for_minutes_and_is_renewed() {
    let stage = Stage::set().await;
    for_members(&stage).await;
    let bob = stage.till.viewer("bob").await;
    stage.till.buy(&bob, membership(1)).await;
    let playlist = media_playlist(&bob).await;
    // A player that sends no cookie.
    let player = stage.till.server.anonymous();
    let text = player.get(&playlist).await;
    assert_eq!(text.status, 200, "{text:?}");
    assert_eq!(text.header("cache-control"), "private, no-store");
    let folder = playlist.strip_suffix("index.m3u8").unwrap();
    let wait = "a segment";
    let segment = stage.till.server.wait_for(wait, || async {
        let text = player.get(&playlist).await.text;
        segment_of(&text).map(|name| format!("{folder}{name}"))
    });
    let segment = segment.await;
    assert_eq!(outcome(&player.get(&segment).await), "yes");
    let vod = format!("/vod/{}/index.m3u8", stage.recording);
    let vod = bob.get(&vod).await.text;
    let first = vod.lines().find(|line| !line.starts_with('#')).unwrap();
    let vod = format!("/vod/{}", first.strip_prefix("../").unwrap());
    assert_eq!(outcome(&player.get(&vod).await), "yes");
    assert!(player.get(&vod).await.text.contains("\n1.m4s\n"));

    stage.till.server.clock.advance(Duration::from_secs(5 * 60));
    for path in [&playlist, &segment, &vod] {
        assert_eq!(outcome(&player.get(path).await), "members_only", "{path}");
        // What comes with the cookie is looked at anew.
        assert_eq!(outcome(&bob.get(path).await), "yes", "{path}");
    }
    let renewed = bob
        .post(&stage.stream_path("/pass"), json!({}))
        .await
        .json();
    assert!(renewed["renew_in_seconds"].as_u64().unwrap() <= 150);
    let pass = renewed["pass"].as_str().unwrap();
    let again = player.get(&with_pass(&segment, pass)).await;
    assert_eq!(outcome(&again), "yes");
    let renewed = bob.post(&stage.recording_path("/pass"), json!({})).await;
    let renewed = renewed.json();
    let again = with_pass(&vod, renewed["pass"].as_str().unwrap());
    assert_eq!(outcome(&player.get(&again).await), "yes");
}

#[tokio::test]
async fn no_other_pass_opens() {
    let stage = Stage::set().await;
    for_members(&stage).await;
    let bob = stage.till.viewer("bob").await;
    stage.till.buy(&bob, membership(1)).await;
    let playlist = media_playlist(&bob).await;
    let player = stage.till.server.anonymous();
    let pass = pass_of(&playlist).to_owned();
    let refused = async |path: &str, who: &Anonymous| {
        let answer = who.get(path).await;
        assert_eq!(outcome(&answer), "members_only", "{path}");
    };
    // Altered anywhere.
    for at in [0, 3, 20, pass.len() - 1] {
        let mut altered = pass.clone().into_bytes();
        altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
        let altered = String::from_utf8(altered).unwrap();
        refused(&with_pass(&playlist, &altered), &player).await;
    }
    for other in ["", "x", "..", &pass[..40], &format!("{pass}0")] {
        refused(&with_pass(&playlist, other), &player).await;
    }
    // Of something else.
    let of_recording = bob.post(&stage.recording_path("/pass"), json!({})).await;
    let of_recording = of_recording.json()["pass"].as_str().unwrap().to_owned();
    refused(&with_pass(&playlist, &of_recording), &player).await;
    let vod = format!("/vod/{}.{pass}/v0/index.m3u8", stage.recording);
    refused(&vod, &player).await;
    // In another browser, as from somebody's log.
    let headers = [("user-agent", "curl/8")];
    let stolen = player.send("GET", &playlist, &headers).await;
    assert_eq!(outcome(&stolen), "members_only");
    // In the query it is none.
    let (bare, _) = playlist.split_once('.').unwrap();
    refused(&format!("{bare}/v0/index.m3u8?pass={pass}"), &player).await;
    refused(&format!("{bare}/v0/index.m3u8"), &player).await;
    assert_eq!(outcome(&player.get(&playlist).await), "yes", "it was good");
}

#[tokio::test]
async fn another_password_ends_the_passes_of_the_old() {
    let stage = Stage::set().await;
    let gate = |password: &str| json!({ "gate": { "who": "password", "password": password } });
    stage.gate(&gate("open sesame")).await;
    let guest = stage.till.server.anonymous();
    let path = stage.stream_path("/password");
    let wrong = guest.post(&path, json!({ "password": "sesame" })).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let given = guest
        .post(&path, json!({ "password": "open sesame" }))
        .await;
    assert_eq!(given.status, 204, "{given:?}");
    let guest = Account::with_cookie_of(guest, &given);
    let playlist = media_playlist(&guest).await;
    let player = stage.till.server.anonymous();
    assert_eq!(outcome(&player.get(&playlist).await), "yes");
    let viewed = super::view(&guest).await;
    assert_eq!(viewed.status, 201, "{viewed:?}");
    let entry = guest.get(&stage.stream_path("/entry")).await.json();
    assert_eq!(entry["access"], "granted");
    // As a program gives it.
    let bearer = [("authorization", "Bearer open sesame")];
    let by_header = player.send("GET", "/hls/ada/index.m3u8", &bearer).await;
    assert_eq!(outcome(&by_header), "yes");

    stage.gate(&gate("another one")).await;
    assert_eq!(outcome(&player.get(&playlist).await), "password_required");
    assert_eq!(outcome(&guest.get(&playlist).await), "password_required");
    let entry = guest.get(&stage.stream_path("/entry")).await.json();
    assert_eq!(entry["access"], "password");
    let session = viewed.header("location");
    stage
        .till
        .server
        .wait_for("the session to end", || async {
            let answer = guest.get(session).await;
            (answer.status == 404).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_preview_lasts_so_long_and_no_longer() {
    let stage = Stage::set().await;
    let gate = json!({ "gate": { "who": "ticket" }, "preview_seconds": 60 });
    stage.gate(&gate).await;
    let guest = stage.till.server.anonymous();
    let entry = async || guest.get(&stage.stream_path("/entry")).await.json();
    let expected = json!({
        "access": "ticket", "tier": null, "is_of_channel": false, "preview_seconds": 60,
    });
    assert_eq!(entry().await, expected, "it has not begun");
    assert_eq!(
        outcome(&guest.get("/hls/ada/thumbnail.jpg").await),
        "ticket_required"
    );
    assert_eq!(entry().await, expected, "a picture begins nothing");
    let viewed = super::view(&guest).await;
    assert_eq!(viewed.status, 201, "{viewed:?}");
    stage.till.server.clock.advance(Duration::from_secs(20));
    let passed = guest
        .post(&stage.stream_path("/pass"), json!({}))
        .await
        .json();
    assert_eq!(passed["preview_seconds"], 40);
    let playlist = media_playlist(&guest).await;
    let player = stage.till.server.anonymous();
    assert_eq!(outcome(&player.get(&playlist).await), "yes");
    let location = viewed.header("location").to_owned();
    let events = format!("{location}/events");
    let mut events = Follower::of(&guest, &events, None).await;
    stage.till.server.clock.advance(Duration::from_secs(41));
    assert_eq!(events.until("barred").await["code"], "preview_over");
    events.end().await;
    assert_eq!(outcome(&player.get(&playlist).await), "preview_over");
    assert_eq!(outcome(&super::view(&guest).await), "preview_over");
    assert_eq!(entry().await["preview_seconds"], Value::Null);
    let refused = guest.post(&stage.stream_path("/pass"), json!({})).await;
    assert_eq!(refused.code(), "preview_over");

    // What is only planned has none yet.
    let ahead = stage.till.server.clock.now() + Duration::from_secs(3600);
    let planned = json!({
        "channel": "ada", "scheduled_at": ahead.to_string(), "gate": { "who": "followers" },
        "preview_seconds": 60,
    });
    let planned = stage.till.ada.post("/api/streams", planned).await.json();
    let path = format!("/api/streams/{}", planned["id"].as_str().unwrap());
    let refused = guest.post(&format!("{path}/pass"), json!({})).await;
    assert_eq!(refused.code(), "followers_only");
    let left = guest.get(&format!("{path}/entry")).await.json();
    assert_eq!(left["preview_seconds"], 60, "it has not begun");

    // Who buys a ticket watches on.
    let bob = stage.till.viewer("bob").await;
    let order = sell_ticket(&stage.till, &[stage.stream.as_str()]).await;
    stage.till.buy(&bob, order).await;
    assert_eq!(outcome(&bob.get("/hls/ada/index.m3u8").await), "yes");
}
