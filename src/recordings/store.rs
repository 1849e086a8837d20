//! All SQL about recordings.

use jiff::Timestamp;
use sfu::StreamId;
use uuid::Uuid;

use super::{ChannelUsage, Mp4, Mp4State, Recording, RecordingId, State, Visibility};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, all, change, first, on};
use crate::gates::Lock;
use crate::nodes::Node;
use crate::page::Cursor;
use crate::payments::Gate;
use crate::streams::stream_uuid;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    stream_id: String,
    part_of: Option<String>,
    channel_id: String,
    title: String,
    visibility: String,
    state: String,
    started_at: i64,
    ended_at: Option<i64>,
    duration_ms: i64,
    size_bytes: i64,
    has_thumbnail: bool,
    mp4_state: String,
    mp4_progress: i64,
    mp4_bytes: i64,
    mp4_problem: Option<String>,
    stored_at: Option<i64>,
    is_local: bool,
    gate: Option<String>,
    gate_tier: i64,
    gate_password_hash: Option<String>,
    stream_gate: Option<String>,
    stream_gate_tier: Option<i64>,
    stream_gate_password_hash: Option<String>,
    stream_preview_s: Option<i64>,
    stream_started_at: Option<i64>,
}

/// What a recording has of its stream.
macro_rules! of_stream {
    ($column:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM stream WHERE stream.id = COALESCE(recording.part_of, recording.stream_id)) AS stream_",
            $column
        )
    };
}

/// A query for whole rows.
macro_rules! select {
    ($($rest:expr),+ $(,)?) => {
        concat!(
            "SELECT id, stream_id, part_of, channel_id, title, visibility, state, started_at, ended_at, ",
            "duration_ms, size_bytes, has_thumbnail, mp4_state, mp4_progress, mp4_bytes, ",
            "mp4_problem, stored_at, is_local, gate, gate_tier, gate_password_hash, ",
            of_stream!("gate"), ", ", of_stream!("gate_tier"), ", ",
            of_stream!("gate_password_hash"), ", ", of_stream!("preview_s"), ", ",
            of_stream!("started_at"),
            " FROM recording "
            $(, $rest)+
        )
    };
}

/// That the media of a recording is at the server that is bound as `$n` ([`Node::owner`]): others that
/// share the database have neither its files nor a say in them.
macro_rules! ours {
    ($n:literal) => {
        concat!("(", $n, " = '' OR node = ", $n, ")")
    };
}

