//! `/api/streams`, and what stands below `/api/channels` of streams.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::streams::ChannelState;

use crate::support::{Account, Backend, Server, on_both_databases, publish_offer};

/// So far ahead, in UTC.
fn ahead(server: &Server, minutes: i64) -> String {
    let at = server.clock.now() + jiff::SignedDuration::from_mins(minutes);
    at.to_string()
}

async fn plan(server: &Server, ada: &Account, title: &str, minutes: i64) -> Value {
    let wish = json!({
        "channel": "ada", "title": title,
        "scheduled_at": ahead(server, minutes), "time_zone": "Europe/Berlin",
    });
    let answer = ada.post("/api/streams", wish).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn path(stream: &Value) -> String {
    format!("/api/streams/{}", stream["id"].as_str().unwrap())
}

/// Waits until a stream is in a state.
async fn wait_for_state(server: &Server, stream: &Value, state: &str) -> Value {
    let (person, path) = (server.anonymous(), path(stream));
    server
        .wait_for(&format!("{path} to be {state}"), || async {
            let shown = person.get(&path).await.json();
            (shown["state"] == state).then_some(shown)
        })
        .await
}

on_both_databases! {
    async fn a_planned_stream_goes_on_air_and_ends(server) {
        let ada = server.creator().await;
        let planned = plan(server, &ada, "Evening talk", 30).await;
        assert_eq!(planned["state"], "scheduled");
        assert_eq!(planned["time_zone"], "Europe/Berlin");
        assert_eq!(planned["started_at"], Value::Null);
        let page = server.anonymous().get("/api/channels/ada").await.json();
        assert_eq!(page["state"], "offline");
        assert_eq!(page["next_stream"]["id"], planned["id"]);
        assert_eq!(page["stream"], Value::Null);

        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let live = wait_for_state(server, &planned, "live").await;
        assert_eq!(live["title"], "Evening talk");
        assert_eq!(live["source"], "whip");
        assert_eq!(live["live"]["state"], "live");
        assert_ne!(live["started_at"], Value::Null);
        let page = server.anonymous().get("/api/channels/ada").await.json();
        assert_eq!(page["stream"]["id"], planned["id"]);
        assert_eq!(page["next_stream"], Value::Null);
        let now = server.anonymous().get("/api/channels/ada/live").await.json();
        assert_eq!(now["id"], planned["id"]);
        let all = server.anonymous().get("/api/streams/live").await.json();
        assert_eq!(all["items"][0]["title"], "Evening talk");
        let hls = server.anonymous().get(&format!("{}/hls", path(&planned))).await.json();
        assert_eq!(hls["url"], "/hls/ada/index.m3u8");

        let ended = ada.post(&format!("{}/end", path(&planned)), json!({})).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        assert_eq!(ended.json()["state"], "ended");
        assert!(server.live("ada").await.is_none());
        assert_eq!(server.anonymous().get("/api/channels/ada/live").await.code(), "not_live");
        let hls = server.anonymous().get(&format!("{}/hls", path(&planned))).await;
        assert_eq!(hls.code(), "not_live");
        let again = ada.post(&format!("{}/end", path(&planned)), json!({})).await;
        assert_eq!((again.status.as_u16(), again.code()), (409, "stream_state".to_owned()));
        let past = server.anonymous().get("/api/streams?channel=ada&state=ended").await.json();
        assert_eq!(past["items"][0]["id"], planned["id"]);
    }

    async fn the_next_stream_is_of_the_same_title_as_the_last(server) {
        let ada = server.creator().await;
        let wish = json!({
            "channel": "ada", "title": "Chess", "category": "gaming", "tags": ["Chess", "chess", "Zug"],
            "language": "de", "settings": { "latency": "low", "record": false },
        });
        let first = ada.post("/api/streams", wish).await.json();
        assert_eq!(first["state"], "preparing");
        assert_eq!(first["tags"], json!(["chess", "zug"]));
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        wait_for_state(server, &first, "live").await;
        ada.post(&format!("{}/end", path(&first)), json!({})).await;
        server.go_live(&encoder).await;
        // On air is told from memory; its row follows a moment later.
        let second = server
            .wait_for("the second stream", || async {
                let second = ada.get("/api/channels/ada/live").await.json();
                (second["id"].is_string() && second["id"] != first["id"]).then_some(second)
            })
            .await;
        for field in ["title", "category", "tags", "language", "settings"] {
            assert_eq!(second[field], first[field], "{field}");
        }
    }

    async fn what_is_said_of_a_live_stream_changes_at_once(server) {
        let (_, _) = server.on_air().await;
        let ada = Account::sign_in(server, "ada", crate::support::PASSWORD).await;
        let live = ada.get("/api/channels/ada/live").await.json();
        let edit = json!({ "title": "🎥 New", "category": "music", "tags": ["a"] });
        let edited = ada.patch(&path(&live), edit).await;
        assert_eq!(edited.status, 200, "{edited:?}");
        let now = server.anonymous().get("/api/channels/ada/live").await.json();
        assert_eq!((&now["title"], &now["category"]), (&json!("🎥 New"), &json!("music")));
        let list = server.anonymous().get("/api/channels?live=true").await.json();
        assert_eq!(list["items"][0]["title"], "🎥 New");
        let cleared = ada.patch(&path(&live), json!({ "category": null })).await.json();
        assert_eq!((&cleared["category"], &cleared["title"]), (&Value::Null, &json!("🎥 New")));
        let moved = ada.patch(&path(&live), json!({ "scheduled_at": ahead(server, 60) })).await;
        assert_eq!(moved.code(), "stream_state");
        assert!(moved.json()["detail"].as_str().unwrap().contains("live"));
    }

    async fn a_channel_prepares_one_stream_at_a_time(server) {
        let ada = server.creator().await;
        let (one, two) = (plan(server, &ada, "One", 10).await, plan(server, &ada, "Two", 20).await);
        let started = ada.post(&format!("{}/start", path(&two)), json!({})).await;
        assert_eq!(started.status, 200, "{started:?}");
        assert_eq!(started.json()["state"], "preparing");
        let again = ada.post(&format!("{}/start", path(&two)), json!({})).await;
        assert_eq!(again.status, 200, "it waits anew");
        let other = ada.post(&format!("{}/start", path(&one)), json!({})).await;
        assert_eq!((other.status.as_u16(), other.code()), (409, "already_live".to_owned()));
        let third = ada.post("/api/streams", json!({ "channel": "ada" })).await;
        assert_eq!(third.code(), "already_live");
        // The one that was started is taken, although the other is nearer.
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        wait_for_state(server, &two, "live").await;
        let while_live = ada.post(&format!("{}/start", path(&one)), json!({})).await;
        assert_eq!(while_live.code(), "already_live");
        let twice = ada.post(&format!("{}/start", path(&two)), json!({})).await;
        assert_eq!(twice.code(), "already_live");
    }

    async fn nobody_who_comes_lets_a_stream_fall_back(server) {
        let ada = server.creator().await;
        let planned = plan(server, &ada, "Planned", 10).await;
        ada.post(&format!("{}/start", path(&planned)), json!({})).await;
        server.clock.advance(Duration::from_secs(16 * 60));
        let back = wait_for_state(server, &planned, "scheduled").await;
        assert_eq!(back["preparing_until"], Value::Null);
        let unplanned = ada.post("/api/streams", json!({ "channel": "ada" })).await.json();
        server.clock.advance(Duration::from_secs(16 * 60));
        let over = wait_for_state(server, &unplanned, "ended").await;
        assert_eq!(over["started_at"], Value::Null);
        server.clock.advance(Duration::from_secs(4 * 3600));
        wait_for_state(server, &planned, "ended").await;
        let shown = server.anonymous().get("/api/streams?channel=ada").await.json();
        assert_eq!(shown["items"], json!([]), "what never took place is no past stream");
        let own = ada.get("/api/streams?channel=ada").await.json();
        assert_eq!(own["items"].as_array().unwrap().len(), 2);
    }

    async fn a_cancelled_stream_is_seen_as_such(server) {
        let ada = server.creator().await;
        let planned = plan(server, &ada, "Concert", 120).await;
        assert_eq!(ada.delete(&path(&planned)).await.status, 204);
        let page = server.anonymous().get("/api/channels/ada").await.json();
        assert_eq!(page["next_stream"], Value::Null);
        assert_eq!(page["cancelled_stream"]["title"], "Concert");
        let schedule = server.anonymous().get("/api/channels/ada/schedule").await.json();
        assert_eq!(schedule["items"][0]["state"], "cancelled");
        let calendar = server.anonymous().get(&format!("{}.ics", path(&planned))).await;
        assert_eq!(calendar.header("content-type"), "text/calendar; charset=utf-8");
        assert!(calendar.text.contains("STATUS:CANCELLED\r\n"), "{}", calendar.text);
        assert!(calendar.text.contains("SEQUENCE:1\r\n"), "{}", calendar.text);
        for (method, what) in [("DELETE", ""), ("POST", "/start"), ("POST", "/end"), ("POST", "/publish")] {
            let answer = ada.send(method, &format!("{}{what}", path(&planned)), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (409, "stream_state".to_owned()), "{method} {what}");
            assert!(answer.json()["detail"].as_str().unwrap().contains("cancelled"));
        }
        let edited = ada.patch(&path(&planned), json!({ "title": "x" })).await;
        assert_eq!(edited.code(), "stream_state");
    }

    async fn a_preview_is_for_its_maker_until_it_is_published(server) {
        let ada = server.creator().await;
        let wish = json!({ "channel": "ada", "title": "Show", "publish_at_button": true });
        let stream = ada.post("/api/streams", wish).await.json();
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        wait_for_state(server, &stream, "live").await;
        let stranger = server.anonymous();
        assert_eq!(stranger.get("/api/channels/ada").await.json()["state"], "offline");
        assert_eq!(stranger.get("/api/channels/ada/live").await.code(), "not_live");
        assert_eq!(stranger.get("/api/streams/live").await.json()["items"], json!([]));
        assert_eq!(stranger.get("/api/channels?live=true").await.json()["items"], json!([]));
        assert_eq!(stranger.get("/api/streams?channel=ada").await.json()["items"], json!([]));
        let own = ada.get("/api/channels/ada").await.json();
        assert_eq!(own["state"], "live");
        assert_eq!(own["stream"]["is_preview"], true);
        let published = ada.post(&format!("{}/publish", path(&stream)), json!({})).await;
        assert_eq!(published.status, 200, "{published:?}");
        assert_eq!(stranger.get("/api/channels/ada/live").await.json()["is_preview"], false);
        assert_eq!(stranger.get("/api/channels/ada").await.json()["state"], "live");
        let again = ada.post(&format!("{}/publish", path(&stream)), json!({})).await;
        assert_eq!(again.code(), "already_published");
    }

    async fn a_moderator_names_a_stream_and_does_nothing_else(server) {
        let ada = server.creator().await;
        let mo = server.account("mo", Role::Viewer).await;
        let planned = plan(server, &ada, "Talk", 30).await;
        let renamed = mo.patch(&path(&planned), json!({ "title": "Hm" })).await;
        assert_eq!(renamed.code(), "forbidden", "not yet");
        let channels = &server.app.services.channels;
        let channel = channels.expect("ada").await.unwrap();
        let id = mo.get("/api/session").await.json()["account"]["id"].as_str().unwrap().parse().unwrap();
        channels.add_moderator(&channel, tallylight::accounts::AccountId(id)).await.unwrap();
        let renamed = mo.patch(&path(&planned), json!({ "title": "A talk" })).await;
        assert_eq!(renamed.json()["title"], "A talk", "{renamed:?}");
        for more in [json!({ "tags": ["x"] }), json!({ "title": "x", "settings": { "chat": "off" } })] {
            assert_eq!(mo.patch(&path(&planned), more).await.code(), "forbidden");
        }
        assert_eq!(mo.delete(&path(&planned)).await.code(), "forbidden");
    }

    async fn a_stream_gets_a_picture_of_its_own(server) {
        let ada = server.creator().await;
        let planned = plan(server, &ada, "Talk", 30).await;
        let picture = |width, height| {
            let mut png = std::io::Cursor::new(Vec::new());
            let image = image::RgbImage::from_pixel(width, height, image::Rgb([200, 30, 30]));
            image.write_to(&mut png, image::ImageFormat::Png).unwrap();
            png.into_inner()
        };
        let kind = [("content-type", "image/png")];
        let at = format!("{}/thumbnail", path(&planned));
        let set = ada.send_body("PUT", &at, &kind, picture(640, 480)).await;
        assert_eq!(set.status, 200, "{set:?}");
        let url = set.json()["thumbnail_url"].as_str().unwrap().to_owned();
        assert_eq!(server.anonymous().get(&url).await.status, 200);
        let cut = format!("{at}?x=0&y=0&width=320&height=180");
        assert_eq!(ada.send_body("PUT", &cut, &kind, picture(640, 480)).await.status, 200);
        let half = format!("{at}?x=0");
        assert_eq!(ada.send_body("PUT", &half, &kind, picture(640, 480)).await.code(), "crop_invalid");
        let svg = ada.send_body("PUT", &at, &kind, "<svg xmlns='http://www.w3.org/2000/svg'/>").await;
        assert_eq!(svg.status, 415, "{svg:?}");
        let gone = ada.delete(&at).await;
        assert_eq!(gone.json()["thumbnail_url"], Value::Null);
        let eve = server.account("eve", Role::Creator).await;
        assert_eq!(eve.send_body("PUT", &at, &kind, picture(64, 64)).await.code(), "forbidden");
    }

    async fn a_bound_on_the_bitrate_is_told_to_the_publisher(server) {
        let ada = server.creator().await;
        let wish = json!({ "channel": "ada", "settings": { "max_bitrate_kbps": 2500 } });
        assert_eq!(ada.post("/api/streams", wish).await.status, 201);
        let encoder = server.encoder("ada").await;
        let answer = encoder.publish(publish_offer()).await;
        assert!(answer.text.contains("b=AS:2500\r\n"), "{}", answer.text);
    }

    async fn streams_come_in_pages_the_furthest_ahead_first(server) {
        let ada = server.creator().await;
        for minutes in 1..=51 {
            plan(server, &ada, &minutes.to_string(), minutes * 60).await;
        }
        let first = server.anonymous().get("/api/streams?channel=ada").await.json();
        assert_eq!(first["items"].as_array().unwrap().len(), 50);
        assert_eq!(first["items"][0]["title"], "51");
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = server.anonymous().get(&format!("/api/streams?cursor={cursor}")).await.json();
        assert_eq!(second["items"][0]["title"], "1");
        assert_eq!(second["next_cursor"], Value::Null);
        let schedule = server.anonymous().get("/api/channels/ada/schedule").await.json();
        assert_eq!(schedule["items"][0]["title"], "1", "the next first");
        let calendar = server.anonymous().get("/api/channels/ada/schedule.ics").await;
        assert_eq!(calendar.text.matches("BEGIN:VEVENT").count(), 51);
    }

    async fn a_crash_ends_what_was_on_air(server) {
        let ada = server.creator().await;
        let waiting = ada.post("/api/streams", json!({ "channel": "ada" })).await.json();
        let closed = server.close_unfinished().await;
        assert_eq!(closed, 1);
        wait_for_state(server, &waiting, "ended").await;
        let planned = plan(server, &ada, "Planned", 10).await;
        ada.post(&format!("{}/start", path(&planned)), json!({})).await;
        let closed = server.close_unfinished().await;
        assert_eq!(closed, 0);
        wait_for_state(server, &planned, "scheduled").await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_told_field_by_field() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let wish = json!({
        "channel": "ada", "title": "x".repeat(201), "description": "a\u{202E}b",
        "tags": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], "category": "No Slug",
        "language": "not a tag", "scheduled_at": "2020-01-01T00:00:00Z",
        "settings": { "max_layers": 4, "max_bitrate_kbps": 1 },
    });
    let answer = ada.post("/api/streams", wish).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let errors = answer.json()["errors"].clone();
    let fields: Vec<&str> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    for field in [
        "title",
        "description",
        "tags",
        "category",
        "language",
        "scheduled_at",
        "settings.max_layers",
        "settings.max_bitrate_kbps",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    let with = |extra: Value| {
        let mut wish = json!({ "channel": "ada" });
        wish.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        wish
    };
    for (extra, rule) in [
        (
            json!({ "scheduled_at": ahead(&server, 60 * 24 * 400) }),
            "time_too_far",
        ),
        (json!({ "scheduled_at": "soon" }), "time_invalid"),
        (
            json!({ "scheduled_at": ahead(&server, 10), "time_zone": "Mars/Base" }),
            "time_zone_unknown",
        ),
        (json!({ "time_zone": "UTC" }), "missing"),
    ] {
        let answer = ada.post("/api/streams", with(extra.clone())).await;
        assert_eq!(answer.status, 422, "{extra}");
        assert_eq!(answer.json()["errors"][0]["rule"], rule, "{extra}");
    }
    let unknown = ada
        .post("/api/streams", with(json!({ "titel": "x" })))
        .await;
    assert_eq!(unknown.status, 422);
    let emoji = "🎬".repeat(200);
    let made = ada
        .post(
            "/api/streams",
            with(json!({ "title": emoji, "scheduled_at": ahead(&server, 5) })),
        )
        .await;
    assert_eq!(made.json()["title"], emoji);
}

#[tokio::test]
async fn streams_of_others_are_seen_and_not_touched() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let nobody = Account(server.anonymous());
    let planned = plan(&server, &ada, "Mine", 30).await;
    assert_eq!(eve.get(&path(&planned)).await.json()["title"], "Mine");
    let some_id = "01932b1e-0000-7000-8000-000000000000";
    assert_eq!(
        eve.get(&format!("/api/streams/{some_id}")).await.code(),
        "stream_not_found"
    );
    for (method, what) in [
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/start"),
        ("POST", "/end"),
        ("POST", "/publish"),
    ] {
        let json = [("content-type", "application/json")];
        let path = format!("{}{what}", path(&planned));
        let answer = eve.send_body(method, &path, &json, "{}").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (403, "forbidden".to_owned()),
            "{method} {what}"
        );
        let answer = nobody.send_body(method, &path, &json, "{}").await;
        assert_eq!(answer.code(), "not_signed_in", "{method} {what}");
        let missing = format!("/api/streams/{some_id}{what}");
        let answer = ada.send_body(method, &missing, &json, "{}").await;
        assert_eq!(answer.code(), "stream_not_found", "{method} {what}");
    }
    let answer = eve.post("/api/streams", json!({ "channel": "ada" })).await;
    assert_eq!(answer.code(), "forbidden");
    let answer = eve
        .post("/api/streams", json!({ "channel": "nobody" }))
        .await;
    assert_eq!(answer.code(), "channel_not_found");
}

#[tokio::test]
async fn an_encoder_that_the_owner_ended_is_closed_for_good() {
    let server = Server::start(Backend::Sqlite).await;
    let (encoder, session) = server.on_air().await;
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    let live = ada.get("/api/channels/ada/live").await.json();
    ada.post(&format!("{}/end", path(&live)), json!({})).await;
    server
        .wait_for("the session to be gone", || async {
            let location = format!("/whip/sessions/{}", session.reveal());
            let gone = encoder.http.delete(&location).await;
            (gone.status == 404).then_some(())
        })
        .await;
    let answer = encoder.publish(publish_offer()).await;
    assert_eq!(answer.status, 201, "another stream may begin");
    server.media_connects("ada", answer.session()).await;
    server.wait_for_state("ada", ChannelState::Live).await;
    let next = ada.get("/api/channels/ada/live").await.json();
    assert_ne!(next["id"], live["id"]);
}
