//! [`Directory`]: the other servers, as they are read from Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, Pipeline, RedisError};
use uuid::Uuid;

use super::record::{OnAir, Record};
use crate::bus::Bus;

/// The other servers that run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// By number.
    pub servers: Vec<Arc<Record>>,
    /// Whether Redis told so just now; else it is what was known before it went away.
    pub is_fresh: bool,
}

/// A record that is missing may be written again at once, as after Redis was emptied.
const MISSING: Duration = Duration::from_millis(2_500);

impl Directory {
    /// Who has a channel on air, or had a moment ago: of several, whoever has the newest lease.
    #[must_use]
    pub fn origin_of(&self, channel: Uuid) -> Option<(&Arc<Record>, &OnAir)> {
        let all = self.servers.iter().flat_map(|server| {
            let on_air = server.own.on_air.iter();
            on_air.map(move |on_air| (server, on_air))
        });
        all.filter(|(_, on_air)| on_air.channel == channel)
            .max_by_key(|(_, on_air)| on_air.fence)
    }

    /// The server of that number.
    #[must_use]
    pub fn by_slot(&self, slot: u8) -> Option<&Arc<Record>> {
        self.servers.iter().find(|server| server.slot == slot)
    }

    /// The one with the most room for viewers, if any has some.
    #[must_use]
    pub fn roomiest(&self) -> Option<&Arc<Record>> {
        let room =
            |server: &&Arc<Record>| server.own.most_viewers.saturating_sub(server.own.viewers);
        let takes = |server: &&Arc<Record>| !server.own.is_draining && room(server) > 0;
        self.servers.iter().filter(takes).max_by_key(room)
    }

    /// How many watch a stream at other servers.
    #[must_use]
    pub fn viewers_of(&self, stream: Uuid) -> u32 {
        let all = self.servers.iter().flat_map(|server| {
            let on_air = server.own.on_air.iter();
            let there = on_air.map(|on_air| (on_air.stream, on_air.viewers));
            there.chain(server.own.watched.iter().copied())
        });
        let of_stream = all.filter(|(id, _)| *id == stream);
        of_stream.fold(0, |sum, (_, viewers)| sum.saturating_add(viewers))
    }

    /// The same, not heard of anew.
    pub(super) fn gone_stale(&self) -> Self {
        Self {
            is_fresh: false,
            ..self.clone()
        }
    }
}

/// What was read before.
#[derive(Debug, Default)]
pub(super) struct Reading {
    said: Option<Record>,
    seen: HashMap<Uuid, (Arc<Record>, Instant)>,
}

impl Reading {
    /// Whether the others are to hear at once of what this server says.
    pub(super) fn is_news(&mut self, record: &Record) -> bool {
        let before = self.said.as_ref();
        let is_news = before.is_none_or(|before| !before.own.says_the_same(&record.own));
        self.said = Some(record.clone());
        is_news
    }

    /// Takes in what was read just now.
    pub(super) fn take(
        &mut self,
        records: impl Iterator<Item = Record>,
        now: Instant,
    ) -> Directory {
        for record in records {
            self.seen.insert(record.id, (Arc::new(record), now));
        }
        self.seen
            .retain(|_, (_, at)| now.saturating_duration_since(*at) < MISSING);
        let mut servers: Vec<Arc<Record>> = self
            .seen
            .values()
            .map(|(record, _)| Arc::clone(record))
            .collect();
        servers.sort_by_key(|server| server.slot);
        Directory {
            servers,
            is_fresh: true,
        }
    }
}

fn all(bus: &Bus) -> String {
    bus.key("servers")
}

fn one(bus: &Bus, id: &str) -> String {
    bus.key(&format!("server:{id}"))
}

pub(super) async fn write(
    redis: &mut MultiplexedConnection,
    bus: &Bus,
    record: &Record,
    lasts_ms: u64,
) -> Result<(), RedisError> {
    let id = record.id.to_string();
    let text = serde_json::to_string(record).unwrap_or_default();
    let mut pipe = Pipeline::new();
    pipe.pset_ex(one(bus, &id), text, lasts_ms).ignore();
    pipe.sadd(all(bus), id).ignore();
    pipe.query_async(redis).await
}

/// Those that run. Names of those that do not any more are forgotten.
pub(super) async fn read(
    redis: &mut MultiplexedConnection,
    bus: &Bus,
) -> Result<Vec<Record>, RedisError> {
    let ids: Vec<String> = redis.smembers(all(bus)).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = ids.iter().map(|id| one(bus, id)).collect();
    let texts: Vec<Option<String>> = redis.mget(keys).await?;
    let mut records = Vec::new();
    for (id, text) in ids.into_iter().zip(texts) {
        match text.map(|text| serde_json::from_str(&text)) {
            Some(Ok(record)) => records.push(record),
            Some(Err(error)) => {
                tracing::debug!(%error, "A server says of itself what this one does not understand");
            }
            None => redis.srem(all(bus), id).await?,
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::super::record::{Own, Standing};
    use super::*;

    fn server(slot: u8, fence: u64) -> Record {
        Record {
            id: Uuid::from_u128(slot.into()),
            slot,
            url: format!("http://10.0.0.{slot}"),
            own: Own {
                most_viewers: 100,
                viewers: u32::from(slot) * 10,
                on_air: vec![OnAir {
                    channel: Uuid::nil(),
                    stream: Uuid::from_u128(7),
                    fence,
                    standing: Standing::Live,
                    viewers: 0,
                    size: None,
                }],
                ..Own::default()
            },
        }
    }

    #[test]
    fn the_newest_lease_is_right_and_who_is_missing_for_long_does_not_run() {
        let mut reading = Reading::default();
        let clock = crate::clock::Clock::movable();
        let at = clock.instant();
        let both = reading.take([server(1, 5), server(2, 6)].into_iter(), at);
        let (origin, on_air) = both.origin_of(Uuid::nil()).unwrap();
        assert_eq!((origin.slot, on_air.fence), (2, 6));
        assert_eq!(both.roomiest().map(|server| server.slot), Some(1));
        let emptied = reading.take([].into_iter(), at + Duration::from_secs(1));
        assert_eq!(emptied, both, "it may be back in a moment");
        let back = reading.take([server(1, 5)].into_iter(), at + Duration::from_secs(3));
        assert_eq!(back.origin_of(Uuid::nil()).unwrap().0.slot, 1);
        assert!(back.by_slot(2).is_none());
    }

    #[test]
    fn how_many_watch_is_no_news_and_how_a_stream_stands_is() {
        let mut reading = Reading::default();
        let mut record = server(1, 5);
        assert!(reading.is_news(&record) && !reading.is_news(&record));
        record.own.viewers += 1;
        assert!(!reading.is_news(&record));
        record.own.on_air[0].standing = Standing::Ended;
        assert!(reading.is_news(&record));
    }
}
