//! `/images/{id}`: pictures, for any page and any cache, for ever.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ImageId, Images, Missing};
use crate::answer::{self, Caching, Content};
use crate::error::{ApiError, Problem};
use crate::request::{ApiPath, Client};

/// The routes of this module.
pub fn routes(images: Images) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show))
        .layer(answer::OpenToAll)
        .with_state(images)
}

/// A picture that somebody uploaded. What an address shows never changes.
#[utoipa::path(
    get, path = "/images/{id}", tag = "images", params(("id" = String, Path)),
    responses(
        (status = 200, content_type = "image/jpeg"),
        (status = 404, body = Problem),
        (status = 429, description = "Too many that are at the store alone", body = Problem),
        (status = 503, description = "The object store does not answer", body = Problem),
    ),
)]
async fn show(
    State(images): State<Images>,
    ApiPath(id): ApiPath<String>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || ApiError::NotFound {
        code: "image_not_found",
        detail: "there is no such picture",
    };
    let id = ImageId::parse(&id).ok_or_else(missing)?;
    let found = images.find(&id, client.address).await;
    let found = found.map_err(|error| match error {
        Missing::Often(wait) => ApiError::TooMany(wait),
        error => {
            tracing::warn!(%error, "A picture cannot be shown: {error}");
            ApiError::Away {
                code: "image_unavailable",
                detail: "this picture cannot be had at the moment; try again later",
            }
        }
    })?;
    let path = found.ok_or_else(missing)?;
    let content = Content {
        kind: match id.kind() {
            "png" => "image/png",
            "gif" => "image/gif",
            _ => "image/jpeg",
        },
        tag: id.as_str(),
        caching: Caching::Immutable,
    };
    content.file(&path, &headers).await.map_err(|_| missing())
}
