//! What Stripe said last of its objects, in our words. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::money::{Currency, Period};
use super::stripe;
use crate::accounts::AccountId;
use crate::channels::ChannelId;

/// How a membership that is paid again and again stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubscriptionStatus {
    /// It is paid.
    Active,
    /// A payment is missing; it goes on for some days.
    PastDue,
    /// Stripe gave up to have it paid, or it rests: it gives nothing, and goes on once it is paid.
    Unpaid,
    /// It is over.
    Canceled,
    /// Its first payment is missing.
    Incomplete,
}

impl SubscriptionStatus {
    const ALL: [Self; 5] = [
        Self::Active,
        Self::PastDue,
        Self::Unpaid,
        Self::Canceled,
        Self::Incomplete,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Canceled => "canceled",
            Self::Incomplete => "incomplete",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Until when access goes on, as far as is known; none where there is none.
    pub(super) fn lasts_until(
        self,
        period_end: Timestamp,
        past_due_since: Option<Timestamp>,
        grace: SignedDuration,
    ) -> Option<Timestamp> {
        match self {
            // Stripe tells when it is over; some days later we no longer wait for that.
            Self::Active => Some(period_end + grace.max(LEEWAY)),
            Self::PastDue => past_due_since.map(|since| since + grace),
            Self::Unpaid | Self::Canceled | Self::Incomplete => None,
        }
    }

    /// Stripe has more; what is unknown gives nothing.
    fn of(text: &str) -> Self {
        match text {
            "active" | "trialing" => Self::Active,
            "past_due" => Self::PastDue,
            "unpaid" | "paused" => Self::Unpaid,
            "incomplete" => Self::Incomplete,
            _ => Self::Canceled,
        }
    }
}

/// A membership that is paid again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) id: String,
    /// None: it is no more.
    pub(super) channel: Option<ChannelId>,
    /// None: it is no more.
    pub(super) account: Option<AccountId>,
    pub(super) tier: i64,
    pub(super) period: Period,
    pub(super) amount: i64,
    pub(super) currency: &'static str,
    pub(super) status: SubscriptionStatus,
    pub(super) started_at: Timestamp,
    pub(super) period_end: Timestamp,
    pub(super) ends_at_period_end: bool,
    pub(super) past_due_since: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
}

/// What subscriptions of ours carry at Stripe.
pub(super) const CHANNEL: &str = "channel";
pub(super) const ACCOUNT: &str = "account";
pub(super) const TIER: &str = "tier";

impl Subscription {
    /// None: it is none of ours.
    pub(super) fn of(told: &stripe::Subscription, now: Timestamp) -> Option<Self> {
        let named = |name| {
            told.metadata
                .get(name)
                .and_then(|id| Uuid::parse_str(id).ok())
        };
        let tier = told.metadata.get(TIER)?.parse().ok()?;
        let item = told.items.data.first()?;
        let status = SubscriptionStatus::of(&told.status);
        let interval = item.price.recurring.as_ref()?.interval.as_str();
        let end = item.current_period_end.or(told.cancel_at).or(told.ended_at);
        Some(Self {
            id: told.id.clone(),
            channel: Some(ChannelId(named(CHANNEL)?)),
            account: Some(AccountId(named(ACCOUNT)?)),
            tier,
            period: Period::parse(interval)?,
            amount: item.price.unit_amount?,
            currency: Currency::read(&item.price.currency).ok()?.code(),
            status,
            started_at: seconds(told.start_date),
            period_end: end.map_or(now, seconds),
            ends_at_period_end: told.cancel_at_period_end || told.cancel_at.is_some(),
            // A period begins before it is paid: what is missing is what was due then.
            past_due_since: item
                .current_period_start
                .filter(|_| status == SubscriptionStatus::PastDue)
                .map(seconds),
            ended_at: told.ended_at.map(seconds),
        })
    }
}

/// Stripe makes an invoice, and lets it be paid, within hours of the end of a period.
const LEEWAY: SignedDuration = SignedDuration::from_hours(3 * 24);

/// What of a payment went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChargeState {
    pub(super) amount: i64,
    pub(super) refunded: i64,
    pub(super) is_disputed: bool,
}

impl ChargeState {
    /// What is not there any more.
    pub(super) fn reversed(self) -> i64 {
        match self.is_disputed {
            true => self.amount,
            false => self.refunded,
        }
    }
}

/// A creator's own account at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PayoutAccount {
    pub(super) id: String,
    pub(super) can_charge: bool,
    pub(super) can_pay_out: bool,
}

/// Stripe counts seconds.
pub(super) fn seconds(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap_or(Timestamp::UNIX_EPOCH)
}
