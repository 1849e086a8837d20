//! All SQL about notifications, what accounts want of them, and browsers that take pushes.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Kind, Notification, Subscription, Way};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
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
struct Row {
    id: String,
    kind: String,
    handle: Option<String>,
    title: String,
    body: String,
    link: String,
    amount: i64,
    created_at: i64,
    read_at: Option<i64>,
}

impl Row {
    fn into_notification(self) -> Result<Notification, StoreError> {
        Ok(Notification {
            id: uuid("notification", &self.id)?,
            kind: Kind::parse(&self.kind).ok_or_else(|| StoreError::Corrupt {
                table: "notification",
                key: self.id.clone(),
                expected: "a kind",
                found: self.kind.clone(),
            })?,
            channel: self.handle,
            title: self.title,
            body: self.body,
            link: self.link,
            amount: self.amount,
            created_at: from_millis(self.created_at),
            read_at: self.read_at.map(from_millis),
        })
    }
}

/// A notification to be written for somebody.
pub(super) struct New<'a> {
    pub(super) account: AccountId,
    pub(super) kind: Kind,
    pub(super) channel: Option<ChannelId>,
    pub(super) subject: &'a str,
    pub(super) title: &'a str,
    pub(super) body: &'a str,
    pub(super) link: &'a str,
    pub(super) is_shown: bool,
    pub(super) at: Timestamp,
}

/// Writes a notification. False: the account was told of this already.
pub(super) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "INSERT INTO notification
             (id, account_id, kind, channel_id, subject, title, body, link, is_shown, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        Uuid::now_v7().to_string(),
        new.account.to_string(),
        new.kind.as_str(),
        new.channel.map(|channel| channel.to_string()),
        new.subject,
        new.title,
        new.body,
        new.link,
        new.is_shown,
        new.at.as_millisecond(),
    )
    .map_err(on("notification"))?;
    Ok(changed == 1)
}

/// Adds one to an unread notification of that kind and channel. False: there is none.
pub(super) async fn add_to_unread(
    tx: &mut Tx,
    account: AccountId,
    kind: Kind,
    channel: ChannelId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE notification SET amount = amount + 1, created_at = $4
         WHERE account_id = $1 AND kind = $2 AND channel_id = $3 AND read_at IS NULL AND is_shown",
        account.to_string(),
        kind.as_str(),
        channel.to_string(),
        at.as_millisecond(),
    )
    .map_err(on("notification"))?;
    Ok(changed > 0)
}

pub(super) async fn page(
    db: &Db,
    account: AccountId,
    behind: &Cursor,
    most: i64,
) -> Result<Vec<Notification>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        "SELECT notification.id, kind, handle, title, body, link, amount,
                notification.created_at, read_at
         FROM notification LEFT JOIN channel ON channel.id = notification.channel_id
         WHERE account_id = $1 AND is_shown AND (notification.created_at < $2
               OR (notification.created_at = $2 AND notification.id < $3))
         ORDER BY notification.created_at DESC, notification.id DESC LIMIT $4",
        account.to_string(),
        behind.at_ms(),
        behind.id(),
        most,
    )
    .map_err(on("notification"))?;
    rows.into_iter().map(Row::into_notification).collect()
}

