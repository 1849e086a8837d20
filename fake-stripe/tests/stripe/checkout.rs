//! Checkout: one payment, or the first of a subscription.

use std::collections::HashMap;

use stripe_checkout::checkout_session::{
    CreateCheckoutSessionPaymentIntentData, ExpireCheckoutSession, ListLineItemsCheckoutSession,
    RetrieveCheckoutSession,
};
use stripe_core::charge::RetrieveCharge;
use stripe_core::customer::{CreateCustomer, DeleteCustomer, RetrieveCustomer};
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_product::price::{ListPrice, UpdatePrice};
use stripe_product::product::{ListProduct, RetrieveProduct, UpdateProduct};
use stripe_shared::{
    CheckoutSessionPaymentStatus, CheckoutSessionStatus, PaymentIntentStatus, SubscriptionStatus,
};

use crate::support::{
    DAY, fake, kinds, membership, monthly, one_off, refusal, subscribed, told_fake,
};

#[tokio::test]
async fn a_payment_is_made_and_told_in_full() {
    let (fake, client, receiver) = told_fake().await;
    let metadata = HashMap::from([("tip".to_owned(), "42".to_owned())]);
    let data = CreateCheckoutSessionPaymentIntentData {
        metadata: Some(metadata.clone()),
        ..CreateCheckoutSessionPaymentIntentData::new()
    };
    let session = one_off(500)
        .client_reference_id("order-1")
        .metadata(metadata.clone())
        .payment_intent_data(data)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(session.status, Some(CheckoutSessionStatus::Open));
    assert_eq!(session.amount_total, Some(500));
    let page = format!("{}/pay/{}", fake.url(), session.id);
    assert_eq!(session.url.as_deref(), Some(page.as_str()));
    fake.pay(session.id.as_str()).await.unwrap();

    let paths = ["payment_intent.latest_charge", "line_items"].map(str::to_owned);
    let session = RetrieveCheckoutSession::new(session.id)
        .expand(paths)
        .send(&client)
        .await;
    let session = session.unwrap();
    assert_eq!(session.payment_status, CheckoutSessionPaymentStatus::Paid);
    assert_eq!(session.client_reference_id.as_deref(), Some("order-1"));
    assert_eq!(session.line_items.unwrap().data[0].amount_total, 500);
    let intent = session.payment_intent.unwrap().into_object().unwrap();
    assert_eq!(intent.status, PaymentIntentStatus::Succeeded);
    assert_eq!(intent.metadata, metadata);
    let charge = intent.latest_charge.unwrap().into_object().unwrap();
    assert_eq!(
        (charge.amount, charge.refunded, charge.disputed),
        (500, false, false)
    );
    assert_eq!(charge.metadata, metadata);
    let told = receiver.wait_for("checkout.session.completed").await;
    assert_eq!(told.json()["data"]["object"]["payment_status"], "paid");
    let expected = [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ];
    assert_eq!(kinds(&fake).await, expected);
    RetrievePaymentIntent::new(intent.id)
        .send(&client)
        .await
        .unwrap();
    RetrieveCharge::new(charge.id).send(&client).await.unwrap();
    ListLineItemsCheckoutSession::new(session.id)
        .send(&client)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open_and_the_next_pays_the_same_intent() {
    let (fake, client) = fake().await;
    let session = one_off(500).send(&client).await.unwrap();
    let declined = fake.decline(session.id.as_str()).await.unwrap();
    assert_eq!(declined["status"], "open");
    let paid = fake.pay(session.id.as_str()).await.unwrap();
    assert_eq!(paid["payment_intent"], declined["payment_intent"]);
    assert_eq!(kinds(&fake).await[0], "payment_intent.payment_failed");
    let again = fake.pay(session.id.as_str()).await.unwrap_err();
    assert_eq!(again.message, "This checkout is complete.");
    assert_eq!(fake.state().await["counts"]["charges"], 1);
}

#[tokio::test]
async fn a_subscription_begins_with_a_paid_invoice() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    let sessions = fake.state().await["ids"]["sessions"].clone();
    let session = RetrieveCheckoutSession::new(sessions[0].as_str().unwrap())
        .expand(["subscription".to_owned()])
        .send(&client)
        .await
        .unwrap();
    let subscription = session.subscription.unwrap().into_object().unwrap();
    assert_eq!(subscription.id.as_str(), id);
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    assert_eq!(subscription.customer.id().as_str(), customer);
    let expected = [
        "product.created",
        "price.created",
        "customer.created",
        "customer.subscription.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "checkout.session.completed",
    ];
    assert_eq!(kinds(&fake).await, expected);
}

