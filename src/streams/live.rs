//! Which channels are live, who publishes on them, and what follows from what happens.
//!
//! Pure: time comes in as an argument, what must be done comes out as [`Effect`]s. The task in
//! `lifecycle` owns the one instance and carries the effects out.
//!
//! Invariants: a channel has at most one stream, a stream at most one publisher, and a stream that
//! was [`StreamEvent::Started`] is [`StreamEvent::Ended`] exactly once.

mod elsewhere;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sfu::{CloseReason, SessionId, StreamId};

use super::{Stream, StreamEvent, StreamState};
use crate::channels::{Channel, ChannelId};
use crate::config::{SecondPublisher, Streams as Settings};

pub(super) use elsewhere::Elsewhere;

/// A handshake that takes longer than this has failed.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The rules for going live and off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) window: Duration,
    pub(super) silence: Duration,
    pub(super) second_publisher: SecondPublisher,
}

impl From<&Settings> for Rules {
    fn from(settings: &Settings) -> Self {
        Self {
            window: settings.reconnect_window(),
            silence: settings.silence(),
            second_publisher: settings.second_publisher,
        }
    }
}

/// What must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Close(SessionId, CloseReason),
    EndStream(StreamId),
    Tell(StreamEvent),
}

/// A channel that is live or about to be.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) channel: Channel,
    pub(super) stream: StreamId,
    /// What is said of the stream.
    pub(super) about: Arc<Stream>,
    pub(super) phase: Phase,
    pub(super) publisher: Option<Publisher>,
    /// An offer is being answered.
    claimed: bool,
    pub(super) started_at: Option<Timestamp>,
    /// The number of the lease by which it is here; 0: there is none.
    pub(super) fence: u64,
    /// Where its publisher is, when that is another server. Whoever publishes here then is a pull from
    /// there.
    pub(super) origin: Option<Elsewhere>,
    /// The pull broke off, and is wanted still: whatever its server says, nothing is to be seen here.
    is_broken_off: bool,
    /// It came from another server, and nobody was told yet: where its media lie from now on.
    taken_over: Option<StreamId>,
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its first publisher has not connected yet; nobody can watch.
    Preparing,
    /// On air.
    OnAir,
    /// The publisher is gone or silent since then; viewers wait.
    Away(Instant),
}

/// The session that publishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publisher {
    pub(super) session: SessionId,
    pub(super) since: Instant,
    pub(super) connected: bool,
    pub(super) flowing: bool,
    silent: bool,
}

impl Publisher {
    /// Whether it connected and then sent nothing at all.
    fn never_came(&self, now: Instant) -> bool {
        self.connected && !self.flowing && !self.silent && age(self.since, now) >= HANDSHAKE
    }
}

/// All live channels.
#[derive(Debug)]
pub(super) struct LiveChannels {
    rules: Rules,
    channels: HashMap<ChannelId, Live>,
    /// Streams by their id, to find the channel of an event.
    streams: HashMap<StreamId, ChannelId>,
}

/// Another publisher holds the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AlreadyLive;

impl LiveChannels {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            channels: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    /// A stream was on air before this process was, and waits for its publisher from now on: nobody could
    /// come back before.
    pub(super) fn resume(&mut self, channel: Channel, about: Arc<Stream>, now: Instant) {
        let phase = Phase::Away(now);
        self.insert(Live {
            started_at: about.started_at(),
            ..Live::new(channel, about, phase)
        });
    }

    fn insert(&mut self, live: Live) {
        self.streams.insert(live.stream, live.channel.id);
        self.channels.insert(live.channel.id, live);
    }

    /// A channel says something else of itself now.
    pub(super) fn renew(&mut self, channel: &Channel) {
        if let Some(live) = self.channels.get_mut(&channel.id) {
            live.channel = channel.clone();
        }
    }

    /// Whether a stream ends with the session that publishes it.
    pub(super) fn is_without_window(&self) -> bool {
        self.rules.window.is_zero()
    }

    /// For how long a publisher may stay away.
    pub(super) fn window(&self) -> Duration {
        self.rules.window
    }

    pub(super) fn get(&self, channel: ChannelId) -> Option<&Live> {
        self.channels.get(&channel)
    }

