//! What all shards and the handle share: who owns which session, which streams there are.
//!
//! Touched by signalling and for datagrams from addresses that a shard does not know, never for a
//! media packet of a known peer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{SessionId, StreamId};
use crate::ranks::LayerCounters;
use crate::session::Session;
use crate::stats::Counters;
use crate::video::VideoCodec;

/// Sessions and streams of one SFU.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    pub(crate) counters: Counters,
    pub(crate) layers: LayerCounters,
}

#[derive(Debug, Default)]
struct Inner {
    /// Answered, no valid STUN yet.
    pending: HashMap<SessionId, Box<Session>>,
    places: HashMap<SessionId, Place>,
    ufrags: HashMap<String, SessionId>,
    streams: HashMap<StreamId, Arc<StreamShared>>,
}

/// Where a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Waits for its first valid STUN request.
    Pending,
    /// Owned by this shard.
    Shard(usize),
}

/// What all shards know of one stream.
#[derive(Debug, Default)]
pub(crate) struct StreamShared {
    video: AtomicU8,
    layers: AtomicUsize,
    answers_pli: AtomicU8,
    /// Whether all pictures are in an order that viewers cannot have.
    is_reordered: AtomicBool,
    epochs: AtomicU32,
    viewers: AtomicU32,
    /// One more than the index of the publisher's shard.
    publisher: AtomicUsize,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic cannot leave a half-made change behind: each method makes one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions in all, and those still pending.
    pub(crate) fn sessions(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.places.len(), inner.pending.len())
    }

    /// Puts a session down for the shard that gets its first valid STUN request.
    pub(crate) fn add_pending(&self, session: Box<Session>) {
        let mut inner = self.lock();
        let id = session.id();
        inner.ufrags.insert(session.ufrag().to_owned(), id);
        inner.places.insert(id, Place::Pending);
        inner.pending.insert(id, session);
    }

    /// Puts a session down that a shard is about to get.
    pub(crate) fn add_owned(&self, session: &Session, shard: usize) {
        let mut inner = self.lock();
        let id = session.id();
        inner.ufrags.insert(session.ufrag().to_owned(), id);
        inner.places.insert(id, Place::Shard(shard));
    }

    /// Gives the pending session with this ufrag to `shard` if `accepts` says that the request is
    /// really meant for it.
    pub(crate) fn adopt(
        &self,
        ufrag: &str,
        shard: usize,
        accepts: impl FnOnce(&Session) -> bool,
    ) -> Option<Box<Session>> {
        let mut inner = self.lock();
        let id = *inner.ufrags.get(ufrag)?;
        if !accepts(inner.pending.get(&id)?) {
            return None;
        }
        inner.places.insert(id, Place::Shard(shard));
        inner.pending.remove(&id)
    }

    /// Looks at the pending session with this ufrag.
    pub(crate) fn look_at<T>(&self, ufrag: &str, look: impl FnOnce(&Session) -> T) -> Option<T> {
        let inner = self.lock();
        let session = inner.pending.get(inner.ufrags.get(ufrag)?)?;
        Some(look(session))
    }

    /// The shard that owns the session with this ufrag.
    pub(crate) fn owner_of_ufrag(&self, ufrag: &str) -> Option<usize> {
        let inner = self.lock();
        match inner.places.get(inner.ufrags.get(ufrag)?)? {
            Place::Shard(shard) => Some(*shard),
            Place::Pending => None,
        }
    }

    /// Where a session lives.
    pub(crate) fn place(&self, session: SessionId) -> Option<Place> {
        self.lock().places.get(&session).copied()
    }

    /// Takes a pending session out, for changing or ending it.
    pub(crate) fn take_pending(&self, session: SessionId) -> Option<Box<Session>> {
        let mut inner = self.lock();
        let taken = inner.pending.remove(&session)?;
        inner.ufrags.remove(taken.ufrag());
        inner.places.remove(&session);
        Some(taken)
    }

    /// Takes out all pending sessions for which `is_over` holds.
    pub(crate) fn take_pending_if(&self, is_over: impl Fn(&Session) -> bool) -> Vec<Box<Session>> {
        let ids: Vec<_> = {
            let inner = self.lock();
            let over = inner.pending.values().filter(|s| is_over(s));
            over.map(|s| s.id()).collect()
        };
        ids.into_iter()
            .filter_map(|id| self.take_pending(id))
            .collect()
    }

    /// A session got new ICE credentials.
    pub(crate) fn rename(&self, session: SessionId, old: &str, new: &str) {
        let mut inner = self.lock();
        inner.ufrags.remove(old);
        inner.ufrags.insert(new.to_owned(), session);
    }

    /// A session is over.
    pub(crate) fn forget(&self, session: SessionId, ufrag: &str) {
        let mut inner = self.lock();
        inner.places.remove(&session);
        inner.ufrags.remove(ufrag);
    }

    /// The stream, if it is known.
    pub(crate) fn stream(&self, stream: StreamId) -> Option<Arc<StreamShared>> {
        self.lock().streams.get(&stream).cloned()
    }

    /// Puts a new stream down.
    pub(crate) fn add_stream(&self, stream: StreamId, shared: Arc<StreamShared>) {
        if self.lock().streams.insert(stream, shared).is_none() {
            crate::stats::gauge(&self.counters.streams, 1);
        }
    }

    /// Forgets a stream.
    pub(crate) fn forget_stream(&self, stream: StreamId) {
        if self.lock().streams.remove(&stream).is_some() {
            crate::stats::gauge(&self.counters.streams, -1);
        }
    }
}

