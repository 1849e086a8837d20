//! [`Origin`]: one stream as its readers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::cache::ReadCache;
use crate::chunk::Media;
use crate::config::Config;
use crate::disk::Disk;
use crate::left::{Left, Remains};
use crate::multivariant;
use crate::pathway::{MOST_PATHWAYS, Pathway, playlist_name};
use crate::playlist::{self, Rendered, Report};
use crate::segment::Name;
use crate::view::{Announcer, View};
use crate::writer::Writer;

/// The delivery directives of a request for a media playlist (§6.2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaylistRequest {
    /// `_HLS_msn`: wait for this segment.
    pub msn: Option<u64>,
    /// `_HLS_part`: or for this part of it.
    pub part: Option<usize>,
    /// `_HLS_skip`: leave out what the player has.
    pub skip: bool,
    /// The pathway whose playlist it is; none: for who knows of none.
    pub pathway: Option<u8>,
}

/// Why there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No such rendition, segment or part, or no longer.
    #[error("there is no such file in this stream, or no longer")]
    NotFound,
    /// `_HLS_part` without `_HLS_msn`.
    #[error("_HLS_part needs _HLS_msn")]
    PartWithoutSegment,
    /// It asks for what is not to come soon.
    #[error("that segment is too far ahead; ask for one of the next two")]
    TooFarAhead,
    /// It did not come within three target durations.
    #[error("it did not come in time; the stream may be interrupted")]
    Late,
    /// As many wait as may wait.
    #[error("too many requests wait for this stream already")]
    TooManyWaiters,
}

/// The bytes of a file, in the pieces that they are kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(pub Vec<Bytes>);

impl Body {
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, as far as there are any.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut at = 0;
        let pieces = self.0.iter().filter_map(|piece| {
            let from = range.start.clamp(at, at + piece.len()) - at;
            let to = range.end.clamp(at, at + piece.len()) - at;
            at += piece.len();
            (from < to).then(|| piece.slice(from..to))
        });
        Self(pieces.collect())
    }
}

/// One stream. Cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Origin(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    disk: Option<Disk>,
    ways: RwLock<Ways>,
    renditions: watch::Sender<Arc<BTreeMap<String, watch::Receiver<Arc<View>>>>>,
    /// Counts the times that a rendition opened, began, ended, had its first part, or completed a segment.
    changes: watch::Sender<u64>,
    /// Whether the renditions were waited for once.
    is_settled: AtomicBool,
    waiters: Semaphore,
    /// Segments read from disk.
    old: ReadCache,
    /// What a process before this one left, and nobody feeds here.
    left: Mutex<Unfed>,
    /// Discontinuities that a rendition which is new has missed by that, at least.
    discontinuities: u64,
    /// As many numbers are not to be given to segments, nor to initialisations.
    used: u64,
    /// Whether the process is about to end, and the stream to go on.
    leaving: Arc<AtomicBool>,
}

/// Where players find the files.
#[derive(Debug)]
enum Ways {
    /// All at the same place; empty: beside the playlist.
    One(String),
    /// Several pathways, the one to begin with first.
    Several(Arc<[Pathway]>),
}

/// Renditions that nobody feeds here, by name, and those who read them.
type Unfed = BTreeMap<String, (Left, watch::Sender<Arc<View>>)>;

impl Origin {
    /// Opens a stream; within a tokio runtime. `base` is put before the names of files in media
    /// playlists, followed by the rendition: empty, or an absolute URL that ends in a slash.
    #[must_use]
    pub fn new(config: Config, base: &str) -> Self {
        Self::with(config, base, Remains::default())
    }

