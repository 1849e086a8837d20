//! What holds for every operation of the API's description, whoever wrote its handler.

mod description;
mod idempotency;
mod outage;
mod quota;
mod reference;
mod strictness;
