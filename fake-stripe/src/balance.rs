//! What an account has earned and when it is paid out, worked out from the charges: money settles after a week
//! and then goes to the bank, a payout a day. The fake takes no fees of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::world::{World, list, number, text};

/// `GET /v1/balance`
pub(crate) fn balance(world: &World, account: Option<&str>) -> Result<Value, Refusal> {
    let pays_out = pays_out(world, account)?;
    let mut pending = BTreeMap::new();
    let mut available = BTreeMap::new();
    for earning in earnings(world, account) {
        let settled = earning.settles <= world.now();
        let place = if settled {
            &mut available
        } else {
            &mut pending
        };
        // What has settled has been paid out, where that is possible.
        let amount = if settled && pays_out {
            0
        } else {
            earning.amount
        };
        *place.entry(earning.currency).or_insert(0) += amount;
    }
    Ok(json!({
        "object": "balance",
        "available": amounts(available),
        "livemode": false,
        "pending": amounts(pending),
    }))
}

/// `GET /v1/payouts`
pub(crate) fn payouts(world: &World, account: Option<&str>) -> Result<Value, Refusal> {
    let mut days = BTreeMap::new();
    if pays_out(world, account)? {
        let settled = earnings(world, account).into_iter();
        for earning in settled.filter(|earning| earning.settles <= world.now()) {
            let day = (earning.settles / DAY, earning.currency);
            *days.entry(day).or_insert(0) += earning.amount;
        }
    }
    let paid = days.into_iter().rev().filter(|(_, amount)| *amount > 0);
    let payouts =
        paid.map(|((day, currency), amount)| told(world, account, day, &currency, amount));
    Ok(list("/v1/payouts", payouts.collect()))
}

/// `GET /v1/payouts/{id}`
pub(crate) fn payout(world: &World, account: Option<&str>, id: &str) -> Result<Value, Refusal> {
    let payouts = payouts(world, account)?;
    let found = payouts
        .at("data")
        .as_array()
        .into_iter()
        .flatten()
        .find(|payout| payout.at("id") == id);
    found.cloned().ok_or_else(|| Refusal::unknown("payout", id))
}

/// What one charge brought an account, and when it settles.
struct Earning {
    amount: i64,
    currency: String,
    settles: i64,
}

fn earnings(world: &World, account: Option<&str>) -> Vec<Earning> {
    let account = account.filter(|account| *account != world.platform);
    let earning = |charge: &Value| {
        let amount = match account {
            Some(account) => share_of(world, charge, account),
            None => platforms_share(world, charge),
        };
        Earning {
            amount,
            currency: text(charge.at("currency")),
            settles: number(charge.at("created")) + SETTLES_AFTER,
        }
    };
    world.all("charge").map(earning).collect()
}

/// What a connected account has of a charge: all but the fee and what was taken back from it.
fn share_of(world: &World, charge: &Value, account: &str) -> i64 {
    if charge.at("transfer_data.destination") != account {
        return 0;
    }
    number(charge.at("amount")) - number(charge.at("_fake.reversed")) - fee(world, charge)
}

/// What the platform has of a charge: the fee of what went to others, and it bears refunds not taken back.
fn platforms_share(world: &World, charge: &Value) -> i64 {
    let lost = world
        .all("dispute")
        .any(|dispute| dispute.at("charge") == charge.at("id") && dispute.at("status") != "won");
    let disputed = if lost { number(charge.at("amount")) } else { 0 };
    let kept = match charge.at("transfer_data.destination").as_str() {
        Some(account) => number(charge.at("amount")) - share_of(world, charge, account),
        None => number(charge.at("amount")),
    };
    kept - number(charge.at("amount_refunded")) - disputed
}

fn fee(world: &World, charge: &Value) -> i64 {
    let fee = world.find(charge.at("application_fee"));
    number(fee.at("amount")) - number(fee.at("amount_refunded"))
}

/// Whether the account is one of ours and set up for payouts.
fn pays_out(world: &World, account: Option<&str>) -> Result<bool, Refusal> {
    let Some(id) = account.filter(|account| *account != world.platform) else {
        return Ok(true);
    };
    let account = world.get("account", id).map_err(|_| {
        let message = format!("The provided key does not have access to account '{id}' (or that account does not exist).");
        Refusal::other(403, "invalid_request_error", message).code("account_invalid")
    })?;
    Ok(account.at("payouts_enabled") == true)
}

fn amounts(by_currency: BTreeMap<String, i64>) -> Vec<Value> {
    if by_currency.is_empty() {
        return vec![json!({ "amount": 0, "currency": "eur", "source_types": { "card": 0 } })];
    }
    let told = by_currency.into_iter().map(|(currency, amount)| {
        json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
    });
    told.collect()
}

fn told(world: &World, account: Option<&str>, day: i64, currency: &str, amount: i64) -> Value {
    let created = day * DAY;
    let arrives = created + BANK_TAKES;
    let account = account
        .unwrap_or(&world.platform)
        .trim_start_matches("acct_");
    json!({
        "id": format!("po_{account}{day}{currency}"),
        "object": "payout",
        "amount": amount,
        "arrival_date": arrives,
        "automatic": true,
        "balance_transaction": null,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": null,
        "failure_code": null,
        "failure_message": null,
        "livemode": false,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed",
        "source_type": "card",
        "statement_descriptor": null,
        "status": if arrives <= world.now() { "paid" } else { "in_transit" },
        "type": "bank_account",
    })
}

const DAY: i64 = 24 * 3600;
const SETTLES_AFTER: i64 = 7 * DAY;
const BANK_TAKES: i64 = 2 * DAY;
