//! Subscriptions as time goes by, and what the platform and the customer change.

use std::time::Duration;

use fake_stripe::FakeStripe;
use stripe::Client;
use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_billing::invoice::{ListInvoice, PayInvoice, RetrieveInvoice};
use stripe_billing::subscription::{
    CancelSubscription, ListSubscription, RetrieveSubscription, UpdateSubscription,
    UpdateSubscriptionItems, UpdateSubscriptionProrationBehavior,
};
use stripe_shared::{
    Invoice, InvoiceBillingReason, InvoiceStatus, Subscription, SubscriptionStatus,
};

use crate::support::{DAY, fake, kinds, monthly, refusal, subscribed};

async fn read(client: &Client, id: &str) -> Subscription {
    let paths = ["latest_invoice.payments".to_owned()];
    RetrieveSubscription::new(id)
        .expand(paths)
        .send(client)
        .await
        .unwrap()
}

async fn latest_invoice(client: &Client, id: &str) -> Invoice {
    read(client, id)
        .await
        .latest_invoice
        .unwrap()
        .into_object()
        .unwrap()
}

/// Moves to the moment at which the present period ends.
async fn renew(fake: &FakeStripe, id: &str) {
    let end = &fake.object(id).await["items"]["data"][0]["current_period_end"];
    let left = end.as_i64().unwrap() - fake.now();
    fake.advance(Duration::from_secs(left.unsigned_abs())).await;
}

/// The kinds of events since there were `before`.
async fn kinds_since(fake: &FakeStripe, before: usize) -> Vec<String> {
    kinds(fake).await.split_off(before)
}

#[tokio::test]
async fn an_invoice_leads_to_its_subscription_and_payment() {
    let (fake, client) = fake().await;
    let (id, _) = subscribed(&fake, &client, 499).await;
    let subscription = read(&client, &id).await;
    let item = &subscription.items.data[0];
    let days = (item.current_period_end - item.current_period_start) / 86_400;
    assert!((28..=31).contains(&days));
    let invoice = subscription.latest_invoice.unwrap().into_object().unwrap();
    assert_eq!(invoice.status, Some(InvoiceStatus::Paid));
    assert_eq!(
        invoice.billing_reason,
        Some(InvoiceBillingReason::SubscriptionCreate)
    );
    let parent = invoice.parent.unwrap().subscription_details.unwrap();
    assert_eq!(parent.subscription.id().as_str(), id);
    let payment = &invoice.payments.unwrap().data[0].payment;
    let intent = payment.payment_intent.as_ref().unwrap().id().as_str();
    assert_eq!(fake.object(intent).await["amount"], 499);
    let alone = RetrieveInvoice::new(invoice.id.unwrap())
        .send(&client)
        .await
        .unwrap();
    assert!(
        alone.payments.is_none(),
        "payments are told only when asked for"
    );
    let listed = ListInvoice::new()
        .subscription(id.as_str())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 1);
}

#[tokio::test]
async fn a_month_later_the_next_period_is_paid() {
    let (fake, client) = fake().await;
    let (id, _) = subscribed(&fake, &client, 499).await;
    let first = read(&client, &id).await.items.data[0].current_period_end;
    let before = kinds(&fake).await.len();
    fake.advance(31 * DAY).await;
    let item = &read(&client, &id).await.items.data[0];
    assert_eq!(item.current_period_start, first);
    let invoice = latest_invoice(&client, &id).await;
    assert_eq!(
        invoice.billing_reason,
        Some(InvoiceBillingReason::SubscriptionCycle)
    );
    assert_eq!(
        invoice.created, first,
        "it is written when it falls due, not when time was moved"
    );
    let expected = [
        "customer.subscription.updated",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
    ];
    assert_eq!(kinds_since(&fake, before).await, expected);
    fake.advance(365 * DAY).await;
    assert!(fake.state().await["counts"]["invoices"].as_i64().unwrap() >= 13);
}

#[tokio::test]
async fn a_failing_card_is_tried_three_times_more_and_then_it_ends() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    fake.set_card(&customer, false).await.unwrap();
    renew(&fake, &id).await;
    assert_eq!(read(&client, &id).await.status, SubscriptionStatus::PastDue);
    let invoice = latest_invoice(&client, &id).await;
    assert_eq!(
        (invoice.status, invoice.attempt_count),
        (Some(InvoiceStatus::Open), 1)
    );
    fake.advance(8 * DAY).await;
    assert_eq!(latest_invoice(&client, &id).await.attempt_count, 3);
    assert_eq!(read(&client, &id).await.status, SubscriptionStatus::PastDue);
    fake.advance(7 * DAY).await;
    let ended = read(&client, &id).await;
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    let failed = kinds(&fake).await;
    let failed = failed
        .iter()
        .filter(|kind| *kind == "invoice.payment_failed");
    assert_eq!(failed.count(), 4);
    assert_eq!(
        kinds(&fake).await.last().unwrap(),
        "customer.subscription.deleted"
    );
    assert!(
        ListSubscription::new()
            .send(&client)
            .await
            .unwrap()
            .data
            .is_empty()
    );
}

