//! `/api/docs`: the description as a page to read and to try. It comes whole from the program, so that
//! it works without a network of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;

use crate::error::ApiError;

/// The page's routes.
pub fn routes() -> Router {
    let config = Config::from("/api/openapi.json")
        .use_base_layout()
        .deep_linking(true)
        .display_request_duration(true)
        .default_models_expand_depth(0)
        // What a visitor types in as token is gone with the tab.
        .persist_authorization(false)
        // Without the default nothing is asked of a validator elsewhere.
        .validator_url("none");
    let config = Arc::new(config);
    let index = Arc::clone(&config);
    Router::new()
        .route(
            "/api/docs",
            get(|| async { Redirect::permanent("/api/docs/") }),
        )
        .route(
            "/api/docs/",
            get(|| async move { file("index.html", index) }),
        )
        .route(
            "/api/docs/{file}",
            get(|Path(name): Path<String>| async move { file(&name, config) }),
        )
}

fn file(name: &str, config: Arc<Config<'static>>) -> Response {
    let found = match utoipa_swagger_ui::serve(name, config) {
        Ok(found) => found,
        Err(error) => return ApiError::Internal(error.to_string()).into_response(),
    };
    let Some(file) = found else {
        let refusal = ApiError::NotFound {
            code: "not_found",
            detail: "the reference has no such file",
        };
        return refusal.into_response();
    };
    let headers = [
        (CONTENT_TYPE, file.content_type),
        (CACHE_CONTROL, "public, max-age=3600".to_owned()),
    ];
    (headers, file.bytes.into_owned()).into_response()
}
