//! [`Recorded`]: a stream of the past, as the indexes in its folder tell it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::cache::ReadCache;
use crate::catalogue::{self, Contents, InitWritten};
use crate::chunk::Media;
use crate::config::Config;
use crate::multivariant;
use crate::origin::{Body, ReadError};
use crate::playlist::{self, Rendered};
use crate::remux::{self, RemuxError, Source};
use crate::segment::{Name, Segment};
use crate::timeline;
use crate::view::View;

/// Why a folder cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its stream kept nothing, or not a single part arrived.
    #[error("there is nothing to play in {}", .0.display())]
    Nothing(PathBuf),
    /// The disk refuses.
    #[error("cannot read {}: {source}", .folder.display())]
    Io {
        /// The folder of the stream.
        folder: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Where files of a recording are that the disk no longer has.
pub trait Elsewhere: fmt::Debug + Send + Sync + 'static {
    /// All bytes of a rendition's file.
    fn get(
        &self,
        rendition: &str,
        name: &str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;
}

/// A segment of a recording, such as a remux reads one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSegment {
    /// Of its file.
    pub name: String,
    /// Of the file with the initialisation that it needs.
    pub init: String,
    /// Whether it does not continue what came before.
    pub discontinuity: bool,
    /// Unix time of its first sample, in milliseconds.
    pub unix_ms: i64,
    /// Of its samples.
    pub duration: Duration,
    /// Of its file, as far as that counts.
    pub size_bytes: u64,
}

/// A recording, whole or as far as it was written. Cheap to clone, all clones are one.
///
/// What is lost of it is a gap of the same length (`EXT-X-GAP`), so that all renditions keep the same
/// time.
#[derive(Debug, Clone)]
pub struct Recorded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    base: String,
    cache: ReadCache,
    elsewhere: Option<Arc<dyn Elsewhere>>,
    renditions: BTreeMap<String, Kept>,
}

#[derive(Debug)]
struct Kept {
    view: View,
    config: Config,
    sizes: BTreeMap<Name, u64>,
    is_closed: bool,
}

impl Recorded {
    /// Reads what an [`Origin`](crate::Origin) with this folder and [`Config::keep`] wrote; also of
    /// one that was killed. It stands as it was now: open it again for what is written later. `base`
    /// is that of [`Origin::new`](crate::Origin::new). Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When there is nothing to play, or the disk refuses.
    pub async fn open(
        folder: impl Into<PathBuf>,
        base: &str,
        cache: &ReadCache,
    ) -> Result<Self, OpenError> {
        Self::open_files(folder.into(), base, cache, None).await
    }

    /// The same of a recording whose indexes are in the folder, while its other files may be
    /// elsewhere.
    ///
    /// # Errors
    /// As [`Recorded::open`].
    pub async fn open_elsewhere(
        folder: impl Into<PathBuf>,
        base: &str,
        cache: &ReadCache,
        elsewhere: Arc<dyn Elsewhere>,
    ) -> Result<Self, OpenError> {
        Self::open_files(folder.into(), base, cache, Some(elsewhere)).await
    }

    async fn open_files(
        folder: PathBuf,
        base: &str,
        cache: &ReadCache,
        elsewhere: Option<Arc<dyn Elsewhere>>,
    ) -> Result<Self, OpenError> {
        let read = spawn_blocking({
            let (folder, is_here) = (folder.clone(), elsewhere.is_none());
            move || read_renditions(&folder, is_here)
        });
        let renditions = match read.await.map_err(io::Error::other).flatten() {
            Ok(renditions) => renditions,
            Err(source) if source.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(OpenError::Io { folder, source }),
        };
        if renditions.is_empty() {
            return Err(OpenError::Nothing(folder));
        }
        Ok(Self(Arc::new(Inner {
            folder,
            base: base.to_owned(),
            cache: cache.clone(),
            elsewhere,
            renditions,
        })))
    }

    /// The multivariant playlist; `prefix` is put before the renditions' URIs. A video rendition that
    /// has much less than the longest of them, such as a layer that died early, is not listed.
    ///
    /// # Errors
    /// [`ReadError::NotFound`], should no rendition be worth it.
    pub fn multivariant(&self, prefix: &str) -> Result<Rendered, ReadError> {
        let longest = self.longest_video();
        let is_worth = |kept: &Kept| !kept.is_video() || kept.played() * 5 >= longest * 4;
        let listed = self.0.renditions.iter().filter(|(_, kept)| is_worth(kept));
        let views = listed.map(|(name, kept)| (name.as_str(), &kept.view));
        multivariant::list(views, prefix, &[]).ok_or(ReadError::NotFound)
    }