impl Row {
    fn into_recording(self) -> Result<Recording, StoreError> {
        let wrong = |expected, found: &str| StoreError::Corrupt {
            table: "recording",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        let uuid = |text: &str| Uuid::parse_str(text).map_err(|_| wrong("a UUID", text));
        let stream = uuid(&self.stream_id)?;
        let part_of = self.part_of.as_deref().map(uuid).transpose()?;
        let preview_s = self.stream_preview_s.unwrap_or_default();
        let lock = |gate: Option<&str>, tier: i64, password_hash: Option<String>| Lock {
            gate: Gate::read(gate, tier),
            password_hash,
            preview_s: u32::try_from(preview_s).unwrap_or_default(),
        };
        let own = self.gate.as_deref();
        let own_lock = own.map(|own| lock(Some(own), self.gate_tier, self.gate_password_hash));
        let tier = self.stream_gate_tier.unwrap_or(1);
        let stream_lock = lock(
            self.stream_gate.as_deref(),
            tier,
            self.stream_gate_password_hash,
        );
        Ok(Recording {
            id: RecordingId(uuid(&self.id)?),
            stream: StreamId::from(stream.as_u128()),
            part_of: part_of.map(|whole| StreamId::from(whole.as_u128())),
            channel: ChannelId(uuid(&self.channel_id)?),
            visibility: Visibility::parse(&self.visibility)
                .ok_or_else(|| wrong("a visibility", &self.visibility))?,
            state: State::parse(&self.state).ok_or_else(|| wrong("a state", &self.state))?,
            mp4: Mp4 {
                state: Mp4State::parse(&self.mp4_state)
                    .ok_or_else(|| wrong("a state of an MP4", &self.mp4_state))?,
                progress: u8::try_from(self.mp4_progress).unwrap_or(100),
                size_bytes: u64::try_from(self.mp4_bytes).unwrap_or_default(),
                problem: self.mp4_problem,
            },
            title: self.title,
            started_at: from_millis(self.started_at),
            stream_started_at: from_millis(self.stream_started_at.unwrap_or(self.started_at)),
            ended_at: self.ended_at.map(from_millis),
            duration_ms: u64::try_from(self.duration_ms).unwrap_or_default(),
            size_bytes: u64::try_from(self.size_bytes).unwrap_or_default(),
            has_thumbnail: self.has_thumbnail,
            is_stored: self.stored_at.is_some(),
            is_local: self.is_local,
            own_lock,
            stream_lock,
        })
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn recordings(rows: Vec<Row>) -> Result<Vec<Recording>, StoreError> {
    rows.into_iter().map(Row::into_recording).collect()
}

/// Of a stream that has one already, that one stays.
pub(super) async fn insert(db: &Db, node: Node, recording: &Recording) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO recording
             (id, stream_id, channel_id, title, visibility, state, started_at, node,
              part_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (stream_id) DO NOTHING",
        recording.id.to_string(),
        stream_text(recording.stream),
        recording.channel.to_string(),
        &recording.title,
        recording.visibility.as_str(),
        recording.state.as_str(),
        recording.started_at.as_millisecond(),
        node.id.to_string(),
        recording.part_of.map(stream_text),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// What was recorded before there were several servers is the first one's.
pub(super) async fn claim(db: &Db, node: Node) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET node = $1 WHERE node IS NULL",
        node.id.to_string(),
    )
    .map_err(on("recording"))?;
    Ok(())
}

pub(super) async fn by_id(db: &Db, id: RecordingId) -> Result<Option<Recording>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!("WHERE id = $1 AND deleted_at IS NULL"),
        id.to_string(),
    )
    .map_err(on("recording"))?;
    row.map(Row::into_recording).transpose()
}

pub(super) async fn by_stream(db: &Db, stream: StreamId) -> Result<Option<Recording>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!("WHERE stream_id = $1 AND deleted_at IS NULL"),
        stream_text(stream),
    )
    .map_err(on("recording"))?;
    row.map(Row::into_recording).transpose()
}

/// Newest first, from the one after the cursor on. With `everything`, also what only the owner may
/// see.
pub(super) async fn page(
    db: &Db,
    channel: ChannelId,
    everything: bool,
    after: Cursor,
    most: u16,
) -> Result<Vec<Recording>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE channel_id = $1 AND deleted_at IS NULL
           AND ($2 OR (visibility = 'public' AND state = 'ready'))
           AND (started_at < $3 OR (started_at = $3 AND id < $4))
         ORDER BY started_at DESC, id DESC LIMIT $5"
        ),
        channel.to_string(),
        everything,
        after.at_ms(),
        after.id(),
        i64::from(most),
    )
    .map_err(on("recording"))?;
    recordings(rows)
}

/// What a crash left unfinished, of what came in at that server.
pub(super) async fn unfinished(db: &Db, node: Node) -> Result<Vec<Recording>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE state = 'recording' AND deleted_at IS NULL AND ",
            ours!("$1")
        ),
        node.owner(),
    )
    .map_err(on("recording"))?;
    recordings(rows)
}

pub(super) async fn finish(db: &Db, recording: &Recording) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording
         SET state = $2, ended_at = $3, duration_ms = $4, size_bytes = $5, has_thumbnail = $6,
             mp4_state = $7
         WHERE id = $1",
        recording.id.to_string(),
        recording.state.as_str(),
        recording.ended_at.map(Timestamp::as_millisecond),
        whole(recording.duration_ms),
        whole(recording.size_bytes),
        recording.has_thumbnail,
        recording.mp4.state.as_str(),
    )
    .map_err(on("recording"))?;
    Ok(())
}

