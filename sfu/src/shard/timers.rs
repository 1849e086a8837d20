//! What time brings: wakes of single sessions, and a sweep over all of them.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Shard, pending_closed};
use crate::event::CloseReason;
use crate::ids::StreamId;
use crate::session::{Kind, Session};
use crate::stats::count_by;
use crate::stream::Stream;

const SWEEP: Duration = Duration::from_millis(200);
/// A cached group older than this is renewed, so that it never outgrows its bounds. Publishers that
/// do not listen are asked only when nothing is cached: they may have been misjudged.
const RENEW_GROUP: Duration = Duration::from_secs(8);

impl Shard {
    /// Drives what is due, and from time to time looks after everything.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.wake(now, key, at);
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now);
        }
        self.finish(now);
    }

    fn wake(&mut self, now: Instant, key: usize, at: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.link.scheduled == Some(at) {
            session.link.scheduled = None;
        }
        if session.link.deadline > now {
            self.schedule(key);
            return;
        }
        let stream = session.link.stream;
        if session.is_started() {
            self.with_viewer(now, key, stream, |session, media, outbox| {
                session.catch_up(now, media, outbox);
                session.flush(now, outbox);
            });
        } else {
            self.with_session(now, key, |session, outbox| {
                if let Kind::Publisher(publisher) = &mut session.kind {
                    publisher.check_silence(&session.link, now, outbox);
                }
                session.flush(now, outbox);
            });
            self.send_requests(now, key);
        }
    }

    pub(super) fn send_requests(&mut self, now: Instant, key: usize) {
        let mut sent = 0;
        self.with_session(now, key, |session, outbox| {
            if let Kind::Publisher(publisher) = &mut session.kind {
                sent = publisher.send_requests(&mut session.link, now);
                if sent > 0 {
                    session.flush(now, outbox);
                }
            }
        });
        count_by(&self.registry.counters.keyframe_requests, sent as u64);
    }

    fn sweep(&mut self, now: Instant) {
        for key in self.keys() {
            self.sweep_session(now, key);
        }
        self.renew_groups(now);
        self.drop_dead_streams(now);
        for stream in self.streams.values_mut() {
            stream.tap.take_if(|feed| !feed.is_open());
        }
        if self.index == 0 {
            self.sweep_pending(now);
        }
    }

    fn sweep_session(&mut self, now: Instant, key: usize) {
        let limits = &self.settings.config.limits;
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let link = &session.link;
        let age = |since: Instant| now.saturating_duration_since(since);
        if !link.is_connected() && age(link.created) > limits.handshake {
            self.close(now, key, CloseReason::HandshakeTimeout);
            return;
        }
        if age(link.last_received) > limits.inactivity {
            self.close(now, key, CloseReason::Inactive);
            return;
        }
        let stream = link.stream;
        if let Kind::Publisher(publisher) = &session.kind {
            if publisher.is_left() {
                self.close(now, key, CloseReason::RemoteClosed);
                return;
            }
            self.follow_tap(now, key);
            let registry = Arc::clone(&self.registry);
            self.with_session(now, key, |session, outbox| {
                if let Kind::Publisher(publisher) = &mut session.kind {
                    if publisher.count_received(now, &registry.layers) {
                        session.link.closing = Some(CloseReason::TooMuch);
                    }
                    publisher.sweep(&session.link, now, outbox);
                }
            });
            self.send_requests(now, key);
            return;
        }
        if !link.is_connected() {
            return;
        }
        let registry = Arc::clone(&self.registry);
        self.with_viewer(now, key, stream, |session, media, outbox| {
            if let Kind::Relay(relay) = &mut session.kind {
                relay.sweep(&session.link, now, media, outbox);
            } else if let Kind::Viewer(viewer) = &mut session.kind {
                viewer.sweep(&mut session.link, now, media, outbox);
                viewer.count_sent(media, &registry);
                if viewer.cannot_play(media) {
                    session.link.closing = Some(CloseReason::CodecMismatch);
                } else if viewer.has_video() && session.link.shared.is_reordered() {
                    session.link.closing = Some(CloseReason::Reordered);
                }
            }
        });
    }

    /// Lets a publisher know whether its stream is tapped.
    pub(super) fn follow_tap(&mut self, now: Instant, key: usize) {
        let stream = self.sessions.get(key).map(|session| session.link.stream);
        let stream = stream.and_then(|stream| self.streams.get(&stream));
        let is_tapped = stream.is_some_and(Stream::is_tapped);
        let interval = is_tapped.then_some(self.settings.config.tap_keyframe_interval);
        self.with_session(now, key, |session, _| {
            if let Kind::Publisher(publisher) = &mut session.kind {
                publisher.follow_tap(interval);
            }
        });
    }

    fn renew_groups(&mut self, now: Instant) {
        let mut wanted = Vec::new();
        for (id, stream) in &self.streams {
            if stream.publishers.is_empty() {
                continue;
            }
            let is_deaf = stream.shared.answers_pli() == Some(false);
            for (index, layer) in stream.media.layers.iter().enumerate() {
                let is_old = layer.gop.age(now).is_none_or(|age| age > RENEW_GROUP);
                if layer.gop.is_empty() || (is_old && !is_deaf) {
                    wanted.push((*id, index));
                }
            }
        }
        self.outbox.keyframes.extend(wanted);
    }

    /// Ends what joined a stream in the moment in which it ended.
    fn drop_dead_streams(&mut self, now: Instant) {
        let dead: Vec<StreamId> = self
            .streams
            .keys()
            .filter(|id| self.registry.stream(**id).is_none())
            .copied()
            .collect();
        for stream in dead {
            self.end_stream(now, stream);
        }
    }

    fn sweep_pending(&mut self, now: Instant) {
        let handshake = self.settings.config.limits.handshake;
        let is_over = |s: &Session| now.saturating_duration_since(s.link.created) > handshake;
        for session in self.registry.take_pending_if(is_over) {
            self.outbox.events.push(pending_closed(
                &self.registry,
                &session,
                CloseReason::HandshakeTimeout,
            ));
        }
    }
}
