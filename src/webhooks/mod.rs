//! Webhooks: what happens on a channel, posted to an address of its owner's.
//!
//! An event becomes a delivery for each hook that wants it, and a job for each delivery. The job tries
//! until the receiver answers with success; after three days it gives up and the hook is switched off,
//! in words. The secret that signs deliveries stands nowhere: it is made of the hook's id and the
//! server's pepper.

mod belonging;
mod deliver;
mod routes;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::accounts::Account;
use crate::channels::{Channel, ChannelId, Channels, Pepper};
use crate::clock::Clock;
use crate::db::{Db, StoreError, Tx};
use crate::error::ApiError;
use crate::events::{Event, EventBody, Kind, Wants, Wish};
use crate::form::Form;
use crate::jobs::Jobs;
use crate::outgoing::Outgoing;
use crate::rate::Rate;
use crate::secret::Secret;

/// Where a channel's events go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hook {
    id: Uuid,
    channel: ChannelId,
    url: String,
    kinds: Vec<Kind>,
    is_enabled: bool,
    /// Why it was switched off.
    problem: Option<String>,
    created_at: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    /// It was not tried yet, or waits for another try.
    Waiting,
    /// The receiver answered with success.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Delivered, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// An event on its way to a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    id: Uuid,
    hook: Uuid,
    event: String,
    kind: String,
    body: String,
    state: DeliveryState,
    created_at: Timestamp,
    attempts: i64,
    tried_at: Option<Timestamp>,
    status: Option<i64>,
    took_ms: Option<i64>,
    answer: Option<String>,
    problem: Option<String>,
}

/// How a try ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    status: Option<i64>,
    took_ms: Option<i64>,
    answer: Option<String>,
    problem: Option<String>,
}

/// What a job is about.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    delivery: Uuid,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Webhooks {
    db: Db,
    clock: Clock,
    jobs: Jobs,
    outgoing: Outgoing,
    channels: Channels,
    pepper: Pepper,
    /// Tests and replays: each asks a server that may be slow.
    by_hand: Arc<Rate<ChannelId>>,
    /// Whether a hook of a channel wants what, as it was a moment ago.
    wanted: Arc<Mutex<Wanted>>,
}

/// What hooks want, and when that was looked up.
type Wanted = HashMap<ChannelId, (Instant, Vec<Kind>)>;

/// Tests and replays of one channel within that time.
const MOST_BY_HAND: u32 = 60;
const BY_HAND_WITHIN: Duration = Duration::from_secs(3600);

/// What [`Webhooks::new`] stands on.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// The queue.
    pub jobs: Jobs,
    /// The way out.
    pub outgoing: Outgoing,
    /// Whose hooks they are.
    pub channels: Channels,
    /// What secrets are made of.
    pub pepper: Pepper,
}

