//! [`Presence`]: who watches one stream, each counted once however they watch.
//!
//! There are three signs of a viewer: a session by WHEP, a reader of playlists, who is only guessed
//! at (`readers.rs`), and a heartbeat, which players of ours send. A heartbeat names its session and
//! its transport and stands in the place of that session and of one reader, so that whoever connects
//! again, or changes the way of watching, stays one viewer. Players of others are counted by the first
//! two.
//!
//! Pure: all times come in, in Unix milliseconds, and may stand still or go backwards.

mod guess;
#[cfg(test)]
mod properties;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sfu::SessionId;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::AccountId;

use guess::Guess;

/// A way of watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    Webrtc,
    LlHls,
    Hls,
}

/// What a player calls its viewer: random, and the same as long as its page lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ViewerId(Arc<str>);

/// Who a viewer is, as far as requests tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) account: Option<AccountId>,
    pub(crate) address: IpAddr,
    pub(crate) agent: Arc<str>,
    /// Owners look at their own streams; that makes no audience.
    pub(crate) is_owner: bool,
}

/// A player says that its viewer watches.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub(crate) viewer: ViewerId,
    pub(crate) who: Who,
    pub(crate) transport: Transport,
    /// The session by WHEP that it has.
    pub(crate) session: Option<SessionId>,
    /// It watches no longer.
    pub(crate) is_leaving: bool,
}

/// One time that somebody watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watching {
    pub(crate) id: Uuid,
    pub(crate) who: Who,
    pub(crate) transport: Transport,
    pub(crate) started_ms: i64,
    pub(crate) last_seen_ms: i64,
    pub(crate) watch_ms: i64,
}

/// Numbers by transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByTransport {
    pub(crate) webrtc: i64,
    pub(crate) ll_hls: i64,
    pub(crate) hls: i64,
}

/// What there is to write down of a stream's viewers since the last time.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) now: ByTransport,
    pub(crate) peak: i64,
    /// Time watched since, in milliseconds. It never shrinks.
    pub(crate) watched_ms: ByTransport,
    /// Watchings that are new, over, or were not told of for a minute.
    pub(crate) watchings: Vec<Watching>,
    /// Watchings that were told of and turned out to be another's.
    pub(crate) replaced: Vec<Uuid>,
}

/// Those who watch a stream.
#[derive(Debug, Default)]
pub(super) struct Presence {
    viewers: HashMap<ViewerId, Viewer>,
    /// Sessions that are connected.
    sessions: HashMap<SessionId, Session>,
    /// Sessions that a viewer named before they were.
    early: HashMap<SessionId, ViewerId>,
    guess: Guess,
    peak: i64,
    watched: Watched,
    over: Vec<Watch>,
    replaced: Vec<Uuid>,
}

#[derive(Debug)]
struct Viewer {
    watch: Watch,
    last_beat_ms: i64,
    is_here: bool,
    /// Sessions of it, the newest last.
    named: Vec<SessionId>,
    /// Readers of playlists are guessed at with a delay: after a change of its own, two of them are
    /// its until then, one that ceases and one that begins.
    changes_until_ms: i64,
    /// It reads, or did before its last change.
    has_read: bool,
}

#[derive(Debug)]
enum Session {
    Stranger(Watch),
    Of(ViewerId),
}

#[derive(Debug)]
struct Watch {
    watching: Watching,
    /// Up to when its time was counted.
    counted_ms: i64,
    told_ms: Option<i64>,
}

#[derive(Debug, Default)]
struct Watched {
    ms: ByTransport,
    /// Counted for a stranger who turned out to be a viewer, whose own time has it in it.
    twice_ms: i64,
}

/// A viewer counts for so long after its last sign. Players send one every 30 s.
pub(crate) const GRACE_MS: i64 = 45_000;
/// Viewers of one stream that are told apart, at most; further ones count by their sessions alone.
const MOST_VIEWERS: usize = 50_000;
/// Sessions that one viewer may have named.
const MOST_NAMED: usize = 4;
/// A watching that goes on is told of this often.
const TOLD_EVERY_MS: i64 = 60_000;
/// A stranger is told of after this time: a viewer's heartbeat would have come by then.
const STRANGER_AFTER_MS: i64 = 5_000;

impl ViewerId {
    /// 16 to 64 letters, digits and hyphens.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (16..=64).contains(&text.len()) && text.bytes().all(is_plain);
        fits.then(|| Self(text.into()))
    }
}

