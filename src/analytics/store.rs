//! All SQL about audiences and the health of streams.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::health::{EVERY_MS, Moment};
use super::pending::{Added, Minute, ViewingRow};
use crate::accounts::{Account, AccountId};
use crate::channels::ChannelId;
use crate::db::{Db, StoreError, Tx, all, first, on, tx_change, tx_first};
use crate::streams::{ByTransport, Sample};

/// Rows in one transaction, so that no other writer waits long.
const BATCH: usize = 500;
/// The row of a stream comes within this time, unless the stream was deleted.
const EARLY_FOR_MS: i64 = 600_000;

/// A stream and whose it is.
#[derive(Debug, Clone)]
pub(super) struct StreamRow {
    pub(super) id: Uuid,
    pub(super) owner: AccountId,
    pub(super) title: String,
    pub(super) started_ms: i64,
    pub(super) ended_ms: Option<i64>,
}

/// What a stream's audience came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) peak: i64,
    pub(super) unique: i64,
    pub(super) watched_ms: ByTransport,
}

impl StreamRow {
    /// Whether an account sees all of it: its owner does, and whoever runs the server.
    pub(super) fn is_of(&self, account: &Account) -> bool {
        account.has_say_over(self.owner)
    }
}

type StreamFields = (String, String, String, i64, Option<i64>);
pub(super) async fn stream(db: &Db, id: Uuid) -> Result<Option<StreamRow>, StoreError> {
    let row: Option<StreamFields> = first!(
        db,
        "SELECT s.id, c.owner_id, s.title, s.started_at, s.ended_at
         FROM stream s JOIN channel c ON c.id = s.channel_id WHERE s.id = $1",
        id.to_string(),
    )
    .map_err(on("stream"))?;
    row.map(stream_of).transpose()
}

/// One time that an account watched.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Watched {
    pub(super) handle: String,
    pub(super) title: String,
    pub(super) transport: String,
    pub(super) device: String,
    pub(super) started_at: i64,
    pub(super) last_seen_at: i64,
    pub(super) watch_ms: i64,
}

/// What an account watched, newest first.
pub(super) async fn watched_by(db: &Db, account: AccountId) -> Result<Vec<Watched>, StoreError> {
    all!(
        db,
        "SELECT c.handle, s.title, v.transport, v.device, v.started_at, v.last_seen_at, v.watch_ms
         FROM viewing v JOIN stream s ON s.id = v.stream_id JOIN channel c ON c.id = s.channel_id
         WHERE v.account_id = $1 ORDER BY v.started_at DESC, v.id DESC LIMIT 10000",
        account.to_string(),
    )
    .map_err(on("viewing"))
}

/// Streams of a channel that went on air, newest first, behind a place.
pub(super) async fn streams_before(
    db: &Db,
    channel: ChannelId,
    (before_ms, before_id): (i64, &str),
    most: i64,
) -> Result<Vec<StreamRow>, StoreError> {
    let rows: Vec<StreamFields> = all!(
        db,
        "SELECT s.id, c.owner_id, s.title, s.started_at, s.ended_at
         FROM stream s JOIN channel c ON c.id = s.channel_id
         WHERE s.channel_id = $1 AND s.source <> 'none'
           AND (s.started_at < $2 OR (s.started_at = $2 AND s.id < $3))
         ORDER BY s.started_at DESC, s.id DESC LIMIT $4",
        channel.to_string(),
        before_ms,
        before_id,
        most,
    )
    .map_err(on("stream"))?;
    rows.into_iter().map(stream_of).collect()
}

fn stream_of(fields: StreamFields) -> Result<StreamRow, StoreError> {
    let (id, owner, title, started_ms, ended_ms) = fields;
    Ok(StreamRow {
        owner: AccountId(uuid("channel", &id, &owner)?),
        id: uuid("stream", &id, &id)?,
        title,
        started_ms,
        ended_ms,
    })
}

