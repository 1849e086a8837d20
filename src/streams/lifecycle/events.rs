//! What the SFU and channels tell.

use jiff::Timestamp;
use sfu::{CloseReason, Event, Role, SessionId, StreamId};

use super::super::live::Effect;
use super::{Lifecycle, Session, attempts};
use crate::channels::ChannelEvent;
use crate::gates::By;
use crate::telemetry::{JOIN_SECONDS, count_join};

impl Lifecycle {
    pub(super) fn handle_event(&mut self, event: Event) {
        let (now, at) = (self.clock.instant(), self.clock.now());
        let effects = match event {
            Event::Connected {
                session,
                stream,
                role,
            } => self.connected(session, stream, role, at),
            Event::MediaFlowing { session, stream } => {
                self.admit_waiting(stream, session);
                self.live.flowing(stream, session, at)
            }
            Event::MediaSilent {
                session,
                stream,
                silent_for,
            } => {
                let since = now.checked_sub(silent_for).unwrap_or(now);
                self.live.silent(stream, session, since)
            }
            Event::LayersChanged { stream } => {
                self.fetch_stats(stream);
                Vec::new()
            }
            Event::Closed {
                session,
                stream,
                role,
                reason,
            } => {
                self.forget(session, stream, &reason);
                self.pull_ended(stream, session);
                match role {
                    Role::Publisher => self.live.closed(stream, session, now, at),
                    Role::Viewer | Role::Relay => Vec::new(),
                }
            }
            Event::DataOpened { session, label, .. } => {
                if let Some(known) = self.sessions.get(&session) {
                    let (channel, address) = (known.facts.channel, known.address);
                    let is_preview = matches!(known.facts.by, By::Preview(_));
                    self.peers
                        .opened(session, channel, address, label, is_preview);
                }
                Vec::new()
            }
            Event::Data {
                session,
                label,
                payload,
                ..
            } => {
                self.peers.came(session, &label, payload);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.carry_out(effects);
    }

    fn connected(
        &mut self,
        id: SessionId,
        stream: StreamId,
        role: Role,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Vec::new();
        };
        let is_first = !std::mem::replace(&mut session.connected, true);
        match role {
            Role::Viewer => {
                if is_first {
                    let now = self.clock.instant();
                    JOIN_SECONDS.record(now.saturating_duration_since(session.answered));
                    count_join("webrtc");
                }
                if let Some(who) = session.viewer.clone() {
                    let now_ms = at.as_millisecond();
                    self.audiences.joined(stream, id, who, now_ms);
                }
                Vec::new()
            }
            Role::Publisher => {
                self.attempts.forget(session.facts.channel);
                self.live.connected(stream, id, at)
            }
            Role::Relay => Vec::new(),
        }
    }

    /// Takes a closed session out of the books.
    fn forget(&mut self, id: SessionId, stream: StreamId, reason: &CloseReason) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        session.facts.over.cancel();
        self.peers.closed(id);
        self.ice.end(&id.reveal());
        tracing::info!(
            stream.id = %stream, session.id = %id, channel.id = %session.facts.channel, reason = ?reason,
            "Session {id} is over"
        );
        match session.facts.role {
            Role::Viewer => {
                if session.connected {
                    self.audiences.left(stream, id, self.now_ms());
                }
            }
            Role::Publisher => {
                let words = attempts::failure_in_words(reason, session.connected, self.media_port);
                if let Some(words) = words {
                    self.attempts
                        .note(self.clock.now(), session.facts.channel, words);
                }
            }
            Role::Relay => {}
        }
    }

    pub(super) fn handle_channel_event(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::StreamKeyRevoked { key } => {
                let of_key = |(id, session): (&SessionId, &Session)| {
                    (session.key == Some(key)).then_some(*id)
                };
                let revoked: Vec<SessionId> = self.sessions.iter().filter_map(of_key).collect();
                for session in revoked {
                    self.close(session, CloseReason::Requested);
                }
            }
            ChannelEvent::Deleted { channel } => {
                self.end(channel);
            }
            ChannelEvent::Updated { channel } => {
                self.live.renew(&channel);
                self.playback.settle_channel(channel.id);
            }
            ChannelEvent::DoorChanged { channel } => {
                self.close_viewers(channel);
                self.playback.settle_channel(channel);
            }
            _ => {}
        }
    }
}
