//! A stateful fake of the part of Stripe's API that Tallylight uses, for development and tests without a
//! network: products, checkout, subscriptions, refunds, connected accounts, and the webhooks of all of them.
//!
//! [`FakeStripe`] runs one on a socket and mirrors its controls; everything is kept in memory and gone with it.
//! It is made for loopback: whoever reaches it may do anything with it.

mod api;
mod balance;
mod basket;
mod catalogue;
mod checkout;
mod clock;
mod connect;
mod control;
mod courier;
mod customers;
mod due;
mod events;
mod expand;
mod fields;
mod form;
mod gate;
mod invoices;
mod new_invoice;
mod new_session;
mod new_subscription;
mod pages;
mod payments;
mod portal;
mod post;
mod proration;
mod refusal;
mod reversals;
mod running;
mod split;
mod subscriptions;
mod world;

pub use courier::sign;
pub use gate::Trouble;
pub use refusal::Refusal;
pub use running::{FakeStripe, Options};
