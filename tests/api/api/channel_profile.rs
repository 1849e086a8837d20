//! What a channel says of itself, who follows it, who looks after it, and who may watch.

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::channels::ChannelEvent;

use crate::support::{Account, Anonymous, Answer, PASSWORD, Server, on_both_databases, view_offer};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn put(person: &Account, path: &str) -> Answer {
    person.send_body("PUT", path, &[], "").await
}

fn fields(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let errors = body["errors"].as_array().unwrap();
    let field = |error: &Value| error["field"].as_str().unwrap().to_owned();
    errors.iter().map(field).collect()
}

on_both_databases! {
    async fn a_profile_is_written_and_shown(server) {
        let ada = server.creator().await;
        let edit = json!({
            "name": "Ada's workshop", "description": "Two lines.\nSecond.", "accent": "#3B82F6",
            "language": "pt-br", "category": "making",
            "links": [{ "label": "Code", "url": "https://github.com/ada" },
                      { "label": "Site", "url": "https://example.com" }],
            "panels": [{ "title": "Rules", "markdown": "Be *kind*. <script>alert(1)</script>" }],
            "tags": ["#Wood", "wood", "live-making"],
        });
        let answer = ada.patch("/api/channels/ada", edit).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = server.anonymous().get("/api/channels/ada").await.json();
        assert_eq!(shown["name"], "Ada's workshop");
        assert_eq!(shown["accent"], "#3b82f6");
        assert_eq!(shown["language"], "pt-BR");
        assert_eq!(shown["category"]["name"], "Making and crafts");
        assert_eq!(shown["links"][0]["site"], "github");
        assert_eq!(shown["links"][1]["url"], "https://example.com/");
        assert_eq!(shown["tags"], json!(["wood", "live-making"]));
        assert_eq!(shown["panels"][0]["blocks"][0]["content"][1]["kind"], "emphasis");
        assert_eq!(shown["panels"][0]["markdown"], Value::Null, "for the owner alone");
        assert_eq!(shown["access"], "granted");
        let own = ada.get("/api/channels/ada").await.json();
        assert!(own["panels"][0]["markdown"].as_str().unwrap().contains("*kind*"));
        assert_eq!(own["rights"], json!({ "edit": true, "moderate": true }));

        // What is left out stays; null takes away.
        let answer = ada.patch("/api/channels/ada", json!({ "accent": null, "tags": [] })).await.json();
        assert_eq!(answer["accent"], Value::Null);
        assert_eq!(answer["tags"], json!([]));
        assert_eq!(answer["category"]["slug"], "making");
    }

    async fn all_that_is_wrong_with_a_profile_is_told_at_once(server) {
        let ada = server.creator().await;
        let edit = json!({
            "name": "", "accent": "#ffffff", "language": "tlh", "category": "none",
            "description": "x".repeat(501),
            "links": [{ "label": "x", "url": "javascript:alert(1)" }],
            "panels": [{ "title": "a\u{202E}b", "markdown": "" }],
            "tags": ["a b"],
        });
        let answer = ada.patch("/api/channels/ada", edit).await;
        assert_eq!(answer.status, 422);
        let expected = ["name", "description", "accent", "language", "category", "links.0.url",
            "panels.0.title", "tags.0"];
        assert_eq!(fields(&answer), expected);
        let shown = ada.get("/api/channels/ada").await.json();
        assert_eq!(shown["name"], "ada", "nothing half-done");
        let unknown = ada.patch("/api/channels/ada", json!({ "colour": "#000000" })).await;
        assert_eq!(unknown.status, 422);
        let emoji = json!({ "description": "👩\u{200D}💻".repeat(60) });
        assert_eq!(ada.patch("/api/channels/ada", emoji).await.status, 200);
    }

    async fn people_follow_and_stop(server) {
        let ada = server.creator().await;
        let mut events = server.app.services.channels.subscribe();
        let eve = server.account("eve", Role::Creator).await;
        let bob = server.account("bob", Role::Creator).await;
        for person in [&eve, &bob] {
            assert_eq!(put(person, "/api/channels/ada/follow").await.status, 204);
            assert_eq!(put(person, "/api/channels/ada/follow").await.status, 204, "again");
        }
        let shown = eve.get("/api/channels/ada").await.json();
        assert_eq!(shown["followers"], 2);
        assert_eq!(shown["following"], true);
        let list = ada.get("/api/channels/ada/followers").await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        assert_eq!(eve.get("/api/channels/ada/followers").await.status, 403);
        let follows = eve.get("/api/account/follows").await.json();
        assert_eq!(follows["items"][0]["handle"], "ada");
        assert_eq!(eve.delete("/api/channels/ada/follow").await.status, 204);
        assert_eq!(eve.get("/api/account/follows").await.json()["items"], json!([]));
        let mut seen = Vec::new();
        while let Ok(event) = events.try_recv() {
            seen.push(match event {
                ChannelEvent::Followed { .. } => "followed",
                ChannelEvent::Unfollowed { .. } => "unfollowed",
                _ => "other",
            });
        }
        assert_eq!(seen, ["followed", "followed", "unfollowed"], "once each");
        assert_eq!(server.anonymous().send_body("PUT", "/api/channels/ada/follow", &[], "").await
            .code(), "not_signed_in");
    }

    async fn moderators_are_named_and_dismissed(server) {
        let ada = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let path = "/api/channels/ada/moderators";
        assert_eq!(eve.get(path).await.status, 403);
        assert_eq!(put(&eve, &format!("{path}/eve")).await.status, 403);
        assert_eq!(put(&ada, &format!("{path}/nobody")).await.code(), "account_not_found");
        assert_eq!(put(&ada, &format!("{path}/ada")).await.code(), "is_owner");
        assert_eq!(put(&ada, &format!("{path}/Eve")).await.status, 204);
        assert_eq!(eve.get(path).await.json()["items"][0]["name"], "eve");
        let rights = eve.get("/api/channels/ada").await.json()["rights"].clone();
        assert_eq!(rights, json!({ "edit": false, "moderate": true }));
        assert_eq!(ada.delete(&format!("{path}/eve")).await.status, 204);
        assert_eq!(ada.delete(&format!("{path}/eve")).await.code(), "moderator_not_found");
        assert_eq!(eve.get(path).await.status, 403);
    }

    async fn a_deleted_channel_is_gone_and_its_handle_free(server) {
        let ada = server.creator().await;
        let wish = json!({ "handle": "brief", "name": "Brief" });
        ada.post("/api/channels", wish.clone()).await;
        let eve = server.account("eve", Role::Creator).await;
        put(&eve, "/api/channels/brief/follow").await;
        let key = ada.post("/api/channels/brief/stream_keys", json!({ "name": "OBS" })).await.json();
        assert_eq!(ada.delete("/api/channels/brief").await.code(), "confirm_wrong");
        assert_eq!(eve.delete("/api/channels/brief?confirm=brief").await.status, 403);
        assert_eq!(ada.delete("/api/channels/brief?confirm=brief").await.status, 204);
        assert_eq!(ada.get("/api/channels/brief").await.code(), "channel_not_found");
        assert_eq!(eve.get("/api/account/follows").await.json()["items"], json!([]));
        let encoder = crate::support::Encoder::new(server, key["key"].as_str().unwrap());
        let refused = encoder.publish(crate::support::publish_offer()).await;
        assert_eq!(refused.code(), "stream_key_invalid");
        assert_eq!(ada.post("/api/channels", wish).await.status, 201, "the handle is free");
    }

    async fn a_password_opens_the_channel_until_there_is_another(server) {
        let ada = server.creator().await;
        let edit = json!({ "visibility": "password" });
        let answer = ada.patch("/api/channels/ada", edit).await;
        assert_eq!(fields(&answer), ["password"], "one must be chosen");
        let edit = json!({ "visibility": "password", "password": "sesame" });
        assert_eq!(ada.patch("/api/channels/ada", edit).await.status, 200);
        let person = server.anonymous();
        assert_eq!(refusals(&person).await, "channel_password_required");
        assert_eq!(person.get("/api/channels/ada").await.json()["access"], "password");
        assert_eq!(ada.get("/api/channels/ada").await.json()["access"], "granted");

        let enter = |password: &str| {
            let person = person.clone();
            let body = json!({ "password": password });
            async move { person.post("/api/channels/ada/access", body).await }
        };
        assert_eq!(enter("wrong").await.code(), "password_wrong");
        let entered = enter("sesame").await;
        assert_eq!(entered.status, 204);
        assert!(entered.header("set-cookie").contains("HttpOnly"), "{entered:?}");
        assert!(!entered.header("set-cookie").contains("sesame"));
        let inside = Account::with_cookie_of(person.clone(), &entered);
        assert_eq!(refusals(&inside).await, "not_live", "what a channel off air answers");

        let sent = [("authorization", "Bearer sesame"), ("content-type", "application/sdp")];
        let answer = person.send_body("POST", "/whep/ada", &sent, view_offer()).await;
        assert_eq!(answer.code(), "not_live", "players without cookies send it along");

        ada.patch("/api/channels/ada", json!({ "password": "another" })).await;
        assert_eq!(refusals(&inside).await, "channel_password_required");
        ada.patch("/api/channels/ada", json!({ "visibility": "public" })).await;
        assert_eq!(refusals(&person).await, "not_live");
        assert_eq!(enter("another").await.code(), "no_password_wanted");
    }

    async fn members_only_lets_owner_moderators_and_admins_in(server) {
        server.creator().await;
        let bob = server.account("bob", Role::Creator).await;
        let eve = server.account("eve", Role::Creator).await;
        bob.patch("/api/channels/bob", json!({ "visibility": "members" })).await;
        let access = |person: &Account| {
            let person = person.clone();
            async move { person.get("/api/channels/bob").await.json()["access"].clone() }
        };
        assert_eq!(access(&eve).await, "members");
        assert_eq!(access(&bob).await, "granted");
        put(&bob, "/api/channels/bob/moderators/eve").await;
        assert_eq!(access(&eve).await, "granted");
        let list = eve.get("/api/channels").await.json();
        let handles: Vec<&str> = list["items"].as_array().unwrap().iter()
            .map(|item| item["handle"].as_str().unwrap()).collect();
        assert!(!handles.contains(&"bob"), "{handles:?}");
    }
}

