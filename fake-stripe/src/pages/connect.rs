//! Setting up a connected account, and the small dashboard of one.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use super::html::{button, escaped, go, money, page, problem};
use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{Shared, World, number, text};
use crate::{balance, connect, due};

/// `GET /onboard/{account}`
pub(super) async fn onboarding(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let account = shared.with(|world| world.get("account", &id).cloned());
    match account {
        Ok(account) => onboarding_page(&account),
        Err(refusal) => problem(refusal.status, &refusal.message),
    }
}

/// `POST /onboard/{account}`
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let completes = Form::parse(&body).text("do") == Some("complete");
    let account = shared.with(|world| {
        due::catch_up(world);
        if completes {
            connect::set_enabled(world, &id, true)
        } else {
            world.get("account", &id).cloned()
        }
    });
    match account.map(|account| connect::return_url(&account)) {
        Ok(url) if url.is_empty() => go(&format!("/onboard/{id}")),
        Ok(url) => go(&url),
        Err(refusal) => problem(refusal.status, &refusal.message),
    }
}

/// `GET /express/{account}`
pub(super) async fn dashboard(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let shown = shared.with(|world| {
        due::catch_up(world);
        dashboard_page(world, &id)
    });
    shown.unwrap_or_else(|refusal| problem(refusal.status, &refusal.message))
}

fn onboarding_page(account: &Value) -> Response {
    let id = text(account.at("id"));
    let action = format!("/onboard/{id}");
    let state = if account.at("charges_enabled") == true {
        "This account is set up: it can be paid and is paid out."
    } else {
        "This account is not set up: it cannot be paid yet."
    };
    let complete = button(&action, "Complete", "main", &[("do", "complete")]);
    let leave = button(&action, "Leave", "", &[("do", "leave")]);
    let body = format!(
        "<h1>Set up your account</h1><p>{state}</p><div class=\"buttons\">{complete}{leave}</div>\
         <p><small>{}</small></p>",
        escaped(&id)
    );
    page(
        "Fake Stripe — test onboarding, nobody is asked for papers",
        &body,
    )
}

fn dashboard_page(world: &World, id: &str) -> Result<Response, Refusal> {
    world.get("account", id)?;
    let balance = balance::balance(world, Some(id))?;
    let payouts = balance::payouts(world, Some(id))?;
    let rows = |title: &str, list: &Value| -> String {
        let amounts = list.as_array().into_iter().flatten().map(|one| {
            let amount = money(number(one.at("amount")), &text(one.at("currency")));
            format!("<tr><th>{title}</th><td class=\"sum\">{amount}</td></tr>")
        });
        amounts.collect()
    };
    let body = format!(
        "<h1>Your earnings</h1><table>{}{}{}</table><p><small>{}</small></p>",
        rows("On its way", balance.at("pending")),
        rows("Available", balance.at("available")),
        rows("Paid out", payouts.at("data")),
        escaped(id)
    );
    Ok(page("Fake Stripe — test dashboard, no money moves", &body))
}
