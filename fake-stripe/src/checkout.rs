//! Checkout sessions: paid, declined or left by a person on the fake's page.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::new_subscription::Terms;
use crate::payments::{self, Payment};
use crate::refusal::Refusal;
use crate::split::Split;
use crate::world::{World, number, text};
use crate::{customers, subscriptions};
/// `POST /v1/checkout/sessions/{id}/expire`
pub(crate) fn expire(world: &mut World, id: &str) -> Result<Value, Refusal> {
    let session = world.get("checkout.session", id)?;
    if session.at("status") != "open" {
        let status = text(session.at("status"));
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a \
             status of `{status}`."
        );
        return Err(Refusal::state(message));
    }
    run_out(world, id);
    world.get("checkout.session", id).cloned()
}

/// The session's time is over.
pub(crate) fn run_out(world: &mut World, id: &str) {
    world.change(id, |session| {
        session.set("status", json!("expired"));
        session.set("url", Value::Null);
    });
    world.emit("checkout.session.expired", id);
}

/// A person pays; answers the session. Of one that is not open nothing changes.
pub(crate) fn pay(world: &mut World, id: &str) -> Result<Value, Refusal> {
    let session = open(world, id)?;
    match session.at("mode").as_str() {
        Some("subscription") => subscribe(world, &session),
        _ => charge(world, &session),
    }
    let customer = world.find(&json!(id)).at("customer").clone();
    let customer = world.find(&customer);
    let email = customer
        .at("email")
        .as_str()
        .or(session.at("customer_email").as_str());
    let email = email.unwrap_or("someone@example.com").to_owned();
    world.change(id, |session| {
        session.set("status", json!("complete"));
        session.set("payment_status", json!("paid"));
        session.set("url", Value::Null);
        session.set(
            "customer_details",
            json!({
                "address": null, "email": email, "name": "Someone", "phone": null,
                "tax_exempt": "none", "tax_ids": [],
            }),
        );
    });
    world.emit("checkout.session.completed", id);
    world.get("checkout.session", id).cloned()
}

/// A person's card is declined; the session stays open.
pub(crate) fn decline(world: &mut World, id: &str) -> Result<Value, Refusal> {
    let session = open(world, id)?;
    let intent = intent(world, &session);
    payments::fail(world, &intent);
    world.get("checkout.session", id).cloned()
}

/// Where the person goes after paying.
pub(crate) fn success_url(session: &Value) -> String {
    text(session.at("success_url")).replace("{CHECKOUT_SESSION_ID}", &text(session.at("id")))
}

fn charge(world: &mut World, session: &Value) {
    let intent = intent(world, session);
    payments::succeed(world, &intent);
    let id = text(session.at("id"));
    world.change(&id, |session| session.set("payment_intent", json!(intent)));
}

/// The session's payment intent: made at the first attempt, kept for the next. That of a subscription stays
/// apart from the session, as its invoice brings its own.
fn intent(world: &mut World, session: &Value) -> String {
    if let Some(intent) = session.at("_fake.intent").as_str() {
        return intent.to_owned();
    }
    let is_payment = session.at("mode") == "payment";
    let terms = &session.at("_fake");
    let total = number(session.at("amount_total"));
    let split = split(terms);
    let intent = payments::intent(
        world,
        &Payment {
            amount: total,
            currency: text(session.at("currency")),
            customer: session.at("customer").clone(),
            description: terms.at("description").clone(),
            metadata: if is_payment {
                terms.at("metadata").clone()
            } else {
                json!({})
            },
            split: if is_payment {
                split
            } else {
                split.of_percent(total)
            },
        },
    );
    world.change(&text(session.at("id")), |session| {
        session.set("_fake.intent", json!(intent));
        if is_payment {
            session.set("payment_intent", json!(intent));
        }
    });
    intent
}

fn subscribe(world: &mut World, session: &Value) {
    let customer = match session.at("customer").as_str() {
        Some(customer) => customer.to_owned(),
        None => new_customer(world, session),
    };
    let terms = &session.at("_fake");
    let lines = terms.at("lines").as_array().into_iter().flatten();
    let items = lines.map(|line| (line.at("price").clone(), number(line.at("quantity"))));
    let terms = Terms {
        customer: customer.clone(),
        items: items.collect(),
        metadata: terms.at("metadata").clone(),
        split: split(terms),
    };
    let (subscription, invoice) = subscriptions::begin(world, &terms);
    world.change(&text(session.at("id")), |session| {
        session.set("customer", json!(customer));
        session.set("subscription", json!(subscription));
        session.set("invoice", json!(invoice));
    });
}

fn new_customer(world: &mut World, session: &Value) -> String {
    let email = session
        .at("customer_email")
        .as_str()
        .unwrap_or("someone@example.com");
    let customer = customers::new(world, Some(email), Some("Someone"), &json!({}));
    let id = text(customer.at("id"));
    world.emit("customer.created", &id);
    id
}

fn split(terms: &Value) -> Split {
    Split {
        fee: terms.at("fee").clone(),
        destination: terms.at("destination").clone(),
        on_behalf_of: terms.at("on_behalf_of").clone(),
    }
}

fn open(world: &World, id: &str) -> Result<Value, Refusal> {
    let session = world.get("checkout.session", id)?;
    if session.at("status") == "open" {
        return Ok(session.clone());
    }
    let status = text(session.at("status"));
    Err(Refusal::state(format!("This checkout is {status}.")))
}
