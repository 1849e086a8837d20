//! What a subscription is made of when it begins.

use serde_json::{Value, json};

use crate::clock::after;
use crate::fields::Fields;
use crate::split::Split;
use crate::world::{PRIVATE, World, list, number, text};

/// What a new subscription is to be.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) customer: String,
    /// Prices and how many of each.
    pub(crate) items: Vec<(Value, i64)>,
    pub(crate) metadata: Value,
    pub(crate) split: Split,
}

/// Keeps a new subscription that is not paid for yet; answers its id.
pub(crate) fn add(world: &mut World, terms: &Terms) -> String {
    let id = world.id("sub");
    let now = world.now();
    let recurring = terms
        .items
        .first()
        .map(|(price, _)| price.at("recurring").clone());
    let recurring = recurring.unwrap_or_default();
    let count = number(recurring.at("interval_count")).max(1);
    let ends = after(now, &text(recurring.at("interval")), count);
    let items = terms.items.iter();
    let items = items.map(|(price, quantity)| item(world, &id, price, *quantity, (now, ends)));
    let items = list(
        &format!("/v1/subscription_items?subscription={id}"),
        items.collect(),
    );
    let currency = items.at("data.0.price.currency").clone();
    let mut subscription = blank(&id, now);
    subscription.set("items", items);
    subscription.set("currency", currency);
    subscription.set("customer", json!(terms.customer));
    subscription.set("metadata", terms.metadata.clone());
    subscription.set("application_fee_percent", terms.split.fee.clone());
    subscription.set("on_behalf_of", terms.split.on_behalf_of.clone());
    if !terms.split.destination.is_null() {
        subscription.set(
            "transfer_data",
            json!({ "amount_percent": null, "destination": terms.split.destination }),
        );
    }
    world.add(subscription);
    id
}

fn item(
    world: &mut World,
    subscription: &str,
    price: &Value,
    quantity: i64,
    (start, end): (i64, i64),
) -> Value {
    json!({
        "id": world.id("si"),
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": world.now(),
        "current_period_end": end,
        "current_period_start": start,
        "discounts": [],
        "metadata": {},
        "plan": plan(price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    })
}

/// The price in the words of the time before prices, which Stripe still tells.
pub(crate) fn plan(price: &Value) -> Value {
    json!({
        "id": price.at("id"),
        "object": "plan",
        "active": price.at("active"),
        "amount": price.at("unit_amount"),
        "amount_decimal": price.at("unit_amount_decimal"),
        "billing_scheme": "per_unit",
        "created": price.at("created"),
        "currency": price.at("currency"),
        "interval": price.at("recurring.interval"),
        "interval_count": price.at("recurring.interval_count"),
        "livemode": false,
        "metadata": {},
        "nickname": null,
        "product": price.at("product"),
        "tiers_mode": null,
        "transform_usage": null,
        "trial_period_days": null,
        "usage_type": "licensed",
    })
}

fn blank(id: &str, now: i64) -> Value {
    json!({
        "id": id,
        "object": "subscription",
        "application": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": now,
        "billing_mode": { "type": "flexible", "flexible": null },
        "billing_schedules": [],
        "billing_thresholds": null,
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically",
        "created": now,
        "days_until_due": null,
        "default_payment_method": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "ended_at": null,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "latest_invoice": null,
        "livemode": false,
        "pause_collection": null,
        "pending_setup_intent": null,
        "pending_update": null,
        "schedule": null,
        "start_date": now,
        "status": "incomplete",
        "test_clock": null,
        "transfer_data": null,
        "trial_end": null,
        "trial_start": null,
        PRIVATE: { "retry_at": null, "tries": 0, "pending": [] },
    })
}
