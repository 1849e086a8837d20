//! [`Purchase`]: what somebody set out to pay for, by one Checkout session.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::money::{Money, Period};
use crate::accounts::AccountId;
use crate::channels::ChannelId;

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentKind)]
pub(super) enum Kind {
    /// A membership, again and again.
    Membership,
    /// Memberships of a month for others.
    Gift,
    /// A tip.
    Tip,
    /// A ticket to streams.
    Ticket,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Membership, Self::Gift, Self::Tip, Self::Ticket];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Membership => "membership",
            Self::Gift => "gift",
            Self::Tip => "tip",
            Self::Ticket => "ticket",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PurchaseState {
    /// It waits on Stripe's page.
    Open,
    /// It is paid.
    Paid,
    /// Nobody paid in time.
    Expired,
    /// The payment failed after Checkout.
    Failed,
}

impl PurchaseState {
    const ALL: [Self; 4] = [Self::Open, Self::Paid, Self::Expired, Self::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What somebody set out to pay for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purchase {
    pub(super) id: Uuid,
    pub(super) kind: Kind,
    /// None: it is no more.
    pub(super) channel: Option<ChannelId>,
    /// None: it is no more.
    pub(super) account: Option<AccountId>,
    /// Of memberships and gifts.
    pub(super) tier: Option<i64>,
    /// Of memberships.
    pub(super) period: Option<Period>,
    /// How many gifts.
    pub(super) quantity: i64,
    /// Which ticket.
    pub(super) offer: Option<Uuid>,
    /// In all.
    pub(super) price: Money,
    /// What comes with a tip.
    pub(super) message: String,
    pub(super) state: PurchaseState,
    pub(super) created_at: Timestamp,
    pub(super) paid_at: Option<Timestamp>,
    /// Stripe's Checkout session.
    pub(super) session: Option<String>,
    /// Where it is paid.
    pub(super) url: Option<String>,
    /// What a membership became.
    pub(super) subscription: Option<String>,
    /// What paid for all else.
    pub(super) payment_intent: Option<String>,
}
