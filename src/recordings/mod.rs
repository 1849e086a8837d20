//! Recordings: what streams left on disk, to be played, edited, downloaded and deleted.
//!
//! The media of a stream lies in a folder that its packager writes; a row in the database says whose
//! it is. One task (`keeper`) follows the streams, finishes recordings, makes MP4s and deletes what
//! is too old or too much; [`Recordings`] is the handle for requests. Files are deleted only after
//! their row is marked, so that a crash at any moment leaves work to be finished and nothing
//! half-known.

mod archive;
mod belonging;
mod entry;
mod keeper;
mod mp4;
mod recording;
mod routes;
mod store;
mod storyboard;
mod upload;
mod vod;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hls::{Library, OpenError, Recorded};
use sfu::StreamId;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub use recording::{Mp4, Mp4State, Recording, RecordingId, State, Visibility};

use archive::Archive;

use crate::accounts::{Account, Accounts};
use crate::bucket::Bucket;
use crate::channels::{Channel, Channels};
use crate::clock::Clock;
use crate::config::{Cdn, Config, NewRecordings, in_order_for};
use crate::db::{Db, StoreError};
use crate::error::ApiError;
use crate::form::Form;
use crate::gates::{Gates, Lock, StreamGateEdit};
use crate::nodes::Node;
use crate::page::Cursor;
use crate::settings::Settings;
use crate::streams::{Stream, StreamEvent};

/// What the recordings of a channel take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelUsage {
    /// Of the channel.
    pub handle: String,
    /// Of the channel.
    pub name: String,
    /// How many there are.
    pub recordings: u64,
    /// Media and MP4s, wherever they lie.
    pub bytes: u64,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Recordings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    node: Node,
    clock: Clock,
    channels: Channels,
    gates: Gates,
    settings: Settings,
    /// Whether an MP4 is made of each recording by itself.
    make_mp4: bool,
    /// Where the media of all streams lies.
    media: PathBuf,
    library: Library,
    /// Where players find segments, each recording at one of them; none: on this server.
    cdns: Vec<Cdn>,
    /// What was looked up a moment ago: each segment of each viewer asks.
    known: Mutex<HashMap<RecordingId, (Instant, Option<Recording>)>>,
    wants_mp4: Notify,
    archive: Option<Archive>,
    /// How long files stay in the data folder when they are in the store.
    keep_local: Duration,
    wants_upload: Notify,
    /// One brings files back from the store at a time.
    bringing: tokio::sync::Mutex<()>,
    events: broadcast::Sender<RecordingEvent>,
}

/// Events that a slow subscriber may be behind before it loses some.
const EVENTS: usize = 256;

/// What others may want to know of recordings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordingEvent {
    /// It can be watched.
    Ready {
        /// Which.
        recording: Arc<Recording>,
    },
}

/// The task that [`Recordings::start`] started.
#[derive(Debug)]
pub struct Tasks {
    keeper: JoinHandle<()>,
    stop: CancellationToken,
}

/// Bytes of recordings in memory.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;
/// For so long a request believes what the one before it found.
const KNOWN_FOR: Duration = Duration::from_secs(2);
const MOST_KNOWN: usize = 1_024;
/// Recordings of a page.
const PAGE: u16 = 50;
/// Characters of a title.
const LONGEST_TITLE: usize = 200;

/// A stream that goes on, and the name of the folder of its media, where that is not its own.
pub type GoingOn = (Arc<Stream>, Option<StreamId>);

