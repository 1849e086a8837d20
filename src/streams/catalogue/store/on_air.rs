//! What of the books is about streams on air: who has them, and when their publishers were seen.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sfu::StreamId;
use uuid::Uuid;

use super::super::super::IngestSource;
use super::super::{Stream, StreamState};
use super::{NO_SOURCE, Row, by_id, insert, select, streams, text};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, all, change, first, on, tx_all, tx_change};
use crate::nodes::Node;

/// A stream is on air: writes it as it is, whether it has a row or not. A channel is live at most
/// once: what else it has on air ends, and what else it prepared is planned again, or over. Gives what another
/// server had left on air, of whose end nobody was told.
pub(in super::super::super) async fn write_start(
    db: &Db,
    stream: &Stream,
    node: Node,
) -> Result<Vec<Stream>, StoreError> {
    let mut tx = db.begin().await?;
    let left: Vec<Row> = tx_all!(
        &mut tx,
        select!("WHERE channel_id = $1 AND id <> $2 AND state = 'live' AND node <> $3"),
        stream.channel.to_string(),
        text(stream.id),
        node.id.to_string(),
    )
    .map_err(on("stream"))?;
    tx_change!(
        &mut tx,
        "UPDATE stream SET state = 'scheduled', preparing_until = NULL
         WHERE channel_id = $1 AND id <> $2 AND state = 'preparing' AND scheduled_at IS NOT NULL",
        stream.channel.to_string(),
        text(stream.id),
    )
    .map_err(on("stream"))?;
    tx_change!(
        &mut tx,
        "UPDATE stream SET state = 'ended', ended_at = $3, preparing_until = NULL
         WHERE channel_id = $1 AND id <> $2 AND state IN ('preparing', 'live')",
        stream.channel.to_string(),
        text(stream.id),
        stream.placed_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    // What was said of a planned one since it was looked up stays said.
    let updated = tx_change!(
        &mut tx,
        "UPDATE stream SET state = 'live', source = $2, started_at = $3, ended_at = NULL,
             preparing_until = NULL
         WHERE id = $1",
        text(stream.id),
        stream.source.map_or(NO_SOURCE, IngestSource::as_str),
        stream.placed_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    if updated == 0 {
        insert(&mut tx, stream).await?;
    }
    tx_change!(
        &mut tx,
        "UPDATE stream SET node = $2, on_air_at = $3 WHERE id = $1",
        text(stream.id),
        node.id.to_string(),
        stream.placed_at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    tx.commit().await?;
    let ended = streams(left)?.into_iter().map(|left| Stream {
        state: StreamState::Ended,
        ended_at: Some(stream.placed_at),
        ..left
    });
    Ok(ended.collect())
}

/// A stream is over, unless another server has it by now.
pub(in super::super::super) async fn end_stream(
    db: &Db,
    node: Node,
    stream: StreamId,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE stream SET state = 'ended', ended_at = $2
         WHERE id = $1 AND ended_at IS NULL AND (node IS NULL OR node = $3)",
        text(stream),
        ended_at.as_millisecond(),
        node.id.to_string(),
    )
    .map_err(on("stream"))?;
    Ok(())
}

/// Publishers of these streams are at this server at that time.
pub(in super::super) async fn see_on_air(
    db: &Db,
    node: Node,
    streams: &[StreamId],
    at: Timestamp,
) -> Result<(), StoreError> {
    if streams.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for stream in streams {
        tx_change!(
            &mut tx,
            "UPDATE stream SET on_air_at = $2 WHERE id = $1 AND state = 'live' AND node = $3",
            text(*stream),
            at.as_millisecond(),
            node.id.to_string(),
        )
        .map_err(on("stream"))?;
    }
    tx.commit().await
}

/// Streams that are on air at other servers, as the books say.
pub(in super::super) async fn on_air_elsewhere(
    db: &Db,
    node: Node,
) -> Result<HashSet<StreamId>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT id FROM stream WHERE state = 'live' AND node <> $1",
        node.id.to_string(),
    )
    .map_err(on("stream"))?;
    let ids = rows.into_iter();
    let ids = ids.filter_map(|(id,)| Some(Uuid::parse_str(&id).ok()?.as_u128()));
    Ok(ids.map(StreamId::from).collect())
}

