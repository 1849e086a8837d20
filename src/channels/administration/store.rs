//! All SQL about channels that admins alone use.

use jiff::Timestamp;

use super::ChannelRecord;
use crate::channels::ChannelId;
use crate::channels::store::ChannelRow;
use crate::db::{Db, StoreError, Tx, all, first, on, tx_change};
use crate::page::Cursor;

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    channel: ChannelRow,
    owner_name: String,
    hidden_at: Option<i64>,
}

impl Row {
    fn into_record(self) -> Result<ChannelRecord, StoreError> {
        Ok(ChannelRecord {
            channel: self.channel.into_channel()?,
            owner: self.owner_name,
            is_hidden: self.hidden_at.is_some(),
        })
    }
}

/// What lies in a text is looked for as it is, so that `%` and `_` mean themselves.
fn pattern(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

pub(super) async fn search(
    db: &Db,
    text: &str,
    behind: &Cursor,
    most: u16,
) -> Result<Vec<ChannelRecord>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        "SELECT channel.id, handle, channel.name, owner_id, channel.created_at, record,
                description, accent, channel.language, category, visibility, channel.avatar, banner,
                hidden_at, account.name AS owner_name
         FROM channel JOIN account ON account.id = channel.owner_id
         WHERE (handle LIKE $1 ESCAPE '\\' OR LOWER(channel.name) LIKE $1 ESCAPE '\\')
           AND (channel.created_at < $2 OR (channel.created_at = $2 AND channel.id < $3))
         ORDER BY channel.created_at DESC, channel.id DESC LIMIT $4",
        pattern(text),
        behind.at_ms(),
        behind.id(),
        i64::from(most),
    )
    .map_err(on("channel"))?;
    rows.into_iter().map(Row::into_record).collect()
}

pub(super) async fn record(db: &Db, id: ChannelId) -> Result<Option<ChannelRecord>, StoreError> {
    let row: Option<Row> = first!(
        db,
        "SELECT channel.id, handle, channel.name, owner_id, channel.created_at, record,
                description, accent, channel.language, category, visibility, channel.avatar, banner,
                hidden_at, account.name AS owner_name
         FROM channel JOIN account ON account.id = channel.owner_id WHERE channel.id = $1",
        id.to_string(),
    )
    .map_err(on("channel"))?;
    row.map(Row::into_record).transpose()
}

/// What its owner chose is kept aside, and comes back with [`show`].
pub(super) async fn hide(tx: &mut Tx, id: ChannelId, now: Timestamp) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE channel SET hidden_at = $2, chosen_visibility = visibility,
             visibility = CASE WHEN visibility = 'public' THEN 'unlisted' ELSE visibility END
         WHERE id = $1 AND hidden_at IS NULL",
        id.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("channel"))?;
    Ok(changed > 0)
}

pub(super) async fn show(tx: &mut Tx, id: ChannelId) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE channel SET hidden_at = NULL,
             visibility = COALESCE(chosen_visibility, visibility), chosen_visibility = NULL
         WHERE id = $1 AND hidden_at IS NOT NULL",
        id.to_string(),
    )
    .map_err(on("channel"))?;
    Ok(changed > 0)
}
