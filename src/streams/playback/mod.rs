//! Playback of live streams by HLS, for audiences of any size.
//!
//! One task (`run`) follows the streams; for each on air it starts a `packaging` task of its own,
//! which feeds the stream's media-worker and owns its thumbnails. Requests find the stream's
//! [`hls::Origin`] in [`Playback`] by the channel's handle.

mod awaited;
mod doorway;
mod elsewhere;
mod feed;
mod following;
mod ladder;
mod media;
mod packaging;
mod readers;
mod restarts;
mod routes;
mod rungs;
mod shelf;
mod sources;
mod takeover;
mod thumbnails;
mod transcoding;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use hls::{Origin, Pathway};
use serde::Serialize;
use sfu::{StreamId, TapCodec};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::hooks::Hooks;
use super::{LiveChannel, Resumed, Stream, stream_uuid};
use crate::bucket::Bucket;
use crate::channels::ChannelId;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::{Config, Hls, in_order_for};
use crate::gates::{Gates, Lock, Place};

pub use doorway::Entered;
pub(super) use elsewhere::Elsewhere;
use elsewhere::{Distant, Kept};
pub(super) use following::run;
pub use media::MediaRequest;
use readers::Readers;
pub(super) use routes::routes;
use shelf::{Shelf, Shelves};
use takeover::Past;
use thumbnails::Thumbnails;
use transcoding::Transcoding;

/// What is played by HLS. Cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Playback(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Hls,
    /// What is a media-worker when it is told so.
    program: PathBuf,
    /// Folder of all streams' media.
    folder: PathBuf,
    clock: Clock,
    hooks: Hooks,
    gates: Gates,
    /// What this machine lacks for packaging, in words.
    lacks: OnceLock<String>,
    /// Streams that may be transcoded at once.
    most_transcoded: usize,
    /// Set when this server transcodes.
    transcoding: OnceLock<Transcoding>,
    /// By handle. The last is on air; those before it ended a moment ago and are played to the end.
    on_air: Mutex<HashMap<String, Vec<Arc<OnAir>>>>,
    cluster: Cluster,
    /// What is on air at other servers, by handle.
    distant: Mutex<HashMap<String, Arc<Distant>>>,
    /// What was fetched of that.
    kept: Kept,
    /// Where segments go as well, if they do.
    shelves: Option<Shelves>,
    /// Set when the server stops, and what is on air goes on with the next start.
    is_leaving: AtomicBool,
}

/// One stream as HLS viewers see it.
#[derive(Debug)]
pub(super) struct OnAir {
    handle: String,
    channel: ChannelId,
    stream: StreamId,
    /// Names the folder of its media.
    media: StreamId,
    folder: PathBuf,
    /// Another server has it from now on.
    handed_over: CancellationToken,
    /// The same, said before anybody is told.
    is_elsewhere: AtomicBool,
    /// What was packaged here until then.
    past: Past,
    /// Unguessable part of the addresses of its media: they are cached for ever and never another's.
    token: String,
    origin: Origin,
    /// And the revision of what is said of the stream that it is of.
    lock: RwLock<(u32, Lock)>,
    thumbnails: Thumbnails,
    shelf: Shelf,
    readers: Readers,
    /// Why there is nothing to play, in words.
    unavailable: Mutex<Option<String>>,
}

/// How a channel can be watched by HLS.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct HlsReport {
    state: HlsState,
    /// Of the multivariant playlist.
    url: String,
    /// Why it is unavailable.
    reason: Option<String>,
    /// How far back viewers can go.
    window_seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HlsState {
    /// The first part is not there yet.
    Preparing,
    /// It can be played.
    Ready,
    /// This stream is not packaged.
    Unavailable,
}

/// Viewers who are behind play a stream to its end within this time.
const LINGER: Duration = Duration::from_secs(120);
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

impl Playback {
    pub(super) fn new(
        config: &Config,
        clock: Clock,
        program: PathBuf,
        (hooks, gates, cluster): (Hooks, Gates, Cluster),
        bucket: Option<Bucket>,
    ) -> Self {
        let public_url = config.storage.public_base();
        let bucket = bucket.filter(|_| config.hls.store);
        Self(Arc::new(Inner {
            settings: config.hls.clone(),
            program,
            folder: media_folder(&config.data),
            clock,
            hooks,
            gates,
            lacks: OnceLock::new(),
            most_transcoded: config.media.transcode,
            transcoding: OnceLock::new(),
            on_air: Mutex::default(),
            cluster,
            distant: Mutex::default(),
            kept: Kept::default(),
            shelves: bucket.map(|bucket| Shelves::new(bucket, public_url)),
            is_leaving: AtomicBool::new(false),
        }))
    }

