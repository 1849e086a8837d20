//! `/api/admin/overview`: how the server is, at a glance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Offices;
use crate::accounts::{Accounts, IsAdmin};
use crate::db::Db;
use crate::error::{ApiError, Problem};
use crate::jobs::Jobs;
use crate::mail::Mail;
use crate::streams::Streams;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new().routes(routes!(show_overview))
}

/// How the server is, at a glance.
#[derive(Debug, Serialize, ToSchema)]
struct Overview {
    admins: i64,
    creators: i64,
    viewers: i64,
    suspended: i64,
    live_streams: usize,
    /// People who watch now.
    watching: u64,
    jobs_waiting: i64,
    jobs_failed: i64,
    /// Whether it sends mail.
    has_mail: bool,
    /// `SQLite` or `PostgreSQL`.
    database: &'static str,
    /// Of the program.
    version: &'static str,
}

/// How the server is, at a glance.
#[utoipa::path(
    get, path = "/api/admin/overview", tag = "admin",
    responses(
        (status = 200, body = Overview),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn show_overview(
    State(accounts): State<Accounts>,
    State(streams): State<Streams>,
    State(jobs): State<Jobs>,
    State(mail): State<Mail>,
    State(db): State<Db>,
    _admin: IsAdmin,
) -> Result<Json<Overview>, ApiError> {
    let (roles, suspended) = accounts.census().await?;
    let of = |role: &str| {
        let found = roles.iter().find(|(name, _)| name == role);
        found.map_or(0, |(_, count)| *count)
    };
    let live = streams.live().await;
    let (jobs_waiting, jobs_failed) = jobs.count().await?;
    Ok(Json(Overview {
        admins: of("admin"),
        creators: of("creator"),
        viewers: of("viewer"),
        suspended,
        live_streams: live.len(),
        watching: live.iter().map(|live| u64::from(live.viewers)).sum(),
        jobs_waiting,
        jobs_failed,
        has_mail: mail.is_configured(),
        database: db.describe(),
        version: env!("CARGO_PKG_VERSION"),
    }))
}