pub(super) async fn edit(
    db: &Db,
    id: RecordingId,
    title: &str,
    visibility: Visibility,
    own_lock: Option<&Lock>,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET title = $2, visibility = $3, gate = $4, gate_tier = $5,
             gate_password_hash = $6
         WHERE id = $1",
        id.to_string(),
        title,
        visibility.as_str(),
        own_lock.map(|lock| lock.gate.as_str()),
        own_lock.map_or(1, |lock| i64::from(lock.gate.tier())),
        own_lock.and_then(|lock| lock.password_hash.as_deref()),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// An MP4 that is ready is one more file for the store.
pub(super) async fn set_mp4(db: &Db, id: RecordingId, mp4: &Mp4) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording
         SET mp4_state = $2, mp4_progress = $3, mp4_bytes = $4, mp4_problem = $5,
             stored_at = CASE WHEN $2 = 'ready' THEN NULL ELSE stored_at END
         WHERE id = $1",
        id.to_string(),
        mp4.state.as_str(),
        i64::from(mp4.progress),
        whole(mp4.size_bytes),
        &mp4.problem,
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// The oldest that wants an MP4.
pub(super) async fn next_mp4(db: &Db, node: Node) -> Result<Option<Recording>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!(
            "WHERE mp4_state = 'making' AND deleted_at IS NULL AND ",
            ours!("$1"),
            " ORDER BY started_at LIMIT 1"
        ),
        node.owner(),
    )
    .map_err(on("recording"))?;
    row.map(Row::into_recording).transpose()
}

/// Marks it as deleted: nobody finds it any more.
pub(super) async fn mark_deleted(
    db: &Db,
    id: RecordingId,
    at: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET deleted_at = $2 WHERE id = $1",
        id.to_string(),
        at.as_millisecond(),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// What is still being recorded is not unlisted any more, for its stream was published.
pub(super) async fn publish(db: &Db, stream: StreamId) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET visibility = 'public'
         WHERE COALESCE(part_of, stream_id) = $1 AND state = 'recording'
           AND visibility = 'unlisted'",
        stream_text(stream),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// What is still being recorded is not listed any more, as its stream is not.
pub(super) async fn unlist(db: &Db, stream: StreamId) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET visibility = 'unlisted'
         WHERE COALESCE(part_of, stream_id) = $1 AND state = 'recording'
           AND visibility = 'public'",
        stream_text(stream),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// Streams whose recordings are marked as deleted and whose files may be there still, of that server.
pub(super) async fn deleted(db: &Db, node: Node) -> Result<Vec<StreamId>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        concat!(
            "SELECT stream_id FROM recording WHERE deleted_at IS NOT NULL AND ",
            ours!("$1")
        ),
        node.owner(),
    )
    .map_err(on("recording"))?;
    rows.into_iter().map(|row| stream_id(&row.0)).collect()
}

/// Whether the media of a stream is at that server.
pub(super) async fn is_ours(db: &Db, node: Node, stream: StreamId) -> Result<bool, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        concat!(
            "SELECT id FROM recording WHERE stream_id = $2 AND NOT ",
            ours!("$1")
        ),
        node.owner(),
        stream_text(stream),
    )
    .map_err(on("recording"))?;
    Ok(row.is_none())
}

/// Forgets a recording whose files are gone.
pub(super) async fn remove(db: &Db, stream: StreamId) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM recording WHERE stream_id = $1",
        stream_text(stream),
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// Streams of all recordings, also of those marked as deleted.
pub(super) async fn streams(db: &Db) -> Result<Vec<StreamId>, StoreError> {
    let rows: Vec<(String,)> =
        all!(db, "SELECT stream_id FROM recording").map_err(on("recording"))?;
    rows.into_iter().map(|row| stream_id(&row.0)).collect()
}

pub(super) async fn ended_before(
    db: &Db,
    node: Node,
    at: Timestamp,
) -> Result<Vec<RecordingId>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        concat!(
            "SELECT id FROM recording
             WHERE state <> 'recording' AND deleted_at IS NULL AND ended_at < $1 AND ",
            ours!("$2")
        ),
        at.as_millisecond(),
        node.owner(),
    )
    .map_err(on("recording"))?;
    rows.into_iter().map(|row| id(&row.0)).collect()
}