/// What somebody gets who would watch `@ada` by every way there is: the same from all of them.
async fn refusals(person: &Anonymous) -> String {
    let offer = [("content-type", "application/sdp")];
    let code = person
        .send_body("POST", "/whep/ada", &offer, view_offer())
        .await
        .code();
    for path in [
        "/hls/ada/index.m3u8",
        "/hls/ada/thumbnail.jpg",
        "/hls/ada/storyboard.json",
        "/hls/ada/token/v0/index.m3u8",
        "/hls/ada/token/v0/1.0.m4s",
        // The same in escapes.
        "/hls/%61da/index.m3u8",
        "/hls/%61da/token/v0/index.m3u8",
        "/hls/a%64a/token/v0/1.0.m4s",
    ] {
        assert_eq!(person.get(path).await.code(), code, "{path}");
    }
    code
}

#[tokio::test]
async fn another_password_lets_go_of_whoever_watches() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let edit = json!({ "visibility": "password", "password": "sesame" });
    ada.patch("/api/channels/ada", edit).await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let person = server.anonymous();
    let headers = [
        ("content-type", "application/sdp"),
        ("authorization", "Bearer sesame"),
    ];
    let answer = person
        .send_body("POST", "/whep/ada", &headers, view_offer())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let session = format!("{}/layer", answer.header("location"));
    let is_there = async || person.send_body("POST", &session, &JSON, "{}").await.status != 404;
    assert!(is_there().await);
    // What has nothing to do with the door lets go of nobody.
    ada.patch("/api/channels/ada", json!({ "name": "Ada" }))
        .await;
    assert!(is_there().await);
    ada.patch("/api/channels/ada", json!({ "password": "another" }))
        .await;
    server
        .wait_for("the end of the session", || async {
            (!is_there().await).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_handle_that_is_free_again_has_no_door_of_before() {
    let server = Server::plain().await;
    server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let wish = json!({ "handle": "eves", "name": "Eve" });
    eve.post("/api/channels", wish.clone()).await;
    let edit = json!({ "visibility": "members" });
    assert_eq!(eve.patch("/api/channels/eves", edit).await.status, 200);
    let person = server.anonymous();
    let playlist = "/hls/eves/index.m3u8";
    assert_eq!(person.get(playlist).await.code(), "members_only");
    let leave = json!({ "password": PASSWORD });
    assert_eq!(eve.delete_with("/api/account", leave).await.status, 204);
    let bob = server.account("bob", Role::Creator).await;
    assert_eq!(bob.post("/api/channels", wish).await.status, 201);
    assert_eq!(person.get(playlist).await.code(), "not_live");
}

#[tokio::test]
async fn wrong_passwords_are_counted() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let edit = json!({ "visibility": "password", "password": "sesame" });
    ada.patch("/api/channels/ada", edit).await;
    let person = server.anonymous();
    for _ in 0..20 {
        let answer = person
            .post("/api/channels/ada/access", json!({ "password": "x" }))
            .await;
        assert_eq!(answer.code(), "password_wrong");
    }
    let answer = person
        .post("/api/channels/ada/access", json!({ "password": "sesame" }))
        .await;
    assert_eq!(answer.status, 429);
    assert_ne!(answer.header("retry-after"), "");
}

#[tokio::test]
async fn gates_are_known_again_after_a_restart() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let edit = json!({ "visibility": "password", "password": "sesame" });
    ada.patch("/api/channels/ada", edit).await;
    let data = server.stop().await;
    let server = Server::start_on(data, crate::support::Backend::Sqlite, |_| {}).await;
    let person = server.anonymous();
    assert_eq!(refusals(&person).await, "channel_password_required");
}

