//! Invoices of subscriptions: collected from the customer's card, tried again.

use serde_json::{Value, json};

use crate::customers::card_works;
use crate::fields::Fields;
use crate::payments::{self, Payment};
use crate::refusal::Refusal;
use crate::split::Split;
use crate::world::{World, list, number, text};
/// Takes the invoice's money, whatever is said of the customer's card.
pub(crate) fn settle(world: &mut World, id: &str) {
    let invoice = world.find(&json!(id)).clone();
    let now = world.now();
    if number(invoice.at("amount_due")) > 0 {
        let intent = intent(world, &invoice);
        payments::succeed(world, &intent);
        mark_payment(world, id, "paid");
    }
    world.change(id, |invoice| {
        invoice.set("status", json!("paid"));
        invoice.set("attempted", json!(true));
        invoice.set(
            "attempt_count",
            json!(number(invoice.at("attempt_count")) + 1),
        );
        invoice.set("amount_paid", invoice.at("amount_due").clone());
        invoice.set("amount_remaining", json!(0));
        invoice.set("next_payment_attempt", Value::Null);
        invoice.set("status_transitions.paid_at", json!(now));
    });
    world.emit("invoice.paid", id);
    world.emit("invoice.payment_succeeded", id);
}

/// Tries the customer's card; tells whether the invoice is paid. If not, it is tried again at `next`.
pub(crate) fn collect(world: &mut World, id: &str, next: Option<i64>) -> bool {
    let invoice = world.find(&json!(id)).clone();
    if number(invoice.at("amount_due")) == 0 || card_works(world, invoice.at("customer")) {
        settle(world, id);
        return true;
    }
    let intent = intent(world, &invoice);
    payments::fail(world, &intent);
    world.change(id, |invoice| {
        invoice.set("attempted", json!(true));
        invoice.set(
            "attempt_count",
            json!(number(invoice.at("attempt_count")) + 1),
        );
        invoice.set("next_payment_attempt", json!(next));
    });
    world.emit("invoice.payment_failed", id);
    false
}

/// `POST /v1/invoices/{id}/pay`
pub(crate) fn pay(world: &mut World, id: &str) -> Result<Value, Refusal> {
    let invoice = world.get("invoice", id)?.clone();
    if invoice.at("status") != "open" {
        return Err(Refusal::state("Invoice is already paid").code("invoice_already_paid"));
    }
    if !collect(world, id, invoice.at("next_payment_attempt").as_i64()) {
        let declined = Refusal::other(402, "card_error", payments::DECLINED);
        return Err(declined.code("card_declined"));
    }
    crate::subscriptions::recover(world, &subscription_of(&invoice));
    world.get("invoice", id).cloned()
}

/// The id of the subscription that an invoice is of.
pub(crate) fn subscription_of(invoice: &Value) -> String {
    text(invoice.at("parent.subscription_details.subscription"))
}

/// The invoice's list `payments`, which Stripe tells only when it is expanded.
pub(crate) fn payments(world: &World, invoice: &Value) -> Value {
    let all = world.all("invoice_payment");
    let of_this = all.filter(|payment| payment.at("invoice") == invoice.at("id"));
    list("/v1/invoice_payments", of_this.cloned().collect())
}

/// The invoice's payment intent, made at the first attempt.
fn intent(world: &mut World, invoice: &Value) -> String {
    let before = world
        .all("invoice_payment")
        .find(|one| one.at("invoice") == invoice.at("id"));
    if let Some(before) = before {
        return text(before.at("payment.payment_intent"));
    }
    let subscription = world.find(&json!(subscription_of(invoice))).clone();
    let total = number(invoice.at("amount_due"));
    let split = Split {
        fee: subscription.at("application_fee_percent").clone(),
        destination: subscription.at("transfer_data.destination").clone(),
        on_behalf_of: subscription.at("on_behalf_of").clone(),
    };
    let intent = payments::intent(
        world,
        &Payment {
            amount: total,
            currency: text(invoice.at("currency")),
            customer: invoice.at("customer").clone(),
            description: json!("Subscription"),
            metadata: json!({}),
            split: split.of_percent(total),
        },
    );
    add_payment(world, invoice, &intent);
    intent
}

fn add_payment(world: &mut World, invoice: &Value, intent: &str) {
    let payment = json!({
        "id": world.id("inpay"),
        "object": "invoice_payment",
        "amount_paid": null,
        "amount_requested": invoice.at("amount_due"),
        "created": world.now(),
        "currency": invoice.at("currency"),
        "invoice": invoice.at("id"),
        "is_default": true,
        "livemode": false,
        "payment": { "type": "payment_intent", "payment_intent": intent },
        "status": "open",
        "status_transitions": { "canceled_at": null, "paid_at": null },
    });
    world.add(payment);
}

fn mark_payment(world: &mut World, invoice: &str, status: &str) {
    let now = world.now();
    let payment = world
        .all("invoice_payment")
        .find(|one| one.at("invoice") == invoice);
    let id = payment
        .map(|payment| text(payment.at("id")))
        .unwrap_or_default();
    world.change(&id, |payment| {
        payment.set("status", json!(status));
        payment.set("amount_paid", payment.at("amount_requested").clone());
        payment.set("status_transitions.paid_at", json!(now));
    });
}
