//! What people set out to pay for, and what they were given.

use jiff::Timestamp;
use uuid::Uuid;

use super::{currency, read_as, uuid, uuid_or_none};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_all, tx_change, tx_first};
use crate::page::Cursor;
use crate::payments::money::{Money, Period};
use crate::payments::purchase::{Kind, Purchase, PurchaseState};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    channel_id: Option<String>,
    account_id: Option<String>,
    tier: Option<i64>,
    period: Option<String>,
    quantity: i64,
    offer_id: Option<String>,
    amount: i64,
    currency: String,
    message: String,
    state: String,
    created_at: i64,
    paid_at: Option<i64>,
    session_id: Option<String>,
    session_url: Option<String>,
    subscription_id: Option<String>,
    payment_intent: Option<String>,
}

impl Row {
    fn read(self) -> Result<Purchase, StoreError> {
        let table = "purchase";
        let currency = currency(table, &self.id, &self.currency)?;
        Ok(Purchase {
            id: uuid(table, &self.id)?,
            kind: read_as(table, &self.id, "a kind", &self.kind, Kind::parse)?,
            channel: uuid_or_none(table, self.channel_id.as_deref())?.map(ChannelId),
            account: uuid_or_none(table, self.account_id.as_deref())?.map(AccountId),
            tier: self.tier,
            period: self.period.as_deref().and_then(Period::parse),
            quantity: self.quantity,
            offer: uuid_or_none(table, self.offer_id.as_deref())?,
            price: Money {
                amount: self.amount,
                currency: currency.code(),
            },
            state: read_as(
                table,
                &self.id,
                "a state",
                &self.state,
                PurchaseState::parse,
            )?,
            created_at: from_millis(self.created_at),
            paid_at: self.paid_at.map(from_millis),
            message: self.message,
            session: self.session_id,
            url: self.session_url,
            subscription: self.subscription_id,
            payment_intent: self.payment_intent,
        })
    }
}

fn read(rows: Vec<Row>) -> Result<Vec<Purchase>, StoreError> {
    rows.into_iter().map(Row::read).collect()
}

pub(in crate::payments) async fn insert(
    tx: &mut Tx,
    purchase: &Purchase,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO purchase (id, kind, channel_id, account_id, tier, period, quantity, offer_id,
             amount, currency, message, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        purchase.id.to_string(),
        purchase.kind.as_str(),
        purchase.channel.map(|id| id.to_string()),
        purchase.account.map(|id| id.to_string()),
        purchase.tier,
        purchase.period.map(Period::as_str),
        purchase.quantity,
        purchase.offer.map(|id| id.to_string()),
        purchase.price.amount,
        purchase.price.currency,
        purchase.message.clone(),
        purchase.state.as_str(),
        purchase.created_at.as_millisecond(),
    )
    .map_err(on("purchase"))?;
    Ok(())
}

pub(in crate::payments) async fn set_session(
    db: &Db,
    purchase: Uuid,
    session: &str,
    url: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE purchase SET session_id = $2, session_url = $3 WHERE id = $1",
        purchase.to_string(),
        session.to_owned(),
        url.to_owned(),
    )
    .map_err(on("purchase"))?;
    Ok(())
}

/// Takes a purchase out of the state of being open, or out of having failed. False: it was taken before.
pub(in crate::payments) async fn close(
    tx: &mut Tx,
    purchase: &Purchase,
) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE purchase SET state = $2, paid_at = $3, subscription_id = $4, payment_intent = $5,
             session_id = $6
         WHERE id = $1 AND state <> $2 AND state <> 'paid'",
        purchase.id.to_string(),
        purchase.state.as_str(),
        purchase.paid_at.map(Timestamp::as_millisecond),
        purchase.subscription.clone(),
        purchase.payment_intent.clone(),
        purchase.session.clone(),
    )
    .map_err(on("purchase"))?;
    Ok(changed == 1)
}

pub(in crate::payments) async fn purchase(
    db: &Db,
    id: Uuid,
) -> Result<Option<Purchase>, StoreError> {
    let row: Option<Row> = first!(db, "SELECT * FROM purchase WHERE id = $1", id.to_string(),)
        .map_err(on("purchase"))?;
    row.map(Row::read).transpose()
}

pub(in crate::payments) async fn by_session(
    db: &Db,
    session: &str,
) -> Result<Option<Purchase>, StoreError> {
    let row: Option<Row> = first!(
        db,
        "SELECT * FROM purchase WHERE session_id = $1",
        session.to_owned(),
    )
    .map_err(on("purchase"))?;
    row.map(Row::read).transpose()
}

