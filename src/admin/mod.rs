//! `/api/admin`: what admins of the server do. Every change is written into the audit log.

mod settings;

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use crate::settings::Settings;

/// What the routes of admins stand on.
#[derive(Debug, Clone, FromRef)]
pub struct Offices {
    /// What admins may change.
    pub settings: Settings,
}

/// The routes of this module.
pub fn routes(offices: Offices) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(settings::routes())
        .with_state(offices)
}
