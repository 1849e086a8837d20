//! The fake, driven over a real socket by async-stripe's typed requests: what that client does not accept,
//! Stripe would not have said.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod checkout;
mod connect;
mod pages;
mod reversals;
mod subscriptions;
mod support;
mod troubles;
mod webhooks;
