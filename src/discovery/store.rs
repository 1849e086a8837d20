//! All SQL about finding. It reads tables of channels, streams and recordings, and changes none.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::Narrowed;
use super::words::Words;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, all, first, on};
use crate::payments::Gate;

/// A channel in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChannel {
    /// Its id.
    pub id: ChannelId,
    /// What stands after `@`.
    pub handle: String,
    /// For people.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Slug of a category.
    pub category: Option<String>,
    /// Name of its picture.
    pub avatar: Option<String>,
    /// How many follow it.
    pub followers: i64,
}

/// A planned stream in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStream {
    /// Its id.
    pub id: Uuid,
    /// For people; may be empty.
    pub title: String,
    /// Slug of a category.
    pub category: Option<String>,
    /// Name of a picture.
    pub thumbnail: Option<String>,
    /// When it is planned for; when it began, if it is on air.
    pub at: Timestamp,
    /// Whether it is on air.
    pub is_live: bool,
    /// Handle of its channel.
    pub handle: String,
    /// Name of its channel.
    pub channel_name: String,
    /// Picture of its channel.
    pub avatar: Option<String>,
    /// Who may watch.
    pub gate: Gate,
}

/// A recording in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRecording {
    /// Its id.
    pub id: Uuid,
    /// For people.
    pub title: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it is.
    pub duration_ms: u64,
    /// Whether there is a picture of it that everybody may see.
    pub has_thumbnail: bool,
    /// Who may watch.
    pub gate: Gate,
    /// Handle of its channel.
    pub handle: String,
    /// Name of its channel.
    pub channel_name: String,
    /// Picture of its channel.
    pub avatar: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ChannelRow {
    id: String,
    handle: String,
    name: String,
    description: String,
    category: Option<String>,
    avatar: Option<String>,
    followers: i64,
}

#[derive(sqlx::FromRow)]
struct StreamRow {
    id: String,
    title: String,
    category: Option<String>,
    thumbnail_id: Option<String>,
    at: i64,
    is_live: bool,
    gate: Option<String>,
    gate_tier: i64,
    handle: String,
    name: String,
    avatar: Option<String>,
}

#[derive(sqlx::FromRow)]
struct RecordingRow {
    id: String,
    title: String,
    started_at: i64,
    duration_ms: i64,
    has_thumbnail: bool,
    gate: Option<String>,
    gate_tier: Option<i64>,
    handle: String,
    name: String,
    avatar: Option<String>,
}

macro_rules! channel {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.handle, c.name, c.description, c.category, c.avatar, ",
            "(SELECT CAST(COUNT(*) AS BIGINT) FROM follow f WHERE f.channel_id = c.id) AS followers ",
            $rest
        )
    };
}

macro_rules! stream {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.title, coalesce(s.category, c.category) AS category, s.thumbnail_id, ",
            "coalesce(s.scheduled_at, s.started_at) AS at, s.state = 'live' AS is_live, ",
            "s.gate, s.gate_tier, ",
            "c.handle, c.name, c.avatar ",
            $rest
        )
    };
}

macro_rules! recording {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.title, r.started_at, r.duration_ms, r.has_thumbnail, ",
            "coalesce(r.gate, (SELECT s.gate FROM stream s WHERE s.id = r.stream_id)) AS gate, ",
            "CASE WHEN r.gate IS NULL ",
            "THEN (SELECT s.gate_tier FROM stream s WHERE s.id = r.stream_id) ",
            "ELSE r.gate_tier END AS gate_tier, ",
            "c.handle, c.name, c.avatar ",
            $rest
        )
    };
}

pub(super) async fn followed(
    db: &Db,
    account: AccountId,
) -> Result<HashSet<ChannelId>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT channel_id FROM follow WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("follow"))?;
    rows.iter()
        .map(|(id,)| uuid("follow", id).map(ChannelId))
        .collect()
}

pub(super) async fn has_channels(db: &Db) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT CAST(1 AS BIGINT) FROM channel WHERE visibility = 'public' LIMIT 1",
    )
    .map_err(on("channel"))?;
    Ok(row.is_some())
}

