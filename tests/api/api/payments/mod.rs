//! Memberships, gifts, tips and tickets, paid at a fake of Stripe's.

mod creator;
mod events;
mod memberships;
mod others;
mod process;
mod room;
mod servers;
