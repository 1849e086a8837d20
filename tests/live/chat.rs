//! Chat over data channels, with webrtc-rs on the other end.

use loadtest::foreign::{self, Watching};
use loadtest::source::{Source, VideoCodec};
use serde_json::{Value, json};

use crate::support::{Server, until};

/// Events that a viewer got, oldest first.
fn events(viewer: &Watching) -> Vec<Value> {
    let frames = viewer.heard().into_iter();
    let read = frames.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    read.flat_map(|frame| match frame {
        Value::Array(events) => events,
        event => vec![event],
    })
    .collect()
}

fn find(viewer: &Watching, kind: &str) -> Option<Value> {
    events(viewer)
        .into_iter()
        .find(|event| event["type"] == kind)
}

async fn wait(viewer: &Watching, kind: &str) -> Value {
    until(kind, || async { find(viewer, kind).is_some() }).await;
    find(viewer, kind).unwrap()
}

async fn enters(server: &Server, join: Value) -> Watching {
    let whep = server.whep();
    let viewer = foreign::watch(&whep, VideoCodec::Vp8, true, &server.sent);
    let viewer = viewer.await.unwrap();
    until("the data channel", || async {
        !viewer.report().channels.is_empty()
    })
    .await;
    let mut join = join;
    join["type"] = json!("join");
    join["v"] = json!(1);
    viewer.say(&join.to_string()).await.unwrap();
    viewer
}

/// A token for the data channel of ada's, who is signed in.
async fn token(server: &Server) -> String {
    let base = format!("http://{}", server.app.http);
    let http = reqwest::Client::new();
    let login = http
        .post(format!("{base}/api/auth/login"))
        .header("origin", &base)
        .json(&json!({ "name": "ada", "password": "correct horse" }))
        .send()
        .await
        .unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().to_owned();
    let made = http
        .post(format!("{base}/api/channels/ada/chat/tokens"))
        .header("origin", &base)
        .header("cookie", cookie.split(';').next().unwrap())
        .send()
        .await
        .unwrap();
    let made: Value = made.json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn foreign_peers_talk_over_data_channels() {
    let server = Server::start().await;
    let whip = server.whip();
    let source = Source::made_up_vp8();
    let publisher = foreign::publish(&whip, &source, &server.sent);
    let publisher = publisher.await.unwrap();
    server.until_live().await;
    let reads = enters(&server, json!({})).await;
    let hello = wait(&reads, "hello").await;
    assert_eq!(hello["you"]["may_write"], false);
    assert!(hello["stream"]["id"].is_string(), "{hello}");
    let talks = enters(&server, json!({ "token": token(&server).await })).await;
    assert_eq!(wait(&talks, "hello").await["you"]["role"], "owner");
    let say = json!({ "type": "send", "ref": "1", "text": "hello" });
    talks.say(&say.to_string()).await.unwrap();
    let id = wait(&talks, "accepted").await["id"].clone();
    let heard = wait(&reads, "message").await["message"].clone();
    assert_eq!((&heard["id"], &heard["text"]), (&id, &json!("hello")));
    assert!(heard["stream_time_ms"].as_i64().is_some(), "{heard}");
    let emoji = hello["reactions"][0].clone();
    let react = json!({ "type": "react", "emoji": emoji });
    talks.say(&react.to_string()).await.unwrap();
    wait(&reads, "reactions").await;
    reads.say("no chat at all").await.unwrap();
    assert_eq!(wait(&reads, "refused").await["code"], "malformed");
    // Who leaves is not there any more.
    assert_eq!(server.app.services.chat.readers(), 2);
    talks.session.delete().await.unwrap();
    until("it to be gone", || async {
        server.app.services.chat.readers() == 1
    })
    .await;
    publisher.session.delete().await.unwrap();
}

#[tokio::test]
async fn a_flood_on_a_data_channel_holds_up_no_picture() {
    let server = Server::start().await;
    let whip = server.whip();
    let source = Source::made_up_vp8();
    let publisher = foreign::publish(&whip, &source, &server.sent);
    let publisher = publisher.await.unwrap();
    server.until_live().await;
    let floods = enters(&server, json!({})).await;
    let watches = enters(&server, json!({})).await;
    wait(&floods, "hello").await;
    wait(&watches, "hello").await;
    let say = json!({ "type": "send", "ref": "1", "text": "x".repeat(400) }).to_string();
    for _ in 0..1_000 {
        floods.say(&say).await.unwrap();
    }
    assert_eq!(wait(&floods, "refused").await["code"], "not_signed_in");
    assert_eq!(find(&watches, "message"), None);
    let seen = watches.report().whole_frames;
    until("more video", || async {
        watches.report().whole_frames > seen + 30
    })
    .await;
    assert_eq!(watches.report().lost, 0);
    publisher.session.delete().await.unwrap();
}

#[tokio::test]
async fn whoever_has_a_data_channel_hears_on_it_that_the_server_stops() {
    let server = Server::start().await;
    let whip = server.whip();
    let source = Source::made_up_vp8();
    let publisher = foreign::publish(&whip, &source, &server.sent);
    let _publisher = publisher.await.unwrap();
    server.until_live().await;
    let talks = enters(&server, json!({})).await;
    wait(&talks, "hello").await;
    server.app.shut_down().await;
    wait(&talks, "reconnect").await;
}
