//! What creators and viewers are told of payments. A job carries it, written in the transaction of what
//! happened, to those above who tell: chat, events, alerts.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::mirror::{Subscription, SubscriptionStatus};
use super::purchase::{Kind, Purchase};
use crate::accounts::AccountId;
use crate::channels::ChannelId;

/// The kind of the jobs that carry it.
pub const KIND: &str = "payments.news";

/// Something that is worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Where.
    pub channel: Uuid,
    /// Who paid; whose membership it is.
    pub account: Option<AccountId>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// Somebody is a member now.
    Joined {
        /// Of which tier.
        tier: i64,
    },
    /// Somebody is a member no more.
    Left,
    /// Somebody gives memberships to others.
    Gifts {
        /// The purchase, from which they are taken.
        purchase: Uuid,
        /// Of which tier.
        tier: i64,
        /// How many.
        quantity: i64,
    },
    /// Somebody sends a tip.
    Tip {
        /// The purchase.
        purchase: Uuid,
        /// In the currency's smallest unit.
        amount: i64,
        /// Such as `eur`.
        currency: String,
        /// What comes with it.
        message: String,
    },
    /// Somebody bought a ticket.
    Ticket {
        /// Which.
        offer: Option<Uuid>,
    },
}

impl News {
    /// Where it happened.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        ChannelId(self.channel)
    }

    /// What a purchase that was just paid is worth telling.
    pub(super) fn of_purchase(purchase: &Purchase) -> Option<Self> {
        let what = match purchase.kind {
            // The subscription tells.
            Kind::Membership => return None,
            Kind::Gift => What::Gifts {
                purchase: purchase.id,
                tier: purchase.tier.unwrap_or(1),
                quantity: purchase.quantity,
            },
            Kind::Tip => What::Tip {
                purchase: purchase.id,
                amount: purchase.price.amount,
                currency: purchase.price.currency.to_owned(),
                message: purchase.message.clone(),
            },
            Kind::Ticket => What::Ticket {
                offer: purchase.offer,
            },
        };
        Some(Self {
            channel: purchase.channel?.0,
            account: purchase.account,
            what,
        })
    }

    /// What a change of a subscription is worth telling.
    pub(super) fn of_subscription(
        before: Option<&Subscription>,
        now: &Subscription,
    ) -> Option<Self> {
        let counts = |status| {
            matches!(
                status,
                SubscriptionStatus::Active | SubscriptionStatus::PastDue
            )
        };
        let was = before.is_some_and(|before| counts(before.status));
        let what = match (was, counts(now.status)) {
            (false, true) => What::Joined { tier: now.tier },
            (true, false) => What::Left,
            _ => return None,
        };
        Some(Self {
            channel: now.channel?.0,
            account: now.account,
            what,
        })
    }
}
