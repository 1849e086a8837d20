//! What is on air at other servers: who has it is read in the [`Directory`], and what is watched here is
//! pulled from there, once however many watch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use sfu::{Answer, CloseReason, Pull as Pulling, SessionId, StreamId};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::super::live::{Elsewhere, Live, Phase};
use super::super::playback;
use super::super::{Refused, Stream, StreamEvent, View, catalogue, stream_uuid};
use super::{Done, Lifecycle, answer};
use crate::channels::{Channel, ChannelId, Channels};
use crate::cluster::{Cluster, Directory, OnAir, Own, Record, Standing};
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::nodes::Node;

/// What the task knows of other servers.
pub(in super::super) struct Others {
    pub(super) cluster: Cluster,
    pub(super) node: Node,
    db: Db,
    channels: Channels,
    /// Streams that are being looked up, to be shown here.
    finding: HashSet<StreamId>,
    pulls: HashMap<StreamId, Pull>,
    /// What was on air here until a moment ago, which the others are to hear of.
    ended: Vec<(OnAir, Instant)>,
    /// Channels that somebody is about to publish on.
    pub(super) claiming: HashSet<ChannelId>,
}

/// A stream that is pulled from its origin, or is to be.
#[derive(Default)]
struct Pull {
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

/// A stream elsewhere, as it was looked up.
pub(super) type Found = Option<(Channel, Arc<Stream>)>;

/// Servers answer one another within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Who wants to watch waits so long for the first packet.
const PATIENCE: Duration = Duration::from_secs(8);
/// A pull that nobody wants any more ends after this time.
const IDLE: Duration = Duration::from_secs(30);
/// A pull that failed is tried again after this time, which doubles up to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The others hear for this long that a stream is over.
const TOLD_FOR: Duration = Duration::from_secs(10);

impl Others {
    pub(in super::super) fn new(
        (cluster, node): (Cluster, Node),
        db: Db,
        channels: Channels,
    ) -> Self {
        Self {
            cluster,
            node,
            db,
            channels,
            finding: HashSet::new(),
            pulls: HashMap::new(),
            ended: Vec::new(),
            claiming: HashSet::new(),
        }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }
}

impl Lifecycle {
    /// Takes in what other servers have on air now.
    pub(super) fn take_directory(&mut self) {
        let directory = self.others.cluster.directory();
        let channels: HashSet<Uuid> = directory
            .servers
            .iter()
            .flat_map(|server| server.own.on_air.iter().map(|on_air| on_air.channel))
            .collect();
        for channel in channels {
            if let Some((server, on_air)) = directory.origin_of(channel) {
                self.take_on_air(server, on_air);
            }
        }
        if directory.is_fresh {
            self.miss(&directory);
        }
        self.show_elsewhere();
    }

    fn take_on_air(&mut self, server: &Arc<Record>, on_air: &OnAir) {
        let (channel, now) = (ChannelId(on_air.channel), self.clock.instant());
        let stream = StreamId::from(on_air.stream.as_u128());
        let is_over = on_air.standing == Standing::Ended;
        let Some(live) = self.live.get(channel) else {
            if !is_over {
                self.look_up(stream);
            }
            return;
        };
        if live.is_here() {
            if on_air.fence > live.fence && live.fence != 0 && !is_over {
                self.hand_over(channel);
            }
            return;
        }
        let known = live.origin.as_ref().map_or(0, |origin| origin.fence);
        match live.stream == stream {
            _ if on_air.fence < known => {}
            true if is_over => {
                let effects = self.live.vanish(stream);
                self.carry_out(effects);
            }
            true => {
                let elsewhere = Elsewhere::new(server, on_air);
                let effects = self.live.stands(stream, elsewhere, now);
                self.carry_out(effects);
                if on_air.fence > known {
                    self.pull_anew(stream);
                }
            }
            false => {
                let before = live.stream;
                let effects = self.live.vanish(before);
                self.carry_out(effects);
                if !is_over {
                    self.look_up(stream);
                }
            }
        }
    }

    /// What nobody says any more to have: whoever takes it up is awaited, as a publisher is.
    fn miss(&mut self, directory: &Directory) {
        let missing: Vec<StreamId> = self
            .live
            .iter()
            .filter(|live| {
                let origin = live.origin.as_ref();
                origin.is_some_and(Elsewhere::is_known)
                    && directory.origin_of(live.channel.id.0).is_none()
            })
            .map(|live| live.stream)
            .collect();
        let now = self.clock.instant();
        for stream in missing {
            let effects = self.live.missing(stream, now);
            self.carry_out(effects);
        }
    }

    /// Playback is told where requests go for what is on air elsewhere.
    fn show_elsewhere(&self) {
        let elsewhere = self.live.iter().filter_map(|live| {
            Some(playback::Elsewhere {
                handle: live.channel.handle.clone(),
                stream: live.stream,
                server: live.origin.as_ref()?.server.clone(),
                lock: live.about.details.lock.clone(),
            })
        });
        self.playback.set_elsewhere(elsewhere.collect());
    }

    fn look_up(&mut self, stream: StreamId) {
        if !self.others.finding.insert(stream) {
            return;
        }
        let (db, channels) = (self.others.db.clone(), self.others.channels.clone());
        self.calls.spawn(async move {
            let found = find(&db, &channels, stream).await;
            if let Err(error) = &found {
                log_store_error(error);
            }
            Done::Found(stream, found.ok().flatten())
        });
    }

