//! `/api/admin`, by admins and by others.

mod settings;
