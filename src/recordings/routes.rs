//! `/api/channels/{handle}/recordings` and `/api/recordings`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::entry;
use super::{
    MP4_NAME, Mp4State, Recording, Recordings, State as RecordingState, Visibility, mp4_path,
};
use crate::accounts::{Account, Asker, SignedIn};
use crate::answer::{Caching, Content};
use crate::channels::{Access, Channel};
use crate::error::{ApiError, Problem};
use crate::form::given;
use crate::gates::{StreamGate, StreamGateEdit};
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};
use crate::streams::stream_uuid;

pub(super) fn routes(recordings: Recordings) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_recordings))
        .routes(routes!(show_recording, edit_recording, delete_recording))
        .routes(routes!(download_mp4, make_mp4))
        .merge(entry::routes())
        .with_state(recordings)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct RecordingList {
    items: Vec<RecordingBody>,
    /// Give it as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// A recording of a stream.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingBody {
    id: Uuid,
    /// The stream that it is of.
    stream: Uuid,
    /// Handle of its channel.
    channel: String,
    title: String,
    visibility: Visibility,
    /// Who may watch, of those whom the channel lets in.
    gate: StreamGate,
    /// Whether that is said of the recording; else it was said of its stream.
    gate_is_own: bool,
    /// So much of its beginning everybody may watch for nothing; 0: nothing.
    preview_seconds: u32,
    state: RecordingState,
    /// When the stream went on air; of the part that another server recorded after it took over, when that began.
    started_at: Timestamp,
    /// When the stream went on air: what is told in its time, as its chat is, counts from there.
    stream_started_at: Timestamp,
    /// Null while the stream is on air.
    ended_at: Option<Timestamp>,
    duration_ms: u64,
    /// Of all qualities on disk, without the MP4.
    size_bytes: u64,
    /// HLS, once it is ready.
    playlist_url: Option<String>,
    /// A picture for cards.
    thumbnail_url: Option<String>,
    /// Pictures for the seek bar.
    storyboard_url: Option<String>,
    /// For the owner alone.
    mp4: Option<Mp4Body>,
    /// Whether whoever asks owns it.
    owner: bool,
}

