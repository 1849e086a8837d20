//! `/whep`: draft-ietf-wish-whep and its core extensions, as INTEROP has them.

use serde_json::{Value, json};
use sfu::SessionId;
use tallylight::accounts::Role as AccountRole;
use tallylight::streams::ChannelState;

use crate::support::{Answer, Backend, Follower, Player, Server, publish_offer, view_offer};

const SDP: (&str, &str) = ("content-type", "application/sdp");
const JSON: (&str, &str) = ("content-type", "application/json");

/// `@ada` on air and one viewer: the publisher's session, the viewer, its answer.
async fn watched(server: &Server) -> (SessionId, Player, Answer) {
    let (_, publisher) = server.on_air().await;
    let player = server.player();
    let answer = player.view("ada", view_offer()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (publisher, player, answer)
}

#[tokio::test]
async fn an_offer_gets_201_with_all_that_players_need() {
    let server = Server::plain().await;
    let (_, _, answer) = watched(&server).await;
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert!(answer.text.contains("a=sendonly"));
    let location = answer.header("location");
    assert!(location.starts_with("/whep/sessions/"));
    assert!(answer.header("etag").starts_with('"'));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let links = answer.all("link");
    let events = links
        .iter()
        .find(|link| link.contains("server-sent-events"));
    let events = events.expect("the events extension is told of");
    assert!(events.contains(&format!("<{location}/events>")), "{events}");
    assert!(
        events.contains("events=\"active,inactive,layers"),
        "{events}"
    );
    assert!(links.iter().any(|link| link.contains("core:layer")));
}

#[tokio::test]
async fn what_was_no_credential_at_the_offer_is_none_later() {
    let server = Server::plain().await;
    server.on_air().await;
    let player = server.player();
    for authorization in ["Bearer undefined", "Basic YTpi"] {
        let headers = [SDP, ("authorization", authorization)];
        let answer = player
            .http
            .send_body("POST", "/whep/ada", &headers, view_offer())
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let url = answer.header("location");
        let headers = [("authorization", authorization)];
        let answer = player.http.send("DELETE", url, &headers).await;
        assert_eq!(answer.status, 200, "{authorization}: {answer:?}");
    }
}

#[tokio::test]
async fn wishes_are_as_short_as_offers() {
    let server = Server::plain().await;
    let (_, player, answer) = watched(&server).await;
    let url = answer.header("location");
    let many = format!("[{}\"active\"]", "\"active\",".repeat(8_000));
    for what in ["events", "layer"] {
        let answer = player
            .http
            .send_body("POST", &format!("{url}/{what}"), &[JSON], many.clone())
            .await;
        assert_eq!(answer.status, 413, "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn nobody_live_is_409_and_no_channel_404() {
    let server = Server::plain().await;
    server.creator().await;
    let player = server.player();
    let answer = player.view("ada", view_offer()).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.code(), "not_live");
    assert!(!answer.header("retry-after").is_empty());
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("Retry-After")
    );
    let answer = player.view("nobody", view_offer()).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.code(), "channel_not_found");
    // A publisher that has not connected is not live yet.
    server.encoder("ada").await.publish(publish_offer()).await;
    assert_eq!(player.view("ada", view_offer()).await.code(), "not_live");
}