    pub(super) fn of_stream(&self, stream: StreamId) -> Option<&Live> {
        self.channels.get(self.streams.get(&stream)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.channels.values()
    }

    /// Reserves the channel for an offer that is about to be answered, in place of the session that it
    /// continues, if it does. [`Self::publishing`] or [`Self::refused`] must follow.
    pub(super) fn claim(
        &mut self,
        channel: &Channel,
        about: Arc<Stream>,
        continued: Option<SessionId>,
        now: Instant,
    ) -> Result<StreamId, AlreadyLive> {
        if let Some(live) = self.channels.get_mut(&channel.id) {
            let by = live.publisher.as_ref();
            let continues = by.is_some_and(|by| Some(by.session) == continued);
            if live.claimed || !continues && !may_follow(&self.rules, by, now) {
                return Err(AlreadyLive);
            }
            live.claimed = true;
            return Ok(live.stream);
        }
        let stream = about.id;
        self.insert(Live {
            claimed: true,
            ..Live::new(channel.clone(), about, Phase::Preparing)
        });
        Ok(stream)
    }

    /// The claimed offer was answered: its session publishes now, and the one before is closed.
    pub(super) fn publishing(
        &mut self,
        stream: StreamId,
        session: SessionId,
        now: Instant,
    ) -> Vec<Effect> {
        let Some(live) = self.live_of(stream) else {
            // The stream was ended while the offer was being answered.
            return vec![Effect::Close(session, CloseReason::StreamEnded)];
        };
        live.claimed = false;
        let before = live.publisher.replace(Publisher {
            session,
            since: now,
            connected: false,
            flowing: false,
            silent: false,
        });
        let Some(before) = before else {
            return Vec::new();
        };
        let mut effects = live.interrupt(now);
        effects.push(Effect::Close(before.session, CloseReason::Superseded));
        effects
    }

    /// Something else is said of a stream. False: it is not in play.
    pub(super) fn retell(&mut self, about: Arc<Stream>) -> bool {
        let Some(live) = self.live_of(about.id) else {
            return false;
        };
        // Others may have read it before it was changed.
        if about.revision < live.about.revision {
            return false;
        }
        // How far it is stands here first.
        let (state, placed_at) = (live.about.state, live.about.placed_at);
        let source = live.about.source;
        live.about = Arc::new(Stream {
            state,
            placed_at,
            source,
            ..about.as_ref().clone()
        });
        true
    }

    /// The claimed offer was refused.
    pub(super) fn refused(&mut self, stream: StreamId) -> Vec<Effect> {
        let Some(live) = self.live_of(stream) else {
            return Vec::new();
        };
        live.claimed = false;
        if live.phase == Phase::Preparing && live.publisher.is_none() {
            return self.remove(stream, None);
        }
        Vec::new()
    }

    /// A publisher's media connection is up.
    pub(super) fn connected(
        &mut self,
        stream: StreamId,
        session: SessionId,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(live) = self.live_with(stream, session) else {
            return Vec::new();
        };
        if let Some(publisher) = &mut live.publisher {
            publisher.connected = true;
        }
        if let Some(media) = live.taken_over.take() {
            return vec![Effect::Tell(StreamEvent::TakenOver {
                stream,
                channel: live.channel.id,
                at,
                about: Arc::clone(&live.about),
                media,
                fence: live.fence,
            })];
        }
        if live.phase != Phase::Preparing {
            return Vec::new();
        }
        live.phase = Phase::OnAir;
        live.started_at = Some(at);
        let about = Arc::make_mut(&mut live.about);
        (about.state, about.placed_at) = (StreamState::Live, at);
        about.preparing_until = None;
        vec![Effect::Tell(StreamEvent::Started {
            stream,
            channel: live.channel.id,
            at,
            about: Arc::clone(&live.about),
        })]
    }

    /// A publisher's media came, or came again.
    pub(super) fn flowing(
        &mut self,
        stream: StreamId,
        session: SessionId,
        at: Timestamp,
    ) -> Vec<Effect> {
        let mut effects = self.connected(stream, session, at);
        let Some(live) = self.live_with(stream, session) else {
            return effects;
        };
        live.is_broken_off = false;
        if let Some(publisher) = &mut live.publisher {
            publisher.flowing = true;
            publisher.silent = false;
        }
        if matches!(live.phase, Phase::Away(_)) {
            live.phase = Phase::OnAir;
            effects.push(Effect::Tell(StreamEvent::Resumed {
                stream,
                channel: live.channel.id,
            }));
        }
        effects
    }

    /// A publisher sends nothing any more, since a moment ago.
    pub(super) fn silent(
        &mut self,
        stream: StreamId,
        session: SessionId,
        since: Instant,
    ) -> Vec<Effect> {
        let Some(live) = self.live_with(stream, session) else {
            return Vec::new();
        };
        if let Some(publisher) = &mut live.publisher {
            publisher.silent = true;
            publisher.flowing = false;
        }
        live.interrupt(since)
    }

    /// A publisher's session is over. A stream on air waits for it; one that never was is dropped.
    pub(super) fn closed(
        &mut self,
        stream: StreamId,
        session: SessionId,
        now: Instant,
        at: Timestamp,
    ) -> Vec<Effect> {
        let window = self.rules.window;
        let Some(live) = self.live_with(stream, session) else {
            return Vec::new();
        };
        live.publisher = None;
        live.is_broken_off = live.origin.is_some();
        if live.claimed || live.origin.is_some() {
            return live.interrupt(now);
        }
        if live.phase == Phase::Preparing || window.is_zero() {
            return self.remove(stream, Some(at));
        }
        live.interrupt(now)
    }

    /// Ends the stream at once.
    pub(super) fn end(&mut self, stream: StreamId, at: Timestamp) -> Vec<Effect> {
        self.remove(stream, Some(at))
    }

    /// Interrupts streams whose publisher sends nothing, ends those whose publisher stayed away too
    /// long.
    pub(super) fn tick(&mut self, now: Instant, at: Timestamp) -> Vec<Effect> {
        let rules = self.rules;
        let mut effects: Vec<Effect> = self
            .channels
            .values_mut()
            .filter(|live| live.publisher.is_some_and(|by| by.never_came(now)))
            .flat_map(|live| live.interrupt(now))
            .collect();
        let over: Vec<StreamId> = self
            .channels
            .values()
            .filter(|live| live.is_over(&rules, now))
            .map(|live| live.stream)
            .collect();
        let ends = over
            .into_iter()
            .flat_map(|stream| self.remove(stream, Some(at)));
        effects.extend(ends);
        effects
    }

    fn live_of(&mut self, stream: StreamId) -> Option<&mut Live> {
        self.channels.get_mut(self.streams.get(&stream)?)
    }

    /// The stream, if the session is its present publisher; what a former one does is of no account.
    fn live_with(&mut self, stream: StreamId, session: SessionId) -> Option<&mut Live> {
        self.live_of(stream)
            .filter(|live| live.publisher.is_some_and(|by| by.session == session))
    }

    fn remove(&mut self, stream: StreamId, at: Option<Timestamp>) -> Vec<Effect> {
        let Some(channel) = self.streams.remove(&stream) else {
            return Vec::new();
        };
        let mut effects = vec![Effect::EndStream(stream)];
        let removed = self.channels.remove(&channel);
        // Of what is elsewhere they are told there.
        let was_live = removed.filter(|live| live.started_at.is_some() && live.is_here());
        if let (Some(Live { about, .. }), Some(at)) = (was_live, at) {
            effects.push(Effect::Tell(StreamEvent::Ended {
                stream,
                channel,
                at,
                about,
            }));
        }
        effects
    }
}

impl Live {
    fn new(channel: Channel, about: Arc<Stream>, phase: Phase) -> Self {
        Self {
            stream: about.id,
            channel,
            about,
            phase,
            publisher: None,
            claimed: false,
            started_at: None,
            fence: 0,
            origin: None,
            is_broken_off: false,
            taken_over: None,
        }
    }