fn uuid(table: &'static str, key: &str, text: &str) -> Result<Uuid, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt {
        table,
        key: key.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

/// Writes viewings, and takes back those that turned out to be another's. What is written is gone from
/// the lists. A stream or an account that was deleted meanwhile takes its rows along.
pub(super) async fn write_viewings(
    db: &Db,
    rows: &mut Vec<ViewingRow>,
    replaced: &mut Vec<Uuid>,
) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let batch = rows.len().min(BATCH);
        let mut tx = db.begin().await?;
        for row in rows.iter().take(batch) {
            write_viewing(&mut tx, row).await?;
        }
        tx.commit().await?;
        rows.drain(..batch);
    }
    if !replaced.is_empty() {
        let mut tx = db.begin().await?;
        for id in replaced.iter() {
            tx_change!(&mut tx, "DELETE FROM viewing WHERE id = $1", id.to_string())
                .map_err(on("viewing"))?;
        }
        tx.commit().await?;
        replaced.clear();
    }
    Ok(())
}

async fn write_viewing(tx: &mut Tx, row: &ViewingRow) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO viewing (id, stream_id, viewer, account_id, transport, device, started_at,
             last_seen_at, watch_ms)
         SELECT $1, s.id, $3, (SELECT id FROM account WHERE id = $4), $5, $6, $7, $8, $9
         FROM stream s WHERE s.id = $2
         ON CONFLICT (id) DO UPDATE SET viewer = excluded.viewer,
             account_id = excluded.account_id, transport = excluded.transport,
             last_seen_at = CASE WHEN excluded.last_seen_at > viewing.last_seen_at
                 THEN excluded.last_seen_at ELSE viewing.last_seen_at END,
             watch_ms = CASE WHEN excluded.watch_ms > viewing.watch_ms
                 THEN excluded.watch_ms ELSE viewing.watch_ms END",
        row.id.to_string(),
        row.stream.to_string(),
        row.viewer.as_str(),
        row.account.as_deref(),
        row.transport,
        row.device,
        row.started_ms,
        row.last_seen_ms,
        row.watch_ms,
    )
    .map_err(on("viewing"))?;
    Ok(())
}

/// Adds to streams' numbers. What is added is gone from the list.
pub(super) async fn add_numbers(
    db: &Db,
    added: &mut HashMap<Uuid, Added>,
) -> Result<(), StoreError> {
    let mut streams: Vec<Uuid> = added.keys().copied().collect();
    // Always in one order, so that two servers on one database cannot wait for each other.
    streams.sort_unstable();
    for batch in streams.chunks(BATCH) {
        let mut tx = db.begin().await?;
        for stream in batch {
            if let Some(added) = added.get(stream) {
                add(&mut tx, *stream, added).await?;
            }
        }
        tx.commit().await?;
        for stream in batch {
            added.remove(stream);
        }
    }
    Ok(())
}

async fn add(tx: &mut Tx, stream: Uuid, added: &Added) -> Result<(), StoreError> {
    let unique: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(DISTINCT viewer) AS BIGINT) FROM viewing WHERE stream_id = $1",
        stream.to_string(),
    )
    .map_err(on("viewing"))?;
    tx_change!(
        tx,
        "INSERT INTO stream_numbers (stream_id, peak, unique_viewers, webrtc_ms, ll_hls_ms, hls_ms)
         SELECT s.id, $2, $3, $4, $5, $6 FROM stream s WHERE s.id = $1
         ON CONFLICT (stream_id) DO UPDATE SET
             peak = CASE WHEN excluded.peak > stream_numbers.peak
                 THEN excluded.peak ELSE stream_numbers.peak END,
             unique_viewers = CASE WHEN excluded.unique_viewers > stream_numbers.unique_viewers
                 THEN excluded.unique_viewers ELSE stream_numbers.unique_viewers END,
             webrtc_ms = stream_numbers.webrtc_ms + excluded.webrtc_ms,
             ll_hls_ms = stream_numbers.ll_hls_ms + excluded.ll_hls_ms,
             hls_ms = stream_numbers.hls_ms + excluded.hls_ms",
        stream.to_string(),
        added.peak,
        unique.map_or(0, |(unique,)| unique),
        added.watched_ms.webrtc,
        added.watched_ms.ll_hls,
        added.watched_ms.hls,
    )
    .map_err(on("stream_numbers"))?;
    Ok(())
}

pub(super) async fn numbers(db: &Db, stream: Uuid) -> Result<Numbers, StoreError> {
    let row: Option<(i64, i64, i64, i64, i64)> = first!(
        db,
        "SELECT peak, unique_viewers, webrtc_ms, ll_hls_ms, hls_ms FROM stream_numbers
         WHERE stream_id = $1",
        stream.to_string(),
    )
    .map_err(on("stream_numbers"))?;
    let numbers = row.map(|(peak, unique, webrtc, ll_hls, hls)| Numbers {
        peak,
        unique,
        watched_ms: ByTransport {
            webrtc,
            ll_hls,
            hls,
        },
    });
    Ok(numbers.unwrap_or_default())
}

