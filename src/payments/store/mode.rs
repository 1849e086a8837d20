//! With which kind of money all is.

use crate::db::{StoreError, Tx, on, tx_change, tx_first};

/// None: nothing was ever paid.
pub(in crate::payments) async fn was_live(tx: &mut Tx) -> Result<Option<bool>, StoreError> {
    let row: Option<(bool,)> =
        tx_first!(tx, "SELECT is_live FROM stripe_mode WHERE id = 1").map_err(on("stripe_mode"))?;
    Ok(row.map(|row| row.0))
}

pub(in crate::payments) async fn set_live(tx: &mut Tx, is_live: bool) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO stripe_mode (id, is_live) VALUES (1, $1)
         ON CONFLICT (id) DO UPDATE SET is_live = $1",
        is_live,
    )
    .map_err(on("stripe_mode"))?;
    Ok(())
}

/// All that was paid, and the names that Stripe gave; what channels offer stays.
const AWAY: [&str; 12] = [
    "DELETE FROM gift",
    "DELETE FROM ledger",
    "DELETE FROM payment",
    "DELETE FROM charge",
    "DELETE FROM purchase",
    "DELETE FROM subscription",
    "DELETE FROM stripe_event",
    "DELETE FROM stripe_object",
    "DELETE FROM stripe_customer",
    "DELETE FROM payout_account",
    "UPDATE membership_tier SET product_id = NULL",
    "UPDATE membership_price SET price_id = NULL",
];

pub(in crate::payments) async fn throw_away(tx: &mut Tx) -> Result<(), StoreError> {
    for sql in AWAY {
        tx_change!(&mut *tx, sql).map_err(on("stripe_mode"))?;
    }
    Ok(())
}