    /// Whether its publisher comes to this server.
    pub(super) fn is_here(&self) -> bool {
        self.origin.is_none()
    }

    /// On air becomes away; anything else stays.
    fn interrupt(&mut self, now: Instant) -> Vec<Effect> {
        if self.phase != Phase::OnAir {
            return Vec::new();
        }
        self.phase = Phase::Away(now);
        vec![Effect::Tell(StreamEvent::Interrupted {
            stream: self.stream,
            channel: self.channel.id,
        })]
    }

    /// Whether the window has passed and nobody is just coming back.
    fn is_over(&self, rules: &Rules, now: Instant) -> bool {
        let Phase::Away(since) = self.phase else {
            return false;
        };
        // Where it is says when it is over, while that is known.
        if self.origin.as_ref().is_some_and(Elsewhere::is_known) {
            return false;
        }
        let coming_back = self.claimed
            || self
                .publisher
                .is_some_and(|by| by.since >= since && age(by.since, now) < HANDSHAKE);
        age(since, now) >= rules.window && !coming_back
    }
}

/// Whether a new publisher may take the place of this one.
fn may_follow(rules: &Rules, publisher: Option<&Publisher>, now: Instant) -> bool {
    let Some(publisher) = publisher else {
        return true;
    };
    match rules.second_publisher {
        SecondPublisher::Takeover => true,
        SecondPublisher::Reject => false,
        SecondPublisher::AfterSilence => {
            publisher.silent || (!publisher.flowing && age(publisher.since, now) >= rules.silence)
        }
    }
}

fn age(since: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(since)
}

#[cfg(test)]
mod tests;
