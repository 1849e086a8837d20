//! `/api/channels/{handle}/access`: giving the password that a channel asks for.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Rooms;
use crate::channels::Channels;
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath, Client};
use crate::secret::Secret;

pub(super) fn routes() -> OpenApiRouter<Rooms> {
    OpenApiRouter::new().routes(routes!(enter))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelPassword {
    /// The channel's.
    password: String,
}

/// Give the password that a channel asks for. The answer sets a cookie with which its stream and its
/// recordings can be watched, until there is another password. Players without cookies send the
/// password as `Authorization: Bearer`.
#[utoipa::path(
    post, path = "/api/channels/{handle}/access", tag = "channels",
    params(("handle" = String, Path)), request_body = ChannelPassword,
    responses(
        (status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn enter(
    State(channels): State<Channels>,
    client: Client,
    ApiPath(handle): ApiPath<String>,
    ApiJson(body): ApiJson<ChannelPassword>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let channel = channels.expect(&handle).await?;
    let password = Secret::new(body.password);
    let cookie = channels.ticket(&channel, &password, &client).await?;
    let headers = cookie
        .map(|cookie| (SET_COOKIE, cookie))
        .into_iter()
        .collect();
    Ok((StatusCode::NO_CONTENT, headers))
}