impl Transport {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Webrtc => "webrtc",
            Self::LlHls => "ll_hls",
            Self::Hls => "hls",
        }
    }
}

impl ByTransport {
    pub(crate) fn all(self) -> i64 {
        self.webrtc + self.ll_hls + self.hls
    }

    fn of(&mut self, transport: Transport) -> &mut i64 {
        match transport {
            Transport::Webrtc => &mut self.webrtc,
            Transport::LlHls => &mut self.ll_hls,
            Transport::Hls => &mut self.hls,
        }
    }
}

impl std::ops::Add for ByTransport {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            webrtc: self.webrtc + other.webrtc,
            ll_hls: self.ll_hls + other.ll_hls,
            hls: self.hls + other.hls,
        }
    }
}

impl Presence {
    /// A session by WHEP is connected.
    pub(super) fn joined(&mut self, session: SessionId, who: Who, now_ms: i64) {
        let named_by = self.early.remove(&session);
        let known = named_by.filter(|viewer| self.viewers.contains_key(viewer));
        let session_of = known.map_or_else(
            || Session::Stranger(Watch::new(who, Transport::Webrtc, now_ms)),
            Session::Of,
        );
        self.sessions.entry(session).or_insert(session_of);
    }

    /// A session by WHEP is over.
    pub(super) fn left(&mut self, session: SessionId, now_ms: i64) {
        self.early.remove(&session);
        match self.sessions.remove(&session) {
            Some(Session::Stranger(mut watch)) => {
                watch.count(now_ms, &mut self.watched);
                self.over.push(watch);
            }
            Some(Session::Of(viewer)) => {
                if let Some(viewer) = self.viewers.get_mut(&viewer) {
                    // It may come back, or go on by another way.
                    viewer.last_beat_ms = viewer.last_beat_ms.max(now_ms);
                }
            }
            None => {}
        }
    }

    /// A player says that its viewer watches, or does so no longer.
    pub(super) fn beat(&mut self, beat: Beat, now_ms: i64) {
        let Beat {
            viewer: id,
            who,
            transport,
            session,
            is_leaving,
        } = beat;
        let stranger = session.and_then(|session| self.claim(session, &id));
        if !self.viewers.contains_key(&id) && self.viewers.len() >= MOST_VIEWERS {
            return;
        }
        let watched = &mut self.watched;
        let viewer = match self.viewers.entry(id.clone()) {
            std::collections::hash_map::Entry::Occupied(known) => {
                if let Some(stranger) = stranger {
                    watched.twice_ms += stranger.watching.watch_ms;
                    self.replaced
                        .extend(stranger.told_ms.map(|_| stranger.watching.id));
                }
                known.into_mut()
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut watch =
                    stranger.unwrap_or_else(|| Watch::new(who.clone(), transport, now_ms));
                if who.is_owner {
                    // Nobody's time, as it turns out.
                    watched.twice_ms += watch.watching.watch_ms;
                    self.replaced
                        .extend(watch.told_ms.map(|_| watch.watching.id));
                    watch.watching.watch_ms = 0;
                }
                place.insert(Viewer {
                    watch,
                    last_beat_ms: now_ms,
                    is_here: true,
                    named: Vec::new(),
                    changes_until_ms: now_ms + guess::DELAY_MS,
                    has_read: transport != Transport::Webrtc,
                })
            }
        };
        viewer.take(who, transport, is_leaving, now_ms, watched);
        if let Some(session) = session
            && let Some(forgotten) = viewer.name(session)
        {
            self.early.remove(&forgotten);
        }
        if let Some(session) = session.filter(|session| !self.sessions.contains_key(session)) {
            self.early.insert(session, id);
        }
    }

    /// About so many read playlists, whoever they are.
    pub(super) fn read(&mut self, readers: u32) {
        self.guess.take(readers);
    }

