//! Clients of a channel's chat (docs/CHAT.md): they count what comes, and how long it took.

pub mod frames;
pub mod rota;
pub mod seen;
pub mod socket;
