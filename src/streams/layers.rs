//! The layer extension of WHEP: which simulcast layer a viewer gets.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::options;
use serde::Deserialize;
use sfu::{LayerChoice, LayerError, Role};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::{self, SessionError};
use super::{Streams, signalling};
use crate::error::Problem;

const REL: &str = "urn:ietf:params:whep:ext:core:layer";

pub(super) fn routes() -> OpenApiRouter<Streams> {
    OpenApiRouter::new().routes(routes!(choose_layer)).route(
        "/whep/sessions/{session}/layer",
        options(|| async { signalling::options(&[]) }),
    )
}

/// `Link` by which a session tells of this extension.
pub(super) fn link(session: &str) -> String {
    format!("<{session}/layer>; rel=\"{REL}\"")
}

/// What a viewer wants; with `mediaId` alone, what fits the bandwidth.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    /// Index of the video section.
    media_id: Option<String>,
    /// The layer of this RTP stream id.
    rid: Option<String>,
    /// The same under the name that other servers gave it.
    encoding_id: Option<String>,
    spatial_layer_id: Option<u32>,
    temporal_layer_id: Option<u32>,
    max_spatial_layer_id: Option<u32>,
    max_temporal_layer_id: Option<u32>,
    /// No wider than this.
    max_width: Option<u32>,
    /// No higher than this.
    max_height: Option<u32>,
}

/// Why a choice is refused.
#[derive(Debug, thiserror::Error)]
enum ChoiceError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("{words}", words = .0.body_text())]
    Body(JsonRejection),
    #[error("section {0} of this session is no video")]
    WrongMedia(String),
    #[error("there are no SVC layers here; choose by rid, maxWidth or maxHeight")]
    NoSvc,
    #[error("{0}")]
    UnknownLayer(String),
    #[error("this session has no media connection yet; choose again once it plays")]
    NotConnected,
}

impl IntoResponse for ChoiceError {
    fn into_response(self) -> Response {
        let words = self.to_string();
        let (status, code) = match self {
            Self::Session(error) => return error.into_response(),
            Self::Body(rejection) => (signalling::status_of(&rejection), "body_invalid"),
            Self::WrongMedia(_) => (StatusCode::UNPROCESSABLE_ENTITY, "media_unknown"),
            Self::NoSvc => (StatusCode::UNPROCESSABLE_ENTITY, "svc_unsupported"),
            Self::UnknownLayer(_) => (StatusCode::UNPROCESSABLE_ENTITY, "layer_unknown"),
            Self::NotConnected => (StatusCode::CONFLICT, "not_connected"),
        };
        Problem::new(status, code, words).into_response()
    }
}

impl Wanted {
    fn choice(self) -> Result<LayerChoice, ChoiceError> {
        if let Some(rid) = self.rid.or(self.encoding_id) {
            return Ok(LayerChoice::Rid(rid));
        }
        if self.max_width.is_some() || self.max_height.is_some() {
            return Ok(LayerChoice::MaxSize {
                width: self.max_width,
                height: self.max_height,
            });
        }
        let svc = [
            self.spatial_layer_id,
            self.temporal_layer_id,
            self.max_spatial_layer_id,
            self.max_temporal_layer_id,
        ];
        if svc.iter().any(Option::is_some) {
            return Err(ChoiceError::NoSvc);
        }
        Ok(LayerChoice::Auto)
    }
}

/// Choose a layer, or leave the choice to the bandwidth.
#[utoipa::path(
    post, path = "/whep/sessions/{session}/layer", tag = "whep",
    params(("session" = String, Path)), request_body = Wanted,
    responses(
        (status = 200), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn choose_layer(
    State(streams): State<Streams>,
    Path(session): Path<String>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<StatusCode, ChoiceError> {
    let (id, facts) = session::find(&streams, Role::Viewer, &session).await?;
    session::check_authorization(&streams, &facts, &headers).await?;
    let Json(wanted) = wanted.map_err(ChoiceError::Body)?;
    if let Some(media) = &wanted.media_id
        && media.parse().ok() != facts.video_index
    {
        return Err(ChoiceError::WrongMedia(media.clone()));
    }
    let choice = wanted.choice()?;
    let chosen = streams.sfu.choose_layer(id, choice).await;
    chosen.map_err(|error| match error {
        // We know the session; the SFU has it on no shard before its first packet.
        LayerError::UnknownSession => ChoiceError::NotConnected,
        other => ChoiceError::UnknownLayer(other.to_string()),
    })?;
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(json: &str) -> Result<LayerChoice, ChoiceError> {
        serde_json::from_str::<Wanted>(json).unwrap().choice()
    }

    #[test]
    fn each_way_to_choose_is_understood() {
        let rid = LayerChoice::Rid("h".to_owned());
        assert_eq!(choice(r#"{"mediaId":"0","rid":"h"}"#).unwrap(), rid);
        assert_eq!(choice(r#"{"encodingId":"h"}"#).unwrap(), rid);
        assert_eq!(choice(r#"{"mediaId":"0"}"#).unwrap(), LayerChoice::Auto);
        assert_eq!(
            choice(r#"{"maxHeight":360}"#).unwrap(),
            LayerChoice::MaxSize {
                width: None,
                height: Some(360)
            }
        );
        assert!(choice(r#"{"spatialLayerId":1}"#).is_err());
    }
}