    /// Time passes: whoever gave no sign for too long is gone.
    pub(super) fn pass(&mut self, now_ms: i64) {
        for session in self.sessions.values_mut() {
            match session {
                Session::Stranger(watch) => watch.count(now_ms, &mut self.watched),
                // A page in the background may be too sleepy for heartbeats.
                Session::Of(id) => {
                    if let Some(viewer) = self.viewers.get_mut(id).filter(|viewer| viewer.is_here) {
                        viewer.last_beat_ms = viewer.last_beat_ms.max(now_ms);
                        viewer.watch.count(now_ms, &mut self.watched);
                    }
                }
            }
        }
        let is_gone = |_: &ViewerId, viewer: &mut Viewer| now_ms - viewer.last_beat_ms >= GRACE_MS;
        let gone: Vec<Viewer> = self
            .viewers
            .extract_if(is_gone)
            .map(|(_, viewer)| viewer)
            .collect();
        for viewer in gone {
            self.let_go(viewer, now_ms);
        }
        let strangers = self.strangers_by_hls(self.guess.readers(), now_ms);
        self.watched.add_guessed(strangers, now_ms, &mut self.guess);
        // Who has only come may yet turn out to be a viewer that counts already, or the owner.
        let lasting = self.strangers_by_hls(self.guess.lasting(), now_ms);
        let new = self.new_strangers(now_ms) + strangers - lasting;
        self.peak = self.peak.max(self.count(now_ms).all() - new);
    }

    /// How many watch now.
    pub(super) fn count(&self, now_ms: i64) -> ByTransport {
        let mut count = ByTransport::default();
        let here = |viewer: &&Viewer| viewer.is_here && !viewer.watch.watching.who.is_owner;
        for viewer in self.viewers.values().filter(here) {
            *count.of(viewer.watch.watching.transport) += 1;
        }
        let is_stranger = |session: &&Session| matches!(session, Session::Stranger(_));
        let strangers = self.sessions.values().filter(is_stranger).count();
        count.webrtc += i64::try_from(strangers).unwrap_or(i64::MAX);
        count.hls += self.strangers_by_hls(self.guess.readers(), now_ms);
        count
    }

    /// The most at once, as far as time passed.
    pub(super) fn peak(&self) -> i64 {
        self.peak
    }

    /// What there is to write down; with `all`, all that there is.
    pub(super) fn changes(&mut self, now_ms: i64, all: bool) -> Changes {
        self.pass(now_ms);
        let over = std::mem::take(&mut self.over);
        let mut watchings: Vec<Watching> = over.into_iter().map(|watch| watch.watching).collect();
        for viewer in self.viewers.values_mut() {
            if !viewer.watch.watching.who.is_owner && (all || viewer.watch.is_due(now_ms)) {
                watchings.push(viewer.watch.tell(now_ms));
            }
        }
        for session in self.sessions.values_mut() {
            if let Session::Stranger(watch) = session
                && (all || watch.is_due_of_stranger(now_ms))
            {
                watchings.push(watch.tell(now_ms));
            }
        }
        Changes {
            now: self.count(now_ms),
            peak: self.peak,
            watched_ms: std::mem::take(&mut self.watched.ms),
            watchings,
            replaced: std::mem::take(&mut self.replaced),
        }
    }

    /// The stream is over, and with it all who watch.
    pub(super) fn end(mut self, now_ms: i64) -> Changes {
        self.pass(now_ms);
        for (_, session) in self.sessions.drain() {
            if let Session::Stranger(watch) = session {
                self.over.push(watch);
            }
        }
        let viewers: Vec<Viewer> = self.viewers.drain().map(|(_, viewer)| viewer).collect();
        for mut viewer in viewers {
            if viewer.is_here {
                viewer.watch.count(now_ms, &mut self.watched);
            }
            self.let_go(viewer, now_ms);
        }
        self.guess = Guess::default();
        let last = self.changes(now_ms, false);
        Changes {
            now: ByTransport::default(),
            ..last
        }
    }

    /// Makes a session a viewer's; gives the stranger that it was until now.
    fn claim(&mut self, session: SessionId, viewer: &ViewerId) -> Option<Watch> {
        let place = self.sessions.get_mut(&session)?;
        match std::mem::replace(place, Session::Of(viewer.clone())) {
            Session::Stranger(watch) => Some(watch),
            Session::Of(_) => None,
        }
    }

    fn let_go(&mut self, viewer: Viewer, now_ms: i64) {
        for session in &viewer.named {
            self.early.remove(session);
            // It said good-bye and is still connected: it counts as anybody with a session.
            if let Some(place @ Session::Of(_)) = self.sessions.get_mut(session) {
                let who = viewer.watch.watching.who.clone();
                *place = Session::Stranger(Watch::new(who, Transport::Webrtc, now_ms));
            }
        }
        if !viewer.watch.watching.who.is_owner {
            self.over.push(viewer.watch);
        }
    }

