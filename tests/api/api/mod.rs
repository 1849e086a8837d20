//! `/api`.

mod channels;
mod oembed;
mod openapi;
mod recordings;
mod session;
mod setup;
mod streams;