/// The MP4 of a recording.
#[derive(Debug, Serialize, ToSchema)]
struct Mp4Body {
    state: Mp4State,
    /// 0 to 100, while it is being made.
    progress: u8,
    size_bytes: Option<u64>,
    /// Where to download it, once it is ready.
    url: Option<String>,
    /// Why it could not be made.
    problem: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordingEdit {
    /// 1 to 200 characters.
    title: Option<String>,
    visibility: Option<Visibility>,
    /// Who may watch, of those whom the channel lets in; null: whoever might watch its stream.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<StreamGateEdit>)]
    gate: Option<Option<StreamGateEdit>>,
}

impl RecordingBody {
    fn new(recording: Recording, channel: &Channel, asker: Option<&Account>) -> Self {
        let owner = asker.is_some_and(|account| account.has_say_over(channel.owner));
        let id = recording.id.0;
        let is_ready = recording.state == RecordingState::Ready;
        let at = |name: &str| format!("/vod/{id}/{name}");
        let has_pictures = is_ready && recording.has_thumbnail;
        Self {
            id,
            stream: stream_uuid(recording.whole_stream()),
            channel: channel.handle.clone(),
            mp4: owner.then(|| Mp4Body::new(&recording)),
            gate: recording.lock().gate.into(),
            gate_is_own: recording.own_lock.is_some(),
            preview_seconds: recording.lock().preview_s,
            title: recording.title,
            visibility: recording.visibility,
            state: recording.state,
            started_at: recording.started_at,
            stream_started_at: recording.stream_started_at,
            ended_at: recording.ended_at,
            duration_ms: recording.duration_ms,
            size_bytes: recording.size_bytes,
            playlist_url: is_ready.then(|| at("index.m3u8")),
            thumbnail_url: has_pictures.then(|| at("thumbnail.jpg")),
            storyboard_url: has_pictures.then(|| at("storyboard.json")),
            owner,
        }
    }
}

impl Mp4Body {
    fn new(recording: &Recording) -> Self {
        let mp4 = &recording.mp4;
        let is_ready = mp4.state == Mp4State::Ready;
        Self {
            state: mp4.state,
            progress: mp4.progress,
            size_bytes: is_ready.then_some(mp4.size_bytes),
            url: is_ready.then(|| format!("/api/recordings/{}/mp4", recording.id)),
            problem: mp4.problem.clone(),
        }
    }
}

/// The recordings of a channel, newest first. Its owner sees all, others what is public.
#[utoipa::path(
    get, path = "/api/channels/{handle}/recordings", tag = "recordings",
    params(("handle" = String, Path), ListQuery),
    responses(
        (status = 200, body = RecordingList),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_recordings(
    State(recordings): State<Recordings>,
    asker: Asker,
    client: Client,
    headers: HeaderMap,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<RecordingList>, ApiError> {
    let channels = &recordings.0.channels;
    let channel = channels.expect(&handle).await?;
    // Who may not watch is told of nothing that there is to watch.
    if channels.access(&channel, &client, &headers).await? != Access::Granted {
        return Ok(Json(RecordingList {
            items: Vec::new(),
            next_cursor: None,
        }));
    }
    let asker = asker.account.as_ref();
    let (page, next) = recordings.page(&channel, asker, &query.cursor).await?;
    let items = page.into_iter();
    Ok(Json(RecordingList {
        items: items
            .map(|one| RecordingBody::new(one, &channel, asker))
            .collect(),
        next_cursor: next.map(|next| next.to_string()),
    }))
}

/// A recording. One that is unlisted is found by its id; a private one by its owner alone.
#[utoipa::path(
    get, path = "/api/recordings/{id}", tag = "recordings", params(("id" = Uuid, Path)),
    responses((status = 200, body = RecordingBody), (status = 404, body = Problem)),
)]
async fn show_recording(
    State(recordings): State<Recordings>,
    asker: Asker,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<RecordingBody>, ApiError> {
    let asker = asker.account.as_ref();
    let (recording, channel) = recordings.expect(id, asker).await?;
    Ok(Json(RecordingBody::new(recording, &channel, asker)))
}

/// Change an own recording. What is left out stays.
#[utoipa::path(
    patch, path = "/api/recordings/{id}", tag = "recordings", params(("id" = Uuid, Path)),
    request_body = RecordingEdit,
    responses(
        (status = 200, body = RecordingBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn edit_recording(
    State(recordings): State<Recordings>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(edit): ApiJson<RecordingEdit>,
) -> Result<Json<RecordingBody>, ApiError> {
    let (mut recording, channel) = recordings.expect_own(id, &account).await?;
    let title = edit.title.as_deref();
    recordings
        .edit(&mut recording, title, edit.visibility, edit.gate)
        .await?;
    Ok(Json(RecordingBody::new(
        recording,
        &channel,
        Some(&account),
    )))
}

/// Delete an own recording with its files, for ever.
#[utoipa::path(
    delete, path = "/api/recordings/{id}", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn delete_recording(
    State(recordings): State<Recordings>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    let (recording, _) = recordings.expect_own(id, &account).await?;
    recordings.delete(&recording).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have an MP4 made of an own recording. It is made in the background; ask for the recording to see
/// how far it is.
#[utoipa::path(
    post, path = "/api/recordings/{id}/mp4", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 202, body = RecordingBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn make_mp4(
    State(recordings): State<Recordings>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<(StatusCode, Json<RecordingBody>), ApiError> {
    let (mut recording, channel) = recordings.expect_own(id, &account).await?;
    recordings.make_mp4(&mut recording).await?;
    let body = RecordingBody::new(recording, &channel, Some(&account));
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// Download the MP4 of an own recording. Ranges are served, so that a download can go on.
#[utoipa::path(
    get, path = "/api/recordings/{id}/mp4", tag = "recordings", params(("id" = Uuid, Path)),
    responses(
        (status = 200, content_type = "video/mp4"), (status = 206, content_type = "video/mp4"),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn download_mp4(
    State(recordings): State<Recordings>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (recording, channel) = recordings.expect_own(id, &account).await?;
    if recording.mp4.state != Mp4State::Ready {
        return Err(ApiError::NotFound {
            code: "mp4_not_ready",
            detail: "there is no MP4 of this recording yet; have it made by POST and wait until \
                     its state is ready",
        });
    }
    let content = Content {
        kind: "video/mp4",
        tag: &format!("{id}-{}", recording.mp4.size_bytes),
        caching: Caching::PrivateSeconds(0),
    };
    let path = mp4_path(&recordings.0.folder(recording.stream));
    let mut response = match (content.file(&path, &headers).await, &recordings.0.archive) {
        (Ok(response), _) => response,
        (Err(_), Some(archive)) if recording.is_stored => {
            let size_bytes = recording.mp4.size_bytes;
            content.ranged(size_bytes, &headers, |range| {
                Body::from_stream(archive.read(recording.stream, MP4_NAME, range))
            })
        }
        (Err(error), _) => return Err(ApiError::Internal(error.to_string())),
    };
    let name = file_name(&channel.handle, &recording);
    if let Ok(value) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// `Content-Disposition` (RFC 6266): a plain name for all, the title for who reads RFC 8187.
fn file_name(handle: &str, recording: &Recording) -> String {
    let date = recording.started_at.strftime("%Y-%m-%d");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let encoded = recording
        .title
        .bytes()
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            if is_plain(byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
            text
        });
    format!("attachment; filename=\"{handle}-{date}.mp4\"; filename*=UTF-8''{encoded}.mp4")
}

#[cfg(test)]
mod tests {
    use sfu::StreamId;

    use super::*;
    use crate::accounts::AccountId;

    #[test]
    fn no_title_breaks_out_of_the_file_name() {
        let owner = AccountId(Uuid::nil());
        let channel = Channel::new(
            "ada".to_owned(),
            "Ada".to_owned(),
            owner,
            Timestamp::UNIX_EPOCH,
        );
        let stream = StreamId::from(1);
        let mut recording =
            Recording::new(stream, &channel, Timestamp::UNIX_EPOCH, Visibility::Public);
        recording.title = "Ünder \"../\\\r\n; x".to_owned();
        assert_eq!(
            file_name("ada", &recording),
            "attachment; filename=\"ada-1970-01-01.mp4\"; \
             filename*=UTF-8''%C3%9Cnder%20%22..%2F%5C%0D%0A%3B%20x.mp4"
        );
    }
}
