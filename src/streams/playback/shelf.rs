//! [`Shelf`]: complete segments of open streams on the object store, from where a CDN takes them. Who
//! asks here for one that is not among the newest is sent there.
//!
//! Playlists do not name the store: a segment keeps the address that players know it by
//! (draft-pantos-hls-rfc8216bis §6.2.1; hls.js gives a playlist up in which one changes), and is listed
//! before it can have been uploaded. So the address stays, and is answered by a redirect once the store
//! has said that it has the segment, while it takes what it is given, and while all may watch.
//!
//! One task a stream ([`Shelving`]) holds what there is against what it put. The window is its queue, the
//! newest first: nothing is held in memory for it, nothing waits for it, and what a store that was away
//! has missed it gets later, as far as that is still in the window.

use std::collections::{BTreeSet, HashMap};
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, iter};
use hls::{parse_segment_name, segment_name};
use object_store::path::Path;
use object_store::{Attribute, Attributes, PutOptions, PutPayload};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{LOOKED_AT_EVERY, OnAir, Playback};
use crate::answer::Caching;
use crate::bucket::{Bucket, BucketError, within};

/// The store, for all streams. Cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Shelves {
    bucket: Bucket,
    /// Of the bucket, as players reach it.
    public_url: Arc<str>,
    /// Uploads at the same time, of all streams.
    places: Arc<Semaphore>,
}

/// What the store has of a stream, as far as it said so.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    there: RwLock<HashMap<String, BTreeSet<u64>>>,
    /// Whether it took what it was given last.
    is_well: AtomicBool,
    again: Notify,
}

/// The task that keeps a stream's shelf, until it is ended or the server stops.
#[derive(Debug)]
pub(super) struct Shelving {
    stop: CancellationToken,
    task: JoinHandle<Work>,
}

/// What becomes of a stream whose shelf is kept no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on with the next start.
    GoesOn,
    /// It goes on at another server, which keeps its own under the same name.
    Elsewhere,
    /// Nobody plays it any more.
    Over,
}

/// Segments that stay with this server: those that players are at, and some more.
const NEWEST: u64 = 8;
/// Segments that stay at the store when they have left the window: playlists that name them may be kept
/// by caches for six target durations, of two segments each.
const KEPT_BEHIND: u64 = 12;
/// Uploads at the same time, of one stream and of all.
const AT_ONCE: usize = 4;
const MOST_AT_ONCE: usize = 16;
/// Segments taken away between two uploads.
const AWAY_AT_ONCE: usize = 8;
/// What takes longer has failed.
const PUT_WITHIN: Duration = Duration::from_secs(10);
const CLEARED_WITHIN: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Attempts to take away what is left of a stream; then the next sweep does.
const CLEARINGS: u32 = 5;
const SWEPT_EVERY: Duration = Duration::from_secs(3_600);
/// A redirect is kept as long: a store that fails is not asked for much longer.
const SENT_FOR_SECONDS: u32 = 10;
/// Folder of all of it in the bucket.
const LIVE: &str = "live";

impl Shelves {
    pub(super) fn new(bucket: Bucket, public_url: &str) -> Self {
        Self {
            bucket,
            public_url: public_url.into(),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        }
    }

    /// Where to get a segment of an open stream, if that is the store.
    pub(super) fn redirect(&self, on_air: &OnAir, rendition: &str, name: &str) -> Option<Response> {
        let msn = parse_segment_name(name)?;
        let origin = &on_air.origin;
        if !on_air.shelf.has(rendition, msn) || origin.is_near_edge(rendition, name, NEWEST) {
            return None;
        }
        metrics::counter!("tallylight_hls_redirected_total").increment(1);
        let address = format!("{}/{}", self.public_url, self.path(on_air, rendition, msn));
        let caching = Caching::Seconds(SENT_FOR_SECONDS).value();
        let headers = [(LOCATION, address.parse().ok()?), (CACHE_CONTROL, caching)];
        Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
    }

    fn folder(&self, on_air: &OnAir) -> Path {
        self.bucket.path(&format!("{LIVE}/{}", on_air.token))
    }

    fn path(&self, on_air: &OnAir, rendition: &str, msn: u64) -> Path {
        let (token, name) = (&on_air.token, segment_name(msn));
        self.bucket
            .path(&format!("{LIVE}/{token}/{rendition}/{name}"))
    }

    /// Takes objects away; that one is not there is as good.
    async fn remove(
        &self,
        paths: BoxStream<'static, Result<Path, BucketError>>,
    ) -> Result<(), BucketError> {
        let removed = self.bucket.store().delete_stream(paths);
        let removed = removed.filter(|one| {
            let is_absent = matches!(one, Err(BucketError::NotFound { .. }));
            ready(!is_absent)
        });
        let counted = removed.try_for_each(|_| {
            count("removed", 1);
            ready(Ok(()))
        });
        within(CLEARED_WITHIN, counted).await
    }

