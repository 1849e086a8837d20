//! `/api/notifications`, what is chosen of them, and web push.

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Config;
use tallylight::db::Db;
use tallylight::secret::random_bytes;
use web_push_native::jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use web_push_native::p256::SecretKey;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint as _;
use web_push_native::{Auth, decrypt};

use crate::support::{
    Account, Backend, Follower, PASSWORD, Planned, Received, Receiver, Server, Smtp,
    on_both_databases,
};

const LIST: &str = "/api/notifications";

fn open(config: &mut Config) {
    config.outgoing.allow_http = true;
    config.outgoing.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
}

async fn follow(server: &Server, name: &str, handle: &str) {
    let services = &server.app.services;
    let account = services.accounts.by_name(name).await.unwrap().unwrap();
    let channel = services.channels.expect(handle).await.unwrap();
    services
        .channels
        .follow(channel.id, account.id)
        .await
        .unwrap();
}

/// Waits until somebody has so many notifications; gives them.
async fn told(server: &Server, person: &Account, count: usize) -> Vec<Value> {
    server
        .wait_for("notifications", || async {
            let list = person.get(LIST).await.json();
            let items = list["items"].as_array().unwrap().clone();
            (items.len() == count).then_some(items)
        })
        .await
}

on_both_databases! {
    async fn a_follower_is_told_once_that_a_channel_is_live(server) {
        let ada = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        follow(server, "eve", "ada").await;
        let mut bell = Follower::of(&eve, "/api/notifications/events", None).await;
        assert_eq!(bell.next().await.data, json!({ "unread": 0 }));
        let encoder = server.encoder("ada").await;
        let session = server.go_live(&encoder).await;
        let items = told(server, &eve, 1).await;
        assert_eq!(items[0]["kind"], "live");
        assert_eq!(items[0]["title"], "ada is live");
        assert_eq!(items[0]["link"], "/@ada");
        assert_eq!(items[0]["channel"], "ada");
        assert_eq!(bell.next().await.data, json!({ "unread": 1 }));

        // A publisher that comes back is no news.
        server.media_is_lost(session).await;
        server.go_live(&encoder).await;
        let read = json!({ "id": items[0]["id"] });
        assert_eq!(eve.post("/api/notifications/read", read).await.status, 204);
        assert_eq!(bell.next().await.data, json!({ "unread": 0 }));

        // Another stream is; a channel that is muted is not.
        ada.post("/api/channels/ada/end", Value::Null).await;
        server.go_live(&encoder).await;
        told(server, &eve, 2).await;
        let mute = "/api/account/muted-channels/ada";
        assert_eq!(eve.send("PUT", mute, &[]).await.status, 204);
        let settings = eve.get("/api/account/notification-settings").await.json();
        assert_eq!(settings["muted"], json!(["ada"]));
        let bob = server.account("bob", Role::Creator).await;
        follow(server, "bob", "ada").await;
        ada.post("/api/channels/ada/end", Value::Null).await;
        server.go_live(&encoder).await;
        // All followers are told in one: once he is, she would be.
        told(server, &bob, 1).await;
        assert_eq!(eve.delete(mute).await.status, 204);
        ada.post("/api/channels/ada/end", Value::Null).await;
        server.go_live(&encoder).await;
        assert_eq!(told(server, &eve, 3).await[0]["read_at"], Value::Null);
        assert_eq!(eve.post("/api/notifications/read", json!({})).await.status, 204);
        assert_eq!(eve.get(LIST).await.json()["unread"], 0);
        assert_eq!(ada.get(LIST).await.json()["unread"], 1, "her followers, in one");
    }

    async fn an_owner_hears_of_followers_in_one_and_of_recordings(server) {
        let ada = server.creator().await;
        for name in ["bob", "cleo", "dan"] {
            server.account(name, Role::Creator).await;
            follow(server, name, "ada").await;
        }
        server.wait_for("three in one", || async {
            let item = ada.get(LIST).await.json()["items"][0].clone();
            (item["title"] == "3 new followers on ada").then_some(())
        }).await;
        ada.post("/api/notifications/read", json!({})).await;
        server.record(&ada).await;
        let items = told(server, &ada, 2).await;
        assert_eq!(items[0]["kind"], "recording_ready");
        assert!(items[0]["link"].as_str().unwrap().starts_with("/videos/"));
    }

    async fn what_is_not_wanted_does_not_come(server) {
        server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        follow(server, "eve", "ada").await;
        let path = "/api/account/notification-settings";
        let before = eve.get(path).await.json();
        assert_eq!(before["choices"][0]["kind"], "live");
        assert_eq!(before["choices"][0]["in_app"], true);
        assert_eq!(before["email_works"], false);
        let wish = json!({ "choices": [{ "kind": "live", "in_app": false }] });
        let after = eve.patch(path, wish).await.json();
        assert_eq!(after["choices"][0]["in_app"], false);
        assert_eq!(after["choices"][0]["push"], true, "what is left out stays");
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        assert_eq!(eve.post("/api/notifications/test", Value::Null).await.status, 202);
        let items = told(server, &eve, 1).await;
        assert_eq!(items[0]["kind"], "test");
    }
}

