//! Subscriptions: begun by a checkout, changed, renewed, ended.

use serde_json::{Value, json};

use crate::clock::after;
use crate::fields::Fields;
use crate::form::Form;
use crate::new_invoice::{self, Bill, Line};
use crate::new_subscription::{self, Terms};
use crate::refusal::Refusal;
use crate::world::{World, number, text};
use crate::{customers, invoices, payments, proration};

/// Begins a subscription and takes its first payment; answers its id and the invoice's.
pub(crate) fn begin(world: &mut World, terms: &Terms) -> (String, String) {
    let id = new_subscription::add(world, terms);
    world.emit("customer.subscription.created", &id);
    let now = world.now();
    let lines = lines(world.find(&json!(id)));
    let invoice = new_invoice::write(
        world,
        Bill {
            subscription: &id,
            reason: "subscription_create",
            period: (now, now),
            lines,
        },
    );
    let before = world.change(&id, |subscription| {
        subscription.set("status", json!("active"))
    });
    invoices::settle(world, &invoice);
    world.emit_change("customer.subscription.updated", &id, &before);
    (id, invoice)
}

/// `POST /v1/subscriptions/{id}`
pub(crate) fn update(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let before = running(world, id)?.clone();
    let at_end = form.flag("cancel_at_period_end")?;
    let prorated = form
        .one_of(
            "proration_behavior",
            &["create_prorations", "always_invoice", "none"],
        )?
        .unwrap_or("create_prorations");
    let price = new_price(world, form, &before)?;
    let unpaid = form.one_of(
        "payment_behavior",
        &["allow_incomplete", "error_if_incomplete"],
    )?;
    let must_be_paid = price.is_some() && unpaid == Some("error_if_incomplete");
    if must_be_paid && !customers::card_works(world, before.at("customer")) {
        let declined = Refusal::other(402, "card_error", payments::DECLINED);
        return Err(declined.code("card_declined"));
    }
    world.change(id, |subscription| {
        subscription.set(
            "metadata",
            form.metadata("metadata", subscription.at("metadata")),
        );
    });
    if let Some(at_end) = at_end {
        set_cancel_at_period_end(world, id, at_end);
    }
    if let Some(price) = price {
        proration::replace_price(world, id, &price, prorated);
    }
    world.emit_change("customer.subscription.updated", id, &before);
    world.get("subscription", id).cloned()
}

/// `DELETE /v1/subscriptions/{id}`: it ends now.
pub(crate) fn cancel(world: &mut World, id: &str) -> Result<Value, Refusal> {
    running(world, id)?;
    end(world, id, "cancellation_requested");
    world.get("subscription", id).cloned()
}

/// From the customer's portal: ends with the period, or goes on after all.
pub(crate) fn cancel_at_period_end(
    world: &mut World,
    id: &str,
    at_end: bool,
) -> Result<(), Refusal> {
    let before = running(world, id)?.clone();
    set_cancel_at_period_end(world, id, at_end);
    world.emit_change("customer.subscription.updated", id, &before);
    Ok(())
}

/// What the time has come for: the next period, or the end.
pub(crate) fn turn(world: &mut World, id: &str) {
    let before = world.find(&json!(id)).clone();
    if before.at("cancel_at_period_end") == true {
        return end(world, id, "cancellation_requested");
    }
    let ended = period(&before);
    let next = next_period(&before);
    set_period(world, id, next);
    let mut lines = lines(world.find(&json!(id)));
    lines.extend(proration::take_pending(world, id));
    let invoice = new_invoice::write(
        world,
        Bill {
            subscription: id,
            reason: "subscription_cycle",
            period: ended,
            lines,
        },
    );
    world.emit_change("customer.subscription.updated", id, &before);
    collect(world, id, &invoice);
}

/// The card of a subscription that is past due is tried once more.
pub(crate) fn try_again(world: &mut World, id: &str) {
    let subscription = world.find(&json!(id)).clone();
    let tries = subscription.at("_fake.tries").as_u64().unwrap_or_default();
    let invoice = text(subscription.at("latest_invoice"));
    let days = usize::try_from(tries)
        .ok()
        .and_then(|tries| RETRY_DAYS.get(tries));
    let next = days.map(|days| world.now() + days * DAY);
    if invoices::collect(world, &invoice, next) {
        recover(world, id);
    } else if next.is_some() {
        set_retry(world, id, next, tries + 1);
    } else {
        end(world, id, "payment_failed");
    }
}

/// A subscription whose invoice was paid late is active again.
pub(crate) fn recover(world: &mut World, id: &str) {
    if world.find(&json!(id)).at("status") != "past_due" {
        return;
    }
    let before = world.change(id, |subscription| {
        subscription.set("status", json!("active"))
    });
    set_retry(world, id, None, 0);
    world.emit_change("customer.subscription.updated", id, &before);
}

