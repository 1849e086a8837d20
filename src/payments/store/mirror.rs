//! What Stripe said: events, customers, accounts, subscriptions, charges.

use jiff::Timestamp;

use super::{currency, read_as, uuid_or_none};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::page::Cursor;
use crate::payments::mirror::{ChargeState, PayoutAccount, Subscription, SubscriptionStatus};
use crate::payments::money::Period;
use crate::payments::webhook::EventHead;

/// An event, and what came of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::payments) struct EventRow {
    pub(in crate::payments) id: String,
    pub(in crate::payments) kind: String,
    pub(in crate::payments) object_id: String,
    pub(in crate::payments) created_at: i64,
    pub(in crate::payments) received_at: i64,
    pub(in crate::payments) done_at: Option<i64>,
    pub(in crate::payments) outcome: String,
}

/// False: it is there already.
pub(in crate::payments) async fn add_event(
    tx: &mut Tx,
    event: &EventHead,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let added = tx_change!(
        tx,
        "INSERT INTO stripe_event (id, kind, object_id, created_at, received_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        event.id.clone(),
        event.kind.clone(),
        event.object.clone(),
        event.created_at.as_millisecond(),
        now.as_millisecond(),
    )
    .map_err(on("stripe_event"))?;
    Ok(added == 1)
}

/// What came of the object that an event is about; of others that it led to it does not tell.
pub(in crate::payments) async fn finish_event(
    tx: &mut Tx,
    id: &str,
    object: &str,
    outcome: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE stripe_event SET done_at = $2, outcome = $3 WHERE id = $1 AND object_id = $4",
        id.to_owned(),
        now.as_millisecond(),
        outcome.to_owned(),
        object.to_owned(),
    )
    .map_err(on("stripe_event"))?;
    Ok(())
}

pub(in crate::payments) async fn event(db: &Db, id: &str) -> Result<Option<EventRow>, StoreError> {
    first!(
        db,
        "SELECT id, kind, object_id, created_at, received_at, done_at, outcome
         FROM stripe_event WHERE id = $1",
        id.to_owned(),
    )
    .map_err(on("stripe_event"))
}

/// Newest first.
pub(in crate::payments) async fn events(
    db: &Db,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<EventRow>, StoreError> {
    all!(
        db,
        "SELECT id, kind, object_id, created_at, received_at, done_at, outcome FROM stripe_event
         WHERE received_at < $1 OR (received_at = $1 AND id < $2)
         ORDER BY received_at DESC, id DESC LIMIT $3",
        behind.at_ms(),
        behind.id().to_owned(),
        most,
    )
    .map_err(on("stripe_event"))
}

/// The number of the question that is about to be asked about an object.
pub(in crate::payments) async fn ask(db: &Db, object: &str) -> Result<i64, StoreError> {
    let mut tx = db.begin().await?;
    tx_change!(
        &mut tx,
        "INSERT INTO stripe_object (id, asked) VALUES ($1, 1)
         ON CONFLICT (id) DO UPDATE SET asked = stripe_object.asked + 1",
        object.to_owned(),
    )
    .map_err(on("stripe_object"))?;
    let row: Option<(i64,)> = tx_first!(
        &mut tx,
        "SELECT asked FROM stripe_object WHERE id = $1",
        object.to_owned(),
    )
    .map_err(on("stripe_object"))?;
    tx.commit().await?;
    Ok(row.map_or(0, |row| row.0))
}

/// False: the answer to a later question is applied already.
pub(in crate::payments) async fn apply(
    tx: &mut Tx,
    object: &str,
    number: i64,
) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE stripe_object SET applied = $2 WHERE id = $1 AND applied < $2",
        object.to_owned(),
        number,
    )
    .map_err(on("stripe_object"))?;
    Ok(changed == 1)
}

pub(in crate::payments) async fn customer_of(
    db: &Db,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT customer_id FROM stripe_customer WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("stripe_customer"))?;
    Ok(row.map(|row| row.0))
}