/// A browser's half of a subscription.
struct Browser {
    secret: SecretKey,
    auth: Auth,
}

impl Browser {
    fn new() -> Self {
        Self {
            secret: SecretKey::from_slice(&random_bytes::<32>()).unwrap(),
            auth: Auth::from(random_bytes::<16>()),
        }
    }

    fn subscription(&self, endpoint: &str) -> Value {
        let encode = |bytes: &[u8]| Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap();
        let point = self.secret.public_key().to_encoded_point(false);
        json!({
            "endpoint": endpoint,
            "keys": { "p256dh": encode(point.as_bytes()), "auth": encode(&self.auth) },
        })
    }
}

const SUBSCRIPTIONS: &str = "/api/account/push-subscriptions";

#[tokio::test]
async fn a_browser_reads_its_push_and_one_that_is_gone_is_forgotten() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let (push_service, browser) = (Receiver::start().await, Browser::new());
    let made = eve
        .post(SUBSCRIPTIONS, browser.subscription(&push_service.url()))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    eve.post("/api/notifications/test", Value::Null).await;
    let push = server
        .wait_for("a push", || async { push_service.got().first().cloned() })
        .await;
    assert_eq!(push.header("content-encoding"), "aes128gcm");
    assert_eq!(push.header("ttl"), "14400");
    let key = ada.get("/api/push/key").await.json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let authorization = push.header("authorization");
    assert!(authorization.starts_with("vapid t="), "{authorization}");
    assert!(
        authorization.ends_with(&format!("k={key}")),
        "{authorization}"
    );
    let read = decrypt(push.body.to_vec(), &browser.secret, &browser.auth).unwrap();
    let news: Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(news["title"], "It works");
    assert_eq!(news["link"], "/settings/notifications");

    push_service.plan([Planned::Status(410)]);
    eve.post("/api/notifications/test", Value::Null).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    server
        .wait_for("it to be forgotten", || async {
            let services = &server.app.services;
            let (waiting, _) = services.jobs.count().await.unwrap();
            (push_service.got().len() == 2 && waiting == 0).then_some(())
        })
        .await;
    let gone = eve.delete(&format!("{SUBSCRIPTIONS}/{id}")).await;
    assert_eq!(gone.code(), "push_subscription_not_found");
}

#[tokio::test]
async fn a_browser_that_changes_hands_is_its_new_owners_and_bad_ones_are_refused() {
    let server = Server::start_with(Backend::Sqlite, open).await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let (push_service, browser) = (Receiver::start().await, Browser::new());
    let wish = browser.subscription(&push_service.url());
    let made = ada.post(SUBSCRIPTIONS, wish.clone()).await.json();
    let path = format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        eve.delete(&path).await.code(),
        "push_subscription_not_found"
    );
    eve.post(SUBSCRIPTIONS, wish.clone()).await;
    assert_eq!(
        ada.delete(&path).await.code(),
        "push_subscription_not_found"
    );

    let mut wrong = wish.clone();
    wrong["endpoint"] = json!("http://192.168.0.1/push");
    assert_eq!(
        eve.post(SUBSCRIPTIONS, wrong).await.code(),
        "endpoint_refused"
    );
    let mut wrong = wish;
    wrong["keys"]["p256dh"] = json!("AAAA");
    assert_eq!(
        eve.post(SUBSCRIPTIONS, wrong).await.code(),
        "push_keys_invalid"
    );
}

