//! All SQL about channels and stream keys.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::profile::Checked;
use super::{About, Channel, ChannelId, StreamKey, StreamKeyId, Visibility};
use crate::accounts::AccountId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::images::ImageId;

#[derive(sqlx::FromRow)]
pub(super) struct ChannelRow {
    id: String,
    handle: String,
    name: String,
    owner_id: String,
    created_at: i64,
    record: bool,
    description: String,
    accent: Option<String>,
    language: Option<String>,
    category: Option<String>,
    visibility: String,
    avatar: Option<String>,
    banner: Option<String>,
}

impl ChannelRow {
    pub(super) fn into_channel(self) -> Result<Channel, StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "channel",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        let picture = |name: Option<&String>| {
            let id =
                name.map(|name| ImageId::parse(name).ok_or_else(|| corrupt("a picture", name)));
            id.transpose()
        };
        Ok(Channel {
            id: ChannelId(uuid("channel", &self.id, &self.id)?),
            owner: AccountId(uuid("channel", &self.id, &self.owner_id)?),
            visibility: match self.visibility.as_str() {
                "public" => Visibility::Public,
                "unlisted" => Visibility::Unlisted,
                "members" => Visibility::Members,
                "password" => Visibility::Password,
                other => return Err(corrupt("a visibility", other)),
            },
            avatar: picture(self.avatar.as_ref())?,
            banner: picture(self.banner.as_ref())?,
            handle: self.handle,
            name: self.name,
            created_at: from_millis(self.created_at),
            record: self.record,
            description: self.description,
            accent: self.accent,
            language: self.language,
            category: self.category,
        })
    }
}

#[derive(sqlx::FromRow)]
struct ChangedRow {
    password_hash: Option<String>,
    #[sqlx(flatten)]
    channel: ChannelRow,
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

pub(super) fn uuid(table: &'static str, key: &str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table,
        key: key.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

/// The names of all pictures of channels.
pub(super) async fn pictures(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT avatar FROM channel WHERE avatar IS NOT NULL
         UNION SELECT banner FROM channel WHERE banner IS NOT NULL",
    )
    .map_err(on("channel"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
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
        "SELECT COUNT(*) FROM channel WHERE owner_id = $1 AND deleted_at IS NULL",
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
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM channel WHERE handle = $1",
        handle,
    )
    .map_err(on("channel"))?;
    row.map(ChannelRow::into_channel).transpose()
}

pub(super) async fn channel_by_id(db: &Db, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    let row: Option<ChannelRow> = first!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM channel WHERE id = $1 AND deleted_at IS NULL",
        id.to_string(),
    )
    .map_err(on("channel"))?;
    row.map(ChannelRow::into_channel).transpose()
}

/// The channel as the transaction has it, and the hash of the password for viewers.
pub(super) async fn channel_in(
    tx: &mut Tx,
    id: ChannelId,
) -> Result<Option<(Channel, Option<String>)>, StoreError> {
    let row: Option<ChangedRow> = tx_first!(
        tx,
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner, password_hash
         FROM channel WHERE id = $1 AND deleted_at IS NULL",
        id.to_string(),
    )
    .map_err(on("channel"))?;
    let changed = |row: ChangedRow| Ok((row.channel.into_channel()?, row.password_hash));
    row.map(changed).transpose()
}

pub(super) async fn update_channel(
    tx: &mut Tx,
    id: ChannelId,
    edit: &Checked,
) -> Result<(), StoreError> {
    let json = |list: Result<String, _>| {
        list.map_err(|_| StoreError::Corrupt {
            table: "channel",
            key: id.to_string(),
            expected: "a list",
            found: "none".to_owned(),
        })
    };
    let links = edit
        .links
        .as_ref()
        .map(serde_json::to_string)
        .map(json)
        .transpose()?;
    let panels = edit
        .panels
        .as_ref()
        .map(serde_json::to_string)
        .map(json)
        .transpose()?;
    let flat = |field: &Option<Option<String>>| field.clone().flatten();
    tx_change!(
        tx,
        "UPDATE channel SET
            name = COALESCE($2, name),
            description = COALESCE($3, description),
            record = COALESCE($4, record),
            visibility = CASE
                WHEN hidden_at IS NULL OR COALESCE($5, visibility) <> 'public'
                THEN COALESCE($5, visibility)
                ELSE 'unlisted' END,
            chosen_visibility = CASE
                WHEN hidden_at IS NULL THEN NULL ELSE COALESCE($5, chosen_visibility) END,
            password_hash = COALESCE($6, password_hash),
            links = COALESCE($7, links),
            panels = COALESCE($8, panels),
            accent = CASE WHEN $9 THEN $10 ELSE accent END,
            language = CASE WHEN $11 THEN $12 ELSE language END,
            category = CASE WHEN $13 THEN $14 ELSE category END
         WHERE id = $1",
        id.to_string(),
        edit.name.as_deref(),
        edit.description.as_deref(),
        edit.record,
        edit.visibility.map(Visibility::as_str),
        edit.password_hash.as_deref(),
        links,
        panels,
        edit.accent.is_some(),
        flat(&edit.accent),
        edit.language.is_some(),
        flat(&edit.language),
        edit.category.is_some(),
        flat(&edit.category),
    )
    .map_err(on("channel"))?;
    Ok(())
}

/// Channels that are not open to all, and the hashes of their passwords.
pub(super) async fn gated(db: &Db) -> Result<Vec<(Channel, Option<String>)>, StoreError> {
    let rows: Vec<ChangedRow> = all!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner, password_hash
         FROM channel WHERE visibility IN ('members', 'password') AND deleted_at IS NULL",
    )
    .map_err(on("channel"))?;
    let gated = |row: ChangedRow| Ok((row.channel.into_channel()?, row.password_hash));
    rows.into_iter().map(gated).collect()
}

