//! What is on air at other servers: who has it is read in the [`Directory`], and what is watched here is
//! pulled from there, once however many watch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use sfu::StreamId;
use uuid::Uuid;

use super::super::live::{Elsewhere, Live, Phase};
use super::super::playback;
use super::super::{Stream, StreamEvent, catalogue, stream_uuid};
use super::leasing::SEEN_WITHIN;
use super::pulling::Pull;
use super::{Done, Lifecycle};
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
    pub(super) pulls: HashMap<StreamId, Pull>,
    /// What was on air here until a moment ago, which the others are to hear of.
    ended: Vec<(OnAir, Instant)>,
    /// By which lease the others were told that a stream is here.
    told: HashMap<StreamId, u64>,
    /// Streams that Redis does not tell of any more and the database does, when that was seen last.
    vouched: HashMap<StreamId, Instant>,
    /// Channels that somebody is about to publish on.
    pub(super) claiming: HashSet<ChannelId>,
}

/// A stream elsewhere, as it was looked up.
pub(super) type Found = Option<(Channel, Arc<Stream>)>;

/// Servers answer one another within this time.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// What the database has seen counts for as long.
const VOUCHED_FOR: Duration = Duration::from_secs(8);
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
            told: HashMap::new(),
            vouched: HashMap::new(),
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

    /// What nobody says any more to have: whoever takes it up is awaited, as a publisher is. Unless the
    /// database has seen its publisher a moment ago: then it is Redis that has lost its server.
    fn miss(&mut self, directory: &Directory) {
        let now = self.clock.instant();
        self.others
            .vouched
            .retain(|_, at| now.saturating_duration_since(*at) < VOUCHED_FOR);
        let is_missing = |live: &&Live| directory.origin_of(live.channel.id.0).is_none();
        let missing = self.live.iter().filter(is_missing).filter_map(|live| {
            let origin = live.origin.as_ref()?;
            Some((live.stream, origin.server.as_ref()?.id, origin.is_known()))
        });
        let missing: Vec<(StreamId, Uuid, bool)> = missing.collect();
        for (stream, server, is_known) in missing {
            if is_known && !self.others.vouched.contains_key(&stream) {
                let effects = self.live.missing(stream, now);
                self.carry_out(effects);
            }
            let (db, seen_since) = (self.others.db.clone(), self.clock.now() - SEEN_WITHIN);
            self.calls.spawn(async move {
                let seen = catalogue::is_seen_on_air(&db, stream, server, seen_since).await;
                Done::Vouched(stream, seen.unwrap_or(false))
            });
        }
    }

    /// The database has seen the publisher of a stream a moment ago that Redis does not tell of, or not.
    pub(super) fn vouched(&mut self, stream: StreamId, is_seen: bool) {
        let now = self.clock.instant();
        if is_seen {
            self.others.vouched.insert(stream, now);
            let effects = self.live.vouched(stream);
            self.carry_out(effects);
        }
    }

    /// Playback is told where requests go for what is on air elsewhere.
    pub(super) fn show_elsewhere(&self) {
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
        self.others.cluster.forget(channel.0);
        let effects = self.live.hand_over(channel, now);
        self.carry_out(effects);
        self.take_directory();
    }

    /// Somebody ends a stream here that is on air at another server.
    /// False: nobody has it just now who could be told.
    pub(super) fn end_elsewhere(&mut self, stream: StreamId, server: Option<Arc<Record>>) -> bool {
        let Some(server) = server else {
            return false;
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
        true
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
                has_publisher: live.publisher.is_some(),
                viewers,
                size: self.audiences.size(stream),
            });
        }
        self.others.told = on_air
            .iter()
            .filter(|on| on.standing != Standing::Ended)
            .map(|on| (StreamId::from(on.stream.as_u128()), on.fence))
            .collect();
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
            let over = OnAir {
                channel: channel.0,
                stream: stream_uuid(stream),
                fence: self.others.told.remove(&stream).unwrap_or_default(),
                standing: Standing::Ended,
                has_publisher: false,
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
}

async fn find(db: &Db, channels: &Channels, stream: StreamId) -> Result<Found, StoreError> {
    let Some(about) = catalogue::on_air_by_id(db, stream).await? else {
        return Ok(None);
    };
    let channel = channels.by_id(about.channel).await?;
    Ok(channel.map(|channel| (channel, Arc::new(about))))
}
