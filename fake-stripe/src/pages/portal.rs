//! The customer's portal: their subscriptions, and whether their card works.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::html::{button, escaped, go, money, page, problem};
use crate::clock::readable;
use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{Shared, World, number, text};
use crate::{customers, due, subscriptions};

/// `GET /portal/{id}`
pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let shown = shared.with(|world| {
        due::catch_up(world);
        portal_page(world, &id)
    });
    shown.unwrap_or_else(|refusal| problem(refusal.status, &refusal.message))
}

/// `POST /portal/{id}`
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let form = Form::parse(&body);
    let done = shared.with(|world| {
        due::catch_up(world);
        perform(world, &id, &form)
    });
    match done {
        Ok(()) => go(&format!("/portal/{id}")),
        Err(refusal) => problem(refusal.status, &refusal.message),
    }
}

fn perform(world: &mut World, id: &str, form: &Form) -> Result<(), Refusal> {
    let customer = text(&world.get("billing_portal.session", id)?["customer"]);
    let subscription = form.text("subscription").unwrap_or_default();
    match form.text("do").unwrap_or_default() {
        "cancel" => subscriptions::cancel_at_period_end(world, subscription, true),
        "resume" => subscriptions::cancel_at_period_end(world, subscription, false),
        "cancel_now" => subscriptions::cancel(world, subscription).map(drop),
        "card_fails" => customers::set_card(world, &customer, false),
        "card_works" => customers::set_card(world, &customer, true),
        other => Err(Refusal::invalid(
            "do",
            format!("Nobody knows how to {other}."),
        )),
    }
}

fn portal_page(world: &World, id: &str) -> Result<Response, Refusal> {
    let session = world.get("billing_portal.session", id)?;
    let customer = text(session.at("customer"));
    let action = format!("/portal/{id}");
    let all = customers::subscriptions(world, &customer);
    let rows: String = all.iter().map(|one| row(world, one, &action)).collect();
    let rows = if rows.is_empty() {
        "<tr><td>No subscriptions.</td></tr>".to_owned()
    } else {
        rows
    };
    let card = if customers::card_works(world, &json!(customer)) {
        ("The card works.", "Card fails from now on", "card_fails")
    } else {
        ("The card is declined.", "Card works again", "card_works")
    };
    let switch = button(&action, card.1, "", &[("do", card.2)]);
    let back = session.at("return_url").as_str().map(|url| {
        let url = escaped(url);
        format!("<a class=\"button\" href=\"{url}\">Return</a>")
    });
    let body = format!(
        "<h1>Your subscriptions</h1><table>{rows}</table><h2>Card</h2><p>{}</p>\
         <div class=\"buttons\">{switch}{}</div>",
        card.0,
        back.unwrap_or_default()
    );
    Ok(page(
        "Fake Stripe — test customer portal, no money moves",
        &body,
    ))
}

fn row(world: &World, subscription: &Value, action: &str) -> String {
    let id = text(subscription.at("id"));
    let item = &subscription.at("items.data.0");
    let name = escaped(&text(world.find(item.at("price.product")).at("name")));
    let price = money(
        number(item.at("price.unit_amount")),
        &text(subscription.at("currency")),
    );
    let interval = escaped(&text(item.at("price.recurring.interval")));
    let (_, end) = subscriptions::period(subscription);
    let status = text(subscription.at("status"));
    let goes_on = subscription.at("cancel_at_period_end") == false;
    let fate = match (status.as_str(), goes_on) {
        ("canceled", _) => "ended".to_owned(),
        (_, true) => format!("renews {}", readable(end)),
        (_, false) => format!("ends {}", readable(end)),
    };
    let buttons = match (status.as_str(), goes_on) {
        ("canceled", _) => String::new(),
        (_, true) => press(action, &id, "Cancel at period end", "cancel"),
        (_, false) => press(action, &id, "Resume", "resume"),
    };
    let now = match status.as_str() {
        "canceled" => String::new(),
        _ => press(action, &id, "Cancel now", "cancel_now"),
    };
    format!(
        "<tr><td>{name}<br><small>{price} every {interval}, {status}, {fate}</small></td><td>{buttons}{now}</td></tr>"
    )
}

fn press(action: &str, subscription: &str, label: &str, wish: &str) -> String {
    button(
        action,
        label,
        "",
        &[("do", wish), ("subscription", subscription)],
    )
}
