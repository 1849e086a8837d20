//! [`NewPurchase`]: what somebody asks to pay for, and [`Order`]: that with all that its kind needs.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::money::Period;
use super::purchase::Kind;
use crate::error::ApiError;
use crate::form::Form;

/// What somebody wants to pay for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPurchase {
    kind: Kind,
    /// Of a membership, and of gifts: 1 to 3.
    tier: Option<i64>,
    /// Of a membership.
    period: Option<Period>,
    /// How many gifts: 1 to 50.
    quantity: Option<i64>,
    /// Of a tip, in the smallest unit of the channel's currency.
    amount: Option<i64>,
    /// Of a tip: what the amount was shown in; refused where the channel has another by now.
    currency: Option<String>,
    /// With a tip, up to 200 characters.
    #[serde(default)]
    message: String,
    /// Which ticket.
    offer: Option<Uuid>,
    /// Path of the page to come back to.
    #[serde(default)]
    pub(super) back: String,
}

/// The same, with all that its kind needs.
pub(super) enum Order {
    Membership {
        tier: i64,
        period: Period,
    },
    Gift {
        tier: i64,
        quantity: i64,
    },
    Tip {
        amount: i64,
        currency: String,
        message: String,
    },
    Ticket {
        offer: Uuid,
    },
}

impl NewPurchase {
    /// # Errors
    /// With what its kind lacks.
    pub(super) fn order(self) -> Result<Order, ApiError> {
        let mut form = Form::new();
        let order = match self.kind {
            Kind::Membership => Order::Membership {
                tier: needed(&mut form, "tier", self.tier, 0),
                period: needed(&mut form, "period", self.period, Period::Month),
            },
            Kind::Gift => Order::Gift {
                tier: needed(&mut form, "tier", self.tier, 0),
                quantity: needed(&mut form, "quantity", self.quantity, 0),
            },
            Kind::Tip => Order::Tip {
                amount: needed(&mut form, "amount", self.amount, 0),
                currency: needed(&mut form, "currency", self.currency, String::new()),
                message: self.message,
            },
            Kind::Ticket => Order::Ticket {
                offer: needed(&mut form, "offer", self.offer, Uuid::nil()),
            },
        };
        form.done().map(|()| order)
    }
}

/// What was given, or anything: the form is not done then.
fn needed<T>(form: &mut Form, field: &str, given: Option<T>, anything: T) -> T {
    if given.is_none() {
        form.add(field, "missing", "this must be given");
    }
    given.unwrap_or(anything)
}