impl StreamShared {
    /// Starts another publisher of the stream; returns its number.
    pub(crate) fn begin_epoch(&self, video: Option<VideoCodec>, layers: usize) -> u32 {
        self.video.store(code_of(video), Ordering::Relaxed);
        self.layers.store(layers, Ordering::Relaxed);
        self.answers_pli.store(0, Ordering::Relaxed);
        self.is_reordered.store(false, Ordering::Relaxed);
        self.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the publisher of that number is the newest.
    pub(crate) fn is_newest(&self, epoch: u32) -> bool {
        self.epochs.load(Ordering::Relaxed) == epoch
    }

    /// Notes the video codec of the publisher of that number, of which it was not known before.
    pub(crate) fn set_video(&self, epoch: u32, codec: VideoCodec) {
        if self.is_newest(epoch) {
            self.video.store(code_of(Some(codec)), Ordering::Relaxed);
        }
    }

    /// Video codec of the newest publisher.
    pub(crate) fn video(&self) -> Option<VideoCodec> {
        codec_of(self.video.load(Ordering::Relaxed))
    }

    /// The server makes more or fewer layers of what the publisher of that number sends.
    pub(crate) fn change_layers(&self, epoch: u32, by: isize) {
        if self.is_newest(epoch) {
            let layers = self.layers().saturating_add_signed(by);
            self.layers.store(layers, Ordering::Relaxed);
        }
    }

    /// Layers of the newest publisher, with those that the server makes of them.
    pub(crate) fn layers(&self) -> usize {
        self.layers.load(Ordering::Relaxed)
    }

    /// Whether the publisher makes key frames when asked; unknown at first.
    pub(crate) fn answers_pli(&self) -> Option<bool> {
        match self.answers_pli.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(true),
            _ => Some(false),
        }
    }

    /// Notes whether the publisher makes key frames when asked.
    pub(crate) fn set_answers_pli(&self, answers: bool) {
        let code = if answers { 1 } else { 2 };
        self.answers_pli.store(code, Ordering::Relaxed);
    }

    /// Whether there is no picture for viewers, because all are shown in another order than they are
    /// decoded.
    pub(crate) fn is_reordered(&self) -> bool {
        self.is_reordered.load(Ordering::Relaxed)
    }

    /// Notes it of the publisher of that number.
    pub(crate) fn set_reordered(&self, epoch: u32, is_reordered: bool) {
        if self.is_newest(epoch) {
            self.is_reordered.store(is_reordered, Ordering::Relaxed);
        }
    }

    /// Connected viewers on all shards.
    pub(crate) fn viewers(&self) -> u32 {
        self.viewers.load(Ordering::Relaxed)
    }

    pub(crate) fn add_viewer(&self) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_viewer(&self) {
        self.viewers.fetch_sub(1, Ordering::Relaxed);
    }

    /// The shard of the publisher.
    pub(crate) fn publisher_shard(&self) -> Option<usize> {
        self.publisher.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn set_publisher_shard(&self, shard: usize) {
        self.publisher.store(shard + 1, Ordering::Relaxed);
    }

    /// The publisher of `shard` is gone; one that took over on another shard stays.
    pub(crate) fn clear_publisher_shard(&self, shard: usize) {
        let (ours, none) = (shard + 1, 0);
        // It fails where there is a successor, as it should.
        let _ = self
            .publisher
            .compare_exchange(ours, none, Ordering::Relaxed, Ordering::Relaxed);
    }
}

const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
    VideoCodec::H265,
];

fn code_of(codec: Option<VideoCodec>) -> u8 {
    let at = codec.and_then(|codec| CODECS.iter().position(|c| *c == codec));
    at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
}

fn codec_of(code: u8) -> Option<VideoCodec> {
    CODECS.get(usize::from(code).checked_sub(1)?).copied()
}