/// Writes minutes of audiences. What is written is gone from the list.
pub(super) async fn write_minutes(
    db: &Db,
    minutes: &mut Vec<(Uuid, Minute)>,
) -> Result<(), StoreError> {
    while !minutes.is_empty() {
        let batch = minutes.len().min(BATCH);
        let mut tx = db.begin().await?;
        for (stream, minute) in minutes.iter().take(batch) {
            tx_change!(
                &mut tx,
                "INSERT INTO viewer_minute (stream_id, at, viewers, most)
                 SELECT s.id, $2, $3, $4 FROM stream s WHERE s.id = $1
                 ON CONFLICT (stream_id, at) DO UPDATE SET viewers = excluded.viewers,
                     most = CASE WHEN excluded.most > viewer_minute.most
                         THEN excluded.most ELSE viewer_minute.most END",
                stream.to_string(),
                minute.at_ms,
                minute.viewers,
                minute.most,
            )
            .map_err(on("viewer_minute"))?;
        }
        tx.commit().await?;
        minutes.drain(..batch);
    }
    Ok(())
}

/// The minutes of a stream in their order; of a very long one the first.
pub(super) async fn minutes(db: &Db, stream: Uuid, most: i64) -> Result<Vec<Minute>, StoreError> {
    let rows: Vec<(i64, f64, i64)> = all!(
        db,
        "SELECT at, viewers, most FROM viewer_minute WHERE stream_id = $1 ORDER BY at LIMIT $2",
        stream.to_string(),
        most,
    )
    .map_err(on("viewer_minute"))?;
    let minutes = rows.into_iter().map(|(at_ms, viewers, most)| Minute {
        at_ms,
        viewers,
        most,
    });
    Ok(minutes.collect())
}

/// Writes samples. What is written is gone from the list.
pub(super) async fn write_moments(
    db: &Db,
    moments: &mut Vec<(Uuid, Moment)>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut first = 0;
    while first < moments.len() {
        let end = moments.len().min(first + BATCH);
        let mut early = HashSet::new();
        let mut tx = db.begin().await?;
        for (stream, moment) in moments.iter().take(end).skip(first) {
            let is_written = write_moment(&mut tx, *stream, moment).await?;
            if !is_written
                && now_ms - moment.at_ms < EARLY_FOR_MS
                && !has_row(&mut tx, *stream).await?
            {
                early.insert(*stream);
            }
        }
        tx.commit().await?;
        let batch = moments.drain(first..end);
        let kept: Vec<_> = batch.filter(|(of, _)| early.contains(of)).collect();
        let count = kept.len();
        moments.splice(first..first, kept);
        first += count;
    }
    Ok(())
}

async fn has_row(tx: &mut Tx, stream: Uuid) -> Result<bool, StoreError> {
    let row: Option<(String,)> = tx_first!(
        tx,
        "SELECT id FROM stream WHERE id = $1",
        stream.to_string(),
    )
    .map_err(on("stream"))?;
    Ok(row.is_some())
}

/// False: it was written before, or the stream has no row.
async fn write_moment(tx: &mut Tx, stream: Uuid, moment: &Moment) -> Result<bool, StoreError> {
    let sample = &moment.sample;
    let written = tx_change!(
        tx,
        "INSERT INTO health_sample (stream_id, at, span_ms, away, score, bitrate, audio_bitrate,
             fps, keyframe_interval_ms, loss, rtt_ms, dropped, layers, viewers, has_video)
         SELECT s.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
         FROM stream s WHERE s.id = $1
         ON CONFLICT (stream_id, at) DO NOTHING",
        stream.to_string(),
        moment.at_ms,
        moment.span_ms,
        sample.is_away,
        moment.score,
        sample.bitrate,
        sample.audio_bitrate,
        sample.fps,
        sample.keyframe_interval_ms,
        sample.loss,
        sample.rtt_ms,
        sample.dropped,
        sample.layers,
        sample.viewers,
        sample.has_video,
    )
    .map_err(on("health_sample"))?;
    Ok(written == 1)
}

