//! Connected accounts: set up, paid, paid out.

use stripe::{AccountId, StripeRequest};
use stripe_checkout::checkout_session::{
    CreateCheckoutSessionPaymentIntentData, CreateCheckoutSessionPaymentIntentDataTransferData,
    CreateCheckoutSessionSubscriptionData, CreateCheckoutSessionSubscriptionDataTransferData,
};
use stripe_connect::account::{
    CreateAccount, CreateAccountType, RetrieveAccount, RetrieveForMyAccountAccount,
};
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};
use stripe_connect::login_link::CreateAccountLoginLink;
use stripe_core::balance::RetrieveForMyAccountBalance;
use stripe_core::payout::ListPayout;

use crate::support::{DAY, charged, fake, membership, monthly, one_off, refusal, told_fake};

fn to_account(account: &AccountId, fee: i64) -> CreateCheckoutSessionPaymentIntentData {
    let destination = account.as_str();
    CreateCheckoutSessionPaymentIntentData {
        application_fee_amount: Some(fee),
        on_behalf_of: Some(destination.to_owned()),
        transfer_data: Some(CreateCheckoutSessionPaymentIntentDataTransferData::new(
            destination,
        )),
        ..CreateCheckoutSessionPaymentIntentData::new()
    }
}

#[tokio::test]
async fn an_account_is_set_up_by_a_person_and_told_of() {
    let (fake, client, receiver) = told_fake().await;
    let account = CreateAccount::new()
        .type_(CreateAccountType::Express)
        .country("DE");
    let account = account.send(&client).await.unwrap();
    assert_eq!(account.charges_enabled, Some(false));
    let early = CreateAccountLoginLink::new(account.id.clone())
        .send(&client)
        .await;
    assert_eq!(refusal(early).0, 400);
    let data = to_account(&account.id, 50);
    let early = one_off(500).payment_intent_data(data).send(&client).await;
    let param = "payment_intent_data[transfer_data][destination]";
    assert_eq!(refusal(early).2, param);

    let link = CreateAccountLink::new(
        account.id.as_str(),
        CreateAccountLinkType::AccountOnboarding,
    )
    .refresh_url("http://127.0.0.1:1/again")
    .return_url("http://127.0.0.1:1/done")
    .send(&client)
    .await
    .unwrap();
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let browser = browser.build().unwrap();
    let page = browser
        .get(&link.url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("Complete") && page.contains("Leave"));
    let done = browser
        .post(&link.url)
        .body("do=complete")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (done.status().as_u16(), &done.headers()["location"]),
        (303, &"http://127.0.0.1:1/done".parse().unwrap())
    );

    let account = RetrieveAccount::new(account.id)
        .send(&client)
        .await
        .unwrap();
    assert_eq!(
        (
            account.charges_enabled,
            account.payouts_enabled,
            account.details_submitted
        ),
        (Some(true), Some(true), Some(true))
    );
    let told = receiver.wait_for("account.updated").await;
    assert_eq!(told.event().account.as_deref(), Some(account.id.as_str()));
    let dashboard = CreateAccountLoginLink::new(account.id.clone())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(
        dashboard.url,
        format!("{}/express/{}", fake.url(), account.id)
    );
}

#[tokio::test]
async fn what_was_paid_is_pending_and_a_week_later_paid_out() {
    let (fake, client) = fake().await;
    let account = CreateAccount::new().send(&client).await.unwrap().id;
    fake.set_account(account.as_str(), true).await.unwrap();
    let session = one_off(1_000).payment_intent_data(to_account(&account, 100));
    let session = session.send(&client).await.unwrap();
    fake.pay(session.id.as_str()).await.unwrap();
    charged(&fake, &client, 500).await;

    let theirs = RetrieveForMyAccountBalance::new()
        .customize()
        .account_id(account.clone());
    assert_eq!(theirs.send(&client).await.unwrap().pending[0].amount, 900);
    let ours = RetrieveForMyAccountBalance::new()
        .send(&client)
        .await
        .unwrap();
    assert_eq!(ours.pending[0].amount, 600);
    fake.advance(10 * DAY).await;
    let payouts = ListPayout::new()
        .customize()
        .account_id(account.clone())
        .send(&client)
        .await;
    assert_eq!(payouts.unwrap().data[0].amount, 900);
    let stranger = ListPayout::new()
        .customize()
        .account_id("acct_none".into())
        .send(&client)
        .await;
    assert_eq!(refusal(stranger).0, 403);
}

#[tokio::test]
async fn the_fee_of_a_subscription_is_a_part_of_each_payment() {
    let (fake, client) = fake().await;
    let account = CreateAccount::new().send(&client).await.unwrap().id;
    fake.set_account(account.as_str(), true).await.unwrap();
    let price = monthly(&client, 1_000).await;
    let data = CreateCheckoutSessionSubscriptionData {
        application_fee_percent: Some(12.5),
        transfer_data: Some(CreateCheckoutSessionSubscriptionDataTransferData::new(
            account.as_str(),
        )),
        ..CreateCheckoutSessionSubscriptionData::new()
    };
    let session = membership(&price)
        .subscription_data(data)
        .send(&client)
        .await
        .unwrap();
    fake.pay(session.id.as_str()).await.unwrap();
    fake.advance(31 * DAY).await;
    let charges = fake.state().await["ids"]["charges"].clone();
    for charge in charges.as_array().unwrap() {
        let charge = fake.object(charge.as_str().unwrap()).await;
        assert_eq!(charge["application_fee_amount"], 125);
        assert_eq!(charge["transfer_data"]["destination"], account.as_str());
    }
    assert_eq!(charges.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_platform_knows_its_own_account() {
    let (_fake, client) = fake().await;
    let own = RetrieveForMyAccountAccount::new()
        .send(&client)
        .await
        .unwrap();
    assert_eq!(own.charges_enabled, Some(true));
    RetrieveAccount::new(own.id).send(&client).await.unwrap();
}
