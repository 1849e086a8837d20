//! Joining, leaving, paying late, money back.

use std::time::Duration;

use fake_stripe::Trouble;
use serde_json::{Value, json};

use crate::support::{Account, Backend, Follower, PASSWORD, Till, view_offer};

fn membership(tier: i64) -> Value {
    json!({ "kind": "membership", "tier": tier, "period": "month", "back": "/@ada" })
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const PURCHASES: &str = "/api/channels/ada/purchases";

/// The id of the one subscription of somebody.
async fn subscription(till: &Till) -> Value {
    let state = till.fake.state().await;
    till.fake
        .object(state["ids"]["subscriptions"][0].as_str().unwrap())
        .await
}

/// Time passes here and at Stripe, after which all sign in again.
async fn pass(till: &mut Till, time: Duration, bob: &mut Account) {
    till.server.clock.advance(time);
    till.fake.sign_by_fake_clock(true).await;
    till.fake.advance(time).await;
    till.ada = Account::sign_in(&till.server, "ada", PASSWORD).await;
    *bob = Account::sign_in(&till.server, "bob", PASSWORD).await;
}

async fn who_pays_is_a_member(backend: Backend) {
    let till = Till::open(backend).await;
    let bob = till.viewer("bob").await;
    assert_eq!(till.tier(&bob).await, Value::Null);
    let paid = till.buy(&bob, membership(2)).await;
    assert_eq!(paid["price"], json!({ "amount": 999, "currency": "eur" }));
    till.wait_for_tier(&bob, json!(2)).await;
    till.wait_for_ledger(&[("payment", 999)]).await;
    let own = bob.get("/api/account/memberships").await.json();
    assert_eq!(own["items"][0]["channel"], "ada");
    assert_eq!(own["items"][0]["status"], "active");
    assert_eq!(own["items"][0]["price"]["amount"], 999);
    let members = till.ada.get("/api/channels/ada/members").await.json();
    assert_eq!(members["items"][0]["name"], "bob");
    let again = bob.post(PURCHASES, membership(1)).await;
    assert_eq!(
        (again.status.as_u16(), again.code().as_str()),
        (409, "already_member")
    );
}

#[tokio::test]
async fn who_pays_is_a_member_on_sqlite() {
    who_pays_is_a_member(Backend::Sqlite).await;
}

#[tokio::test]
async fn who_pays_is_a_member_on_postgres() {
    who_pays_is_a_member(Backend::Postgres).await;
}

/// The page that Stripe sends people back to asks, and Stripe's word comes that way too.
#[tokio::test]
async fn who_comes_back_before_the_event_is_a_member_at_once() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.fake.hold(true).await;
    till.buy(&bob, membership(1)).await;
    assert_eq!(till.tier(&bob).await, 1, "no event came yet");
    till.fake.release(None).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    assert_eq!(till.tier(&bob).await, 1);
}

#[tokio::test]
async fn a_declined_card_and_a_cancelled_checkout_change_nothing() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let (session, begun) = till.begin(&bob, membership(1)).await;
    till.fake.decline(&session).await.unwrap();
    let path = format!("/api/purchases/{}", begun["id"].as_str().unwrap());
    assert_eq!(bob.get(&path).await.json()["state"], "open");
    assert_eq!(till.tier(&bob).await, Value::Null);
    // The same page goes on with another card.
    till.fake.pay(&session).await.unwrap();
    till.server
        .wait_for("the payment", || async {
            (bob.get(&path).await.json()["state"] == "paid").then_some(())
        })
        .await;
    till.wait_for_tier(&bob, json!(1)).await;
}

#[tokio::test]
async fn two_tabs_pay_once() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let (first, _) = till.begin(&bob, membership(1)).await;
    let (same, _) = till.begin(&bob, membership(1)).await;
    assert_eq!(first, same, "both pay on one page");
    let (other, _) = till.begin(&bob, membership(2)).await;
    assert_ne!(first, other);
    assert!(till.fake.pay(&first).await.is_err(), "the first is closed");
    till.fake.hold(true).await;
    till.fake.pay(&other).await.unwrap();
    let late = bob.post(PURCHASES, membership(2)).await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (409, "already_paid")
    );
    till.fake.release(None).await;
    till.wait_for_tier(&bob, json!(2)).await;
    till.wait_for_ledger(&[("payment", 999)]).await;
}