    /// Takes all objects below a folder away that were put before a time.
    async fn clear(&self, folder: Path, before_unix_s: Option<i64>) -> Result<(), BucketError> {
        let listed = self.bucket.store().list(Some(&folder));
        let old = listed.try_filter(move |object| {
            let at = object.last_modified.timestamp();
            ready(before_unix_s.is_none_or(|before| at < before))
        });
        self.remove(old.map_ok(|object| object.location).boxed())
            .await
    }
}

impl Shelf {
    /// Somebody may or may not watch any more.
    pub(super) fn look_again(&self) {
        self.again.notify_one();
    }

    fn has(&self, rendition: &str, msn: u64) -> bool {
        let there = self.there.read().unwrap_or_else(PoisonError::into_inner);
        let has = there
            .get(rendition)
            .is_some_and(|there| there.contains(&msn));
        has && self.is_well.load(Ordering::Acquire)
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, BTreeSet<u64>>)) {
        change(&mut self.there.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Playback {
    /// Begins to keep the shelf of a stream, where there is a store.
    pub(super) fn shelve(&self, on_air: &Arc<OnAir>, stop: &CancellationToken) -> Option<Shelving> {
        let mut work = Work {
            shelves: self.0.shelves.clone()?,
            playback: self.clone(),
            on_air: Arc::clone(on_air),
            given: HashMap::new(),
            settled: HashMap::new(),
            is_clear: false,
        };
        let stop = stop.child_token();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = work.run() => {}
                () = stopped.cancelled() => {}
            }
            work
        });
        Some(Shelving { stop, task })
    }

    /// What takes away, again and again, what a process that died left at the store.
    pub(super) fn sweep(
        &self,
        stop: &CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let shelves = self.0.shelves.clone()?;
        let (playback, stop) = (self.clone(), stop.clone());
        let kept = playback.0.settings.window() + SWEPT_EVERY;
        let kept = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX);
        let sweeping = async move {
            loop {
                let now = playback.0.clock.now().as_second();
                let folder = shelves.bucket.path(LIVE);
                if let Err(error) = shelves.clear(folder, Some(now.saturating_sub(kept))).await {
                    tracing::warn!(%error, "Old segments stay in the store: {error}");
                }
                let again = playback.0.clock.instant() + SWEPT_EVERY;
                while playback.0.clock.instant() < again {
                    sleep(LOOKED_AT_EVERY).await;
                }
            }
        };
        Some(async move {
            tokio::select! {
                () = sweeping => {}
                () = stop.cancelled() => {}
            }
        })
    }
}

impl Shelving {
    /// Ends it; of what is over nothing stays at the store, as far as that can be reached.
    pub(super) async fn end(self, outcome: Outcome) {
        self.stop.cancel();
        let Ok(mut work) = self.task.await else {
            return;
        };
        for attempt in 0..CLEARINGS {
            let done = match outcome {
                Outcome::GoesOn => Ok(()),
                Outcome::Elsewhere => work.remove(|_, _| true).await,
                Outcome::Over => work.clear().await,
            };
            match done {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, "An ended stream is still in the store: {error}");
                    sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
                }
            }
        }
    }
}

#[derive(Debug)]
struct Work {
    shelves: Shelves,
    playback: Playback,
    on_air: Arc<OnAir>,
    /// What the store was given, and may have.
    given: HashMap<String, BTreeSet<u64>>,
    /// What it has, and what cannot be had.
    settled: HashMap<String, BTreeSet<u64>>,
    /// Whether nothing of the stream is there.
    is_clear: bool,
}

