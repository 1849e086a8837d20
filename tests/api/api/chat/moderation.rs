//! What moderators do, and what all see of it.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Account, Answer, Server, Talker, on_both_databases};

async fn put(by: &Account, path: &str, body: Value) -> Answer {
    let json = [("content-type", "application/json")];
    let path = format!("/api/channels/ada/chat/{path}");
    by.send_body("PUT", &path, &json, body.to_string()).await
}

async fn post(by: &Account, path: &str, body: Value) -> Answer {
    by.post(&format!("/api/channels/ada/chat/{path}"), body)
        .await
}

async fn get(by: &Account, path: &str) -> Value {
    by.get(&format!("/api/channels/ada/chat/{path}"))
        .await
        .json()
}

/// Texts that somebody gets who comes in now.
async fn history(server: &Server) -> Vec<String> {
    let talker = Talker::stranger(&server.anonymous(), "ada", json!({})).await;
    let messages = talker.hello["messages"].as_array().unwrap();
    let text = |message: &Value| message["text"].as_str().unwrap().to_owned();
    messages.iter().map(text).collect()
}

on_both_databases! {
    async fn what_is_taken_away_is_gone_for_all(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let (mut talks, mut reads) = (
            Talker::of(&vic, "ada").await,
            Talker::stranger(&server.anonymous(), "ada", json!({})).await,
        );
        let (first, second) = (talks.said("one").await, talks.said("two").await);
        let path = format!("/api/channels/ada/chat/messages/{first}");
        assert_eq!(vic.delete(&path).await.status, 204, "one's own");
        assert_eq!(reads.next("deleted").await["ids"], json!([first]));
        assert_eq!(vic.delete(&path).await.code(), "message_not_found");
        let eve = server.account("eve", Role::Creator).await;
        let path = format!("/api/channels/ada/chat/messages/{second}");
        assert_eq!(eve.delete(&path).await.status, 403, "another's");
        assert_eq!(put(&ada, "pin", json!({ "message": second })).await.status, 204);
        assert_eq!(reads.next("pinned").await["message"]["text"], "two");
        assert_eq!(ada.delete(&path).await.status, 204);
        assert_eq!(reads.next("deleted").await["ids"], json!([second]));
        assert_eq!(reads.next("pinned").await["message"], json!(null));
        talks.said("three").await;
        assert_eq!(history(server).await, ["three"]);
        assert_eq!(ada.delete("/api/channels/ada/chat/messages").await.status, 204);
        reads.next("cleared").await;
        talks.said("four").await;
        assert_eq!(history(server).await, ["four"]);
        let log = get(&ada, "actions").await;
        let kinds: Vec<&str> = log["items"].as_array().unwrap().iter()
            .map(|action| action["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["clear", "delete", "pin"], "one's own is no deed of a moderator's");
        assert_eq!(log["items"][1]["subject_name"], "vic");
    }

    async fn a_ban_holds_on_every_connection_until_it_is_lifted(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let (mut one, mut two) = (Talker::of(&vic, "ada").await, Talker::of(&vic, "ada").await);
        one.said("spam").await;
        let banned = put(&ada, "restraints/vic", json!({ "kind": "ban", "reason": "spam" })).await;
        assert_eq!(banned.status, 204, "{banned:?}");
        for talker in [&mut one, &mut two] {
            talker.next("silenced").await;
            let you = talker.next("you").await;
            assert_eq!(you["you"]["restraint"]["kind"], "ban");
            let refused = talker.refused("more").await;
            assert_eq!(refused["code"], "banned");
            assert!(refused["detail"].as_str().unwrap().contains("spam"));
        }
        let mut third = Talker::of(&vic, "ada").await;
        assert_eq!(third.hello["you"]["may_write"], false);
        assert_eq!(third.refused("more").await["code"], "banned");
        assert_eq!(post(&vic, "messages", json!({ "text": "x" })).await.code(), "banned");
        assert!(history(server).await.is_empty());
        let listed = get(&ada, "restraints").await;
        assert_eq!(listed["items"][0]["name"], "vic");
        let card = get(&ada, "users/vic").await;
        assert_eq!(card["messages"], 1);
        assert_eq!(card["recent"][0]["text"], "spam", "moderators see what was taken away");
        assert_eq!(card["actions"][0]["kind"], "ban");
        assert_eq!(card["restraint"]["kind"], "ban");
        let lifted = ada.delete("/api/channels/ada/chat/restraints/vic").await;
        assert_eq!(lifted.status, 204);
        third.next("you").await;
        third.said("sorry").await;
    }

    async fn what_is_held_waits_for_a_moderator(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let term = post(&ada, "terms", json!({ "term": "odd*", "kind": "held" })).await;
        assert_eq!(term.status, 201, "{term:?}");
        let blocked = post(&ada, "terms", json!({ "term": "never", "kind": "blocked" })).await.json();
        let (mut talks, mut moderates) =
            (Talker::of(&vic, "ada").await, Talker::of(&ada, "ada").await);
        assert_eq!(talks.refused("n3ver").await["code"], "term_blocked");
        talks.say("an oddity").await;
        let held = talks.next("held").await;
        let id = held["id"].as_i64().unwrap();
        assert_eq!(moderates.next("hold").await["message"]["id"], id);
        assert!(history(server).await.is_empty());
        assert_eq!(get(&ada, "holds").await["items"][0]["text"], "an oddity");
        // A moderator who comes later sees it, too; others do not.
        Talker::of(&ada, "ada").await.next("hold").await;
        assert!(Talker::of(&vic, "ada").await.settled().await.is_empty());
        let approved = post(&ada, &format!("holds/{id}/approve"), json!({})).await;
        assert_eq!(approved.status, 204, "{approved:?}");
        assert_eq!(moderates.next("hold_settled").await["approved"], true);
        assert_eq!(talks.heard().await, "an oddity");
        assert_eq!(history(server).await, ["an oddity"]);
        let again = post(&ada, &format!("holds/{id}/deny"), json!({})).await;
        assert_eq!(again.code(), "hold_not_found");
        talks.say("oddly").await;
        let id = talks.next("held").await["id"].as_i64().unwrap();
        assert_eq!(post(&ada, &format!("holds/{id}/deny"), json!({})).await.status, 204);
        assert_eq!(talks.next("deleted").await["ids"], json!([id]));
        assert_eq!(history(server).await, ["an oddity"]);
        let gone = format!("/api/channels/ada/chat/terms/{}", blocked["id"].as_str().unwrap());
        assert_eq!(ada.delete(&gone).await.status, 204);
        talks.said("never mind").await;
    }

    async fn the_shield_goes_up_and_down_and_leaves_no_trace(server) {
        let ada = server.creator().await;
        let vic = server.account("vic", Role::Viewer).await;
        let mut talks = Talker::of(&vic, "ada").await;
        let modes = json!({ "slow_seconds": 3, "guests": true });
        let before = ada.patch("/api/channels/ada/chat", modes).await.json();
        talks.next("modes").await;
        let up = put(&ada, "shield", json!({})).await.json();
        assert_eq!((&up["shield"], &up["guests"]), (&json!(true), &json!(false)));
        assert_eq!(talks.next("modes").await["modes"], up);
        assert_eq!(talks.refused("hi").await["code"], "followers_only");
        let down = ada.delete("/api/channels/ada/chat/shield").await.json();
        assert_eq!(down, before);
        talks.said("hi").await;
    }
}

#[tokio::test]
async fn a_time_out_ends_by_itself() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let mut talks = Talker::of(&vic, "ada").await;
    for seconds in [json!(null), json!(9), json!(14 * 24 * 3_600 + 1)] {
        let body = json!({ "kind": "timeout", "seconds": seconds });
        let refused = put(&ada, "restraints/vic", body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
    }
    let body = json!({ "kind": "timeout", "seconds": 60 });
    assert_eq!(put(&ada, "restraints/vic", body).await.status, 204);
    let refused = talks.refused("hi").await;
    assert_eq!(refused["code"], "timed_out");
    assert!(refused["wait_ms"].as_u64().unwrap() <= 60_000);
    server.clock.advance(Duration::from_secs(60));
    let free = |event: &Value| event["you"]["restraint"].is_null();
    let you = talks.next_where("you", free).await;
    assert_eq!(you["you"]["may_write"], true, "nobody has to come in anew");
    talks.said("hi").await;
}

#[tokio::test]
async fn moderators_are_not_kept_from_writing_and_others_keep_nobody() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let (mo, vic) = (
        server.account("mo", Role::Viewer).await,
        server.account("vic", Role::Viewer).await,
    );
    ada.send("PUT", "/api/channels/ada/moderators/mo", &[])
        .await;
    let ban = json!({ "kind": "ban" });
    for whom in ["ada", "mo"] {
        let refused = put(&mo, &format!("restraints/{whom}"), ban.clone()).await;
        assert_eq!(refused.code(), "is_moderator", "{whom}");
    }
    assert_eq!(put(&vic, "restraints/mo", ban.clone()).await.status, 403);
    let nobody = put(&mo, "restraints/nobody", ban.clone()).await;
    assert_eq!(nobody.code(), "account_not_found");
    assert_eq!(put(&mo, "restraints/vic", ban).await.status, 204);
}

#[tokio::test]
async fn warnings_reach_whom_they_are_about_alone() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let eve = server.account("eve", Role::Creator).await;
    let (mut warned, mut other) = (Talker::of(&vic, "ada").await, Talker::of(&eve, "ada").await);
    let body = json!({ "subject": "vic", "reason": "be kind" });
    assert_eq!(post(&ada, "warnings", body).await.status, 204);
    assert_eq!(warned.next("warned").await["reason"], "be kind");
    assert!(other.settled().await.is_empty());
    let note = put(&ada, "users/vic/notes", json!({ "text": "warned once" })).await;
    assert_eq!(note.status, 204);
    assert_eq!(get(&ada, "users/vic").await["notes"], "warned once");
}

