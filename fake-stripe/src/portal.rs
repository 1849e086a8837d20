//! Sessions of the customer's portal.

use serde_json::{Value, json};

use crate::customers;
use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::World;

/// `POST /v1/billing_portal/sessions`
pub(crate) fn create(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    form.required("customer")?;
    let customer = customers::named(world, form)?.unwrap_or_default();
    let id = world.id("bps");
    let session = json!({
        "id": id,
        "object": "billing_portal.session",
        "configuration": "bpc_fake",
        "created": world.now(),
        "customer": customer.at("id"),
        "flow": null,
        "livemode": false,
        "locale": form.text("locale"),
        "on_behalf_of": null,
        "return_url": form.text("return_url"),
        "url": format!("{}/portal/{id}", world.public_url),
    });
    Ok(world.add(session))
}
