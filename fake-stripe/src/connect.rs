//! Connected accounts: created by the platform, set up by a person on the fake's page.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{World, text};

/// `POST /v1/accounts`
pub(crate) fn create(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let kind = form
        .one_of("type", &["express", "standard", "custom"])?
        .unwrap_or("express");
    let country = form.text("country").unwrap_or("DE").to_uppercase();
    let id = world.id("acct");
    let mut account = account(&id, kind, &country, world.now());
    account.set("email", json!(form.text("email")));
    account.set("metadata", form.metadata("metadata", &Value::Null));
    Ok(world.add(account))
}

/// `POST /v1/accounts/{id}`
pub(crate) fn update(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let before = world.get("account", id)?.clone();
    world.change(id, |account| {
        if let Some(email) = form.text("email") {
            account.set("email", json!(email));
        }
        account.set(
            "metadata",
            form.metadata("metadata", account.at("metadata")),
        );
    });
    world.emit_change("account.updated", id, &before);
    world.get("account", id).cloned()
}

/// `POST /v1/account_links`
pub(crate) fn account_link(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let id = form.required("account")?;
    form.required("type")?;
    form.one_of("type", &["account_onboarding", "account_update"])?;
    let return_url = form.required("return_url")?;
    form.required("refresh_url")?;
    world.get("account", id)?;
    world.change(id, |account| {
        account.set("_fake.return_url", json!(return_url))
    });
    Ok(json!({
        "object": "account_link",
        "created": world.now(),
        "expires_at": world.now() + LINK_LASTS,
        "url": format!("{}/onboard/{id}", world.public_url),
    }))
}

/// `POST /v1/accounts/{id}/login_links`
pub(crate) fn login_link(world: &mut World, id: &str) -> Result<Value, Refusal> {
    let account = world.get("account", id)?;
    if account.at("details_submitted") == false {
        let message =
            "Cannot create a login link for an account that has not completed onboarding.";
        return Err(Refusal::state(message));
    }
    Ok(json!({
        "object": "login_link",
        "created": world.now(),
        "url": format!("{}/express/{id}", world.public_url),
    }))
}

/// Stripe lets the account take payments and pays out, or does not any more.
pub(crate) fn set_enabled(world: &mut World, id: &str, enabled: bool) -> Result<Value, Refusal> {
    let before = world.get("account", id)?.clone();
    let status = if enabled { "active" } else { "inactive" };
    world.change(id, |account| {
        account.set("charges_enabled", json!(enabled));
        account.set("payouts_enabled", json!(enabled));
        account.set(
            "capabilities",
            json!({ "card_payments": status, "transfers": status }),
        );
        if enabled {
            account.set("details_submitted", json!(true));
        }
        account.set(
            "requirements",
            requirements(enabled, account.at("details_submitted") == true),
        );
    });
    world.emit_change("account.updated", id, &before);
    world.get("account", id).cloned()
}

/// Where a person comes back to from setting up the account.
pub(crate) fn return_url(account: &Value) -> String {
    text(account.at("_fake.return_url"))
}

/// The platform's own account.
pub(crate) fn platform(world: &World) -> Value {
    let mut account = account(&world.platform, "standard", "DE", 0);
    account.set("charges_enabled", json!(true));
    account.set("payouts_enabled", json!(true));
    account.set("details_submitted", json!(true));
    account.set(
        "capabilities",
        json!({ "card_payments": "active", "transfers": "active" }),
    );
    account.set("requirements", requirements(true, true));
    account.set(
        "business_profile",
        json!({ "name": "Fake platform", "url": world.public_url }),
    );
    account
}

fn account(id: &str, kind: &str, country: &str, now: i64) -> Value {
    json!({
        "id": id,
        "object": "account",
        "business_profile": null,
        "business_type": null,
        "capabilities": { "card_payments": "inactive", "transfers": "inactive" },
        "charges_enabled": false,
        "country": country,
        "created": now,
        "default_currency": currency(country),
        "details_submitted": false,
        "email": null,
        "metadata": {},
        "payouts_enabled": false,
        "requirements": requirements(false, false),
        "tos_acceptance": { "date": null, "ip": null, "user_agent": null },
        "type": kind,
    })
}

fn requirements(enabled: bool, submitted: bool) -> Value {
    let (due, reason) = match (enabled, submitted) {
        (true, _) => (json!([]), Value::Null),
        (false, true) => (
            json!(["individual.verification.document"]),
            json!("requirements.past_due"),
        ),
        (false, false) => (
            json!(["external_account", "tos_acceptance.date"]),
            json!("requirements.past_due"),
        ),
    };
    json!({
        "alternatives": [],
        "current_deadline": null,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    })
}

fn currency(country: &str) -> &'static str {
    match country {
        "US" => "usd",
        "GB" => "gbp",
        "JP" => "jpy",
        "CH" => "chf",
        "CA" => "cad",
        "AU" => "aud",
        _ => "eur",
    }
}

/// Stripe's links are good for minutes.
const LINK_LASTS: i64 = 300;
