//! `/api/admin/settings`: what admins may change while the server runs.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Offices;
use crate::accounts::IsAdmin;
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath};
use crate::settings::{
    ChangedSetting, FixedSetting, InstanceSettingsEdit, SettingValues, Settings,
};

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(show_instance_settings, edit_instance_settings))
        .routes(routes!(reset_instance_setting))
}

/// All settings, and where they come from.
#[derive(Debug, Serialize, ToSchema)]
struct InstanceSettings {
    values: SettingValues,
    /// What the configuration fixes.
    fixed: Vec<FixedSetting>,
    /// What admins changed.
    changed: Vec<ChangedSetting>,
}

async fn shown(settings: &Settings) -> Result<Json<InstanceSettings>, ApiError> {
    Ok(Json(InstanceSettings {
        changed: settings.changed().await?,
        fixed: settings.fixed(),
        values: (*settings.now()).clone(),
    }))
}

/// The settings of the server.
#[utoipa::path(
    get, path = "/api/admin/settings", tag = "admin",
    responses(
        (status = 200, body = InstanceSettings),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn show_instance_settings(
    State(settings): State<Settings>,
    _admin: IsAdmin,
) -> Result<Json<InstanceSettings>, ApiError> {
    shown(&settings).await
}

/// Change settings of the server; what is left out stays.
#[utoipa::path(
    patch, path = "/api/admin/settings", tag = "admin", request_body = InstanceSettingsEdit,
    responses(
        (status = 200, body = InstanceSettings),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn edit_instance_settings(
    State(settings): State<Settings>,
    IsAdmin(admin): IsAdmin,
    ApiJson(edit): ApiJson<InstanceSettingsEdit>,
) -> Result<Json<InstanceSettings>, ApiError> {
    settings.change(admin.id.0, edit).await?;
    shown(&settings).await
}

/// Put a setting of the server back to what the configuration has, or its default.
#[utoipa::path(
    delete, path = "/api/admin/settings/{field}", tag = "admin",
    params(("field" = String, Path, description = "Its name, such as `accent`")),
    responses(
        (status = 200, body = InstanceSettings),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn reset_instance_setting(
    State(settings): State<Settings>,
    IsAdmin(admin): IsAdmin,
    ApiPath(field): ApiPath<String>,
) -> Result<Json<InstanceSettings>, ApiError> {
    settings.reset(admin.id.0, &field).await?;
    shown(&settings).await
}
