//! [`Bus`]: what servers that share a database tell one another, by Redis.
//!
//! A server that is alone has a bus that says nothing and hears nothing: what happens in it reaches its
//! own parts by calls and events, as it does with a bus. While Redis is away, what must arrive waits
//! within bounds, and [`Heard::Back`] tells when others may have been missed.

mod hearing;
mod sending;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, RedisError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config;
use crate::secret::random_bytes;
use crate::tls;

/// The way to other servers: cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Bus(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    client: Client,
    prefix: String,
    /// This process.
    me: Uuid,
    next: AtomicU64,
    queue: mpsc::Sender<Saying>,
    heard: broadcast::Sender<Heard>,
    topics: Mutex<HashSet<String>>,
    asks: mpsc::UnboundedSender<Ask>,
    /// While there is one.
    connection: Mutex<Option<MultiplexedConnection>>,
    sends: AtomicBool,
    hears: AtomicBool,
    /// Something that must arrive did not, for too much waited.
    has_lost: AtomicBool,
    /// Redis refused something the last time.
    is_refused: AtomicBool,
}

/// What a server said, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub topic: String,
    /// A process: it has another name after a restart.
    pub by: Uuid,
    /// Rises with all that the process says.
    pub number: u64,
    /// The words.
    pub words: String,
}

/// What is heard of others.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Another server said something.
    Said(Arc<Said>),
    /// Redis is there, or there again: whatever others said before was missed.
    Back,
}

/// Hears what others say.
#[derive(Debug)]
pub struct Ear(Option<broadcast::Receiver<Heard>>);

impl Ear {
    /// What is heard next. Who is too slow has missed some, as after an outage. On a server that is
    /// alone this never ends, nor does it when the server stops.
    pub async fn next(&mut self) -> Heard {
        match &mut self.0 {
            Some(receiver) => match receiver.recv().await {
                Ok(heard) => heard,
                Err(RecvError::Lagged(_)) => Heard::Back,
                Err(RecvError::Closed) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

/// What becomes of words that cannot be said now, or are missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// They are worth nothing a moment later.
    Fleeting,
    /// They wait until they can be said.
    Sure,
    /// And can be recalled later, while they are among the last thousand of their topic.
    Kept,
}

#[derive(Debug)]
struct Saying {
    topic: String,
    wire: String,
    lasting: Lasting,
}

#[derive(Debug)]
enum Ask {
    Follow(String, oneshot::Sender<()>),
    Leave(String),
}

/// What runs beside the requests. It ends with the token that [`Bus::start`] was given, after what waits
/// has been said.
#[derive(Debug)]
pub struct Tasks(Vec<JoinHandle<()>>);

/// Words that wait to be said.
const MOST_WAITING: usize = 10_000;
/// Words that a reader may be behind; whoever is farther behind has missed some, as after an outage.
const MOST_HEARD: usize = 8_192;
/// Words of a topic that can be recalled.
const MOST_KEPT: usize = 1_000;
/// And for how long, in seconds, after the last.
const KEPT_FOR: i64 = 24 * 3_600;
/// Redis answers within this time, or it is away.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// It is tried again after this time, which doubles up to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// All servers follow it: words said there are control words of the bus itself.
const ALL: &str = "all";

impl Bus {
    /// The bus of a server that is alone.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Starts to speak and listen, if there is somebody. Redis need not be there yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn start(
        config: &config::Bus,
        stop: &CancellationToken,
    ) -> Result<(Self, Tasks), RedisError> {
        if !config.is_shared() {
            return Ok((Self::alone(), Tasks(Vec::new())));
        }
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let (asks, asked) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            client: client(config)?,
            prefix: config.prefix.clone(),
            me: uuid::Builder::from_random_bytes(random_bytes()).into_uuid(),
            next: AtomicU64::new(1),
            queue,
            heard: broadcast::Sender::new(MOST_HEARD),
            topics: Mutex::default(),
            asks,
            connection: Mutex::default(),
            sends: AtomicBool::new(false),
            hears: AtomicBool::new(false),
            // What the process before this one could not say any more.
            has_lost: AtomicBool::new(true),
            is_refused: AtomicBool::new(false),
        });
        let sending = sending::run(Arc::clone(&inner), waiting, stop.clone());
        let hearing = hearing::run(Arc::clone(&inner), asked, stop.clone());
        let tasks = Tasks(vec![tokio::spawn(sending), tokio::spawn(hearing)]);
        Ok((Self(Some(inner)), tasks))
    }

