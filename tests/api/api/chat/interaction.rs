//! Polls, questions, reactions, emotes.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Account, Answer, Server, Talker, on_both_databases};

async fn post(by: &Account, path: &str, body: Value) -> Answer {
    by.post(&format!("/api/channels/ada/chat/{path}"), body)
        .await
}

async fn put(by: &Account, path: &str, body: Value) -> Answer {
    let json = [("content-type", "application/json")];
    let path = format!("/api/channels/ada/chat/{path}");
    by.send_body("PUT", &path, &json, body.to_string()).await
}

on_both_databases! {
    async fn a_poll_counts_each_account_once_and_ends_by_itself(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let mut reads = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
        for wrong in [
            json!({ "question": "", "options": ["a", "b"], "seconds": 60 }),
            json!({ "question": "q", "options": ["a"], "seconds": 60 }),
            json!({ "question": "q", "options": ["a", "a"], "seconds": 60 }),
            json!({ "question": "q", "options": ["a", "b"], "seconds": 5 }),
        ] {
            assert_eq!(post(&ada, "polls", wrong.clone()).await.status, 422, "{wrong}");
        }
        let wish = json!({ "question": "Which?", "options": ["tea", "coffee"], "seconds": 60 });
        assert_eq!(post(&vic, "polls", wish.clone()).await.status, 403);
        let poll = post(&ada, "polls", wish.clone()).await;
        assert_eq!(poll.status, 201, "{poll:?}");
        let poll = poll.json();
        let id = poll["id"].as_str().unwrap();
        assert_eq!(reads.next("poll").await["poll"]["question"], "Which?");
        assert_eq!(post(&ada, "polls", wish).await.code(), "poll_open");
        let vote = format!("polls/{id}/vote");
        assert_eq!(put(&vic, &vote, json!({ "option": 1 })).await.status, 204);
        let again = put(&vic, &vote, json!({ "option": 0 })).await;
        assert_eq!(again.code(), "voted_already");
        assert_eq!(put(&ada, &vote, json!({ "option": 2 })).await.code(), "option_unknown");
        assert_eq!(put(&ada, &vote, json!({ "option": 1 })).await.status, 204);
        reads.next_where("poll", |event| event["poll"]["options"][1]["votes"] == 2).await;
        server.clock.advance(Duration::from_secs(61));
        let ended = reads.next_where("poll", |event| event["poll"]["state"] == "ended").await;
        assert_eq!(ended["poll"]["options"][1]["votes"], 2);
        assert_eq!(put(&vic, &vote, json!({ "option": 1 })).await.code(), "poll_ended");
        assert_eq!(ada.delete("/api/channels/ada/chat/polls/current").await.status, 204);
        assert_eq!(reads.next("poll").await["poll"], json!(null));
        let all = vic.get("/api/channels/ada/chat/polls").await.json();
        assert_eq!(all["items"][0]["options"][1]["votes"], 2);
        // One that nobody puts away goes by itself, some time after its end.
        let wish = json!({ "question": "And now?", "options": ["tea", "coffee"], "seconds": 10 });
        assert_eq!(post(&ada, "polls", wish).await.status, 201);
        server.clock.advance(Duration::from_secs(11));
        reads.next_where("poll", |event| event["poll"]["state"] == "ended").await;
        server.clock.advance(Duration::from_secs(121));
        reads.next_where("poll", |event| event["poll"] == json!(null)).await;
    }

    async fn questions_are_asked_voted_up_and_answered(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let mut reads = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
        let asked = post(&vic, "questions", json!({ "text": "Why <i>tea</i>?" })).await;
        assert_eq!(asked.status, 201, "{asked:?}");
        let id = asked.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(reads.next("question").await["question"]["text"], "Why <i>tea</i>?");
        assert_eq!(put(&ada, &format!("questions/{id}/vote"), json!({})).await.status, 204);
        assert_eq!(put(&ada, &format!("questions/{id}/vote"), json!({})).await.status, 204);
        reads.next_where("question", |event| event["question"]["votes"] == 1).await;
        let path = format!("/api/channels/ada/chat/questions/{id}");
        assert_eq!(vic.patch(&path, json!({ "state": "answered" })).await.status, 403);
        let shown = ada.patch(&path, json!({ "on_screen": true })).await.json();
        assert_eq!(shown["on_screen"], true);
        let second = post(&ada, "questions", json!({ "text": "Really?" })).await.json();
        let other = format!("/api/channels/ada/chat/questions/{}", second["id"].as_str().unwrap());
        ada.patch(&other, json!({ "on_screen": true })).await;
        let off = reads.next_where("question", |event| {
            event["question"]["id"] == id && event["question"]["on_screen"] == false
                && event["question"]["votes"] == 1
        });
        off.await;
        let answered = ada.patch(&path, json!({ "state": "answered" })).await.json();
        assert_eq!(answered["state"], "answered");
        let open = vic.get("/api/channels/ada/chat/questions").await.json();
        assert_eq!(open["items"].as_array().unwrap().len(), 1);
        let settled = put(&vic, &format!("questions/{id}/vote"), json!({})).await;
        assert_eq!(settled.code(), "question_settled");
        for text in ["a?", "b?", "c?"] {
            server.clock.advance(Duration::from_secs(6));
            assert_eq!(post(&vic, "questions", json!({ "text": text })).await.status, 201);
        }
        let much = post(&vic, "questions", json!({ "text": "d?" })).await;
        assert_eq!(much.code(), "too_many_questions");
    }
}