impl Recordings {
    /// Finishes what a crash left behind, but of streams that go on, then follows the streams, in a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(
        config: &Config,
        db: Db,
        (channels, gates): (Channels, Gates),
        clock: Clock,
        (settings, bucket): (Settings, Option<Bucket>),
        (events, resumed, node): (broadcast::Receiver<StreamEvent>, Vec<GoingOn>, Node),
    ) -> Result<(Self, Tasks), StoreError> {
        let recordings = Self(Arc::new(Inner {
            db,
            node,
            clock,
            channels,
            gates,
            settings,
            make_mp4: config.recordings.make_mp4,
            media: config.data.join("media"),
            library: Library::new(CACHE_BYTES),
            cdns: config.hls.cdns(),
            known: Mutex::default(),
            wants_mp4: Notify::new(),
            archive: bucket.map(Archive::new),
            keep_local: config.storage.keep_local(),
            wants_upload: Notify::new(),
            bringing: tokio::sync::Mutex::new(()),
            events: broadcast::channel(EVENTS).0,
        }));
        keeper::reconcile(&recordings.0, &resumed).await?;
        let stop = CancellationToken::new();
        let keeper = keeper::run(recordings.clone(), (events, resumed), stop.clone());
        let keeper = tokio::spawn(keeper);
        Ok((recordings, Tasks { keeper, stop }))
    }

    /// Events of all recordings from now on. A subscriber that lags loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<RecordingEvent> {
        self.0.events.subscribe()
    }

    /// What the recordings of each channel take, the most first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self) -> Result<Vec<ChannelUsage>, StoreError> {
        store::usage(&self.0.db).await
    }

    /// A recording that whoever has its address may watch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shared(&self, id: RecordingId) -> Result<Option<Recording>, StoreError> {
        let found = self.0.look_up(id).await?;
        Ok(found.filter(|recording| recording.visibility != Visibility::Private))
    }

    /// The newest recordings of a channel that everybody may watch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_public(&self, channel: &Channel) -> Result<Vec<Recording>, ApiError> {
        let (page, _) = self.page(channel, None, "").await?;
        Ok(page)
    }

    /// The routes under `/api` of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// The routes that players use, which pages of other sites may use, too.
    pub fn playback(&self, accounts: &Accounts) -> OpenApiRouter {
        vod::routes(self.clone(), accounts.clone())
    }

    /// Recordings of a channel, newest first, and where the next page begins. Others than the owner
    /// see what is public.
    async fn page(
        &self,
        channel: &Channel,
        asker: Option<&Account>,
        cursor: &str,
    ) -> Result<(Vec<Recording>, Option<Cursor>), ApiError> {
        let after = Cursor::read(cursor)?;
        let everything = asker.is_some_and(|account| account.has_say_over(channel.owner));
        let page = store::page(&self.0.db, channel.id, everything, after, PAGE).await?;
        let is_full = page.len() == usize::from(PAGE);
        let next = page
            .last()
            .filter(|_| is_full)
            .map(|last| Cursor::behind(last.started_at, last.id));
        Ok((page, next))
    }

    /// A recording that the account may watch, and its channel.
    async fn expect(
        &self,
        id: Uuid,
        asker: Option<&Account>,
    ) -> Result<(Recording, Channel), ApiError> {
        let found = store::by_id(&self.0.db, RecordingId(id)).await?;
        let recording = found.ok_or_else(no_such_recording)?;
        let channel = self.0.channels.by_id(recording.channel).await?;
        let channel = channel.ok_or_else(no_such_recording)?;
        let is_own = asker.is_some_and(|account| account.has_say_over(channel.owner));
        if recording.visibility == Visibility::Private && !is_own {
            return Err(no_such_recording());
        }
        Ok((recording, channel))
    }

    /// A recording that the account owns, and its channel.
    async fn expect_own(
        &self,
        id: Uuid,
        account: &Account,
    ) -> Result<(Recording, Channel), ApiError> {
        let (recording, channel) = self.expect(id, Some(account)).await?;
        match account.has_say_over(channel.owner) {
            true => Ok((recording, channel)),
            false => Err(ApiError::Forbidden(
                "this recording belongs to somebody else",
            )),
        }
    }

    async fn edit(
        &self,
        recording: &mut Recording,
        title: Option<&str>,
        visibility: Option<Visibility>,
        gate: Option<Option<StreamGateEdit>>,
    ) -> Result<(), ApiError> {
        if let Some(title) = title {
            recording.title = checked_title(title)?;
        }
        recording.visibility = visibility.unwrap_or(recording.visibility);
        if let Some(gate) = gate {
            recording.own_lock = self.own_lock(recording, gate).await?;
        }
        let (id, title) = (recording.id, &recording.title);
        let own_lock = recording.own_lock.as_ref();
        store::edit(&self.0.db, id, title, recording.visibility, own_lock).await?;
        self.0.forget(id);
        let folder = self.0.folder(recording.stream);
        self.0.library.forget(&folder).await;
        Ok(())
    }

    async fn own_lock(
        &self,
        recording: &Recording,
        gate: Option<StreamGateEdit>,
    ) -> Result<Option<Lock>, ApiError> {
        let Some(mut gate) = gate else {
            return Ok(None);
        };
        gate.prepare(&self.0.gates).await?;
        let mut form = Form::new();
        let mut lock = recording.own_lock.clone().unwrap_or_default();
        lock.preview_s = recording.stream_lock.preview_s;
        gate.apply(&mut lock, &mut form);
        form.done()?;
        Ok(Some(lock))
    }

    /// Deletes a recording: first it is found no more, then its files go.
    async fn delete(&self, recording: &Recording) -> Result<(), ApiError> {
        if recording.state == State::Recording {
            return Err(ApiError::Conflict {
                code: "recording_running",
                detail: "the stream is on air and being recorded; end it first".to_owned(),
            });
        }
        keeper::delete(&self.0, recording.id, recording.stream).await?;
        Ok(())
    }

    /// Has the MP4 made, unless it is there or being made.
    async fn make_mp4(&self, recording: &mut Recording) -> Result<(), ApiError> {
        if recording.state != State::Ready {
            return Err(ApiError::Conflict {
                code: "recording_not_ready",
                detail: "an MP4 can be made once the stream has ended".to_owned(),
            });
        }
        if matches!(recording.mp4.state, Mp4State::None | Mp4State::Failed) {
            recording.mp4 = Mp4 {
                state: Mp4State::Making,
                progress: 0,
                size_bytes: 0,
                problem: None,
            };
            store::set_mp4(&self.0.db, recording.id, &recording.mp4).await?;
            self.0.wants_mp4.notify_one();
        }
        Ok(())
    }
}