#[tokio::test]
async fn tabs_at_the_same_moment_pay_once() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let tries = (0..4).map(|_| bob.post(PURCHASES, membership(1)));
    let answers = futures_util::future::join_all(tries).await;
    let begun: Vec<String> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json()["url"].as_str().unwrap().to_owned())
        .collect();
    assert!(!begun.is_empty());
    let refused = answers.iter().filter(|answer| answer.status != 201);
    for answer in refused {
        assert_eq!(answer.code(), "checkout_under_way");
    }
    let mut paid = 0;
    for url in &begun {
        let session = url.rsplit('/').next().unwrap();
        paid += i32::from(till.fake.pay(session).await.is_ok());
    }
    assert_eq!(paid, 1);
}

#[tokio::test]
async fn a_membership_goes_on_and_ends_as_its_owner_says() {
    let mut till = Till::open(Backend::Sqlite).await;
    let mut bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    pass(&mut till, 32 * DAY, &mut bob).await;
    till.wait_for_ledger(&[("payment", 499), ("payment", 499)])
        .await;
    assert_eq!(till.tier(&bob).await, 1);
    let portal = bob.post("/api/account/billing", json!({})).await;
    assert_eq!(portal.status, 200, "{portal:?}");
    let portal = portal.json()["url"].as_str().unwrap().to_owned();
    assert!(portal.starts_with(&till.fake.url()), "{portal}");
    let id = subscription(&till).await["id"].as_str().unwrap().to_owned();
    till.cancel_at_period_end(&id).await;
    till.server
        .wait_for("the end to be known", || async {
            let own = bob.get("/api/account/memberships").await.json();
            (own["items"][0]["ends"] == true).then_some(())
        })
        .await;
    assert_eq!(till.tier(&bob).await, 1, "it is paid until then");
    pass(&mut till, 32 * DAY, &mut bob).await;
    till.wait_for_tier(&bob, Value::Null).await;
}

#[tokio::test]
async fn who_pays_late_stays_for_the_days_of_grace() {
    let mut till = Till::open(Backend::Sqlite).await;
    let mut bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    let customer = subscription(&till).await["customer"]
        .as_str()
        .unwrap()
        .to_owned();
    till.fake.set_card(&customer, false).await.unwrap();
    pass(&mut till, 32 * DAY, &mut bob).await;
    till.server
        .wait_for("the missing payment to be known", || async {
            let own = bob.get("/api/account/memberships").await.json();
            (own["items"][0]["status"] == "past_due").then_some(())
        })
        .await;
    assert_eq!(till.tier(&bob).await, 1, "grace");
    till.server.clock.advance(8 * DAY);
    assert_eq!(till.tier(&bob).await, Value::Null, "it is over");
}

#[tokio::test]
async fn who_pays_after_all_goes_on() {
    let mut till = Till::open(Backend::Sqlite).await;
    let mut bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    let customer = subscription(&till).await["customer"]
        .as_str()
        .unwrap()
        .to_owned();
    till.fake.set_card(&customer, false).await.unwrap();
    pass(&mut till, 32 * DAY, &mut bob).await;
    till.fake.set_card(&customer, true).await.unwrap();
    pass(&mut till, 4 * DAY, &mut bob).await;
    till.wait_for_ledger(&[("payment", 499), ("payment", 499)])
        .await;
    till.server
        .wait_for("the membership to be active", || async {
            let own = bob.get("/api/account/memberships").await.json();
            (own["items"][0]["status"] == "active").then_some(())
        })
        .await;
    till.server.clock.advance(8 * DAY);
    assert_eq!(till.tier(&bob).await, 1);
}

