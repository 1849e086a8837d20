//! Saying and hearing.

use serde_json::json;
use tallylight::accounts::Role;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Backend, Program, Server, Talker, on_both_databases};

on_both_databases! {
    async fn what_is_said_is_heard_and_kept(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let mut ada = Talker::of(&ada, "ada").await;
        let mut vic_talks = Talker::of(&vic, "ada").await;
        assert_eq!(vic_talks.hello["you"]["role"], "viewer");
        assert_eq!(ada.hello["you"]["role"], "owner");
        let first = vic_talks.said("hello <b>there</b> \u{202e}you").await;
        let heard = ada.next("message").await;
        let message = &heard["message"];
        assert_eq!(message["id"], first);
        assert_eq!(message["text"], "hello <b>there</b> you", "markup is text");
        assert_eq!(message["from"]["name"], "vic");
        assert_eq!(message["stream"], json!(null));
        ada.send(json!({ "type": "send", "ref": "r", "text": "hi vic", "reply_to": first })).await;
        let answer = vic_talks
            .next_where("message", |event| event["message"]["text"] == "hi vic")
            .await;
        assert_eq!(answer["message"]["reply_to"]["name"], "vic");
        assert_eq!(answer["message"]["from"]["badges"], json!(["owner"]));
        let answered = answer["message"]["id"].as_i64().unwrap();
        assert!(answered > first);
        // Whoever comes later gets both, whoever comes back what they lack.
        let mut late = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
        let known: Vec<_> = late.hello["messages"].as_array().unwrap().iter().collect();
        assert_eq!(known.len(), 2);
        assert_eq!(late.hello["resumed"], false);
        assert_eq!(late.hello["you"]["may_write"], false);
        assert_eq!(late.refused("me too").await["code"], "not_signed_in");
        let back = Talker::stranger(&server.anonymous(), "ada", json!({ "after": first })).await;
        assert_eq!(back.hello["resumed"], true);
        assert_eq!(back.hello["messages"][0]["id"], answered);
        assert_eq!(back.hello["messages"].as_array().unwrap().len(), 1);
        // The same by the API, page by page.
        let page = vic.get("/api/channels/ada/chat/messages?limit=1").await.json();
        assert_eq!(page["items"][0]["text"], "hi vic");
        assert_eq!(page["items"][0]["reply_to"]["id"], first);
        let before = page["next_before"].as_i64().unwrap();
        let page = vic.get(&format!("/api/channels/ada/chat/messages?before={before}")).await.json();
        assert_eq!(page["items"][0]["id"], first);
        assert_eq!(page["next_before"], json!(null));
    }
}

#[tokio::test]
async fn a_server_that_comes_back_knows_what_was_said() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let mut talker = Talker::of(&ada, "ada").await;
    let id = talker.said("before").await;
    let data = server.stop().await;
    assert_eq!(talker.closed().await, "restarting");
    let server = Server::start_on(data, Backend::Sqlite, |_| {}).await;
    let mut talker = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
    assert_eq!(talker.hello["messages"][0]["id"], id);
    assert!(talker.settled().await.is_empty());
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_said_once() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let mut talker = Talker::of(&ada, "ada").await;
    let first = talker.said("once").await;
    assert_eq!(talker.said("once").await, first);
    let mut other = Talker::of(&ada, "ada").await;
    assert_eq!(other.hello["messages"].as_array().unwrap().len(), 1);
    assert!(other.settled().await.is_empty());
}

#[tokio::test]
async fn who_writes_too_fast_is_told_how_long_to_wait_and_others_are_not_held_up() {
    let server = Server::plain().await;
    let (ada, vic) = (
        server.creator().await,
        server.account("vic", Role::Viewer).await,
    );
    let mut vic = Talker::of(&vic, "ada").await;
    for n in 0..5 {
        vic.said(&n.to_string()).await;
    }
    let refused = vic.refused("6").await;
    assert_eq!(refused["code"], "too_fast");
    let wait = refused["wait_ms"].as_u64().unwrap();
    assert!((1..=5_000).contains(&wait), "{refused}");
    Talker::of(&ada, "ada").await.said("I may").await;
    server.clock.advance(std::time::Duration::from_secs(5));
    vic.said("6").await;
}

#[tokio::test]
async fn bad_frames_are_refused_by_name_and_much_of_it_ends_the_connection() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let mut talker = Talker::of(&ada, "ada").await;
    talker.send(json!({ "type": "shout" })).await;
    assert_eq!(talker.next("refused").await["code"], "unknown_type");
    talker.send_raw(Message::text("{")).await;
    assert_eq!(talker.next("refused").await["code"], "malformed");
    talker.send_raw(Message::text("[]")).await;
    assert_eq!(talker.closed().await, "malformed");
    let mut talker = Talker::of(&ada, "ada").await;
    talker.send_raw(Message::binary(vec![0; 16])).await;
    assert_eq!(talker.closed().await, "malformed");
    let mut talker = Talker::of(&ada, "ada").await;
    talker
        .send_raw(Message::text("x".repeat(1024 * 1024)))
        .await;
    assert_eq!(talker.closed().await, "too_large");
    let mut talker = Talker::of(&ada, "ada").await;
    for _ in 0..150 {
        talker.send(json!({ "type": "ping" })).await;
    }
    assert_eq!(talker.closed().await, "malformed");
    let mut talker = Talker::of(&ada, "ada").await;
    for text in ["", " \u{200b}", &"x".repeat(501)] {
        let refused = talker.refused(text).await;
        let code = refused["code"].as_str().unwrap();
        assert!(
            ["malformed", "text_empty", "text_too_long"].contains(&code),
            "{refused}"
        );
    }
    talker.said("still here").await;
}

