//! All SQL about streams.

mod on_air;

use jiff::{SignedDuration, Timestamp};
use sfu::StreamId;
use uuid::Uuid;

use super::super::IngestSource;
use super::{
    ChatMode, Details, Latency, Schedule, Stream, StreamSettings, StreamState, StreamVisibility,
    stream_uuid, taking,
};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::gates::Lock;
use crate::page::Cursor;
use crate::payments::Gate;

pub(super) use on_air::{
    end_left, left_by_others, live_elsewhere, on_air_elsewhere, revisions_on_air, see_on_air,
};
pub(in super::super) use on_air::{
    end_left_open, end_stream, is_seen_on_air, left_on_air, media_of, open_elsewhere, take_over,
    write_start,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    channel_id: String,
    source: String,
    started_at: i64,
    ended_at: Option<i64>,
    state: String,
    title: String,
    description: String,
    category: Option<String>,
    tags: String,
    language: Option<String>,
    thumbnail_id: Option<String>,
    visibility: Option<String>,
    publish_at_button: bool,
    published_at: Option<i64>,
    scheduled_at: Option<i64>,
    time_zone: Option<String>,
    preparing_until: Option<i64>,
    record: Option<bool>,
    max_layers: Option<i64>,
    max_bitrate_kbps: Option<i64>,
    latency: String,
    chat: String,
    revision: i64,
    changed_at: Option<i64>,
    gate: Option<String>,
    gate_tier: i64,
    gate_password_hash: Option<String>,
    preview_s: i64,
}

/// A query for whole rows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, channel_id, source, started_at, ended_at, state, title, description, ",
            "category, tags, language, thumbnail_id, visibility, publish_at_button, published_at, ",
            "scheduled_at, time_zone, preparing_until, record, max_layers, max_bitrate_kbps, ",
            "latency, chat, revision, changed_at, gate, gate_tier, gate_password_hash, ",
            "preview_s FROM stream ",
            $rest
        )
    };
}
use select;

impl Row {
    fn into_stream(self) -> Result<Stream, StoreError> {
        let wrong = |expected, found: &str| StoreError::Corrupt {
            table: "stream",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        let uuid = |text: &str| Uuid::parse_str(text).map_err(|_| wrong("a UUID", text));
        let visibility = |text: &String| {
            StreamVisibility::parse(text).ok_or_else(|| wrong("a visibility", text))
        };
        let source = match self.source.as_str() {
            NO_SOURCE => None,
            source => Some(IngestSource::parse(source).ok_or_else(|| wrong("a source", source))?),
        };
        let schedule = self.scheduled_at.map(|at| Schedule {
            at: from_millis(at),
            time_zone: self.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        });
        Ok(Stream {
            id: StreamId::from(uuid(&self.id)?.as_u128()),
            channel: ChannelId(uuid(&self.channel_id)?),
            state: StreamState::parse(&self.state).ok_or_else(|| wrong("a state", &self.state))?,
            settings: StreamSettings {
                record: self.record,
                max_layers: self.max_layers.and_then(|most| u8::try_from(most).ok()),
                max_bitrate_kbps: self
                    .max_bitrate_kbps
                    .and_then(|most| u32::try_from(most).ok()),
                latency: Latency::parse(&self.latency)
                    .ok_or_else(|| wrong("a latency", &self.latency))?,
                chat: ChatMode::parse(&self.chat)
                    .ok_or_else(|| wrong("a mode of the chat", &self.chat))?,
            },
            details: Details {
                visibility: self.visibility.as_ref().map(visibility).transpose()?,
                title: self.title,
                description: self.description,
                category: self.category,
                tags: self.tags.lines().map(str::to_owned).collect(),
                language: self.language,
                thumbnail: self.thumbnail_id,
                lock: Lock {
                    gate: Gate::read(self.gate.as_deref(), self.gate_tier),
                    password_hash: self.gate_password_hash,
                    preview_s: u32::try_from(self.preview_s).unwrap_or_default(),
                },
            },
            schedule,
            publish_at_button: self.publish_at_button,
            published_at: self.published_at.map(from_millis),
            preparing_until: self.preparing_until.map(from_millis),
            source,
            placed_at: from_millis(self.started_at),
            ended_at: self.ended_at.map(from_millis),
            revision: u32::try_from(self.revision).unwrap_or_default(),
            changed_at: from_millis(self.changed_at.unwrap_or(self.started_at)),
        })
    }
}

/// Stands in the column of one that was never on air.
const NO_SOURCE: &str = "none";

fn text(stream: StreamId) -> String {
    stream_uuid(stream).to_string()
}

fn streams(rows: Vec<Row>) -> Result<Vec<Stream>, StoreError> {
    rows.into_iter().map(Row::into_stream).collect()
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millisecond)
}

