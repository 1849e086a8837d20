//! What an invoice says when it is written.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::world::{World, list};

/// What an invoice is written for.
#[derive(Debug)]
pub(crate) struct Bill<'a> {
    pub(crate) subscription: &'a str,
    /// `billing_reason`: `subscription_create`, `subscription_cycle` or `subscription_update`.
    pub(crate) reason: &'a str,
    /// The period that the invoice gathers; that of its lines is in the lines.
    pub(crate) period: (i64, i64),
    pub(crate) lines: Vec<Line>,
}

/// A line of an invoice.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) amount: i64,
    pub(crate) description: String,
    pub(crate) quantity: i64,
    pub(crate) price: Value,
    pub(crate) period: (i64, i64),
}

/// Writes an invoice; nothing is collected yet.
pub(crate) fn write(world: &mut World, bill: Bill<'_>) -> String {
    let id = world.id("in");
    let subscription = world.find(&json!(bill.subscription)).clone();
    let total: i64 = bill
        .lines
        .iter()
        .map(|line| line.amount)
        .sum::<i64>()
        .max(0);
    let lines = bill
        .lines
        .iter()
        .map(|line| told(world, line, &id, &subscription));
    let lines: Vec<Value> = lines.collect::<Vec<_>>();
    let number = format!("FAKE-{:04}", world.all("invoice").count() + 1);
    let mut invoice = blank(world, &id, &subscription, total);
    invoice.set("billing_reason", json!(bill.reason));
    invoice.set("lines", list(&format!("/v1/invoices/{id}/lines"), lines));
    invoice.set("number", json!(number));
    invoice.set("period_start", json!(bill.period.0));
    invoice.set("period_end", json!(bill.period.1));
    world.add(invoice);
    world.change(bill.subscription, |subscription| {
        subscription.set("latest_invoice", json!(id));
    });
    id
}

fn told(world: &mut World, line: &Line, invoice: &str, subscription: &Value) -> Value {
    json!({
        "id": world.id("il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": subscription.at("currency"),
        "description": line.description,
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": invoice,
        "livemode": false,
        "metadata": subscription.at("metadata"),
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null,
                "proration": false,
                "proration_details": null,
                "subscription": subscription.at("id"),
                "subscription_item": subscription.at("items.data.0.id"),
            },
        },
        "period": { "start": line.period.0, "end": line.period.1 },
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": { "price": line.price.at("id"), "product": line.price.at("product") },
            "unit_amount_decimal": line.price.at("unit_amount_decimal"),
        },
        "quantity": line.quantity,
        "subtotal": line.amount,
        "taxes": [],
    })
}

fn blank(world: &World, id: &str, subscription: &Value, total: i64) -> Value {
    json!({
        "id": id,
        "object": "invoice",
        "account_country": "DE",
        "account_name": "Fake Stripe",
        "amount_due": total,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": total,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": false,
        "auto_advance": true,
        "automatic_tax": { "enabled": false, "liability": null, "status": null },
        "collection_method": "charge_automatically",
        "created": world.now(),
        "currency": subscription.at("currency"),
        "customer": subscription.at("customer"),
        "customer_email": world.find(subscription.at("customer")).at("email"),
        "default_tax_rates": [],
        "discounts": [],
        "due_date": null,
        "ending_balance": 0,
        "hosted_invoice_url": null,
        "issuer": { "type": "self" },
        "livemode": false,
        "metadata": {},
        "next_payment_attempt": null,
        "on_behalf_of": subscription.at("on_behalf_of"),
        "parent": {
            "type": "subscription_details",
            "quote_details": null,
            "subscription_details": {
                "metadata": subscription.at("metadata"),
                "subscription": subscription.at("id"),
            },
        },
        "payment_settings": {
            "default_mandate": null,
            "payment_method_options": null,
            "payment_method_types": null,
        },
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "open",
        "status_transitions": {
            "finalized_at": world.now(),
            "marked_uncollectible_at": null,
            "paid_at": null,
            "voided_at": null,
        },
        "subtotal": total,
        "total": total,
    })
}