impl Work {
    async fn run(&mut self) {
        let mut changes = self.on_air.origin.changes();
        let mut pause = FIRST_PAUSE;
        loop {
            changes.mark_unchanged();
            match self.step().await {
                Ok(is_behind) => {
                    self.says(true);
                    pause = FIRST_PAUSE;
                    if is_behind {
                        continue;
                    }
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = self.on_air.shelf.again.notified() => {}
                    }
                }
                Err(error) => {
                    count("failed", 1);
                    if self.says(false) {
                        let stream = self.on_air.stream;
                        tracing::warn!(%error, stream.id = %stream,
                            "Segments of stream {stream} stay with this server alone: {error}");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Notes whether the store works; true: that is news.
    fn says(&self, is_well: bool) -> bool {
        self.on_air.shelf.is_well.swap(is_well, Ordering::AcqRel) != is_well
    }

    /// Brings the store a little nearer to what there is. True: there is more to do.
    async fn step(&mut self) -> Result<bool, BucketError> {
        if !self.playback.is_open(&self.on_air) {
            // Its addresses may be known, and a store asks nobody who they are.
            if !self.is_clear {
                self.clear().await?;
            }
            return Ok(false);
        }
        let complete = self.on_air.origin.complete();
        let oldest: HashMap<String, u64> = complete
            .iter()
            .map(|(name, numbers)| (name.clone(), numbers.start))
            .collect();
        let is_gone = |rendition: &str, msn: u64| {
            let oldest = oldest.get(rendition).copied().unwrap_or_default();
            msn.saturating_add(KEPT_BEHIND) < oldest
        };
        self.remove(is_gone).await?;
        for (name, numbers) in &complete {
            let settled = self.settled.entry(name.clone()).or_default();
            settled.retain(|msn| *msn >= numbers.start);
        }
        let missing: Vec<_> = self.missing(complete).into_iter().take(AT_ONCE).collect();
        let is_behind = !missing.is_empty();
        self.put_all(missing).await?;
        Ok(is_behind)
    }

    /// What is neither there nor known to be lost, the newest first.
    fn missing(&self, complete: Vec<(String, std::ops::Range<u64>)>) -> Vec<(String, u64)> {
        let all = complete.into_iter().flat_map(|(name, numbers)| {
            let settled = self.settled.get(&name);
            let is_missing = |msn: &u64| settled.is_none_or(|settled| !settled.contains(msn));
            let newest = numbers.rev().filter(is_missing).take(AT_ONCE);
            newest.map(|msn| (name.clone(), msn)).collect::<Vec<_>>()
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, msn)| std::cmp::Reverse(*msn));
        all
    }

    async fn put_all(&mut self, missing: Vec<(String, u64)>) -> Result<(), BucketError> {
        for (rendition, msn) in &missing {
            self.is_clear = false;
            let given = self.given.entry(rendition.clone()).or_default();
            given.insert(*msn);
        }
        let puts: Vec<_> = missing
            .into_iter()
            .map(|(rendition, msn)| {
                let (shelves, on_air) = (self.shelves.clone(), Arc::clone(&self.on_air));
                async move {
                    let put = shelves.put(&on_air, &rendition, msn).await;
                    (rendition, msn, put)
                }
            })
            .collect();
        let mut puts = iter(puts).buffer_unordered(AT_ONCE);
        let mut all = Ok(());
        while let Some((rendition, msn, put)) = puts.next().await {
            match put {
                Ok(()) => {
                    self.settled.entry(rendition).or_default().insert(msn);
                }
                Err(error) => all = Err(error),
            }
        }
        all
    }

    /// Takes some away of what the store was given.
    async fn remove(&mut self, is_gone: impl Fn(&str, u64) -> bool) -> Result<(), BucketError> {
        loop {
            let given = self.given.iter();
            let gone = given.flat_map(|(rendition, given)| {
                let gone = given.iter().filter(|msn| is_gone(rendition, **msn));
                gone.map(|msn| (rendition.clone(), *msn))
            });
            let gone: Vec<_> = gone.take(AWAY_AT_ONCE).collect();
            if gone.is_empty() {
                return Ok(());
            }
            self.on_air.shelf.change(|there| take_out(there, &gone));
            let paths = gone
                .iter()
                .map(|(rendition, msn)| Ok(self.shelves.path(&self.on_air, rendition, *msn)));
            let paths: Vec<_> = paths.collect();
            self.shelves.remove(iter(paths).boxed()).await?;
            take_out(&mut self.given, &gone);
        }
    }

    /// Takes all away that there is of the stream, whoever put it there.
    async fn clear(&mut self) -> Result<(), BucketError> {
        self.on_air.shelf.change(HashMap::clear);
        self.settled.clear();
        let folder = self.shelves.folder(&self.on_air);
        self.shelves.clear(folder, None).await?;
        self.given.clear();
        self.is_clear = true;
        Ok(())
    }
}

fn take_out(from: &mut HashMap<String, BTreeSet<u64>>, gone: &[(String, u64)]) {
    for (rendition, msn) in gone {
        if let Some(numbers) = from.get_mut(rendition) {
            numbers.remove(msn);
        }
    }
}

impl Shelves {
    /// Puts a segment there, if it can still be had.
    async fn put(&self, on_air: &OnAir, rendition: &str, msn: u64) -> Result<(), BucketError> {
        let Ok(_place) = self.places.acquire().await else {
            return Ok(());
        };
        let Ok(body) = on_air.origin.file(rendition, &segment_name(msn)).await else {
            return Ok(());
        };
        let size_bytes = u64::try_from(body.len()).unwrap_or_default();
        let kind = match rendition.starts_with('v') {
            true => "video/mp4",
            false => "audio/mp4",
        };
        let for_ever = "public, max-age=31536000, immutable";
        let options = PutOptions {
            attributes: Attributes::from_iter([
                (Attribute::ContentType, kind),
                (Attribute::CacheControl, for_ever),
            ]),
            ..PutOptions::default()
        };
        let path = self.path(on_air, rendition, msn);
        let payload = PutPayload::from_iter(body.0);
        let put = self.bucket.store().put_opts(&path, payload, options);
        within(PUT_WITHIN, put).await?;
        on_air.shelf.change(|there| {
            there.entry(rendition.to_owned()).or_default().insert(msn);
        });
        count("stored", 1);
        metrics::counter!("tallylight_hls_stored_bytes_total").increment(size_bytes);
        Ok(())
    }
}

fn count(result: &'static str, segments: u64) {
    metrics::counter!("tallylight_hls_stored_total", "result" => result).increment(segments);
}
