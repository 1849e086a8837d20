//! All SQL about jobs.

use jiff::Timestamp;
use uuid::Uuid;

use super::{FailedJob, Job};
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    payload: String,
    created_at: i64,
    attempts: i64,
}

impl Row {
    fn into_job(self) -> Result<Job, StoreError> {
        Ok(Job {
            id: Uuid::parse_str(&self.id).map_err(|_| StoreError::Corrupt {
                table: "job",
                key: self.id.clone(),
                expected: "a UUID",
                found: self.id.clone(),
            })?,
            kind: self.kind,
            payload: self.payload,
            created_at: from_millis(self.created_at),
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, job: &Job, run_at: Timestamp) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO job (id, kind, payload, created_at, run_at) VALUES ($1, $2, $3, $4, $5)",
        job.id.to_string(),
        &job.kind,
        &job.payload,
        job.created_at.as_millisecond(),
        run_at.as_millisecond(),
    )
    .map_err(on("job"))?;
    Ok(())
}

/// Takes the job that is due for the longest, until `until`; none of the kinds in `busy`.
///
/// Of two workers that choose the same row the second finds it put off: the outer condition is looked
/// at again once the first has committed.
pub(super) async fn take(
    db: &Db,
    now: Timestamp,
    until: Timestamp,
    busy: &[&str],
    by: Option<Uuid>,
) -> Result<Option<Job>, StoreError> {
    let busy: String = busy.iter().map(|kind| format!(" {kind} ")).collect();
    let mut tx = db.begin().await?;
    let row: Option<Row> = tx_first!(
        &mut tx,
        "UPDATE job SET run_at = $2, attempts = attempts + 1, taken_by = $4
         WHERE id = (SELECT id FROM job WHERE failed_at IS NULL AND run_at <= $1
                       AND $3 NOT LIKE '% ' || kind || ' %' ORDER BY run_at, id LIMIT 1)
           AND failed_at IS NULL AND run_at <= $1
         RETURNING id, kind, payload, created_at, attempts",
        now.as_millisecond(),
        until.as_millisecond(),
        busy,
        by.map(|by| by.to_string()),
    )
    .map_err(on("job"))?;
    tx.commit().await?;
    row.map(Row::into_job).transpose()
}

/// What a server had taken when it was killed is due at once.
pub(super) async fn take_back(db: &Db, by: Uuid, now: Timestamp) -> Result<u64, StoreError> {
    change!(
        db,
        "UPDATE job SET run_at = $2, taken_by = NULL WHERE taken_by = $1 AND failed_at IS NULL",
        by.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("job"))
}

pub(super) async fn delete(db: &Db, id: Uuid) -> Result<(), StoreError> {
    change!(db, "DELETE FROM job WHERE id = $1", id.to_string()).map_err(on("job"))?;
    Ok(())
}

pub(super) async fn put_off(
    db: &Db,
    id: Uuid,
    until: Timestamp,
    problem: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE job SET run_at = $2, problem = $3, taken_by = NULL WHERE id = $1",
        id.to_string(),
        until.as_millisecond(),
        problem,
    )
    .map_err(on("job"))?;
    Ok(())
}

pub(super) async fn give_up(
    db: &Db,
    id: Uuid,
    at: Timestamp,
    problem: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE job SET failed_at = $2, problem = $3 WHERE id = $1",
        id.to_string(),
        at.as_millisecond(),
        problem,
    )
    .map_err(on("job"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct FailedRow {
    id: String,
    kind: String,
    created_at: i64,
    failed_at: i64,
    attempts: i64,
    problem: Option<String>,
}

/// Jobs that were given up, the last first.
pub(super) async fn failed(db: &Db) -> Result<Vec<FailedJob>, StoreError> {
    let rows: Vec<FailedRow> = all!(
        db,
        "SELECT id, kind, created_at, failed_at, attempts, problem FROM job
         WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, id LIMIT 100",
    )
    .map_err(on("job"))?;
    let jobs = rows.into_iter().map(|row| {
        Ok(FailedJob {
            id: Uuid::parse_str(&row.id).map_err(|_| StoreError::Corrupt {
                table: "job",
                key: row.id.clone(),
                expected: "a UUID",
                found: row.id.clone(),
            })?,
            kind: row.kind,
            created_at: from_millis(row.created_at),
            failed_at: from_millis(row.failed_at),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            problem: row.problem.unwrap_or_default(),
        })
    });
    jobs.collect()
}

/// Begins a job anew that was given up: its patience counts from now.
pub(super) async fn retry(db: &Db, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "UPDATE job SET failed_at = NULL, attempts = 0, created_at = $2, run_at = $2
         WHERE id = $1 AND failed_at IS NOT NULL",
        id.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("job"))?;
    Ok(changed > 0)
}

/// Removes what was given up before then.
pub(super) async fn sweep(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    change!(
        db,
        "DELETE FROM job WHERE failed_at < $1",
        before.as_millisecond(),
    )
    .map_err(on("job"))
}

pub(super) async fn count(db: &Db) -> Result<(i64, i64), StoreError> {
    let row: Option<(i64, i64)> = first!(
        db,
        "SELECT CAST(COUNT(*) AS BIGINT) - CAST(COUNT(failed_at) AS BIGINT),
                CAST(COUNT(failed_at) AS BIGINT) FROM job",
    )
    .map_err(on("job"))?;
    Ok(row.unwrap_or_default())
}
