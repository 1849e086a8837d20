//! Customers, and whether their card works.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{PRIVATE, World, text};

/// `POST /v1/customers`
pub(crate) fn create(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let metadata = form.metadata("metadata", &Value::Null);
    let customer = new(world, form.text("email"), form.text("name"), &metadata);
    let id = text(customer.at("id"));
    world.emit("customer.created", &id);
    Ok(customer)
}

/// A new customer, whose card works.
pub(crate) fn new(
    world: &mut World,
    email: Option<&str>,
    name: Option<&str>,
    metadata: &Value,
) -> Value {
    let id = world.id("cus");
    let customer = json!({
        "id": id,
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": world.now(),
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "email": email,
        "invoice_prefix": null,
        "livemode": false,
        "metadata": metadata,
        "name": name,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        PRIVATE: { "card_works": true },
    });
    world.add(customer)
}

/// `POST /v1/customers/{id}`
pub(crate) fn update(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let before = known(world, id)?.clone();
    world.change(id, |customer| {
        for field in ["email", "name", "description", "phone"] {
            if let Some(text) = form.text(field) {
                customer.set(field, json!(text));
            }
        }
        customer.set(
            "metadata",
            form.metadata("metadata", customer.at("metadata")),
        );
    });
    world.emit_change("customer.updated", id, &before);
    world.get("customer", id).cloned()
}

/// `GET /v1/customers/{id}`: of one that was deleted only that it was.
pub(crate) fn retrieve(world: &World, id: &str) -> Result<Value, Refusal> {
    let customer = world.get("customer", id)?;
    if customer.at("deleted") == true {
        return Ok(gone(id));
    }
    Ok(customer.clone())
}

/// `DELETE /v1/customers/{id}`: their subscriptions end at once.
pub(crate) fn delete(world: &mut World, id: &str) -> Result<Value, Refusal> {
    known(world, id)?;
    for subscription in subscriptions(world, id) {
        if text(subscription.at("status")) != "canceled" {
            crate::subscriptions::cancel(world, &text(subscription.at("id")))?;
        }
    }
    world.change(id, |customer| customer.set("deleted", json!(true)));
    world.emit("customer.deleted", id);
    Ok(gone(id))
}

/// The customer's subscriptions, oldest first.
pub(crate) fn subscriptions(world: &World, customer: &str) -> Vec<Value> {
    let all = world.all("subscription");
    all.filter(|one| one.at("customer") == customer)
        .cloned()
        .collect()
}

/// A customer that was not deleted.
pub(crate) fn known<'a>(world: &'a World, id: &str) -> Result<&'a Value, Refusal> {
    let customer = world.get("customer", id)?;
    if customer.at("deleted") == true {
        return Err(Refusal::unknown("customer", id));
    }
    Ok(customer)
}

/// The customer that a parameter names.
pub(crate) fn named(world: &World, form: &Form) -> Result<Option<Value>, Refusal> {
    let Some(id) = form.text("customer") else {
        return Ok(None);
    };
    let customer = known(world, id).map_err(|refusal| Refusal {
        param: Some("customer".to_owned()),
        status: 400,
        ..refusal
    })?;
    Ok(Some(customer.clone()))
}

/// From now on the customer's card is charged, or declined.
pub(crate) fn set_card(world: &mut World, id: &str, works: bool) -> Result<(), Refusal> {
    known(world, id)?;
    world.change(id, |customer| {
        customer.set("_fake.card_works", json!(works))
    });
    Ok(())
}

/// Whether the customer's card can be charged.
pub(crate) fn card_works(world: &World, customer: &Value) -> bool {
    world.find(customer).at("_fake.card_works") != false
}

fn gone(id: &str) -> Value {
    json!({ "id": id, "object": "customer", "deleted": true })
}
