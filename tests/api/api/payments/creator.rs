//! What creators set and see; accounts of their own at Stripe.

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Account, Backend, PASSWORD, Server, Till, sell};

const SHOP: &str = "/api/channels/ada/shop";

#[tokio::test]
async fn prices_that_cannot_be_are_told_field_by_field() {
    let till = Till::open(Backend::Sqlite).await;
    let edit = async |edit: Value| till.ada.patch(SHOP, edit).await;
    let wrong = edit(json!({
        "currency": "kwd",
        "tiers": [{ "name": "", "month": 10 }, { "name": "Ok", "month": 500, "year": -1 }],
    }))
    .await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let wrong = wrong.json();
    let fields = wrong["errors"].as_array().unwrap();
    let fields: Vec<&str> = fields
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        ["currency", "tiers.0.name", "tiers.0.month", "tiers.1.year"]
    );
    let four = vec![json!({ "name": "T", "month": 500 }); 4];
    assert_eq!(
        edit(json!({ "tiers": four })).await.code(),
        "too_many_tiers"
    );
    assert_eq!(edit(json!({ "currency": "usd" })).await.code(), "missing");
    let kept = till.ada.get(SHOP).await.json();
    assert_eq!(
        kept["tiers"].as_array().unwrap().len(),
        3,
        "nothing was changed"
    );
}

#[tokio::test]
async fn another_price_is_for_new_members_alone() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let order = json!({ "kind": "membership", "tier": 1, "period": "month" });
    till.buy(&bob, order.clone()).await;
    let dearer = json!({ "tiers": [{ "name": "Fan", "month": 799 }] });
    assert_eq!(till.ada.patch(SHOP, dearer).await.status, 200);
    let cat = till.viewer("cat").await;
    assert_eq!(till.buy(&cat, order).await["price"]["amount"], 799);
    let own = bob.get("/api/account/memberships").await.json();
    assert_eq!(own["items"][0]["price"]["amount"], 499);
    let offers = cat.get("/api/channels/ada/offers").await.json();
    assert_eq!(
        offers["tiers"].as_array().unwrap().len(),
        1,
        "the others are withdrawn"
    );
}

#[tokio::test]
async fn a_tier_is_called_at_stripe_as_it_is_here() {
    let till = Till::open(Backend::Sqlite).await;
    let order = json!({ "kind": "membership", "tier": 1, "period": "month" });
    till.buy(&till.viewer("bob").await, order.clone()).await;
    let product = till.fake.state().await["ids"]["products"][0].clone();
    let product = product.as_str().unwrap();
    assert_eq!(till.fake.object(product).await["name"], "ada: Fan");
    let renamed = json!({ "tiers": [{ "name": "Supporter", "month": 499 }] });
    assert_eq!(till.ada.patch(SHOP, renamed).await.status, 200);
    till.buy(&till.viewer("cat").await, order).await;
    assert_eq!(till.fake.object(product).await["name"], "ada: Supporter");
}

#[tokio::test]
async fn another_currency_is_for_new_members_alone() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let order = json!({ "kind": "membership", "tier": 1, "period": "month" });
    till.buy(&bob, order).await;
    let dollars = json!({ "currency": "usd", "tiers": [
        { "name": "Fan", "month": 599 }, { "name": "Friend", "month": 1_099 },
    ] });
    let set = till.ada.patch(SHOP, dollars).await;
    assert_eq!(set.status, 200, "{set:?}");
    let up = bob
        .put("/api/channels/ada/membership", json!({ "tier": 2 }))
        .await;
    assert_eq!(up.code(), "currency_changed", "{up:?}");
    assert_eq!(till.tier(&bob).await, 1);
}

#[tokio::test]
async fn revenue_and_the_file_add_up() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(
        &bob,
        json!({ "kind": "tip", "amount": 500, "currency": "eur", "message": "=1+1" }),
    )
    .await;
    till.buy(
        &bob,
        json!({ "kind": "tip", "amount": 300, "currency": "eur" }),
    )
    .await;
    till.wait_for_ledger(&[("payment", 300), ("payment", 500)])
        .await;
    let revenue = till
        .ada
        .get("/api/channels/ada/revenue?days=7")
        .await
        .json();
    assert_eq!(revenue["days"][0]["amount"], 800);
    assert_eq!(revenue["days"][0]["payments"], 2);
    assert_eq!(revenue["balance"][0]["currency"], "eur");
    let file = till.ada.get("/api/channels/ada/ledger.csv?days=7").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.text.lines().count(), 3);
    assert!(file.text.contains("\"'=1+1\""), "{}", file.text);
    assert_eq!(
        till.ada
            .get("/api/channels/ada/ledger.csv?days=0")
            .await
            .status,
        422
    );
    assert_eq!(bob.get("/api/channels/ada/ledger.csv").await.status, 403);
}