#[tokio::test]
async fn money_back_ends_it_at_once_whoever_gives_it() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    let ledger = till.wait_for_ledger(&[("payment", 499)]).await;
    let payment = ledger[0]["payment"].as_str().unwrap();
    let refund = format!("/api/channels/ada/payments/{payment}/refund");
    let stranger = till.viewer("eve").await;
    assert_eq!(stranger.post(&refund, json!({})).await.status, 403);
    let refunded = till.ada.post(&refund, json!({})).await;
    assert_eq!(refunded.status, 204, "{refunded:?}");
    assert_eq!(till.tier(&bob).await, Value::Null, "at once");
    till.wait_for_ledger(&[("refund", -499), ("payment", 499)])
        .await;
    // From Stripe's own dashboard, which does not end the membership by itself.
    till.buy(&stranger, membership(1)).await;
    till.wait_for_tier(&stranger, json!(1)).await;
    till.wait_for_ledger(&[("payment", 499), ("refund", -499), ("payment", 499)])
        .await;
    let charge = till.newest_charge().await;
    till.fake.refund(&charge, None).await.unwrap();
    till.wait_for_tier(&stranger, Value::Null).await;
}

#[tokio::test]
async fn a_dispute_ends_it_and_a_won_one_gives_it_back() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    let charge = till.newest_charge().await;
    let dispute = till.fake.dispute(&charge).await.unwrap();
    till.wait_for_tier(&bob, Value::Null).await;
    till.wait_for_ledger(&[("dispute", -499), ("payment", 499)])
        .await;
    let dispute = dispute["id"].as_str().unwrap();
    till.fake.close_dispute(dispute, true).await.unwrap();
    till.wait_for_tier(&bob, json!(1)).await;
    till.wait_for_ledger(&[("dispute_won", 499), ("dispute", -499), ("payment", 499)])
        .await;
}

#[tokio::test]
async fn a_member_takes_another_tier() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let change = |tier: i64| bob.put("/api/channels/ada/membership", json!({ "tier": tier }));
    assert_eq!(change(2).await.code(), "not_a_member");
    till.buy(&bob, membership(1)).await;
    till.wait_for_tier(&bob, json!(1)).await;
    let changed = change(3).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert_eq!(till.tier(&bob).await, 3);
    assert_eq!(change(4).await.code(), "tier_not_found");
}

/// Somebody changes the price at Stripe itself, which leaves the old tier in what the subscription carries.
#[tokio::test]
async fn the_tier_is_the_one_that_is_paid() {
    let till = Till::open(Backend::Sqlite).await;
    let (bob, cat) = (till.viewer("bob").await, till.viewer("cat").await);
    till.buy(&cat, membership(3)).await;
    let dear = till.fake.state().await["ids"]["prices"][0].clone();
    till.buy(&bob, membership(1)).await;
    till.wait_for_tier(&bob, json!(1)).await;
    let state = till.fake.state().await;
    let subscriptions = state["ids"]["subscriptions"].as_array().unwrap();
    let subscription = subscriptions.last().unwrap().as_str().unwrap();
    let item = till.fake.object(subscription).await["items"]["data"][0]["id"].clone();
    let changed = reqwest::Client::new()
        .post(format!(
            "{}/v1/subscriptions/{subscription}",
            till.fake.url()
        ))
        .bearer_auth("sk_test_of_tests")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "items[0][id]={}&items[0][price]={}",
            item.as_str().unwrap(),
            dear.as_str().unwrap()
        ))
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), 200);
    till.wait_for_tier(&bob, json!(3)).await;
}

#[tokio::test]
async fn stripe_in_trouble_charges_nobody_twice() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.fake.trouble(Trouble::Down).await;
    let refused = bob.post(PURCHASES, membership(1)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (503, "stripe_unavailable")
    );
    till.fake.trouble(Trouble::None).await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
}

#[tokio::test]
async fn who_leaves_the_server_pays_no_more() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    leave(&bob).await;
    till.server.app.services.payments.sweep().await.unwrap();
    assert_eq!(subscription(&till).await["status"], "canceled");
    let ledger = till.wait_for_ledger(&[("payment", 499)]).await;
    assert_eq!(
        ledger[0]["from"],
        Value::Null,
        "the book stays, without the name"
    );
}

async fn leave(account: &Account) {
    let password = json!({ "password": PASSWORD });
    let left = account.delete_with("/api/account", password).await;
    assert_eq!(left.status, 204, "{left:?}");
}