/// Takes an invoice's money, or leaves the subscription past due and tries again in some days.
pub(crate) fn collect(world: &mut World, id: &str, invoice: &str) {
    let next = RETRY_DAYS.first().map(|days| world.now() + days * DAY);
    if invoices::collect(world, invoice, next) {
        return;
    }
    let before = world.change(id, |subscription| {
        subscription.set("status", json!("past_due"))
    });
    set_retry(world, id, next, 1);
    world.emit_change("customer.subscription.updated", id, &before);
}

/// The current period, which all items share.
pub(crate) fn period(subscription: &Value) -> (i64, i64) {
    let item = &subscription.at("items.data.0");
    (
        number(item.at("current_period_start")),
        number(item.at("current_period_end")),
    )
}

/// Sets the period of all items.
pub(crate) fn set_period(world: &mut World, id: &str, (start, end): (i64, i64)) {
    world.change(id, |subscription| {
        let items = subscription
            .at_mut("items.data")
            .and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            item.set("current_period_start", json!(start));
            item.set("current_period_end", json!(end));
        }
    });
}

/// The lines of the current period.
pub(crate) fn lines(subscription: &Value) -> Vec<Line> {
    let items = subscription.at("items.data").as_array();
    let line = |item: &Value| {
        let quantity = number(item.at("quantity"));
        Line {
            amount: number(item.at("price.unit_amount")).saturating_mul(quantity),
            description: format!("{quantity} × subscription"),
            quantity,
            price: item.at("price").clone(),
            period: period(subscription),
        }
    };
    items.into_iter().flatten().map(line).collect()
}

/// When the period after the one that begins at the anchor ends, counted from the anchor, so that a short
/// month does not shorten those after it.
fn next_period(subscription: &Value) -> (i64, i64) {
    let (_, start) = period(subscription);
    let recurring = &subscription.at("items.data.0.price.recurring");
    let interval = text(recurring.at("interval"));
    let step = number(recurring.at("interval_count")).max(1);
    let anchor = number(subscription.at("billing_cycle_anchor"));
    let mut ends = (1..).map(|n: i64| after(anchor, &interval, n * step));
    (start, ends.find(|end| *end > start).unwrap_or(i64::MAX))
}

fn end(world: &mut World, id: &str, reason: &str) {
    let now = world.now();
    world.change(id, |subscription| {
        subscription.set("status", json!("canceled"));
        subscription.set("ended_at", json!(now));
        if subscription.at("canceled_at").is_null() {
            subscription.set("canceled_at", json!(now));
        }
        subscription.set("cancellation_details.reason", json!(reason));
        subscription.set("_fake.retry_at", Value::Null);
    });
    world.emit("customer.subscription.deleted", id);
}

fn set_cancel_at_period_end(world: &mut World, id: &str, at_end: bool) {
    let now = world.now();
    world.change(id, |subscription| {
        let (_, end) = period(subscription);
        subscription.set("cancel_at_period_end", json!(at_end));
        subscription.set("cancel_at", json!(at_end.then_some(end)));
        subscription.set("canceled_at", json!(at_end.then_some(now)));
        subscription.set(
            "cancellation_details.reason",
            json!(at_end.then_some("cancellation_requested")),
        );
    });
}

fn set_retry(world: &mut World, id: &str, at: Option<i64>, tries: u64) {
    world.change(id, |subscription| {
        subscription.set("_fake.retry_at", json!(at));
        subscription.set("_fake.tries", json!(tries));
    });
}

/// A subscription that has not ended.
fn running<'a>(world: &'a World, id: &str) -> Result<&'a Value, Refusal> {
    let subscription = world.get("subscription", id)?;
    if subscription.at("status") == "canceled" {
        // Stripe says the same of one that ended as of one that never was.
        return Err(Refusal::unknown("subscription", id));
    }
    Ok(subscription)
}

/// The price that `items.at("0")` asks for, if it is another than the present one.
fn new_price(world: &World, form: &Form, subscription: &Value) -> Result<Option<Value>, Refusal> {
    let Some(price) = form.text("items.0.price") else {
        return Ok(None);
    };
    let item = &subscription.at("items.data.0");
    if form
        .text("items.0.id")
        .is_some_and(|id| item.at("id") != id)
    {
        return Err(
            Refusal::invalid("items.0.id", "No such subscription item.").code("resource_missing")
        );
    }
    let price = world.get("price", price).map_err(|refusal| Refusal {
        param: Some("items[0][price]".to_owned()),
        status: 400,
        ..refusal
    })?;
    if price.at("recurring").is_null() || price.at("currency") != subscription.at("currency") {
        let message = "The price has to recur and be in the subscription's currency.";
        return Err(Refusal::invalid("items.0.price", message));
    }
    Ok((price.at("id") != item.at("price.id")).then(|| price.clone()))
}

/// How many days after one failed attempt the next is made.
const RETRY_DAYS: [i64; 3] = [3, 5, 7];

const DAY: i64 = 24 * 3600;
