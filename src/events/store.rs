//! All SQL about events.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Audience, Content, Event, Kind};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    kind: String,
    channel_id: String,
    audience: String,
    payload: String,
}

impl Row {
    fn into_event(self) -> Result<Event, StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "event",
            key: self.seq.to_string(),
            expected,
            found: found.to_owned(),
        };
        let content: Content = serde_json::from_str(&self.payload)
            .map_err(|_| corrupt("the content of an event", &self.payload))?;
        Ok(Event {
            seq: self.seq,
            at: from_millis(self.at),
            kind: Kind::parse(&self.kind).ok_or_else(|| corrupt("a kind", &self.kind))?,
            channel: Uuid::parse_str(&self.channel_id)
                .map(ChannelId)
                .map_err(|_| corrupt("a UUID", &self.channel_id))?,
            audience: Audience::parse(&self.audience)
                .ok_or_else(|| corrupt("an audience", &self.audience))?,
            content,
        })
    }
}

/// Where the table stands.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Counter {
    /// The newest number.
    pub(super) seq: i64,
    /// Up to here there are none any more.
    pub(super) swept: i64,
    /// Up to here others know of them.
    pub(super) passed_on: i64,
}

/// The next number. Whoever comes later waits for the commit.
pub(super) async fn next_seq(tx: &mut Tx) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "UPDATE event_counter SET seq = seq + 1 WHERE id = 1 RETURNING seq",
    )
    .map_err(on("event_counter"))?;
    row.map(|row| row.0).ok_or(StoreError::Corrupt {
        table: "event_counter",
        key: "1".to_owned(),
        expected: "one row",
        found: "none".to_owned(),
    })
}

pub(super) async fn insert(tx: &mut Tx, event: &Event, payload: &str) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO event (seq, at, kind, channel_id, stream_id, audience, payload)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        event.seq,
        event.at.as_millisecond(),
        event.kind.as_str(),
        event.channel.to_string(),
        event
            .content
            .stream
            .as_ref()
            .map(|stream| stream.id.to_string()),
        event.audience.as_str(),
        payload,
    )
    .map_err(on("event"))?;
    Ok(())
}

pub(super) async fn counter(db: &Db) -> Result<Counter, StoreError> {
    let row: Option<Counter> = first!(
        db,
        "SELECT seq, swept, passed_on FROM event_counter WHERE id = 1",
    )
    .map_err(on("event_counter"))?;
    row.ok_or(StoreError::Corrupt {
        table: "event_counter",
        key: "1".to_owned(),
        expected: "one row",
        found: "none".to_owned(),
    })
}

/// Events behind a number, in order; of one channel where one is given.
pub(super) async fn after(
    db: &Db,
    seq: i64,
    channel: Option<ChannelId>,
    most: i64,
) -> Result<Vec<Event>, StoreError> {
    let channel = channel.map(|channel| channel.to_string());
    let rows: Vec<Row> = all!(
        db,
        "SELECT seq, at, kind, channel_id, audience, payload FROM event
         WHERE seq > $1 AND ($2 = '' OR channel_id = $2) ORDER BY seq LIMIT $3",
        seq,
        channel.as_deref().unwrap_or_default(),
        most,
    )
    .map_err(on("event"))?;
    rows.into_iter().map(Row::into_event).collect()
}

pub(super) async fn set_passed_on(db: &Db, seq: i64) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE event_counter SET passed_on = $1 WHERE id = 1",
        seq,
    )
    .map_err(on("event_counter"))?;
    Ok(())
}

/// Deletes what is older than that, and keeps in mind how far.
pub(super) async fn sweep(db: &Db, before: Timestamp) -> Result<(), StoreError> {
    let before = before.as_millisecond();
    let mut tx = db.begin().await?;
    tx_change!(
        &mut tx,
        "UPDATE event_counter SET swept = COALESCE(
             (SELECT MAX(event.seq) FROM event WHERE event.at < $1), swept)
         WHERE id = 1",
        before,
    )
    .map_err(on("event_counter"))?;
    tx_change!(&mut tx, "DELETE FROM event WHERE at < $1", before).map_err(on("event"))?;
    tx.commit().await
}