pub(in crate::payments) async fn put_customer(
    db: &Db,
    account: AccountId,
    customer: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO stripe_customer (account_id, customer_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        account.to_string(),
        customer.to_owned(),
    )
    .map_err(on("stripe_customer"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct PayoutRow {
    stripe_account_id: String,
    can_charge: bool,
    can_pay_out: bool,
}

pub(in crate::payments) async fn payout(
    db: &Db,
    account: AccountId,
) -> Result<Option<PayoutAccount>, StoreError> {
    let row: Option<PayoutRow> = first!(
        db,
        "SELECT stripe_account_id, can_charge, can_pay_out FROM payout_account WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("payout_account"))?;
    Ok(row.map(|row| PayoutAccount {
        id: row.stripe_account_id,
        can_charge: row.can_charge,
        can_pay_out: row.can_pay_out,
    }))
}

pub(in crate::payments) async fn put_payout(
    tx: &mut Tx,
    account: Option<AccountId>,
    payout: &PayoutAccount,
) -> Result<bool, StoreError> {
    if let Some(account) = account {
        tx_change!(
            tx,
            "INSERT INTO payout_account (account_id, stripe_account_id) VALUES ($1, $2)
             ON CONFLICT DO NOTHING",
            account.to_string(),
            payout.id.clone(),
        )
        .map_err(on("payout_account"))?;
    }
    let changed = tx_change!(
        tx,
        "UPDATE payout_account SET can_charge = $2, can_pay_out = $3 WHERE stripe_account_id = $1",
        payout.id.clone(),
        payout.can_charge,
        payout.can_pay_out,
    )
    .map_err(on("payout_account"))?;
    Ok(changed == 1)
}

#[derive(sqlx::FromRow)]
struct SubscriptionRow {
    id: String,
    channel_id: Option<String>,
    account_id: Option<String>,
    tier: i64,
    period: String,
    amount: i64,
    currency: String,
    status: String,
    started_at: i64,
    period_end: i64,
    ends_at_period_end: bool,
    past_due_since: Option<i64>,
    ended_at: Option<i64>,
}

impl SubscriptionRow {
    fn read(self) -> Result<Subscription, StoreError> {
        let table = "subscription";
        let currency = currency(table, &self.id, &self.currency)?;
        Ok(Subscription {
            channel: uuid_or_none(table, self.channel_id.as_deref())?.map(ChannelId),
            account: uuid_or_none(table, self.account_id.as_deref())?.map(AccountId),
            tier: self.tier,
            period: read_as(table, &self.id, "a period", &self.period, Period::parse)?,
            amount: self.amount,
            currency: currency.code(),
            status: read_as(
                table,
                &self.id,
                "a status",
                &self.status,
                SubscriptionStatus::parse,
            )?,
            started_at: from_millis(self.started_at),
            period_end: from_millis(self.period_end),
            ends_at_period_end: self.ends_at_period_end,
            past_due_since: self.past_due_since.map(from_millis),
            ended_at: self.ended_at.map(from_millis),
            id: self.id,
        })
    }
}

pub(in crate::payments) async fn subscription(
    db: &Db,
    id: &str,
) -> Result<Option<Subscription>, StoreError> {
    let row: Option<SubscriptionRow> = first!(
        db,
        "SELECT id, channel_id, account_id, tier, period, amount, currency, status, started_at,
             period_end, ends_at_period_end, past_due_since, ended_at
         FROM subscription WHERE id = $1",
        id.to_owned(),
    )
    .map_err(on("subscription"))?;
    row.map(SubscriptionRow::read).transpose()
}

/// Those of an account that are not over; newest first.
pub(in crate::payments) async fn subscriptions_of(
    db: &Db,
    account: AccountId,
) -> Result<Vec<Subscription>, StoreError> {
    let rows: Vec<SubscriptionRow> = all!(
        db,
        "SELECT id, channel_id, account_id, tier, period, amount, currency, status, started_at,
             period_end, ends_at_period_end, past_due_since, ended_at
         FROM subscription WHERE account_id = $1 AND status IN ('active', 'past_due', 'unpaid')
         ORDER BY started_at DESC, id",
        account.to_string(),
    )
    .map_err(on("subscription"))?;
    rows.into_iter().map(SubscriptionRow::read).collect()
}

/// What is paid by accounts, or to channels, that are no more, at most a hundred.
pub(in crate::payments) async fn orphans(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT id FROM subscription WHERE status IN ('active', 'past_due', 'unpaid')
             AND (account_id IS NULL OR channel_id IS NULL) LIMIT 100",
    )
    .map_err(on("subscription"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Writes down what Stripe said last. Whose it is stays as it was written first; accounts and channels
/// that are no more leave nobody there.
pub(in crate::payments) async fn put_subscription(
    tx: &mut Tx,
    given: &Subscription,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO subscription (id, channel_id, account_id, tier, period, amount, currency, status,
             started_at, period_end, ends_at_period_end, past_due_since, ended_at)
         VALUES ($1, (SELECT id FROM channel WHERE id = $2), (SELECT id FROM account WHERE id = $3),
             $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (id) DO UPDATE SET tier = $4, period = $5, amount = $6, currency = $7, status = $8,
             started_at = $9, period_end = $10, ends_at_period_end = $11,
             past_due_since = $12, ended_at = $13",
        given.id.clone(),
        given.channel.map(|id| id.to_string()),
        given.account.map(|id| id.to_string()),
        given.tier,
        given.period.as_str(),
        given.amount,
        given.currency,
        given.status.as_str(),
        given.started_at.as_millisecond(),
        given.period_end.as_millisecond(),
        given.ends_at_period_end,
        given.past_due_since.map(Timestamp::as_millisecond),
        given.ended_at.map(Timestamp::as_millisecond),
    )
    .map_err(on("subscription"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ChargeRow {
    amount: i64,
    refunded: i64,
    is_disputed: bool,
}

pub(in crate::payments) async fn put_charge(
    tx: &mut Tx,
    intent: &str,
    charge: &ChargeState,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO charge (payment_intent, amount, refunded, is_disputed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (payment_intent) DO UPDATE SET amount = $2, refunded = $3, is_disputed = $4",
        intent.to_owned(),
        charge.amount,
        charge.refunded,
        charge.is_disputed,
    )
    .map_err(on("charge"))?;
    Ok(())
}

/// A row of which nothing went back, unless there is one; it is held until the transaction ends.
pub(in crate::payments) async fn claim_charge(
    tx: &mut Tx,
    intent: &str,
    amount: i64,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO charge (payment_intent, amount, refunded, is_disputed)
         VALUES ($1, $2, 0, FALSE)
         ON CONFLICT (payment_intent) DO UPDATE SET amount = charge.amount",
        intent.to_owned(),
        amount.max(1),
    )
    .map_err(on("charge"))?;
    Ok(())
}

/// Stripe knows it no more.
pub(in crate::payments) async fn forget_subscription(
    db: &Db,
    id: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE subscription SET status = 'canceled', ended_at = COALESCE(ended_at, $2) WHERE id = $1",
        id.to_owned(),
        now.as_millisecond(),
    )
    .map_err(on("subscription"))?;
    Ok(())
}

pub(in crate::payments) async fn charge_of(
    tx: &mut Tx,
    intent: &str,
) -> Result<Option<ChargeState>, StoreError> {
    let row: Option<ChargeRow> = tx_first!(
        tx,
        "SELECT amount, refunded, is_disputed FROM charge WHERE payment_intent = $1",
        intent.to_owned(),
    )
    .map_err(on("charge"))?;
    Ok(row.map(|row| ChargeState {
        amount: row.amount,
        refunded: row.refunded,
        is_disputed: row.is_disputed,
    }))
}
