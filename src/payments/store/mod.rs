//! All SQL about payments.

mod access;
mod book;
mod mirror;
mod mode;
mod offers;
mod purchases;

pub(super) use access::{Holding, MemberRow, holdings, members};
pub(super) use book::{
    BookRow, DayRow, add_payment, book_of_channel, insert_entry, payment, payment_of_intent,
    revenue, reversed_so_far, whole_book,
};
pub(super) use mirror::{
    EventRow, add_event, apply, ask, charge_of, claim_charge, customer_of, event, events,
    finish_event, forget_subscription, orphans, payout, put_charge, put_customer, put_payout,
    put_subscription, subscription, subscriptions_of,
};
pub(super) use mode::{set_live, throw_away, was_live};
pub(super) use offers::{
    continue_tickets, insert_price, insert_ticket, put_shop, put_tier, retire_prices,
    set_alert_token, set_price_id, set_product, shop, shop_by_token, ticket, ticket_streams,
    tickets, tickets_of_stream, tier_of_price, tiers, withdraw_ticket,
};
pub(super) use purchases::{
    by_session, close, gifted, gifts_taken, insert, insert_gift, is_awaited, open_alike,
    orphaned_sessions, purchase, purchases_of, set_session,
};

use uuid::Uuid;

use super::money::Currency;
use crate::db::StoreError;

fn uuid(table: &'static str, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Corrupt {
        table,
        key: text.to_owned(),
        expected: "a UUID",
        found: text.to_owned(),
    })
}

fn uuid_or_none(table: &'static str, text: Option<&str>) -> Result<Option<Uuid>, StoreError> {
    text.map(|text| uuid(table, text)).transpose()
}

/// What a column holds, read; where it is none of what belongs there, the row is corrupt.
fn read_as<T>(
    table: &'static str,
    key: &str,
    expected: &'static str,
    found: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(found).ok_or_else(|| StoreError::Corrupt {
        table,
        key: key.to_owned(),
        expected,
        found: found.to_owned(),
    })
}

fn currency(table: &'static str, key: &str, code: &str) -> Result<Currency, StoreError> {
    let parse = |code: &str| Currency::read(code).ok();
    read_as(table, key, "a currency", code, parse)
}