#[tokio::test]
async fn reactions_of_many_are_one_small_message() {
    let server = Server::plain().await;
    server.creator().await;
    let mut people = Vec::new();
    for name in ["ben", "cat", "dan"] {
        let account = server.account(name, Role::Viewer).await;
        people.push(Talker::of(&account, "ada").await);
    }
    let mut reads = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
    let emoji = reads.hello["reactions"][1].clone();
    for person in &mut people {
        person
            .send(json!({ "type": "react", "emoji": emoji }))
            .await;
    }
    let mut count = 0;
    while count < 3 {
        let event = reads.next("reactions").await;
        count += event["counts"][emoji.as_str().unwrap()].as_u64().unwrap();
        assert_eq!(event["stream_time_ms"], json!(null));
    }
    people[0]
        .send(json!({ "type": "react", "emoji": "🧨" }))
        .await;
    assert_eq!(people[0].next("refused").await["code"], "emoji_unknown");
    reads.send(json!({ "type": "react", "emoji": emoji })).await;
    assert_eq!(reads.next("refused").await["code"], "not_signed_in");
}

#[tokio::test]
async fn emotes_are_drawn_anew_and_counted_as_emotes() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let mut talks = Talker::of(&vic, "ada").await;
    let gif =
        b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let path = "/api/channels/ada/chat/emotes/wave";
    let headers = [("content-type", "image/gif")];
    let made = ada.send_body("PUT", path, &headers, gif.to_vec()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let emote = made.json();
    assert_eq!(talks.next("emotes").await["emotes"][0], emote);
    let picture = ada.get(emote["url"].as_str().unwrap()).await;
    assert_eq!(picture.header("content-type"), "image/png");
    let svg = ada
        .send_body("PUT", path, &headers, "<svg onload='x()'/>")
        .await;
    assert_eq!(svg.status, 415, "{svg:?}");
    let wrong = "/api/channels/ada/chat/emotes/Wave!";
    let wrong = ada.send_body("PUT", wrong, &headers, gif.to_vec()).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let other = vic.send_body("PUT", path, &headers, gif.to_vec()).await;
    assert_eq!(other.status, 403);
    ada.patch("/api/channels/ada/chat", json!({ "emote_only": true }))
        .await;
    assert_eq!(talks.refused("hello").await["code"], "emote_only");
    talks.said(":wave: :wave:").await;
    assert_eq!(ada.delete(path).await.status, 204);
    assert_eq!(talks.refused(":wave:").await["code"], "emote_only");
}