/// What is on air on a channel at another server as the books say, whether that runs or not, and when its
/// publisher was seen last.
pub(in super::super::super) async fn open_elsewhere(
    db: &Db,
    channel: ChannelId,
    node: Node,
) -> Result<Option<(Stream, Timestamp)>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!("WHERE channel_id = $1 AND state = 'live' AND node <> $2"),
        channel.to_string(),
        node.id.to_string(),
    )
    .map_err(on("stream"))?;
    let Some(stream) = row.map(Row::into_stream).transpose()? else {
        return Ok(None);
    };
    let seen: Option<(Option<i64>,)> = first!(
        db,
        "SELECT on_air_at FROM stream WHERE id = $1",
        text(stream.id),
    )
    .map_err(on("stream"))?;
    let seen = seen.and_then(|(at,)| at).unwrap_or_default();
    Ok(Some((stream, from_millis(seen))))
}

/// This server has a stream on air from now on that another had, by that lease; its media lie in a folder
/// of that name. False: it is over, or somebody with a newer lease has it.
pub(in super::super::super) async fn take_over(
    db: &Db,
    stream: StreamId,
    node: Node,
    (fence, media): (u64, StreamId),
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "UPDATE stream SET node = $2, fence = $3, media = $4, on_air_at = $5
         WHERE id = $1 AND state = 'live' AND COALESCE(fence, 0) < $3",
        text(stream),
        node.id.to_string(),
        i64::try_from(fence).unwrap_or(i64::MAX),
        text(media),
        at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    Ok(changed == 1)
}

/// Whether the publisher of a stream was seen at that server since then.
pub(in super::super::super) async fn is_seen_on_air(
    db: &Db,
    stream: StreamId,
    server: Uuid,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT id FROM stream WHERE id = $1 AND state = 'live' AND node = $2 AND on_air_at >= $3",
        text(stream),
        server.to_string(),
        since.as_millisecond(),
    )
    .map_err(on("stream"))?;
    Ok(row.is_some())
}

/// The name of the folder of a stream's media, where that is not its own.
pub(in super::super::super) async fn media_of(
    db: &Db,
    stream: StreamId,
) -> Result<Option<StreamId>, StoreError> {
    let row: Option<(Option<String>,)> =
        first!(db, "SELECT media FROM stream WHERE id = $1", text(stream),)
            .map_err(on("stream"))?;
    let media = row.and_then(|(media,)| Uuid::parse_str(&media?).ok());
    Ok(media.map(|media| StreamId::from(media.as_u128())))
}

/// Streams that are on air at a server which does not run any more, and whose publishers were seen last
/// before that time.
pub(in super::super) async fn left_by_others(
    db: &Db,
    node: Node,
    (seen_before, now): (Timestamp, Timestamp),
) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE state = 'live' AND node <> $1 AND COALESCE(on_air_at, 0) < $2
               AND node NOT IN (SELECT id FROM node WHERE seen_at > $3)"
        ),
        node.id.to_string(),
        seen_before.as_millisecond(),
        node.lost_before(now).as_millisecond(),
    )
    .map_err(on("stream"))?;
    streams(rows)
}

/// The same stream is over. False: somebody was faster, or took it over.
pub(in super::super) async fn end_left(
    db: &Db,
    node: Node,
    stream: StreamId,
    (seen_before, now): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "UPDATE stream SET state = 'ended', ended_at = COALESCE(on_air_at, $2)
         WHERE id = $1 AND state = 'live' AND node <> $3 AND COALESCE(on_air_at, 0) < $4
           AND node NOT IN (SELECT id FROM node WHERE seen_at > $5)",
        text(stream),
        now.as_millisecond(),
        node.id.to_string(),
        seen_before.as_millisecond(),
        node.lost_before(now).as_millisecond(),
    )
    .map_err(on("stream"))?;
    Ok(changed == 1)
}

