//! The session URL of WHIP and WHEP: PATCH and DELETE (RFC 9725 §4.2, §4.3).
//!
//! The URL holds 128 random bits and suffices; yet a wrong `Authorization` sent along is refused.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sfu::{PatchError, Patched, Role, SessionId};
use tracing::Span;

use super::signalling::{
    Authorization, BodyError, Match, SDP_FRAGMENT, authorization, has_type, if_match, read_text,
    restarted,
};
use super::{SessionFacts, Streams, spans};
use crate::cluster::Record;
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::secret::same;

/// Part of every session's path.
pub(super) const PATH: &str = "/sessions/";

/// Why a request to a session is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("there is no such session; it may be over")]
    Unknown,
    #[error("send the fragment as {SDP_FRAGMENT}")]
    NotFragment,
    #[error("the body is longer than 64 KiB")]
    TooLong,
    #[error("the body broke off or is no UTF-8 text")]
    Unreadable,
    #[error("the Authorization sent along is not that of this session; leave it out or correct it")]
    WrongAuthorization,
    #[error("this ETag is stale: ICE was restarted since")]
    StaleTag,
    #[error("an ICE restart needs If-Match with the session's ETag, or *")]
    TagMissing,
    #[error("{0}")]
    Fragment(String),
    #[error("{0}")]
    RestartFailed(String),
    #[error(transparent)]
    Store(StoreError),
}

impl SessionError {
    fn problem(&self) -> Problem {
        let words = self.to_string();
        let (status, code) = match self {
            Self::Unknown => (StatusCode::NOT_FOUND, "session_not_found"),
            Self::NotFragment => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_wrong"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "body_unreadable"),
            Self::WrongAuthorization => (StatusCode::UNAUTHORIZED, "authorization_wrong"),
            Self::StaleTag => (StatusCode::PRECONDITION_FAILED, "etag_stale"),
            Self::TagMissing => (StatusCode::PRECONDITION_REQUIRED, "if_match_missing"),
            Self::Fragment(_) => (StatusCode::BAD_REQUEST, "fragment_invalid"),
            Self::RestartFailed(_) => (StatusCode::UNPROCESSABLE_ENTITY, "restart_failed"),
            Self::Store(error) => return store_problem(error),
        };
        Problem::new(status, code, words)
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            log_store_error(error);
        }
        self.problem().into_response()
    }
}

/// Takes trickled candidates or restarts ICE.
pub(super) async fn patch(
    streams: &Streams,
    role: Role,
    session: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, SessionError> {
    let (id, facts) = find(streams, role, session).await?;
    if !has_type(headers, SDP_FRAGMENT) {
        return Err(SessionError::NotFragment);
    }
    check_authorization(streams, &facts, headers).await?;
    let matched = if_match(headers, &facts.ice_tag);
    if matched == Match::Stale {
        return Err(SessionError::StaleTag);
    }
    let fragment = read_text(headers, body)
        .await
        .map_err(|error| match error {
            BodyError::TooLong => SessionError::TooLong,
            BodyError::Unreadable => SessionError::Unreadable,
        })?;
    let ufrag = sfu::ice_ufrag(&fragment);
    // Only new credentials mean a restart: `If-Match: *` comes with plain candidates, too.
    let restarts = ufrag.is_some() && ufrag != facts.remote_ufrag.as_deref();
    if restarts && matched == Match::Absent {
        return Err(SessionError::TagMissing);
    }
    match streams.sfu.patch(id, &fragment).await {
        Ok(Patched::Trickled) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Patched::Restarted {
            fragment: answer,
            ice_tag,
        }) => {
            let ufrag = ufrag.unwrap_or_default().to_owned();
            streams.restarted(id, ice_tag.clone(), ufrag).await;
            tracing::info!(stream.id = %facts.stream, session.id = %id, "Session {id} restarts ICE");
            Ok(restarted(answer, &ice_tag))
        }
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: PatchError) -> SessionError {
    match error {
        PatchError::UnknownSession => SessionError::Unknown,
        PatchError::RestartFailed(_) => SessionError::RestartFailed(error.to_string()),
        _ => SessionError::Fragment(error.to_string()),
    }
}

/// Ends a session; a publisher's ends its stream. `If-Match` does not matter here.
pub(super) async fn delete(
    streams: &Streams,
    role: Role,
    session: &str,
    headers: &HeaderMap,
) -> Result<StatusCode, SessionError> {
    let (id, facts) = find(streams, role, session).await?;
    check_authorization(streams, &facts, headers).await?;
    if streams.hang_up(id).await {
        // 200, not 204: OBS takes only the former for success.
        Ok(StatusCode::OK)
    } else {
        Err(SessionError::Unknown)
    }
}

/// The session of that id and that side.
pub(super) async fn find(
    streams: &Streams,
    role: Role,
    session: &str,
) -> Result<(SessionId, SessionFacts), SessionError> {
    let (id, _) = split_server(session);
    let id: SessionId = id.parse().map_err(|_| SessionError::Unknown)?;
    let facts = streams.session(id).await;
    let facts = facts.filter(|facts| facts.role == role);
    let facts = facts.ok_or(SessionError::Unknown)?;
    spans::note(&Span::current(), id, Some(&facts));
    Ok((id, facts))
}

/// A session's id as its address has it, and the number of the server that has it, where there are
/// several.
pub(super) fn split_server(session: &str) -> (&str, Option<u8>) {
    match session.split_once('.') {
        Some((id, slot)) => (id, slot.parse().ok()),
        None => (session, None),
    }
}

/// The path of a session's address, behind `/whip` or `/whep`. It names the server, so that any may be
/// asked.
pub(super) fn path(streams: &Streams, id: SessionId) -> String {
    match streams.cluster.slot() {
        Some(slot) => format!("{PATH}{}.{slot}", id.reveal()),
        None => format!("{PATH}{}", id.reveal()),
    }
}

/// The server that has the session which a path is about, when that is another.
pub(super) fn server_of(streams: &Streams, path: &str) -> Option<Arc<Record>> {
    let (_, session) = path.split_once(PATH)?;
    let session = session.split('/').next()?;
    let slot = split_server(session).1?;
    let is_other = streams.cluster.slot() != Some(slot);
    let directory = is_other.then(|| streams.cluster.directory())?;
    directory.by_slot(slot).map(Arc::clone)
}

/// Refuses an `Authorization` that is not the session's: for a publisher a stream key of its
/// channel, for a viewer what it sent with its offer, if that was something.
pub(super) async fn check_authorization(
    streams: &Streams,
    facts: &SessionFacts,
    headers: &HeaderMap,
) -> Result<(), SessionError> {
    let token = match authorization(headers) {
        Authorization::Absent | Authorization::OtherScheme => return Ok(()),
        Authorization::Unusable if facts.credential.is_none() && facts.role == Role::Viewer => {
            return Ok(());
        }
        Authorization::Unusable => return Err(SessionError::WrongAuthorization),
        Authorization::Token(token) => token,
    };
    let right = match facts.role {
        Role::Publisher => streams
            .channels
            .verify_stream_key(&token)
            .await
            .map_err(SessionError::Store)?
            .is_some_and(|(_, channel)| channel.id == facts.channel),
        Role::Viewer | Role::Relay => facts
            .credential
            .as_deref()
            .is_none_or(|credential| same(credential, &token.hash())),
    };
    if right {
        Ok(())
    } else {
        Err(SessionError::WrongAuthorization)
    }
}