    /// A media playlist (`EXT-X-PLAYLIST-TYPE:VOD`).
    ///
    /// # Errors
    /// [`ReadError::NotFound`].
    pub fn playlist(&self, rendition: &str) -> Result<Rendered, ReadError> {
        let kept = self.kept(rendition)?;
        Ok(kept.view.full.get_or_init(0, || {
            let base = playlist::base_of(&self.0.base, rendition);
            let text = playlist::render(&kept.view, &kept.config, &base, &[], false);
            Rendered::tagged(text)
        }))
    }

    /// A media playlist whose files are beside it, whatever the base: for who may not get them elsewhere.
    /// With `longest` it ends with the segment in which that time is over.
    ///
    /// # Errors
    /// [`ReadError::NotFound`].
    pub fn playlist_of_own(
        &self,
        rendition: &str,
        longest: Option<Duration>,
    ) -> Result<Rendered, ReadError> {
        let kept = self.kept(rendition)?;
        let text = match longest {
            None => playlist::render(&kept.view, &kept.config, "", &[], false),
            Some(longest) => {
                let beginning = kept.view.beginning(self.after_start(longest));
                playlist::render(&beginning, &kept.config, "", &[], false)
            }
        };
        Ok(Rendered::tagged(text))
    }

    /// Unix milliseconds so long after the recording begins, by whichever rendition begins first.
    fn after_start(&self, long: Duration) -> i64 {
        let long = i64::try_from(long.as_millis()).unwrap_or(i64::MAX);
        self.start_unix_ms().saturating_add(long)
    }

    /// Whether a file is in the playlist that ends where that time is over.
    #[must_use]
    pub fn is_of_beginning(&self, rendition: &str, name: &str, longest: Duration) -> bool {
        let Ok(kept) = self.kept(rendition) else {
            return false;
        };
        match Name::parse(name) {
            // An initialisation holds no picture.
            Some(Name::Init(_)) => true,
            Some(Name::Segment(wanted) | Name::Part(wanted, _)) => {
                let mut listed = kept.view.begun_before(self.after_start(longest));
                listed.any(|segment| segment.msn == wanted)
            }
            None => false,
        }
    }

    /// A file of a rendition by its name in the playlists.
    ///
    /// # Errors
    /// [`ReadError::NotFound`], also when the disk fails, which is logged.
    pub async fn file(&self, rendition: &str, name: &str) -> Result<Body, ReadError> {
        let kept = self.kept(rendition)?;
        let name = Name::parse(name).ok_or(ReadError::NotFound)?;
        let size_bytes = *kept.sizes.get(&name).ok_or(ReadError::NotFound)?;
        let path = self.0.folder.join(rendition).join(name.to_string());
        let read = match &self.0.elsewhere {
            None => self.0.cache.read(path, size_bytes).await,
            Some(elsewhere) => {
                let get = elsewhere.get(rendition, &name.to_string());
                self.0.cache.read_or(path, size_bytes, get).await
            }
        };
        match read {
            Ok(bytes) => Ok(Body(vec![bytes])),
            Err(error) => {
                tracing::warn!(%error, "A file of a recording cannot be read: {error}");
                Err(ReadError::NotFound)
            }
        }
    }

    /// Writes an MP4 of the largest picture and the sound, with its index in front; gives its size.
    /// `progress` is told of bytes done and in all, and returns whether to go on. Dropping the
    /// future does not end the work.
    ///
    /// # Errors
    /// When the disk refuses, a file is malformed, or `progress` stopped it; what was written is left
    /// to the caller.
    pub async fn remux(
        &self,
        to: PathBuf,
        progress: impl FnMut(u64, u64) -> bool + Send + 'static,
    ) -> Result<u64, RemuxError> {
        let sources: Vec<Source> = [self.largest(), self.sound()]
            .into_iter()
            .flatten()
            .map(|rendition| Source {
                folder: self.0.folder.join(rendition),
                segments: self.segments(rendition).collect(),
            })
            .collect();
        let work = spawn_blocking(move || remux::remux(&sources, &to, progress));
        work.await.unwrap_or(Err(RemuxError::Stopped))
    }

