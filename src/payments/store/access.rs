//! What somebody holds on a channel.

use jiff::Timestamp;

use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::db::{Db, StoreError, all, on};

/// One thing that somebody holds, or what keeps them out.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::payments) struct Holding {
    /// banned, follows, subscription, gift or ticket
    pub(in crate::payments) what: String,
    /// Of memberships.
    pub(in crate::payments) tier: i64,
    /// Of subscriptions.
    pub(in crate::payments) status: String,
    /// When what was paid for ends; null: it does not.
    pub(in crate::payments) until_at: Option<i64>,
    /// Since when a payment is missing.
    pub(in crate::payments) past_due_since: Option<i64>,
    /// What a ticket is to.
    pub(in crate::payments) stream_id: Option<String>,
}

/// All that counts for whether an account may watch on a channel, in one reading. What was paid for and
/// went back wholly is not there. Who is banned or suspended and who follows belongs to others, and is only read.
const HOLDINGS: &str = "
SELECT 'banned' AS what, CAST(0 AS BIGINT) AS tier, '' AS status, CAST(NULL AS BIGINT) AS until_at,
    CAST(NULL AS BIGINT) AS past_due_since, CAST(NULL AS TEXT) AS stream_id
FROM chat_restraint WHERE channel_id = $1 AND subject = $2 AND until IS NULL
UNION ALL
SELECT 'banned', 0, '', NULL, NULL, NULL FROM account WHERE id = $2 AND suspended_at IS NOT NULL
UNION ALL
SELECT 'follows', 0, '', NULL, NULL, NULL FROM follow WHERE channel_id = $1 AND account_id = $2
UNION ALL
SELECT 'subscription', s.tier, s.status, s.period_end, s.past_due_since, NULL FROM subscription s
WHERE s.channel_id = $1 AND s.account_id = $2 AND s.status IN ('active', 'past_due')
    AND NOT EXISTS (
        SELECT 1 FROM payment p JOIN charge c ON c.payment_intent = p.payment_intent
        WHERE p.subscription_id = s.id AND p.covers_period
            AND (c.refunded >= c.amount OR c.is_disputed)
            AND p.paid_at = (SELECT MAX(l.paid_at) FROM payment l
                WHERE l.subscription_id = s.id AND l.covers_period)
    )
UNION ALL
SELECT 'gift', g.tier, '', g.until_at, NULL, NULL FROM gift g JOIN purchase p ON p.id = g.purchase_id
WHERE g.channel_id = $1 AND g.account_id = $2 AND g.until_at > $3
    AND NOT EXISTS (SELECT 1 FROM charge c WHERE c.payment_intent = p.payment_intent
        AND (c.refunded >= c.amount OR c.is_disputed))
UNION ALL
SELECT 'ticket', 0, '', NULL, NULL, t.stream_id FROM purchase p
JOIN ticket_stream t ON t.offer_id = p.offer_id
WHERE p.kind = 'ticket' AND p.state = 'paid' AND p.channel_id = $1 AND p.account_id = $2
    AND NOT EXISTS (SELECT 1 FROM charge c WHERE c.payment_intent = p.payment_intent
        AND (c.refunded >= c.amount OR c.is_disputed))";

pub(in crate::payments) async fn holdings(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<Holding>, StoreError> {
    all!(
        db,
        HOLDINGS,
        channel.to_string(),
        account.to_string(),
        now.as_millisecond(),
    )
    .map_err(on("subscription"))
}

/// A member of a channel, as its owner sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::payments) struct MemberRow {
    pub(in crate::payments) account_id: String,
    pub(in crate::payments) name: String,
    pub(in crate::payments) tier: i64,
    pub(in crate::payments) status: String,
    pub(in crate::payments) period: String,
    pub(in crate::payments) amount: i64,
    pub(in crate::payments) currency: String,
    pub(in crate::payments) is_gift: bool,
    pub(in crate::payments) since: i64,
    pub(in crate::payments) until_at: i64,
    pub(in crate::payments) ends: bool,
}

/// Newest first, at most so many.
pub(in crate::payments) async fn members(
    db: &Db,
    channel: ChannelId,
    now: Timestamp,
    most: i64,
) -> Result<Vec<MemberRow>, StoreError> {
    all!(
        db,
        "SELECT * FROM (
            SELECT s.account_id, a.name, s.tier, s.status, s.period, s.amount, s.currency,
                FALSE AS is_gift, s.started_at AS since, s.period_end AS until_at,
                s.ends_at_period_end AS ends
            FROM subscription s JOIN account a ON a.id = s.account_id
            WHERE s.channel_id = $1 AND s.status IN ('active', 'past_due')
            UNION ALL
            SELECT g.account_id, a.name, g.tier, 'active', 'month', CAST(0 AS BIGINT), p.currency,
                TRUE, g.from_at, g.until_at, TRUE
            FROM gift g JOIN account a ON a.id = g.account_id JOIN purchase p ON p.id = g.purchase_id
            WHERE g.channel_id = $1 AND g.until_at > $2
        ) AS member ORDER BY since DESC, account_id LIMIT $3",
        channel.to_string(),
        now.as_millisecond(),
        most,
    )
    .map_err(on("subscription"))
}
