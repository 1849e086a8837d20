//! [`Sfu`]: the handle that the server holds.
//!
//! It is cheap to clone and owns nothing but channels: each call becomes a command to the shard that
//! owns the session, with a channel for the reply. What happens in the SFU by itself comes out of
//! the one receiver of [`Event`]s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::calls::{
    Answer, AnswerError, LayerChoice, LayerError, OfferError, PatchError, Patched, Pull, PullError,
    StartError,
};
use crate::config::Config;
use crate::event::{CloseReason, Event};
use crate::ids::{SessionId, StreamId};
use crate::ingest::{Doors, Ingest, IngestTracks};
use crate::made::MadeLayer;
use crate::pulse::Pulse;
use crate::ranks::{LayerTotals, RANKS};
use crate::registry::{Place, Registry};
use crate::sdp::Offer;
use crate::session::Session;
use crate::settings::Settings;
use crate::shard::{Command, Message, pending_closed};
use crate::socket;
use crate::stats::{SessionStats, StreamStats, Totals, gauge};
use crate::tap::{self, RequestLine, Tap};
use crate::thread::{self, Mailbox, Parcel, ShardThread};

/// A running SFU.
#[derive(Debug, Clone)]
pub struct Sfu {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    mailboxes: Vec<Mailbox>,
    events: mpsc::Sender<Event>,
    pulse: Pulse,
}

/// Events that may wait for the server.
const EVENTS: usize = 4_096;

