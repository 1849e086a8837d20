//! All SQL about follows and moderators.

use jiff::Timestamp;

use super::super::store::{ChannelRow, uuid};
use super::{Channel, ChannelId, Followed, Follower, Moderator};
use crate::accounts::AccountId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::page::Cursor;

#[derive(sqlx::FromRow)]
struct PersonRow {
    account_id: String,
    name: String,
    since: i64,
}

impl PersonRow {
    fn account(&self, table: &'static str) -> Result<AccountId, StoreError> {
        uuid(table, &self.account_id, &self.account_id).map(AccountId)
    }
}

#[derive(sqlx::FromRow)]
struct FollowedRow {
    since: i64,
    #[sqlx(flatten)]
    channel: ChannelRow,
}

/// Adds a follow, unless it is there or the account has `most` of them. False: nothing was added.
pub(super) async fn insert_follow(
    tx: &mut Tx,
    channel: ChannelId,
    account: AccountId,
    now: Timestamp,
    most: i64,
) -> Result<bool, StoreError> {
    let added = tx_change!(
        tx,
        "INSERT INTO follow (channel_id, account_id, created_at)
         SELECT $1, $2, $3
         WHERE (SELECT COUNT(*) FROM follow WHERE account_id = $2) < $4
         ON CONFLICT DO NOTHING",
        channel.to_string(),
        account.to_string(),
        now.as_millisecond(),
        most,
    )
    .map_err(on("follow"))?;
    Ok(added == 1)
}

pub(super) async fn follows(
    tx: &mut Tx,
    channel: ChannelId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT created_at FROM follow WHERE channel_id = $1 AND account_id = $2",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("follow"))?;
    Ok(row.is_some())
}

pub(super) async fn follows_since(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT created_at FROM follow WHERE channel_id = $1 AND account_id = $2",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("follow"))?;
    Ok(row.map(|row| from_millis(row.0)))
}

/// Removes a follow. False: there was none.
pub(super) async fn delete_follow(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "DELETE FROM follow WHERE channel_id = $1 AND account_id = $2",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("follow"))?;
    Ok(changed == 1)
}

pub(super) async fn count_followers(db: &Db, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT COUNT(*) FROM follow WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("follow"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn followers_of(
    db: &Db,
    channel: ChannelId,
    after: &Cursor,
    most: u16,
) -> Result<Vec<Follower>, StoreError> {
    let rows: Vec<PersonRow> = all!(
        db,
        "SELECT account_id, account.name, follow.created_at AS since
         FROM follow JOIN account ON account.id = follow.account_id
         WHERE channel_id = $1 AND (follow.created_at, account_id) < ($2, $3)
         ORDER BY follow.created_at DESC, account_id DESC LIMIT $4",
        channel.to_string(),
        after.at_ms(),
        after.id(),
        i64::from(most),
    )
    .map_err(on("follow"))?;
    let follower = |row: PersonRow| {
        Ok(Follower {
            account: row.account("follow")?,
            name: row.name,
            since: from_millis(row.since),
        })
    };
    rows.into_iter().map(follower).collect()
}

pub(super) async fn followed_by(
    db: &Db,
    account: AccountId,
    after: &Cursor,
    most: u16,
) -> Result<Vec<Followed>, StoreError> {
    let rows: Vec<FollowedRow> = all!(
        db,
        "SELECT follow.created_at AS since, channel.id, handle, channel.name, owner_id,
                channel.created_at, record, description, accent, language, category, visibility,
                avatar, banner
         FROM follow JOIN channel ON channel.id = follow.channel_id
         WHERE account_id = $1 AND (follow.created_at, channel_id) < ($2, $3)
         ORDER BY follow.created_at DESC, channel_id DESC LIMIT $4",
        account.to_string(),
        after.at_ms(),
        after.id(),
        i64::from(most),
    )
    .map_err(on("follow"))?;
    let followed = |row: FollowedRow| {
        Ok(Followed {
            since: from_millis(row.since),
            channel: row.channel.into_channel()?,
        })
    };
    rows.into_iter().map(followed).collect()
}

/// Adds a moderator. False: it was one already.
pub(super) async fn insert_moderator(
    tx: &mut Tx,
    channel: ChannelId,
    account: AccountId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let added = tx_change!(
        tx,
        "INSERT INTO moderator (channel_id, account_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        channel.to_string(),
        account.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("moderator"))?;
    Ok(added == 1)
}

pub(super) async fn count_moderators(tx: &mut Tx, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT COUNT(*) FROM moderator WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("moderator"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// Removes a moderator. False: it was none.
pub(super) async fn delete_moderator(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "DELETE FROM moderator WHERE channel_id = $1 AND account_id = $2",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("moderator"))?;
    Ok(changed == 1)
}

pub(super) async fn is_moderator(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT created_at FROM moderator WHERE channel_id = $1 AND account_id = $2",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("moderator"))?;
    Ok(row.is_some())
}

pub(super) async fn moderators_of(
    db: &Db,
    channel: ChannelId,
) -> Result<Vec<Moderator>, StoreError> {
    let rows: Vec<PersonRow> = all!(
        db,
        "SELECT account_id, account.name, moderator.created_at AS since
         FROM moderator JOIN account ON account.id = moderator.account_id
         WHERE channel_id = $1 ORDER BY moderator.created_at, account_id",
        channel.to_string(),
    )
    .map_err(on("moderator"))?;
    let moderator = |row: PersonRow| {
        Ok(Moderator {
            account: row.account("moderator")?,
            name: row.name,
            since: from_millis(row.since),
        })
    };
    rows.into_iter().map(moderator).collect()
}

pub(super) async fn moderated_by(db: &Db, account: AccountId) -> Result<Vec<Channel>, StoreError> {
    let rows: Vec<ChannelRow> = all!(
        db,
        "SELECT channel.id, handle, channel.name, owner_id, channel.created_at, record,
                description, accent, language, category, visibility, avatar, banner
         FROM moderator JOIN channel ON channel.id = moderator.channel_id
         WHERE account_id = $1 ORDER BY handle",
        account.to_string(),
    )
    .map_err(on("moderator"))?;
    rows.into_iter().map(ChannelRow::into_channel).collect()
}
