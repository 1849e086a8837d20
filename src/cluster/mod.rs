//! [`Cluster`]: the servers that pass streams on to one another, and who has what on air.
//!
//! In Redis each server has a record of its own, which says where it is and what is on air at it, and
//! ends by itself when it is not renewed; and whoever publishes on a channel has a [`Lease`] on it for
//! the server that they came to. A lease has a number, the fence: of two servers that say that a channel
//! is on air at them, the one with the higher number is right. While Redis is away nobody gets a new
//! lease, and what is on air stays so.

mod asking;
mod directory;
mod leases;
mod passing;
mod record;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use asking::AskError;
pub use directory::Directory;
pub use leases::{ClaimError, Lease};
pub use passing::{away, was_passed_on};
pub use record::{OnAir, Own, Record, Standing};

use crate::bus::{Bus, Heard, Lasting};
use crate::clock::Clock;
use crate::config;
use crate::nodes::Node;
use crate::request::Kin;
use crate::tls;

use directory::Reading;

/// The servers that pass streams on. Cheap to clone, all clones are one; a server that is alone has one
/// that knows nobody.
#[derive(Debug, Clone, Default)]
pub struct Cluster(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    bus: Bus,
    node: Node,
    url: String,
    kin: Kin,
    client: Client,
    clock: Clock,
    /// What the others are told.
    own: Mutex<Own>,
    /// The others have not been told yet.
    changed: Notify,
    leases: Mutex<HashMap<Uuid, Lease>>,
    directory: watch::Sender<Arc<Directory>>,
    lost: mpsc::UnboundedSender<Lost>,
    /// While it is there.
    redis: Mutex<Option<MultiplexedConnection>>,
}

/// What runs beside the requests, until the token that [`Cluster::start`] was given is cancelled.
#[derive(Debug)]
pub struct Task(Option<JoinHandle<()>>);

/// A channel that this server had, and another has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The channel.
    pub channel: Uuid,
    /// The number of the lease that was lost.
    pub fence: u64,
}

/// Why a server does not take part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No HTTP client.
    #[error("cannot ask other servers: {0}")]
    Client(#[from] reqwest::Error),
}

/// A server says so often that it runs.
const BEAT: Duration = Duration::from_secs(1);
/// Changes come in company.
const TOGETHER: Duration = Duration::from_millis(20);
/// Who has not said so for this long does not run, in milliseconds; nor does a lease last longer.
const LASTS_MS: u64 = 4_000;
/// Another server is reached within this time, or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Nor is a connection kept on which it does not acknowledge anything for so long, as when the network
/// between drops all: whoever asks is told sooner than they are let go (`serve`).
const ACKNOWLEDGES_WITHIN: Duration = Duration::from_secs(5);
/// Says that a record changed.
const TOPIC: &str = "cluster";

impl Cluster {
    /// Of a server that passes no streams on.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Begins to say what is on air here, and to read what is elsewhere. Redis need not be there yet.
    /// The receiver gets what others took over.
    ///
    /// # Errors
    /// When there is no HTTP client to be had.
    pub fn start(
        config: &config::Cluster,
        (bus, node): (&Bus, Node),
        kin: Kin,
        clock: &Clock,
        stop: CancellationToken,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Lost>, Task), ClusterError> {
        let (lost, told) = mpsc::unbounded_channel();
        if !config.is_on() {
            return Ok((Self(None), told, Task(None)));
        }
        tls::choose_provider();
        let client = Client::builder()
            .user_agent(concat!("Tallylight/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(ACKNOWLEDGES_WITHIN)
            .build()?;
        let inner = Arc::new(Inner {
            bus: bus.clone(),
            node,
            url: config.base().to_owned(),
            kin,
            client,
            clock: clock.clone(),
            own: Mutex::default(),
            changed: Notify::new(),
            leases: Mutex::default(),
            directory: watch::Sender::default(),
            lost,
            redis: Mutex::default(),
        });
        let task = tokio::spawn(run(Arc::clone(&inner), stop));
        Ok((Self(Some(inner)), told, Task(Some(task))))
    }

    /// Whether there may be others.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// How requests of the others are known.
    #[must_use]
    pub fn kin(&self) -> Option<Kin> {
        self.0.as_ref().map(|inner| inner.kin.clone())
    }

    /// The others, as they were seen last.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        let inner = self.0.as_ref();
        inner.map_or_else(Arc::default, |inner| Arc::clone(&inner.directory.borrow()))
    }

    /// The same, from now on. A server that is alone hears nothing.
    #[must_use]
    pub fn watch(&self) -> Option<watch::Receiver<Arc<Directory>>> {
        Some(self.0.as_ref()?.directory.subscribe())
    }

    /// Another server that has room for a viewer, when this one has none.
    #[must_use]
    pub fn with_room(&self) -> Option<Arc<Record>> {
        self.directory().roomiest().map(Arc::clone)
    }

    /// Tells the others what is on air here, if that has changed.
    pub fn tell(&self, own: Own) {
        let Some(inner) = &self.0 else {
            return;
        };
        let is_new = {
            let mut said = inner.own();
            let is_new = !said.says_the_same(&own);
            *said = own;
            is_new
        };
        if is_new {
            inner.changed.notify_one();
        }
    }

    /// The number of this server in addresses of sessions; none: it is alone.
    #[must_use]
    pub fn slot(&self) -> Option<u8> {
        self.0.as_ref().map(|inner| inner.node.slot)
    }
}

impl Task {
    /// Waits until it has ended.
    pub async fn join(self) {
        if let Some(task) = self.0
            && let Err(error) = task.await
        {
            tracing::error!(%error, "What this server tells the others failed: {error}");
        }
    }
}

impl Inner {
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Uuid, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redis, while it is there.
    fn redis(&self) -> Option<MultiplexedConnection> {
        self.connection().clone()
    }