impl Sfu {
    /// Binds the media port, starts the shard threads.
    ///
    /// The receiver must be read: life-cycle events wait for room, data messages are dropped when
    /// there is none.
    ///
    /// # Errors
    /// When the port cannot be bound or a thread cannot be started.
    pub fn start(config: Config) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let shards = shard_count(config.shards);
        let (port, sockets) = socket::open(config.bind, config.port, shards, config.tcp)?;
        let settings = Arc::new(Settings::new(config, port));
        let registry = Arc::new(Registry::default());
        let (event_sender, event_receiver) = mpsc::channel(EVENTS);
        let pulse = Pulse::new();
        let mut mailboxes = Vec::new();
        let mut posts = Vec::new();
        for _ in 0..shards {
            let poll = mio::Poll::new()?;
            let waker = Arc::new(mio::Waker::new(poll.registry(), thread::WAKE)?);
            let (sender, inbox) = std::sync::mpsc::sync_channel(thread::MAILBOX);
            mailboxes.push(Mailbox::new(sender, waker));
            posts.push((poll, inbox));
        }
        for (index, ((poll, inbox), sockets)) in posts.into_iter().zip(sockets).enumerate() {
            let shard = ShardThread::new(
                index,
                Arc::clone(&settings),
                Arc::clone(&registry),
                poll,
                inbox,
                mailboxes.clone(),
                sockets,
                event_sender.clone(),
            )?;
            let pulse = pulse.clone();
            std::thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || pulse.watch_over(index, || shard.run()))?;
        }
        let sfu = Self {
            inner: Arc::new(Inner {
                settings,
                registry,
                mailboxes,
                events: event_sender,
                pulse,
            }),
        };
        Ok((sfu, event_receiver))
    }

    /// The addresses that candidates carry.
    #[must_use]
    pub fn media_addresses(&self) -> Vec<SocketAddr> {
        self.inner.settings.advertised.clone()
    }

    /// Answers a WHIP offer. The stream is made when it is new and continued when it is known.
    ///
    /// # Errors
    /// When the offer is refused.
    #[expect(clippy::unused_async, reason = "answers may move to a shard")]
    pub async fn publish(&self, stream: StreamId, offer: &str) -> Result<Answer, OfferError> {
        let inner = &self.inner;
        inner.check_room()?;
        let offer = Offer::parse(offer, inner.settings.config.limits.sdp_bytes)?;
        // Refused offers leave no stream behind.
        let known = inner.registry.stream(stream);
        let shared = known.clone().unwrap_or_default();
        let (session, answer) = Session::publish(
            &inner.settings,
            clock(),
            stream,
            Arc::clone(&shared),
            &offer,
        )?;
        if known.is_none() {
            inner.registry.add_stream(stream, shared);
        }
        gauge(&inner.registry.counters.publishers, 1);
        inner.registry.add_pending(Box::new(session));
        Ok(answer)
    }

    /// Begins the session of a publisher that is no peer of ours, and whose access units are handed
    /// over. The stream is made when it is new and continued when it is known.
    ///
    /// # Errors
    /// When a bound is reached.
    pub async fn ingest(
        &self,
        stream: StreamId,
        tracks: IngestTracks,
    ) -> Result<Ingest, OfferError> {
        let inner = &self.inner;
        inner.check_room()?;
        let (session, ingest, shard) = inner.begin_ingest(stream, tracks);
        let taken = self.ask(shard, |reply| Command::Adopt { session, reply });
        taken.await.and(ingest).ok_or(OfferError::Busy {
            retry_after: Duration::from_secs(2),
        })
    }

    /// Answers a WHEP offer.
    ///
    /// # Errors
    /// When the offer is refused or the stream is not known.
    #[expect(clippy::unused_async, reason = "answers may move to a shard")]
    pub async fn view(&self, stream: StreamId, offer: &str) -> Result<Answer, OfferError> {
        let inner = &self.inner;
        inner.check_room()?;
        let shared = inner.registry.stream(stream).ok_or(OfferError::NotLive)?;
        let offer = Offer::parse(offer, inner.settings.config.limits.sdp_bytes)?;
        let (session, answer) = Session::view(&inner.settings, clock(), stream, shared, &offer)?;
        gauge(&inner.registry.counters.viewers, 1);
        inner.registry.add_pending(Box::new(session));
        Ok(answer)
    }

    /// Answers another node that pulls a stream from here: it gets every layer, each on its own track,
    /// and passes them on to its own viewers. The offer is one of [`Self::pull`] there.
    ///
    /// # Errors
    /// When the offer is refused or the stream is not known.
    #[expect(clippy::unused_async, reason = "answers may move to a shard")]
    pub async fn relay(&self, stream: StreamId, offer: &str) -> Result<Answer, OfferError> {
        let inner = &self.inner;
        inner.check_room()?;
        let shared = inner.registry.stream(stream).ok_or(OfferError::NotLive)?;
        let offer = Offer::parse(offer, inner.settings.config.limits.sdp_bytes)?;
        let (session, answer) = Session::relay(&inner.settings, clock(), stream, shared, &offer)?;
        gauge(&inner.registry.counters.relays, 1);
        inner.registry.add_pending(Box::new(session));
        Ok(answer)
    }

    /// Begins to pull a stream from another node, which answers the offer by [`Self::relay`];
    /// [`Self::pulled`] takes the answer. The stream is made when it is new and continued when it is known:
    /// from the first packet on the pull is its publisher, in the place of any other.
    ///
    /// # Errors
    /// When a bound is reached or there is no port for it.
    pub async fn pull(&self, stream: StreamId) -> Result<Pull, PullError> {
        let inner = &self.inner;
        let retry_after = Duration::from_secs(2);
        if inner.check_room().is_err() {
            return Err(PullError::Busy { retry_after });
        }
        let sockets = socket::open_own(inner.settings.config.bind)?;
        let address = sockets.sender.local_addr().map_err(StartError::from)?;
        let (session, offer, shard) = inner.begin_pull(stream, address.port());
        let id = session.id();
        let ufrag = session.ufrag().to_owned();
        let (reply, taken) = oneshot::channel();
        let parcel = Parcel::Pull {
            session,
            sockets: Box::new(sockets),
            reply,
        };
        let mailbox = inner.mailboxes.get(shard);
        let is_sent = mailbox.is_some_and(|mailbox| mailbox.send(parcel).is_ok());
        if is_sent && taken.await.is_ok() {
            return Ok(Pull { session: id, offer });
        }
        inner.registry.forget(id, &ufrag);
        gauge(&inner.registry.counters.publishers, -1);
        Err(PullError::Busy { retry_after })
    }

    /// Takes the origin's answer to a pull.
    ///
    /// # Errors
    /// When the session is not known, or the answer is none to its offer: then the session is over.
    pub async fn pulled(&self, session: SessionId, answer: &str) -> Result<(), AnswerError> {
        if answer.len() > self.inner.settings.config.limits.sdp_bytes {
            return Err(AnswerError::InvalidSdp("it is too long".to_owned()));
        }
        let answer = answer.to_owned();
        self.ask_owner(session, |reply| Command::Answer {
            session,
            answer,
            reply,
        })
        .await
        .unwrap_or(Err(AnswerError::UnknownSession))
    }

    /// Takes trickled candidates or restarts ICE (RFC 9725 §4.3).
    ///
    /// # Errors
    /// When the session is unknown, the fragment unreadable, or the restart fails.
    pub async fn patch(&self, session: SessionId, fragment: &str) -> Result<Patched, PatchError> {
        if fragment.len() > self.inner.settings.config.limits.sdp_bytes {
            return Err(PatchError::InvalidFragment("it is too long".to_owned()));
        }
        if let Some(mut pending) = self.inner.registry.take_pending(session) {
            let result = pending.link.patch(fragment);
            self.inner.registry.add_pending(pending);
            return result;
        }
        let fragment = fragment.to_owned();
        self.ask_owner(session, |reply| Command::Patch {
            session,
            fragment,
            reply,
        })
        .await
        .unwrap_or(Err(PatchError::UnknownSession))
    }

    /// Ends a session. Returns whether it was there.
    pub async fn close(&self, session: SessionId, reason: CloseReason) -> bool {
        if let Some(pending) = self.inner.registry.take_pending(session) {
            self.inner.tell_closed(&pending, reason).await;
            return true;
        }
        self.ask_owner(session, |reply| Command::Close {
            session,
            reason,
            reply,
        })
        .await
        .unwrap_or(false)
    }

    /// Ends a stream with all its sessions.
    pub async fn end_stream(&self, stream: StreamId) {
        self.inner.registry.forget_stream(stream);
        let pending = self
            .inner
            .registry
            .take_pending_if(|session| session.link.stream == stream);
        for session in pending {
            self.inner
                .tell_closed(&session, CloseReason::StreamEnded)
                .await;
        }
        for shard in 0..self.inner.mailboxes.len() {
            self.ask(shard, |reply| Command::EndStream { stream, reply })
                .await;
        }
    }

    /// Taps a stream for packaging: its access units, from the next key frame on, or the last where
    /// that has just come. Works whoever publishes the stream, now or later; it ends with the stream.
    /// A stream has one tap: a second ends the first.
    ///
    /// `None`: the stream is not known, or a media thread is too busy to be asked.
    pub async fn tap(&self, stream: StreamId) -> Option<Tap> {
        let inner = &self.inner;
        let line = RequestLine {
            stream,
            shared: inner.registry.stream(stream)?,
            mailboxes: inner.mailboxes.clone(),
        };
        let now = clock();
        let (tap, feed) = Tap::new(now.checked_sub(tap::LEAD).unwrap_or(now), line);
        for shard in 0..inner.mailboxes.len() {
            let feed = feed.clone();
            self.ask(shard, |reply| Command::Tap {
                stream,
                feed,
                reply,
            })
            .await?;
        }
        Some(tap)
    }

    /// Opens a layer of H264 that the server makes of what the stream's publisher sends, which is H264
    /// too. Viewers get it like any other. `zero` is what the times of its access units count from:
    /// [`Tap::zero`] where they are made of what a tap gave.
    ///
    /// `None`: the stream is not known, nobody publishes it or sends pictures yet, they are of another
    /// codec, it has a layer of that name, or as many as it may have.
    pub async fn make_layer(
        &self,
        stream: StreamId,
        rid: &str,
        zero: Instant,
    ) -> Option<MadeLayer> {
        let shard = self.inner.registry.stream(stream)?.publisher_shard()?;
        let mailbox = self.inner.mailboxes.get(shard)?.clone();
        let rid = rid.to_owned();
        let door = self.ask(shard, |reply| Command::MakeLayer {
            stream,
            rid,
            zero,
            reply,
        });
        Some(MadeLayer::new(door.await??, mailbox))
    }

    /// Chooses a viewer's layer.
    ///
    /// # Errors
    /// When the session or the layer is unknown.
    pub async fn choose_layer(
        &self,
        session: SessionId,
        choice: LayerChoice,
    ) -> Result<(), LayerError> {
        self.ask_owner(session, |reply| Command::ChooseLayer {
            session,
            choice,
            reply,
        })
        .await
        .unwrap_or(Err(LayerError::UnknownSession))
    }

    /// Sends a text on the first data channel of a session that has one of these labels. Returns whether
    /// it was taken: none may be open, or its buffer be full.
    pub async fn send_data(
        &self,
        session: SessionId,
        labels: &'static [&'static str],
        text: Bytes,
    ) -> bool {
        self.ask_owner(session, |reply| Command::SendData {
            session,
            labels,
            text,
            reply,
        })
        .await
        .unwrap_or(false)
    }

    /// Figures of a stream.
    pub async fn stream_stats(&self, stream: StreamId) -> Option<StreamStats> {
        let shared = self.inner.registry.stream(stream)?;
        let shard = shared.publisher_shard().unwrap_or(0);
        let stats = self
            .ask(shard, |reply| Command::StreamStats { stream, reply })
            .await
            .flatten();
        Some(stats.unwrap_or_else(|| StreamStats {
            viewers: shared.viewers(),
            ..StreamStats::default()
        }))
    }

    /// Figures of a session.
    pub async fn session_stats(&self, session: SessionId) -> Option<SessionStats> {
        self.ask_owner(session, |reply| Command::SessionStats { session, reply })
            .await
            .flatten()
    }

    /// Counters since start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.inner.registry.counters.snapshot()
    }

    /// What came in and went out since start by the rank of layers, the largest first; sound is last.
    #[must_use]
    pub fn layer_totals(&self) -> [LayerTotals; RANKS + 1] {
        self.inner.registry.layers.snapshot()
    }

    /// Whether all media threads do their work.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.inner.pulse.is_beating()
    }

    /// Waits until a media thread has died. Its streams are lost: the server should end, with an
    /// error, so that it is started again.
    pub async fn broken(&self) {
        self.inner.pulse.stopped().await;
    }

    /// Closes every session with DTLS `close_notify` and stops the threads.
    pub async fn shutdown(&self) {
        for session in self.inner.registry.take_pending_if(|_| true) {
            self.inner
                .tell_closed(&session, CloseReason::Shutdown)
                .await;
        }
        for mailbox in &self.inner.mailboxes {
            let (sender, receiver) = oneshot::channel();
            if mailbox.send(Parcel::Shutdown(sender)).is_ok() {
                // A thread that is gone already says nothing.
                let _ = receiver.await;
            }
        }
    }

    /// Asks the shard that owns a session; `None` when there is none, or it does not answer.
    async fn ask_owner<T>(
        &self,
        session: SessionId,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        match self.inner.registry.place(session)? {
            Place::Shard(shard) => self.ask(shard, command).await,
            Place::Pending => None,
        }
    }

    async fn ask<T>(
        &self,
        shard: usize,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let mailbox = self.inner.mailboxes.get(shard)?;
        let parcel = Parcel::Message(Message::Command(command(sender)));
        mailbox.send(parcel).ok()?;
        receiver.await.ok()
    }
}