    /// Opens a stream that a process before this one fed: what that left in the folder, which nobody
    /// else must write to, is in the playlists, and is followed by a discontinuity; no number is given
    /// twice. Where segments were not kept, only the numbers go on. Whether they are kept is as it was.
    /// `now_unix_ms` is the time.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn resume(mut config: Config, base: &str, now_unix_ms: i64) -> io::Result<Self> {
        let reads = config.clone();
        let read = spawn_blocking(move || Remains::read(&reads, now_unix_ms));
        let remains = read.await.map_err(io::Error::other)??;
        config.keep = remains.is_kept.unwrap_or(config.keep);
        Ok(Self::with(config, base, remains))
    }

    /// Opens a stream that another server had until now, and that goes on here: what it gave as many
    /// numbers to, at most, is gone, and is followed by a discontinuity.
    #[must_use]
    pub fn follow(config: Config, base: &str, used: u64) -> Self {
        let remains = Remains {
            discontinuities: used,
            used,
            ..Remains::default()
        };
        Self::with(config, base, remains)
    }

    fn with(config: Config, base: &str, remains: Remains) -> Self {
        let folder = config.folder.clone();
        let before = remains.renditions.iter();
        let before = before.map(|(name, left)| (Arc::from(name.as_str()), left.next_msn));
        let disk = folder.map(|folder| Disk::start(folder, config.keep, before));
        let left = remains.renditions.into_iter().map(|(name, left)| {
            let view = left.view(config.part_target);
            (name, (left, watch::Sender::new(Arc::new(view))))
        });
        let left: BTreeMap<_, _> = left.collect();
        let renditions = left.iter();
        let renditions = renditions.map(|(name, (_, views))| (name.clone(), views.subscribe()));
        Self(Arc::new(Inner {
            renditions: watch::Sender::new(Arc::new(renditions.collect())),
            left: Mutex::new(left),
            discontinuities: remains.discontinuities,
            used: remains.used,
            leaving: Arc::default(),
            disk,
            waiters: Semaphore::new(config.waiters.min(Semaphore::MAX_PERMITS)),
            old: ReadCache::new(config.cache_bytes),
            config: Arc::new(config),
            ways: RwLock::new(Ways::One(base.to_owned())),
            changes: watch::Sender::default(),
            is_settled: AtomicBool::new(false),
        }))
    }

    /// Puts something else before the names of files from now on: in playlists, that is, that are not
    /// rendered yet.
    pub fn set_base(&self, base: &str) {
        self.set_ways(Ways::One(base.to_owned()));
    }

    /// The same with several pathways, the one to begin with first; there are as many as
    /// [`MOST_PATHWAYS`]. Each has media playlists of its own, and while one of them leads elsewhere, the
    /// multivariant playlist lists all and says that `steering.json` beside it tells which to take.
    pub fn set_pathways(&self, mut pathways: Vec<Pathway>) {
        pathways.truncate(MOST_PATHWAYS);
        self.set_ways(match pathways.as_slice() {
            [] => Ways::One(String::new()),
            _ => Ways::Several(pathways.into()),
        });
    }

    fn set_ways(&self, ways: Ways) {
        let mut place = self.0.ways.write().unwrap_or_else(PoisonError::into_inner);
        *place = ways;
    }

    /// The pathways that the multivariant playlist lists, the one to begin with first; none: there is
    /// but one way.
    #[must_use]
    pub fn pathways(&self) -> Arc<[Pathway]> {
        let ways = self.0.ways.read().unwrap_or_else(PoisonError::into_inner);
        match &*ways {
            Ways::Several(all) if all.iter().any(|one| !one.base.is_empty()) => Arc::clone(all),
            _ => Arc::default(),
        }
    }

    /// Where the playlist of a pathway stands among the renderings, and what it puts before names.
    fn way(&self, pathway: Option<u8>) -> Option<(usize, String)> {
        let ways = self.0.ways.read().unwrap_or_else(PoisonError::into_inner);
        match (&*ways, pathway) {
            (Ways::One(base), None) => Some((0, base.clone())),
            (Ways::One(_), Some(_)) => None,
            (Ways::Several(all), None) => Some((0, all.first()?.base.clone())),
            (Ways::Several(all), Some(number)) => {
                let at = all.iter().position(|one| one.number == number)?;
                Some((at + 1, all.get(at)?.base.clone()))
            }
        }
    }

    /// Whether a file is no older than so many segments before the newest of its rendition.
    #[must_use]
    pub fn is_near_edge(&self, rendition: &str, name: &str, segments: u64) -> bool {
        let views = self.views();
        let newest = views.iter().find(|(name, _)| name.as_str() == rendition);
        let newest = newest.and_then(|(_, view)| view.last());
        match (Name::parse(name), newest) {
            (Some(Name::Part(msn, _) | Name::Segment(msn)), Some((last, _))) => {
                msn.saturating_add(segments) >= last
            }
            // An initialisation holds no picture.
            (Some(Name::Init(_)), Some(_)) => true,
            _ => false,
        }
    }

    /// Whether a playlist or a file of a rendition is here, by its name; a part that is hinted at will be.
    #[must_use]
    pub fn holds(&self, rendition: &str, name: &str) -> bool {
        self.view(rendition).is_ok_and(|view| view.holds(name))
    }

    /// Told whenever a segment is complete, and when renditions begin and end.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The numbers of the complete segments in the playlist of each rendition.
    #[must_use]
    pub fn complete(&self) -> Vec<(String, Range<u64>)> {
        let views = self.views().into_iter();
        let complete = views.filter_map(|(name, view)| {
            let first = view.done.first()?.msn;
            let end = view.done.last()?.msn + 1;
            Some((name, first..end))
        });
        complete.collect()
    }

    /// Opens a rendition, such as `audio`; whoever had that name before is replaced. The name goes
    /// into URLs and file names and is the caller's: lower-case letters, digits and hyphens.
    #[must_use]
    pub fn writer(&self, name: &str) -> Writer {
        // One that comes late has missed what the others had: players set renditions beside each
        // other by the number of discontinuities.
        let others = self.views();
        let missed = others.iter().map(|(_, view)| view.discontinuities());
        let missed = missed.max().unwrap_or_default();
        let left = self.left().remove(name);
        let (left, sender) = left.unwrap_or_else(|| {
            let left = Left::nothing(missed.max(self.0.discontinuities), self.0.used);
            (left, watch::Sender::default())
        });
        let receiver = sender.subscribe();
        self.0.renditions.send_modify(|renditions| {
            Arc::make_mut(renditions).insert(name.to_owned(), receiver);
        });
        let inner = &self.0;
        inner.changes.send_modify(|count| *count += 1);
        Writer::new(
            name,
            Arc::clone(&inner.config),
            inner.disk.clone(),
            Announcer::new(sender, inner.changes.clone()),
            Arc::clone(&inner.leaving),
            left,
        )
    }

    fn left(&self) -> MutexGuard<'_, Unfed> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether segments stay on disk when they leave the window.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.0.config.keep
    }

    /// The process is about to end, and the stream to go on with the next: a rendition that ends from
    /// now on completes its segment and answers who waits, but its playlist says nothing of an end.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
        self.close_left(|view| view.is_leaving = true);
    }

    /// Whether it was told to.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Acquire)
    }

    /// Ends what a process before this one left and nobody fed here: the stream is over.
    pub fn end_left(&self) {
        self.close_left(|view| view.ended = true);
    }

    fn close_left(&self, close: impl Fn(&mut View)) {
        for (left, views) in self.left().values() {
            let mut view = left.view(self.0.config.part_target);
            close(&mut view);
            views.send_replace(Arc::new(view));
        }
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// Waits until all that was pushed is on disk, as far as the disk takes it, and the task that
    /// writes it has ended. Call it when the renditions have ended: what is pushed afterwards is
    /// not kept. Cancel safe, and to be called again without harm. A stream that is dropped
    /// instead has its files written behind its back.
    pub async fn close(&self) {
        if let Some(disk) = &self.0.disk {
            disk.close().await;
        }
    }

    /// Why segments are not kept on disk, in words, while that is so; live goes on meanwhile, and a
    /// segment that was lost is a gap once it has left memory. Writing resumes by itself with the
    /// next segment; a few later this tells so. `None` where there is no folder.
    #[must_use]
    pub fn disk_problem(&self) -> Option<watch::Receiver<Option<String>>> {
        self.0.disk.as_ref().map(Disk::problem)
    }

    /// Whether there is something to play.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.views().iter().any(|(_, view)| view.has_media())
    }

    /// The multivariant playlist: of what has something to play, once that is settled. The first
    /// video is waited for, and [`Config::settle`] longer for the others. Where there is sound and
    /// no picture comes, twice that is enough. `prefix` is put before the renditions' URIs, such as
    /// `token/`.
    ///
    /// # Errors
    /// [`ReadError::Late`].
    pub async fn multivariant(&self, prefix: &str) -> Result<Rendered, ReadError> {
        let deadline = self.0.config.target_duration * 3;
        timeout(deadline, self.settled())
            .await
            .map_err(|_| ReadError::Late)?;
        let views = self.views();
        // Once it goes on, what does not is for those who are at it.
        let goes_on = views
            .iter()
            .any(|(_, view)| !view.is_of_before && view.has_media());
        let left: BTreeSet<String> = match goes_on {
            true => self.left().keys().cloned().collect(),
            false => BTreeSet::new(),
        };
        let views = views.iter().filter(|(name, _)| !left.contains(name));
        let views = views.map(|(name, view)| (name.as_str(), &**view));
        multivariant::list(views, prefix, &self.pathways()).ok_or(ReadError::NotFound)
    }

    /// A media playlist; a blocking request (§6.2.5.2) waits for what it names.
    ///
    /// # Errors
    /// When there is no such rendition, the request is off, or the wait is in vain.
    pub async fn playlist(
        &self,
        rendition: &str,
        request: PlaylistRequest,
    ) -> Result<Rendered, ReadError> {
        if self.way(request.pathway).is_none() {
            return Err(ReadError::NotFound);
        }
        let view = match (request.msn, request.part) {
            (None, Some(_)) => return Err(ReadError::PartWithoutSegment),
            (None, None) => self.wait(rendition, View::has_media).await?,
            (Some(msn), part) => {
                let now = self.view(rendition)?;
                if !now.is_over() && now.is_too_far(msn, part) {
                    return Err(ReadError::TooFarAhead);
                }
                self.wait(rendition, |view| view.is_over() || view.has(msn, part))
                    .await?
            }
        };
        self.render(rendition, &view, request)
    }

    /// A file of a rendition by its name in the playlists. The part that is hinted at is waited for.
    ///
    /// # Errors
    /// When there is no such file, or it does not come.
    pub async fn file(&self, rendition: &str, name: &str) -> Result<Body, ReadError> {
        let name = Name::parse(name).ok_or(ReadError::NotFound)?;
        let view = self.view(rendition)?;
        match name {
            Name::Init(number) => {
                let bytes = view.inits.get(&number).ok_or(ReadError::NotFound)?;
                Ok(Body(vec![bytes.clone()]))
            }
            Name::Segment(msn) => self.segment(rendition, &view, msn).await,
            Name::Part(msn, part) => self.part(rendition, &view, msn, part).await,
        }
    }

    async fn segment(&self, rendition: &str, view: &View, msn: u64) -> Result<Body, ReadError> {
        let segment = view.segment(msn).ok_or(ReadError::NotFound)?;
        if let Some(parts) = &segment.parts {
            return Ok(Body(parts.iter().map(|part| part.bytes.clone()).collect()));
        }
        let disk = self.0.disk.as_ref().ok_or(ReadError::NotFound)?;
        let path = disk.path(rendition, Name::Segment(msn));
        // Boxed, so that the many who ask for parts have no room for it.
        match Box::pin(self.0.old.read(path, segment.size_bytes)).await {
            Ok(bytes) => Ok(Body(vec![bytes])),
            Err(error) => {
                tracing::warn!(%error, "A segment of the window cannot be read: {error}");
                Err(ReadError::NotFound)
            }
        }
    }

    async fn part(
        &self,
        rendition: &str,
        view: &View,
        msn: u64,
        part: usize,
    ) -> Result<Body, ReadError> {
        let body = |part: &crate::segment::Part| Body(vec![part.bytes.clone()]);
        if let Some(part) = view.part(msn, part) {
            return Ok(body(part));
        }
        let hinted = view.open.as_ref().map_or(0, |open| open.parts().len());
        if view.is_over() || (msn, part) != (view.next_msn, hinted) {
            return Err(ReadError::NotFound);
        }
        let is_there = |view: &View| view.is_over() || view.has(msn, Some(part));
        let view = self.wait(rendition, is_there).await?;
        view.part(msn, part).map(body).ok_or(ReadError::NotFound)
    }

    fn view(&self, rendition: &str) -> Result<Arc<View>, ReadError> {
        let renditions = self.0.renditions.borrow();
        let view = renditions.get(rendition).ok_or(ReadError::NotFound)?;
        Ok(Arc::clone(&view.borrow()))
    }

    fn views(&self) -> Vec<(String, Arc<View>)> {
        let renditions = Arc::clone(&self.0.renditions.borrow());
        renditions
            .iter()
            .map(|(name, view)| (name.clone(), Arc::clone(&view.borrow())))
            .collect()
    }

    /// Waits until it is settled which renditions there are. Only the first to ask wait: a layer
    /// that did not come in time must not hold up everybody who joins later.
    async fn settled(&self) {
        self.until(can_be_played).await;
        if self.0.is_settled.load(Ordering::Acquire) {
            return;
        }
        let settle = self.0.config.settle;
        let _ = timeout(settle * 2, self.until(can_be_seen)).await;
        let _ = timeout(settle, self.until(are_complete)).await;
        self.0.is_settled.store(true, Ordering::Release);
    }

    /// Waits until something holds of the renditions.
    async fn until(&self, holds: impl Fn(&[Arc<View>]) -> bool) {
        let mut changes = self.0.changes.subscribe();
        // The sender lives as long as this stream.
        let _ = changes
            .wait_for(|_| {
                let views: Vec<_> = self.views().into_iter().map(|(_, view)| view).collect();
                holds(&views)
            })
            .await;
    }

    /// Waits for a view, within bounds.
    async fn wait(
        &self,
        rendition: &str,
        is_there: impl Fn(&View) -> bool,
    ) -> Result<Arc<View>, ReadError> {
        let now = self.view(rendition)?;
        if is_there(&now) {
            return Ok(now);
        }
        let _place = self
            .0
            .waiters
            .try_acquire()
            .map_err(|_| ReadError::TooManyWaiters)?;
        let mut views = {
            let renditions = self.0.renditions.borrow();
            let views = renditions.get(rendition).ok_or(ReadError::NotFound)?;
            views.clone()
        };
        let longest: Duration = self.0.config.target_duration * 3;
        let found = timeout(longest, views.wait_for(|view| is_there(view))).await;
        match found {
            Ok(Ok(view)) => Ok(Arc::clone(&view)),
            Ok(Err(_)) => Err(ReadError::NotFound),
            Err(_) => Err(ReadError::Late),
        }
    }

    fn render(
        &self,
        rendition: &str,
        view: &View,
        request: PlaylistRequest,
    ) -> Result<Rendered, ReadError> {
        let PlaylistRequest { skip, pathway, .. } = request;
        let (place, base) = self.way(pathway).ok_or(ReadError::NotFound)?;
        let renderings = if skip { &view.delta } else { &view.full };
        Ok(renderings.get_or_init(place, || {
            let base = playlist::base_of(&base, rendition);
            let reports = self.reports(rendition, pathway);
            let text = playlist::render(view, &self.0.config, &base, &reports, skip);
            let kind = if skip { "d" } else { "f" };
            let end = if view.ended { "e" } else { "" };
            let last = match view.last() {
                Some((msn, part)) => format!("{msn}.{part}"),
                None => format!("{}r", view.next_msn),
            };
            Rendered::new(text, format!("{last}{kind}{end}"))
        }))
    }

    /// Where the other renditions stand, by the playlists of the same pathway.
    fn reports(&self, but: &str, pathway: Option<u8>) -> Vec<Report> {
        let playlist = playlist_name(pathway);
        let others = self.views().into_iter().filter(|(name, _)| name != but);
        others
            .filter_map(|(name, view)| {
                let (msn, part) = view.last()?;
                let uri = format!("../{name}/{playlist}");
                Some(Report { uri, msn, part })
            })
            .collect()
    }
}

/// Whether there is something to play, or nothing will come.
fn can_be_played(views: &[Arc<View>]) -> bool {
    let is_over = !views.is_empty() && views.iter().all(|view| view.is_over());
    is_over || views.iter().any(|view| view.has_media())
}

/// Whether there is a picture, or none will come. A rendition that has not begun may be one.
fn can_be_seen(views: &[Arc<View>]) -> bool {
    let is_video = |view: &View| view.media.as_ref().is_none_or(Media::is_video);
    let mut video = views.iter().filter(|view| is_video(view));
    video.clone().any(|view| view.has_media()) || !video.any(|view| view.is_awaited())
}

fn are_complete(views: &[Arc<View>]) -> bool {
    !views.iter().any(|view| view.is_awaited())
}