    /// The video rendition with most to see, of those that have about all of it.
    fn largest(&self) -> Option<&str> {
        let longest = self.longest_video();
        let whole = self
            .videos()
            .filter(|(_, kept)| kept.played() * 5 >= longest * 4);
        let largest = whole.max_by_key(|(_, kept)| {
            let bandwidth = kept.view.bandwidth().map(|bandwidth| bandwidth.average);
            (kept.height(), bandwidth)
        });
        largest.map(|(name, _)| name)
    }

    fn longest_video(&self) -> Duration {
        let videos = self.videos().map(|(_, kept)| kept.played());
        videos.max().unwrap_or_default()
    }

    fn sound(&self) -> Option<&str> {
        let mut all = self.0.renditions.iter();
        let sound = all.find(|(_, kept)| !kept.is_video());
        sound.map(|(name, _)| name.as_str())
    }

    fn videos(&self) -> impl Iterator<Item = (&str, &Kept)> {
        let all = self.0.renditions.iter();
        let videos = all.filter(|(_, kept)| kept.is_video());
        videos.map(|(name, kept)| (name.as_str(), kept))
    }

    /// Names of the renditions.
    pub fn renditions(&self) -> impl Iterator<Item = &str> {
        self.0.renditions.keys().map(String::as_str)
    }

    /// What a rendition holds, at its end.
    #[must_use]
    pub fn media(&self, rendition: &str) -> Option<&Media> {
        self.0.renditions.get(rendition)?.view.media.as_ref()
    }

    /// The segments of a rendition that are there, in order.
    pub fn segments(&self, rendition: &str) -> impl Iterator<Item = RecordedSegment> {
        let kept = self.0.renditions.get(rendition);
        let segments = kept.into_iter().flat_map(|kept| kept.view.done.iter());
        segments
            .filter(|segment| !segment.is_lost())
            .map(|segment| RecordedSegment {
                name: Name::Segment(segment.msn).to_string(),
                init: Name::Init(segment.init).to_string(),
                discontinuity: segment.discontinuity,
                unix_ms: segment.unix_ms,
                duration: segment.duration,
                size_bytes: segment.size_bytes,
            })
    }

    /// Unix time of the first sample, in milliseconds.
    #[must_use]
    pub fn start_unix_ms(&self) -> i64 {
        let renditions = self.0.renditions.values();
        let starts = renditions.filter_map(|kept| Some(kept.view.done.first()?.unix_ms));
        starts.min().unwrap_or_default()
    }

    /// How long it plays, gaps included.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let renditions = self.0.renditions.values();
        let lengths = renditions.map(|kept| kept.view.done.iter().map(|s| s.duration).sum());
        lengths.max().unwrap_or_default()
    }

    /// Whether its origin was closed: nothing more comes. After a kill it never says so.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.renditions.values().all(|kept| kept.is_closed)
    }

    /// What it needs in memory, roughly.
    pub(crate) fn weight_bytes(&self) -> usize {
        // A segment, its size, and its lines in a playlist.
        let renditions = self.0.renditions.values();
        renditions
            .map(|kept| 1_000 + kept.view.done.len() * 400)
            .sum()
    }

    /// Of all files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.0.renditions.values().map(Kept::size_bytes).sum()
    }

    fn kept(&self, rendition: &str) -> Result<&Kept, ReadError> {
        self.0.renditions.get(rendition).ok_or(ReadError::NotFound)
    }
}

impl Kept {
    fn new(contents: Contents, segments: Vec<Segment>, discontinuity_sequence: u64) -> Self {
        let inits = contents.inits.iter();
        let inits = inits.map(|(number, init)| (Name::Init(*number), init.size_bytes));
        let there = segments.iter().filter(|segment| !segment.is_lost());
        let files = there.map(|segment| (Name::Segment(segment.msn), segment.size_bytes));
        let last = segments
            .last()
            .and_then(|last| contents.inits.get(&last.init));
        let longest = segments.iter().map(|segment| segment.duration).max();
        Self {
            sizes: inits.chain(files).collect(),
            is_closed: contents.is_closed,
            config: Config {
                target_duration: rounded(longest.unwrap_or_default()),
                ..Config::default()
            },
            view: View {
                media: last.map(|init| init.media.clone()),
                done: segments.into_iter().map(Arc::new).collect(),
                discontinuity_sequence,
                ended: true,
                is_whole: true,
                ..View::default()
            },
        }
    }

