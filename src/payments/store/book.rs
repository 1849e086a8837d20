//! The book: payments, and what became of them.

use jiff::Timestamp;
use uuid::Uuid;

use super::{currency, read_as, uuid_or_none};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, first, on, tx_change, tx_first};
use crate::page::Cursor;
use crate::payments::book::{Entry, Payment};
use crate::payments::purchase::Kind;

#[derive(sqlx::FromRow)]
struct PaymentRow {
    id: String,
    kind: String,
    channel_id: Option<String>,
    account_id: Option<String>,
    purchase_id: Option<String>,
    subscription_id: Option<String>,
    payment_intent: Option<String>,
    amount: i64,
    fee: i64,
    currency: String,
    paid_at: i64,
    covers_period: bool,
}

impl PaymentRow {
    fn read(self) -> Result<Payment, StoreError> {
        let table = "payment";
        let currency = currency(table, &self.id, &self.currency)?;
        Ok(Payment {
            kind: read_as(table, &self.id, "a kind", &self.kind, Kind::parse)?,
            channel: uuid_or_none(table, self.channel_id.as_deref())?.map(ChannelId),
            account: uuid_or_none(table, self.account_id.as_deref())?.map(AccountId),
            purchase: uuid_or_none(table, self.purchase_id.as_deref())?,
            subscription: self.subscription_id,
            payment_intent: self.payment_intent,
            amount: self.amount,
            fee: self.fee,
            currency: currency.code(),
            paid_at: from_millis(self.paid_at),
            covers_period: self.covers_period,
            id: self.id,
        })
    }
}

/// False: it is there already.
pub(in crate::payments) async fn add_payment(
    tx: &mut Tx,
    payment: &Payment,
) -> Result<bool, StoreError> {
    let added = tx_change!(
        tx,
        "INSERT INTO payment (id, kind, channel_id, account_id, purchase_id, subscription_id,
             payment_intent, amount, fee, currency, paid_at, covers_period)
         VALUES ($1, $2, (SELECT id FROM channel WHERE id = $3), (SELECT id FROM account WHERE id = $4),
             $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT DO NOTHING",
        payment.id.clone(),
        payment.kind.as_str(),
        payment.channel.map(|id| id.to_string()),
        payment.account.map(|id| id.to_string()),
        payment.purchase.map(|id| id.to_string()),
        payment.subscription.clone(),
        payment.payment_intent.clone(),
        payment.amount,
        payment.fee,
        payment.currency,
        payment.paid_at.as_millisecond(),
        payment.covers_period,
    )
    .map_err(on("payment"))?;
    Ok(added == 1)
}

pub(in crate::payments) async fn payment_of_intent(
    tx: &mut Tx,
    intent: &str,
) -> Result<Option<Payment>, StoreError> {
    let row: Option<PaymentRow> = tx_first!(
        tx,
        "SELECT * FROM payment WHERE payment_intent = $1",
        intent.to_owned(),
    )
    .map_err(on("payment"))?;
    row.map(PaymentRow::read).transpose()
}

pub(in crate::payments) async fn payment(db: &Db, id: &str) -> Result<Option<Payment>, StoreError> {
    let row: Option<PaymentRow> =
        first!(db, "SELECT * FROM payment WHERE id = $1", id.to_owned(),).map_err(on("payment"))?;
    row.map(PaymentRow::read).transpose()
}

/// What the book says that went back of a payment: amount and fee, both as a rule below zero. Others
/// who write about the same payment wait until the transaction ends.
pub(in crate::payments) async fn reversed_so_far(
    tx: &mut Tx,
    payment: &str,
) -> Result<(i64, i64), StoreError> {
    tx_change!(
        tx,
        "UPDATE payment SET amount = amount WHERE id = $1",
        payment.to_owned(),
    )
    .map_err(on("payment"))?;
    let row: Option<(i64, i64)> = tx_first!(
        tx,
        "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT), CAST(COALESCE(SUM(fee), 0) AS BIGINT)
         FROM ledger WHERE payment_id = $1 AND entry <> 'payment'",
        payment.to_owned(),
    )
    .map_err(on("ledger"))?;
    Ok(row.unwrap_or_default())
}

