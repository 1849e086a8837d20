//! A server whose creators are paid by a fake of Stripe's.

use fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::{Config, Payout};

use super::{Account, Backend, Server};

/// What signs the fake's events.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_tests";

/// A server, its fake, and the channel `ada` that sells.
pub(crate) struct Till {
    pub(crate) server: Server,
    pub(crate) fake: FakeStripe,
    pub(crate) ada: Account,
}

/// Lets creators be paid by the Stripe at that address.
pub(crate) fn sell(config: &mut Config, url: &str) {
    config.payments.secret_key = "sk_test_of_tests".to_owned();
    config.payments.webhook_secrets = vec![WEBHOOK_SECRET.to_owned()];
    config.payments.stripe_url = format!("{url}/");
}

impl Till {
    pub(crate) async fn open(backend: Backend) -> Self {
        Self::open_with(backend, |_| {}).await
    }

    /// Each creator with an account of its own, of whom the operator takes a tenth.
    pub(crate) async fn of_many(backend: Backend) -> Self {
        Self::open_with(backend, |config| {
            config.payments.payout = Payout::Connect;
            config.payments.fee_percent = 10;
        })
        .await
    }

    pub(crate) async fn open_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        let fake = FakeStripe::start(Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            webhook_url: None,
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            public_url: None,
        });
        let fake = fake.await.unwrap();
        let url = fake.url();
        let server = Server::start_with(backend, |config| {
            sell(config, &url);
            change(config);
        });
        let server = server.await;
        fake.aim(Some(&webhook(&server)), WEBHOOK_SECRET).await;
        let ada = server.creator().await;
        let shop = json!({
            "takes_tips": true,
            "welcome": "Good to have you",
            "tiers": [
                { "name": "Fan", "perks": ["A badge"], "month": 499, "year": 4_990 },
                { "name": "Friend", "month": 999 },
                { "name": "Patron", "month": 2_499 },
            ],
        });
        let set = ada.patch("/api/channels/ada/shop", shop).await;
        assert_eq!(set.status, 200, "{set:?}");
        Self { server, fake, ada }
    }

    pub(crate) async fn viewer(&self, name: &str) -> Account {
        self.server.account(name, Role::Viewer).await
    }

    /// Begins to pay; the Checkout session's id, and the purchase.
    pub(crate) async fn begin(&self, who: &Account, order: Value) -> (String, Value) {
        let begun = who.post("/api/channels/ada/purchases", order).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let begun = begun.json();
        let url = begun["url"].as_str().unwrap();
        (url.rsplit('/').next().unwrap().to_owned(), begun)
    }

    /// Pays; all that is told of it is done when it returns.
    pub(crate) async fn buy(&self, who: &Account, order: Value) -> Value {
        let (session, begun) = self.begin(who, order).await;
        self.fake.pay(&session).await.unwrap();
        let path = format!("/api/purchases/{}", begun["id"].as_str().unwrap());
        self.server
            .wait_for("the purchase to be paid", || async {
                let purchase = who.get(&path).await.json();
                (purchase["state"] == "paid").then_some(purchase)
            })
            .await
    }

    pub(crate) async fn tier(&self, who: &Account) -> Value {
        let offers = who.get("/api/channels/ada/offers").await.json();
        offers["own_tier"].clone()
    }

    pub(crate) async fn wait_for_tier(&self, who: &Account, tier: Value) {
        self.server
            .wait_for("the membership to change", || async {
                (self.tier(who).await == tier).then_some(())
            })
            .await;
    }

    /// Waits until all events that came are done.
    pub(crate) async fn settle(&self) -> Vec<Value> {
        let path = "/api/admin/payments/events";
        self.server
            .wait_for("all events to be done", || async {
                let events = self.ada.get(path).await.json();
                let events = events["items"].as_array().unwrap().clone();
                let all = events.iter().all(|event| !event["done_at"].is_null());
                let told = self.fake.events().await;
                let delivered = told
                    .iter()
                    .all(|event| event["delivery"]["pending"] == false);
                (all && delivered).then_some(events)
            })
            .await
    }

    /// Waits until the book, newest first, holds just these lines.
    pub(crate) async fn wait_for_ledger(&self, lines: &[(&str, i64)]) -> Vec<Value> {
        let wanted: Vec<Value> = lines.iter().map(|line| json!([line.0, line.1])).collect();
        let mut last = Vec::new();
        for _ in 0..200 {
            let ledger = self.ledger().await;
            let found = ledger
                .iter()
                .map(|line| json!([line["entry"], line["amount"]]));
            last = found.collect();
            if last == wanted {
                return ledger;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the book holds {last:?}, not {wanted:?}");
    }

    /// The charge that was made last.
    pub(crate) async fn newest_charge(&self) -> String {
        let state = self.fake.state().await;
        let charges = state["ids"]["charges"].as_array().unwrap();
        charges.last().unwrap().as_str().unwrap().to_owned()
    }

    /// Ends a subscription with its period, as Stripe's portal does.
    pub(crate) async fn cancel_at_period_end(&self, subscription: &str) {
        let url = format!("{}/v1/subscriptions/{subscription}", self.fake.url());
        let asked = reqwest::Client::new()
            .post(url)
            .bearer_auth("sk_test_of_tests")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("cancel_at_period_end=true");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    pub(crate) async fn ledger(&self) -> Vec<Value> {
        let ledger = self.ada.get("/api/channels/ada/ledger").await;
        assert_eq!(ledger.status, 200, "{ledger:?}");
        ledger.json()["items"].as_array().unwrap().clone()
    }
}

/// Where Stripe tells a server what happens.
fn webhook(server: &Server) -> String {
    format!("http://{}/webhooks/stripe", server.app.http)
}
