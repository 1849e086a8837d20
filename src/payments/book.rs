//! The book: what came in, and what went back, each once whatever the order in which it is told.

use jiff::Timestamp;
use uuid::Uuid;

use super::purchase::Kind;
use super::store;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::db::{StoreError, Tx};

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payment {
    /// The invoice's id, or the payment intent's.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) channel: Option<ChannelId>,
    pub(super) account: Option<AccountId>,
    pub(super) purchase: Option<Uuid>,
    pub(super) subscription: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) amount: i64,
    /// What of it is the operator's.
    pub(super) fee: i64,
    pub(super) currency: &'static str,
    pub(super) paid_at: Timestamp,
    /// It pays for time; not what only sets off one tier against another.
    pub(super) covers_period: bool,
}

/// A line of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    /// payment, refund, dispute or `dispute_won`
    pub(super) what: &'static str,
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) event: Option<String>,
}

/// Where a line comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) now: Timestamp,
    /// The event of Stripe's.
    pub(super) event: Option<&'a str>,
}

/// Writes a payment down, unless it is there. True: it was not.
pub(super) async fn note_payment(
    tx: &mut Tx,
    payment: &Payment,
    cause: Cause<'_>,
) -> Result<bool, StoreError> {
    if let Some(intent) = &payment.payment_intent {
        // Whoever writes down at the same time what went back of it waits, or is waited for: one of the two
        // sees what the other wrote.
        store::claim_charge(tx, intent, payment.amount).await?;
    }
    if !store::add_payment(tx, payment).await? {
        return Ok(false);
    }
    let entry = Entry {
        at: cause.now,
        what: "payment",
        amount: payment.amount,
        fee: payment.fee,
        event: cause.event.map(str::to_owned),
    };
    store::insert_entry(tx, payment, &entry).await?;
    settle(tx, payment, cause).await?;
    Ok(true)
}

/// Brings the book up to what Stripe said last of a payment. What the book lacks is one more line, so
/// that the sum is right however often, and in whatever order, it is told. Gives that line.
pub(super) async fn settle(
    tx: &mut Tx,
    payment: &Payment,
    cause: Cause<'_>,
) -> Result<Option<Entry>, StoreError> {
    let Some(intent) = &payment.payment_intent else {
        return Ok(None);
    };
    let Some(charge) = store::charge_of(tx, intent).await? else {
        return Ok(None);
    };
    let (amount, fee) = store::reversed_so_far(tx, &payment.id).await?;
    let wanted = -charge.reversed().min(payment.amount);
    let wanted_fee = share(payment.fee, wanted, payment.amount);
    if wanted == amount {
        return Ok(None);
    }
    let entry = Entry {
        at: cause.now,
        what: match (charge.is_disputed, wanted > amount) {
            (_, true) => "dispute_won",
            (true, _) => "dispute",
            (false, _) => "refund",
        },
        amount: wanted - amount,
        fee: wanted_fee - fee,
        event: cause.event.map(str::to_owned),
    };
    store::insert_entry(tx, payment, &entry).await?;
    Ok(Some(entry))
}

/// The part of a fee that goes with a part of an amount.
fn share(fee: i64, part: i64, whole: i64) -> i64 {
    let exact = i128::from(fee) * i128::from(part) / i128::from(whole.max(1));
    i64::try_from(exact).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_goes_back_with_its_part() {
        assert_eq!(share(50, -1_000, 1_000), -50);
        assert_eq!(share(50, -500, 1_000), -25);
        assert_eq!(share(0, -500, 1_000), 0);
        assert_eq!(share(i64::MAX, -1, 1), i64::MIN + 1);
    }
}