/// What is open to an account of a channel for members: its page, its live stream, its chat.
async fn may_watch(till: &Till, who: &Account) -> bool {
    let profile = who.get("/api/channels/ada").await.json();
    let playlist = who.get("/hls/ada/index.m3u8").await;
    let chat = who.get("/api/channels/ada/chat/messages").await;
    let is_granted = profile["access"] == "granted";
    for (answer, name) in [(playlist, "playlist"), (chat, "chat")] {
        let is_barred = answer.status == 403 && answer.code() == "members_only";
        assert_eq!(is_barred, !is_granted, "{name}: {answer:?}");
    }
    assert_eq!(is_granted, !till.tier(who).await.is_null());
    is_granted
}

#[tokio::test]
async fn a_channel_for_members_opens_and_shuts_with_the_membership() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let encoder = till.server.encoder("ada").await;
    let publisher = till.server.go_live(&encoder).await;
    let stream = till.server.stream_of("ada").await;
    let for_members = json!({ "visibility": "members" });
    assert_eq!(
        till.ada
            .patch("/api/channels/ada", for_members)
            .await
            .status,
        200
    );
    assert!(!may_watch(&till, &bob).await);
    let view = async || {
        let headers = [("content-type", "application/sdp")];
        bob.send_body("POST", "/whep/ada", &headers, view_offer())
            .await
    };
    assert_eq!(view().await.code(), "members_only");
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    assert!(may_watch(&till, &bob).await);
    let watching = view().await;
    assert_eq!(watching.status, 201, "{watching:?}");
    till.server
        .viewer_connects(watching.session(), stream)
        .await;
    let url = watching.header("location").to_owned();
    let path = format!("{url}/events");
    let mut events = Follower::of(&bob, &path, None).await;
    let charge = till.newest_charge().await;
    till.fake.refund(&charge, None).await.unwrap();
    assert_eq!(events.until("barred").await["code"], "access_ended");
    // The event stream ends with the session.
    events.end().await;
    till.server
        .wait_for("the session to end", || async {
            (bob.get(&format!("{url}/events")).await.status == 404).then_some(())
        })
        .await;
    assert!(!may_watch(&till, &bob).await);
    assert_eq!(view().await.code(), "members_only");
    till.server.media_stops(publisher).await;
}

#[tokio::test]
async fn who_is_banned_holds_nothing() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let for_members = json!({ "visibility": "members" });
    assert_eq!(
        till.ada
            .patch("/api/channels/ada", for_members)
            .await
            .status,
        200
    );
    till.buy(&bob, membership(1)).await;
    assert!(may_watch(&till, &bob).await);
    let restraint = "/api/channels/ada/chat/restraints/bob";
    let banned = till.ada.put(restraint, json!({ "kind": "ban" })).await;
    assert!(banned.status.is_success(), "{banned:?}");
    assert!(!may_watch(&till, &bob).await, "at once");
    let tip = json!({ "kind": "tip", "amount": 500, "currency": "eur" });
    assert_eq!(bob.post(PURCHASES, tip).await.code(), "forbidden");
}

#[tokio::test]
async fn another_tier_hides_no_refund_of_the_time_that_was_paid() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_ledger(&[("payment", 499)]).await;
    let first = till.newest_charge().await;
    let changed = bob
        .put("/api/channels/ada/membership", json!({ "tier": 3 }))
        .await;
    assert_eq!(changed.status, 204, "{changed:?}");
    till.server
        .wait_for("the difference to be paid", || async {
            (till.ledger().await.len() == 2).then_some(())
        })
        .await;
    assert_eq!(till.tier(&bob).await, 3);
    till.fake.refund(&first, None).await.unwrap();
    till.wait_for_tier(&bob, Value::Null).await;
}

#[tokio::test]
async fn a_card_that_is_declined_changes_no_tier() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_tier(&bob, json!(1)).await;
    let customer = subscription(&till).await["customer"]
        .as_str()
        .unwrap()
        .to_owned();
    till.fake.set_card(&customer, false).await.unwrap();
    let changed = bob
        .put("/api/channels/ada/membership", json!({ "tier": 3 }))
        .await;
    assert_eq!(
        (changed.status.as_u16(), changed.code().as_str()),
        (409, "card_declined")
    );
    assert_eq!(till.tier(&bob).await, 1);
}