    fn is_video(&self) -> bool {
        self.view.media.as_ref().is_some_and(Media::is_video)
    }

    fn height(&self) -> u32 {
        match self.view.media {
            Some(Media::Video { height, .. }) => height,
            _ => 0,
        }
    }

    /// How long it plays without gaps.
    fn played(&self) -> Duration {
        let there = self.view.done.iter().filter(|segment| !segment.is_lost());
        there.map(|segment| segment.duration).sum()
    }

    fn size_bytes(&self) -> u64 {
        self.sizes.values().sum()
    }
}

fn read_renditions(folder: &Path, is_here: bool) -> io::Result<BTreeMap<String, Kept>> {
    let mut all = read_indexes(folder, is_here)?;
    let placed = all
        .iter()
        .map(|(name, contents)| (name.clone(), timeline::segments(contents)));
    let mut placed: BTreeMap<_, _> = placed.collect();
    placed.retain(|_, segments| !segments.is_empty());
    let sequences = timeline::align(&mut placed);
    let kept = placed.into_iter().filter_map(|(name, segments)| {
        let contents = all.remove(&name)?;
        let sequence = sequences.get(&name).copied().unwrap_or_default();
        Some((name, Kept::new(contents, segments, sequence)))
    });
    Ok(kept.collect())
}

/// The indexes of a stream. Of files that must be here, without what is not: only the loss of power
/// can bring that about.
pub(crate) fn read_indexes(folder: &Path, is_here: bool) -> io::Result<BTreeMap<String, Contents>> {
    let mut all = BTreeMap::new();
    for (name, folder) in rendition_folders(folder)? {
        let mut contents = Contents::read(&fs::read(folder.join(catalogue::FILE))?);
        if !is_here {
            all.insert(name, contents);
            continue;
        }
        let size = |name: Name| {
            let file = fs::metadata(folder.join(name.to_string()));
            file.map_or(0, |file| file.len())
        };
        let is_there =
            |number: &u32, init: &mut InitWritten| size(Name::Init(*number)) >= init.size_bytes;
        contents.inits.retain(is_there);
        for segment in &mut contents.segments {
            segment.cut_to(size(Name::Segment(segment.msn)));
        }
        all.insert(name, contents);
    }
    Ok(all)
}

pub(crate) fn rendition_folders(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|_| path.join(catalogue::FILE).is_file()) {
            all.push((name.to_owned(), path.clone()));
        }
    }
    Ok(all)
}

/// To whole seconds, as players round what playlists say in five digits (§4.4.3.1).
fn rounded(length: Duration) -> Duration {
    let seconds = (length + Duration::from_micros(500_005)).as_secs();
    Duration::from_secs(seconds.max(1))
}

/// Cuts off what no index speaks of: torn lines, bytes behind the last part, files that were never
/// indexed. Not while the stream is being written.
///
/// # Errors
/// Of the disk; what it could do by then is done.
pub async fn repair(folder: impl Into<PathBuf>) -> io::Result<()> {
    let folder = folder.into();
    let repaired = spawn_blocking(move || {
        let folders = rendition_folders(&folder)?;
        folders
            .iter()
            .try_for_each(|(_, folder)| repair_rendition(folder))
    });
    repaired.await.map_err(io::Error::other)?
}

pub(crate) fn repair_rendition(folder: &Path) -> io::Result<()> {
    let index = folder.join(catalogue::FILE);
    let contents = Contents::read(&fs::read(&index)?);
    cut(
        &index,
        u64::try_from(contents.whole_bytes).unwrap_or(u64::MAX),
    )?;
    let segments = contents.segments.iter();
    let sizes: BTreeMap<_, _> = segments
        .map(|segment| (segment.msn, segment.size_bytes()))
        .collect();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(Name::parse) {
            Some(Name::Segment(msn)) => match sizes.get(&msn) {
                Some(size_bytes) => cut(&path, *size_bytes)?,
                None => fs::remove_file(path)?,
            },
            Some(Name::Init(number)) if !contents.inits.contains_key(&number) => {
                fs::remove_file(path)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn cut(path: &Path, size_bytes: u64) -> io::Result<()> {
    if fs::metadata(path)?.len() > size_bytes {
        OpenOptions::new()
            .write(true)
            .open(path)?
            .set_len(size_bytes)?;
    }
    Ok(())
}
