//! `/api/admin/storage`: what lies on the disk, and how much room there is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{DataFolder, Offices};
use crate::accounts::IsAdmin;
use crate::db::Db;
use crate::doctor::space;
use crate::error::{ApiError, Problem};
use crate::images::Images;
use crate::recordings::Recordings;
use crate::settings::Settings;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new().routes(routes!(show_storage))
}

/// What lies on the disk.
#[derive(Debug, Serialize, ToSchema)]
struct StorageBody {
    /// Of all recordings, also of those that lie in the store alone.
    recordings_bytes: u64,
    /// How large all recordings may be together; null: no bound.
    quota_bytes: Option<u64>,
    images_bytes: u64,
    database_bytes: u64,
    /// `SQLite` or `PostgreSQL`.
    database: &'static str,
    /// Of the disk that holds the data folder; null where the system does not tell.
    disk_free_bytes: Option<u64>,
    disk_total_bytes: Option<u64>,
    /// Those with the largest recordings first.
    channels: Vec<ChannelStorage>,
}

/// What the recordings of a channel take.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelStorage {
    handle: String,
    name: String,
    recordings: u64,
    bytes: u64,
}

/// Channels in the list.
const MOST_CHANNELS: usize = 50;

/// What lies on the disk, and how much room there is.
#[utoipa::path(
    get, path = "/api/admin/storage", tag = "admin",
    responses(
        (status = 200, body = StorageBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn show_storage(
    State(db): State<Db>,
    State(recordings): State<Recordings>,
    State(images): State<Images>,
    State(settings): State<Settings>,
    State(data): State<DataFolder>,
    _admin: IsAdmin,
) -> Result<Json<StorageBody>, ApiError> {
    let usage = recordings.usage().await?;
    let (free, total) = space(&data.0).unzip();
    let channels = usage.iter().take(MOST_CHANNELS).map(|one| ChannelStorage {
        handle: one.handle.clone(),
        name: one.name.clone(),
        recordings: one.recordings,
        bytes: one.bytes,
    });
    Ok(Json(StorageBody {
        recordings_bytes: usage.iter().map(|one| one.bytes).sum(),
        quota_bytes: settings.now().quota_bytes(),
        images_bytes: images.size_bytes().await,
        database_bytes: db.size_bytes().await?,
        database: db.describe(),
        disk_free_bytes: free,
        disk_total_bytes: total,
        channels: channels.collect(),
    }))
}
