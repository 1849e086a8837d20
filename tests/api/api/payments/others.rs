//! Tips, gifts and tickets.

use serde_json::{Value, json};

use crate::support::{Backend, Till};

const PURCHASES: &str = "/api/channels/ada/purchases";

#[tokio::test]
async fn a_tip_comes_with_its_message() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let order =
        json!({ "kind": "tip", "amount": 500, "currency": "EUR", "message": " Play\nit again " });
    let paid = till.buy(&bob, order).await;
    assert_eq!(paid["message"], "Play it again");
    let ledger = till.wait_for_ledger(&[("payment", 500)]).await;
    assert_eq!(ledger[0]["message"], "Play it again");
    assert_eq!(ledger[0]["from"], "bob");
    let own = bob.get("/api/account/purchases").await.json();
    assert_eq!(own["items"][0]["kind"], "tip");
}

#[tokio::test]
async fn amounts_that_cannot_be_paid_are_refused_in_words() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let tip = |amount: Value, currency: &str| json!({ "kind": "tip", "amount": amount, "currency": currency });
    for (order, code) in [
        (tip(json!(0), "eur"), "amount_out_of_range"),
        (tip(json!(-500), "eur"), "amount_out_of_range"),
        (tip(json!(49), "eur"), "amount_out_of_range"),
        (tip(json!(1_000_001), "eur"), "amount_out_of_range"),
        (tip(json!(i64::MAX), "eur"), "amount_out_of_range"),
        (tip(json!(500), "usd"), "currency_wrong"),
        (tip(json!(500), "kwd"), "currency_wrong"),
        (tip(json!(500), ""), "currency_wrong"),
        (
            json!({ "kind": "tip", "amount": 500, "currency": "eur", "message": "x".repeat(201) }),
            "message_invalid",
        ),
        (
            json!({ "kind": "gift", "tier": 1, "quantity": 0 }),
            "out_of_range",
        ),
        (
            json!({ "kind": "gift", "tier": 1, "quantity": 51 }),
            "out_of_range",
        ),
        (
            json!({ "kind": "gift", "tier": 9, "quantity": 1 }),
            "tier_not_found",
        ),
        (
            json!({ "kind": "membership", "tier": 2, "period": "year" }),
            "tier_not_found",
        ),
    ] {
        let refused = bob.post(PURCHASES, order.clone()).await;
        assert_eq!(refused.code(), code, "{order}: {refused:?}");
    }
    let broken = bob.post(PURCHASES, tip(json!(4.99), "eur")).await;
    assert!(broken.status.is_client_error(), "{broken:?}");
    assert!(till.ledger().await.is_empty());
}

#[tokio::test]
async fn gifts_go_to_those_who_take_them_once_each() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let paid = till
        .buy(&bob, json!({ "kind": "gift", "tier": 1, "quantity": 2 }))
        .await;
    assert_eq!(paid["price"]["amount"], 998);
    till.wait_for_ledger(&[("payment", 998)]).await;
    let claim = format!("/api/purchases/{}/claim", paid["id"].as_str().unwrap());
    assert_eq!(
        bob.post(&claim, json!({})).await.code(),
        "already_member",
        "it is his own"
    );
    let (cat, dan, eve) = (
        till.viewer("cat").await,
        till.viewer("dan").await,
        till.viewer("eve").await,
    );
    assert_eq!(cat.post(&claim, json!({})).await.status, 204);
    assert_eq!(till.tier(&cat).await, 1);
    assert_eq!(cat.post(&claim, json!({})).await.code(), "already_member");
    assert_eq!(dan.post(&claim, json!({})).await.status, 204);
    assert_eq!(eve.post(&claim, json!({})).await.code(), "gifts_gone");
    let members = till.ada.get("/api/channels/ada/members").await.json();
    assert_eq!(members["items"].as_array().unwrap().len(), 2);
    // Money back takes them from all.
    let charge = till.newest_charge().await;
    till.fake.refund(&charge, None).await.unwrap();
    till.wait_for_tier(&cat, Value::Null).await;
    till.wait_for_tier(&dan, Value::Null).await;
}

#[tokio::test]
async fn a_gift_lasts_a_month() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let paid = till
        .buy(&bob, json!({ "kind": "gift", "tier": 3, "quantity": 1 }))
        .await;
    let claim = format!("/api/purchases/{}/claim", paid["id"].as_str().unwrap());
    let cat = till.viewer("cat").await;
    assert_eq!(cat.post(&claim, json!({})).await.status, 204);
    assert_eq!(till.tier(&cat).await, 3);
    till.server
        .clock
        .advance(std::time::Duration::from_secs(32 * 24 * 3600));
    assert_eq!(till.tier(&cat).await, Value::Null);
}

#[tokio::test]
async fn a_ticket_is_sold_once_to_each() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let at = till.server.clock.now() + std::time::Duration::from_secs(3600);
    let planned = json!({ "channel": "ada", "title": "Concert", "scheduled_at": at.to_string() });
    let stream = till.ada.post("/api/streams", planned).await.json()["id"].clone();
    let new = json!({ "name": "Concert", "amount": 1_500, "streams": [stream] });
    let made = till.ada.post("/api/channels/ada/tickets", new).await;
    assert_eq!(made.status, 201, "{made:?}");
    let offer = made.json()["id"].clone();
    let order = json!({ "kind": "ticket", "offer": offer });
    let (first, _) = till.begin(&bob, order.clone()).await;
    let (second, _) = till.begin(&bob, order.clone()).await;
    assert_eq!(first, second, "two pages pay once");
    till.buy(&bob, order.clone()).await;
    till.wait_for_ledger(&[("payment", 1_500)]).await;
    assert_eq!(
        bob.post(PURCHASES, order.clone()).await.code(),
        "already_bought"
    );
    let path = format!("/api/streams/{}/tickets", stream.as_str().unwrap());
    assert_eq!(
        bob.get(&path).await.json()["items"][0]["price"]["amount"],
        1_500
    );
    let gone = format!("/api/channels/ada/tickets/{}", offer.as_str().unwrap());
    assert_eq!(till.ada.delete(&gone).await.status, 204);
    let cat = till.viewer("cat").await;
    assert_eq!(cat.post(PURCHASES, order).await.code(), "ticket_not_found");
    let strange = json!({ "name": "X", "amount": 500, "streams": [uuid::Uuid::now_v7()] });
    let refused = till.ada.post("/api/channels/ada/tickets", strange).await;
    assert_eq!(refused.code(), "stream_unknown");
    let listed = till.ada.get("/api/channels/ada/tickets").await.json();
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        1,
        "nothing is left of it"
    );
}
