//! The table of Stripe's API: which path of `/v1` is which function.

use axum::http::Method;
use serde_json::{Value, json};

use crate::expand::expanded;
use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{API_VERSION, World, list, text};
use crate::{
    balance, catalogue, checkout, connect, customers, invoices, new_session, portal, reversals,
    subscriptions,
};

/// The parameters of a request and the account it is made for.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) form: Form,
    /// The header `Stripe-Account`.
    pub(crate) account: Option<String>,
}

/// Does what is asked and answers the object.
pub(crate) fn perform(
    world: &mut World,
    method: &Method,
    path: &str,
    call: &Call,
) -> Result<Value, Refusal> {
    let path = path.trim_start_matches("/v1/").trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let form = &call.form;
    match (method.as_str(), parts.as_slice()) {
        ("GET", _) => look(world, &parts, call),
        ("POST", ["products"]) => catalogue::create_product(world, form),
        ("POST", ["products", id]) => catalogue::update_product(world, id, form),
        ("POST", ["prices"]) => catalogue::create_price(world, form),
        ("POST", ["prices", id]) => catalogue::update_price(world, id, form),
        ("POST", ["customers"]) => customers::create(world, form),
        ("POST", ["customers", id]) => customers::update(world, id, form),
        ("DELETE", ["customers", id]) => customers::delete(world, id),
        ("POST", ["checkout", "sessions"]) => new_session::create(world, form),
        ("POST", ["checkout", "sessions", id, "expire"]) => checkout::expire(world, id),
        ("POST", ["subscriptions", id]) => subscriptions::update(world, id, form),
        ("DELETE", ["subscriptions", id]) => subscriptions::cancel(world, id),
        ("POST", ["invoices", id, "pay"]) => invoices::pay(world, id),
        ("POST", ["refunds"]) => reversals::create_refund(world, form),
        ("POST", ["billing_portal", "sessions"]) => portal::create(world, form),
        ("POST", ["accounts"]) => connect::create(world, form),
        ("POST", ["accounts", id]) => connect::update(world, id, form),
        ("POST", ["accounts", id, "login_links"]) => connect::login_link(world, id),
        ("POST", ["account_links"]) => connect::account_link(world, form),
        _ => Err(unrecognized(method.as_str(), path)),
    }
}

fn look(world: &World, parts: &[&str], call: &Call) -> Result<Value, Refusal> {
    let account = call.account.as_deref();
    match parts {
        ["account"] => Ok(connect::platform(world)),
        ["balance"] => balance::balance(world, account),
        ["payouts"] => balance::payouts(world, account),
        ["payouts", id] => balance::payout(world, account, id),
        ["webhook_endpoints"] => Ok(list("/v1/webhook_endpoints", vec![endpoint(world)])),
        ["webhook_endpoints", ENDPOINT] => Ok(endpoint(world)),
        ["accounts", id] if *id == world.platform => Ok(connect::platform(world)),
        ["checkout", "sessions", id, "line_items"] => {
            let session = world.get("checkout.session", id)?.clone();
            Ok(expanded(world, session, "line_items")
                .at("line_items")
                .clone())
        }
        ["customers", id] => customers::retrieve(world, id),
        ["checkout", "sessions"] => Ok(page(world, "checkout.session", parts, &call.form)),
        ["checkout", "sessions", id] => world.get("checkout.session", id).cloned(),
        [collection] => match kind(collection) {
            Some(kind) => Ok(page(world, kind, parts, &call.form)),
            None => Err(unrecognized("GET", collection)),
        },
        [collection, id] => match kind(collection) {
            Some(kind) => world.get(kind, id).cloned(),
            None => Err(unrecognized("GET", collection)),
        },
        _ => Err(unrecognized("GET", &parts.join("/"))),
    }
}

/// The kind of objects in a collection that has nothing special.
fn kind(collection: &str) -> Option<&'static str> {
    Some(match collection {
        "products" => "product",
        "prices" => "price",
        "customers" => "customer",
        "subscriptions" => "subscription",
        "invoices" => "invoice",
        "invoice_payments" => "invoice_payment",
        "payment_intents" => "payment_intent",
        "charges" => "charge",
        "refunds" => "refund",
        "disputes" => "dispute",
        "accounts" => "account",
        "application_fees" => "application_fee",
        "events" => "event",
        _ => return None,
    })
}

/// A page of a collection, newest first: `limit`, `starting_after` and the fields that Stripe filters by.
fn page(world: &World, kind: &str, parts: &[&str], form: &Form) -> Value {
    let matches = |object: &&Value| {
        let is_listed = object.at("deleted") != true && (form.has("status") || !has_ended(object));
        is_listed && FILTERS.iter().all(|field| fits(object, field, form))
    };
    let after = form.text("starting_after");
    let mut found: Vec<Value> = world.all(kind).rev().filter(matches).cloned().collect();
    if let Some(position) = found
        .iter()
        .position(|object| object.at("id").as_str() == after)
    {
        found.drain(..=position);
    }
    let limit = form.integer("limit").ok().flatten().unwrap_or(10);
    let limit = usize::try_from(limit).unwrap_or_default().clamp(1, 100);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let mut page = list(&format!("/v1/{}", parts.join("/")), found);
    page.set("has_more", json!(has_more));
    page
}

fn fits(object: &Value, field: &str, form: &Form) -> bool {
    let Some(wanted) = form.text(field) else {
        return true;
    };
    let parent = &object.at("parent.subscription_details.subscription");
    let has = match (field, &object.at(field)) {
        ("subscription", Value::Null) => text(parent),
        ("status", _) if wanted == "all" => return true,
        (_, Value::Bool(flag)) => flag.to_string(),
        (_, value) => text(value),
    };
    has == wanted
}

/// Subscriptions that have ended are listed only when their status is asked for.
fn has_ended(object: &Value) -> bool {
    object.at("object") == "subscription" && object.at("status") == "canceled"
}

/// The one webhook endpoint.
fn endpoint(world: &World) -> Value {
    json!({
        "id": ENDPOINT,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": null,
        "created": 0,
        "description": null,
        "enabled_events": ["*"],
        "livemode": false,
        "metadata": {},
        "status": "enabled",
        "url": world.post.url.clone().unwrap_or_default(),
    })
}

fn unrecognized(method: &str, path: &str) -> Refusal {
    let message = format!("Unrecognized request URL ({method}: /v1/{path}).");
    Refusal::other(404, "invalid_request_error", message)
}

const ENDPOINT: &str = "we_fake";

/// What lists can be filtered by, where the objects have the field.
const FILTERS: [&str; 10] = [
    "active",
    "charge",
    "customer",
    "invoice",
    "payment_intent",
    "product",
    "status",
    "subscription",
    "type",
    "price",
];