#[tokio::test]
async fn a_session_runs_out_after_a_day_or_when_asked() {
    let (fake, client) = fake().await;
    let first = one_off(500).send(&client).await.unwrap();
    let second = one_off(500).send(&client).await.unwrap();
    let expired = ExpireCheckoutSession::new(first.id.clone())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(expired.status, Some(CheckoutSessionStatus::Expired));
    let again = ExpireCheckoutSession::new(first.id).send(&client).await;
    assert_eq!(refusal(again).0, 400);
    fake.advance(DAY).await;
    let second = RetrieveCheckoutSession::new(second.id)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(second.status, Some(CheckoutSessionStatus::Expired));
    assert_eq!(kinds(&fake).await, ["checkout.session.expired"; 2]);
}

#[tokio::test]
async fn what_stripe_refuses_is_refused() {
    let (_fake, client) = fake().await;
    let small = refusal(one_off(49).send(&client).await);
    assert_eq!(small, (400, "amount_too_small".to_owned(), String::new()));
    let missing = refusal(
        RetrieveCheckoutSession::new("cs_test_none")
            .send(&client)
            .await,
    );
    assert_eq!((missing.0, missing.1.as_str()), (404, "resource_missing"));
    let customer = refusal(one_off(500).customer("cus_none").send(&client).await);
    assert_eq!(
        customer,
        (400, "resource_missing".to_owned(), "customer".to_owned())
    );
    let soon = one_off(500).expires_at(1_i64).send(&client).await;
    assert_eq!(refusal(soon).2, "expires_at");

    let price = monthly(&client, 499).await;
    UpdatePrice::new(price.id.clone())
        .active(false)
        .send(&client)
        .await
        .unwrap();
    let inactive = refusal(membership(&price).send(&client).await);
    assert_eq!(inactive.2, "line_items[0][price]");
}

#[tokio::test]
async fn without_a_key_nothing_is_told() {
    let (_fake, client) = fake().await;
    let session = one_off(500).send(&client).await.unwrap();
    let stranger = stripe::ClientBuilder::new("sk_live_x").url(format!("{}/", _fake.url()));
    let stranger = stranger.build().unwrap();
    let answer = RetrieveCheckoutSession::new(session.id)
        .send(&stranger)
        .await;
    assert_eq!(refusal(answer).0, 401);
}

#[tokio::test]
async fn products_prices_and_customers_are_kept() {
    let (_fake, client) = fake().await;
    let price = monthly(&client, 499).await;
    let product = price.product.id().clone();
    let renamed = UpdateProduct::new(product.clone())
        .name("Supporter")
        .send(&client)
        .await;
    assert_eq!(renamed.unwrap().name, "Supporter");
    let product = RetrieveProduct::new(product).send(&client).await.unwrap();
    let prices = ListPrice::new()
        .product(product.id.as_str())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(prices.data[0].id, price.id);
    assert_eq!(
        ListProduct::new().send(&client).await.unwrap().data.len(),
        1
    );

    let customer = CreateCustomer::new()
        .email("a@example.com")
        .send(&client)
        .await
        .unwrap();
    let session = one_off(500)
        .customer(customer.id.as_str())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(session.customer.unwrap().id(), &customer.id);
    RetrieveCustomer::new(customer.id.clone())
        .send(&client)
        .await
        .unwrap();
    DeleteCustomer::new(customer.id.clone())
        .send(&client)
        .await
        .unwrap();
    let gone = one_off(500)
        .customer(customer.id.as_str())
        .send(&client)
        .await;
    assert_eq!(refusal(gone).1, "resource_missing");
}
