//! [`Shared`]: previews as all servers count them, in Redis. While that is away or slow nobody waits for it, and
//! each server counts by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, RedisError, cmd};
use tokio::time::timeout;
use uuid::Uuid;

use super::{MOST_OF_NETWORK, Watcher};
use crate::bus::Bus;
use crate::channels::Channels;
use crate::clock::{Clock, from_millis};

/// The way to what servers count together.
#[derive(Debug)]
pub(super) struct Shared {
    bus: Bus,
    clock: Clock,
    /// Signs the names of watchers: an address is nobody's business who reads Redis.
    channels: Channels,
    redis: Mutex<Redis>,
}

#[derive(Debug, Default)]
struct Redis {
    connection: Option<MultiplexedConnection>,
    /// It did not answer a moment ago.
    not_before: Option<Instant>,
}

/// What all servers know of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// When it began.
    Since(Timestamp),
    /// There is none; who asked for one gets none, since their network has had its share.
    Not,
}

/// Redis answers within this time, or it is done without: somebody waits for a picture.
const WITHIN: Duration = Duration::from_millis(250);
/// And is asked again after this.
const PAUSE: Duration = Duration::from_secs(2);
/// A preview is not forgotten sooner.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Begins one, unless it has begun, or as many have in the network as may; gives when it began.
const BEGIN: &str = r"
local began = redis.call('GET', KEYS[1])
if began then return began end
if KEYS[2] then
  local begun = redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  if begun > tonumber(ARGV[3]) then return false end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
";

impl Shared {
    pub(super) fn new(bus: Bus, clock: Clock, channels: Channels) -> Self {
        Self {
            bus,
            clock,
            channels,
            redis: Mutex::default(),
        }
    }

    /// Begins a preview, unless it has begun; none: Redis does not say.
    pub(super) async fn begin(
        &self,
        place: Uuid,
        watcher: Watcher,
        now: Timestamp,
    ) -> Option<Known> {
        let mut keys = vec![self.key(place, &watcher.name())];
        if let Watcher::Browser(network, _) = watcher {
            keys.push(self.key(place, &network.to_string()));
        }
        let mut command = cmd("EVAL");
        command.arg(BEGIN).arg(keys.len()).arg(keys);
        command.arg(now.as_millisecond());
        command.arg(KEPT_FOR.as_millis().to_string());
        command.arg(MOST_OF_NETWORK);
        self.ask(async |redis| command.query_async(redis).await)
            .await
    }

    /// What is known of one; none: Redis does not say.
    pub(super) async fn find(&self, place: Uuid, watcher: Watcher) -> Option<Known> {
        let key = self.key(place, &watcher.name());
        self.ask(async |redis| redis.get(&key).await).await
    }

    fn key(&self, place: Uuid, name: &str) -> String {
        let signed = self.channels.sign(&format!("preview {place} {name}"));
        self.bus.key(&format!("preview:{signed}"))
    }

    async fn ask(
        &self,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<Option<i64>, RedisError>,
    ) -> Option<Known> {
        if !self.bus.is_shared() || !self.bus.is_there() || self.is_paused() {
            return None;
        }
        let answered = timeout(WITHIN, async {
            let mut redis = self.connection().await?;
            question(&mut redis).await
        });
        match answered.await {
            Ok(Ok(began)) => Some(began.map_or(Known::Not, |at| Known::Since(from_millis(at)))),
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer".to_owned(),
                };
                tracing::debug!("Previews are counted by this server alone just now: {why}");
                let mut redis = self.redis();
                redis.connection = None;
                redis.not_before = Some(self.clock.instant() + PAUSE);
                None
            }
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let known = self.redis().connection.clone();
        if let Some(connection) = known {
            return Ok(connection);
        }
        let connected = self.bus.connect().await?;
        let connected = connected.ok_or((redis::ErrorKind::Io, "there is none"))?;
        self.redis().connection = Some(connected.clone());
        Ok(connected)
    }

    fn is_paused(&self) -> bool {
        let not_before = self.redis().not_before;
        not_before.is_some_and(|at| self.clock.instant() < at)
    }

    fn redis(&self) -> MutexGuard<'_, Redis> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    fn name(self) -> String {
        match self {
            Self::Account(account) => format!("account {account}"),
            Self::Browser(network, agent) => format!("{network} {agent}"),
        }
    }
}