/// What this server left on air, and had seen there since then.
pub(in super::super::super) async fn left_on_air(
    db: &Db,
    node: Node,
    since: Timestamp,
) -> Result<Vec<Stream>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!("WHERE state = 'live' AND node = $1 AND on_air_at >= $2"),
        node.id.to_string(),
        since.as_millisecond(),
    )
    .map_err(on("stream"))?;
    streams(rows)
}

/// Ends what this server, unless it was seen on air since then, or one that does not run any more left
/// on air, when it was seen last; and, when no other runs, what waited for its publisher without a time
/// that it is planned for. Gives how many waited, and what was on air.
pub(in super::super::super) async fn end_left_open(
    db: &Db,
    node: Node,
    at: Timestamp,
    since: Timestamp,
) -> Result<(u64, Vec<Stream>), StoreError> {
    let (me, lost) = (node.id.to_string(), node.lost_before(at).as_millisecond());
    change!(
        db,
        "UPDATE stream SET state = 'scheduled', preparing_until = NULL
         WHERE state = 'preparing' AND scheduled_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM node WHERE id <> $1 AND seen_at > $2)",
        &me,
        lost,
    )
    .map_err(on("stream"))?;
    let waited = change!(
        db,
        "UPDATE stream SET state = 'ended', ended_at = $1, preparing_until = NULL
         WHERE state = 'preparing'
           AND NOT EXISTS (SELECT 1 FROM node WHERE id <> $2 AND seen_at > $3)",
        at.as_millisecond(),
        &me,
        lost,
    )
    .map_err(on("stream"))?;
    // In one step: another server may take one over meanwhile.
    let mut tx = db.begin().await?;
    let left: Vec<(String,)> = tx_all!(
        &mut tx,
        "UPDATE stream SET state = 'ended', ended_at = COALESCE(on_air_at, $4)
         WHERE state = 'live' AND (node IS NULL
             OR node = $1 AND COALESCE(on_air_at, 0) < $3
             OR node <> $1 AND node NOT IN (SELECT id FROM node WHERE seen_at > $2))
         RETURNING id",
        &me,
        lost,
        since.as_millisecond(),
        at.as_millisecond(),
    )
    .map_err(on("stream"))?;
    tx.commit().await?;
    let mut ended = Vec::new();
    for id in left.iter().filter_map(|(id,)| Uuid::parse_str(id).ok()) {
        ended.extend(by_id(db, StreamId::from(id.as_u128())).await?);
    }
    Ok((waited, ended))
}

/// How often what is on air was changed, by stream.
pub(in super::super) async fn revisions_on_air(db: &Db) -> Result<HashMap<Uuid, u32>, StoreError> {
    let rows: Vec<(String, i64)> =
        all!(db, "SELECT id, revision FROM stream WHERE state = 'live'",).map_err(on("stream"))?;
    let read = |(id, revision): (String, i64)| {
        Some((Uuid::parse_str(&id).ok()?, u32::try_from(revision).ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// What is on air on a channel at another server that runs.
pub(in super::super) async fn live_elsewhere(
    db: &Db,
    channel: ChannelId,
    node: Node,
    now: Timestamp,
) -> Result<Option<Stream>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!(
            "WHERE channel_id = $1 AND state = 'live' AND node <> $2
               AND node IN (SELECT id FROM node WHERE seen_at > $3)"
        ),
        channel.to_string(),
        node.id.to_string(),
        node.lost_before(now).as_millisecond(),
    )
    .map_err(on("stream"))?;
    row.map(Row::into_stream).transpose()
}
