//! All SQL about channels and stream keys.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Channel, ChannelId, StreamKey, StreamKeyId};
use crate::accounts::AccountId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct ChannelRow {
    id: String,
    handle: String,
    name: String,
    owner_id: String,
    created_at: i64,
    record: bool,
}

impl ChannelRow {
    fn into_channel(self) -> Result<Channel, StoreError> {
        Ok(Channel {
            id: ChannelId(uuid("channel", &self.id, &self.id)?),
            owner: AccountId(uuid("channel", &self.id, &self.owner_id)?),
            handle: self.handle,
            name: self.name,
            created_at: from_millis(self.created_at),
            record: self.record,
        })
    }
}

#[derive(sqlx::FromRow)]
struct StreamKeyRow {
    id: String,
    channel_id: String,
    name: String,
    prefix: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl StreamKeyRow {
    fn into_key(self) -> Result<StreamKey, StoreError> {
        Ok(StreamKey {
            id: StreamKeyId(uuid("stream_key", &self.id, &self.id)?),
            channel: ChannelId(uuid("stream_key", &self.id, &self.channel_id)?),
            name: self.name,
            prefix: self.prefix,
            created_at: from_millis(self.created_at),
            last_used_at: self.last_used_at.map(from_millis),
        })
    }
}

#[derive(sqlx::FromRow)]
struct FoundKeyRow {
    key_id: String,
    mac: String,
    #[sqlx(flatten)]
    channel: ChannelRow,
}

fn uuid(table: &'static str, key: &str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table,
        key: key.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

pub(super) async fn insert_channel(tx: &mut Tx, channel: &Channel) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO channel (id, handle, name, owner_id, created_at, record)
         VALUES ($1, $2, $3, $4, $5, $6)",
        channel.id.to_string(),
        &channel.handle,
        &channel.name,
        channel.owner.to_string(),
        channel.created_at.as_millisecond(),
        channel.record,
    )
    .map_err(on("channel"))?;
    Ok(())
}

pub(super) async fn count_channels(tx: &mut Tx, owner: AccountId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT COUNT(*) FROM channel WHERE owner_id = $1",
        owner.to_string(),
    )
    .map_err(on("channel"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn channel_by_handle(
    db: &Db,
    handle: &str,
) -> Result<Option<Channel>, StoreError> {
    let row: Option<ChannelRow> = first!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record FROM channel WHERE handle = $1",
        handle,
    )
    .map_err(on("channel"))?;
    row.map(ChannelRow::into_channel).transpose()
}

pub(super) async fn channel_by_id(db: &Db, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    let row: Option<ChannelRow> = first!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record FROM channel WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("channel"))?;
    row.map(ChannelRow::into_channel).transpose()
}

pub(super) async fn set_record(db: &Db, id: ChannelId, record: bool) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE channel SET record = $2 WHERE id = $1",
        id.to_string(),
        record,
    )
    .map_err(on("channel"))?;
    Ok(())
}

pub(super) async fn channels_after(
    db: &Db,
    after: &str,
    most: u16,
) -> Result<Vec<Channel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record FROM channel
         WHERE handle > $1 ORDER BY handle LIMIT $2",
        after,
        i64::from(most),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

pub(super) async fn channels_of(db: &Db, owner: AccountId) -> Result<Vec<Channel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record FROM channel
         WHERE owner_id = $1 ORDER BY created_at, id",
        owner.to_string(),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

/// The MAC that the database keeps of the pepper: the one given, if it had none.
pub(super) async fn pepper_mac(db: &Db, mac: &str) -> Result<String, StoreError> {
    change!(
        db,
        "INSERT INTO pepper (id, mac) VALUES (1, $1) ON CONFLICT DO NOTHING",
        mac,
    )
    .map_err(on("pepper"))?;
    let row: Option<(String,)> =
        first!(db, "SELECT mac FROM pepper WHERE id = 1").map_err(on("pepper"))?;
    row.map(|row| row.0).ok_or(StoreError::Corrupt {
        table: "pepper",
        key: "1".to_owned(),
        expected: "one row",
        found: "none".to_owned(),
    })
}

pub(super) async fn insert_stream_key(
    db: &Db,
    key: &StreamKey,
    mac: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO stream_key (id, channel_id, name, prefix, mac, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        key.id.to_string(),
        key.channel.to_string(),
        &key.name,
        &key.prefix,
        mac,
        key.created_at.as_millisecond(),
    )
    .map_err(on("stream_key"))?;
    Ok(())
}

pub(super) async fn count_stream_keys(db: &Db, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT COUNT(*) FROM stream_key WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("stream_key"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn stream_keys_of(
    db: &Db,
    channel: ChannelId,
) -> Result<Vec<StreamKey>, StoreError> {
    let rows: Vec<StreamKeyRow> = all!(
        db,
        "SELECT id, channel_id, name, prefix, created_at, last_used_at FROM stream_key
         WHERE channel_id = $1 ORDER BY id",
        channel.to_string(),
    )
    .map_err(on("stream_key"))?;
    rows.into_iter().map(StreamKeyRow::into_key).collect()
}

/// The key of that prefix: its id, its MAC, its channel.
pub(super) async fn stream_key_by_prefix(
    db: &Db,
    prefix: &str,
) -> Result<Option<(StreamKeyId, String, Channel)>, StoreError> {
    let row: Option<FoundKeyRow> = first!(
        db,
        "SELECT stream_key.id AS key_id, mac,
                channel.id, handle, channel.name, owner_id, channel.created_at, record
         FROM stream_key JOIN channel ON channel.id = stream_key.channel_id
         WHERE prefix = $1",
        prefix,
    )
    .map_err(on("stream_key"))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let id = StreamKeyId(uuid("stream_key", &row.key_id, &row.key_id)?);
    Ok(Some((id, row.mac, row.channel.into_channel()?)))
}

/// Gives a key a new text. False: the channel has no such key.
pub(super) async fn replace_stream_key(
    db: &Db,
    channel: ChannelId,
    id: StreamKeyId,
    prefix: &str,
    mac: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "UPDATE stream_key SET prefix = $3, mac = $4, created_at = $5, last_used_at = NULL
         WHERE id = $1 AND channel_id = $2",
        id.to_string(),
        channel.to_string(),
        prefix,
        mac,
        now.as_millisecond(),
    )
    .map_err(on("stream_key"))?;
    Ok(changed == 1)
}

/// Removes a key. False: the channel has no such key.
pub(super) async fn delete_stream_key(
    db: &Db,
    channel: ChannelId,
    id: StreamKeyId,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "DELETE FROM stream_key WHERE id = $1 AND channel_id = $2",
        id.to_string(),
        channel.to_string(),
    )
    .map_err(on("stream_key"))?;
    Ok(changed == 1)
}

pub(super) async fn touch_stream_key(
    db: &Db,
    id: StreamKeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE stream_key SET last_used_at = $2 WHERE id = $1",
        id.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("stream_key"))?;
    Ok(())
}