#[tokio::test]
async fn nothing_leaks_from_one_room_into_another() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    server.account("eve", Role::Creator).await;
    let mut of_eve = Talker::of(&ada, "eve").await;
    let mut of_ada = Talker::of(&ada, "ada").await;
    let id = of_ada.said("for ada's").await;
    let mut second = Talker::of(&ada, "ada").await;
    second.said("too").await;
    assert!(of_eve.settled().await.is_empty());
    of_eve
        .send(json!({ "type": "send", "ref": "r", "text": "x", "reply_to": id }))
        .await;
    assert_eq!(of_eve.next("refused").await["code"], "reply_unknown");
}

#[tokio::test]
async fn programs_write_with_the_right_scope_alone() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let reader = Program::of(&server, &ada, &["chat:read"]).await;
    let writer = Program::of(&server, &ada, &["chat:read", "chat:write"]).await;
    let mut reads = Talker::of_program(&reader, "ada").await;
    assert_eq!(reads.hello["you"]["may_write"], false);
    assert_eq!(reads.refused("hi").await["code"], "not_allowed");
    let mut writes = Talker::of_program(&writer, "ada").await;
    writes.said("beep").await;
    assert_eq!(reads.heard().await, "beep");
    let path = "/api/channels/ada/chat/messages";
    let body = json!({ "text": "boop" });
    assert_eq!(reader.send("POST", path, &body).await.status, 403);
    let answer = writer.send("POST", path, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(reads.heard().await, "boop");
    let body = json!({ "text": "listen", "kind": "announcement" });
    let answer = writer.send("POST", path, &body).await.json();
    assert_eq!(answer["kind"], "announcement");
}

#[tokio::test]
async fn an_account_takes_what_it_said_along() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let mut talker = Talker::of(&vic, "ada").await;
    talker.said("remember me").await;
    let chat = "/api/channels/ada/chat";
    let wish = json!({ "question": "Which?", "options": ["tea", "coffee"], "seconds": 60 });
    let poll = ada.post(&format!("{chat}/polls"), wish).await.json();
    let vote = format!("{chat}/polls/{}/vote", poll["id"].as_str().unwrap());
    let json = [("content-type", "application/json")];
    let voted = vic.send_body("PUT", &vote, &json, r#"{"option":1}"#).await;
    assert_eq!(voted.status, 204, "{voted:?}");
    let asked = json!({ "text": "Why?" });
    assert_eq!(
        vic.post(&format!("{chat}/questions"), asked).await.status,
        201
    );
    let export = vic.get("/api/account/export").await.json();
    assert_eq!(
        export["chat"]["messages"][0]["text"], "remember me",
        "{export}"
    );
    let mut reader = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
    let body = json!({ "password": crate::support::PASSWORD });
    let left = vic.delete_with("/api/account", body).await;
    assert!(left.status.is_success(), "{left:?}");
    reader.next("silenced").await;
    assert_eq!(talker.closed().await, "door_changed");
    let kept = reader_list(&server).await;
    assert_eq!(kept, json!([]));
}

async fn reader_list(server: &Server) -> serde_json::Value {
    let page = server
        .anonymous()
        .get("/api/channels/ada/chat/messages")
        .await;
    page.json()["items"].clone()
}

#[tokio::test]
async fn however_long_what_was_said_is_newcomers_come_in() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let mut talker = Talker::of(&ada, "ada").await;
    let long = "😀".repeat(480);
    for burst in 0..11 {
        server.clock.advance(std::time::Duration::from_secs(5));
        for n in 0..20 {
            talker.say(&format!("{burst} {n} {long}")).await;
        }
        let last = format!("{burst} 19 ");
        talker
            .next_where("message", |event| begins(event, &last))
            .await;
    }
    let mut late = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
    let events = late.settled().await;
    let first = late.hello["messages"].as_array().unwrap().len();
    let rest = events.iter().filter(|event| event["type"] == "message");
    let known = first + rest.count();
    assert!((40..200).contains(&known), "the newest that fit: {known}");
    let last = events.last().unwrap();
    assert!(begins(last, "10 19 "), "with the last: {last}");
}

fn begins(event: &serde_json::Value, with: &str) -> bool {
    let text = event["message"]["text"].as_str();
    text.is_some_and(|text| text.starts_with(with))
}
