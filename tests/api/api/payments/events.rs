//! `/webhooks/stripe`: what is believed, and that the order does not matter.

use std::time::Duration;

use fake_stripe::sign;
use serde_json::{Value, json};

use crate::support::{Account, Anonymous, Answer, Backend, Server, Till, WEBHOOK_SECRET, sell};

const WEBHOOK: &str = "/webhooks/stripe";

async fn sellers() -> Server {
    Server::start_with(Backend::Sqlite, |config| {
        sell(config, "http://127.0.0.1:9");
        config
            .payments
            .webhook_secrets
            .push("whsec_newer".to_owned());
    })
    .await
}

fn event(id: &str, kind: &str, livemode: bool) -> String {
    let event = json!({
        "id": id, "object": "event", "type": kind, "created": 1_700_000_000,
        "livemode": livemode, "api_version": "2026-09-30.endive", "pending_webhooks": 1,
        "data": { "object": { "id": "sub_1", "object": "subscription" } },
    });
    event.to_string()
}

async fn post(server: &Server, body: &str, signature: Option<&str>) -> Answer {
    let headers: Vec<(&str, &str)> = signature
        .map(|value| ("stripe-signature", value))
        .into_iter()
        .collect();
    let person = Anonymous::new(server).of_origin(None);
    person
        .send_body("POST", WEBHOOK, &headers, body.to_owned())
        .await
}

#[tokio::test]
async fn what_is_not_signed_by_stripe_just_now_is_refused() {
    let server = sellers().await;
    let now = server.clock.now().as_second();
    let body = event("evt_1", "customer.subscription.updated", false);
    let good = sign(&body, now, WEBHOOK_SECRET);
    let with = |seconds: i64| sign(&body, now + seconds, WEBHOOK_SECRET);
    let two_times = format!("t={},{good}", now - 1);
    let refused = [
        (None, "signature_missing"),
        (Some(""), "signature_wrong"),
        (Some("t=1"), "signature_wrong"),
        (Some("nonsense"), "signature_wrong"),
    ];
    for (signature, code) in refused {
        let answer = post(&server, &body, signature).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{signature:?}"
        );
    }
    for (signature, code) in [
        (sign(&body, now, "whsec_other"), "signature_wrong"),
        (with(-301), "signature_stale"),
        // Seconds pass on the way.
        (with(310), "signature_stale"),
    ] {
        let answer = post(&server, &body, Some(&signature)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{signature}"
        );
    }
    for altered in [
        body.replace("sub_1", "sub_2"),
        format!("{body} "),
        String::new(),
    ] {
        let answer = post(&server, &altered, Some(&good)).await;
        assert_eq!(answer.code(), "signature_wrong", "{altered}");
    }
    for signature in [
        good,
        with(-290),
        with(299),
        sign(&body, now, "whsec_newer"),
        two_times,
    ] {
        let answer = post(&server, &body, Some(&signature)).await;
        assert_eq!(answer.status, 200, "{signature}: {answer:?}");
    }
}

#[tokio::test]
async fn who_sends_nothing_but_refused_events_is_kept_out_of_the_log() {
    let server = sellers().await;
    let body = event("evt_1", "customer.subscription.updated", false);
    for _ in 0..30 {
        assert_eq!(post(&server, &body, Some("t=1,v1=00")).await.status, 400);
    }
    assert_eq!(post(&server, &body, Some("t=1,v1=00")).await.status, 429);
    let now = server.clock.now().as_second();
    let good = sign(&body, now, WEBHOOK_SECRET);
    assert_eq!(post(&server, &body, Some(&good)).await.status, 200);
}

#[tokio::test]
async fn events_of_the_other_mode_unknown_ones_and_large_ones() {
    let server = sellers().await;
    let ada = server.creator().await;
    let now = server.clock.now().as_second();
    let send = async |body: &str| {
        let signature = sign(body, now, WEBHOOK_SECRET);
        post(&server, body, Some(&signature)).await
    };
    let live = event("evt_1", "customer.subscription.updated", true);
    assert_eq!(send(&live).await.code(), "wrong_mode");
    assert_eq!(send("{}").await.code(), "event_unreadable");
    let large = format!("\"{}\"", "x".repeat(300 * 1024));
    assert_eq!(send(&large).await.status, 413);
    assert_eq!(
        send(&event("evt_2", "of.tomorrow", false)).await.status,
        200
    );
    let events = ada.get("/api/admin/payments/events").await.json();
    assert_eq!(events["items"][0]["id"], "evt_2");
    assert!(events["items"][0]["done_at"].is_string(), "{events}");
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_payments_nothing_of_them_is_there() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let instance = ada.get("/api/instance").await.json();
    assert_eq!(instance["payments"], "off");
    assert_eq!(post(&server, "{}", Some("t=1,v1=00")).await.status, 404);
    for path in [
        "/api/channels/ada/shop",
        "/api/account/memberships",
        "/api/account/payouts",
    ] {
        assert_eq!(ada.get(path).await.code(), "payments_off", "{path}");
    }
    let offers = ada.get("/api/channels/ada/offers").await.json();
    assert_eq!(offers["enabled"], false);
}

