//! Products and prices.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{World, text};

/// `POST /v1/products`
pub(crate) fn create_product(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let name = form.required("name")?;
    let active = form.flag("active")?.unwrap_or(true);
    let product = new_product(world, name, form, "");
    let id = text(product.at("id"));
    world.change(&id, |product| product.set("active", json!(active)));
    world.emit("product.created", &id);
    world.get("product", &id).cloned()
}

/// A product named in passing by `product_data` at a path, or asked for by itself (an empty path).
pub(crate) fn new_product(world: &mut World, name: &str, form: &Form, path: &str) -> Value {
    let at = |field: &str| format!("{path}{field}");
    let product = json!({
        "id": world.id("prod"),
        "object": "product",
        "active": true,
        "created": world.now(),
        "default_price": null,
        "description": form.text(&at("description")),
        "images": form.texts(&at("images")),
        "livemode": false,
        "marketing_features": [],
        "metadata": form.metadata(&at("metadata"), &Value::Null),
        "name": name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": form.text(&at("statement_descriptor")),
        "tax_code": form.text(&at("tax_code")),
        "type": "service",
        "unit_label": null,
        "updated": world.now(),
        "url": null,
    });
    world.add(product)
}

/// `POST /v1/products/{id}`
pub(crate) fn update_product(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let before = world.get("product", id)?.clone();
    let active = form.flag("active")?;
    let now = world.now();
    world.change(id, |product| {
        for field in ["name", "description"] {
            if let Some(text) = form.text(field) {
                product.set(field, json!(text));
            }
        }
        if let Some(active) = active {
            product.set("active", json!(active));
        }
        product.set(
            "metadata",
            form.metadata("metadata", product.at("metadata")),
        );
        product.set("updated", json!(now));
    });
    world.emit_change("product.updated", id, &before);
    world.get("product", id).cloned()
}

/// `POST /v1/prices`
pub(crate) fn create_price(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let price = new_price(world, form, "", true)?;
    let id = text(price.at("id"));
    world.emit("price.created", &id);
    Ok(price)
}

/// A price asked for at a path: `line_items.0.price_data.`, or empty for one by itself.
pub(crate) fn new_price(
    world: &mut World,
    form: &Form,
    path: &str,
    active: bool,
) -> Result<Value, Refusal> {
    let at = |field: &str| format!("{path}{field}");
    let currency = currency(form, &at("currency"))?;
    let amount = form.integer(&at("unit_amount"))?;
    let amount = amount.ok_or_else(|| Refusal::missing(&at("unit_amount")))?;
    if amount < 0 {
        let message = format!("Invalid non-negative integer: {amount}");
        return Err(Refusal::invalid(&at("unit_amount"), message));
    }
    let recurring = recurring(form, &at("recurring"))?;
    let product = product(world, form, path)?;
    let active = form.flag(&at("active"))?.unwrap_or(active);
    let price = json!({
        "id": world.id("price"),
        "object": "price",
        "active": active,
        "billing_scheme": "per_unit",
        "created": world.now(),
        "currency": currency,
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": form.text(&at("lookup_key")),
        "metadata": form.metadata(&at("metadata"), &Value::Null),
        "nickname": form.text(&at("nickname")),
        "product": product,
        "tax_behavior": form.text(&at("tax_behavior")).unwrap_or("unspecified"),
        "tiers_mode": null,
        "transform_quantity": null,
        "type": if recurring.is_null() { "one_time" } else { "recurring" },
        "recurring": recurring,
        "unit_amount": amount,
        "unit_amount_decimal": amount.to_string(),
    });
    Ok(world.add(price))
}

/// `POST /v1/prices/{id}`
pub(crate) fn update_price(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let before = world.get("price", id)?.clone();
    let active = form.flag("active")?;
    world.change(id, |price| {
        if let Some(active) = active {
            price.set("active", json!(active));
        }
        if let Some(nickname) = form.text("nickname") {
            price.set("nickname", json!(nickname));
        }
        price.set("metadata", form.metadata("metadata", price.at("metadata")));
    });
    world.emit_change("price.updated", id, &before);
    world.get("price", id).cloned()
}

/// Three letters, told in lower case.
fn currency(form: &Form, path: &str) -> Result<String, Refusal> {
    let currency = form.required(path)?.to_lowercase();
    let is_code = currency.len() == 3 && currency.chars().all(|c| c.is_ascii_lowercase());
    if !is_code {
        return Err(Refusal::invalid(
            path,
            format!("Invalid currency: {currency}"),
        ));
    }
    Ok(currency)
}

fn recurring(form: &Form, path: &str) -> Result<Value, Refusal> {
    if !form.has(path) {
        return Ok(Value::Null);
    }
    let interval = format!("{path}.interval");
    form.required(&interval)?;
    let interval = form.one_of(&interval, &["day", "week", "month", "year"])?;
    let count = format!("{path}.interval_count");
    let count = form.integer(&count)?.unwrap_or(1).clamp(1, 36);
    Ok(json!({
        "interval": interval,
        "interval_count": count,
        "meter": null,
        "trial_period_days": null,
        "usage_type": "licensed",
    }))
}

/// The id of the product that a price is of, made in passing where it is described.
fn product(world: &mut World, form: &Form, path: &str) -> Result<String, Refusal> {
    let named = format!("{path}product");
    if let Some(id) = form.text(&named) {
        let product = world.get("product", id);
        product.map_err(|refusal| Refusal {
            param: Some(named),
            status: 400,
            ..refusal
        })?;
        return Ok(id.to_owned());
    }
    let data = format!("{path}product_data.");
    if !form.has(data.trim_end_matches('.')) {
        return Err(Refusal::missing(&named));
    }
    let name = form.required(&format!("{data}name"))?;
    let product = new_product(world, name, form, &data);
    Ok(text(product.at("id")))
}
