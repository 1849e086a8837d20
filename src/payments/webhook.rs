//! `POST /webhooks/stripe`: Stripe tells that something happened.
//!
//! The body is read raw and held against the signature before anything else. One transaction writes the
//! event's id and the job that it asks for; what happened is then asked of Stripe itself, so that events
//! may come twice, late and in any order.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use stripe_webhook::{Webhook, WebhookError};

use super::apply::{Object, Work};
use super::mirror::seconds;
use super::{Payments, store};
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::rate::household;
use crate::request::Client;

/// Longest body. Stripe's largest events have a few tens of kilobytes.
const LONGEST: usize = 256 * 1024;
/// Refused events from one network in a minute, of which each stands in the log.
const MOST_REFUSED: u32 = 30;
const SIGNATURE: &str = "stripe-signature";

/// What counts of an event.
#[derive(Debug, Clone)]
pub(super) struct EventHead {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) object: String,
    pub(super) created_at: Timestamp,
}

/// Why an event is not taken. Stripe tries again after all of them.
#[derive(Debug, thiserror::Error)]
pub(super) enum EventRefusal {
    #[error("there are no payments on this server")]
    Off,
    #[error("the body is longer than {LONGEST} bytes, or was cut off")]
    TooLarge,
    #[error("there is no Stripe-Signature")]
    Unsigned,
    #[error(
        "the signature does not fit: payments.webhook_secrets must hold the signing secret of this \
         very endpoint"
    )]
    Forged,
    #[error("the signature is of another time than now; are both clocks right?")]
    Stale,
    #[error("this is no event of Stripe's")]
    Unreadable,
    #[error("this server has keys for {ours} money, and the event is of {theirs}")]
    WrongMode {
        ours: &'static str,
        theirs: &'static str,
    },
    #[error("too many events were refused")]
    TooMany(Duration),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for EventRefusal {
    fn into_response(self) -> Response {
        let refused = |status, code| Problem::new(status, code, self.to_string());
        let problem = match &self {
            Self::Store(error) => {
                log_store_error(error);
                // Whatever the reason, Stripe must come again.
                return store_problem(error).into_response();
            }
            Self::TooMany(after) => return Problem::too_many(*after).into_response(),
            Self::Off => return refused(StatusCode::NOT_FOUND, "payments_off").into_response(),
            Self::TooLarge => refused(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Unsigned => refused(StatusCode::BAD_REQUEST, "signature_missing"),
            Self::Forged => refused(StatusCode::BAD_REQUEST, "signature_wrong"),
            Self::Stale => refused(StatusCode::BAD_REQUEST, "signature_stale"),
            Self::Unreadable => refused(StatusCode::BAD_REQUEST, "event_unreadable"),
            Self::WrongMode { .. } => refused(StatusCode::BAD_REQUEST, "wrong_mode"),
        };
        let code = problem.code();
        tracing::warn!(code, "An event of Stripe's was refused: {self}");
        problem.into_response()
    }
}

/// Take an event of Stripe's.
#[utoipa::path(
    post, path = "/webhooks/stripe", tag = "payments", request_body = String,
    responses(
        (status = 200), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(super) async fn take_event(
    State(payments): State<Payments>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, EventRefusal> {
    if !payments.is_on() {
        return Err(EventRefusal::Off);
    }
    let taken = payments.take_signed(&headers, body).await;
    if let Err(EventRefusal::Store(_)) | Ok(()) = taken {
        return taken.map(|()| StatusCode::OK);
    }
    // Anybody can send what is refused: the log, and the work of looking at it, must have an end.
    let (from, now) = (household(client.address), payments.0.clock.instant());
    let refused = &payments.0.refused;
    match refused.take(&from, MOST_REFUSED, now) {
        Ok(()) => taken.map(|()| StatusCode::OK),
        Err(after) => Err(EventRefusal::TooMany(after)),
    }
}

fn mode(is_live: bool) -> &'static str {
    match is_live {
        true => "real",
        false => "test",
    }
}

/// The envelope of an event. What lies in it is asked for anew.
#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    livemode: bool,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: Named,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    id: String,
    /// Of disputes and refunds: what they are about.
    charge: Option<super::stripe::Id>,
}

impl Payments {
    async fn take_signed(&self, headers: &HeaderMap, body: Body) -> Result<(), EventRefusal> {
        let body = to_bytes(body, LONGEST).await;
        let body = body.map_err(|_| EventRefusal::TooLarge)?;
        let text = std::str::from_utf8(&body).map_err(|_| EventRefusal::Forged)?;
        let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        let signature = signature.ok_or(EventRefusal::Unsigned)?;
        self.check_signature(text, signature)?;
        let event: Event = serde_json::from_str(text).map_err(|_| EventRefusal::Unreadable)?;
        let ours = self.0.config.is_live();
        if event.livemode != ours {
            return Err(EventRefusal::WrongMode {
                ours: mode(ours),
                theirs: mode(event.livemode),
            });
        }
        Ok(self.take(event).await?)
    }

    /// One of two secrets is enough, while one replaces the other.
    fn check_signature(&self, body: &str, signature: &str) -> Result<(), EventRefusal> {
        let now = self.0.clock.now().as_second();
        let mut last = EventRefusal::Forged;
        for secret in &self.0.config.webhook_secrets {
            match Webhook::construct_event_with_timestamp(body, signature, secret, now) {
                // The signature fits, whether or not the library knows such events.
                Ok(_) | Err(WebhookError::BadParse(_)) => return Ok(()),
                Err(WebhookError::BadTimestamp(_)) => last = EventRefusal::Stale,
                Err(_) => {}
            }
        }
        Err(last)
    }

    /// Writes an event down, with the work that it asks for. What came before is done already.
    async fn take(&self, event: Event) -> Result<(), StoreError> {
        let about = Object::of(&event.kind, &event.data.object.id, event.data.object.charge);
        // What is read again is what counts, as of a dispute its charge.
        let object = about.as_ref().map(|object| object.id().to_owned());
        let head = EventHead {
            id: event.id,
            kind: event.kind,
            object: object.unwrap_or(event.data.object.id),
            created_at: seconds(event.created),
        };
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        if !store::add_event(&mut tx, &head, now).await? {
            return tx.commit().await;
        }
        match about {
            Some(object) => {
                let work = Work {
                    object,
                    event: Some(head.id),
                };
                self.0
                    .jobs
                    .enqueue(&mut tx, super::apply::KIND, &work)
                    .await?;
            }
            None => {
                let words = "nothing here depends on such events";
                store::finish_event(&mut tx, &head.id, &head.object, words, now).await?;
            }
        }
        tx.commit().await?;
        self.0.jobs.wake();
        Ok(())
    }
}
