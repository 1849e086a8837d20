//! Payment intents and charges: money that is taken, or a card that is declined.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::split::Split;
use crate::world::{World, number};

/// What is to be paid, by whom, and who gets what of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payment {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// The customer's id, or `null` for a guest.
    pub(crate) customer: Value,
    pub(crate) description: Value,
    pub(crate) metadata: Value,
    pub(crate) split: Split,
}

/// A payment intent that waits for a card.
pub(crate) fn intent(world: &mut World, payment: &Payment) -> String {
    let id = world.id("pi");
    let intent = json!({
        "id": id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "application": null,
        "application_fee_amount": payment.split.fee,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "client_secret": format!("{id}_secret_fake"),
        "confirmation_method": "automatic",
        "created": world.now(),
        "currency": payment.currency,
        "customer": payment.customer,
        "description": payment.description,
        "last_payment_error": null,
        "latest_charge": null,
        "livemode": false,
        "metadata": object(&payment.metadata),
        "next_action": null,
        "on_behalf_of": payment.split.on_behalf_of,
        "payment_method": null,
        "payment_method_types": ["card"],
        "processing": null,
        "receipt_email": null,
        "setup_future_usage": null,
        "shipping": null,
        "statement_descriptor": null,
        "status": "requires_payment_method",
        "transfer_data": payment.split.transfer_data(),
        "transfer_group": null,
    });
    world.add(intent);
    id
}

/// The card is charged; answers the charge's id.
pub(crate) fn succeed(world: &mut World, intent_id: &str) -> String {
    let intent = world.find(&json!(intent_id)).clone();
    let charge = charge(world, &intent);
    world.change(intent_id, |intent| {
        intent.set("status", json!("succeeded"));
        intent.set("amount_received", intent.at("amount").clone());
        intent.set("latest_charge", json!(charge));
        intent.set("payment_method", json!("pm_card_visa"));
        intent.set("last_payment_error", Value::Null);
    });
    world.emit("charge.succeeded", &charge);
    world.emit("payment_intent.succeeded", intent_id);
    charge
}

/// The card is declined.
pub(crate) fn fail(world: &mut World, intent_id: &str) {
    world.change(intent_id, |intent| {
        intent.set(
            "last_payment_error",
            json!({
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "generic_decline",
                "message": DECLINED,
            }),
        );
    });
    world.emit("payment_intent.payment_failed", intent_id);
}

/// What Stripe says of a card that is declined.
pub(crate) const DECLINED: &str = "Your card was declined.";

/// A charge of all that the intent is for, and the platform's fee of it.
fn charge(world: &mut World, intent: &Value) -> String {
    let id = world.id("ch");
    let fee = application_fee(world, intent, &id);
    let charge = json!({
        "id": id,
        "object": "charge",
        "amount": intent.at("amount"),
        "amount_captured": intent.at("amount"),
        "amount_refunded": 0,
        "application": null,
        "application_fee": fee,
        "application_fee_amount": intent.at("application_fee_amount"),
        "balance_transaction": null,
        "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
        "calculated_statement_descriptor": "FAKE STRIPE",
        "captured": true,
        "created": world.now(),
        "currency": intent.at("currency"),
        "customer": intent.at("customer"),
        "description": intent.at("description"),
        "disputed": false,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "livemode": false,
        "metadata": intent.at("metadata"),
        "on_behalf_of": intent.at("on_behalf_of"),
        "outcome": {
            "network_status": "approved_by_network",
            "reason": null,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": true,
        "payment_intent": intent.at("id"),
        "payment_method": "pm_card_visa",
        "payment_method_details": { "type": "card" },
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": null,
        "refunded": false,
        "shipping": null,
        "source": null,
        "source_transfer": null,
        "statement_descriptor": null,
        "status": "succeeded",
        "transfer_data": intent.at("transfer_data"),
        "transfer_group": null,
    });
    world.add(charge);
    id
}

/// The fee of a charge that is about to be made; `null` without one.
fn application_fee(world: &mut World, intent: &Value, charge: &str) -> Value {
    let amount = number(intent.at("application_fee_amount"));
    if amount == 0 {
        return Value::Null;
    }
    let id = world.id("fee");
    let fee = json!({
        "id": id,
        "object": "application_fee",
        "account": intent.at("transfer_data.destination"),
        "amount": amount,
        "amount_refunded": 0,
        "application": "ca_fake",
        "charge": charge,
        "created": world.now(),
        "currency": intent.at("currency"),
        "livemode": false,
        "originating_transaction": charge,
        "refunded": false,
        "refunds": crate::world::list(&format!("/v1/application_fees/{id}/refunds"), Vec::new()),
    });
    world.add(fee);
    json!(id)
}

/// Metadata is an object, an empty one where nothing was said.
fn object(metadata: &Value) -> Value {
    if metadata.is_object() {
        metadata.clone()
    } else {
        json!({})
    }
}
