//! Alerts: what a page over the picture shows when somebody joins, gives or tips.
//!
//! An encoder opens that page with a token in its address, behind the `#`, which no server sees; the page
//! sends it as `Authorization: Bearer`. It can show alerts and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Payments, store};
use crate::accounts;
use crate::bus::Lasting;
use crate::channels::ChannelId;
use crate::error::{ApiError, Problem};

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ShownAlert)]
pub struct Alert {
    /// Each is shown once.
    pub id: Uuid,
    /// What happened.
    pub kind: AlertKind,
    /// Who did it.
    pub name: String,
    /// Of memberships.
    pub tier: Option<i64>,
    /// Of gifts: how many.
    pub quantity: Option<i64>,
    /// Of tips, in the currency's smallest unit.
    pub amount: Option<i64>,
    /// Of tips, such as `eur`.
    pub currency: Option<String>,
    /// Of tips: what comes with it, as far as the rules of chat let it pass.
    pub message: String,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Somebody is a member now.
    Member,
    /// Somebody gives memberships.
    Gift,
    /// Somebody sends a tip.
    Tip,
    /// The creator tries it out.
    Test,
}

/// An alert, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) channel: Uuid,
    /// None: the address of the page is another now, and what waits by the old one ends.
    pub(super) alert: Option<Alert>,
}

/// Alerts that a page may be behind.
pub(super) const WAITING: usize = 256;
pub(super) const TOPIC: &str = "alerts";
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Payments {
    /// Shows an alert on all pages of a channel that show them.
    pub fn show_alert(&self, channel: ChannelId, alert: Alert) {
        self.tell_alerts(channel, Some(alert));
    }

    /// Ends what waits for a channel's alerts by a token that is good no longer.
    pub(super) fn end_alerts(&self, channel: ChannelId) {
        self.tell_alerts(channel, None);
    }

    fn tell_alerts(&self, channel: ChannelId, alert: Option<Alert>) {
        let shown = Shown {
            channel: channel.0,
            alert,
        };
        if self.0.bus.is_shared()
            && let Ok(words) = serde_json::to_string(&shown)
        {
            self.0.bus.say(TOPIC, &words, Lasting::Fleeting);
        }
        self.hear_alert(shown);
    }

    pub(super) fn hear_alert(&self, shown: Shown) {
        // There may be no such page.
        let _ = self.0.alerts.send(Arc::new(shown));
    }

    /// Ends what waits for alerts: the server stops.
    pub fn close(&self) {
        self.0.closing.cancel();
    }
}

/// Alerts of a channel as they come, as `text/event-stream`, for whoever has its token.
#[utoipa::path(
    get, path = "/alerts/events", tag = "payments",
    responses(
        (status = 200, content_type = "text/event-stream", body = Alert),
        (status = 401, body = Problem), (status = 404, body = Problem),
    ),
)]
pub(super) async fn follow_alerts(
    State(payments): State<Payments>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    payments.require_on()?;
    let refused = ApiError::Unauthorized {
        code: "alert_token_wrong",
        detail: "this address shows alerts no longer: make another one in the dashboard",
    };
    let Some(token) = accounts::bearer(&headers) else {
        return Err(refused);
    };
    let found = store::shop_by_token(&payments.0.db, &token.hash()).await?;
    let Some(channel) = found else {
        return Err(refused);
    };
    let lines = lines(channel, payments.0.alerts.subscribe(), payments);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(lines).keep_alive(keep_alive).into_response())
}

fn lines(
    channel: ChannelId,
    alerts: Receiver<Arc<Shown>>,
    payments: Payments,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(
        (alerts, payments),
        move |(mut alerts, payments)| async move {
            loop {
                let shown = tokio::select! {
                    shown = alerts.recv() => shown,
                    () = payments.0.closing.cancelled() => return None,
                };
                match shown {
                    Ok(shown) if shown.channel == channel.0 => {
                        let alert = shown.alert.as_ref()?;
                        let data = serde_json::to_string(alert).unwrap_or_default();
                        let event = Event::default().event("alert").data(data);
                        return Some((Ok(event), (alerts, payments)));
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        },
    )
}
