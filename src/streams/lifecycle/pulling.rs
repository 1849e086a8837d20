//! What is watched here and on air elsewhere is pulled from there, once however many watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use sfu::{Answer, CloseReason, OfferError, Pull as Pulling, SessionId, StreamId};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::{Refused, View, stream_uuid};
use super::elsewhere::ANSWER_WITHIN;
use super::{Done, Lifecycle, answer};
use crate::cluster::{Cluster, Record};

/// A stream that is pulled from its origin, or is to be.
#[derive(Default)]
pub(super) struct Pull {
    /// That it comes by, or is to; none: there is none yet, or no more.
    session: Option<SessionId>,
    /// By which lease it was asked for.
    fence: u64,
    is_asked: bool,
    /// Packets came.
    has_flowed: bool,
    tries: u32,
    /// When it may be tried again.
    not_before: Option<Instant>,
    /// When somebody was last seen to want it.
    wanted_at: Option<Instant>,
    /// Those who wait for the first packet.
    waiting: Vec<Waiting>,
}

type Waiting = (View, oneshot::Sender<Result<Answer, Refused>>, Instant);

/// Who wants to watch waits so long for the first packet.
const PATIENCE: Duration = Duration::from_secs(8);
/// As many may wait for a stream.
const MOST_WAITING: usize = 1_000;
/// A pull that nobody wants any more ends after this time.
const IDLE: Duration = Duration::from_secs(30);
/// A pull that failed is tried again after this time, which doubles up to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Lifecycle {
    /// Who wants to watch what is on air elsewhere waits for it, and has it pulled if it is not.
    pub(super) fn await_pull(
        &mut self,
        view: View,
        stream: StreamId,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    ) {
        let now = self.clock.instant();
        let pull = self.others.pulls.entry(stream).or_default();
        pull.wanted_at = Some(now);
        if pull.waiting.len() >= MOST_WAITING {
            let busy = OfferError::Busy {
                retry_after: LONGEST_PAUSE,
            };
            return answer(reply, Err(Refused::Offer(busy)));
        }
        pull.waiting.push((view, reply, now + PATIENCE));
        self.pull(stream);
    }

    /// Whether packets of a stream that is on air elsewhere came here, so that it can be watched.
    pub(super) fn is_pulled(&self, stream: StreamId) -> bool {
        let pull = self.others.pulls.get(&stream);
        pull.is_some_and(|pull| pull.has_flowed)
    }

    /// Asks the stream's origin for it, unless that is done.
    fn pull(&mut self, stream: StreamId) {
        let now = self.clock.instant();
        let live = self.live.of_stream(stream);
        let Some(origin) = live.and_then(|live| live.origin.as_ref()) else {
            return;
        };
        let Some(server) = origin.server.clone() else {
            return;
        };
        let fence = origin.fence;
        let Some(pull) = self.others.pulls.get_mut(&stream) else {
            return;
        };
        let is_early = pull.not_before.is_some_and(|at| now < at);
        let is_there = (pull.session.is_some() || pull.is_asked) && pull.fence == fence;
        if is_early || is_there {
            return;
        }
        (pull.is_asked, pull.fence) = (true, fence);
        let sfu = self.sfu.clone();
        self.calls.spawn(async move {
            let offered = sfu.pull(stream).await.map_err(|error| error.to_string());
            Done::Offered(stream, (server, fence), offered)
        });
    }

    /// There is an offer for the origin. Its session publishes the stream here from now on, so that
    /// nothing that happens to it is missed.
    pub(super) fn offered(
        &mut self,
        stream: StreamId,
        (server, fence): (Arc<Record>, u64),
        offered: Result<Pulling, String>,
    ) {
        let now = self.clock.instant();
        let pulling = match offered {
            Ok(pulling) => pulling,
            Err(why) => return self.pulled(stream, fence, Err(why)),
        };
        let is_elsewhere = self
            .live
            .of_stream(stream)
            .is_some_and(|live| !live.is_here());
        let pull = self.others.pulls.get_mut(&stream);
        let Some(pull) = pull.filter(|pull| is_elsewhere && pull.fence == fence) else {
            return self.close(pulling.session, CloseReason::Requested);
        };
        pull.session = Some(pulling.session);
        let effects = self.live.publishing(stream, pulling.session, now);
        self.carry_out(effects);
        let (sfu, cluster) = (self.sfu.clone(), self.others.cluster.clone());
        self.calls.spawn(async move {
            let pulled = Box::pin(pull_from(&sfu, &cluster, &server, (stream, fence), pulling));
            let result = timeout(ANSWER_WITHIN * 2, pulled).await;
            let result = result.unwrap_or_else(|_| Err("it took too long".to_owned()));
            Done::Pulled(stream, fence, result)
        });
    }

    /// The origin gave an answer, or none.
    pub(super) fn pulled(&mut self, stream: StreamId, fence: u64, result: Result<(), String>) {
        let now = self.clock.instant();
        let pull = self.others.pulls.get_mut(&stream);
        let Some(pull) = pull.filter(|pull| pull.fence == fence) else {
            return;
        };
        pull.is_asked = false;
        let Err(why) = result else {
            tracing::info!(stream.id = %stream, "Stream {stream} is pulled from its origin");
            return;
        };
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(pull.tries.min(8));
        pull.not_before = Some(now + pause.min(LONGEST_PAUSE));
        pull.tries = pull.tries.saturating_add(1);
        tracing::warn!(stream.id = %stream, "Stream {stream} cannot be pulled: {why}");
    }

    /// Another server has it now.
    pub(super) fn pull_anew(&mut self, stream: StreamId) {
        if let Some(pull) = self.others.pulls.get_mut(&stream) {
            (pull.tries, pull.not_before) = (0, None);
            self.pull(stream);
        }
    }

    /// A session is over; if it pulled a stream, that is tried again.
    pub(super) fn pull_ended(&mut self, stream: StreamId, session: SessionId) {
        let now = self.clock.instant();
        let pull = self.others.pulls.get_mut(&stream);
        if let Some(pull) = pull.filter(|pull| pull.session == Some(session)) {
            pull.session = None;
            pull.not_before = Some(now + FIRST_PAUSE);
        }
    }

    /// Packets of a stream come: whoever waited for that is let in.
    pub(super) fn admit_waiting(&mut self, stream: StreamId, session: SessionId) {
        let pull = self.others.pulls.get_mut(&stream);
        let Some(pull) = pull.filter(|pull| pull.session == Some(session)) else {
            return;
        };
        (pull.tries, pull.not_before, pull.has_flowed) = (0, None, true);
        for (view, reply, _) in std::mem::take(&mut pull.waiting) {
            self.start_view(view, reply);
        }
    }

    /// Pulls what is wanted and not there, ends what nobody wants, and lets those go who waited in vain.
    pub(super) fn tend_pulls(&mut self) {
        let now = self.clock.instant();
        let streams: Vec<StreamId> = self.others.pulls.keys().copied().collect();
        for stream in streams {
            let is_elsewhere = self
                .live
                .of_stream(stream)
                .is_some_and(|live| !live.is_here());
            let is_watched = self.has_viewers(stream);
            let Some(pull) = self.others.pulls.get_mut(&stream) else {
                continue;
            };
            let (late, waiting): (Vec<Waiting>, _) = std::mem::take(&mut pull.waiting)
                .into_iter()
                .partition(|(_, _, until)| now >= *until || !is_elsewhere);
            pull.waiting = waiting;
            if is_watched || !pull.waiting.is_empty() {
                pull.wanted_at = Some(now);
            }
            let wanted_at = pull.wanted_at.unwrap_or(now);
            let is_idle = now.saturating_duration_since(wanted_at) >= IDLE;
            let session = pull.session;
            for (_, reply, _) in late {
                answer(reply, Err(Refused::PublisherAway));
            }
            if !is_elsewhere {
                self.others.pulls.remove(&stream);
            } else if is_idle {
                self.others.pulls.remove(&stream);
                tracing::info!(stream.id = %stream, "Nobody watches stream {stream} here any more");
                if let Some(session) = session {
                    self.close(session, CloseReason::Requested);
                }
            } else {
                self.pull(stream);
            }
        }
    }
}

/// Has the server that has the stream by that lease, or a newer one, answer an offer.
async fn pull_from(
    sfu: &sfu::Sfu,
    cluster: &Cluster,
    server: &Record,
    (stream, fence): (StreamId, u64),
    pulling: Pulling,
) -> Result<(), String> {
    let path = format!("/cluster/relay/{}?fence={fence}", stream_uuid(stream));
    let answered = async {
        let asked = cluster.ask(server, (Method::POST, &path), pulling.offer, ANSWER_WITHIN);
        let response = asked.await.map_err(|error| error.to_string())?;
        let status = response.status();
        let answer = response.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{} answers {status}", server.url));
        }
        let taken = sfu.pulled(pulling.session, &answer).await;
        taken.map_err(|error| error.to_string())
    };
    let answered = answered.await;
    if let Err(why) = &answered {
        let why = CloseReason::Failed(why.clone());
        sfu.close(pulling.session, why).await;
    }
    answered
}
