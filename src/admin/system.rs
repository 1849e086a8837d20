//! `/api/admin/checks`, `/api/admin/connectivity`: whether the machine is well, and reached.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Serialize;
use sfu::{CloseReason, SessionId, Sfu, StreamId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Offices;
use crate::accounts::IsAdmin;
use crate::clock::Clock;
use crate::doctor::{Checkup, Finding, Verdict};
use crate::error::{ApiError, Problem};
use crate::ice::IceServers;
use crate::streams;

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new()
        .routes(routes!(check_system))
        .routes(routes!(try_connection))
        .routes(routes!(end_trial))
}

/// What was looked at.
#[derive(Debug, Serialize, ToSchema)]
struct SystemChecks {
    checked_at: Timestamp,
    items: Vec<SystemCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
struct SystemCheck {
    /// What it is about.
    subject: &'static str,
    verdict: CheckVerdict,
    /// What was found, and what to change.
    detail: String,
}

/// How it is to be taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CheckVerdict {
    /// As it should be.
    Good,
    /// It works, but not for everybody or not under load.
    Careful,
    /// It does not work.
    Bad,
}

impl From<Finding> for SystemCheck {
    fn from(finding: Finding) -> Self {
        Self {
            subject: finding.subject,
            verdict: match finding.verdict {
                Verdict::Good => CheckVerdict::Good,
                Verdict::Careful => CheckVerdict::Careful,
                Verdict::Bad => CheckVerdict::Bad,
            },
            detail: finding.words,
        }
    }
}

/// Look at the server and its machine, as `tallylight doctor` does.
#[utoipa::path(
    get, path = "/api/admin/checks", tag = "admin",
    responses(
        (status = 200, body = SystemChecks),
        (status = 401, body = Problem), (status = 403, body = Problem),
    ),
)]
async fn check_system(
    State(checkup): State<Checkup>,
    State(clock): State<Clock>,
    _: IsAdmin,
) -> Json<SystemChecks> {
    let items = checkup.look().await.into_iter().map(SystemCheck::from);
    Json(SystemChecks {
        checked_at: clock.now(),
        items: items.collect(),
    })
}

/// Connections that admins try. Clones are one.
#[derive(Debug, Clone)]
pub struct Trials {
    sfu: Sfu,
    ice: IceServers,
    clock: Clock,
    open: Arc<Mutex<Vec<Trial>>>,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    session: SessionId,
    stream: StreamId,
    until: Instant,
}

/// Trials at once.
const MOST: usize = 16;
/// A trial lasts so long at most.
const LASTS: Duration = Duration::from_secs(30);

impl Trials {
    /// With this SFU.
    #[must_use]
    pub fn new(sfu: &Sfu, ice: &IceServers, clock: &Clock) -> Self {
        Self {
            sfu: sfu.clone(),
            ice: ice.clone(),
            clock: clock.clone(),
            open: Arc::default(),
        }
    }

    /// Ends those that are over, and that one.
    async fn sweep(&self, ended: Option<SessionId>) -> bool {
        let now = self.clock.instant();
        let is_over = |trial: &mut Trial| trial.until <= now || Some(trial.session) == ended;
        let over: Vec<Trial> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.extract_if(.., is_over).collect()
        };
        let mut found = false;
        for trial in over {
            found |= Some(trial.session) == ended;
            self.sfu.close(trial.session, CloseReason::Requested).await;
            self.sfu.end_stream(trial.stream).await;
            self.ice.end(&trial.session.reveal());
        }
        found
    }

    /// Takes a place for a session; false: there is none.
    fn enter(&self, session: SessionId, stream: StreamId) -> bool {
        let until = self.clock.instant() + LASTS;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = open.len() < MOST;
        if has_room {
            open.push(Trial {
                session,
                stream,
                until,
            });
        }
        has_room
    }
}

/// Try whether media reaches the server: answers an offer with one audio section, which nobody hears. It ends
/// by itself after 30 s.
#[utoipa::path(
    post, path = "/api/admin/connectivity", tag = "admin",
    request_body(content = String, content_type = "application/sdp"),
    responses(
        (status = 201, description = "The answer; a `Link` for each STUN and TURN server", content_type = "application/sdp", body = String),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn try_connection(
    State(trials): State<Trials>,
    _: IsAdmin,
    offer: String,
) -> Result<Response, ApiError> {
    trials.sweep(None).await;
    let stream = StreamId::random();
    let answer = match trials.sfu.publish(stream, &offer).await {
        Ok(answer) => answer,
        Err(error) => {
            return Ok(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "offer_refused",
                error.to_string(),
            )
            .into_response());
        }
    };
    let session = answer.session;
    if !trials.enter(session, stream) {
        trials.sfu.close(session, CloseReason::Requested).await;
        trials.sfu.end_stream(stream).await;
        return Err(ApiError::Conflict {
            code: "too_many_trials",
            detail: "too many connections are being tried; wait half a minute".to_owned(),
        });
    }
    let id = session.reveal();
    let location = format!("/api/admin/connectivity/{id}");
    let servers = trials.ice.of_session(&id);
    Ok(streams::answered(answer, &location, &servers))
}

/// End a connection that was tried.
#[utoipa::path(
    delete, path = "/api/admin/connectivity/{trial}", tag = "admin",
    params(("trial" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn end_trial(
    State(trials): State<Trials>,
    _: IsAdmin,
    Path(trial): Path<String>,
) -> Result<StatusCode, ApiError> {
    let session = trial.parse().ok();
    match session.is_some() && trials.sweep(session).await {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound {
            code: "trial_not_found",
            detail: "there is no such trial; it may be over",
        }),
    }
}

impl FromRef<Offices> for Clock {
    fn from_ref(offices: &Offices) -> Self {
        offices.trials.clock.clone()
    }
}
