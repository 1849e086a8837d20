//! The home page: what there is, with buttons for what a person may want to happen.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::html::{button, escaped, go, money, page, problem};
use crate::clock::readable;
use crate::control;
use crate::fields::Fields;
use crate::form::Form;
use crate::gate::Trouble;
use crate::world::{Shared, World, number, text};
use crate::{customers, due};

/// `GET /`
pub(super) async fn show(State(shared): State<Shared>) -> Response {
    shared.with(|world| {
        due::catch_up(world);
        let body = [
            time(world),
            deliveries(world),
            sessions(world),
            subscriptions(world),
            charges(world),
            disputes(world),
            accounts(world),
            events(world),
        ];
        page(
            "Fake Stripe — for development, no money moves",
            &body.concat(),
        )
    })
}

/// `POST /pressed`: a button does what the control API does with the path and fields it carries.
pub(super) async fn pressed(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: String,
) -> Response {
    // Other sites' pages must not press buttons in a developer's browser.
    let from = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    if from.is_some_and(|from| from != "same-origin") {
        return problem(403, "Buttons work only on the fake's own page.");
    }
    let form = Form::parse(&body);
    let path = form.text("path").unwrap_or_default().to_owned();
    match shared.with(|world| control::perform(world, "POST", &path, &form)) {
        Ok(_) => go("/"),
        Err(refusal) => problem(refusal.status, &refusal.message),
    }
}

/// A button of the control API.
fn press(label: &str, path: &str, fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.push(("path", path));
    button("/pressed", label, "", &fields)
}

fn time(world: &World) -> String {
    let advance = |label, seconds| press(label, "clock", &[("advance_seconds", seconds)]);
    format!(
        "<h1>It is {}</h1><div class=\"buttons\">{}{}{}{}</div>",
        readable(world.now()),
        advance("An hour on", "3600"),
        advance("A day on", "86400"),
        advance("A week on", "604800"),
        advance("A month on", "2678400"),
    )
}

fn deliveries(world: &World) -> String {
    let post = &world.post;
    let to = post.url.as_deref().unwrap_or("nobody");
    let held = post.held().len();
    let hold = match post.hold {
        true => press("Stop holding", "webhooks", &[("hold", "false")]),
        false => press("Hold", "webhooks", &[("hold", "true")]),
    };
    let shuffle = match post.shuffle {
        true => press("Deliver in order", "webhooks", &[("shuffle", "false")]),
        false => press("Deliver in disorder", "webhooks", &[("shuffle", "true")]),
    };
    let release = press("Release what is held", "webhooks/release", &[]);
    let well = press("Answer well", "trouble", &[("mode", "none")]);
    let down = press("Play dead", "trouble", &[("mode", "down")]);
    format!(
        "<h2>Webhooks to <code>{}</code></h2><p>{held} held. The API {}.</p>\
         <div class=\"buttons\">{hold}{shuffle}{release}{well}{down}</div>",
        escaped(to),
        manner(world.trouble),
    )
}

/// How the API behaves, in words.
fn manner(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::None => "answers well",
        Trouble::Down => "plays dead",
        Trouble::Slow(_) => "answers late",
        Trouble::After => "will do what is asked next and say that it failed",
    }
}

fn sessions(world: &World) -> String {
    table(world, "checkout.session", "Checkouts", |_, session| {
        let id = text(session.at("id"));
        let link = match session.at("status").as_str() {
            Some("open") => format!("<a class=\"button\" href=\"/pay/{id}\">Pay page</a>"),
            _ => String::new(),
        };
        (
            amount(session, "amount_total"),
            text(session.at("status")),
            link,
        )
    })
}

fn subscriptions(world: &World) -> String {
    table(
        world,
        "subscription",
        "Subscriptions",
        |world, subscription| {
            let customer = text(subscription.at("customer"));
            let path = format!("customers/{customer}/card");
            let card = if customers::card_works(world, &json!(customer)) {
                press("Card fails", &path, &[("works", "false")])
            } else {
                press("Card works", &path, &[("works", "true")])
            };
            let price = &subscription.at("items.data.0.price");
            (
                amount(price, "unit_amount"),
                text(subscription.at("status")),
                card,
            )
        },
    )
}

fn charges(world: &World) -> String {
    table(world, "charge", "Charges", |_, charge| {
        let id = text(charge.at("id"));
        let back = number(charge.at("amount_refunded"));
        let state = match (charge.at("disputed") == true, back) {
            (true, _) => "disputed".to_owned(),
            (false, 0) => "paid".to_owned(),
            (false, back) => format!("refunded {}", money(back, &text(charge.at("currency")))),
        };
        let refund = press("Refund", &format!("charges/{id}/refund"), &[]);
        let dispute = press("Dispute", &format!("charges/{id}/dispute"), &[]);
        (
            amount(charge, "amount"),
            state,
            format!("{refund}{dispute}"),
        )
    })
}

fn disputes(world: &World) -> String {
    table(world, "dispute", "Disputes", |_, dispute| {
        let path = format!("disputes/{}/close", text(dispute.at("id")));
        let won = press("Won", &path, &[("won", "true")]);
        let lost = press("Lost", &path, &[("won", "false")]);
        (
            amount(dispute, "amount"),
            text(dispute.at("status")),
            format!("{won}{lost}"),
        )
    })
}

fn accounts(world: &World) -> String {
    table(world, "account", "Connected accounts", |_, account| {
        let id = text(account.at("id"));
        let is_set_up = account.at("charges_enabled") == true;
        let path = format!("accounts/{id}");
        let switch = match is_set_up {
            true => press("Restrict", &path, &[("enabled", "false")]),
            false => press("Set up", &path, &[("enabled", "true")]),
        };
        let state = if is_set_up { "set up" } else { "not set up" };
        let link = format!("<a class=\"button\" href=\"/express/{id}\">Dashboard</a>");
        (
            text(account.at("country")),
            state.to_owned(),
            format!("{switch}{link}"),
        )
    })
}

fn events(world: &World) -> String {
    table(world, "event", "Events", |world, event| {
        let id = text(event.at("id"));
        let state = match (world.post.holds(&id), event.at("pending_webhooks") == 0) {
            (true, _) => "held",
            (false, true) => "delivered",
            (false, false) => "not delivered",
        };
        let again = press("Send again", &format!("events/{id}/resend"), &[]);
        (escaped(&text(event.at("type"))), state.to_owned(), again)
    })
}

/// The newest objects of a kind in three columns: what, state, buttons.
fn table(
    world: &World,
    kind: &str,
    title: &str,
    cells: impl Fn(&World, &Value) -> (String, String, String),
) -> String {
    let newest = world.all(kind).rev().take(SHOWN).map(|object| {
        let (what, state, buttons) = cells(world, object);
        let id = escaped(&text(object.at("id")));
        format!("<tr><td>{what}<br><code>{id}</code></td><td>{state}</td><td>{buttons}</td></tr>")
    });
    let rows: String = newest.collect();
    if rows.is_empty() {
        return format!("<h2>{title}</h2><p><small>None yet.</small></p>");
    }
    format!("<h2>{title}</h2><table>{rows}</table>")
}

fn amount(object: &Value, field: &str) -> String {
    money(number(object.at(field)), &text(object.at("currency")))
}

/// How many of each kind are listed.
const SHOWN: usize = 12;
