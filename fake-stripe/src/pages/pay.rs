//! The checkout page: what is bought, and Pay, Decline and Cancel.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use super::html::{button, escaped, go, money, page, problem};
use crate::fields::Fields;
use crate::form::Form;
use crate::payments::DECLINED;
use crate::refusal::Refusal;
use crate::world::{Shared, World, number, text};
use crate::{checkout, due};

/// `GET /pay/{id}`
pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    shared.with(|world| {
        due::catch_up(world);
        match world.get("checkout.session", &id) {
            Ok(session) => checkout_page(session, ""),
            Err(refusal) => problem(refusal.status, &refusal.message),
        }
    })
}

/// `POST /pay/{id}`
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let form = Form::parse(&body);
    let done = shared.with(|world| {
        due::catch_up(world);
        perform(world, &id, form.text("do").unwrap_or_default())
    });
    done.unwrap_or_else(|refusal| problem(refusal.status, &refusal.message))
}

fn perform(world: &mut World, id: &str, wish: &str) -> Result<Response, Refusal> {
    match wish {
        "pay" => Ok(go(&checkout::success_url(&checkout::pay(world, id)?))),
        "decline" => Ok(checkout_page(&checkout::decline(world, id)?, DECLINED)),
        "cancel" => {
            let session = world.get("checkout.session", id)?;
            Ok(match session.at("cancel_url").as_str() {
                Some(url) => go(url),
                None => checkout_page(session, "This checkout has no way back."),
            })
        }
        other => Err(Refusal::invalid(
            "do",
            format!("Nobody knows how to {other}."),
        )),
    }
}

fn checkout_page(session: &Value, alert: &str) -> Response {
    let status = text(session.at("status"));
    let total = money(
        number(session.at("amount_total")),
        &text(session.at("currency")),
    );
    let lines = session.at("_fake.lines").as_array().into_iter().flatten();
    let lines: String = lines.map(line).collect();
    let buttons = match status.as_str() {
        "open" => buttons(session, &total),
        _ => format!("<p role=\"alert\">This checkout is {status}.</p>"),
    };
    let alert = match alert {
        "" => String::new(),
        alert => format!("<p role=\"alert\">{}</p>", escaped(alert)),
    };
    let body = format!(
        "<h1>{total}</h1>{alert}<table>{lines}<tr><th>Total</th><td></td><td class=\"sum\">{total}</td></tr>\
         </table>{buttons}<p><small>{}</small></p>",
        escaped(&text(session.at("id")))
    );
    page(HEADING, &body)
}

fn line(line: &Value) -> String {
    let price = &line.at("price");
    let every = match price.at("recurring.interval").as_str() {
        Some(interval) => format!("every {}", escaped(interval)),
        None => "once".to_owned(),
    };
    format!(
        "<tr><td>{} × {}</td><td>{every}</td><td class=\"sum\">{}</td></tr>",
        number(line.at("quantity")),
        escaped(&text(line.at("description"))),
        money(number(line.at("amount_total")), &text(line.at("currency"))),
    )
}

fn buttons(session: &Value, total: &str) -> String {
    let action = format!("/pay/{}", text(session.at("id")));
    let pay = button(&action, &format!("Pay {total}"), "main", &[("do", "pay")]);
    let decline = button(&action, "Decline", "bad", &[("do", "decline")]);
    let cancel = button(&action, "Cancel", "", &[("do", "cancel")]);
    format!("<div class=\"buttons\">{pay}{decline}{cancel}</div>")
}

const HEADING: &str = "Fake Stripe — test checkout, no money moves";