/// A new row.
pub(super) async fn insert(tx: &mut Tx, stream: &Stream) -> Result<(), StoreError> {
    let (details, settings) = (&stream.details, &stream.settings);
    tx_change!(
        tx,
        "INSERT INTO stream (id, channel_id, source, started_at, ended_at, state, title,
             description, category, tags, language, thumbnail_id, visibility, publish_at_button,
             published_at, scheduled_at, time_zone, preparing_until, record, max_layers,
             max_bitrate_kbps, latency, chat, revision, changed_at,
             gate, gate_tier, gate_password_hash, preview_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)",
        text(stream.id),
        stream.channel.to_string(),
        stream.source.map_or(NO_SOURCE, IngestSource::as_str),
        stream.placed_at.as_millisecond(),
        millis(stream.ended_at),
        stream.state.as_str(),
        &details.title,
        &details.description,
        details.category.as_deref(),
        details.tags.join("\n"),
        details.language.as_deref(),
        details.thumbnail.as_deref(),
        details.visibility.map(StreamVisibility::as_str),
        stream.publish_at_button,
        millis(stream.published_at),
        stream
            .schedule
            .as_ref()
            .map(|plan| plan.at.as_millisecond()),
        stream.schedule.as_ref().map(|plan| plan.time_zone.as_str()),
        millis(stream.preparing_until),
        settings.record,
        settings.max_layers.map(i64::from),
        settings.max_bitrate_kbps.map(i64::from),
        settings.latency.as_str(),
        settings.chat.as_str(),
        i64::from(stream.revision),
        stream.changed_at.as_millisecond(),
        details.lock.gate.as_str(),
        i64::from(details.lock.gate.tier()),
        details.lock.password_hash.as_deref(),
        i64::from(details.lock.preview_s),
    )
    .map_err(on("stream"))?;
    Ok(())
}

/// Writes all of a stream anew. False: the row is not as it was before any more.
pub(super) async fn replace(db: &Db, before: &Stream, stream: &Stream) -> Result<bool, StoreError> {
    let (details, settings) = (&stream.details, &stream.settings);
    let changed = change!(
        db,
        "UPDATE stream SET source = $2, started_at = $3, ended_at = $4, state = $5, title = $6,
             description = $7, category = $8, tags = $9, language = $10, thumbnail_id = $11,
             visibility = $12, publish_at_button = $13, published_at = $14, scheduled_at = $15,
             time_zone = $16, preparing_until = $17, record = $18, max_layers = $19,
             max_bitrate_kbps = $20, latency = $21, chat = $22, revision = $23, changed_at = $24,
             gate = $25, gate_tier = $26, gate_password_hash = $27, preview_s = $28
         WHERE id = $1 AND state = $29 AND revision = $30",
        text(stream.id),
        stream.source.map_or(NO_SOURCE, IngestSource::as_str),
        stream.placed_at.as_millisecond(),
        millis(stream.ended_at),
        stream.state.as_str(),
        &details.title,
        &details.description,
        details.category.as_deref(),
        details.tags.join("\n"),
        details.language.as_deref(),
        details.thumbnail.as_deref(),
        details.visibility.map(StreamVisibility::as_str),
        stream.publish_at_button,
        millis(stream.published_at),
        stream
            .schedule
            .as_ref()
            .map(|plan| plan.at.as_millisecond()),
        stream.schedule.as_ref().map(|plan| plan.time_zone.as_str()),
        millis(stream.preparing_until),
        settings.record,
        settings.max_layers.map(i64::from),
        settings.max_bitrate_kbps.map(i64::from),
        settings.latency.as_str(),
        settings.chat.as_str(),
        i64::from(stream.revision),
        stream.changed_at.as_millisecond(),
        details.lock.gate.as_str(),
        i64::from(details.lock.gate.tier()),
        details.lock.password_hash.as_deref(),
        i64::from(details.lock.preview_s),
        before.state.as_str(),
        i64::from(before.revision),
    )
    .map_err(on("stream"))?;
    Ok(changed == 1)
}