impl Inner {
    fn check_room(&self) -> Result<(), OfferError> {
        let limits = &self.settings.config.limits;
        let (sessions, half_open) = self.registry.sessions();
        if sessions >= limits.sessions {
            return Err(OfferError::Busy {
                retry_after: Duration::from_secs(30),
            });
        }
        if half_open >= limits.half_open {
            return Err(OfferError::Busy {
                retry_after: Duration::from_secs(2),
            });
        }
        Ok(())
    }

    /// A session without a peer, its entrance, and the shard that is to have it.
    fn begin_ingest(
        &self,
        stream: StreamId,
        tracks: IngestTracks,
    ) -> (Box<Session>, Option<Ingest>, usize) {
        let known = self.registry.stream(stream);
        let shared = known.clone().unwrap_or_default();
        let now = clock();
        let (session, line, epoch) =
            Session::ingest(&self.settings, now, stream, Arc::clone(&shared), tracks);
        if known.is_none() {
            self.registry.add_stream(stream, shared);
        }
        gauge(&self.registry.counters.publishers, 1);
        // Any will do; publishers of a stream need not share one.
        let shard = usize::try_from(epoch).unwrap_or_default() % self.mailboxes.len().max(1);
        self.registry.add_owned(&session, shard);
        let zero = now.checked_sub(Ingest::LEAD).unwrap_or(now);
        let doors = Doors::new(stream, epoch, tracks, zero, &line);
        let mailbox = self.mailboxes.get(shard).cloned();
        let id = session.id();
        let ingest = mailbox.map(|mailbox| Ingest::new(id, zero, doors, mailbox));
        (Box::new(session), ingest, shard)
    }

    /// A session that is to pull a stream, its offer, and the shard that is to have it.
    fn begin_pull(&self, stream: StreamId, port: u16) -> (Box<Session>, String, usize) {
        let known = self.registry.stream(stream);
        let shared = known.clone().unwrap_or_default();
        let pull = Session::pull(&self.settings, clock(), stream, Arc::clone(&shared), port);
        let (session, offer) = pull;
        if known.is_none() {
            self.registry.add_stream(stream, shared);
        }
        gauge(&self.registry.counters.publishers, 1);
        // Any will do, as long as not all are of one.
        let (sessions, _) = self.registry.sessions();
        let shard = sessions % self.mailboxes.len().max(1);
        self.registry.add_owned(&session, shard);
        (Box::new(session), offer, shard)
    }

    async fn tell_closed(&self, session: &Session, reason: CloseReason) {
        let event = pending_closed(&self.registry, session, reason);
        // Nobody listens any more when the server is going down.
        let _ = self.events.send(event).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a session begins when it is asked for, outside any shard's loop"
)]
fn clock() -> Instant {
    Instant::now()
}

/// One core is left for everything else.
fn shard_count(configured: usize) -> usize {
    if configured > 0 {
        return configured;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_sub(1).max(1)
}