    /// How the stream that is on air on the channel can be watched.
    pub(super) fn report(&self, handle: &str) -> HlsReport {
        let is_elsewhere = self.is_on_air_elsewhere(handle);
        let on_air = self.newest(handle).filter(|_| !is_elsewhere);
        let reason = match &on_air {
            Some(on_air) => on_air.unavailable(),
            // Its server says so when it is asked.
            None if is_elsewhere => None,
            None => self.reason(),
        };
        let is_ready = is_elsewhere || on_air.is_some_and(|on_air| on_air.origin.is_ready());
        let state = match (&reason, is_ready) {
            (Some(_), _) => HlsState::Unavailable,
            (None, true) => HlsState::Ready,
            (None, false) => HlsState::Preparing,
        };
        HlsReport {
            state,
            url: format!("/hls/{handle}/index.m3u8"),
            reason,
            window_seconds: self.0.settings.window_seconds,
        }
    }

    /// What the creator of the stream should know of its HLS and recording, and what to do.
    pub(super) fn problem(&self, handle: &str, stream: StreamId) -> Option<String> {
        let on_air = self
            .newest(handle)
            .filter(|on_air| on_air.stream == stream)?;
        if let Some(reason) = on_air.unavailable() {
            return Some(format!(
                "there is neither HLS nor a recording of this stream, since {reason}"
            ));
        }
        let problem = on_air.origin.disk_problem()?.borrow().clone()?;
        Some(format!(
            "the server's disk does not take the stream ({problem}): viewers notice nothing, but \
             what is missing cannot be rewound or recorded; make room in the data folder"
        ))
    }

    /// Why this server packages nothing, in words for viewers.
    fn reason(&self) -> Option<String> {
        if !self.0.settings.enabled {
            return Some("this server plays by WebRTC alone".to_owned());
        }
        self.0.lacks.get().map(|_| {
            "this server cannot package streams; its operator finds the reason in the log"
                .to_owned()
        })
    }

    /// The same for its operator.
    pub(super) fn lacks_for_operator(&self) -> Option<String> {
        match self.0.settings.enabled {
            false => Some(
                "hls.enabled is false: there is no playback but WebRTC, and no recording"
                    .to_owned(),
            ),
            true => self.0.lacks.get().cloned(),
        }
    }

    /// Whether streams are packaged.
    pub(super) fn packages(&self) -> bool {
        self.reason().is_none()
    }

    /// Whether pictures in this codec that WebRTC viewers cannot play are made anew, where there is
    /// room.
    pub(super) fn remakes(&self, codec: TapCodec) -> bool {
        codec == TapCodec::H264 && self.0.transcoding.get().is_some()
    }

    /// Whether streams are packaged at all; else the reason is noted.
    async fn can_package(&self) -> bool {
        if !self.0.settings.enabled {
            return false;
        }
        let Some(problem) = packaging::lacks(&self.0.program).await else {
            return true;
        };
        tracing::error!("Streams cannot be packaged for HLS: {problem}");
        let _ = self.0.lacks.set(problem);
        false
    }

    /// Finds out how this server transcodes, if it is to.
    async fn prepare_transcoding(&self) {
        let streams = self.0.most_transcoded;
        if streams == 0 {
            return;
        }
        match Transcoding::find(&self.0.program, streams).await {
            Ok(found) => {
                tracing::info!(
                    encoder = found.encoder(),
                    "Streams are transcoded by {}",
                    found.encoder()
                );
                let _ = self.0.transcoding.set(found);
            }
            Err(problem) => tracing::error!("Streams are not transcoded: {problem}"),
        }
    }

    /// About how many watched each stream by HLS since the last call, which should be about a segment
    /// ago.
    pub(super) fn count_viewers(&self) -> Vec<(StreamId, u32)> {
        self.with(|all| {
            let on_air = all.values().filter_map(|streams| streams.last());
            let here: Vec<_> = on_air
                .filter(|on_air| !on_air.past.is_past())
                .map(|on_air| (on_air.stream, on_air.readers.count()))
                .collect();
            here
        })
        .into_iter()
        .chain(
            self.distant()
                .values()
                .filter(|one| !one.is_over())
                .map(|one| (one.stream, one.readers.count())),
        )
        .collect()
    }