    fn new_strangers(&self, now_ms: i64) -> i64 {
        let is_new = |session: &&Session| match session {
            Session::Stranger(watch) => watch.is_new(now_ms),
            Session::Of(_) => false,
        };
        let new = self.sessions.values().filter(is_new).count();
        i64::try_from(new).unwrap_or(i64::MAX)
    }

    /// How many of so many readers are nobody's who is known.
    fn strangers_by_hls(&self, readers: i64, now_ms: i64) -> i64 {
        let of_viewers = self.viewers.values().map(|viewer| viewer.readers(now_ms));
        let known: i64 = of_viewers.sum();
        // A player may seem two for a while, as when it asks late: better a stranger too few.
        let doubtful = if known > 0 { 1 + known / 10 } else { 0 };
        (readers - known - doubtful).max(0)
    }
}

impl Viewer {
    fn take(
        &mut self,
        who: Who,
        transport: Transport,
        is_leaving: bool,
        now_ms: i64,
        watched: &mut Watched,
    ) {
        if self.is_here {
            self.watch.count(now_ms, watched);
        } else {
            self.watch.counted_ms = now_ms;
        }
        let was = (self.is_here, self.watch.watching.transport);
        if was != (!is_leaving, transport) {
            self.has_read = self.readers(now_ms) > 0 || transport != Transport::Webrtc;
            self.changes_until_ms = now_ms + guess::DELAY_MS;
        }
        let watching = &mut self.watch.watching;
        if !is_leaving {
            watching.transport = transport;
        }
        if who.account.is_some() || watching.who.account.is_none() {
            // An owner who signs out in another tab is no viewer for that.
            let is_owner = watching.who.is_owner || who.is_owner;
            watching.who = Who { is_owner, ..who };
        }
        self.last_beat_ms = self.last_beat_ms.max(now_ms);
        self.is_here = !is_leaving;
    }

    /// Notes a session of its own; gives the one that it is forgotten for.
    fn name(&mut self, session: SessionId) -> Option<SessionId> {
        if self.named.contains(&session) {
            return None;
        }
        self.named.push(session);
        (self.named.len() > MOST_NAMED).then(|| self.named.remove(0))
    }

    /// How many of those who read playlists it may be.
    fn readers(&self, now_ms: i64) -> i64 {
        let reads = self.is_here && self.watch.watching.transport != Transport::Webrtc;
        match now_ms < self.changes_until_ms && self.has_read {
            true => 2,
            false => i64::from(reads),
        }
    }
}

impl Watch {
    fn new(who: Who, transport: Transport, now_ms: i64) -> Self {
        Self {
            watching: Watching {
                id: Uuid::now_v7(),
                who,
                transport,
                started_ms: now_ms,
                last_seen_ms: now_ms,
                watch_ms: 0,
            },
            counted_ms: now_ms,
            told_ms: None,
        }
    }

    /// Counts the time up to now as watched.
    fn count(&mut self, now_ms: i64, watched: &mut Watched) {
        let passed = (now_ms - self.counted_ms).clamp(0, GRACE_MS);
        self.counted_ms = self.counted_ms.max(now_ms);
        let watching = &mut self.watching;
        watching.last_seen_ms = watching.last_seen_ms.max(now_ms);
        watching.watch_ms += passed;
        if !watching.who.is_owner {
            watched.add(watching.transport, passed);
        }
    }

    fn is_due(&self, now_ms: i64) -> bool {
        self.told_ms
            .is_none_or(|told| (now_ms - told).abs() >= TOLD_EVERY_MS)
    }

    fn is_due_of_stranger(&self, now_ms: i64) -> bool {
        !self.is_new(now_ms) && self.is_due(now_ms)
    }

    fn is_new(&self, now_ms: i64) -> bool {
        now_ms - self.watching.started_ms < STRANGER_AFTER_MS
    }

    fn tell(&mut self, now_ms: i64) -> Watching {
        self.told_ms = Some(now_ms);
        self.watching.clone()
    }
}

impl Watched {
    fn add(&mut self, transport: Transport, passed_ms: i64) {
        let settled = passed_ms.min(self.twice_ms);
        self.twice_ms -= settled;
        *self.ms.of(transport) += passed_ms - settled;
    }

    fn add_guessed(&mut self, strangers: i64, now_ms: i64, guess: &mut Guess) {
        self.ms.hls += strangers.saturating_mul(guess.passed(now_ms));
    }
}
