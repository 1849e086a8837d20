//! `/api`.

mod channels;
mod openapi;
mod session;
mod setup;