    fn newest(&self, handle: &str) -> Option<Arc<OnAir>> {
        self.with(|on_air| on_air.get(handle)?.last().map(Arc::clone))
    }

    /// A stream that comes back to this server has been here before: the newest, unless an older one alone has
    /// the file, of a rendition, that is wanted.
    fn by_token(
        &self,
        handle: &str,
        token: &str,
        file: Option<(&str, &str)>,
    ) -> Option<Arc<OnAir>> {
        self.with(|on_air| {
            let all = on_air.get(handle)?.iter().rev();
            let mut all = all.filter(|on_air| on_air.token == token);
            let newest = all.next()?;
            let older = file.and_then(|(rendition, name)| {
                let holds = |on_air: &&Arc<OnAir>| on_air.origin.holds(rendition, name);
                all.find(|older| holds(older) && !holds(&newest))
            });
            Some(Arc::clone(older.unwrap_or(newest)))
        })
    }

    /// What stands before a stream is another from now on, if it is played here.
    pub(super) fn set_lock(&self, about: &Stream) {
        for on_air in self.all_where(|on_air| on_air.stream == about.id) {
            on_air.set_lock(about);
            self.settle_base(&on_air);
        }
    }

    /// A channel's own gate may be another from now on.
    pub(super) fn settle_channel(&self, channel: ChannelId) {
        for on_air in self.all_where(|on_air| on_air.channel == channel) {
            self.settle_base(&on_air);
        }
    }

    fn all_where(&self, is_wanted: impl Fn(&OnAir) -> bool) -> Vec<Arc<OnAir>> {
        self.with(|all| {
            let all = all.values().flatten();
            let wanted = all.filter(|on_air| is_wanted(on_air));
            wanted.map(Arc::clone).collect()
        })
    }

    /// Whether nothing stands before it.
    fn is_open(&self, on_air: &OnAir) -> bool {
        self.0.gates.is_open(&on_air.handle, &on_air.lock())
    }

    /// No cache in between knows who may have the segments of what is not open to all.
    fn settle_base(&self, on_air: &OnAir) {
        let is_open = self.is_open(on_air);
        on_air.shelf.look_again();
        let (handle, token) = (&on_air.handle, &on_air.token);
        let base = |url: &str| match is_open {
            true => format!("{url}/hls/{handle}/{token}/"),
            false => String::new(),
        };
        let cdns = in_order_for(token, self.0.settings.cdns());
        match cdns.as_slice() {
            [] => {}
            [cdn] => on_air.origin.set_base(&base(&cdn.url)),
            several => {
                let pathways = several.iter().map(|cdn| Pathway {
                    number: cdn.number,
                    base: base(&cdn.url),
                });
                on_air.origin.set_pathways(pathways.collect());
            }
        }
    }

