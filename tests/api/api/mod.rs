//! `/api`.

mod channels;
mod events;
mod oembed;
mod openapi;
mod recordings;
mod session;
mod setup;
mod streams;
mod webhooks;
