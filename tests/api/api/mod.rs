//! `/api`.

mod account;
mod auth;
mod channels;
mod discovery;
mod events;
mod oembed;
mod openapi;
mod recordings;
mod session;
mod setup;
mod streams;
mod webhooks;