pub(in crate::payments) async fn insert_entry(
    tx: &mut Tx,
    payment: &Payment,
    entry: &Entry,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO ledger (id, at, entry, kind, payment_id, channel_id, account_id, amount, fee,
             currency, event_id)
         VALUES ($1, $2, $3, $4, $5, (SELECT id FROM channel WHERE id = $6),
             (SELECT id FROM account WHERE id = $7), $8, $9, $10, $11)",
        Uuid::now_v7().to_string(),
        entry.at.as_millisecond(),
        entry.what,
        payment.kind.as_str(),
        payment.id.clone(),
        payment.channel.map(|id| id.to_string()),
        payment.account.map(|id| id.to_string()),
        entry.amount,
        entry.fee,
        payment.currency,
        entry.event.clone(),
    )
    .map_err(on("ledger"))?;
    Ok(())
}

/// An entry, with whom it is about.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::payments) struct BookRow {
    pub(in crate::payments) id: String,
    pub(in crate::payments) at: i64,
    pub(in crate::payments) entry: String,
    pub(in crate::payments) kind: String,
    pub(in crate::payments) payment_id: String,
    pub(in crate::payments) handle: Option<String>,
    pub(in crate::payments) name: Option<String>,
    pub(in crate::payments) amount: i64,
    pub(in crate::payments) fee: i64,
    pub(in crate::payments) currency: String,
    pub(in crate::payments) event_id: Option<String>,
    /// What came with a tip.
    pub(in crate::payments) message: Option<String>,
}

/// A channel's entries since then, newest first.
pub(in crate::payments) async fn book_of_channel(
    db: &Db,
    channel: ChannelId,
    since: Timestamp,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<BookRow>, StoreError> {
    all!(
        db,
        "SELECT l.id, l.at, l.entry, l.kind, l.payment_id, c.handle, a.name, l.amount, l.fee, l.currency,
             l.event_id, u.message
         FROM ledger l LEFT JOIN channel c ON c.id = l.channel_id
         LEFT JOIN account a ON a.id = l.account_id
         LEFT JOIN payment p ON p.id = l.payment_id LEFT JOIN purchase u ON u.id = p.purchase_id
         WHERE l.channel_id = $1 AND l.at >= $2 AND (l.at < $3 OR (l.at = $3 AND l.id < $4))
         ORDER BY l.at DESC, l.id DESC LIMIT $5",
        channel.to_string(),
        since.as_millisecond(),
        behind.at_ms(),
        behind.id().to_owned(),
        most,
    )
    .map_err(on("ledger"))
}

/// All entries, newest first.
pub(in crate::payments) async fn whole_book(
    db: &Db,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<BookRow>, StoreError> {
    all!(
        db,
        "SELECT l.id, l.at, l.entry, l.kind, l.payment_id, c.handle, a.name, l.amount, l.fee, l.currency,
             l.event_id, CAST(NULL AS TEXT) AS message
         FROM ledger l LEFT JOIN channel c ON c.id = l.channel_id
         LEFT JOIN account a ON a.id = l.account_id
         WHERE l.at < $1 OR (l.at = $1 AND l.id < $2) ORDER BY l.at DESC, l.id DESC LIMIT $3",
        behind.at_ms(),
        behind.id().to_owned(),
        most,
    )
    .map_err(on("ledger"))
}

/// What a channel earned on a day, of one kind.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::payments) struct DayRow {
    /// Days since the beginning of 1970, UTC.
    pub(in crate::payments) day: i64,
    pub(in crate::payments) kind: String,
    pub(in crate::payments) currency: String,
    pub(in crate::payments) amount: i64,
    pub(in crate::payments) fee: i64,
    /// How many payments.
    pub(in crate::payments) payments: i64,
}

/// What a channel earned since then, day by day.
pub(in crate::payments) async fn revenue(
    db: &Db,
    channel: ChannelId,
    since: Timestamp,
) -> Result<Vec<DayRow>, StoreError> {
    all!(
        db,
        "SELECT at / 86400000 AS day, kind, currency, CAST(SUM(amount) AS BIGINT) AS amount,
             CAST(SUM(fee) AS BIGINT) AS fee,
             CAST(SUM(CASE WHEN entry = 'payment' THEN 1 ELSE 0 END) AS BIGINT) AS payments
         FROM ledger WHERE channel_id = $1 AND at >= $2
         GROUP BY at / 86400000, kind, currency ORDER BY day, kind, currency",
        channel.to_string(),
        since.as_millisecond(),
    )
    .map_err(on("ledger"))
}
