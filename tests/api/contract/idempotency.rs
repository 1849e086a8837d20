//! `Idempotency-Key`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Account, Answer, Server, on_both_databases};

const KEYS: &str = "/api/channels/ada/stream_keys";

async fn post(person: &Account, path: &str, key: &str, body: Value) -> Answer {
    let headers = [
        ("idempotency-key", key),
        ("content-type", "application/json"),
    ];
    person
        .send_body("POST", path, &headers, body.to_string())
        .await
}

async fn count(person: &Account) -> usize {
    person.get(KEYS).await.json()["items"]
        .as_array()
        .unwrap()
        .len()
}

on_both_databases! {
    async fn a_repeated_post_is_done_once_and_answered_the_same(server) {
        let ada = server.creator().await;
        let before = count(&ada).await;
        let first = post(&ada, KEYS, "one", json!({ "name": "OBS" })).await;
        assert_eq!(first.status, 201, "{first:?}");
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = post(&ada, KEYS, "one", json!({ "name": "OBS" })).await;
        assert_eq!(again.status, 201, "{again:?}");
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.json(), first.json(), "with the key that is shown once");
        assert_eq!(count(&ada).await, before + 1);
        server.clock.advance(Duration::from_secs(24 * 3600 + 1));
        let later = post(&ada, KEYS, "one", json!({ "name": "OBS" })).await;
        assert_ne!(later.json(), first.json(), "a day is over");
    }

    async fn a_key_names_one_request_of_one_account(server) {
        let ada = server.creator().await;
        post(&ada, KEYS, "one", json!({ "name": "OBS" })).await;
        let other = post(&ada, KEYS, "one", json!({ "name": "Phone" })).await;
        assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency_key_reused"));
        let elsewhere = post(&ada, "/api/channels", "one", json!({ "name": "OBS" })).await;
        assert_eq!(elsewhere.code(), "idempotency_key_reused");
        let eve = server.account("eve", Role::Admin).await;
        let own = "/api/channels/eve/stream_keys";
        let answer = post(&eve, own, "one", json!({ "name": "OBS" })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("idempotency-replayed"), "");
    }

    async fn a_refusal_did_nothing_and_is_not_kept(server) {
        let ada = server.creator().await;
        let refused = post(&ada, KEYS, "one", json!({ "nam": "OBS" })).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let mended = post(&ada, KEYS, "one", json!({ "name": "OBS" })).await;
        assert_eq!(mended.status, 201, "{mended:?}");
    }

    async fn of_many_at_once_one_is_done(server) {
        let ada = server.creator().await;
        let before = count(&ada).await;
        let all = (0..8).map(|_| {
            let ada = ada.clone();
            tokio::spawn(async move { post(&ada, KEYS, "one", json!({ "name": "OBS" })).await })
        });
        let mut made = BTreeSet::new();
        for asked in all.collect::<Vec<_>>() {
            let answer = asked.await.unwrap();
            match answer.status.as_u16() {
                201 => {
                    made.insert(answer.json()["id"].to_string());
                }
                _ => assert_eq!(answer.code(), "idempotency_key_in_use"),
            }
        }
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(count(&ada).await, before + 1);
    }
}

#[tokio::test]
async fn a_key_must_be_one() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for key in ["", "a b", &"x".repeat(256)] {
        let answer = post(&ada, KEYS, key, json!({ "name": "OBS" })).await;
        assert_eq!(answer.code(), "idempotency_key_invalid", "{key:?}");
    }
    let longest = "x".repeat(255);
    assert_eq!(
        post(&ada, KEYS, &longest, json!({ "name": "OBS" }))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn what_is_kept_does_not_show_its_secrets() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let made = post(&ada, KEYS, "one", json!({ "name": "OBS" }))
        .await
        .json();
    let key = made["key"].as_str().unwrap().to_owned();
    let data = server.stop().await;
    let folder = std::fs::read_dir(data.path().join("data")).unwrap();
    let files = folder.filter_map(|entry| std::fs::read(entry.unwrap().path()).ok());
    let bytes: Vec<u8> = files.flatten().collect();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("idempotency_key"), "the database was looked at");
    assert!(!holds(&key));
    let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!holds(&hex));
}