#[tokio::test]
async fn more_followers_than_a_batch_are_all_told_once() {
    let server = Server::plain().await;
    server.creator().await;
    let channel = server.app.services.channels.expect("ada").await.unwrap();
    let Db::Sqlite { writer, readers } = &server.app.services.db else {
        panic!("plain is SQLite");
    };
    for number in 0..450 {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let account = "INSERT INTO account
            (id, name, name_folded, role, password_hash, created_at) VALUES ($1, $2, $2, 'member', '', 0)";
        let query = sqlx::query(account).bind(&id).bind(format!("f{number}"));
        query.execute(writer).await.unwrap();
        let follow = "INSERT INTO follow (channel_id, account_id, created_at) VALUES ($1, $2, 0)";
        let query = sqlx::query(follow).bind(channel.id.to_string()).bind(&id);
        query.execute(writer).await.unwrap();
    }
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    server
        .wait_for("all to be told", || async {
            let count = "SELECT COUNT(*), COUNT(DISTINCT account_id) FROM notification";
            let count: (i64, i64) = sqlx::query_as(count).fetch_one(readers).await.unwrap();
            (count == (450, 450)).then_some(())
        })
        .await;
}

/// Gives an account an address, and confirms it.
async fn confirm(server: &Server, smtp: &Smtp, person: &Account, email: &str) {
    let edit = json!({ "email": email, "current_password": PASSWORD });
    assert_eq!(person.patch("/api/account", edit).await.status, 200);
    let token = server
        .wait_for("the letter", || async {
            smtp.letters(email)
                .first()
                .map(|letter| letter.token("/verify"))
        })
        .await;
    let verify = json!({ "token": token });
    assert_eq!(person.post("/api/auth/verify", verify).await.status, 204);
}

/// Letters that came to an address behind the one that confirmed it.
async fn mailed(server: &Server, smtp: &Smtp, email: &str, count: usize) -> Vec<Received> {
    server
        .wait_for("letters", || async {
            let letters = smtp.letters(email).split_off(1);
            (letters.len() == count).then_some(letters)
        })
        .await
}

#[tokio::test]
async fn a_follower_who_wants_mail_gets_it_and_calls_it_off_from_the_mail() {
    let smtp = Smtp::start().await;
    let server = Server::start_with(Backend::Sqlite, |config| smtp.configure(config)).await;
    let ada = server.creator().await;
    for name in ["eve", "bob"] {
        let person = server.account(name, Role::Viewer).await;
        confirm(&server, &smtp, &person, &format!("{name}@example.org")).await;
        let choice = json!({ "choices": [{ "kind": "live", "email": true }] });
        let settings = person
            .patch("/api/account/notification-settings", choice)
            .await;
        assert_eq!(settings.json()["email_works"], true);
        follow(&server, name, "ada").await;
    }
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let letter = mailed(&server, &smtp, "eve@example.org", 1).await.remove(0);
    assert!(letter.text.contains("ada is live"), "{letter:?}");
    assert!(
        letter.text.contains("https://live.example/@ada"),
        "{letter:?}"
    );
    assert!(
        letter
            .text
            .contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    );
    let link = letter.text.split_once("/api/unsubscribe/").unwrap().1;
    let token = link
        .split(|c: char| c == '>' || c.is_whitespace())
        .next()
        .unwrap();

    // A mail program's button: from no page, signed in nowhere.
    let nobody = server.anonymous().of_origin(None);
    let path = format!("/api/unsubscribe/{token}");
    assert_eq!(nobody.get(&path).await.json()["subscribed"], true);
    assert!(nobody.post(&path, Value::Null).await.status.is_success());
    assert_eq!(nobody.get(&path).await.json()["subscribed"], false);
    ada.post("/api/channels/ada/end", Value::Null).await;
    server.go_live(&encoder).await;
    // All followers are told in one: once he has his, hers would be there.
    mailed(&server, &smtp, "bob@example.org", 2).await;
    mailed(&server, &smtp, "eve@example.org", 1).await;
}

#[tokio::test]
async fn links_that_call_mails_off_must_be_whole() {
    let server = Server::plain().await;
    let nobody = server.anonymous().of_origin(None);
    for token in ["x", "a.b.c", "00000000000000000000000000000000.live.00"] {
        let path = format!("/api/unsubscribe/{token}");
        assert_eq!(nobody.get(&path).await.code(), "link_invalid");
        assert_eq!(nobody.post(&path, Value::Null).await.code(), "link_invalid");
    }
    let page = [("accept", "text/html")];
    let broken = nobody.send("GET", "/api/unsubscribe/%0A", &page).await;
    assert_eq!(broken.code(), "link_invalid");
}

#[tokio::test]
async fn tests_of_notifications_are_bounded() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for _ in 0..20 {
        let answer = ada.post("/api/notifications/test", Value::Null).await;
        assert_eq!(answer.status, 202);
    }
    let refused = ada.post("/api/notifications/test", Value::Null).await;
    assert_eq!(refused.status, 429);
    assert_ne!(refused.header("retry-after"), "");
}
