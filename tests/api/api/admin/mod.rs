//! `/api/admin`, by admins and by others.

mod accounts;
mod rest;
mod settings;