    /// Whether there may be other servers.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Whether others can be spoken to and heard now. A server that is alone misses nobody.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let works = |inner: &Arc<Inner>| {
            inner.sends.load(Ordering::Acquire) && inner.hears.load(Ordering::Acquire)
        };
        self.0.as_ref().is_none_or(works)
    }

    /// Says something to all who follow the topic on other servers. Never waits.
    pub fn say(&self, topic: &str, words: &str, lasting: Lasting) {
        let Some(inner) = &self.0 else {
            return;
        };
        if lasting == Lasting::Fleeting && !inner.sends.load(Ordering::Acquire) {
            return;
        }
        let number = inner.next.fetch_add(1, Ordering::Relaxed);
        let saying = Saying {
            topic: topic.to_owned(),
            wire: format!("{} {number}\n{words}", inner.me.simple()),
            lasting,
        };
        if inner.queue.try_send(saying).is_err() && lasting != Lasting::Fleeting {
            inner.has_lost.store(true, Ordering::Release);
            metrics::counter!("tallylight_bus_lost_total").increment(1);
        }
    }

    /// A connection to Redis, for what is kept there under [`Self::key`]; none on a server that is alone.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn connect(&self) -> Result<Option<MultiplexedConnection>, RedisError> {
        let Some(inner) = &self.0 else {
            return Ok(None);
        };
        let config = Inner::config();
        let connected = inner
            .client
            .get_multiplexed_async_connection_with_config(&config);
        connected.await.map(Some)
    }

    /// The name under which something is kept in Redis.
    pub(crate) fn key(&self, what: &str) -> String {
        let prefix = self.0.as_ref().map_or("", |inner| inner.prefix.as_str());
        format!("{prefix}:{what}")
    }

    /// What others say about topics that are followed, from now on.
    #[must_use]
    pub fn hear(&self) -> Ear {
        Ear(self.0.as_ref().map(|inner| inner.heard.subscribe()))
    }

    /// Follows a topic. While Redis is there, nothing is missed that is said after this has returned.
    pub async fn follow(&self, topic: &str) {
        let Some(inner) = &self.0 else {
            return;
        };
        inner.topics().insert(topic.to_owned());
        let (done, wait) = oneshot::channel();
        let asked = inner.asks.send(Ask::Follow(topic.to_owned(), done)).is_ok();
        // While Redis is away nobody is kept waiting: it is followed as soon as that is there.
        if asked && inner.hears.load(Ordering::Acquire) {
            let _ = timeout(ANSWER_WITHIN, wait).await;
        }
    }

    /// Follows a topic no longer.
    pub fn leave(&self, topic: &str) {
        if let Some(inner) = &self.0 {
            inner.topics().remove(topic);
            // The task is gone only when the server stops.
            let _ = inner.asks.send(Ask::Leave(topic.to_owned()));
        }
    }

    /// What was said of a topic by other servers within that time, and kept, oldest first; nothing while
    /// Redis is away.
    pub async fn recall(&self, topic: &str, within: Duration) -> Vec<Said> {
        let Some(inner) = &self.0 else {
            return Vec::new();
        };
        let connection = inner.connection().clone();
        let Some(mut connection) = connection else {
            return Vec::new();
        };
        let name = inner.kept_name(topic);
        let (seconds, _): (u64, u64) = match redis::cmd("TIME").query_async(&mut connection).await {
            Ok(now) => now,
            Err(error) => {
                tracing::debug!(%error, "What was said cannot be recalled: {error}");
                return Vec::new();
            }
        };
        let since = seconds.saturating_sub(within.as_secs()) * 1_000;
        let found = connection
            .xrevrange_count(name, "+", since, MOST_KEPT)
            .await;
        let found: StreamRangeReply = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "What was said cannot be recalled: {error}");
                return Vec::new();
            }
        };
        let said = found.ids.iter().rev().filter_map(|entry| {
            let wire: String = entry.get(WIRE)?;
            inner.read(topic, &wire)
        });
        said.collect()
    }
}

