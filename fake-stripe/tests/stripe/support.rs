//! A fake, a client, a receiver of webhooks, and what many tests begin with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fake_stripe::{FakeStripe, Options};
use serde_json::Value;
use stripe::{Client, ClientBuilder, StripeError};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    ProductData,
};
use stripe_product::price::{CreatePrice, CreatePriceRecurring, CreatePriceRecurringInterval};
use stripe_product::product::CreateProduct;
use stripe_shared::{CheckoutSession, CheckoutSessionMode, Price};
use stripe_types::Currency;
use stripe_webhook::{Event, Webhook};
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub(crate) const SECRET: &str = "whsec_test";
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A fake and a client of it.
pub(crate) async fn fake() -> (FakeStripe, Client) {
    let fake = FakeStripe::start(Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        webhook_url: None,
        webhook_secret: SECRET.to_owned(),
        public_url: None,
    });
    let fake = fake.await.unwrap();
    // Another test may have been faster.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = ClientBuilder::new("sk_test_x")
        .url(format!("{}/", fake.url()))
        .build()
        .unwrap();
    (fake, client)
}

/// A fake that tells a receiver, and a client.
pub(crate) async fn told_fake() -> (FakeStripe, Client, Receiver) {
    let (fake, client) = fake().await;
    let receiver = Receiver::start().await;
    fake.aim(Some(&receiver.url), SECRET).await;
    (fake, client, receiver)
}

/// A session of one payment of so many cents.
pub(crate) fn one_off(cents: i64) -> CreateCheckoutSession {
    let price = CreateCheckoutSessionLineItemsPriceData {
        product_data: Some(ProductData::new("A tip")),
        unit_amount: Some(cents),
        ..CreateCheckoutSessionLineItemsPriceData::new(Currency::EUR)
    };
    let line = CreateCheckoutSessionLineItems {
        price_data: Some(price),
        quantity: Some(1),
        ..CreateCheckoutSessionLineItems::new()
    };
    session(CheckoutSessionMode::Payment, line)
}

/// A session of a subscription to this price.
pub(crate) fn membership(price: &Price) -> CreateCheckoutSession {
    let line = CreateCheckoutSessionLineItems {
        price: Some(price.id.to_string()),
        quantity: Some(1),
        ..CreateCheckoutSessionLineItems::new()
    };
    session(CheckoutSessionMode::Subscription, line)
}

fn session(
    mode: CheckoutSessionMode,
    line: CreateCheckoutSessionLineItems,
) -> CreateCheckoutSession {
    CreateCheckoutSession::new()
        .mode(mode)
        .line_items(vec![line])
        .success_url("http://127.0.0.1:1/thanks?session={CHECKOUT_SESSION_ID}")
        .cancel_url("http://127.0.0.1:1/left")
}

/// A price of so many cents a month of a new product.
pub(crate) async fn monthly(client: &Client, cents: i64) -> Price {
    let product = CreateProduct::new("Membership").send(client).await.unwrap();
    CreatePrice::new(Currency::EUR)
        .product(product.id.as_str())
        .unit_amount(cents)
        .recurring(CreatePriceRecurring::new(
            CreatePriceRecurringInterval::Month,
        ))
        .send(client)
        .await
        .unwrap()
}

/// A paid session of a monthly subscription: the ids of the subscription and of its customer.
pub(crate) async fn subscribed(fake: &FakeStripe, client: &Client, cents: i64) -> (String, String) {
    let price = monthly(client, cents).await;
    let session = membership(&price).send(client).await.unwrap();
    let session = fake.pay(session.id.as_str()).await.unwrap();
    let id = |field: &str| session[field].as_str().unwrap().to_owned();
    (id("subscription"), id("customer"))
}

/// A paid session of one payment: the id of its charge.
pub(crate) async fn charged(fake: &FakeStripe, client: &Client, cents: i64) -> String {
    let session: CheckoutSession = one_off(cents).send(client).await.unwrap();
    let session = fake.pay(session.id.as_str()).await.unwrap();
    let intent = fake
        .object(session["payment_intent"].as_str().unwrap())
        .await;
    intent["latest_charge"].as_str().unwrap().to_owned()
}

/// The kinds of all events, oldest first.
pub(crate) async fn kinds(fake: &FakeStripe) -> Vec<String> {
    let events = fake.events().await;
    let kinds = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    kinds.collect()
}

/// The status, code and parameter of an error that Stripe reports.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, StripeError>) -> (u16, String, String) {
    match result.unwrap_err() {
        StripeError::Stripe(error, status) => {
            let code = error.code.map(|code| code.to_string()).unwrap_or_default();
            (status, code, error.param.unwrap_or_default())
        }
        other => panic!("Stripe reported nothing: {other}"),
    }
}

/// What was POSTed to the webhook.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) body: String,
    pub(crate) signature: String,
    /// What was answered.
    pub(crate) status: u16,
}

impl Letter {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The event as the foreign client reads and verifies it.
    pub(crate) fn event(&self) -> Event {
        Webhook::construct_event(&self.body, &self.signature, SECRET).unwrap()
    }
}

/// A webhook endpoint that keeps what it gets and answers as it was told.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    letters: Mutex<Vec<Letter>>,
    refusals: Mutex<usize>,
    news: Notify,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inbox = Arc::new(Inbox::default());
        let routes = Router::new()
            .route("/hook", post(take))
            .with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, inbox }
    }

    /// Answers the next so many deliveries with 500.
    pub(crate) fn refuse(&self, times: usize) {
        *self.inbox.refusals.lock().unwrap() = times;
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.inbox.letters.lock().unwrap().clone()
    }

    /// Waits until `enough` says so of all letters so far.
    pub(crate) async fn until(&self, enough: impl Fn(&[Letter]) -> bool) -> Vec<Letter> {
        let wait = async {
            loop {
                let news = self.inbox.news.notified();
                let letters = self.letters();
                if enough(&letters) {
                    return letters;
                }
                news.await;
            }
        };
        let limit = tokio::time::timeout(Duration::from_secs(20), wait);
        limit
            .await
            .unwrap_or_else(|_| panic!("still only {:?}", self.letters()))
    }

    /// Waits for an event of this kind.
    pub(crate) async fn wait_for(&self, kind: &str) -> Letter {
        let is_it = |letter: &Letter| letter.json()["type"] == kind;
        let letters = self.until(|letters| letters.iter().any(is_it)).await;
        letters.into_iter().find(is_it).unwrap()
    }
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: String) -> StatusCode {
    let refused = {
        let mut refusals = inbox.refusals.lock().unwrap();
        let refused = *refusals > 0;
        *refusals = refusals.saturating_sub(1);
        refused
    };
    let status = if refused {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    let letter = Letter {
        body,
        signature,
        status: status.as_u16(),
    };
    inbox.letters.lock().unwrap().push(letter);
    inbox.news.notify_waiters();
    status
}