impl Tasks {
    /// Waits until all recordings whose streams have ended are finished. Call it when the streams
    /// are over.
    pub async fn join(self) {
        self.stop.cancel();
        if let Err(error) = self.keeper.await {
            tracing::error!(%error, "The task of recordings failed: {error}");
        }
    }
}

impl From<NewRecordings> for Visibility {
    fn from(new: NewRecordings) -> Self {
        match new {
            NewRecordings::Public => Self::Public,
            NewRecordings::Unlisted => Self::Unlisted,
            NewRecordings::Private => Self::Private,
        }
    }
}

impl Inner {
    /// Who may watch a new recording.
    fn new_visibility(&self) -> Visibility {
        self.settings.now().recording_visibility.into()
    }

    fn folder(&self, stream: StreamId) -> PathBuf {
        self.media.join(stream.to_string())
    }

    /// What stands before the names of its files. No cache in between knows the owner of what is
    /// private.
    fn base(&self, recording: &Recording) -> String {
        let is_open = recording.visibility != Visibility::Private && recording.lock().is_open();
        let id = recording.id.to_string();
        match in_order_for(&id, self.cdns.clone()).first() {
            Some(cdn) if is_open => format!("{}/vod/{id}/", cdn.url),
            _ => String::new(),
        }
    }

    /// Opens a recording, wherever its files are.
    async fn open(&self, recording: &Recording) -> Result<Recorded, Arc<OpenError>> {
        let folder = self.folder(recording.stream);
        let base = self.base(recording);
        let Some(archive) = self.archive.as_ref().filter(|_| recording.is_stored) else {
            return self.library.open(&folder, &base).await;
        };
        let open = || {
            let elsewhere = archive.of(recording.stream);
            self.library.open_elsewhere(&folder, &base, elsewhere)
        };
        match open().await {
            Err(error) if matches!(*error, OpenError::Nothing(_)) => {
                // The data folder was lost or is another's; what lists the files is in the store.
                let _alone = self.bringing.lock().await;
                if let Err(error) = upload::bring_back(self, archive, recording, false).await {
                    tracing::error!(%error, "A recording cannot be brought back: {error}");
                }
                open().await
            }
            opened => opened,
        }
    }

    /// A recording as it stood a moment ago at the latest.
    async fn look_up(&self, id: RecordingId) -> Result<Option<Recording>, StoreError> {
        let now = self.clock.instant();
        if let Some(known) = self.known(id, now) {
            return Ok(known);
        }
        let found = store::by_id(&self.db, id).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(id, (now, found.clone()));
        Ok(found)
    }

    fn known(&self, id: RecordingId, now: Instant) -> Option<Option<Recording>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, recording) = known.get(&id)?;
        let is_fresh = now.saturating_duration_since(*at) < KNOWN_FOR;
        is_fresh.then(|| recording.clone())
    }

    fn forget(&self, id: RecordingId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&id);
    }
}

fn no_such_recording() -> ApiError {
    ApiError::NotFound {
        code: "recording_not_found",
        detail: "there is no such recording, or it was deleted",
    }
}

fn checked_title(title: &str) -> Result<String, ApiError> {
    let title = title.trim();
    let is_long_enough = (1..=LONGEST_TITLE).contains(&title.chars().count());
    if is_long_enough && !title.chars().any(char::is_control) {
        return Ok(title.to_owned());
    }
    Err(ApiError::Invalid {
        code: "title_invalid",
        detail: format!("a title has 1 to {LONGEST_TITLE} characters"),
    })
}

/// Where the MP4 of a recording lies.
fn mp4_path(folder: &Path) -> PathBuf {
    folder.join(MP4_NAME)
}

const MP4_NAME: &str = "recording.mp4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_trimmed_and_bounded() {
        assert_eq!(checked_title("  Evening ").unwrap(), "Evening");
        assert!(checked_title(&"ä".repeat(200)).is_ok());
        for title in ["", "  ", "a\0b", "a\nb", &"x".repeat(201)] {
            assert!(checked_title(title).is_err(), "{title:?}");
        }
    }

    #[test]
    fn ids_are_random() {
        let id = RecordingId::random();
        assert_eq!(id.0.get_version_num(), 4);
        assert_ne!(id, RecordingId::random());
    }
}
