//! From the wish to watch to a session in the books, and what viewers tell.

use std::collections::HashMap;

use sfu::{Answer, CloseReason, OfferError, Role, SessionId, StreamId};
use tokio::sync::oneshot;

use super::super::Stream;
use super::super::live::{Live, Phase};
use super::super::presence::{Beat, Who};
use super::super::watchers::Guarded;
use super::super::{Refused, View, stream_uuid};
use super::{Done, Lifecycle, Session, answer, facts, in_time};
use crate::channels::{Barred, ChannelId};
use crate::gates::By;

impl Lifecycle {
    pub(super) fn start_view(
        &mut self,
        view: View,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    ) {
        let room = self.check_room(view.address);
        if let Err(refused) = room.and_then(|()| self.check_viewer(&view)) {
            return answer(reply, Err(refused));
        }
        let live = self.live.get(view.channel);
        let live = live.filter(|live| live.phase != Phase::Preparing);
        // Who was let into something else comes again.
        let Some(live) = live.filter(|live| is_as_admitted(&view, live)) else {
            return answer(reply, Err(Refused::NotLive));
        };
        let (stream, sfu) = (live.stream, self.sfu.clone());
        if !live.is_here() && !self.is_pulled(stream) {
            return self.await_pull(view, stream, reply);
        }
        self.calls.spawn(async move {
            let result = in_time(sfu.view(stream, &view.offer)).await;
            Done::Viewed {
                view,
                stream,
                result,
                reply,
            }
        });
    }

    pub(super) fn viewed(
        &mut self,
        view: View,
        stream: StreamId,
        result: Result<Answer, OfferError>,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    ) {
        let given = match result {
            Ok(given) => given,
            Err(OfferError::NotLive) => return answer(reply, Err(self.not_there(stream))),
            Err(error) => return answer(reply, Err(Refused::Offer(error))),
        };
        let session = given.session;
        let live = self.live.of_stream(stream);
        if !live.is_some_and(|live| is_as_admitted(&view, live)) {
            self.close(session, CloseReason::Requested);
            return answer(reply, Err(Refused::NotLive));
        }
        let mut facts = facts(Role::Viewer, view.channel, stream, &given, &view.offer);
        facts.credential = view.credential;
        facts.by = view.by;
        self.remember(session, facts, None, view.address);
        if let Some(known) = self.sessions.get_mut(&session) {
            known.viewer = Some(Who {
                account: None,
                address: view.address,
                agent: view.agent,
                is_owner: false,
            });
        }
        if reply.send(Ok(given)).is_err() {
            self.close(session, CloseReason::Requested);
        }
    }

    /// Why the SFU does not know a stream.
    fn not_there(&self, stream: StreamId) -> Refused {
        match self.live.of_stream(stream) {
            Some(_) => Refused::PublisherAway,
            None => Refused::NotLive,
        }
    }

    /// Takes note of a viewer, as a player tells. Its owner makes no audience.
    pub(super) fn beat(&mut self, handle: &str, mut beat: Beat) -> bool {
        let is_seen = |phase| phase != Phase::Preparing;
        let mut all = self.live.iter();
        let on_air = all.find(|live| live.channel.handle == handle && is_seen(live.phase));
        let Some(live) = on_air else {
            return false;
        };
        beat.who.is_owner = beat.who.account == Some(live.channel.owner);
        let (stream, now_ms) = (live.stream, self.now_ms());
        self.audiences.beat(stream, beat, now_ms);
        true
    }

    /// What is on air and has a gate, and who watches it.
    pub(super) fn guarded(&self) -> Vec<Guarded> {
        let has_gate =
            |live: &&Live| live.channel.visibility.is_gated() || !live.about.details.lock.is_open();
        let guarded = self.live.iter().filter(has_gate).map(|live| {
            let place = live.about.place(&live.channel.handle);
            let watchers = Vec::new();
            (live.stream, Guarded { place, watchers })
        });
        let mut guarded: HashMap<StreamId, Guarded> = guarded.collect();
        if guarded.is_empty() {
            return Vec::new();
        }
        for (id, session) in &self.sessions {
            let facts = &session.facts;
            if facts.role == Role::Viewer
                && let Some(found) = guarded.get_mut(&facts.stream)
            {
                found.watchers.push((*id, facts.by));
            }
        }
        guarded.into_values().collect()
    }

    pub(super) fn has_viewers(&self, stream: StreamId) -> bool {
        self.watchers(stream).next().is_some()
    }

    fn watchers(&self, stream: StreamId) -> impl Iterator<Item = (SessionId, By)> {
        let of_stream = move |(id, session): (&SessionId, &Session)| {
            let facts = &session.facts;
            (facts.stream == stream && facts.role == Role::Viewer).then_some((*id, facts.by))
        };
        self.sessions.iter().filter_map(of_stream)
    }

    /// Ends a viewer's session, and tells why.
    pub(super) fn bar(&mut self, session: SessionId, barred: &Barred) {
        if let Some(known) = self.sessions.get(&session) {
            known.facts.barring.tell(barred);
            self.close(session, CloseReason::Requested);
        }
    }

    /// Where there is another password now, all but those who make the stream have to give it.
    pub(super) fn forget_password(&mut self, about: &Stream) {
        let live = self.live.of_stream(about.id);
        let before = live.map(|live| live.about.details.lock.password_hash.clone());
        if before.is_none_or(|before| before == about.details.lock.password_hash) {
            return;
        }
        let stays = |by| matches!(by, By::Team(_) | By::Preview(_));
        let others = self.watchers(about.id).filter(|(_, by)| !stays(*by));
        let others: Vec<SessionId> = others.map(|(session, _)| session).collect();
        for session in others {
            self.bar(session, &about.details.lock.gate.lacking());
        }
    }

    pub(super) fn close_viewers(&mut self, channel: ChannelId) {
        let is_viewer = |(id, session): (&SessionId, &Session)| {
            let facts = &session.facts;
            (facts.channel == channel && facts.role == Role::Viewer).then_some(*id)
        };
        let viewers: Vec<SessionId> = self.sessions.iter().filter_map(is_viewer).collect();
        for session in viewers {
            self.close(session, CloseReason::Requested);
        }
    }
}

/// Whether what is on air is what somebody was let into, behind the same gate.
fn is_as_admitted(view: &View, live: &Live) -> bool {
    view.place.id == stream_uuid(live.stream) && view.place.lock == live.about.details.lock
}
