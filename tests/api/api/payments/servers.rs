//! Two servers with one database: who pays at one is a member at the other.

use std::fs;

use fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Config;

use crate::support::{
    Account, Backend, OwnRedis, PASSWORD, Server, WEBHOOK_SECRET, new_postgres, sell,
};

async fn tier(who: &Account) -> Value {
    let offers = who.get("/api/channels/ada/offers").await.json();
    offers["own_tier"].clone()
}

#[tokio::test]
async fn a_membership_that_one_server_hears_of_is_one_at_the_other_at_once() {
    let fake = FakeStripe::start(Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        webhook_url: None,
        webhook_secret: WEBHOOK_SECRET.to_owned(),
        public_url: None,
    });
    let fake = fake.await.unwrap();
    let redis = OwnRedis::start().await;
    let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
    let shared = |config: &mut Config| {
        config.database.url.clone_from(&database);
        config.database.connections = 3;
        config.bus.url = redis.url();
        sell(config, &fake.url());
    };
    let one = Server::start_with(Backend::Sqlite, shared).await;
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("data")).unwrap();
    fs::copy(one.file("pepper"), data.path().join("data/pepper")).unwrap();
    let two = Server::start_on(data, Backend::Sqlite, shared).await;
    let webhook = format!("http://{}/webhooks/stripe", one.app.http);
    fake.aim(Some(&webhook), WEBHOOK_SECRET).await;

    let ada = one.creator().await;
    let tiers = json!({ "tiers": [{ "name": "Fan", "month": 499 }] });
    assert_eq!(ada.patch("/api/channels/ada/shop", tiers).await.status, 200);
    let bob = one.account("bob", Role::Viewer).await;
    let bob_at_two = Account::sign_in(&two, "bob", PASSWORD).await;
    // It is known there for the next half minute, unless something is told.
    assert_eq!(tier(&bob_at_two).await, Value::Null);
    let order = json!({ "kind": "membership", "tier": 1, "period": "month" });
    let begun = bob.post("/api/channels/ada/purchases", order).await.json();
    let session = begun["url"].as_str().unwrap().rsplit('/').next().unwrap();
    fake.pay(session).await.unwrap();
    let became = |wanted: Value| {
        let bob = &bob_at_two;
        two.wait_for("the other server to hear", move || {
            let wanted = wanted.clone();
            async move { (tier(bob).await == wanted).then_some(()) }
        })
    };
    became(json!(1)).await;
    let charges = fake.state().await["ids"]["charges"].clone();
    fake.refund(charges[0].as_str().unwrap(), None)
        .await
        .unwrap();
    became(Value::Null).await;
}