/// Samples of a stream in their order, of times later than one and up to another.
pub(super) async fn moments(
    db: &Db,
    stream: Uuid,
    after_ms: i64,
    to_ms: i64,
) -> Result<Vec<Moment>, StoreError> {
    let rows: Vec<MomentRow> = all!(
        db,
        "SELECT at, span_ms, away, score, bitrate, audio_bitrate, fps, keyframe_interval_ms, loss,
             rtt_ms, dropped, layers, viewers, has_video
         FROM health_sample WHERE stream_id = $1 AND at > $2 AND at <= $3 ORDER BY at",
        stream.to_string(),
        after_ms,
        to_ms,
    )
    .map_err(on("health_sample"))?;
    Ok(rows.into_iter().map(MomentRow::moment).collect())
}

/// Samples of a stream in which something was wrong, in their order; of very many the first.
pub(super) async fn bad_moments(
    db: &Db,
    stream: Uuid,
    most: i64,
) -> Result<Vec<Moment>, StoreError> {
    let rows: Vec<MomentRow> = all!(
        db,
        "SELECT at, span_ms, away, score, bitrate, audio_bitrate, fps, keyframe_interval_ms, loss,
             rtt_ms, dropped, layers, viewers, has_video
         FROM health_sample
         WHERE stream_id = $1 AND (away OR audio_bitrate = 0 OR (has_video
             AND (bitrate < 500000 OR fps < 20 OR keyframe_interval_ms > 4000)))
         ORDER BY at LIMIT $2",
        stream.to_string(),
        most,
    )
    .map_err(on("health_sample"))?;
    Ok(rows.into_iter().map(MomentRow::moment).collect())
}

/// The sum of all scores, each times how long it held, and of those times.
pub(super) async fn score_sums(db: &Db, stream: Uuid) -> Result<(i64, i64), StoreError> {
    let row: Option<(Option<i64>, Option<i64>)> = first!(
        db,
        "SELECT CAST(SUM(score * span_ms) AS BIGINT), CAST(SUM(span_ms) AS BIGINT)
         FROM health_sample WHERE stream_id = $1",
        stream.to_string(),
    )
    .map_err(on("health_sample"))?;
    let (weighted, spans) = row.unwrap_or_default();
    Ok((weighted.unwrap_or(0), spans.unwrap_or(0)))
}

#[derive(Debug, sqlx::FromRow)]
struct MomentRow {
    at: i64,
    span_ms: i64,
    away: bool,
    score: i64,
    bitrate: i64,
    audio_bitrate: i64,
    fps: f64,
    keyframe_interval_ms: Option<i64>,
    loss: Option<f64>,
    rtt_ms: Option<f64>,
    dropped: i64,
    layers: i64,
    viewers: i64,
    has_video: bool,
}

impl MomentRow {
    fn moment(self) -> Moment {
        Moment {
            at_ms: self.at,
            span_ms: self.span_ms,
            score: self.score,
            sample: Sample {
                is_away: self.away,
                bitrate: self.bitrate,
                audio_bitrate: self.audio_bitrate,
                fps: self.fps,
                keyframe_interval_ms: self.keyframe_interval_ms,
                loss: self.loss,
                rtt_ms: self.rtt_ms,
                dropped: self.dropped,
                layers: self.layers,
                viewers: self.viewers,
                has_video: self.has_video,
            },
        }
    }
}

/// A stream that has samples of full number from before that time.
pub(super) async fn fine_before(db: &Db, before_ms: i64) -> Result<Option<Uuid>, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT stream_id FROM health_sample WHERE span_ms = $1 AND at <= $2 LIMIT 1",
        EVERY_MS,
        before_ms,
    )
    .map_err(on("health_sample"))?;
    row.map(|(id,)| uuid("health_sample", &id, &id)).transpose()
}

/// Puts fewer samples in the place of all up to a time.
pub(super) async fn replace_moments(
    db: &Db,
    stream: Uuid,
    to_ms: i64,
    moments: &[Moment],
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx_change!(
        &mut tx,
        "DELETE FROM health_sample WHERE stream_id = $1 AND at <= $2",
        stream.to_string(),
        to_ms,
    )
    .map_err(on("health_sample"))?;
    for moment in moments {
        write_moment(&mut tx, stream, moment).await?;
    }
    tx.commit().await
}