#[tokio::test]
async fn hostile_handles_are_refused_in_words() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for handle in [
        "..",
        "a\u{202E}b",
        "a\u{200B}b",
        "\u{430}da",
        "api",
        "images",
        "a/b",
        "x",
    ] {
        let wish = json!({ "handle": handle, "name": "x" });
        let answer = ada.post("/api/channels", wish).await;
        assert_eq!(answer.code(), "handle_invalid", "{handle:?}");
        assert_eq!(fields(&answer), ["handle"]);
    }
}

/// A PNG of one colour, written by hand: 40 × 40, grey.
fn png(width: u32, height: u32) -> Vec<u8> {
    use std::io::Cursor;
    let mut file = Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(width, height, image::Luma([120]));
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

#[tokio::test]
async fn a_picture_is_taken_written_anew_and_served_for_ever() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let path = "/api/channels/ada/avatar?x=0&y=0&width=40&height=40";
    let answer = ada.send_body("PUT", path, &[], png(80, 40)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let url = answer.json()["url"].as_str().unwrap().to_owned();
    assert_eq!(ada.get("/api/channels/ada").await.json()["avatar_url"], url);
    let served = server.anonymous().get(&url).await;
    assert_eq!(served.header("content-type"), "image/jpeg");
    assert!(served.header("cache-control").contains("immutable"));
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    let tag = [("if-none-match", served.header("etag"))];
    assert_eq!(server.anonymous().send("GET", &url, &tag).await.status, 304);
    assert_eq!(image::load_from_memory(&served.bytes).unwrap().width(), 40);
    assert_eq!(ada.delete("/api/channels/ada/avatar").await.status, 204);
    assert_eq!(
        ada.get("/api/channels/ada").await.json()["avatar_url"],
        Value::Null
    );
    for missing in ["/images/x", "/images/..%2fpepper", "/images/"] {
        assert_eq!(
            server.anonymous().get(missing).await.status,
            404,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn pictures_that_hurt_are_refused_in_words() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let banner = "/api/channels/ada/banner";
    let eve = server.account("eve", Role::Creator).await;
    assert_eq!(
        eve.send_body("PUT", banner, &[], png(64, 64)).await.status,
        403
    );
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let gif: &[u8] = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;";
    for (body, status, words) in [
        (svg.as_bytes().to_vec(), 415, "SVG"),
        (b"hello".to_vec(), 415, "PNG, JPEG"),
        (gif.to_vec(), 422, "too many pixels"),
        (vec![0; 11 * 1024 * 1024], 413, "10 MiB"),
        (Vec::new(), 422, "body of the request"),
    ] {
        let answer = ada.send_body("PUT", banner, &[], body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    }
    let outside = format!("{banner}?x=0&y=0&width=900&height=16");
    let answer = ada.send_body("PUT", &outside, &JSON, png(64, 64)).await;
    assert_eq!(answer.code(), "crop_invalid");
    let half = format!("{banner}?x=0");
    assert_eq!(
        ada.send_body("PUT", &half, &[], png(64, 64)).await.code(),
        "crop_invalid"
    );
    assert_eq!(
        ada.get("/api/channels/ada").await.json()["banner_url"],
        Value::Null
    );
}