    fn distant(&self) -> MutexGuard<'_, HashMap<String, Arc<Distant>>> {
        let distant = &self.0.distant;
        distant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, Vec<Arc<OnAir>>>) -> T) -> T {
        let on_air = &self.0.on_air;
        look(&mut on_air.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The server stops, and what is on air goes on with the next start: no playlist has an end.
    pub(super) fn leave(&self) {
        self.0.is_leaving.store(true, Ordering::Release);
        self.with(|all| {
            for on_air in all.values().flatten() {
                on_air.origin.leave();
            }
        });
    }

    /// Plays what was on air before the start, as far as it is there.
    pub(super) fn resume(&self, resumed: Vec<Resumed>) -> Vec<Arc<OnAir>> {
        let resumed = resumed.into_iter();
        let opened = resumed.filter_map(|resumed| {
            let media = resumed.media.unwrap_or(resumed.live.stream);
            Some(self.open(&resumed.live, resumed.origin?, media))
        });
        opened.collect()
    }

    fn folder_of(&self, media: StreamId) -> PathBuf {
        self.0.folder.join(media.to_string())
    }

    /// With the name of its folder and the lease by which it came, where it came from another server.
    fn begin(&self, live: &LiveChannel, from: Option<(StreamId, u64)>) -> Arc<OnAir> {
        let media = from.map_or(live.stream, |(media, _)| media);
        let config = origin_config(&self.0.settings, self.folder_of(media), live.channel.record);
        let origin = match from {
            None => Origin::new(config, ""),
            Some((_, fence)) => Origin::follow(config, "", numbers_used(live, fence)),
        };
        let on_air = self.open(live, origin, media);
        if self.0.is_leaving.load(Ordering::Acquire) {
            on_air.origin.leave();
        }
        on_air
    }

    /// Its media lie in the folder of that name: its own, or another where it came from another server.
    fn open(&self, live: &LiveChannel, origin: Origin, media: StreamId) -> Arc<OnAir> {
        let folder = self.folder_of(media);
        let settings = &self.0.settings;
        let handle = live.channel.handle.clone();
        let start = live.started_at.unwrap_or_else(|| self.0.clock.now());
        let on_air = Arc::new(OnAir {
            handle: handle.clone(),
            channel: live.channel.id,
            stream: live.stream,
            handed_over: CancellationToken::new(),
            is_elsewhere: AtomicBool::new(false),
            past: Past::default(),
            token: self.0.gates.media_word(stream_uuid(live.stream)),
            lock: RwLock::new((live.about.revision, live.about.details.lock.clone())),
            thumbnails: Thumbnails::new(
                &folder,
                settings.window(),
                origin.keeps(),
                start.as_millisecond(),
            ),
            media,
            folder,
            origin,
            shelf: Shelf::default(),
            readers: Readers::default(),
            unavailable: Mutex::default(),
        });
        self.settle_base(&on_air);
        self.with(|all| all.entry(handle).or_default().push(Arc::clone(&on_air)));
        on_air
    }

    /// Another server has a stream from now on: what is packaged here ends, and its playlists do not say so.
    fn hand_over(&self, stream: StreamId) {
        for on_air in self.all_where(|on_air| on_air.stream == stream) {
            // First: that it leaves alone means that this server stops.
            on_air.is_elsewhere.store(true, Ordering::SeqCst);
            on_air.origin.leave();
            on_air.handed_over.cancel();
        }
    }

    fn close(&self, on_air: &OnAir) {
        self.with(|all| {
            if let Some(streams) = all.get_mut(&on_air.handle) {
                streams.retain(|stream| stream.folder != on_air.folder);
            }
            all.retain(|_, streams| !streams.is_empty());
        });
    }
}

/// More numbers than other servers can have given to segments of a stream before that lease. None of them
/// makes more than one a second for long, and each begins where twice the time was up at its own lease,
/// which is a time of Redis: no two clocks are compared.
fn numbers_used(live: &LiveChannel, fence: u64) -> u64 {
    let started = live.started_at.map_or(0, |at| at.as_second());
    let leased = i64::try_from(fence / 1_000).unwrap_or(i64::MAX);
    let age = u64::try_from(leased.saturating_sub(started)).unwrap_or_default();
    age.saturating_mul(2).saturating_add(120)
}

/// Where the media of all streams lies: a folder each, named after the stream.
pub(super) fn media_folder(data: &Path) -> PathBuf {
    data.join("media")
}

/// How a stream in that folder is played.
pub(super) fn origin_config(settings: &Hls, folder: PathBuf, keep: bool) -> hls::Config {
    hls::Config {
        part_target: settings.part(),
        target_duration: settings.target_duration(),
        window: settings.window(),
        folder: Some(folder),
        keep,
        waiters: settings.waiters,
        ..hls::Config::default()
    }
}

impl OnAir {
    fn lock(&self) -> Lock {
        let lock = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        lock.1.clone()
    }

    fn set_lock(&self, about: &Stream) {
        let mut place = self.lock.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have read it before it was changed.
        if about.revision >= place.0 {
            *place = (about.revision, about.details.lock.clone());
        }
    }

    /// It, as a place that somebody wants into.
    fn place(&self) -> Place {
        let id = stream_uuid(self.stream);
        Place {
            id,
            door: id,
            stream: id,
            channel: self.channel,
            handle: self.handle.clone(),
            lock: self.lock(),
            is_recorded: false,
        }
    }

    fn unavailable(&self) -> Option<String> {
        let reason = &self.unavailable;
        reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_unavailable(&self, reason: Option<String>) {
        let place = &self.unavailable;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
