//! `/api/channels/{handle}/webhooks`.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tallylight::accounts::Role;
use tallylight::config::Config;
use tallylight::secret::hex;

use crate::support::{Account, Backend, Planned, Receiver, Server};

const HOOKS: &str = "/api/channels/ada/webhooks";

/// Receivers of tests live on this machine.
fn open(config: &mut Config) {
    config.outgoing.allow_http = true;
    config.outgoing.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
}

async fn hook(ada: &Account, url: &str, kinds: Value) -> (String, String) {
    let made = ada.post(HOOKS, json!({ "url": url, "kinds": kinds })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (format!("{HOOKS}/{}", text("id")), text("secret"))
}

async fn newest(ada: &Account, hook: &str) -> Value {
    ada.get(&format!("{hook}/deliveries")).await.json()["items"][0].clone()
}

/// Waits until the newest delivery is not waiting any more.
async fn settled(server: &Server, ada: &Account, hook: &str) -> Value {
    server
        .wait_for("the delivery to end", || async {
            let newest = newest(ada, hook).await;
            let is_settled = newest.is_object() && newest["state"] != "waiting";
            is_settled.then_some(newest)
        })
        .await
}

fn signature(secret: &str, at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

async fn an_event_arrives_signed_and_is_replayed(backend: Backend) {
    let server = Server::start_with(backend, open).await;
    let ada = server.creator().await;
    let receiver = Receiver::start().await;
    let (path, secret) = hook(&ada, &receiver.url(), json!(["stream.started"])).await;
    let listed = ada.get(HOOKS).await;
    assert_eq!(
        listed.json()["items"][0]["kinds"],
        json!(["stream.started"])
    );
    assert!(!listed.text.contains(&secret), "it is shown once");

    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    ada.post("/api/channels/ada/end", Value::Null).await;
    let delivery = settled(&server, &ada, &path).await;
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["status"], 200);
    assert_eq!(delivery["answer"], "thanks");

    let got = receiver.got();
    assert_eq!(got.len(), 1, "only what it asked for");
    let got = &got[0];
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("tallylight-event"), "stream.started");
    assert_eq!(got.header("tallylight-delivery"), delivery["id"]);
    let body = got.json();
    assert_eq!(body["kind"], "stream.started");
    assert_eq!(body["channel"]["handle"], "ada");
    assert_eq!(body["id"], delivery["event"]);
    let signed = got.header("tallylight-signature");
    let (at, mac) = signed
        .strip_prefix("t=")
        .unwrap()
        .split_once(",v1=")
        .unwrap();
    assert_eq!(mac, signature(&secret, at, &got.body));

    let id = delivery["id"].as_str().unwrap();
    let replay = format!("{path}/deliveries/{id}/replay");
    let again = ada.post(&replay, Value::Null).await;
    assert_eq!(again.status, 202);
    let again = settled(&server, &ada, &path).await;
    assert_ne!(again["id"], delivery["id"]);
    assert_eq!(receiver.got()[1].body, receiver.got()[0].body);
}

#[tokio::test]
async fn an_event_arrives_signed_and_is_replayed_sqlite() {
    an_event_arrives_signed_and_is_replayed(Backend::Sqlite).await;
}

#[tokio::test]
async fn an_event_arrives_signed_and_is_replayed_postgres() {
    an_event_arrives_signed_and_is_replayed(Backend::Postgres).await;
}

#[tokio::test]
async fn a_receiver_that_fails_is_asked_again_and_given_up_after_three_days() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    let receiver = Receiver::start().await;
    receiver.plan([500, 503, 200, 500, 500].map(Planned::Status));
    let (path, _) = hook(&ada, &receiver.url(), json!(["stream.started"])).await;
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    for attempts in 1..=2 {
        let waiting = server
            .wait_for("a try", || async {
                let newest = newest(&ada, &path).await;
                (newest["attempts"] == attempts).then_some(newest)
            })
            .await;
        assert_eq!(waiting["state"], "waiting");
        assert!(waiting["problem"].as_str().unwrap().contains("answered 50"));
        server.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(settled(&server, &ada, &path).await["state"], "delivered");

    ada.post("/api/channels/ada/end", Value::Null).await;
    server.go_live(&encoder).await;
    server
        .wait_for("a try", || async {
            (newest(&ada, &path).await["attempts"] == 1).then_some(())
        })
        .await;
    server.clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(settled(&server, &ada, &path).await["state"], "failed");
    let listed = server
        .wait_for("the hook to be off", || async {
            let hook = ada.get(HOOKS).await.json()["items"][0].clone();
            (hook["enabled"] == false).then_some(hook)
        })
        .await;
    let problem = listed["problem"].as_str().unwrap();
    assert!(
        problem.contains("three days") && problem.contains("500"),
        "{problem}"
    );
    let on = ada.patch(&path, json!({ "enabled": true })).await.json();
    assert_eq!(
        (&on["enabled"], &on["problem"]),
        (&json!(true), &Value::Null)
    );
}

#[tokio::test]
async fn redirects_and_silence_are_told_of_in_words() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.plan([Planned::Redirect(other.url()), Planned::Silence]);
    let (path, _) = hook(&ada, &receiver.url(), json!(["stream.started"])).await;
    for words in ["redirects are not followed", "no answer within 5 s"] {
        assert_eq!(
            ada.post(&format!("{path}/test"), Value::Null).await.status,
            202
        );
        let tested = settled(&server, &ada, &path).await;
        assert_eq!(tested["state"], "failed");
        assert_eq!(tested["kind"], "ping");
        assert!(
            tested["problem"].as_str().unwrap().contains(words),
            "{tested}"
        );
    }
    assert!(other.got().is_empty());
    let hook = ada.get(HOOKS).await.json()["items"][0].clone();
    assert_eq!(hook["enabled"], true, "a test switches nothing off");
}