#[tokio::test]
async fn a_card_that_works_again_in_time_saves_the_subscription() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    fake.set_card(&customer, false).await.unwrap();
    renew(&fake, &id).await;
    let invoice = latest_invoice(&client, &id).await.id.unwrap();
    let declined = PayInvoice::new(invoice).send(&client).await;
    assert_eq!(refusal(declined).0, 402);
    fake.set_card(&customer, true).await.unwrap();
    let before = kinds(&fake).await.len();
    fake.advance(4 * DAY).await;
    assert_eq!(read(&client, &id).await.status, SubscriptionStatus::Active);
    let since = kinds_since(&fake, before).await;
    assert_eq!(since.last().unwrap(), "customer.subscription.updated");
    assert!(since.contains(&"invoice.paid".to_owned()));
}

#[tokio::test]
async fn cancelled_at_the_end_it_lasts_until_then() {
    let (fake, client) = fake().await;
    let (id, _) = subscribed(&fake, &client, 499).await;
    let update = UpdateSubscription::new(id.as_str()).cancel_at_period_end(true);
    let ending = update.send(&client).await.unwrap();
    assert_eq!(
        ending.cancel_at,
        Some(ending.items.data[0].current_period_end)
    );
    assert_eq!(ending.status, SubscriptionStatus::Active);
    fake.advance(31 * DAY).await;
    let ended = read(&client, &id).await;
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    assert_eq!(ended.ended_at, ending.cancel_at);
    assert_eq!(fake.state().await["counts"]["invoices"], 1);
}

#[tokio::test]
async fn resumed_it_goes_on_and_cancelled_at_once_it_ends() {
    let (fake, client) = fake().await;
    let (id, _) = subscribed(&fake, &client, 499).await;
    for at_end in [true, false] {
        let update = UpdateSubscription::new(id.as_str()).cancel_at_period_end(at_end);
        update.send(&client).await.unwrap();
    }
    fake.advance(31 * DAY).await;
    assert_eq!(read(&client, &id).await.status, SubscriptionStatus::Active);
    let ended = CancelSubscription::new(id.as_str())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    let again = CancelSubscription::new(id.as_str()).send(&client).await;
    assert_eq!(refusal(again).1, "resource_missing");
}

#[tokio::test]
async fn another_price_is_charged_for_the_rest_of_the_period() {
    let (fake, client) = fake().await;
    let (id, _) = subscribed(&fake, &client, 1_000).await;
    let dearer = monthly(&client, 3_000).await;
    let item = read(&client, &id).await.items.data[0].id.to_string();
    let period = &read(&client, &id).await.items.data[0];
    let half = (period.current_period_end - period.current_period_start) / 2;
    fake.advance(Duration::from_secs(half.unsigned_abs())).await;
    let changed = UpdateSubscription::new(id.as_str())
        .items(vec![UpdateSubscriptionItems {
            id: Some(item),
            price: Some(dearer.id.to_string()),
            ..UpdateSubscriptionItems::new()
        }])
        .proration_behavior(UpdateSubscriptionProrationBehavior::AlwaysInvoice)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(changed.items.data[0].price.id, dearer.id);
    let invoice = latest_invoice(&client, &id).await;
    assert_eq!(
        invoice.billing_reason,
        Some(InvoiceBillingReason::SubscriptionUpdate)
    );
    // A second may pass between the leap and the request.
    assert!(
        (998..=1_000).contains(&invoice.amount_paid),
        "{}",
        invoice.amount_paid
    );
    fake.advance(31 * DAY).await;
    assert_eq!(latest_invoice(&client, &id).await.amount_paid, 3_000);
}

#[tokio::test]
async fn a_customer_gets_a_portal() {
    let (fake, client) = fake().await;
    let (_, customer) = subscribed(&fake, &client, 499).await;
    let portal = CreateBillingPortalSession::new()
        .customer(customer.as_str())
        .return_url("http://127.0.0.1:1/back")
        .send(&client)
        .await
        .unwrap();
    assert!(
        portal
            .url
            .starts_with(&format!("{}/portal/bps_", fake.url()))
    );
}
