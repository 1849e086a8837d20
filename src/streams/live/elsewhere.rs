//! What is on air at other servers, and how streams change from one to another.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use sfu::{CloseReason, StreamId};

use super::{Effect, Live, LiveChannels, Phase};
use crate::channels::{Channel, ChannelId};
use crate::cluster::{OnAir, Record, Standing};
use crate::streams::{Stream, StreamEvent};

/// Where a stream's publisher is, when that is another server.
#[derive(Debug, Clone)]
pub(in super::super) struct Elsewhere {
    /// None: it has not been told.
    pub(in super::super) server: Option<Arc<Record>>,
    /// It does not say so any more. It may have it all the same, where it is Redis that it has lost.
    is_missing: bool,
    /// The number of the lease there.
    pub(in super::super) fence: u64,
    pub(in super::super) standing: Standing,
    pub(in super::super) size: Option<(u32, u32)>,
}

impl Elsewhere {
    pub(in super::super) fn new(server: &Arc<Record>, on_air: &OnAir) -> Self {
        Self {
            server: Some(Arc::clone(server)),
            is_missing: false,
            fence: on_air.fence,
            standing: on_air.standing,
            size: on_air.size,
        }
    }

    /// Whether some server says to have it.
    pub(in super::super) fn is_known(&self) -> bool {
        self.server.is_some() && !self.is_missing
    }

    fn is_live(&self) -> bool {
        self.standing == Standing::Live && self.is_known()
    }
}

impl LiveChannels {
    /// A stream is on air at another server, and nothing is on its channel here.
    pub(in super::super) fn appear(
        &mut self,
        channel: Channel,
        about: Arc<Stream>,
        elsewhere: Elsewhere,
        now: Instant,
    ) {
        let phase = match elsewhere.is_live() {
            true => Phase::OnAir,
            false => Phase::Away(now),
        };
        self.insert(Live {
            started_at: about.started_at(),
            origin: Some(elsewhere),
            ..Live::new(channel, about, phase)
        });
    }

    /// Another server has the stream now, or it stands otherwise there.
    pub(in super::super) fn stands(
        &mut self,
        stream: StreamId,
        elsewhere: Elsewhere,
        now: Instant,
    ) -> Vec<Effect> {
        let Some(live) = self.live_of(stream).filter(|live| !live.is_here()) else {
            return Vec::new();
        };
        let is_live = elsewhere.is_live();
        live.origin = Some(elsewhere);
        let flows = live.may_flow();
        match live.phase {
            Phase::OnAir if !is_live => live.interrupt(now),
            Phase::Away(_) if is_live && flows => live.resume(),
            _ => Vec::new(),
        }
    }

    /// Nobody says any more to have the stream. What still flows, flows, and what is asked for is asked of
    /// who had it last.
    pub(in super::super) fn missing(&mut self, stream: StreamId, now: Instant) -> Vec<Effect> {
        let Some(live) = self.live_of(stream) else {
            return Vec::new();
        };
        if let Some(origin) = &mut live.origin {
            origin.is_missing = true;
        }
        match live.publisher.is_some_and(|by| by.flowing) {
            true => Vec::new(),
            false => live.interrupt(now),
        }
    }

    /// Its server has the stream all the same.
    pub(in super::super) fn vouched(&mut self, stream: StreamId) -> Vec<Effect> {
        let Some(live) = self.live_of(stream) else {
            return Vec::new();
        };
        let Some(origin) = &mut live.origin else {
            return Vec::new();
        };
        origin.is_missing = false;
        let is_live = origin.is_live();
        match (live.phase, is_live && live.may_flow()) {
            (Phase::Away(_), true) => live.resume(),
            _ => Vec::new(),
        }
    }

    /// A stream that was on air at another server is over, or another is on air on its channel.
    pub(in super::super) fn vanish(&mut self, stream: StreamId) -> Vec<Effect> {
        match self.live_of(stream).is_some_and(|live| !live.is_here()) {
            true => self.remove(stream, None),
            false => Vec::new(),
        }
    }

    /// The publisher of a stream that is on air elsewhere is about to come here: from now on it is here.
    pub(in super::super) fn take_over(
        &mut self,
        channel: &Channel,
        about: Arc<Stream>,
        media: StreamId,
        now: Instant,
    ) -> Vec<Effect> {
        let media = Some(media);
        match self.live_of(about.id) {
            Some(live) if live.is_here() => Vec::new(),
            Some(live) => {
                live.origin = None;
                live.is_broken_off = false;
                live.taken_over = media;
                live.phase = Phase::Away(now);
                // What was pulled publishes no more.
                let pull = live.publisher.take();
                let close = pull.map(|by| Effect::Close(by.session, CloseReason::Superseded));
                close.into_iter().collect()
            }
            None => {
                self.insert(Live {
                    started_at: about.started_at(),
                    taken_over: media,
                    ..Live::new(channel.clone(), about, Phase::Away(now))
                });
                Vec::new()
            }
        }
    }

    /// Nobody watches here what was pulled: that it ends says nothing of the stream.
    pub(in super::super) fn unpulled(&mut self, stream: StreamId) {
        if let Some(live) = self.live_of(stream).filter(|live| !live.is_here()) {
            live.publisher = None;
            live.is_broken_off = false;
        }
    }

    /// Another server has the stream from now on: its publisher here is let go, its viewers stay.
    pub(in super::super) fn hand_over(
        &mut self,
        channel: ChannelId,
        (now, at): (Instant, Timestamp),
    ) -> Vec<Effect> {
        let Some(live) = self
            .channels
            .get_mut(&channel)
            .filter(|live| live.is_here())
        else {
            return Vec::new();
        };
        let stream = live.stream;
        let publisher = live.publisher.take();
        let close = publisher.map(|by| Effect::Close(by.session, CloseReason::Superseded));
        let mut effects: Vec<Effect> = close.into_iter().collect();
        if live.phase == Phase::Preparing || live.taken_over.is_some() && live.started_at.is_none()
        {
            effects.extend(self.remove(stream, None));
            return effects;
        }
        effects.extend(live.interrupt(now));
        live.origin = Some(Elsewhere {
            server: None,
            is_missing: true,
            fence: live.fence,
            standing: Standing::Reconnecting,
            size: None,
        });
        (live.fence, live.claimed) = (0, false);
        if live.taken_over.take().is_none() {
            effects.push(Effect::Tell(StreamEvent::HandedOver {
                stream,
                channel,
                at,
            }));
        }
        effects
    }

    /// By which lease a channel is here.
    pub(in super::super) fn set_fence(&mut self, channel: ChannelId, fence: u64) {
        if let Some(live) = self.channels.get_mut(&channel) {
            live.fence = fence;
        }
    }
}

impl Live {
    /// What is pulled tells by itself whether it flows; of what nobody watches here its server does.
    fn may_flow(&self) -> bool {
        self.publisher.map_or(!self.is_broken_off, |by| by.flowing)
    }

    fn resume(&mut self) -> Vec<Effect> {
        self.phase = Phase::OnAir;
        vec![Effect::Tell(StreamEvent::Resumed {
            stream: self.stream,
            channel: self.channel.id,
        })]
    }
}
