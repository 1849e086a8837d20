//! `/api`.

mod account;
mod auth;
mod channel_profile;
mod channels;
mod discovery;
mod events;
mod health;
mod notifications;
mod oembed;
mod openapi;
mod presence;
mod recordings;
mod session;
mod setup;
mod streams;
mod webhooks;
