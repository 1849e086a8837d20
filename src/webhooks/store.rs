//! All SQL about webhooks and their deliveries.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Delivery, DeliveryState, Hook, Outcome};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::events::Kind;
use crate::page::Cursor;

fn uuid(table: &'static str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table,
        key: text.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

#[derive(sqlx::FromRow)]
struct HookRow {
    id: String,
    channel_id: String,
    url: String,
    kinds: String,
    is_enabled: bool,
    problem: Option<String>,
    created_at: i64,
}

impl HookRow {
    fn into_hook(self) -> Result<Hook, StoreError> {
        Ok(Hook {
            id: uuid("webhook", &self.id)?,
            channel: ChannelId(uuid("webhook", &self.channel_id)?),
            url: self.url,
            kinds: self.kinds.split(' ').filter_map(Kind::parse).collect(),
            is_enabled: self.is_enabled,
            problem: self.problem,
            created_at: from_millis(self.created_at),
        })
    }
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: String,
    webhook_id: String,
    event_id: String,
    kind: String,
    body: String,
    state: String,
    created_at: i64,
    attempts: i64,
    tried_at: Option<i64>,
    status: Option<i64>,
    took_ms: Option<i64>,
    answer: Option<String>,
    problem: Option<String>,
}

impl DeliveryRow {
    fn into_delivery(self) -> Result<Delivery, StoreError> {
        let state = DeliveryState::parse(&self.state).ok_or_else(|| StoreError::Corrupt {
            table: "webhook_delivery",
            key: self.id.clone(),
            expected: "a state",
            found: self.state.clone(),
        })?;
        Ok(Delivery {
            id: uuid("webhook_delivery", &self.id)?,
            hook: uuid("webhook_delivery", &self.webhook_id)?,
            event: self.event_id,
            kind: self.kind,
            body: self.body,
            state,
            created_at: from_millis(self.created_at),
            attempts: self.attempts,
            tried_at: self.tried_at.map(from_millis),
            status: self.status,
            took_ms: self.took_ms,
            answer: self.answer,
            problem: self.problem,
        })
    }
}

fn names(kinds: &[Kind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    names.join(" ")
}

pub(super) async fn count(tx: &mut Tx, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM webhook WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("webhook"))?;
    Ok(row.map_or(0, |row| row.0))
}

pub(super) async fn insert(tx: &mut Tx, hook: &Hook) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO webhook (id, channel_id, url, kinds, is_enabled, problem, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        hook.id.to_string(),
        hook.channel.to_string(),
        &hook.url,
        names(&hook.kinds),
        hook.is_enabled,
        hook.problem.as_deref(),
        hook.created_at.as_millisecond(),
    )
    .map_err(on("webhook"))?;
    Ok(())
}

pub(super) async fn of_channel(db: &Db, channel: ChannelId) -> Result<Vec<Hook>, StoreError> {
    let rows: Vec<HookRow> = all!(
        db,
        "SELECT id, channel_id, url, kinds, is_enabled, problem, created_at FROM webhook
         WHERE channel_id = $1 ORDER BY created_at, id",
        channel.to_string(),
    )
    .map_err(on("webhook"))?;
    rows.into_iter().map(HookRow::into_hook).collect()
}

pub(super) async fn by_id(db: &Db, id: Uuid) -> Result<Option<Hook>, StoreError> {
    let row: Option<HookRow> = first!(
        db,
        "SELECT id, channel_id, url, kinds, is_enabled, problem, created_at FROM webhook
         WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("webhook"))?;
    row.map(HookRow::into_hook).transpose()
}

pub(super) async fn update(db: &Db, hook: &Hook) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE webhook SET url = $2, kinds = $3, is_enabled = $4, problem = $5 WHERE id = $1",
        hook.id.to_string(),
        &hook.url,
        names(&hook.kinds),
        hook.is_enabled,
        hook.problem.as_deref(),
    )
    .map_err(on("webhook"))?;
    Ok(())
}

/// Switches a hook off, with the reason; one that is off keeps its own.
pub(super) async fn switch_off(db: &Db, id: Uuid, problem: &str) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE webhook SET is_enabled = FALSE, problem = $2 WHERE id = $1 AND is_enabled",
        id.to_string(),
        problem,
    )
    .map_err(on("webhook"))?;
    Ok(())
}

pub(super) async fn delete(db: &Db, id: Uuid) -> Result<(), StoreError> {
    change!(db, "DELETE FROM webhook WHERE id = $1", id.to_string()).map_err(on("webhook"))?;
    Ok(())
}

/// Writes a delivery down. Its id is made of what it is about where it must not happen twice: false
/// tells that it is there already.
pub(super) async fn insert_delivery(tx: &mut Tx, delivery: &Delivery) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "INSERT INTO webhook_delivery (id, webhook_id, event_id, kind, body, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        delivery.id.to_string(),
        delivery.hook.to_string(),
        &delivery.event,
        &delivery.kind,
        &delivery.body,
        delivery.state.as_str(),
        delivery.created_at.as_millisecond(),
    )
    .map_err(on("webhook_delivery"))?;
    Ok(changed == 1)
}

pub(super) async fn delivery(db: &Db, id: Uuid) -> Result<Option<Delivery>, StoreError> {
    let row: Option<DeliveryRow> = first!(
        db,
        "SELECT id, webhook_id, event_id, kind, body, state, created_at, attempts, tried_at, status,
                took_ms, answer, problem
         FROM webhook_delivery WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("webhook_delivery"))?;
    row.map(DeliveryRow::into_delivery).transpose()
}

pub(super) async fn deliveries(
    db: &Db,
    hook: Uuid,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<DeliveryRow> = all!(
        db,
        "SELECT id, webhook_id, event_id, kind, body, state, created_at, attempts, tried_at, status,
                took_ms, answer, problem
         FROM webhook_delivery
         WHERE webhook_id = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3))
         ORDER BY created_at DESC, id DESC LIMIT $4",
        hook.to_string(),
        behind.at_ms(),
        behind.id(),
        most,
    )
    .map_err(on("webhook_delivery"))?;
    rows.into_iter().map(DeliveryRow::into_delivery).collect()
}

/// Writes down how a try ended.
pub(super) async fn note(
    db: &Db,
    id: Uuid,
    state: DeliveryState,
    at: Timestamp,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE webhook_delivery SET state = $2, attempts = attempts + 1, tried_at = $3, status = $4,
             took_ms = $5, answer = $6, problem = $7
         WHERE id = $1",
        id.to_string(),
        state.as_str(),
        at.as_millisecond(),
        outcome.status,
        outcome.took_ms,
        outcome.answer.as_deref(),
        outcome.problem.as_deref(),
    )
    .map_err(on("webhook_delivery"))?;
    Ok(())
}

/// Deletes what is older than that.
pub(super) async fn sweep(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    change!(
        db,
        "DELETE FROM webhook_delivery WHERE created_at < $1",
        before.as_millisecond(),
    )
    .map_err(on("webhook_delivery"))
}