#[tokio::test]
async fn nobody_leads_the_server_into_its_own_house() {
    let server =
        Server::start_with(Backend::Sqlite, |config| config.outgoing.allow_http = true).await;
    let ada = server.creator().await;
    for url in [
        "ftp://example.org",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://me:secret@example.org/",
        "here",
    ] {
        let wish = json!({ "url": url, "kinds": ["stream.started"] });
        let answer = ada.post(HOOKS, wish).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "url_refused".to_owned()),
            "{url}"
        );
        assert_eq!(answer.json()["errors"][0]["field"], "url");
    }
    let receiver = Receiver::start().await;
    let by_name = format!("http://localhost:{}/", receiver.port);
    let (path, _) = hook(&ada, &by_name, json!(["stream.started"])).await;
    ada.post(&format!("{path}/test"), Value::Null).await;
    let tested = settled(&server, &ada, &path).await;
    let problem = tested["problem"].as_str().unwrap();
    assert!(problem.contains("not on the internet"), "{problem}");
    assert!(receiver.got().is_empty());

    let strict = Server::plain().await;
    let ada = strict.creator().await;
    let wish = json!({ "url": "http://example.org", "kinds": ["stream.started"] });
    let answer = ada.post(HOOKS, wish).await;
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("https://")
    );
}

#[tokio::test]
async fn webhooks_are_their_owners_alone_and_not_without_number() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let nobody = Account(server.anonymous());
    let (path, _) = hook(&ada, "http://127.0.0.1:1/", json!(["stream.ended"])).await;
    let id = path.rsplit('/').next().unwrap();
    let paths = [
        ("GET", HOOKS.to_owned()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/test")),
        ("GET", format!("{path}/deliveries")),
    ];
    for (method, path) in &paths {
        for (who, code) in [(&nobody, "not_signed_in"), (&eve, "forbidden")] {
            assert_eq!(
                who.send(method, path, &[]).await.code(),
                code,
                "{method} {path}"
            );
        }
    }
    let elsewhere = format!("/api/channels/eve/webhooks/{id}");
    assert_eq!(eve.delete(&elsewhere).await.code(), "webhook_not_found");
    let wrong = ada
        .post(
            HOOKS,
            json!({ "url": "http://127.0.0.1/", "kinds": ["cake"] }),
        )
        .await;
    assert_eq!(wrong.json()["errors"][0]["field"], "kinds");
    let none = ada.patch(&path, json!({ "kinds": [] })).await;
    assert_eq!(none.code(), "kinds_missing");
    for _ in 1..10 {
        hook(&ada, "http://127.0.0.1:1/", json!(["stream.ended"])).await;
    }
    let wish = json!({ "url": "http://127.0.0.1:1/", "kinds": ["stream.ended"] });
    assert_eq!(ada.post(HOOKS, wish).await.code(), "too_many_webhooks");
    assert_eq!(ada.delete(&path).await.status, 204);
    assert_eq!(ada.delete(&path).await.code(), "webhook_not_found");
}

#[tokio::test]
async fn what_is_said_and_done_in_chat_arrives_where_it_is_wanted() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    server.account("vic", Role::Viewer).await;
    let receiver = Receiver::start().await;
    let chat = "/api/channels/ada/chat";
    // Nobody wants it yet.
    ada.post(&format!("{chat}/messages"), json!({ "text": "before" }))
        .await;
    server.clock.advance(Duration::from_secs(3));
    let kinds = json!(["chat.message", "chat.moderated", "poll.ended"]);
    hook(&ada, &receiver.url(), kinds).await;
    let said = ada
        .post(&format!("{chat}/messages"), json!({ "text": "after" }))
        .await;
    assert_eq!(said.status, 201);
    let json_type = [("content-type", "application/json")];
    let ban = format!("{chat}/restraints/vic");
    let banned = ada.send_body("PUT", &ban, &json_type, r#"{"kind":"ban"}"#);
    assert_eq!(banned.await.status, 204);
    let poll = json!({ "question": "q", "options": ["a", "b"], "seconds": 60 });
    let poll = ada.post(&format!("{chat}/polls"), poll).await.json();
    let end = format!("{chat}/polls/{}/end", poll["id"].as_str().unwrap());
    assert_eq!(ada.post(&end, json!({})).await.status, 200);
    let got = server
        .wait_for("four deliveries", || async {
            let got = receiver.got();
            (got.len() == 4).then_some(got)
        })
        .await;
    let mut kinds: Vec<String> = got
        .iter()
        .map(|got| got.header("tallylight-event").to_owned())
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [
            "chat.message",
            "chat.moderated",
            "chat.moderated",
            "poll.ended"
        ]
    );
    for got in &got {
        let data = got.json()["data"].clone();
        match got.header("tallylight-event") {
            "chat.message" => assert_eq!(data["message"]["text"], "after"),
            "chat.moderated" => {
                let kind = data["action"]["kind"].as_str().unwrap();
                assert!(["ban", "poll"].contains(&kind), "{data}");
            }
            _ => assert_eq!(data["poll"]["state"], "ended"),
        }
    }
}
