//! Calls on the handle, carried out by the shard that owns the session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Shard;
use crate::calls::{AnswerError, LayerChoice, LayerError, PatchError, Patched};
use crate::event::{CloseReason, Event};
use crate::fed::Door;
use crate::ids::{SessionId, StreamId};
use crate::packet::Slice;
use crate::session::{Kind, Session};
use crate::stats::{SessionStats, StreamStats, count, count_by};
use crate::stream::{Media, Stream};
use crate::tap::{self, Feed, Portion};

/// A call on the handle.
#[derive(Debug)]
pub(crate) enum Command {
    Close {
        session: SessionId,
        reason: CloseReason,
        reply: oneshot::Sender<bool>,
    },
    EndStream {
        stream: StreamId,
        reply: oneshot::Sender<()>,
    },
    Tap {
        stream: StreamId,
        feed: Feed,
        reply: oneshot::Sender<()>,
    },
    MakeLayer {
        stream: StreamId,
        rid: String,
        zero: Instant,
        reply: oneshot::Sender<Option<Door>>,
    },
    /// Takes a session that does not wait for a request of its peer.
    Adopt {
        session: Box<Session>,
        reply: oneshot::Sender<()>,
    },
    /// The origin's answer to a pull.
    Answer {
        session: SessionId,
        answer: String,
        reply: oneshot::Sender<Result<(), AnswerError>>,
    },
    Patch {
        session: SessionId,
        fragment: String,
        reply: oneshot::Sender<Result<Patched, PatchError>>,
    },
    ChooseLayer {
        session: SessionId,
        choice: LayerChoice,
        reply: oneshot::Sender<Result<(), LayerError>>,
    },
    SendData {
        session: SessionId,
        labels: &'static [&'static str],
        text: Bytes,
        reply: oneshot::Sender<bool>,
    },
    StreamStats {
        stream: StreamId,
        reply: oneshot::Sender<Option<StreamStats>>,
    },
    SessionStats {
        session: SessionId,
        reply: oneshot::Sender<Option<SessionStats>>,
    },
}

impl Shard {
    pub(super) fn obey(&mut self, now: Instant, command: Command) {
        // A reply that nobody waits for any more is no error.
        match command {
            Command::Close {
                session,
                reason,
                reply,
            } => {
                let key = self.by_id.get(&session).copied();
                if let Some(key) = key {
                    self.close(now, key, reason);
                }
                let _ = reply.send(key.is_some());
            }
            Command::EndStream { stream, reply } => {
                self.end_stream(now, stream);
                let _ = reply.send(());
            }
            Command::Tap {
                stream,
                feed,
                reply,
            } => {
                self.tap(now, stream, feed);
                let _ = reply.send(());
            }
            Command::MakeLayer {
                stream,
                rid,
                zero,
                reply,
            } => {
                let _ = reply.send(self.make_layer(now, stream, &rid, zero));
            }
            Command::Adopt { session, reply } => {
                self.take_in(now, *session);
                let _ = reply.send(());
            }
            Command::Answer {
                session,
                answer,
                reply,
            } => {
                let _ = reply.send(self.take_answer(now, session, &answer));
            }
            Command::Patch {
                session,
                fragment,
                reply,
            } => {
                let _ = reply.send(self.patch(now, session, &fragment));
            }
            Command::ChooseLayer {
                session,
                choice,
                reply,
            } => {
                let _ = reply.send(self.choose_layer(now, session, choice));
            }
            Command::SendData {
                session,
                labels,
                text,
                reply,
            } => {
                let _ = reply.send(self.send_data(now, session, labels, &text));
            }
            Command::StreamStats { stream, reply } => {
                let _ = reply.send(self.stream_stats(now, stream));
            }
            Command::SessionStats { session, reply } => {
                let _ = reply.send(self.session_stats(now, session));
            }
        }
    }

    fn take_in(&mut self, now: Instant, session: Session) {
        let event = Event::Connected {
            session: session.link.id,
            stream: session.link.stream,
            role: session.role(),
        };
        self.outbox
            .events
            .extend(session.link.is_connected().then_some(event));
        let key = self.insert(session);
        self.follow_tap(now, key);
    }

