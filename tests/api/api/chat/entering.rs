//! Who comes in, and as whom.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Account, Server, Talker};

async fn refused(base: &str, headers: &[(&'static str, &str)]) -> u16 {
    match Talker::open(base, "ada", headers).await {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    }
}

async fn set(owner: &Account, modes: Value) {
    let answer = owner.patch("/api/channels/ada/chat", modes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn pages_of_other_sites_do_not_come_in() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let base = ada.base.clone();
    let foreign = ("origin", "https://evil.example");
    assert_eq!(
        refused(&base, &[("cookie", ada.cookie()), foreign]).await,
        403
    );
    assert_eq!(refused(&base, &[foreign]).await, 403);
    assert_eq!(refused(&base, &[("origin", "null")]).await, 403);
    assert_eq!(refused(&base, &[("origin", &base)]).await, 101);
    assert_eq!(refused(&base, &[]).await, 101);
    let plain = ada.get("/api/channels/ada/chat/ws").await;
    assert_eq!(
        (plain.status.as_u16(), plain.code().as_str()),
        (426, "upgrade_required")
    );
    let nowhere = Talker::open(&base, "nobody", &[]).await;
    assert!(matches!(nowhere, Err(Error::Http(answer)) if answer.status() == 404));
}

#[tokio::test]
async fn the_first_frame_is_join_of_our_version() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for (frame, code) in [
        (json!({ "type": "ping" }), "malformed"),
        (json!({ "type": "join", "v": 2 }), "version_unknown"),
        (json!({ "type": "join" }), "malformed"),
        (json!(7), "malformed"),
    ] {
        let mut talker = Talker::open(&ada.base, "ada", &[]).await.unwrap();
        talker.send(frame.clone()).await;
        assert_eq!(talker.closed().await, code, "{frame}");
    }
}

#[tokio::test]
async fn guests_write_where_they_may_and_stay_the_same() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let nobody = server.anonymous();
    let join = |name: &str| json!({ "guest": "0123456789abcdef", "name": name });
    let mut guest = Talker::stranger(&nobody, "ada", join("Gus")).await;
    assert_eq!(guest.hello["you"]["role"], "reader");
    assert_eq!(guest.refused("hi").await["code"], "not_signed_in");
    set(&ada, json!({ "guests": true })).await;
    let you = guest.next("you").await;
    assert_eq!(
        (&you["you"]["role"], &you["you"]["name"]),
        (&json!("guest"), &json!("Gus"))
    );
    guest.said("hi").await;
    let heard = guest.next("message").await["message"]["from"].clone();
    assert_eq!(heard["badges"], json!(["guest"]));
    let id = heard["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("guest-"));
    // The same browser is the same guest; nobody is called as an account is.
    let again = Talker::stranger(&nobody, "ada", join("ada")).await;
    assert_eq!(again.hello["you"]["id"], id);
    let name = again.hello["you"]["name"].as_str().unwrap();
    assert!(name.starts_with("Guest "), "{name}");
    // A ban holds for whoever comes from there, by whatever name.
    let path = format!("/api/channels/ada/chat/restraints/{id}");
    let json_type = [("content-type", "application/json")];
    let banned = ada.send_body("PUT", &path, &json_type, r#"{"kind":"ban"}"#);
    assert_eq!(banned.await.status, 204);
    guest.next("silenced").await;
    assert_eq!(guest.refused("hi").await["code"], "banned");
    let other = json!({ "guest": "another0123456789", "name": "Gil" });
    let mut other = Talker::stranger(&nobody, "ada", other).await;
    assert_eq!(other.refused("hi").await["code"], "banned");
}

#[tokio::test]
async fn a_token_lets_in_once_within_a_minute_into_its_room() {
    let server = Server::plain().await;
    server.creator().await;
    server.account("eve", Role::Creator).await;
    let vic = server.account("vic", Role::Viewer).await;
    let token = async |handle: &str| {
        let made = vic
            .post(&format!("/api/channels/{handle}/chat/tokens"), json!({}))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["token"].as_str().unwrap().to_owned()
    };
    let nobody = server.anonymous();
    let closed = async |token: &str| {
        let mut talker = Talker::open(&nobody.base, "ada", &[]).await.unwrap();
        talker.join(json!({ "token": token })).await;
        talker.closed().await
    };
    let good = token("ada").await;
    let mut talker = Talker::stranger(&nobody, "ada", json!({ "token": good })).await;
    assert_eq!(talker.hello["you"]["name"], "vic");
    talker.said("hi").await;
    assert_eq!(closed(&good).await, "token_used");
    let of_eve = token("eve").await;
    assert_eq!(closed(&of_eve).await, "token_invalid");
    let late = token("ada").await;
    server.clock.advance(Duration::from_secs(61));
    assert_eq!(closed(&late).await, "token_invalid");
    for made_up in ["", "x", "a.b.c.d.e", &good.replace('.', "..")] {
        assert_eq!(closed(made_up).await, "token_invalid", "{made_up}");
    }
}

#[tokio::test]
async fn a_door_that_shuts_lets_nobody_stay() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let mut talker = Talker::of(&vic, "ada").await;
    let edit = json!({ "visibility": "password", "password": "open sesame" });
    let edited = ada.patch("/api/channels/ada", edit).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    assert_eq!(talker.closed().await, "door_changed");
    let headers = [("cookie", vic.cookie()), ("origin", vic.base.as_str())];
    assert_eq!(refused(&vic.base, &headers).await, 403);
    let page = vic.get("/api/channels/ada/chat").await;
    assert_eq!(page.code(), "channel_password_required");
    assert_eq!(vic.get("/api/channels/ada/chat/messages").await.status, 403);
    Talker::of(&ada, "ada").await.said("I may").await;
}

#[tokio::test]
async fn who_becomes_moderator_or_follows_is_told_so() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let mut talker = Talker::of(&vic, "ada").await;
    set(&ada, json!({ "followers_minutes": 0 })).await;
    assert_eq!(talker.refused("a").await["code"], "followers_only");
    vic.send("PUT", "/api/channels/ada/follow", &[]).await;
    talker.next("you").await;
    talker.said("a").await;
    ada.send("PUT", "/api/channels/ada/moderators/vic", &[])
        .await;
    let you = talker
        .next_where("you", |event| event["you"]["may_moderate"] == true)
        .await;
    assert_eq!(you["you"]["role"], "moderator");
    ada.delete("/api/channels/ada/moderators/vic").await;
    talker
        .next_where("you", |event| event["you"]["may_moderate"] == false)
        .await;
}
