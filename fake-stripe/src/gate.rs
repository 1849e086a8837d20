//! What every request to `/v1` passes: the key, the log, idempotency, the troubles a test asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::{self, Call};
use crate::due;
use crate::expand::expanded;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{Shared, World, public};

/// What goes wrong with `/v1` until told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// All is answered with 503, and nothing takes effect.
    Down,
    /// What is asked takes effect at once and is answered only after this time.
    Slow(Duration),
    /// The next `POST` or `DELETE` takes effect and is answered with 500; then nothing is wrong any more.
    After,
}

/// The answers that are kept by idempotency key, with what was asked.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<String, (String, Value)>);

/// Answers a request to Stripe's API.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked::new(&method, &uri, &headers, &body);
    let (answer, wait) = shared.with(|world| {
        let answer = settle(world, &asked);
        let wait = match world.trouble {
            Trouble::Slow(wait) => wait,
            _ => Duration::ZERO,
        };
        (answer, wait)
    });
    tokio::time::sleep(wait).await;
    respond(answer)
}

/// A request, read.
struct Asked {
    method: Method,
    path: String,
    form: Form,
    /// What has to be the same when an idempotency key comes again.
    whole: String,
    key: Option<String>,
    account: Option<String>,
    has_secret: bool,
}

impl Asked {
    fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let body = String::from_utf8_lossy(body);
        let query = uri.query().unwrap_or_default();
        let parameters = if body.is_empty() { query } else { &body };
        Self {
            method: method.clone(),
            path: uri.path().to_owned(),
            form: Form::parse(parameters),
            whole: format!("{method} {} {parameters}", uri.path()),
            key: text("idempotency-key").map(str::to_owned),
            account: text("stripe-account").map(str::to_owned),
            has_secret: text("authorization").is_some_and(is_secret),
        }
    }
}

/// An answer: its status, body and whether it was kept from an earlier request.
struct Answer {
    status: u16,
    body: Value,
    replayed: bool,
}

fn settle(world: &mut World, asked: &Asked) -> Answer {
    log(world, asked);
    due::catch_up(world);
    match checked(world, asked) {
        Ok(answer) => answer,
        Err(refusal) => Answer {
            status: refusal.status,
            body: refusal.body(),
            replayed: false,
        },
    }
}

fn checked(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    if world.trouble == Trouble::Down {
        return Err(Refusal::other(503, "api_error", "The fake plays dead."));
    }
    if !asked.has_secret {
        let message = "You did not provide an API key that begins with sk_test_ or rk_test_.";
        return Err(Refusal::other(401, "invalid_request_error", message));
    }
    if let Some(kept) = kept(world, asked)? {
        return Ok(kept);
    }
    let body = performed(world, asked)?;
    if let Some(key) = &asked.key {
        world
            .answers
            .0
            .insert(key.clone(), (asked.whole.clone(), body.clone()));
    }
    if world.trouble == Trouble::After && asked.method != Method::GET {
        world.trouble = Trouble::None;
        return Err(Refusal::other(
            500,
            "api_error",
            "Done, but the fake will not say so.",
        ));
    }
    Ok(Answer {
        status: 200,
        body,
        replayed: false,
    })
}

fn performed(world: &mut World, asked: &Asked) -> Result<Value, Refusal> {
    let call = Call {
        form: asked.form.clone(),
        account: asked.account.clone(),
    };
    world.cause.clone_from(&asked.key);
    let result = api::perform(world, &asked.method, &asked.path, &call);
    world.cause = None;
    let mut result = result?;
    for path in asked.form.texts("expand") {
        result = expanded(world, result, &path);
    }
    Ok(public(&result))
}

/// The answer that was given to this idempotency key before.
fn kept(world: &World, asked: &Asked) -> Result<Option<Answer>, Refusal> {
    let Some(key) = asked.key.as_ref().filter(|_| asked.method != Method::GET) else {
        return Ok(None);
    };
    match world.answers.0.get(key) {
        Some((whole, body)) if *whole == asked.whole => Ok(Some(Answer {
            status: 200,
            body: body.clone(),
            replayed: true,
        })),
        Some(_) => {
            let message = format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used \
                 with. Try using a key other than '{key}'."
            );
            Err(Refusal::other(400, "idempotency_error", message))
        }
        None => Ok(None),
    }
}

fn log(world: &mut World, asked: &Asked) {
    world.requests.push(json!({
        "method": asked.method.as_str(),
        "path": asked.path,
        "form": asked.form.value(),
        "idempotency_key": asked.key,
        "account": asked.account,
        "at": world.clock.present(),
    }));
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::Json(answer.body);
    if answer.replayed {
        (status, [("idempotent-replayed", "true")], body).into_response()
    } else {
        (status, body).into_response()
    }
}

/// Whether a header `Authorization` carries a secret key of Stripe's test mode. What stands in Basic is not
/// decoded: that it is there is enough for a fake.
fn is_secret(header: &str) -> bool {
    let bearer = header.strip_prefix("Bearer ").map(str::trim);
    let is_test = |key: &str| key.starts_with("sk_test_") || key.starts_with("rk_test_");
    bearer.is_some_and(is_test)
        || header
            .strip_prefix("Basic ")
            .is_some_and(|key| !key.is_empty())
}
