//! `/api/admin/jobs`: work that waits, and work that was given up.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Offices;
use crate::accounts::IsAdmin;
use crate::audit::Audit;
use crate::error::{ApiError, Problem};
use crate::jobs::{FailedJob, Jobs};
use crate::request::ApiPath;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(show_jobs))
        .routes(routes!(retry_job))
}

/// How the queue stands.
#[derive(Debug, Serialize, ToSchema)]
struct JobsBody {
    /// Jobs that wait or run.
    waiting: i64,
    /// Jobs that were given up; they are kept for a week.
    failed: i64,
    /// The last of those that were given up.
    items: Vec<FailedJobBody>,
}

/// A job that was given up. What it is about stays inside: it may hold addresses.
#[derive(Debug, Serialize, ToSchema)]
struct FailedJobBody {
    id: Uuid,
    /// Such as `mail`.
    kind: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    failed_at: Timestamp,
    attempts: u32,
    /// What went wrong the last time.
    problem: String,
}

impl From<FailedJob> for FailedJobBody {
    fn from(job: FailedJob) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            created_at: job.created_at,
            failed_at: job.failed_at,
            attempts: job.attempts,
            problem: job.problem,
        }
    }
}

/// How the queue stands.
#[utoipa::path(
    get, path = "/api/admin/jobs", tag = "admin",
    responses(
        (status = 200, body = JobsBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn show_jobs(State(jobs): State<Jobs>, _admin: IsAdmin) -> Result<Json<JobsBody>, ApiError> {
    let (waiting, failed) = jobs.count().await?;
    let items = jobs.failed().await?.into_iter().map(Into::into);
    Ok(Json(JobsBody {
        waiting,
        failed,
        items: items.collect(),
    }))
}

/// Try a job again that was given up.
#[utoipa::path(
    post, path = "/api/admin/jobs/{id}/retry", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn retry_job(
    State(jobs): State<Jobs>,
    State(audit): State<Audit>,
    IsAdmin(admin): IsAdmin,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    if !jobs.retry(id).await? {
        return Err(ApiError::NotFound {
            code: "job_not_found",
            detail: "no such job was given up",
        });
    }
    let actor = Some(admin.id.0);
    audit
        .note_now(actor, "job.retried", &id.to_string(), &json!({}))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