pub(super) async fn set_avatar(
    db: &Db,
    id: ChannelId,
    picture: Option<&str>,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE channel SET avatar = $2 WHERE id = $1",
        id.to_string(),
        picture,
    )
    .map_err(on("channel"))?;
    Ok(())
}

pub(super) async fn set_banner(
    db: &Db,
    id: ChannelId,
    picture: Option<&str>,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE channel SET banner = $2 WHERE id = $1",
        id.to_string(),
        picture,
    )
    .map_err(on("channel"))?;
    Ok(())
}

/// Leaves of a channel a row that nobody finds: the handle is free, and in no list that asks for
/// public channels does it stand. Its recordings are marked, so that their files go.
pub(super) async fn bury_channel(
    tx: &mut Tx,
    id: ChannelId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = id.to_string();
    // No handle of anybody begins so.
    let handle = format!("~{}", id.0.simple());
    let now = now.as_millisecond();
    tx_change!(
        tx,
        "UPDATE channel SET
            handle = $2, name = '', description = '', accent = NULL, language = NULL,
            category = NULL, visibility = 'members', password_hash = NULL, avatar = NULL,
            banner = NULL, links = '[]', panels = '[]', deleted_at = $3
         WHERE id = $1",
        &key,
        handle,
        now,
    )
    .map_err(on("channel"))?;
    tx_change!(
        tx,
        "UPDATE recording SET deleted_at = $2 WHERE channel_id = $1 AND deleted_at IS NULL",
        &key,
        now,
    )
    .map_err(on("recording"))?;
    tx_change!(tx, "DELETE FROM stream_key WHERE channel_id = $1", &key)
        .map_err(on("stream_key"))?;
    tx_change!(tx, "DELETE FROM channel_tag WHERE channel_id = $1", &key)
        .map_err(on("channel_tag"))?;
    tx_change!(tx, "DELETE FROM follow WHERE channel_id = $1", &key).map_err(on("follow"))?;
    tx_change!(tx, "DELETE FROM moderator WHERE channel_id = $1", &key).map_err(on("moderator"))?;
    Ok(())
}

pub(super) async fn replace_tags(
    tx: &mut Tx,
    id: ChannelId,
    tags: &[String],
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "DELETE FROM channel_tag WHERE channel_id = $1",
        id.to_string(),
    )
    .map_err(on("channel_tag"))?;
    for (position, tag) in (0_i64..).zip(tags) {
        tx_change!(
            tx,
            "INSERT INTO channel_tag (channel_id, tag, position) VALUES ($1, $2, $3)",
            id.to_string(),
            tag,
            position,
        )
        .map_err(on("channel_tag"))?;
    }
    Ok(())
}

pub(super) async fn channels_after(
    db: &Db,
    after: &str,
    most: u16,
) -> Result<Vec<Channel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM channel
         WHERE handle > $1 AND visibility = 'public' ORDER BY handle LIMIT $2",
        after,
        i64::from(most),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

pub(super) async fn channels_of(db: &Db, owner: AccountId) -> Result<Vec<Channel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        "SELECT id, handle, name, owner_id, created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM channel
         WHERE owner_id = $1 AND deleted_at IS NULL ORDER BY created_at, id",
        owner.to_string(),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}

#[derive(sqlx::FromRow)]
struct AboutRow {
    links: String,
    panels: String,
}

pub(super) async fn about(db: &Db, channel: ChannelId) -> Result<About, StoreError> {
    let key = channel.to_string();
    let row: Option<AboutRow> = first!(
        db,
        "SELECT links, panels FROM channel WHERE id = $1 AND deleted_at IS NULL",
        &key,
    )
    .map_err(on("channel"))?;
    let tags: Vec<(String,)> = all!(
        db,
        "SELECT tag FROM channel_tag WHERE channel_id = $1 ORDER BY position",
        &key,
    )
    .map_err(on("channel_tag"))?;
    let Some(row) = row else {
        return Ok(About::default());
    };
    Ok(About {
        links: list(&key, &row.links)?,
        panels: list(&key, &row.panels)?,
        tags: tags.into_iter().map(|row| row.0).collect(),
    })
}

fn list<T: DeserializeOwned>(key: &str, text: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt {
        table: "channel",
        key: key.to_owned(),
        expected: "a list as JSON",
        found: text.to_owned(),
    })
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
                channel.id, handle, channel.name, owner_id, channel.created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM stream_key JOIN channel ON channel.id = stream_key.channel_id
         WHERE prefix = $1 AND owner_id IN (SELECT id FROM account WHERE suspended_at IS NULL)",
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