    pub(super) fn found(&mut self, stream: StreamId, found: Found) {
        self.others.finding.remove(&stream);
        let Some((channel, about)) = found else {
            // Its row follows its going on air; it is looked for again with the next beat.
            return;
        };
        let directory = self.others.cluster.directory();
        let Some((server, on_air)) = directory.origin_of(channel.id.0) else {
            return;
        };
        let is_it = on_air.stream == stream_uuid(stream) && on_air.standing != Standing::Ended;
        if !is_it || self.live.get(channel.id).is_some() {
            return;
        }
        tracing::info!(
            stream.id = %stream, channel.handle = %channel.handle, server = server.slot,
            "Stream {stream} is on air at {}", server.url
        );
        self.playback.settle_channel(channel.id);
        self.audiences.open(stream);
        let elsewhere = Elsewhere::new(server, on_air);
        let now = self.clock.instant();
        self.live.appear(channel, about, elsewhere, now);
        self.show_elsewhere();
    }

    /// Another server took a channel over.
    pub(super) fn hand_over(&mut self, channel: ChannelId) {
        let now = (self.clock.instant(), self.clock.now());
        let effects = self.live.hand_over(channel, now);
        self.carry_out(effects);
        self.take_directory();
    }

    /// Somebody ends a stream here that is on air at another server.
    pub(super) fn end_elsewhere(&mut self, stream: StreamId, server: Option<Arc<Record>>) {
        let Some(server) = server else {
            return;
        };
        let cluster = self.others.cluster.clone();
        self.calls.spawn(async move {
            let path = format!("/cluster/streams/{}/end", stream_uuid(stream));
            let asked = cluster.ask(&server, (Method::POST, &path), String::new(), ANSWER_WITHIN);
            if let Err(error) = asked.await {
                tracing::warn!(stream.id = %stream, "Stream {stream} could not be ended: {error}");
            }
            Done::Nothing
        });
    }

    /// Tells the others what is on air here.
    pub(super) fn tell_others(&mut self) {
        if !self.others.cluster.is_shared() {
            return;
        }
        let now = self.clock.instant();
        let is_told = |at: &Instant| now.saturating_duration_since(*at) < TOLD_FOR;
        self.others.ended.retain(|(_, at)| is_told(at));
        let is_draining = self.draining.is_cancelled();
        let mut on_air: Vec<OnAir> = self.others.ended.iter().map(|(on, _)| on.clone()).collect();
        let mut watched = Vec::new();
        for live in self.live.iter() {
            let (stream, viewers) = (live.stream, self.audiences.viewers_here(live.stream));
            let standing = match live.phase {
                Phase::Preparing => continue,
                Phase::OnAir if !is_draining => Standing::Live,
                _ => Standing::Reconnecting,
            };
            if !live.is_here() {
                watched.push((stream_uuid(stream), viewers));
                continue;
            }
            on_air.push(OnAir {
                channel: live.channel.id.0,
                stream: stream_uuid(stream),
                fence: live.fence,
                standing,
                viewers,
                size: self.audiences.size(stream),
            });
        }
        let own = Own {
            is_draining,
            viewers: u32::try_from(self.sfu.totals().viewers).unwrap_or(u32::MAX),
            most_viewers: u32::try_from(self.limits.viewers_for(false)).unwrap_or(u32::MAX),
            on_air,
            watched,
        };
        self.others.cluster.tell(own);
    }

    /// A stream that was here is over: the others hear of it, and another server may have its channel.
    pub(super) fn note_end(&mut self, event: &StreamEvent) {
        if let &StreamEvent::Ended {
            stream, channel, ..
        } = event
            && self.others.cluster.is_shared()
        {
            let held = self.others.cluster.fence_of(channel.0);
            let over = OnAir {
                channel: channel.0,
                stream: stream_uuid(stream),
                fence: held.unwrap_or_default(),
                standing: Standing::Ended,
                viewers: 0,
                size: None,
            };
            self.others.ended.push((over, self.clock.instant()));
        }
    }

    /// Lets go of channels that are not on air here any more, and claims those that are and could not be
    /// claimed when they began.
    pub(super) fn settle_leases(&mut self) {
        let others = &self.others;
        for channel in others.cluster.held() {
            let channel = ChannelId(channel);
            let live = self.live.get(channel);
            let is_here = live.is_some_and(Live::is_here);
            let is_kept = is_here && !self.draining.is_cancelled();
            if !is_kept && !others.claiming.contains(&channel) {
                others.cluster.release(channel.0);
            }
        }
        if !others.cluster.is_shared() || self.draining.is_cancelled() {
            return;
        }
        let unheld = self.live.iter().filter(|live| {
            live.is_here() && live.fence == 0 && !others.claiming.contains(&live.channel.id)
        });
        let unheld: Vec<ChannelId> = unheld.map(|live| live.channel.id).collect();
        for channel in unheld {
            self.others.claiming.insert(channel);
            let cluster = self.others.cluster.clone();
            self.calls.spawn(async move {
                let claimed = cluster.claim(channel.0, None).await;
                Done::Claimed(channel, claimed)
            });
        }
    }

    // What is pulled.

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
    fn pull_anew(&mut self, stream: StreamId) {
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

async fn find(db: &Db, channels: &Channels, stream: StreamId) -> Result<Found, StoreError> {
    let Some(about) = catalogue::on_air_by_id(db, stream).await? else {
        return Ok(None);
    };
    let channel = channels.by_id(about.channel).await?;
    Ok(channel.map(|channel| (channel, Arc::new(about))))
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
