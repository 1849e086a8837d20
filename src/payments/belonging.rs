//! What an account paid, in its export.

use serde_json::{Value, json};

use super::{Payments, store};
use crate::accounts::{AccountId, Belonging, Working};
use crate::page::Cursor;

/// Purchases that an export holds.
const MOST: i64 = 10_000;

impl Belonging for Payments {
    fn name(&self) -> &'static str {
        "payments"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let (db, start) = (&self.0.db, Cursor::start());
            let purchases = store::purchases_of(db, account, &start, MOST).await?;
            let purchases = purchases.into_iter().map(|purchase| {
                json!({
                    "kind": purchase.kind, "channel": purchase.channel.map(|id| id.0),
                    "price": purchase.price, "message": purchase.message,
                    "paid_at": purchase.paid_at,
                })
            });
            let purchases: Vec<Value> = purchases.collect();
            let memberships = store::subscriptions_of(db, account).await?.into_iter();
            let memberships = memberships.map(|held| {
                json!({
                    "channel": held.channel.map(|id| id.0), "tier": held.tier,
                    "period": held.period, "amount": held.amount, "currency": held.currency,
                    "status": held.status, "since": held.started_at,
                    "period_end": held.period_end,
                })
            });
            let memberships: Vec<Value> = memberships.collect();
            Ok(json!({ "memberships": memberships, "purchases": purchases }))
        })
    }
}