/// What is finished and in the data folder of that server, oldest first.
pub(super) async fn local(db: &Db, node: Node) -> Result<Vec<Recording>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE state <> 'recording' AND is_local AND deleted_at IS NULL AND ",
            ours!("$1"),
            " ORDER BY ended_at, id"
        ),
        node.owner(),
    )
    .map_err(on("recording"))?;
    recordings(rows)
}

/// The oldest of which the store lacks something, after so many others.
pub(super) async fn next_upload(
    db: &Db,
    node: Node,
    after: u32,
) -> Result<Option<Recording>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!(
            "WHERE state = 'ready' AND mp4_state <> 'making' AND stored_at IS NULL
               AND deleted_at IS NULL AND ",
            ours!("$2"),
            " ORDER BY ended_at, id LIMIT 1 OFFSET $1"
        ),
        i64::from(after),
        node.owner(),
    )
    .map_err(on("recording"))?;
    row.map(Row::into_recording).transpose()
}

pub(super) async fn set_stored(db: &Db, id: RecordingId, at: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET stored_at = $2 WHERE id = $1",
        id.to_string(),
        at.as_millisecond(),
    )
    .map_err(on("recording"))?;
    Ok(())
}

pub(super) async fn set_local(db: &Db, id: RecordingId, is_local: bool) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE recording SET is_local = $2 WHERE id = $1",
        id.to_string(),
        is_local,
    )
    .map_err(on("recording"))?;
    Ok(())
}

/// What has been in the store since then, and is in the data folder as well.
pub(super) async fn stored_before(
    db: &Db,
    node: Node,
    at: Timestamp,
) -> Result<Vec<Recording>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE stored_at <= $1 AND is_local AND mp4_state <> 'making' AND deleted_at IS NULL
               AND ",
            ours!("$2")
        ),
        at.as_millisecond(),
        node.owner(),
    )
    .map_err(on("recording"))?;
    recordings(rows)
}

/// The channel of a stream and when it was on air, of those that were written down.
pub(super) async fn stream(
    db: &Db,
    stream: StreamId,
) -> Result<Option<(ChannelId, Timestamp)>, StoreError> {
    let key = stream_text(stream);
    let row: Option<(String, i64)> = first!(
        db,
        "SELECT channel_id, started_at FROM stream WHERE id = $1",
        &key,
    )
    .map_err(on("stream"))?;
    let Some((channel, started_at)) = row else {
        return Ok(None);
    };
    let channel = Uuid::parse_str(&channel).map_err(|_| StoreError::Corrupt {
        table: "stream",
        key,
        expected: "a UUID",
        found: channel,
    })?;
    Ok(Some((ChannelId(channel), from_millis(started_at))))
}

fn id(text: &str) -> Result<RecordingId, StoreError> {
    uuid(text).map(RecordingId)
}

fn stream_id(text: &str) -> Result<StreamId, StoreError> {
    uuid(text).map(|id| StreamId::from(id.as_u128()))
}

/// As the table of streams has it.
fn stream_text(stream: StreamId) -> String {
    stream_uuid(stream).to_string()
}

fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table: "recording",
        key: text.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

pub(super) async fn usage(db: &Db) -> Result<Vec<ChannelUsage>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> = all!(
        db,
        "SELECT channel.handle, channel.name, CAST(COUNT(*) AS BIGINT) AS recordings,
                CAST(SUM(recording.size_bytes + recording.mp4_bytes) AS BIGINT) AS bytes
         FROM recording JOIN channel ON channel.id = recording.channel_id
         WHERE recording.deleted_at IS NULL
         GROUP BY channel.id, channel.handle, channel.name
         ORDER BY bytes DESC, channel.handle",
    )
    .map_err(on("recording"))?;
    let whole = |number: i64| u64::try_from(number).unwrap_or_default();
    let usage = rows
        .into_iter()
        .map(|(handle, name, recordings, bytes)| ChannelUsage {
            handle,
            name,
            recordings: whole(recordings),
            bytes: whole(bytes),
        });
    Ok(usage.collect())
}