/// Those that should have begun up to an hour ago stand there as well: people are late.
pub(super) async fn upcoming(
    db: &Db,
    narrowed: &Narrowed,
    now: Timestamp,
    most: u32,
) -> Result<Vec<FoundStream>, StoreError> {
    let from = now.as_millisecond() - 3_600_000;
    let rows: Vec<StreamRow> = all!(
        db,
        stream!(
            "FROM stream s JOIN channel c ON c.id = s.channel_id
             WHERE s.state = 'scheduled' AND s.scheduled_at >= $1 AND c.visibility = 'public'
               AND coalesce(s.visibility, 'public') = 'public'
               AND ($2 = '' OR coalesce(s.category, c.category) = $2)
               AND ($3 = '' OR coalesce(s.language, c.language) = $3)
               AND ($4 = '' OR EXISTS (SELECT 1 FROM channel_tag t WHERE t.channel_id = c.id AND t.tag = $4))
             ORDER BY s.scheduled_at, s.id LIMIT $5"
        ),
        from,
        text(&narrowed.category),
        text(&narrowed.language),
        text(&narrowed.tag),
        i64::from(most),
    )
    .map_err(on("stream"))?;
    rows.into_iter().map(StreamRow::into_stream).collect()
}

pub(super) async fn newest_recordings(
    db: &Db,
    narrowed: &Narrowed,
    before: Timestamp,
    most: u32,
) -> Result<Vec<FoundRecording>, StoreError> {
    let rows: Vec<RecordingRow> = all!(
        db,
        recording!(
            "FROM recording r JOIN channel c ON c.id = r.channel_id
             WHERE r.visibility = 'public' AND r.state = 'ready' AND r.deleted_at IS NULL
               AND r.started_at < $1 AND c.visibility = 'public'
               AND ($2 = '' OR c.category = $2) AND ($3 = '' OR c.language = $3)
               AND ($4 = '' OR EXISTS (SELECT 1 FROM channel_tag t WHERE t.channel_id = c.id AND t.tag = $4))
             ORDER BY r.started_at DESC, r.id DESC LIMIT $5"
        ),
        before.as_millisecond(),
        text(&narrowed.category),
        text(&narrowed.language),
        text(&narrowed.tag),
        i64::from(most),
    )
    .map_err(on("recording"))?;
    rows.into_iter().map(RecordingRow::into_recording).collect()
}

pub(super) async fn channels(
    db: &Db,
    narrowed: &Narrowed,
    most: u32,
) -> Result<Vec<FoundChannel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        channel!(
            "FROM channel c WHERE c.visibility = 'public'
               AND ($1 = '' OR c.category = $1) AND ($2 = '' OR c.language = $2)
               AND ($3 = '' OR EXISTS (SELECT 1 FROM channel_tag t WHERE t.channel_id = c.id AND t.tag = $3))
             ORDER BY followers DESC, c.handle LIMIT $4"
        ),
        text(&narrowed.category),
        text(&narrowed.language),
        text(&narrowed.tag),
        i64::from(most),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

/// The newest 400 rows that match: a common word must not have the whole library sorted for each
/// search. `best` is 0 where the title alone matches, else 1. FTS5's own rank would look at every row
/// that has one of the words. Of recordings the title is all there is: one look does, and what is bound for
/// a text is not used.
macro_rules! matching {
    (sqlite, with_text, $rest:expr) => {
        concat!(
            "WITH hit AS (
                 SELECT d.id AS id, min(t.best) AS best FROM (
                     SELECT * FROM (SELECT rowid, 0 AS best FROM search_text
                         WHERE search_text MATCH $1 ORDER BY rowid DESC LIMIT 400)
                     UNION ALL SELECT * FROM (SELECT rowid, 1 AS best FROM search_text
                         WHERE search_text MATCH $2 ORDER BY rowid DESC LIMIT 400)
                 ) t JOIN search_doc d ON d.n = t.rowid GROUP BY d.id
             ) ",
            $rest
        )
    };
    (sqlite, title_alone, $rest:expr) => {
        concat!(
            "WITH hit AS (
                 SELECT d.id AS id, 0 AS best FROM (SELECT rowid FROM search_text
                     WHERE search_text MATCH $1 ORDER BY rowid DESC LIMIT 400
                 ) t JOIN search_doc d ON d.n = t.rowid WHERE $2 <> ''
             ) ",
            $rest
        )
    };
    (postgres, $kind:literal, $rest:expr) => {
        concat!(
            "WITH hit AS (
                 SELECT d.id, CASE WHEN d.words @@ search_query($2, ':A') THEN 0 ELSE 1 END AS best
                 FROM search_doc d WHERE d.kind = '",
            $kind,
            "' AND d.words @@ search_query($1, ':') ORDER BY d.n DESC LIMIT 400
             ) ",
            $rest
        )
    };
}

