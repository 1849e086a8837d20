//! `/api/account/avatar`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{Accounts, SignedIn};
use crate::error::{ApiError, Problem};
use crate::images::{Crop, Images, Shape};
use crate::request::ApiQuery;

/// The part that is wanted, in pixels of the picture; all four, or none for the middle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CropQuery {
    /// Pixels left of it.
    x: Option<u32>,
    /// Pixels above it.
    y: Option<u32>,
    /// Its width.
    width: Option<u32>,
    /// Its height.
    height: Option<u32>,
}

/// The new picture.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvatarBody {
    /// Its id.
    avatar: String,
    /// Where it is.
    url: String,
}

impl CropQuery {
    fn crop(&self) -> Result<Option<Crop>, ApiError> {
        match (self.x, self.y, self.width, self.height) {
            (Some(x), Some(y), Some(width), Some(height)) => Ok(Some(Crop {
                x,
                y,
                width,
                height,
            })),
            (None, None, None, None) => Ok(None),
            _ => Err(ApiError::Invalid {
                code: "crop_invalid",
                detail: "give x, y, width and height, or none of them".to_owned(),
            }),
        }
    }
}

/// Give the own account a picture: JPEG, PNG, WebP or GIF of up to 10 MB, of which a square is kept.
#[utoipa::path(
    put, path = "/api/account/avatar", tag = "account", params(
        ("x" = Option<u32>, Query), ("y" = Option<u32>, Query),
        ("width" = Option<u32>, Query), ("height" = Option<u32>, Query),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = AvatarBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
pub(super) async fn set_avatar(
    State(accounts): State<Accounts>,
    State(images): State<Images>,
    SignedIn(account): SignedIn,
    ApiQuery(query): ApiQuery<CropQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AvatarBody>, ApiError> {
    let crop = query.crop()?;
    let id = images.take(&headers, body, Shape::Avatar, crop).await?;
    accounts.set_avatar(&account, Some(id.as_str())).await?;
    Ok(Json(AvatarBody {
        avatar: id.to_string(),
        url: id.url(),
    }))
}

/// Take the picture of the own account away.
#[utoipa::path(
    delete, path = "/api/account/avatar", tag = "account",
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem)),
)]
pub(super) async fn remove_avatar(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
) -> Result<StatusCode, ApiError> {
    accounts.set_avatar(&account, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