fn client(config: &config::Bus) -> Result<Client, RedisError> {
    tls::choose_provider();
    Client::open(config.url.as_str())
}

/// Which Redis is there.
///
/// # Errors
/// When it does not answer.
pub async fn version(config: &config::Bus) -> Result<String, RedisError> {
    let client = client(config)?;
    let config = Inner::config();
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await?;
    let found = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    Ok(found.unwrap_or("of an unknown version").trim().to_owned())
}

/// Whether we have all that we need of a Redis of that version.
#[must_use]
pub fn is_known(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let (major, minor): (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (6, 2)
}

/// The one field of what is kept.
const WIRE: &str = "said";

impl Inner {
    fn topics(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Option<MultiplexedConnection>> {
        (self.connection.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a topic for publish and subscribe.
    fn name(&self, topic: &str) -> String {
        format!("{}:{topic}", self.prefix)
    }

    /// The name of what is kept of it.
    fn kept_name(&self, topic: &str) -> String {
        format!("{}:kept:{topic}", self.prefix)
    }

    /// What another server said; what we said ourselves is none.
    fn read(&self, topic: &str, wire: &str) -> Option<Said> {
        let (head, words) = wire.split_once('\n')?;
        let (by, number) = head.split_once(' ')?;
        let by = Uuid::parse_str(by).ok()?;
        let number = number.parse().ok()?;
        (by != self.me).then(|| Said {
            topic: topic.to_owned(),
            by,
            number,
            words: words.to_owned(),
        })
    }

    fn is_lost(&self) -> bool {
        self.has_lost.swap(false, Ordering::AcqRel)
    }

    fn config() -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
    }
}

impl Tasks {
    /// Waits until all have ended.
    pub async fn join(self) {
        for task in self.0 {
            if let Err(error) = task.await {
                tracing::error!(%error, "A task of the bus failed: {error}");
            }
        }
    }
}

/// Which words were heard already: the same can come twice, told and recalled.
#[derive(Debug, Default)]
pub struct Memory {
    known: HashSet<(Uuid, u64)>,
    order: VecDeque<(Uuid, u64)>,
}

/// More than can be recalled, and than come in while that is done.
const MOST_REMEMBERED: usize = 4 * MOST_KEPT;

impl Memory {
    /// Whether these words are new.
    pub fn is_new(&mut self, said: &Said) -> bool {
        let key = (said.by, said.number);
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(number: u64) -> Said {
        Said {
            topic: "t".to_owned(),
            by: Uuid::nil(),
            number,
            words: String::new(),
        }
    }

    #[test]
    fn words_are_new_once_and_memory_is_bounded() {
        let mut memory = Memory::default();
        assert!(memory.is_new(&said(1)) && !memory.is_new(&said(1)));
        for number in 2..10_000 {
            assert!(memory.is_new(&said(number)));
        }
        assert!(memory.known.len() <= MOST_REMEMBERED && memory.order.len() <= MOST_REMEMBERED);
        assert!(!memory.is_new(&said(9_999)));
    }

    #[tokio::test]
    async fn a_server_alone_says_and_hears_nothing() {
        let bus = Bus::alone();
        bus.say("t", "hello", Lasting::Kept);
        bus.follow("t").await;
        assert!(
            !bus.is_shared() && bus.is_there() && bus.recall("t", FIRST_PAUSE).await.is_empty()
        );
        bus.leave("t");
    }
}