/// What an account is about to pay for that is in the place of a new purchase: a membership of the same
/// channel, or the same ticket.
pub(in crate::payments) async fn open_alike(
    db: &Db,
    new: &Purchase,
) -> Result<Option<Purchase>, StoreError> {
    let row: Option<Row> = first!(
        db,
        "SELECT * FROM purchase
         WHERE channel_id = $1 AND account_id = $2 AND kind = $3 AND state = 'open'
             AND ($3 = 'membership' OR offer_id = $4)",
        new.channel.map(|id| id.to_string()),
        new.account.map(|id| id.to_string()),
        new.kind.as_str(),
        new.offer.map(|id| id.to_string()),
    )
    .map_err(on("purchase"))?;
    row.map(Row::read).transpose()
}

/// Whether an account has paid for a membership of which Stripe has not told yet.
pub(in crate::payments) async fn is_awaited(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT p.id FROM purchase p
         WHERE p.channel_id = $1 AND p.account_id = $2 AND p.kind = 'membership' AND p.state = 'paid'
             AND p.subscription_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM subscription s WHERE s.id = p.subscription_id)
         LIMIT 1",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("purchase"))?;
    Ok(row.is_some())
}

/// What is open of accounts or channels that are no more, at most a hundred.
pub(in crate::payments) async fn orphaned_sessions(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT session_id FROM purchase WHERE state = 'open' AND session_id IS NOT NULL
             AND (account_id IS NULL OR channel_id IS NULL) LIMIT 100",
    )
    .map_err(on("purchase"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// What an account paid for, newest first.
pub(in crate::payments) async fn purchases_of(
    db: &Db,
    account: AccountId,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<Purchase>, StoreError> {
    let rows = all!(
        db,
        "SELECT * FROM purchase WHERE account_id = $1 AND state = 'paid'
             AND (created_at < $2 OR (created_at = $2 AND id < $3))
         ORDER BY created_at DESC, id DESC LIMIT $4",
        account.to_string(),
        behind.at_ms(),
        behind.id().to_owned(),
        most,
    )
    .map_err(on("purchase"))?;
    read(rows)
}

/// How many of a purchase's gifts are taken.
pub(in crate::payments) async fn gifts_taken(
    tx: &mut Tx,
    purchase: Uuid,
) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM gift WHERE purchase_id = $1",
        purchase.to_string(),
    )
    .map_err(on("gift"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// Gives one of a purchase's gifts to an account, if one is left and it has none of them.
pub(in crate::payments) async fn insert_gift(
    tx: &mut Tx,
    purchase: &Purchase,
    account: AccountId,
    from: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    // One who gives at a time: on PostgreSQL two could count the same.
    tx_change!(
        tx,
        "UPDATE purchase SET quantity = quantity WHERE id = $1",
        purchase.id.to_string(),
    )
    .map_err(on("purchase"))?;
    let added = tx_change!(
        tx,
        "INSERT INTO gift (id, purchase_id, channel_id, account_id, tier, from_at, until_at)
         SELECT $1, p.id, p.channel_id, $3, p.tier, $4, $5 FROM purchase p
         WHERE p.id = $2 AND p.state = 'paid' AND p.channel_id IS NOT NULL
             AND (SELECT COUNT(*) FROM gift g WHERE g.purchase_id = p.id) < p.quantity
             AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.channel_id = p.channel_id
                 AND g.account_id = $3 AND g.until_at > $4)
         ON CONFLICT DO NOTHING",
        Uuid::now_v7().to_string(),
        purchase.id.to_string(),
        account.to_string(),
        from.as_millisecond(),
        until.as_millisecond(),
    )
    .map_err(on("gift"))?;
    Ok(added == 1)
}

/// To whom a purchase's gifts went.
pub(in crate::payments) async fn gifted(
    tx: &mut Tx,
    purchase: Option<Uuid>,
) -> Result<Vec<AccountId>, StoreError> {
    let Some(purchase) = purchase else {
        return Ok(Vec::new());
    };
    let rows: Vec<(String,)> = tx_all!(
        tx,
        "SELECT account_id FROM gift WHERE purchase_id = $1",
        purchase.to_string(),
    )
    .map_err(on("gift"))?;
    let ids = rows.iter().map(|row| uuid("gift", &row.0).map(AccountId));
    ids.collect()
}