#[tokio::test]
async fn a_raid_names_a_channel_that_is_open_to_all() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    server.account("eve", Role::Creator).await;
    let mut talks = Talker::of(&ada, "ada").await;
    assert_eq!(
        put(&ada, "raid", json!({ "to": "ada" })).await.code(),
        "raid_of_oneself"
    );
    let nowhere = put(&ada, "raid", json!({ "to": "nobody" })).await;
    assert_eq!(nowhere.code(), "channel_not_found");
    assert_eq!(put(&ada, "raid", json!({ "to": "@eve" })).await.status, 200);
    assert_eq!(talks.next("raid").await["raid"]["handle"], "eve");
    assert_eq!(ada.delete("/api/channels/ada/chat/raid").await.status, 204);
    assert_eq!(talks.next("raid").await["raid"], json!(null));
}

#[tokio::test]
async fn who_comes_back_hears_what_was_taken_away_and_let_through_meanwhile() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    post(&ada, "terms", json!({ "term": "odd", "kind": "held" })).await;
    let mut talks = Talker::of(&vic, "ada").await;
    let first = talks.said("first").await;
    talks.say("odd").await;
    let held = talks.next("held").await["id"].as_i64().unwrap();
    let last = talks.said("last").await;
    ada.delete(&format!("/api/channels/ada/chat/messages/{first}"))
        .await;
    post(&ada, &format!("holds/{held}/approve"), json!({})).await;
    let back = json!({ "after": last });
    let mut back = Talker::stranger(&server.anonymous(), "ada", back).await;
    assert_eq!(back.hello["resumed"], true);
    assert_eq!(back.hello["messages"], json!([]));
    assert_eq!(back.next("deleted").await["ids"], json!([first]));
    assert_eq!(back.next("message").await["message"]["id"], held);
    assert!(back.settled().await.is_empty());
}
