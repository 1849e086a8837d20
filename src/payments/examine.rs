//! Looks whether the keys fit, and whether Stripe knows where to tell what happens.

use serde::Deserialize;
use stripe_misc::webhook_endpoint::ListWebhookEndpoint;

use super::stripe::{List, Stripe, StripeError};
use crate::config;

/// What `tallylight doctor` finds of payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it should be, in words.
    Good(String),
    /// It works, but not as it should.
    Careful(String),
    /// Nobody can pay like this.
    Bad(String),
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    url: String,
    status: String,
    livemode: bool,
}

/// Where Stripe tells what happens, below the server's own address.
const WEBHOOK: &str = "/webhooks/stripe";

/// Asks Stripe with the keys of the configuration.
pub async fn examine(config: &config::Payments, public_origin: Option<&str>) -> Found {
    let Ok(stripe) = Stripe::new(config) else {
        return Found::Bad("payments.secret_key cannot be used: is it whole?".to_owned());
    };
    let account = match stripe.own_account().await {
        Ok(account) => account,
        Err(error) => return Found::Bad(in_words(&error)),
    };
    if !account.charges_enabled && config.is_live() {
        let id = account.id;
        return Found::Bad(format!(
            "Stripe does not let {id} take money yet: finish the account at Stripe"
        ));
    }
    let Some(origin) = public_origin else {
        return Found::Careful(
            "the keys fit; set http.public_url, so that people come back from Stripe to the right \
             address, and its events can be checked"
                .to_owned(),
        );
    };
    endpoint(&stripe, config, &format!("{origin}{WEBHOOK}")).await
}

async fn endpoint(stripe: &Stripe, config: &config::Payments, wanted: &str) -> Found {
    let mode = if config.is_live() { "real" } else { "test" };
    let listed: Result<List<Endpoint>, StripeError> =
        stripe.ask(&ListWebhookEndpoint::new().limit(100)).await;
    let Ok(listed) = listed else {
        return Found::Careful(format!(
            "the keys fit ({mode} money), but may not list webhook endpoints: look at Stripe whether \
             there is one for {wanted}"
        ));
    };
    let mut all = listed.data.iter();
    let found = all.find(|at| at.url == wanted && at.livemode == config.is_live());
    match found.map(|at| at.status.as_str()) {
        Some("enabled") => Found::Good(format!(
            "the keys fit ({mode} money), and Stripe tells {wanted} what happens"
        )),
        Some(_) => Found::Bad(format!(
            "Stripe's webhook endpoint {wanted} is switched off there"
        )),
        None => Found::Bad(format!(
            "Stripe tells nobody what happens: add a webhook endpoint {wanted} there, and put its \
             signing secret into payments.webhook_secrets"
        )),
    }
}

fn in_words(error: &StripeError) -> String {
    match error {
        StripeError::Away(_) => {
            format!("{error}; is the way out to payments.stripe_url open?")
        }
        _ => format!("{error}; is payments.secret_key whole, and not rolled?"),
    }
}