pub(super) async fn count_unread(db: &Db, account: AccountId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT CAST(COUNT(*) AS BIGINT) FROM notification
         WHERE account_id = $1 AND is_shown AND read_at IS NULL",
        account.to_string(),
    )
    .map_err(on("notification"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// Marks one as read, or all.
pub(super) async fn mark_read(
    db: &Db,
    account: AccountId,
    id: Option<Uuid>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let id = id.map(|id| id.to_string());
    change!(
        db,
        "UPDATE notification SET read_at = $3
         WHERE account_id = $1 AND ($2 = '' OR id = $2) AND read_at IS NULL",
        account.to_string(),
        id.as_deref().unwrap_or_default(),
        at.as_millisecond(),
    )
    .map_err(on("notification"))?;
    Ok(())
}

pub(super) async fn sweep(db: &Db, before: Timestamp) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM notification WHERE created_at < $1",
        before.as_millisecond(),
    )
    .map_err(on("notification"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ChoiceRow {
    kind: String,
    way: String,
    is_wanted: bool,
}

/// What an account chose, where it is not the default.
pub(super) async fn choices(
    db: &Db,
    account: AccountId,
) -> Result<Vec<(Kind, Way, bool)>, StoreError> {
    let rows: Vec<ChoiceRow> = all!(
        db,
        "SELECT kind, way, is_wanted FROM notification_choice WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("notification_choice"))?;
    let known = |row: ChoiceRow| {
        let (kind, way) = (Kind::parse(&row.kind)?, Way::parse(&row.way)?);
        Some((kind, way, row.is_wanted))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

pub(super) async fn choose(
    tx: &mut Tx,
    account: AccountId,
    kind: Kind,
    way: Way,
    is_wanted: bool,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO notification_choice (account_id, kind, way, is_wanted) VALUES ($1, $2, $3, $4)
         ON CONFLICT (account_id, kind, way) DO UPDATE SET is_wanted = EXCLUDED.is_wanted",
        account.to_string(),
        kind.as_str(),
        way.as_str(),
        is_wanted,
    )
    .map_err(on("notification_choice"))?;
    Ok(())
}

pub(super) async fn muted(db: &Db, account: AccountId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT handle FROM notification_mute JOIN channel ON channel.id = channel_id
         WHERE account_id = $1 ORDER BY handle",
        account.to_string(),
    )
    .map_err(on("notification_mute"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(super) async fn mute(
    db: &Db,
    account: AccountId,
    channel: ChannelId,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO notification_mute (account_id, channel_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        account.to_string(),
        channel.to_string(),
    )
    .map_err(on("notification_mute"))?;
    Ok(())
}

pub(super) async fn unmute(
    db: &Db,
    account: AccountId,
    channel: ChannelId,
) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM notification_mute WHERE account_id = $1 AND channel_id = $2",
        account.to_string(),
        channel.to_string(),
    )
    .map_err(on("notification_mute"))?;
    Ok(())
}

/// Somebody who may be told of something, with what they chose.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Recipient {
    pub(super) account_id: String,
    /// Confirmed; none where there is none.
    pub(super) address: Option<String>,
    pub(super) in_app: Option<bool>,
    pub(super) email: Option<bool>,
    pub(super) push: Option<bool>,
}

impl Recipient {
    pub(super) fn account(&self) -> Result<AccountId, StoreError> {
        uuid("follow", &self.account_id).map(AccountId)
    }
}

/// Followers of a channel who did not mute it, in the order of their ids.
pub(super) async fn followers_after(
    db: &Db,
    channel: ChannelId,
    kind: Kind,
    after: &str,
    most: i64,
) -> Result<Vec<Recipient>, StoreError> {
    all!(
        db,
        "SELECT follow.account_id AS account_id, a.is_wanted AS in_app, m.is_wanted AS email,
                p.is_wanted AS push,
                CASE WHEN account.email_verified_at IS NULL THEN NULL ELSE account.email END AS address
         FROM follow
         JOIN account ON account.id = follow.account_id
         LEFT JOIN notification_choice a
             ON a.account_id = follow.account_id AND a.kind = $2 AND a.way = 'in_app'
         LEFT JOIN notification_choice m
             ON m.account_id = follow.account_id AND m.kind = $2 AND m.way = 'email'
         LEFT JOIN notification_choice p
             ON p.account_id = follow.account_id AND p.kind = $2 AND p.way = 'push'
         WHERE follow.channel_id = $1 AND follow.account_id > $3 AND account.suspended_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM notification_mute
                           WHERE notification_mute.account_id = follow.account_id
                             AND notification_mute.channel_id = $1)
         ORDER BY follow.account_id LIMIT $4",
        channel.to_string(),
        kind.as_str(),
        after,
        most,
    )
    .map_err(on("follow"))
}

/// One account, as [`followers_after`] has followers.
pub(super) async fn recipient(
    db: &Db,
    account: AccountId,
    kind: Kind,
) -> Result<Option<Recipient>, StoreError> {
    first!(
        db,
        "SELECT account.id AS account_id, a.is_wanted AS in_app, m.is_wanted AS email,
                p.is_wanted AS push,
                CASE WHEN account.email_verified_at IS NULL THEN NULL ELSE account.email END AS address
         FROM account
         LEFT JOIN notification_choice a
             ON a.account_id = account.id AND a.kind = $2 AND a.way = 'in_app'
         LEFT JOIN notification_choice m
             ON m.account_id = account.id AND m.kind = $2 AND m.way = 'email'
         LEFT JOIN notification_choice p
             ON p.account_id = account.id AND p.kind = $2 AND p.way = 'push'
         WHERE account.id = $1 AND account.suspended_at IS NULL",
        account.to_string(),
        kind.as_str(),
    )
    .map_err(on("account"))
}

#[derive(sqlx::FromRow)]
struct SubscriptionRow {
    id: String,
    endpoint: String,
    p256dh: String,
    auth: String,
}

impl SubscriptionRow {
    fn into_subscription(self) -> Result<Subscription, StoreError> {
        Ok(Subscription {
            id: uuid("push_subscription", &self.id)?,
            endpoint: self.endpoint,
            p256dh: self.p256dh,
            auth: self.auth,
        })
    }
}

/// The browsers of an account.
pub(super) async fn subscriptions_of(
    tx: &mut Tx,
    account: AccountId,
    most: i64,
) -> Result<Vec<Uuid>, StoreError> {
    // One after the other, because there is no way yet to read many rows within a transaction.
    let mut found = Vec::new();
    let mut after = String::new();
    while i64::try_from(found.len()).is_ok_and(|found| found < most) {
        let row: Option<(String,)> = tx_first!(
            &mut *tx,
            "SELECT id FROM push_subscription WHERE account_id = $1 AND id > $2
             ORDER BY id LIMIT 1",
            account.to_string(),
            &after,
        )
        .map_err(on("push_subscription"))?;
        let Some((id,)) = row else { break };
        found.push(uuid("push_subscription", &id)?);
        after = id;
    }
    Ok(found)
}

/// The addresses of the push services of an account's browsers.
pub(super) async fn endpoints(db: &Db, account: AccountId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT endpoint FROM push_subscription WHERE account_id = $1 ORDER BY created_at, id",
        account.to_string(),
    )
    .map_err(on("push_subscription"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(super) async fn subscription(db: &Db, id: Uuid) -> Result<Option<Subscription>, StoreError> {
    let row: Option<SubscriptionRow> = first!(
        db,
        "SELECT id, endpoint, p256dh, auth FROM push_subscription WHERE id = $1",
        id.to_string(),
    )
    .map_err(on("push_subscription"))?;
    row.map(SubscriptionRow::into_subscription).transpose()
}

/// Keeps a browser; one that belonged to another account changes hands.
pub(super) async fn subscribe(
    db: &Db,
    account: AccountId,
    new: &Subscription,
    most: i64,
    at: Timestamp,
) -> Result<Uuid, StoreError> {
    let mut tx = db.begin().await?;
    tx_change!(
        &mut tx,
        "DELETE FROM push_subscription WHERE endpoint = $1",
        &new.endpoint,
    )
    .map_err(on("push_subscription"))?;
    tx_change!(
        &mut tx,
        "INSERT INTO push_subscription (id, account_id, endpoint, p256dh, auth, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        new.id.to_string(),
        account.to_string(),
        &new.endpoint,
        &new.p256dh,
        &new.auth,
        at.as_millisecond(),
    )
    .map_err(on("push_subscription"))?;
    // The oldest make room.
    tx_change!(
        &mut tx,
        "DELETE FROM push_subscription WHERE account_id = $1 AND id NOT IN (
             SELECT id FROM push_subscription WHERE account_id = $1
             ORDER BY created_at DESC, id DESC LIMIT $2)",
        account.to_string(),
        most,
    )
    .map_err(on("push_subscription"))?;
    tx.commit().await?;
    Ok(new.id)
}

/// Forgets a browser; of one account where one is given. False: there is none.
pub(super) async fn unsubscribe(
    db: &Db,
    id: Uuid,
    account: Option<AccountId>,
) -> Result<bool, StoreError> {
    let account = account.map(|account| account.to_string());
    let changed = change!(
        db,
        "DELETE FROM push_subscription WHERE id = $1 AND ($2 = '' OR account_id = $2)",
        id.to_string(),
        account.as_deref().unwrap_or_default(),
    )
    .map_err(on("push_subscription"))?;
    Ok(changed > 0)
}
