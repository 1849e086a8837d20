//! `/api/channels/{handle}/avatar` and `…/banner`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Rooms;
use crate::accounts::{Account, SignedIn};
use crate::channels::Channels;
use crate::error::{ApiError, Problem};
use crate::form::Form;
use crate::images::{Crop, Images, Shape};
use crate::request::{ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<Rooms> {
    OpenApiRouter::new()
        .routes(routes!(put_avatar, delete_avatar))
        .routes(routes!(put_banner, delete_banner))
}

/// The part of the picture that is wanted, in pixels of the picture as it is shown: all four, or none
/// for the middle.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CropQuery {
    /// Pixels left of it.
    x: Option<u32>,
    /// Pixels above it.
    y: Option<u32>,
    /// Its width.
    width: Option<u32>,
    /// Its height.
    height: Option<u32>,
}

impl CropQuery {
    fn crop(self) -> Result<Option<Crop>, ApiError> {
        match (self.x, self.y, self.width, self.height) {
            (None, None, None, None) => Ok(None),
            (Some(x), Some(y), Some(width), Some(height)) => Ok(Some(Crop {
                x,
                y,
                width,
                height,
            })),
            _ => {
                let mut form = Form::new();
                let words = "give x, y, width and height, or none of them";
                form.add("width", "crop_invalid", words);
                form.done().map(|()| None)
            }
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Picture {
    /// Where it is; it never changes.
    url: String,
}

/// One picture on its way.
struct Upload {
    account: Account,
    handle: String,
    crop: CropQuery,
    headers: HeaderMap,
    body: Body,
}

async fn put(
    channels: &Channels,
    images: &Images,
    shape: Shape,
    upload: Upload,
) -> Result<Json<Picture>, ApiError> {
    let channel = channels.expect_own(&upload.handle, &upload.account).await?;
    let crop = upload.crop.crop()?;
    channels.note_upload(&upload.account)?;
    let id = images
        .take(&upload.headers, upload.body, shape, crop)
        .await?;
    channels.set_picture(channel.id, shape, Some(&id)).await?;
    Ok(Json(Picture { url: id.url() }))
}

async fn delete(
    channels: &Channels,
    shape: Shape,
    account: &Account,
    handle: &str,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(handle, account).await?;
    channels.set_picture(channel.id, shape, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an own channel a picture: a PNG, JPEG, WebP or GIF of up to 10 MiB.
#[utoipa::path(
    put, path = "/api/channels/{handle}/avatar", tag = "channels",
    params(("handle" = String, Path), CropQuery),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses(
        (status = 200, body = Picture), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn put_avatar(
    State(channels): State<Channels>,
    State(images): State<Images>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(crop): ApiQuery<CropQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Picture>, ApiError> {
    let upload = Upload {
        account,
        handle,
        crop,
        headers,
        body,
    };
    put(&channels, &images, Shape::Avatar, upload).await
}

/// Give an own channel a picture across the top of its page.
#[utoipa::path(
    put, path = "/api/channels/{handle}/banner", tag = "channels",
    params(("handle" = String, Path), CropQuery),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses(
        (status = 200, body = Picture), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn put_banner(
    State(channels): State<Channels>,
    State(images): State<Images>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(crop): ApiQuery<CropQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Picture>, ApiError> {
    let upload = Upload {
        account,
        handle,
        crop,
        headers,
        body,
    };
    put(&channels, &images, Shape::Banner, upload).await
}

/// Take an own channel's picture away.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/avatar", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn delete_avatar(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    delete(&channels, Shape::Avatar, &account, &handle).await
}

/// Take the picture across the top of an own channel's page away.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/banner", tag = "channels",
    params(("handle" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn delete_banner(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    delete(&channels, Shape::Banner, &account, &handle).await
}