pub(in super::super) async fn by_id(db: &Db, id: StreamId) -> Result<Option<Stream>, StoreError> {
    let row: Option<Row> = first!(db, select!("WHERE id = $1"), text(id)).map_err(on("stream"))?;
    row.map(Row::into_stream).transpose()
}

/// How many streams a channel has ahead of it.
pub(super) async fn count_planned(tx: &mut Tx, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM stream
         WHERE channel_id = $1 AND state IN ('scheduled', 'preparing')",
        channel.to_string(),
    )
    .map_err(on("stream"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// What stands before the recording of a stream, where that is not what stood before the stream; and its id.
pub(in super::super) async fn lock_of_recording(
    db: &Db,
    stream: StreamId,
    preview_s: u32,
) -> Result<Option<(Uuid, Lock)>, StoreError> {
    let row: Option<(String, String, i64, Option<String>)> = first!(
        db,
        "SELECT id, gate, gate_tier, gate_password_hash FROM recording
         WHERE stream_id = $1 AND gate IS NOT NULL AND deleted_at IS NULL",
        text(stream),
    )
    .map_err(on("recording"))?;
    Ok(row.and_then(|(id, gate, tier, password_hash)| {
        let lock = Lock {
            gate: Gate::read(Some(&gate), tier),
            password_hash,
            preview_s,
        };
        Some((Uuid::parse_str(&id).ok()?, lock))
    }))
}

/// When the channel's last stream ended.
pub(in super::super) async fn last_end(
    db: &Db,
    channel: ChannelId,
) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(Option<i64>,)> = first!(
        db,
        "SELECT ended_at FROM stream
         WHERE channel_id = $1 AND state IN ('live', 'ended') AND source <> 'none'
         ORDER BY started_at DESC LIMIT 1",
        channel.to_string(),
    )
    .map_err(on("stream"))?;
    Ok(row.and_then(|row| row.0).map(from_millis))
}

/// The channel's last stream that was on air.
pub(super) async fn last_of(db: &Db, channel: ChannelId) -> Result<Option<Stream>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!(
            "WHERE channel_id = $1 AND state IN ('live', 'ended') AND source <> 'none'
             ORDER BY started_at DESC, id DESC LIMIT 1"
        ),
        channel.to_string(),
    )
    .map_err(on("stream"))?;
    row.map(Row::into_stream).transpose()
}

/// The stream that a publisher who comes now takes.
pub(super) async fn awaited(
    db: &Db,
    channel: ChannelId,
    now: Timestamp,
) -> Result<Option<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE channel_id = $1 AND (state = 'preparing'
                 OR state = 'scheduled' AND scheduled_at BETWEEN $2 AND $3)"
        ),
        channel.to_string(),
        later(now, -taking::LATE).as_millisecond(),
        later(now, taking::EARLY).as_millisecond(),
    )
    .map_err(on("stream"))?;
    Ok(taking::choose(streams(rows)?, now))
}

/// Streams that nobody came to in time.
pub(super) async fn not_come_to(db: &Db, now: Timestamp) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE state = 'preparing' AND preparing_until < $1
                 OR state = 'scheduled' AND scheduled_at < $2
             LIMIT 100"
        ),
        now.as_millisecond(),
        later(now, -taking::LATE).as_millisecond(),
    )
    .map_err(on("stream"))?;
    streams(rows)
}

