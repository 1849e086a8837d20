//! What may go wrong between the platform and Stripe.

use std::time::Duration;

use fake_stripe::Trouble;
use stripe::{IdempotencyKey, RequestStrategy, StripeError, StripeRequest};
use stripe_core::customer::CreateCustomer;
use tokio::net::TcpStream;

use crate::support::{fake, one_off, refusal};

fn keyed(key: &str) -> RequestStrategy {
    RequestStrategy::Idempotent(IdempotencyKey::new(key).unwrap())
}

#[tokio::test]
async fn the_same_key_does_the_same_thing_once() {
    let (fake, client) = fake().await;
    let ask = || {
        one_off(500)
            .customize()
            .request_strategy(keyed("k1"))
            .send(&client)
    };
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!(first.id, second.id);
    assert_eq!(fake.state().await["counts"]["sessions"], 1);
    let other = one_off(600)
        .customize()
        .request_strategy(keyed("k1"))
        .send(&client)
        .await;
    match other.unwrap_err() {
        StripeError::Stripe(error, 400) => assert_eq!(error.type_.as_str(), "idempotency_error"),
        other => panic!("{other}"),
    }
    let requests = fake.requests().await;
    assert_eq!(requests[0]["idempotency_key"], "k1");
    assert_eq!(
        requests[0]["form"]["line_items"][0]["price_data"]["unit_amount"],
        "500"
    );
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_key() {
    let (fake, client) = fake().await;
    fake.trouble(Trouble::After).await;
    let ask = || {
        CreateCustomer::new()
            .customize()
            .request_strategy(keyed("k2"))
            .send(&client)
    };
    assert_eq!(refusal(ask().await).0, 500);
    ask().await.unwrap();
    assert_eq!(fake.state().await["counts"]["customers"], 1);
    CreateCustomer::new().send(&client).await.unwrap();
    assert_eq!(fake.state().await["counts"]["customers"], 2);
}

#[tokio::test]
async fn playing_dead_does_nothing() {
    let (fake, client) = fake().await;
    fake.trouble(Trouble::Down).await;
    assert_eq!(refusal(CreateCustomer::new().send(&client).await).0, 503);
    fake.trouble(Trouble::None).await;
    assert_eq!(fake.state().await["counts"]["customers"], 0);
}

#[tokio::test]
async fn a_slow_answer_can_come_too_late_for_what_took_effect() {
    let (fake, client) = fake().await;
    fake.trouble(Trouble::Slow(Duration::from_secs(60))).await;
    let ask = CreateCustomer::new()
        .customize()
        .timeout(Duration::from_millis(300))
        .send(&client);
    assert!(matches!(ask.await.unwrap_err(), StripeError::Timeout));
    assert_eq!(fake.state().await["counts"]["customers"], 1);
}

#[tokio::test]
async fn a_dropped_fake_is_gone() {
    let (fake, _client) = fake().await;
    let address = fake.address();
    assert!(TcpStream::connect(address).await.is_ok());
    drop(fake);
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap();
}
