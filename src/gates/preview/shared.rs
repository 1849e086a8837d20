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
    /// Held by the one that connects, for which the others wait.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Redis {
    connection: Option<Connection>,
    /// How many connections there were.
    connections: u64,
    /// It did not answer a moment ago.
    not_before: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Connection {
    number: u64,
    redis: MultiplexedConnection,
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
/// Previews of a place that begin within that time and are counted together; beyond, each server counts by
/// itself: strangers must not fill the Redis that servers live by.
const MOST_OF_PLACE: u32 = 20_000;
/// Begins one, unless it has begun, or as many have in the network as may; gives when it began. The first key
/// is the preview's, the second counts those of the place, the third, if any, those of the network. A place's
/// count lasts from its first preview, so that at no time there are more than twice the most. For whoever begins
/// none nothing is written.
const BEGIN: &str = r"
local began = redis.call('GET', KEYS[1])
if began then return began end
local function count(key) return tonumber(redis.call('GET', key) or 0) end
if KEYS[3] and count(KEYS[3]) >= tonumber(ARGV[3]) then return false end
if count(KEYS[2]) >= tonumber(ARGV[4]) then return tonumber(ARGV[5]) end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
if KEYS[3] then
  redis.call('INCR', KEYS[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
";
/// Instead of when it began: Redis holds as many of the place as it may.
const FULL: i64 = -1;

impl Shared {
    pub(super) fn new(bus: Bus, clock: Clock, channels: Channels) -> Self {
        Self {
            bus,
            clock,
            channels,
            redis: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Begins a preview, unless it has begun; none: Redis does not say, or holds as many of the place as it
    /// may.
    pub(super) async fn begin(
        &self,
        place: Uuid,
        watcher: Watcher,
        now: Timestamp,
    ) -> Option<Known> {
        // No watcher has the name of the place's count, which is empty.
        let mut keys = vec![self.key(place, &watcher.name()), self.key(place, "")];
        if let Watcher::Browser(network, _) = watcher {
            keys.push(self.key(place, &network.to_string()));
        }
        let mut command = cmd("EVAL");
        command.arg(BEGIN).arg(keys.len()).arg(keys);
        command.arg(now.as_millisecond());
        command.arg(KEPT_FOR.as_millis().to_string());
        command.arg(MOST_OF_NETWORK).arg(MOST_OF_PLACE).arg(FULL);
        let answer = self.ask(async |redis| command.query_async(redis).await);
        answer.await.filter(|known| *known != Known::at(FULL))
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
        let mut used = None;
        let answered = timeout(WITHIN, async {
            let Connection { number, mut redis } = self.connection().await?;
            used = Some(number);
            question(&mut redis).await
        });
        let answered = answered.await;
        match answered {
            Ok(Ok(began)) => Some(began.map_or(Known::Not, Known::at)),
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer".to_owned(),
                };
                tracing::debug!("Previews are counted by this server alone just now: {why}");
                self.give_up(used);
                None
            }
        }
    }

    /// The one connection, made if there is none: whoever asks meanwhile waits for it.
    async fn connection(&self) -> Result<Connection, RedisError> {
        let away = || RedisError::from((redis::ErrorKind::Io, "there is none"));
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        // Whoever was waited for had no answer.
        if self.is_paused() {
            return Err(away());
        }
        let connected = self.bus.connect().await;
        let connected = connected.inspect_err(|_| self.give_up(None))?;
        let mut redis = self.redis();
        redis.connections += 1;
        let connection = Connection {
            number: redis.connections,
            redis: connected.ok_or_else(away)?,
        };
        redis.connection = Some(connection.clone());
        Ok(connection)
    }

    fn known(&self) -> Option<Connection> {
        self.redis().connection.clone()
    }

    /// Leaves Redis alone for a while after a failure, which was that connection's; none: there was none yet.
    /// What fails late says nothing of the connection that came after.
    fn give_up(&self, used: Option<u64>) {
        let mut redis = self.redis();
        let now = redis.connection.as_ref().map(|now| now.number);
        if used.is_none() || used == now {
            redis.not_before = Some(self.clock.instant() + PAUSE);
        }
        if used == now {
            redis.connection = None;
        }
    }

    fn is_paused(&self) -> bool {
        let not_before = self.redis().not_before;
        not_before.is_some_and(|at| self.clock.instant() < at)
    }

    fn redis(&self) -> MutexGuard<'_, Redis> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn at(millis: i64) -> Self {
        Self::Since(from_millis(millis))
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