/// Which streams a list is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) channel: Option<ChannelId>,
    pub(super) state: Option<StreamState>,
    /// Else only what everybody is told of.
    pub(super) unlisted_too: bool,
}

/// Streams behind the cursor, the furthest ahead first.
pub(super) async fn page(
    db: &Db,
    wanted: Wanted,
    cursor: &Cursor,
    most: usize,
) -> Result<Vec<Stream>, StoreError> {
    // Two texts, so that each has an index of its own.
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let state = wanted.state.map(StreamState::as_str);
    let rows: Result<Vec<Row>, _> = match wanted.channel {
        Some(channel) => all!(
            db,
            select!(
                "WHERE (started_at < $1 OR started_at = $1 AND id < $2)
                     AND (CAST($3 AS TEXT) IS NULL OR state = $3)
                     AND ($4 OR (visibility IS NULL OR visibility = 'public')
                         AND (NOT publish_at_button OR published_at IS NOT NULL
                             OR state NOT IN ('live', 'ended'))
                         AND (source <> 'none' OR state IN ('scheduled', 'cancelled')))
                     AND channel_id = $6
                 ORDER BY started_at DESC, id DESC LIMIT $5"
            ),
            cursor.at_ms(),
            cursor.id(),
            state,
            wanted.unlisted_too,
            most,
            channel.to_string(),
        ),
        None => all!(
            db,
            select!(
                "WHERE (started_at < $1 OR started_at = $1 AND id < $2)
                     AND (CAST($3 AS TEXT) IS NULL OR state = $3)
                     AND ($4 OR (visibility IS NULL OR visibility = 'public')
                         AND (NOT publish_at_button OR published_at IS NOT NULL
                             OR state NOT IN ('live', 'ended'))
                         AND (source <> 'none' OR state IN ('scheduled', 'cancelled')))
                     AND EXISTS (SELECT 1 FROM channel
                         WHERE channel.id = stream.channel_id AND channel.visibility = 'public')
                 ORDER BY started_at DESC, id DESC LIMIT $5"
            ),
            cursor.at_ms(),
            cursor.id(),
            state,
            wanted.unlisted_too,
            most,
        ),
    };
    streams(rows.map_err(on("stream"))?)
}

/// What is ahead on a channel, the next first: with those that were cancelled and whose time has not
/// come yet.
pub(super) async fn ahead(
    db: &Db,
    channel: ChannelId,
    now: Timestamp,
) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE channel_id = $1 AND (scheduled_at >= $2 AND state IN ('scheduled', 'preparing')
                 OR scheduled_at >= $3 AND state = 'cancelled')
             ORDER BY scheduled_at, id LIMIT 200"
        ),
        channel.to_string(),
        later(now, -taking::LATE).as_millisecond(),
        now.as_millisecond(),
    )
    .map_err(on("stream"))?;
    streams(rows)
}

/// All that was ever planned on a channel, the newest of it.
pub(super) async fn calendar(db: &Db, channel: ChannelId) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE channel_id = $1 AND scheduled_at IS NOT NULL
             ORDER BY scheduled_at DESC, id DESC LIMIT 200"
        ),
        channel.to_string(),
    )
    .map_err(on("stream"))?;
    streams(rows)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(now)
}

/// A stream of an account's channels, for the account's export.
#[derive(sqlx::FromRow)]
pub(crate) struct OfAccount {
    pub(crate) id: String,
    pub(crate) handle: String,
    pub(crate) title: String,
    pub(crate) state: String,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
}

/// The names of all pictures of streams.
pub(super) async fn pictures(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT DISTINCT thumbnail_id FROM stream WHERE thumbnail_id IS NOT NULL",
    )
    .map_err(on("stream"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// All streams of an account's channels, newest first.
pub(crate) async fn of_account(db: &Db, account: AccountId) -> Result<Vec<OfAccount>, StoreError> {
    all!(
        db,
        "SELECT stream.id, handle, title, state, started_at, ended_at
         FROM stream JOIN channel ON channel.id = stream.channel_id
         WHERE owner_id = $1 ORDER BY started_at DESC",
        account.to_string(),
    )
    .map_err(on("stream"))
}
