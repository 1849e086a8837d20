//! All SQL about streams.

use jiff::Timestamp;
use sfu::StreamId;
use uuid::Uuid;

use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, change, first, on, tx_change};

fn text(stream: StreamId) -> String {
    Uuid::from_u128(stream.into()).to_string()
}

/// A channel is live at most once, so that one whose end was never written ends here.
pub(super) async fn insert_stream(
    db: &Db,
    stream: StreamId,
    channel: ChannelId,
    started_at: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx_change!(
        &mut tx,
        "UPDATE stream SET ended_at = $2 WHERE channel_id = $1 AND ended_at IS NULL",
        channel.to_string(),
        started_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    tx_change!(
        &mut tx,
        "INSERT INTO stream (id, channel_id, source, started_at) VALUES ($1, $2, $3, $4)",
        text(stream),
        channel.to_string(),
        "whip",
        started_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    tx.commit().await
}

pub(super) async fn end_stream(
    db: &Db,
    stream: StreamId,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE stream SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
        text(stream),
        ended_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    Ok(())
}

/// Ends what a crash left open; gives how many.
pub(super) async fn end_all_open(db: &Db, at: Timestamp) -> Result<u64, StoreError> {
    change!(
        db,
        "UPDATE stream SET ended_at = $1 WHERE ended_at IS NULL",
        at.as_millisecond(),
    )
    .map_err(on("stream"))
}

/// When the channel's last stream ended, if it has ended.
pub(super) async fn last_end(db: &Db, channel: ChannelId) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(Option<i64>,)> = first!(
        db,
        "SELECT ended_at FROM stream WHERE channel_id = $1 ORDER BY started_at DESC LIMIT 1",
        channel.to_string(),
    )
    .map_err(on("stream"))?;
    Ok(row.and_then(|row| row.0).map(from_millis))
}
