//! How creators are paid: memberships, gifts, tips and tickets, by Stripe.
//!
//! Stripe holds the truth. What is here is a copy of what it said last of each object (`mirror`), the book
//! of what came in and went back (`book`), and what follows from both: who may watch (`entitlements`).
//! Events only say that something is to be read again (`webhook`, `apply`). Without a key in the
//! configuration nothing of it is there, but for gates that ask for no money.

mod alerts;
mod apply;
mod belonging;
mod book;
mod checkout;
mod connect;
mod elsewhere;
mod entitlements;
mod examine;
mod gifts;
mod mirror;
mod mode;
mod money;
mod news;
mod offers;
mod order;
mod own;
mod purchase;
mod routes;
mod store;
mod stripe;
mod webhook;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub use alerts::{Alert, AlertKind};
pub use entitlements::{Gate, Holdings};
pub use examine::{Found, examine};
pub use mode::ModeError;
pub use news::{KIND as NEWS, News, What};

use entitlements::Cache;
use stripe::Stripe;

use crate::accounts::{AccountId, Accounts};
use crate::audit::Audit;
use crate::bus::Bus;
use crate::channels::{ChannelId, Channels};
use crate::clock::Clock;
use crate::config::{self, Payout};
use crate::db::Db;
use crate::error::ApiError;
use crate::jobs::Jobs;
use crate::rate::Rate;

/// What an account may do on a channel may be different now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// Where.
    pub channel: Uuid,
    /// Whose.
    pub account: AccountId,
}

/// Whether creators are paid, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentMode)]
pub enum Mode {
    /// They are not.
    Off,
    /// Stripe only plays: no money moves.
    Test,
    /// Money moves.
    Live,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Payments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    jobs: Jobs,
    audit: Audit,
    accounts: Accounts,
    channels: Channels,
    config: config::Payments,
    /// None: there are no payments.
    stripe: Option<Stripe>,
    cache: Cache,
    /// Events that were refused, by where they came from.
    refused: Rate<IpAddr>,
    changes: broadcast::Sender<AccessChanged>,
    alerts: broadcast::Sender<Arc<alerts::Shown>>,
    /// Streams of alerts end with it.
    closing: CancellationToken,
    bus: Bus,
}

/// What [`Payments::new`] stands on.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// The queue.
    pub jobs: Jobs,
    /// Who did what.
    pub audit: Audit,
    /// Who pays.
    pub accounts: Accounts,
    /// Who sells.
    pub channels: Channels,
    /// The way to other servers.
    pub bus: Bus,
}

/// Changes that a listener may be behind before it misses some, and asks for all anew.
const CHANGES: usize = 1_024;

impl Payments {
    /// Makes the service.
    ///
    /// # Errors
    /// When the key can be none.
    pub fn new(config: &config::Payments, grounds: Grounds) -> Result<Self, KeyError> {
        let stripe = match config.is_on() {
            true => Some(Stripe::new(config).map_err(|_| KeyError)?),
            false => None,
        };
        Ok(Self(Arc::new(Inner {
            db: grounds.db,
            clock: grounds.clock,
            jobs: grounds.jobs,
            audit: grounds.audit,
            accounts: grounds.accounts,
            channels: grounds.channels,
            config: config.clone(),
            stripe,
            cache: Cache::default(),
            refused: Rate::new(Duration::from_secs(60)),
            changes: broadcast::Sender::new(CHANGES),
            alerts: broadcast::Sender::new(alerts::WAITING),
            closing: CancellationToken::new(),
            bus: grounds.bus,
        })))
    }

    /// The routes of this domain; without payments, those that say so.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// Where Stripe tells what happens, and alerts are shown: neither brings a cookie or a personal token.
    pub fn outside(&self) -> OpenApiRouter {
        routes::outside(self.clone())
    }

    /// Whether creators are paid here.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.stripe.is_some()
    }

    /// Whether creators are paid here, and with what.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match (self.is_on(), self.0.config.is_live()) {
            (false, _) => Mode::Off,
            (true, false) => Mode::Test,
            (true, true) => Mode::Live,
        }
    }

    /// Whose access is different from now on. Who lags must ask for all anew.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<AccessChanged> {
        self.0.changes.subscribe()
    }

    /// Somebody may do more, or less, on a channel than before: a membership, a ticket, a ban, a follow.
    pub fn access_changed(&self, channel: ChannelId, account: AccountId) {
        let changed = AccessChanged {
            channel: channel.0,
            account,
        };
        self.tell_elsewhere(changed);
        self.hear(changed);
    }

    fn hear(&self, changed: AccessChanged) {
        let key = (ChannelId(changed.channel), changed.account);
        self.0.cache.forget(key);
        // Nobody may listen.
        let _ = self.0.changes.send(changed);
    }

    /// Stripe, which all that asks it is called for.
    fn stripe(&self) -> Result<&Stripe, stripe::StripeError> {
        let off =
            || stripe::StripeError::Refused("there are no payments on this server".to_owned());
        self.0.stripe.as_ref().ok_or_else(off)
    }

    /// Refuses where there are no payments, as if the route were not there.
    fn require_on(&self) -> Result<(), ApiError> {
        match self.is_on() {
            true => Ok(()),
            false => Err(ApiError::NotFound {
                code: "payments_off",
                detail: "there are no payments on this server",
            }),
        }
    }

    fn is_for_many(&self) -> bool {
        self.0.config.payout == Payout::Connect
    }
}

/// The key for Stripe can be none.
#[derive(Debug, thiserror::Error)]
#[error(
    "payments.secret_key or payments.stripe_url cannot be used: is there a stray character in them?"
)]
pub struct KeyError;
