//! What a checkout session sells: its line items, each with a price that exists or is made in passing.

use serde_json::{Value, json};

use crate::catalogue::new_price;
use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{World, number, text};

/// The line items of a session.
#[derive(Debug)]
pub(crate) struct Basket {
    pub(crate) lines: Vec<Value>,
    pub(crate) total: i64,
    pub(crate) currency: String,
}

/// Reads `line_items` for a session of this mode.
pub(crate) fn read(world: &mut World, form: &Form, mode: &str) -> Result<Basket, Refusal> {
    let count = form.count("line_items");
    if count == 0 {
        return Err(Refusal::missing("line_items"));
    }
    let lines: Result<Vec<Value>, _> = (0..count).map(|n| line(world, form, n, mode)).collect();
    let lines = lines?;
    let total = lines
        .iter()
        .map(|line| number(line.at("amount_total")))
        .sum();
    let currency = lines
        .first()
        .map(|line| text(line.at("currency")))
        .unwrap_or_default();
    if lines
        .iter()
        .any(|line| line.at("currency") != currency.as_str())
    {
        let message = "All prices on a Checkout session must use the same currency.";
        return Err(Refusal::invalid("line_items", message));
    }
    if total < SMALLEST {
        let message = format!(
            "The Checkout Session's total amount due must add up to at least 0.50 {currency} (50 minor units)."
        );
        return Err(Refusal::state(message).code("amount_too_small"));
    }
    Ok(Basket {
        lines,
        total,
        currency,
    })
}

fn line(world: &mut World, form: &Form, n: usize, mode: &str) -> Result<Value, Refusal> {
    let path = format!("line_items.{n}");
    let quantity = form.integer(&format!("{path}.quantity"))?.unwrap_or(1);
    if quantity < 1 {
        return Err(Refusal::invalid(
            &format!("{path}.quantity"),
            "This value must be greater than or equal to 1.",
        ));
    }
    let price = price(world, form, &path)?;
    fits_mode(&price, mode)?;
    let amount = number(price.at("unit_amount")).saturating_mul(quantity);
    Ok(json!({
        "id": world.id("li"),
        "object": "item",
        "adjustable_quantity": null,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price.at("currency"),
        "description": world.find(price.at("product")).at("name"),
        "price": price,
        "quantity": quantity,
    }))
}

fn price(world: &mut World, form: &Form, path: &str) -> Result<Value, Refusal> {
    let data = format!("{path}.price_data");
    if form.has(&data) {
        // Stripe archives such prices at once: nobody else can use them.
        return new_price(world, form, &format!("{data}."), false);
    }
    let named = format!("{path}.price");
    let id = form.required(&named)?;
    let price = world.get("price", id).map_err(|refusal| Refusal {
        status: 400,
        ..Refusal::invalid(&named, refusal.message).code("resource_missing")
    })?;
    if price.at("active") == false || world.find(price.at("product")).at("active") == false {
        let message = "The price specified is inactive. This field only accepts active prices.";
        return Err(Refusal::invalid(&named, message));
    }
    Ok(price.clone())
}

fn fits_mode(price: &Value, mode: &str) -> Result<(), Refusal> {
    let message = match (mode, price.at("recurring").is_null()) {
        ("payment", false) => {
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or \
             use only one-time prices."
        }
        ("subscription", true) => {
            "You must provide at least one recurring price in `subscription` mode when using prices."
        }
        _ => return Ok(()),
    };
    Err(Refusal::invalid("line_items", message))
}

/// Stripe's minimum in the currencies with two decimals and in yen; that of others differs, which the fake
/// does not know.
const SMALLEST: i64 = 50;