async fn buy_and_cancel(till: &Till, who: &Account) -> Vec<Value> {
    till.fake.hold(true).await;
    let order = json!({ "kind": "membership", "tier": 1, "period": "month" });
    let (session, _) = till.begin(who, order).await;
    till.fake.pay(&session).await.unwrap();
    let state = till.fake.state().await;
    let id = state["ids"]["subscriptions"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    let url = format!(
        "{}/v1/subscriptions/{}",
        till.fake.url(),
        id.as_str().unwrap()
    );
    let ended = reqwest::Client::new().delete(url).bearer_auth("sk_test_x");
    assert_eq!(ended.send().await.unwrap().status(), 200);
    let counts = |event: &Value| {
        let kind = event["type"].as_str().unwrap_or_default();
        [
            "checkout.session.completed",
            "customer.subscription.created",
            "invoice.paid",
            "customer.subscription.deleted",
        ]
        .contains(&kind)
    };
    let held = till.fake.held().await;
    held.into_iter().filter(counts).collect()
}

fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(of - 1) {
        for at in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(at, of - 1);
            all.push(order);
        }
    }
    all
}

/// Each of the 24 orders of what Stripe tells of a membership that was paid and ended, each event twice.
#[tokio::test]
async fn events_in_any_order_and_doubled_come_to_one_end() {
    let till = Till::open(Backend::Sqlite).await;
    till.fake.duplicate(2).await;
    for (number, order) in orders(4).into_iter().enumerate() {
        let who = till.viewer(&format!("bob{number}")).await;
        let events = buy_and_cancel(&till, &who).await;
        assert_eq!(events.len(), 4, "{events:?}");
        let before = till.ledger().await.len();
        let ids = order
            .iter()
            .map(|at| events[*at]["id"].as_str().unwrap().to_owned());
        till.fake.release(Some(ids.collect())).await;
        till.fake.hold(false).await;
        till.fake.release(None).await;
        till.settle().await;
        let ledger = till.ledger().await;
        assert_eq!(ledger.len(), before + 1, "{order:?}");
        assert_eq!(till.tier(&who).await, Value::Null, "{order:?}");
        let own = who.get("/api/account/memberships").await.json();
        assert_eq!(own["items"], json!([]), "{order:?}");
    }
}

/// The refund may be told of before the payment is.
#[tokio::test]
async fn a_refund_that_comes_first_counts_once_its_payment_comes() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.fake.hold(true).await;
    let order = json!({ "kind": "tip", "amount": 500, "currency": "eur" });
    let (session, _) = till.begin(&bob, order).await;
    till.fake.pay(&session).await.unwrap();
    let charge = till.newest_charge().await;
    till.fake.refund(&charge, Some(200)).await.unwrap();
    till.fake.refund(&charge, None).await.unwrap();
    let mut events = till.fake.held().await;
    events.reverse();
    let ids = events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned());
    till.fake.release(Some(ids.collect())).await;
    till.wait_for_ledger(&[("refund", -500), ("payment", 500)])
        .await;
}

#[tokio::test]
async fn a_database_that_is_away_has_stripe_come_again() {
    let till = Till::open(Backend::Sqlite).await;
    let body = event("evt_1", "customer.subscription.updated", false);
    let signature = sign(&body, till.server.clock.now().as_second(), WEBHOOK_SECRET);
    till.server.app.services.db.close().await;
    let answer = post(&till.server, &body, Some(&signature)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
}

#[tokio::test]
async fn an_event_is_run_again_and_changes_nothing_twice() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(
        &bob,
        json!({ "kind": "tip", "amount": 500, "currency": "eur" }),
    )
    .await;
    let ledger = till.wait_for_ledger(&[("payment", 500)]).await;
    let event = ledger[0]["event"].as_str().unwrap_or_default().to_owned();
    let events = till.settle().await;
    let completed = events
        .iter()
        .find(|event| event["kind"] == "checkout.session.completed");
    let id = completed.unwrap()["id"].as_str().unwrap();
    assert!(
        event.is_empty() || event == id,
        "the page may have been faster than the event"
    );
    let run = format!("/api/admin/payments/events/{id}/run");
    assert_eq!(bob.post(&run, json!({})).await.status, 403);
    for _ in 0..3 {
        let again = till.ada.post(&run, json!({})).await;
        assert_eq!(again.json()["outcome"], "it was known", "{again:?}");
    }
    till.wait_for_ledger(&[("payment", 500)]).await;
    let audit = till.ada.get("/api/admin/audit").await.json();
    assert_eq!(audit["items"][0]["action"], "payment.event_run");
    assert_eq!(
        till.ada
            .post("/api/admin/payments/events/evt_x/run", json!({}))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn stripe_that_is_away_is_asked_again_later() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let order = json!({ "kind": "tip", "amount": 500, "currency": "eur" });
    let (session, _) = till.begin(&bob, order).await;
    till.fake.trouble(fake_stripe::Trouble::Down).await;
    till.fake.pay(&session).await.unwrap();
    till.server
        .wait_for("the event to come", || async {
            let events = till.ada.get("/api/admin/payments/events").await.json();
            (events["items"].as_array().unwrap().len() > 1).then_some(())
        })
        .await;
    assert_eq!(till.ledger().await.len(), 0);
    till.fake.trouble(fake_stripe::Trouble::None).await;
    // The first pause of a job that failed.
    till.server.clock.advance(Duration::from_secs(10));
    till.wait_for_ledger(&[("payment", 500)]).await;
}