/// The kind of the jobs.
const KIND: &str = "webhook";
/// What a test delivers.
const PING: &str = "ping";
/// Hooks of a channel, at most.
const MOST: i64 = 10;
/// What hooks want is looked up this often; a new hook gets its first chat message as much later.
const REMEMBERED: Duration = Duration::from_secs(2);
/// The log is kept so long.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Webhooks {
    /// Makes the service.
    #[must_use]
    pub fn new(grounds: Grounds) -> Self {
        let Grounds {
            db,
            clock,
            jobs,
            outgoing,
            channels,
            pepper,
        } = grounds;
        Self {
            db,
            clock,
            jobs,
            outgoing,
            channels,
            pepper,
            by_hand: Arc::new(Rate::new(BY_HAND_WITHIN)),
            wanted: Arc::default(),
        }
    }

    /// The routes of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// Sends an event to all hooks that want it. To do it again does nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, event: &Event) -> Result<(), StoreError> {
        let hooks = store::of_channel(&self.db, event.channel).await?;
        let hooks: Vec<Hook> = hooks
            .into_iter()
            .filter(|hook| hook.is_enabled && hook.kinds.contains(&event.kind))
            .collect();
        if hooks.is_empty() {
            return Ok(());
        }
        let body = in_json(&EventBody::from(event))?;
        let mut tx = self.db.begin().await?;
        for hook in hooks {
            let id = id_for(hook.id, event.seq);
            let delivery = self.delivery(id, hook.id, &event.seq.to_string(), event.kind.as_str());
            self.send(&mut tx, &delivery(body.clone())).await?;
        }
        tx.commit().await?;
        self.jobs.wake();
        Ok(())
    }

    /// Deletes what is too old of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        store::sweep(&self.db, self.clock.now() - KEEP)
            .await
            .map(drop)
    }

    /// The secret that signs a hook's deliveries.
    fn secret(&self, hook: Uuid) -> Secret {
        let mac = self.pepper.mac(&format!("webhook {hook}"));
        Secret::new(format!("tlw_{mac}"))
    }

    async fn create(
        &self,
        channel: &Channel,
        url: &str,
        kinds: &[String],
    ) -> Result<Hook, ApiError> {
        let mut form = Form::new();
        let url = form.take("url", self.checked_url(url));
        let kinds = form.take("kinds", checked_kinds(kinds));
        form.done()?;
        let hook = Hook {
            id: Uuid::now_v7(),
            channel: channel.id,
            url,
            kinds,
            is_enabled: true,
            problem: None,
            created_at: self.clock.now(),
        };
        let mut tx = self.db.begin().await?;
        if store::count(&mut tx, channel.id).await? >= MOST {
            return Err(ApiError::Conflict {
                code: "too_many_webhooks",
                detail: format!("a channel has at most {MOST} webhooks; delete one"),
            });
        }
        store::insert(&mut tx, &hook).await?;
        tx.commit().await?;
        Ok(hook)
    }

    fn checked_url(&self, url: &str) -> Result<String, ApiError> {
        let url = url.trim();
        let checked = self.outgoing.check(url);
        checked
            .map(|()| url.to_owned())
            .map_err(|error| ApiError::Invalid {
                code: "url_refused",
                detail: error.to_string(),
            })
    }

    /// A hook of a channel that is the account's own.
    async fn expect(&self, handle: &str, id: Uuid, account: &Account) -> Result<Hook, ApiError> {
        let channel = self.channels.expect_own(handle, account).await?;
        let hook = store::by_id(&self.db, id).await?;
        let hook = hook.filter(|hook| hook.channel == channel.id);
        hook.ok_or(ApiError::NotFound {
            code: "webhook_not_found",
            detail: "the channel has no such webhook",
        })
    }

    /// Posts something to see whether it arrives, also to a hook that is switched off.
    async fn test(&self, channel: &Channel, hook: &Hook) -> Result<Delivery, ApiError> {
        self.note_by_hand(hook)?;
        let id = Uuid::now_v7();
        let body = in_json(&serde_json::json!({
            "id": format!("test-{id}"),
            "kind": PING,
            "at": self.clock.now(),
            "channel": crate::events::EventChannel::from(channel),
            "stream": null,
            "data": { "message": "It works." },
        }))?;
        let delivery = self.delivery(id, hook.id, &format!("test-{id}"), PING)(body);
        self.send_now(delivery).await
    }

    fn note_by_hand(&self, hook: &Hook) -> Result<(), ApiError> {
        let taken = self
            .by_hand
            .take(&hook.channel, MOST_BY_HAND, self.clock.instant());
        taken.map_err(ApiError::TooMany)
    }

    /// Delivers something once more.
    async fn replay(&self, hook: &Hook, delivery: Uuid) -> Result<Delivery, ApiError> {
        self.note_by_hand(hook)?;
        let old = store::delivery(&self.db, delivery).await?;
        let old = old.filter(|old| old.hook == hook.id);
        let old = old.ok_or(ApiError::NotFound {
            code: "delivery_not_found",
            detail: "the webhook has no such delivery; they are kept for 30 days",
        })?;
        let again = self.delivery(Uuid::now_v7(), hook.id, &old.event, &old.kind)(old.body);
        self.send_now(again).await
    }

    fn delivery(
        &self,
        id: Uuid,
        hook: Uuid,
        event: &str,
        kind: &str,
    ) -> impl FnOnce(String) -> Delivery + use<> {
        let (event, kind, created_at) = (event.to_owned(), kind.to_owned(), self.clock.now());
        move |body| Delivery {
            id,
            hook,
            event,
            kind,
            body,
            state: DeliveryState::Waiting,
            created_at,
            attempts: 0,
            tried_at: None,
            status: None,
            took_ms: None,
            answer: None,
            problem: None,
        }
    }

    async fn send_now(&self, delivery: Delivery) -> Result<Delivery, ApiError> {
        let mut tx = self.db.begin().await?;
        self.send(&mut tx, &delivery).await?;
        tx.commit().await?;
        self.jobs.wake();
        Ok(delivery)
    }

    async fn send(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), StoreError> {
        if store::insert_delivery(tx, delivery).await? {
            let work = Work {
                delivery: delivery.id,
            };
            self.jobs.enqueue(tx, KIND, &work).await?;
        }
        Ok(())
    }
}

impl Wants for Webhooks {
    fn wants(&self, channel: ChannelId, kind: Kind) -> Wish<'_> {
        Box::pin(async move {
            let now = self.clock.instant();
            let is_fresh = |at: Instant| now.saturating_duration_since(at) < REMEMBERED;
            let known = {
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                wanted.retain(|_, (at, _)| is_fresh(*at));
                wanted.get(&channel).map(|(_, kinds)| kinds.contains(&kind))
            };
            if let Some(known) = known {
                return Ok(known);
            }
            let hooks = store::of_channel(&self.db, channel).await?.into_iter();
            let kinds: Vec<Kind> = hooks
                .filter(|hook| hook.is_enabled)
                .flat_map(|hook| hook.kinds)
                .collect();
            let is_wanted = kinds.contains(&kind);
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.insert(channel, (now, kinds));
            Ok(is_wanted)
        })
    }
}

/// The same for the same, so that an event which is taken again is delivered once.
fn id_for(hook: Uuid, seq: i64) -> Uuid {
    let mixed = hook.as_u128() ^ (u128::from(seq.unsigned_abs()) << 1) ^ (1 << 127);
    Uuid::from_u128(mixed)
}

fn in_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        table: "webhook_delivery",
        key: KIND.to_owned(),
        expected: "what JSON can hold",
        found: error.to_string(),
    })
}

fn checked_kinds(names: &[String]) -> Result<Vec<Kind>, ApiError> {
    let known = || Kind::ALL.map(Kind::as_str).join(", ");
    let invalid = |code, detail| ApiError::Invalid { code, detail };
    let mut kinds = Vec::new();
    for name in names {
        let kind = Kind::parse(name)
            .ok_or_else(|| invalid("kind_unknown", format!("there are {}", known())))?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match kinds.is_empty() {
        true => Err(invalid(
            "kinds_missing",
            "choose one event at least".to_owned(),
        )),
        false => Ok(kinds),
    }
}
