//! `/api/channels` and what stands below it.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

mod access;
mod keys;
mod people;
mod pictures;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::profile::ChannelEdit;
use super::{CATEGORIES, Category, ChannelProfile, Channels, LANGUAGES};
use crate::accounts::SignedIn;
use crate::error::{ApiError, Problem};
use crate::form::Form;
use crate::images::Images;
use crate::request::{ApiJson, ApiPath, ApiQuery};

/// The routes of this domain.
pub fn routes(channels: Channels, images: Images) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_channel))
        .routes(routes!(edit_channel, delete_channel))
        .merge(keys::routes())
        .merge(pictures::routes())
        .merge(people::routes())
        .merge(access::routes())
        .with_state(Rooms { channels, images })
        .merge(lists())
}

/// What the program itself knows.
fn lists() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_categories))
        .routes(routes!(list_languages))
}

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Rooms {
    channels: Channels,
    images: Images,
}

#[derive(Debug, Serialize, ToSchema)]
struct CategoryList {
    items: Vec<Category>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LanguageList {
    /// Language tags (BCP 47).
    items: Vec<&'static str>,
}

/// What channels may be about.
#[utoipa::path(
    get, path = "/api/categories", tag = "channels",
    responses((status = 200, body = CategoryList)),
)]
async fn list_categories() -> Json<CategoryList> {
    let items = CATEGORIES.to_vec();
    Json(CategoryList { items })
}

/// Languages that channels may name.
#[utoipa::path(
    get, path = "/api/languages", tag = "channels",
    responses((status = 200, body = LanguageList)),
)]
async fn list_languages() -> Json<LanguageList> {
    let items = LANGUAGES.to_vec();
    Json(LanguageList { items })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    /// 2 to 30 letters a to z, digits, hyphens or underscores.
    handle: String,
    /// 1 to 80 characters.
    name: String,
}

/// Make a channel.
#[utoipa::path(
    post, path = "/api/channels", tag = "channels", request_body = NewChannel,
    responses(
        (status = 201, body = ChannelProfile),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn create_channel(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiJson(new): ApiJson<NewChannel>,
) -> Result<(StatusCode, Json<ChannelProfile>), ApiError> {
    let channel = channels.create(&account, &new.handle, &new.name).await?;
    let profile = channels.profile(&channel, Some(&account)).await?;
    Ok((StatusCode::CREATED, Json(profile)))
}

/// Change an own channel. What is left out stays.
#[utoipa::path(
    patch, path = "/api/channels/{handle}", tag = "channels",
    params(("handle" = String, Path)), request_body = ChannelEdit,
    responses(
        (status = 200, body = ChannelProfile),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn edit_channel(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(edit): ApiJson<ChannelEdit>,
) -> Result<Json<ChannelProfile>, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    let channel = channels.edit(channel.id, edit).await?;
    Ok(Json(channels.profile(&channel, Some(&account)).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// The channel's handle once more, so that none is deleted by mistake.
    #[serde(default)]
    confirm: String,
}

/// Delete an own channel with all that belongs to it: its stream ends, its recordings go.
#[utoipa::path(
    delete, path = "/api/channels/{handle}", tag = "channels",
    params(("handle" = String, Path), DeleteQuery),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn delete_channel(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    let channel = channels.expect_own(&handle, &account).await?;
    if query.confirm != channel.handle {
        let mut form = Form::new();
        form.add(
            "confirm",
            "confirm_wrong",
            "give the handle of the channel once more",
        );
        form.done()?;
    }
    channels.delete(&channel).await?;
    Ok(StatusCode::NO_CONTENT)
}
