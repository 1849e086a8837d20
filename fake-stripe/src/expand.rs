//! `expand[]`: ids replaced by the objects they name, and fields that Stripe tells only when asked.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::invoices;
use crate::world::{World, list};

/// The object with what stands at a path (`latest_invoice.payments`, `data.customer`) told in full; a path that
/// leads nowhere changes nothing.
pub(crate) fn expanded(world: &World, mut object: Value, path: &str) -> Value {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(a, b)| (a, Some(b)));
    if let Value::Array(items) = object {
        let items = items.into_iter().map(|item| expanded(world, item, path));
        return items.collect();
    }
    let Some(inner) = inner(world, &object, first) else {
        return object;
    };
    object.set(
        first,
        match rest {
            Some(rest) => expanded(world, inner, rest),
            None => inner,
        },
    );
    object
}

/// What stands in a field when it is told in full.
fn inner(world: &World, object: &Value, field: &str) -> Option<Value> {
    match (object.at("object").as_str(), field) {
        (Some("invoice"), "payments") => Some(invoices::payments(world, object)),
        (Some("checkout.session"), "line_items") => Some(lines(object)),
        _ => match object.get(field)? {
            id @ Value::String(_) => Some(world.find(id)).filter(|o| !o.is_null()).cloned(),
            other => Some(other.clone()),
        },
    }
}

fn lines(session: &Value) -> Value {
    let id = session.at("id").as_str().unwrap_or_default();
    let lines = session.at("_fake.lines").as_array().cloned();
    let url = format!("/v1/checkout/sessions/{id}/line_items");
    json!(list(&url, lines.unwrap_or_default()))
}
