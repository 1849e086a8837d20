//! `/api/recordings/{id}/entry`, `…/pass`, `…/password`: may I watch, and what is lacking.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Recordings;
use crate::accounts::{Account, Asker};
use crate::error::{ApiError, Problem};
use crate::gates::{Entry, PassBody, PasswordGiven, Place};
use crate::request::{ApiJson, ApiPath, Client};

pub(super) fn routes() -> OpenApiRouter<Recordings> {
    OpenApiRouter::new()
        .routes(routes!(show_recording_entry))
        .routes(routes!(issue_recording_pass))
        .routes(routes!(unlock_recording))
}

impl Recordings {
    async fn place(&self, id: Uuid, asker: Option<&Account>) -> Result<Place, ApiError> {
        let (recording, channel) = self.expect(id, asker).await?;
        Ok(recording.place(&channel.handle))
    }
}

/// Whether whoever asks may watch a recording, and what is lacking.
#[utoipa::path(
    get, path = "/api/recordings/{id}/entry", tag = "recordings", params(("id" = Uuid, Path)),
    responses((status = 200, body = Entry), (status = 404, body = Problem)),
)]
async fn show_recording_entry(
    State(recordings): State<Recordings>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<Entry>, ApiError> {
    let account = asker.account.as_ref();
    let place = recordings.place(id, account).await?;
    let gates = &recordings.0.gates;
    let entry = gates.entry(&place, account, &client, &headers).await?;
    Ok(Json(entry))
}

/// Get a pass by which a player asks for the media of a recording, or the next one.
#[utoipa::path(
    post, path = "/api/recordings/{id}/pass", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = PassBody), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn issue_recording_pass(
    State(recordings): State<Recordings>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<PassBody>, Response> {
    let account = asker.account.as_ref();
    let place = recordings.place(id, account).await;
    let place = place.map_err(IntoResponse::into_response)?;
    let issued = recordings
        .0
        .gates
        .issue(&place, true, account, (&client, &headers))
        .await;
    issued.map(Json).map_err(IntoResponse::into_response)
}

/// Give the password of a recording. A cookie lets the browser watch from then on.
#[utoipa::path(
    post, path = "/api/recordings/{id}/password", tag = "recordings", params(("id" = Uuid, Path)),
    request_body = PasswordGiven,
    responses(
        (status = 204), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
async fn unlock_recording(
    State(recordings): State<Recordings>,
    asker: Asker,
    client: Client,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(given): ApiJson<PasswordGiven>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let place = recordings.place(id, asker.account.as_ref()).await?;
    let cookie = recordings.0.gates.unlock(&place, &given, &client).await?;
    Ok((StatusCode::NO_CONTENT, cookie))
}