#[tokio::test]
async fn viewers_may_come_while_the_publisher_is_away() {
    let server = Server::plain().await;
    let (_, session) = server.on_air().await;
    server.media_stops(session).await;
    let answer = server.player().view("ada", view_offer()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn what_is_no_offer_is_named() {
    let server = Server::plain().await;
    server.on_air().await;
    let player = server.player();
    let wrong = [("content-type", "application/json")];
    let answer = player
        .http
        .send_body("POST", "/whep/ada", &wrong, view_offer())
        .await;
    assert_eq!(answer.status, 415);
    assert_eq!(
        player.view("ada", "nonsense".into()).await.code(),
        "sdp_invalid"
    );
    let long = "v=0\r\n".repeat(14_000);
    assert_eq!(player.view("ada", long).await.status, 413);
    let sending = view_offer().replace("recvonly", "sendonly");
    assert_eq!(player.view("ada", sending).await.code(), "direction_wrong");
}

#[tokio::test]
async fn get_head_and_options_tell_what_this_is() {
    let server = Server::plain().await;
    let (_, player, answer) = watched(&server).await;
    let head = player.http.send("HEAD", "/whep/ada", &[]).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), "application/sdp");
    assert_eq!(player.http.get("/whep/ada").await.status, 204);
    assert_eq!(
        player.http.send("HEAD", "/whep/nobody", &[]).await.status,
        404
    );
    let url = answer.header("location");
    assert_eq!(player.http.get(url).await.status, 204);
    for path in [
        "/whep/ada",
        url,
        &format!("{url}/events"),
        &format!("{url}/layer"),
    ] {
        let preflight = [("access-control-request-method", "POST")];
        let options = player.http.send("OPTIONS", path, &preflight).await;
        assert_eq!(options.status, 200, "{path}");
        assert_eq!(options.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn delete_ends_a_viewer_and_nobody_else() {
    let server = Server::plain().await;
    let (_, player, answer) = watched(&server).await;
    let url = answer.header("location");
    assert_eq!(player.http.delete(url).await.status, 200);
    server
        .wait_for("the session to be gone", || async {
            (player.http.delete(url).await.status == 404).then_some(())
        })
        .await;
    assert!(server.live("ada").await.is_some());
}

#[tokio::test]
async fn a_token_sent_with_the_offer_must_be_the_same_later() {
    let server = Server::plain().await;
    server.on_air().await;
    let player = server.player();
    let headers = [SDP, ("authorization", "Bearer mine")];
    let answer = player
        .http
        .send_body("POST", "/whep/ada", &headers, view_offer())
        .await;
    assert_eq!(answer.status, 201);
    let url = answer.header("location");
    let wrong = [("authorization", "Bearer other")];
    assert_eq!(player.http.send("DELETE", url, &wrong).await.status, 401);
    let right = [("authorization", "Bearer mine")];
    assert_eq!(player.http.send("DELETE", url, &right).await.status, 200);
}

#[tokio::test]
async fn wishes_for_layers_are_understood_or_refused_in_words() {
    let server = Server::plain().await;
    let (_, player, answer) = watched(&server).await;
    let url = format!("{}/layer", answer.header("location"));
    let choose = |wish: Value| {
        let (player, url) = (player.clone(), url.clone());
        async move {
            let body = wish.to_string();
            player.http.send_body("POST", &url, &[JSON], body).await
        }
    };
    // What was understood waits for the media connection, which is not there in these tests.
    for wish in [
        json!({ "mediaId": "1" }),
        json!({ "mediaId": "1", "maxHeight": 360 }),
        json!({ "mediaId": "1", "encodingId": "h" }),
    ] {
        assert_eq!(choose(wish).await.code(), "not_connected");
    }
    assert_eq!(
        choose(json!({ "mediaId": "0" })).await.code(),
        "media_unknown"
    );
    let svc = json!({ "mediaId": "1", "spatialLayerId": 1 });
    assert_eq!(choose(svc).await.code(), "svc_unsupported");
    assert_eq!(choose(json!("h")).await.code(), "body_invalid");
}

#[tokio::test]
async fn events_follow_the_stream_from_begin_to_end() {
    let server = Server::plain().await;
    let (publisher, player, answer) = watched(&server).await;
    let url = format!("{}/events", answer.header("location"));
    let mut events = Follower::of(&player.http, &url, None).await;
    let first = events.next().await;
    assert_eq!((first.event.as_str(), first.data), ("active", json!({})));
    let stream = server.live("ada").await.unwrap().stream;
    server.viewer_connects(answer.session(), stream).await;
    loop {
        if events.until("viewercount").await == json!({ "viewercount": 1 }) {
            break;
        }
    }
    server.media_stops(publisher).await;
    assert_eq!(events.until("inactive").await, json!({}));
    server.media_connects("ada", publisher).await;
    assert_eq!(events.until("active").await, json!({}));
    let end = format!("/whip/sessions/{}", publisher.reveal());
    assert_eq!(player.http.delete(&end).await.status, 200);
    assert_eq!(events.until("ended").await, json!({}));
    assert!(
        events.next_or_end().await.is_none(),
        "the stream of events is over"
    );
}

#[tokio::test]
async fn a_player_may_choose_its_events() {
    let server = Server::plain().await;
    let (publisher, player, answer) = watched(&server).await;
    let url = format!("{}/events", answer.header("location"));
    let choose = |names: Value| {
        let (player, url) = (player.clone(), url.clone());
        async move {
            let body = names.to_string();
            player.http.send_body("POST", &url, &[JSON], body).await
        }
    };
    let unknown = choose(json!(["active", "weather"])).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.code(), "event_unknown");
    assert_eq!(choose(json!({})).await.status, 400);
    let chosen = choose(json!(["inactive", "active"])).await;
    assert_eq!(chosen.status, 201);
    let stream = chosen.header("location").to_owned();
    let mut events = Follower::of(&player.http, &stream, None).await;
    assert_eq!(events.next().await.event, "active");
    server.media_stops(publisher).await;
    assert_eq!(
        events.next().await.event,
        "inactive",
        "nothing unasked in between"
    );
    assert_eq!(player.http.delete(&stream).await.status, 200);
    assert!(
        events.next_or_end().await.is_none(),
        "the stream of events is over"
    );
    assert_eq!(
        player.http.get(&stream).await.code(),
        "event_stream_not_found"
    );
}

#[tokio::test]
async fn inactive_is_never_the_first_event() {
    let server = Server::plain().await;
    let (_, session) = server.on_air().await;
    server.media_stops(session).await;
    let player = server.player();
    server
        .wait_for_state("ada", ChannelState::Reconnecting)
        .await;
    let answer = player.view("ada", view_offer()).await;
    let url = format!("{}/events", answer.header("location"));
    let mut events = Follower::of(&player.http, &url, None).await;
    assert_eq!(events.next().await.event, "viewercount");
    assert_eq!(events.until("inactive").await, json!({}));
}

#[tokio::test]
async fn viewers_are_told_to_come_back_when_the_server_drains() {
    let server = Server::plain().await;
    let (_, player, answer) = watched(&server).await;
    let url = format!("{}/events", answer.header("location"));
    let mut events = Follower::of(&player.http, &url, None).await;
    server.app.services.streams.drain();
    assert_eq!(events.until("reconnect").await, json!({}));
    let refused = player.view("ada", view_offer()).await;
    assert_eq!(refused.code(), "shutting_down");
}

#[tokio::test]
async fn the_last_places_are_for_the_channels_own_people_and_the_rest_plays_by_hls() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.viewers = 4;
        config.limits.viewers_reserved_percent = 50;
    });
    let server = server.await;
    let ada = server.creator().await;
    server.go_live(&server.encoder("ada").await).await;
    let sdp = [("content-type", "application/sdp")];
    for place in 0..3 {
        let viewed = server.player().view("ada", view_offer()).await;
        let expected = if place < 2 { 201 } else { 503 };
        assert_eq!(viewed.status, expected, "{viewed:?}");
        if place == 2 {
            assert_eq!(viewed.code(), "server_full");
            assert_eq!(viewed.header("retry-after"), "10");
        }
    }
    for place in 0..3 {
        let viewed = ada.send_body("POST", "/whep/ada", &sdp, view_offer()).await;
        let expected = if place < 2 { 201 } else { 503 };
        assert_eq!(viewed.status, expected, "{viewed:?}");
    }
}

#[tokio::test]
async fn so_many_of_one_address_and_so_many_channels_and_no_more() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.viewers_per_address = 1;
        config.limits.publishers = 1;
    });
    let server = server.await;
    let (encoder, session) = server.on_air().await;
    assert_eq!(server.player().view("ada", view_offer()).await.status, 201);
    let second = server.player().view("ada", view_offer()).await;
    assert_eq!(second.code(), "server_full");
    server.account("bob", AccountRole::Creator).await;
    let bob = server.encoder("bob").await;
    let refused = bob.publish(publish_offer()).await;
    assert_eq!(refused.code(), "server_full");
    // Who is live already comes back.
    server.media_stops(session).await;
    server
        .wait_for_state("ada", ChannelState::Reconnecting)
        .await;
    assert_eq!(encoder.publish(publish_offer()).await.status, 201);
}
