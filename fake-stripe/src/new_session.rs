//! What a checkout session is made of when the platform asks for one.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::split::Split;
use crate::world::{World, number};
use crate::{basket, customers};

/// `POST /v1/checkout/sessions`
pub(crate) fn create(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    form.required("mode")?;
    let mode = form
        .one_of("mode", &["payment", "subscription"])?
        .unwrap_or_default();
    let success_url = form.required("success_url")?;
    let customer = customers::named(world, form)?;
    let expires_at = expiry(world, form)?;
    let path = if mode == "payment" {
        "payment_intent_data"
    } else {
        "subscription_data"
    };
    let split = Split::read(world, form, path)?;
    let basket = basket::read(world, form, mode)?;
    fee_fits(&split, mode, basket.total)?;
    let id = world.id("cs_test");
    let mut session = blank(&id, mode, world.now());
    session.set("amount_subtotal", json!(basket.total));
    session.set("amount_total", json!(basket.total));
    session.set("cancel_url", json!(form.text("cancel_url")));
    session.set(
        "client_reference_id",
        json!(form.text("client_reference_id")),
    );
    session.set("currency", json!(basket.currency));
    session.set(
        "customer",
        customer.map_or(Value::Null, |customer| customer.at("id").clone()),
    );
    session.set("customer_email", json!(form.text("customer_email")));
    session.set("expires_at", json!(expires_at));
    session.set("locale", json!(form.text("locale")));
    session.set("metadata", form.metadata("metadata", &Value::Null));
    session.set("success_url", json!(success_url));
    session.set("url", json!(format!("{}/pay/{id}", world.public_url)));
    session.set(
        "_fake",
        json!({
            "lines": basket.lines,
            "fee": split.fee,
            "destination": split.destination,
            "on_behalf_of": split.on_behalf_of,
            "metadata": form.metadata(&format!("{path}.metadata"), &Value::Null),
            "description": form.text(&format!("{path}.description")),
        }),
    );
    Ok(world.add(session))
}

fn expiry(world: &World, form: &Form) -> Result<i64, Refusal> {
    let latest = world.now() + DAY;
    let Some(asked) = form.integer("expires_at")? else {
        return Ok(latest);
    };
    // A minute's grace on both sides: the platform's clock is not the fake's.
    if asked < world.now() + HALF_AN_HOUR - 60 || asked > latest + 60 {
        let message = "`expires_at` has to be between 30 minutes and 24 hours from now.";
        return Err(Refusal::invalid("expires_at", message));
    }
    Ok(asked)
}

fn fee_fits(split: &Split, mode: &str, total: i64) -> Result<(), Refusal> {
    if mode == "payment" && number(&split.fee) > total {
        let param = "payment_intent_data.application_fee_amount";
        let message = "The application fee cannot be greater than the amount of the payment.";
        return Err(Refusal::invalid(param, message));
    }
    Ok(())
}

fn blank(id: &str, mode: &str, now: i64) -> Value {
    json!({
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "after_expiration": null,
        "allow_promotion_codes": null,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": null,
        "client_secret": null,
        "consent": null,
        "consent_collection": null,
        "created": now,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null,
            "shipping_address": null,
            "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer_creation": if mode == "payment" { "if_required" } else { "always" },
        "customer_details": null,
        "discounts": [],
        "invoice": null,
        "invoice_creation": null,
        "livemode": false,
        "mode": mode,
        "payment_intent": null,
        "payment_link": null,
        "payment_method_collection": if mode == "payment" { "if_required" } else { "always" },
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": { "enabled": false },
        "recovered_from": null,
        "setup_intent": null,
        "shipping_address_collection": null,
        "shipping_cost": null,
        "shipping_options": [],
        "status": "open",
        "submit_type": null,
        "subscription": null,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted_page",
    })
}

const DAY: i64 = 24 * 3600;

const HALF_AN_HOUR: i64 = 1_800;