macro_rules! found {
    ($db:expr, $words:expr, $kind:literal, $text:ident, $rest:expr $(, $value:expr)* $(,)?) => {
        match $db {
            Db::Sqlite { readers, .. } => {
                sqlx::query_as(matching!(sqlite, $text, $rest))
                    .bind($words.for_sqlite($kind, "title"))
                    .bind($words.for_sqlite($kind, "title body"))$(.bind($value))*
                    .fetch_all(readers).await
            }
            Db::Postgres(pool) => {
                sqlx::query_as(matching!(postgres, $kind, $rest))
                    .bind($words.for_postgres()).bind($words.for_postgres())$(.bind($value))*
                    .fetch_all(pool).await
            }
        }
        .map_err(on("search_doc"))
    };
}

/// Channels, the one of exactly that handle first.
pub(super) async fn find_channels(
    db: &Db,
    words: &Words,
    skip: u32,
    most: u32,
) -> Result<Vec<FoundChannel>, StoreError> {
    let rows: Vec<ChannelRow> = found!(
        db,
        words,
        "channel",
        with_text,
        channel!(
            "FROM hit JOIN channel c ON c.id = hit.id WHERE c.visibility = 'public'
             ORDER BY CASE WHEN c.handle = $3 THEN 0 ELSE 1 END, hit.best,
                      followers DESC, c.handle
             LIMIT $4 OFFSET $5"
        ),
        words.handle().unwrap_or_default(),
        i64::from(most),
        i64::from(skip),
    )?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

pub(super) async fn find_streams(
    db: &Db,
    words: &Words,
    skip: u32,
    most: u32,
) -> Result<Vec<FoundStream>, StoreError> {
    let rows: Vec<StreamRow> = found!(
        db,
        words,
        "stream",
        with_text,
        stream!(
            "FROM hit JOIN stream s ON s.id = hit.id JOIN channel c ON c.id = s.channel_id
             WHERE s.state IN ('scheduled', 'live') AND c.visibility = 'public'
               AND coalesce(s.visibility, 'public') = 'public'
               AND (s.state = 'scheduled' OR NOT s.publish_at_button OR s.published_at IS NOT NULL)
             ORDER BY CASE WHEN s.state = 'live' THEN 0 ELSE 1 END, hit.best, s.scheduled_at, s.id
             LIMIT $3 OFFSET $4"
        ),
        i64::from(most),
        i64::from(skip),
    )?;
    rows.into_iter().map(StreamRow::into_stream).collect()
}

pub(super) async fn find_recordings(
    db: &Db,
    words: &Words,
    skip: u32,
    most: u32,
) -> Result<Vec<FoundRecording>, StoreError> {
    let rows: Vec<RecordingRow> = found!(
        db,
        words,
        "recording",
        title_alone,
        recording!(
            "FROM hit JOIN recording r ON r.id = hit.id JOIN channel c ON c.id = r.channel_id
             WHERE r.visibility = 'public' AND r.state = 'ready' AND r.deleted_at IS NULL
               AND c.visibility = 'public'
             ORDER BY hit.best, r.started_at DESC, r.id LIMIT $3 OFFSET $4"
        ),
        i64::from(most),
        i64::from(skip),
    )?;
    rows.into_iter().map(RecordingRow::into_recording).collect()
}

/// Nothing stands for everything: both databases then keep one plan.
fn text(wanted: &Option<String>) -> &str {
    wanted.as_deref().unwrap_or_default()
}

fn uuid(table: &'static str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table,
        key: text.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

impl ChannelRow {
    fn into_channel(self) -> Result<FoundChannel, StoreError> {
        Ok(FoundChannel {
            id: ChannelId(uuid("channel", &self.id)?),
            handle: self.handle,
            name: self.name,
            description: self.description,
            category: self.category,
            avatar: self.avatar,
            followers: self.followers,
        })
    }
}

impl StreamRow {
    fn into_stream(self) -> Result<FoundStream, StoreError> {
        Ok(FoundStream {
            id: uuid("stream", &self.id)?,
            title: self.title,
            category: self.category,
            thumbnail: self.thumbnail_id,
            at: from_millis(self.at),
            is_live: self.is_live,
            gate: Gate::read(self.gate.as_deref(), self.gate_tier),
            handle: self.handle,
            channel_name: self.name,
            avatar: self.avatar,
        })
    }
}

impl RecordingRow {
    fn into_recording(self) -> Result<FoundRecording, StoreError> {
        let gate = Gate::read(self.gate.as_deref(), self.gate_tier.unwrap_or(1));
        Ok(FoundRecording {
            id: uuid("recording", &self.id)?,
            title: self.title,
            started_at: from_millis(self.started_at),
            duration_ms: u64::try_from(self.duration_ms).unwrap_or_default(),
            // A picture that not everybody may see is none for a list.
            has_thumbnail: self.has_thumbnail && gate == Gate::Everyone,
            gate,
            handle: self.handle,
            channel_name: self.name,
            avatar: self.avatar,
        })
    }
}