#[tokio::test]
async fn creators_of_a_house_are_paid_on_their_own_accounts() {
    let till = Till::of_many(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let order = json!({ "kind": "tip", "amount": 1_000, "currency": "eur" });
    let early = bob.post("/api/channels/ada/purchases", order.clone()).await;
    assert_eq!(early.code(), "payouts_not_ready");
    let offers = bob.get("/api/channels/ada/offers").await.json();
    assert_eq!(offers["enabled"], false);
    let link = till.ada.post("/api/account/payouts", json!({})).await;
    assert_eq!(link.status, 200, "{link:?}");
    let state = till.fake.state().await;
    let account = state["ids"]["accounts"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    till.fake
        .set_account(account.as_str().unwrap(), true)
        .await
        .unwrap();
    let payouts = till.ada.get("/api/account/payouts").await.json();
    assert_eq!(payouts["can_charge"], true, "{payouts}");
    till.buy(&bob, order).await;
    let ledger = till.wait_for_ledger(&[("payment", 1_000)]).await;
    assert_eq!(ledger[0]["fee"], 100);
    let link = till
        .ada
        .post("/api/account/payouts/dashboard", json!({}))
        .await;
    assert_eq!(link.status, 200, "{link:?}");
    let asked = till.fake.requests().await;
    let session = asked
        .iter()
        .rev()
        .find(|asked| asked["path"] == "/v1/checkout/sessions");
    let form = session.unwrap()["form"].to_string();
    assert!(form.contains(account.as_str().unwrap()), "{form}");
    let eve = till.server.account("eve", Role::Viewer).await;
    assert_eq!(
        eve.post("/api/account/payouts", json!({})).await.status,
        403
    );
}

#[tokio::test]
async fn alerts_are_shown_to_whoever_has_the_newest_address() {
    let till = Till::open(Backend::Sqlite).await;
    let path = "/api/channels/ada/alert_token";
    let token = async || {
        let made = till.ada.post(path, json!({})).await;
        made.json()["token"].as_str().unwrap().to_owned()
    };
    let (old, new) = (token().await, token().await);
    let follow = async |token: &str| {
        let url = format!("http://{}/alerts/events", till.server.app.http);
        let asked = reqwest::Client::new().get(url).bearer_auth(token);
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!(follow(&old).await, 401);
    assert_eq!(follow("").await, 401);
    assert_eq!(follow(&new).await, 200);
    // What waits by an address ends with it.
    let url = format!("http://{}/alerts/events", till.server.app.http);
    let waiting = reqwest::Client::new().get(url).bearer_auth(&new).send();
    let waiting = waiting.await.unwrap();
    let (newest, ended) = tokio::join!(token(), waiting.text());
    ended.unwrap();
    assert_eq!((follow(&new).await, follow(&newest).await), (401, 200));
}

#[tokio::test]
async fn what_was_played_stands_in_no_book_of_real_money() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(
        &bob,
        json!({ "kind": "membership", "tier": 1, "period": "month" }),
    )
    .await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    let url = till.fake.url();
    let data = till.server.stop().await;
    let server = Server::start_on(data, Backend::Sqlite, |config| {
        sell(config, &url);
        config.payments.secret_key = "sk_live_of_tests".to_owned();
    });
    let server = server.await;
    let ada = Account::sign_in(&server, "ada", PASSWORD).await;
    let bob = Account::sign_in(&server, "bob", PASSWORD).await;
    let ledger = ada.get("/api/channels/ada/ledger").await.json();
    assert_eq!(ledger["items"], json!([]));
    let offers = bob.get("/api/channels/ada/offers").await.json();
    assert_eq!(offers["own_tier"], Value::Null);
    assert_eq!(offers["test_mode"], false);
    assert_eq!(
        offers["tiers"].as_array().unwrap().len(),
        3,
        "what is offered stays"
    );
}
