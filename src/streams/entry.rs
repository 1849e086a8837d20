//! `/api/streams/{id}/entry`, `…/pass`, `…/password`: may I watch, and what is lacking.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sfu::StreamId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Streams, catalogue, stream_uuid};
use crate::accounts::{Account, Asker};
use crate::channels::{Barred, Channel, ChannelId};
use crate::db::StoreError;
use crate::error::{ApiError, Problem};
use crate::gates::{By, Entry, Lock, PassBody, PasswordGiven, Place};
use crate::request::{ApiJson, ApiPath, Client};

pub(super) fn routes() -> OpenApiRouter<Streams> {
    OpenApiRouter::new()
        .routes(routes!(show_stream_entry))
        .routes(routes!(issue_stream_pass))
        .routes(routes!(unlock_stream))
}

impl Streams {
    /// Lets whoever asks watch what is on air on a channel, or not.
    ///
    /// # Errors
    /// With what is lacking.
    pub(super) async fn admit(
        &self,
        channel: &Channel,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<(Place, By), Barred> {
        let place = self.place_on(channel).await?;
        let by = self.gates.admit(&place, client, headers).await?;
        Ok((place, by))
    }

    /// What is on air on a channel, as a place that somebody wants into. Where nothing is, it is the channel
    /// that they want into.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place_on(&self, channel: &Channel) -> Result<Place, StoreError> {
        if let Some(live) = self.live_on(channel.id).await {
            return Ok(live.about.place(&channel.handle));
        }
        let elsewhere = self.live_elsewhere(channel.id).await?;
        Ok(match elsewhere {
            Some(stream) => stream.place(&channel.handle),
            None => whole_channel(channel.id, &channel.handle),
        })
    }

    /// The place of a stream, planned, on air or over.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn place_of(&self, stream: Uuid) -> Result<Place, ApiError> {
        let found = self.find(StreamId::from(stream.as_u128())).await?;
        let stream = found.ok_or_else(no_such_stream)?;
        let channel = self.channels.by_id(stream.channel).await?;
        Ok(stream.place(&channel.ok_or_else(no_such_stream)?.handle))
    }

    /// The place of what was said and done while a stream was on air: that of its recording, once there is one
    /// with a gate of its own.
    ///
    /// # Errors
    /// When there is no such stream, or the database fails.
    pub async fn place_of_replay(&self, stream: Uuid) -> Result<Place, ApiError> {
        let mut place = self.place_of(stream).await?;
        let id = StreamId::from(stream.as_u128());
        let own = catalogue::lock_of_recording(&self.db, id, place.lock.preview_s).await?;
        if let Some((recording, lock)) = own {
            (place.door, place.lock) = (recording, lock);
        }
        Ok(place)
    }

    /// Whether somebody may watch what is on air on a channel; none: nothing stands before it.
    pub(super) async fn entry_to_live(
        &self,
        channel: &Channel,
        account: Option<&Account>,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Option<Entry>, ApiError> {
        let place = self.place_on(channel).await?;
        if place.lock.is_open() {
            return Ok(None);
        }
        let entry = self.gates.entry(&place, account, client, headers).await?;
        Ok(Some(entry))
    }
}

/// A channel on which nothing is on air.
pub(super) fn whole_channel(channel: ChannelId, handle: &str) -> Place {
    let nothing = stream_uuid(StreamId::from(0));
    Place {
        id: nothing,
        door: nothing,
        stream: nothing,
        channel,
        handle: handle.to_owned(),
        lock: Lock::default(),
        is_recorded: false,
    }
}

fn no_such_stream() -> ApiError {
    catalogue::no_such_stream()
}

/// Whether whoever asks may watch a stream, and what is lacking. A free preview does not begin with it.
#[utoipa::path(
    get, path = "/api/streams/{id}/entry", tag = "streams", params(("id" = Uuid, Path)),
    responses((status = 200, body = Entry), (status = 404, body = Problem)),
)]
async fn show_stream_entry(
    State(streams): State<Streams>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<Entry>, ApiError> {
    let place = streams.place_of(id).await?;
    let account = asker.account.as_ref();
    let entry = streams.gates.entry(&place, account, &client, &headers);
    Ok(Json(entry.await?))
}

/// Get a pass by which a player asks for the media of a stream, or the next one. With the first a free
/// preview begins, while the stream is on air.
#[utoipa::path(
    post, path = "/api/streams/{id}/pass", tag = "streams", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = PassBody), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn issue_stream_pass(
    State(streams): State<Streams>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<PassBody>, Response> {
    let place = streams.place_of(id).await;
    let place = place.map_err(IntoResponse::into_response)?;
    let account = asker.account.as_ref();
    // A preview of what is only planned would be over before it begins.
    let live = streams.live_on(place.channel).await;
    let is_on_air = live.is_some_and(|live| stream_uuid(live.stream) == id);
    let asking = (&client, &headers);
    let issued = streams.gates.issue(&place, is_on_air, account, asking);
    issued.await.map(Json).map_err(IntoResponse::into_response)
}

/// Give the password of a stream. A cookie lets the browser watch from then on.
#[utoipa::path(
    post, path = "/api/streams/{id}/password", tag = "streams", params(("id" = Uuid, Path)),
    request_body = PasswordGiven,
    responses(
        (status = 204), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
async fn unlock_stream(
    State(streams): State<Streams>,
    client: Client,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(given): ApiJson<PasswordGiven>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let place = streams.place_of(id).await?;
    let cookie = streams.gates.unlock(&place, &given, &client).await?;
    Ok((StatusCode::NO_CONTENT, cookie))
}
