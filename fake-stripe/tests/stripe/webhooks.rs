//! Deliveries: signed, repeated until taken, in disorder when asked.

use fake_stripe::sign;
use serde_json::{Value, json};
use stripe_misc::webhook_endpoint::ListWebhookEndpoint;
use stripe_webhook::{EventObject, Webhook};

use crate::support::{DAY, Letter, SECRET, fake, one_off, subscribed, told_fake};

fn ids(letters: &[Letter]) -> Vec<String> {
    let id = |letter: &Letter| letter.json()["id"].as_str().unwrap().to_owned();
    letters.iter().map(id).collect()
}

#[tokio::test]
async fn every_event_is_verified_and_read_by_a_foreign_client() {
    let (fake, client, receiver) = told_fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    fake.advance(31 * DAY).await;
    fake.set_card(&customer, false).await.unwrap();
    fake.advance(50 * DAY).await;
    let charges = fake.state().await["ids"]["charges"].clone();
    let charge = |n: usize| charges[n].as_str().unwrap();
    fake.refund(charge(0), None).await.unwrap();
    let dispute = fake.dispute(charge(1)).await.unwrap();
    fake.close_dispute(dispute["id"].as_str().unwrap(), false)
        .await
        .unwrap();
    let all = fake.events().await.len();
    let letters = receiver.until(|letters| letters.len() == all).await;
    for letter in &letters {
        let event = letter.event();
        assert!(!event.livemode);
        let is_known = !matches!(event.data.object, EventObject::Unknown(_));
        assert!(is_known, "{} has a type", event.type_.as_str());
    }
    let happened: Vec<_> = fake
        .events()
        .await
        .iter()
        .map(|e| e["id"].clone())
        .collect();
    assert_eq!(
        json!(ids(&letters)),
        json!(happened),
        "in the order in which it happened"
    );
    let canceled = letters
        .iter()
        .find_map(|letter| match letter.event().data.object {
            EventObject::CustomerSubscriptionDeleted(subscription) => Some(subscription),
            _ => None,
        });
    assert_eq!(canceled.unwrap().id.as_str(), id);
}

#[tokio::test]
async fn a_wrong_secret_and_a_changed_body_are_noticed() {
    let (fake, client, receiver) = told_fake().await;
    subscribed(&fake, &client, 499).await;
    let letter = receiver.wait_for("checkout.session.completed").await;
    let read = |body: &str, secret| Webhook::construct_event(body, &letter.signature, secret);
    assert!(read(&letter.body, SECRET).is_ok());
    assert!(read(&letter.body, "whsec_other").is_err());
    assert!(read(&letter.body.replace("paid", "free"), SECRET).is_err());
    let time = letter
        .signature
        .trim_start_matches("t=")
        .split(',')
        .next()
        .unwrap();
    assert_eq!(
        sign(&letter.body, time.parse().unwrap(), SECRET),
        letter.signature
    );
}

#[tokio::test]
async fn a_delivery_is_repeated_until_it_is_taken() {
    let (fake, client, receiver) = told_fake().await;
    receiver.refuse(2);
    let session = one_off(500).send(&client).await.unwrap();
    fake.hold(true).await;
    fake.pay(session.id.as_str()).await.unwrap();
    let held = fake.held().await;
    let paid = held
        .iter()
        .find(|event| event["type"] == "checkout.session.completed")
        .unwrap();
    let paid = paid["id"].as_str().unwrap().to_owned();
    fake.release(Some(vec![paid.clone()])).await;
    let letters = receiver.until(|letters| letters.len() == 3).await;
    assert_eq!(ids(&letters), vec![paid; 3]);
    let statuses: Vec<_> = letters.iter().map(|letter| letter.status).collect();
    assert_eq!(statuses, [500, 500, 200]);
}

#[tokio::test]
async fn events_arrive_in_the_order_asked_for_each_with_its_own_state() {
    let (fake, client, receiver) = told_fake().await;
    fake.hold(true).await;
    subscribed(&fake, &client, 499).await;
    let held = fake.held().await;
    let find = |kind: &str| {
        held.iter()
            .find(|event| event["type"] == kind)
            .unwrap()
            .clone()
    };
    let created = find("customer.subscription.created");
    let updated = find("customer.subscription.updated");
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    let order = vec![id(&updated), id(&created)];
    assert_eq!(fake.release(Some(order.clone())).await, order);
    let letters = receiver.until(|letters| letters.len() == 2).await;
    assert_eq!(ids(&letters), order);
    let status = |n: usize| letters[n].json()["data"]["object"]["status"].clone();
    assert_eq!(
        (status(0), status(1)),
        (json!("active"), json!("incomplete"))
    );
    let previous = &letters[0].json()["data"]["previous_attributes"]["status"];
    assert_eq!(previous, "incomplete");
    let rest = fake.release(None).await.len();
    receiver.until(|letters| letters.len() == 2 + rest).await;
}

#[tokio::test]
async fn copies_and_disorder_bring_all_of_it() {
    let (fake, client, receiver) = told_fake().await;
    fake.duplicate(1).await;
    fake.shuffle(true).await;
    subscribed(&fake, &client, 499).await;
    let all = fake.events().await.len();
    let letters = receiver.until(|letters| letters.len() == 2 * all).await;
    let mut seen = ids(&letters);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
    fake.duplicate(0).await;
    fake.resend(&seen[0]).await.unwrap();
    receiver.until(|letters| letters.len() == 2 * all + 1).await;
}

#[tokio::test]
async fn the_endpoint_is_listed_and_without_one_events_are_only_kept() {
    let (fake, client) = fake().await;
    subscribed(&fake, &client, 499).await;
    assert_eq!(fake.state().await["webhooks"]["pending"], 0);
    fake.aim(Some("http://127.0.0.1:1/hook"), SECRET).await;
    let endpoints = ListWebhookEndpoint::new().send(&client).await.unwrap();
    assert_eq!(endpoints.data[0].url, "http://127.0.0.1:1/hook");
    assert_eq!(
        endpoints.data[0].api_version.as_deref(),
        Some("2026-09-30.endive")
    );
    assert_eq!(endpoints.data[0].enabled_events, ["*"]);
}

#[tokio::test]
async fn signatures_can_follow_the_fakes_clock() {
    let (fake, client, receiver) = told_fake().await;
    fake.sign_by_fake_clock(true).await;
    fake.advance(30 * DAY).await;
    subscribed(&fake, &client, 499).await;
    let letter = receiver.wait_for("checkout.session.completed").await;
    assert!(Webhook::construct_event(&letter.body, &letter.signature, SECRET).is_err());
    let now = fake.now();
    let event =
        Webhook::construct_event_with_timestamp(&letter.body, &letter.signature, SECRET, now);
    assert!(event.is_ok());
}