    /// Makes a pull the stream's newest publisher.
    fn take_answer(
        &mut self,
        now: Instant,
        session: SessionId,
        answer: &str,
    ) -> Result<(), AnswerError> {
        let key = *self
            .by_id
            .get(&session)
            .ok_or(AnswerError::UnknownSession)?;
        let mut result = Err(AnswerError::UnknownSession);
        self.with_session(now, key, |session, outbox| {
            result = session.take_answer(answer).map_err(AnswerError::InvalidSdp);
            session.flush(now, outbox);
        });
        result?;
        let stream = self.sessions.get(key).map(|session| session.link.stream);
        if let Some(stream) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
            stream.publishers.push(key);
            stream.shared.set_publisher_shard(self.index);
        }
        self.follow_tap(now, key);
        Ok(())
    }

    /// Takes a datagram that came to the own port of a session.
    pub(crate) fn receive_own(
        &mut self,
        now: Instant,
        session: SessionId,
        source: SocketAddr,
        contents: &[u8],
    ) {
        let registry = Arc::clone(&self.registry);
        count(&registry.counters.datagrams_in);
        count_by(&registry.counters.bytes_in, contents.len() as u64);
        let mut is_real = false;
        if let Some(key) = self.by_id.get(&session).copied() {
            self.with_session(now, key, |session, outbox| {
                is_real = session.receive_own(now, source, contents, outbox);
            });
        }
        if !is_real {
            count(&registry.counters.datagrams_dropped);
        }
    }

    pub(super) fn end_stream(&mut self, now: Instant, stream: StreamId) {
        for key in self.keys() {
            let belongs = self
                .sessions
                .get(key)
                .is_some_and(|s| s.link.stream == stream);
            if belongs {
                self.close(now, key, CloseReason::StreamEnded);
            }
        }
        self.streams.remove(&stream);
    }

    fn tap(&mut self, now: Instant, id: StreamId, feed: Feed) {
        // What waits to be cut is not for this tap: it is among what it is opened with.
        self.finish(now);
        let Some(shared) = self.registry_stream(id) else {
            return;
        };
        let limits = &self.settings.config.limits;
        let stream = (self.streams.entry(id)).or_insert_with(|| Stream::new(shared, limits));
        if stream.shared.publisher_shard() == Some(self.index) {
            let newest = stream.publishers.last();
            let publisher = newest.and_then(|key| self.sessions.get(*key));
            for portion in fresh(now, id, &stream.media, publisher) {
                feed.offer(portion, &self.registry.counters.tap_lost);
            }
        }
        stream.tap = Some(feed);
        for key in stream.publishers.clone() {
            self.follow_tap(now, key);
        }
    }

    fn patch(
        &mut self,
        now: Instant,
        session: SessionId,
        fragment: &str,
    ) -> Result<Patched, PatchError> {
        let key = *self.by_id.get(&session).ok_or(PatchError::UnknownSession)?;
        let mut result = Err(PatchError::UnknownSession);
        let mut ufrags = None;
        self.with_session(now, key, |session, outbox| {
            let old = session.ufrag().to_owned();
            result = session.link.patch(fragment);
            ufrags = Some((old, session.ufrag().to_owned()));
            session.flush(now, outbox);
        });
        if let Some((old, new)) = ufrags
            && old != new
        {
            self.by_ufrag.remove(&old);
            self.by_ufrag.insert(new.clone(), key);
            self.registry.rename(session, &old, &new);
        }
        result
    }

    fn choose_layer(
        &mut self,
        now: Instant,
        session: SessionId,
        choice: LayerChoice,
    ) -> Result<(), LayerError> {
        let key = *self.by_id.get(&session).ok_or(LayerError::UnknownSession)?;
        let stream = self
            .sessions
            .get(key)
            .map(|s| s.link.stream)
            .ok_or(LayerError::UnknownSession)?;
        let mut result = Err(LayerError::UnknownSession);
        self.with_viewer(now, key, stream, |session, media, outbox| {
            if let Kind::Viewer(viewer) = &mut session.kind {
                result = viewer.choose(choice, media);
                viewer.sweep(&mut session.link, now, media, outbox);
                session.flush(now, outbox);
            }
        });
        self.finish(now);
        result
    }

    fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        labels: &[&str],
        text: &[u8],
    ) -> bool {
        let Some(key) = self.by_id.get(&session).copied() else {
            return false;
        };
        let mut is_sent = false;
        self.with_session(now, key, |session, outbox| {
            is_sent = session.link.send_data(labels, text);
            session.flush(now, outbox);
        });
        is_sent
    }

    fn stream_stats(&mut self, now: Instant, stream: StreamId) -> Option<StreamStats> {
        let stream = self.streams.get(&stream)?;
        let mut stats = StreamStats {
            viewers: stream.shared.viewers(),
            tap_lost: stream.tap.as_ref().map_or(0, Feed::lost),
            ..StreamStats::default()
        };
        if let Some(session) =
            (stream.publishers.last()).and_then(|key| self.sessions.get_mut(*key))
            && let Kind::Publisher(publisher) = &mut session.kind
        {
            stats.publisher = Some(publisher.publisher_stats(&session.link, now));
            stats.layers = publisher.layer_stats(now);
            stats.audio = publisher.audio_stats(now);
        }
        Some(stats)
    }

    fn session_stats(&mut self, now: Instant, session: SessionId) -> Option<SessionStats> {
        let session = self.sessions.get_mut(*self.by_id.get(&session)?)?;
        let mut stats = session.stats(now);
        if let Kind::Viewer(viewer) = &session.kind
            && let Some(stream) = self.streams.get(&session.link.stream)
            && let Some(format) = viewer
                .current()
                .and_then(|index| stream.media.layout.layers.get(index))
        {
            stats.layer = format.rid.clone();
            stats.codec = Some(format.codec.name().to_owned());
            stats.width = format.size.map(|(width, _)| width);
            stats.height = format.size.map(|(_, height)| height);
        }
        Some(stats)
    }
}

/// What a tap is opened with.
fn fresh(
    now: Instant,
    stream: StreamId,
    media: &Media,
    publisher: Option<&Session>,
) -> Vec<Portion> {
    if let Some(Kind::Publisher(publisher)) = publisher.map(|session| &session.kind)
        && publisher.layout.handed.is_some()
    {
        let wholes = publisher.recent_wholes().map(Arc::clone);
        return wholes.map(Portion::Whole).collect();
    }
    let packets = media.fresh_groups(now, tap::FRESH);
    if packets.is_empty() {
        return Vec::new();
    }
    vec![Portion::Slice(Arc::new(Slice {
        stream,
        epoch: media.epoch,
        layout: Arc::clone(&media.layout),
        packets,
    }))]
}
