//! The control API under `/_fake`: what Stripe's dashboard, a customer's bank and the passing of time would do.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

use crate::fields::Fields;
use crate::form::Form;
use crate::gate::Trouble;
use crate::refusal::Refusal;
use crate::reversals::{self, Wish};
use crate::world::{Shared, World};
use crate::{checkout, connect, customers, due};

/// Answers `/_fake/{path}`.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    Path(path): Path<String>,
    method: Method,
    body: Bytes,
) -> Response {
    let form = Form::json(&body);
    match shared.with(|world| perform(world, method.as_str(), &path, &form)) {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, axum::Json(refusal.body())).into_response()
        }
    }
}

/// Does what is asked; `path` is without `/_fake/`.
pub(crate) fn perform(
    world: &mut World,
    method: &str,
    path: &str,
    form: &Form,
) -> Result<Value, Refusal> {
    due::catch_up(world);
    let parts: Vec<&str> = path.split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["state"]) => Ok(world.summary()),
        ("GET", ["events"]) => Ok(json!(world.told_events())),
        ("GET", ["requests"]) => Ok(json!(world.requests)),
        ("GET", ["webhooks", "held"]) => Ok(json!(held(world))),
        ("POST", ["clock"]) => clock(world, form),
        ("POST", ["customers", id, "card"]) => card(world, id, form),
        ("POST", ["charges", id, "refund"]) => refund(world, id, form.integer("amount")?),
        ("POST", ["charges", id, "dispute"]) => reversals::dispute(world, id),
        ("POST", ["disputes", id, "close"]) => {
            let won = form.flag("won")?.ok_or_else(|| Refusal::missing("won"))?;
            reversals::close_dispute(world, id, won)
        }
        ("POST", ["accounts", id]) => {
            let enabled = form
                .flag("enabled")?
                .ok_or_else(|| Refusal::missing("enabled"))?;
            connect::set_enabled(world, id, enabled)
        }
        ("POST", ["sessions", id, "pay"]) => checkout::pay(world, id),
        ("POST", ["sessions", id, "decline"]) => checkout::decline(world, id),
        ("POST", ["webhooks"]) => webhooks(world, form),
        ("POST", ["webhooks", "release"]) => {
            let order = form.at("order").filter(|order| order.is_array());
            let order = order.map(|_| form.texts("order"));
            Ok(json!({ "released": world.post.release(order) }))
        }
        ("POST", ["events", id, "resend"]) => world.resend(id),
        ("POST", ["trouble"]) => trouble(world, form),
        _ => {
            let message = format!("Unknown control ({method}: /_fake/{path}).");
            Err(Refusal::other(404, "invalid_request_error", message))
        }
    }
    .map(|answer| crate::world::public(&answer))
}

/// Refunds as a person does on Stripe's dashboard: the transfer is taken back and the fee given back where
/// there are any.
pub(crate) fn refund(world: &mut World, id: &str, amount: Option<i64>) -> Result<Value, Refusal> {
    let charge = world.get("charge", id)?;
    let wish = Wish {
        amount,
        reverses_transfer: !charge.at("transfer_data").is_null(),
        refunds_fee: !charge.at("application_fee").is_null(),
        reason: json!("requested_by_customer"),
        metadata: Value::Null,
    };
    reversals::refund(world, id, &wish)
}

/// The events that are held, as they will be sent.
pub(crate) fn held(world: &World) -> Vec<Value> {
    let held = world.post.held().iter();
    let events = held.map(|id| crate::world::public(world.find(&json!(id))));
    events.collect()
}

fn clock(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let seconds = form.integer("advance_seconds")?;
    let seconds = seconds.ok_or_else(|| Refusal::missing("advance_seconds"))?;
    if !(0..=LONGEST_LEAP).contains(&seconds) {
        return Err(Refusal::invalid(
            "advance_seconds",
            "The clock goes ahead, ten years at most.",
        ));
    }
    due::advance(world, seconds);
    Ok(json!({ "now": world.now() }))
}

fn card(world: &mut World, id: &str, form: &Form) -> Result<Value, Refusal> {
    let works = form
        .flag("works")?
        .ok_or_else(|| Refusal::missing("works"))?;
    customers::set_card(world, id, works)?;
    Ok(json!({ "customer": id, "works": world.find(&json!(id)).at("_fake.card_works") }))
}

fn webhooks(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let duplicate = form.integer("duplicate")?;
    let post = &mut world.post;
    post.hold = form.flag("hold")?.unwrap_or(post.hold);
    post.shuffle = form.flag("shuffle")?.unwrap_or(post.shuffle);
    post.sign_by_fake_clock = form
        .flag("sign_by_fake_clock")?
        .unwrap_or(post.sign_by_fake_clock);
    if let Some(copies) = duplicate {
        post.duplicate = usize::try_from(copies).unwrap_or_default().min(MOST_COPIES);
    }
    let secret = form.text("secret").map(str::to_owned);
    if form.has("url") {
        post.aim(form.text("url").map(str::to_owned), secret);
    } else if let Some(secret) = secret {
        post.secret = secret;
    }
    Ok(post.summary())
}

fn trouble(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let mode = form.one_of("mode", &["none", "down", "slow", "after"])?;
    let seconds = form.number("seconds")?.unwrap_or(5.0).clamp(0.0, 3_600.0);
    world.trouble = match mode.ok_or_else(|| Refusal::missing("mode"))? {
        "down" => Trouble::Down,
        "slow" => Trouble::Slow(Duration::from_secs_f64(seconds)),
        "after" => Trouble::After,
        _ => Trouble::None,
    };
    Ok(json!({ "mode": mode }))
}

const LONGEST_LEAP: i64 = 10 * 366 * 24 * 3_600;

/// More copies of an event than this prove nothing more.
const MOST_COPIES: usize = 20;
