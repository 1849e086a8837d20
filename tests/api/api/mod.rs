//! `/api`.

mod channels;
mod openapi;
mod recordings;
mod session;
mod setup;
