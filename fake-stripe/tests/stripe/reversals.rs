//! Refunds and disputes.

use stripe_core::charge::RetrieveCharge;
use stripe_core::dispute::RetrieveDispute;
use stripe_core::refund::CreateRefund;
use stripe_shared::DisputeStatus;

use crate::support::{charged, fake, kinds, refusal};

#[tokio::test]
async fn a_charge_is_refunded_in_parts_and_no_further() {
    let (fake, client) = fake().await;
    let charge = charged(&fake, &client, 500).await;
    let part = CreateRefund::new()
        .charge(charge.as_str())
        .amount(200)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(part.amount, 200);
    let read = || async {
        RetrieveCharge::new(charge.as_str())
            .send(&client)
            .await
            .unwrap()
    };
    assert_eq!(
        (read().await.amount_refunded, read().await.refunded),
        (200, false)
    );
    let too_much = CreateRefund::new()
        .charge(charge.as_str())
        .amount(301)
        .send(&client)
        .await;
    assert_eq!(refusal(too_much).2, "amount");
    let intent = read().await.payment_intent.unwrap().id().to_string();
    CreateRefund::new()
        .payment_intent(intent)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(
        (read().await.amount_refunded, read().await.refunded),
        (500, true)
    );
    let again = CreateRefund::new()
        .charge(charge.as_str())
        .send(&client)
        .await;
    assert_eq!(refusal(again).1, "charge_already_refunded");
    let told = kinds(&fake).await;
    assert_eq!(
        told[told.len() - 2..],
        ["charge.refunded", "refund.created"]
    );
}

#[tokio::test]
async fn the_dashboard_refunds_what_is_left() {
    let (fake, client) = fake().await;
    let charge = charged(&fake, &client, 500).await;
    fake.refund(&charge, Some(100)).await.unwrap();
    let rest = fake.refund(&charge, None).await.unwrap();
    assert_eq!(rest["amount"], 400);
}

#[tokio::test]
async fn a_dispute_is_opened_and_decided() {
    let (fake, client) = fake().await;
    for (won, status) in [(true, DisputeStatus::Won), (false, DisputeStatus::Lost)] {
        let charge = charged(&fake, &client, 500).await;
        let dispute = fake.dispute(&charge).await.unwrap();
        let id = dispute["id"].as_str().unwrap();
        assert!(
            RetrieveCharge::new(charge.as_str())
                .send(&client)
                .await
                .unwrap()
                .disputed
        );
        let open = RetrieveDispute::new(id).send(&client).await.unwrap();
        assert_eq!(
            (open.status, open.amount),
            (DisputeStatus::NeedsResponse, 500)
        );
        let refund = CreateRefund::new()
            .charge(charge.as_str())
            .send(&client)
            .await;
        assert_eq!(refusal(refund).1, "charge_disputed");
        fake.close_dispute(id, won).await.unwrap();
        let closed = RetrieveDispute::new(id).send(&client).await.unwrap();
        assert_eq!(closed.status, status);
        assert_eq!(kinds(&fake).await.last().unwrap(), "charge.dispute.closed");
    }
}