    fn connection(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the others read of this server.
    fn record(&self) -> Record {
        Record {
            id: self.node.id,
            slot: self.node.slot,
            url: self.url.clone(),
            own: self.own().clone(),
        }
    }

    /// Says what is here, renews what is held, reads what is elsewhere.
    async fn meet(&self, reading: &mut Reading) -> Result<(), RedisError> {
        let mut redis = match self.redis() {
            Some(redis) => redis,
            None => {
                let connected = self.bus.connect().await?;
                let redis = connected.ok_or((redis::ErrorKind::Io, "there is none"))?;
                *self.connection() = Some(redis.clone());
                redis
            }
        };
        let record = self.record();
        let is_news = reading.is_news(&record);
        directory::write(&mut redis, &self.bus, &record, LASTS_MS).await?;
        if is_news {
            self.bus.say(TOPIC, "", Lasting::Fleeting);
        }
        for lost in leases::renew(self, &mut redis).await? {
            // The task that hears it is gone only when the server stops.
            let _ = self.lost.send(lost);
        }
        let records = directory::read(&mut redis, &self.bus).await?;
        let others = records
            .into_iter()
            .filter(|record| record.id != self.node.id);
        self.publish(reading.take(others, self.clock.instant()));
        Ok(())
    }

    fn publish(&self, directory: Directory) {
        let shown = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        metrics::gauge!("tallylight_cluster_servers").set(shown(directory.servers.len()));
        metrics::gauge!("tallylight_cluster_leases").set(shown(self.leases().len()));
        self.directory.send_if_modified(|before| {
            let differs = **before != directory;
            if differs {
                *before = Arc::new(directory);
            }
            differs
        });
    }
}

async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    let mut ear = inner.bus.hear();
    inner.bus.follow(TOPIC).await;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reading = Reading::default();
    let mut was_there = true;
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = inner.changed.notified() => tokio::time::sleep(TOGETHER).await,
            heard = ear.next() => match heard {
                Heard::Said(said) if said.topic != TOPIC => continue,
                Heard::Said(_) | Heard::Back => {}
            },
            () = stop.cancelled() => break,
        }
        match inner.meet(&mut reading).await {
            Ok(()) => was_there = true,
            Err(error) => {
                *inner.connection() = None;
                // Nobody may look at it while it changes.
                let stale = inner.directory.borrow().gone_stale();
                inner.publish(stale);
                if std::mem::take(&mut was_there) {
                    tracing::warn!(
                        %error,
                        "Other servers cannot be seen while Redis is away: what is on air goes on, \
                         nobody new can go live ({error})"
                    );
                }
            }
        }
    }
    // What it says last is that it stops.
    if let Err(error) = inner.meet(&mut reading).await {
        tracing::debug!(%error, "Redis does not hear that this server stops");
    }
}
