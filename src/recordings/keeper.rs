//! The task that follows the streams: it opens and finishes recordings, and deletes what is too old
//! or too much. At the start it puts in order what a crash left behind.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hls::{OpenError, Recorded};
use jiff::{SignedDuration, Timestamp};
use sfu::StreamId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    GoingOn, Inner, Mp4State, Recording, RecordingEvent, RecordingId, Recordings, State,
    Visibility, mp4, store, storyboard, upload,
};
use crate::db::StoreError;
use crate::error::log_store_error;
use crate::streams::{Stream, StreamEvent};

/// What is too old or too much goes this often.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Behind the title of what another server recorded the beginning of.
const CONTINUED: &str = " (continued)";
/// A database that is away is asked again after this time, which doubles up to the next; so many times at the end.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LAST_TRIES: u32 = 3;

/// Runs until the token is cancelled and all recordings whose streams ended before it are finished.
pub(super) async fn run(
    recordings: Recordings,
    (mut events, resumed): (broadcast::Receiver<StreamEvent>, Vec<GoingOn>),
    stop: CancellationToken,
) {
    let inner = &recordings.0;
    let mp4s = tokio::spawn(mp4::run(recordings.clone(), stop.clone()));
    let uploads = inner
        .archive
        .clone()
        .map(|archive| tokio::spawn(upload::run(recordings.clone(), archive, stop.clone())));
    let mut followed = Followed {
        inner: Arc::clone(inner),
        stop: stop.clone(),
        opening: HashMap::new(),
        ended: HashMap::new(),
        packaged: HashSet::new(),
        parts: HashMap::new(),
        finishing: JoinSet::new(),
    };
    for (about, media) in resumed {
        followed.open(about, media);
    }
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => followed.take(event),
                Err(RecvError::Lagged(lost)) => {
                    // Their recordings are finished at the next start.
                    tracing::warn!(lost, "Lost {lost} stream events; recordings may be late");
                }
                Err(RecvError::Closed) => break,
            },
            _ = sweeps.tick() => report(sweep(inner).await),
            Some(ended) = followed.finishing.join_next() => report_panic(ended),
            () = stop.cancelled() => break,
        }
    }
    loop {
        match events.try_recv() {
            Ok(event) => followed.take(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    followed.join().await;
    report_panic(mp4s.await);
    if let Some(uploads) = uploads {
        report_panic(uploads.await);
    }
}

/// Streams whose recordings are being opened or finished.
struct Followed {
    inner: Arc<Inner>,
    stop: CancellationToken,
    /// Of streams on air, by what is kept: a recording is not finished before it was opened.
    opening: HashMap<StreamId, JoinHandle<()>>,
    /// What is over, and when, whose media may not all be on disk: by the names of the folders.
    ended: HashMap<StreamId, Timestamp>,
    /// What is on disk before it was told to be over, as well.
    packaged: HashSet<StreamId>,
    /// Streams that came from another server, and the names of what is kept of them here.
    parts: HashMap<StreamId, StreamId>,
    finishing: JoinSet<()>,
}

impl Followed {
    fn take(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Started { about, .. } => self.open(about, None),
            StreamEvent::TakenOver { about, media, .. } => self.open(about, Some(media)),
            StreamEvent::Published { stream, about, .. }
                if about.is_listed() && self.inner.new_visibility() == Visibility::Public =>
            {
                let kept = self.parts.get(&stream).copied().unwrap_or(stream);
                let (inner, stop) = (Arc::clone(&self.inner), self.stop.clone());
                let opening = self.opening.remove(&kept);
                let publish = async move {
                    if let Some(opening) = opening {
                        report_panic(opening.await);
                    }
                    insist(&stop, || store::publish(&inner.db, stream)).await;
                };
                self.opening.insert(kept, tokio::spawn(publish));
            }
            StreamEvent::Updated { stream, about, .. } if !about.is_listed() => {
                // It is on air, and recorded.
                let kept = self.parts.get(&stream).copied().unwrap_or(stream);
                if let Some(opening) = self.opening.remove(&kept) {
                    let (inner, stop) = (Arc::clone(&self.inner), self.stop.clone());
                    let unlist = async move {
                        report_panic(opening.await);
                        insist(&stop, || store::unlist(&inner.db, stream)).await;
                    };
                    self.opening.insert(kept, tokio::spawn(unlist));
                }
            }
            // What another server records of it is a recording of its own.
            StreamEvent::Ended { stream, at, .. } | StreamEvent::HandedOver { stream, at, .. } => {
                let kept = self.parts.remove(&stream).unwrap_or(stream);
                if self.packaged.remove(&kept) {
                    self.finish(kept, at);
                } else {
                    self.ended.insert(kept, at);
                }
            }
            StreamEvent::Packaged { media, .. } => match self.ended.remove(&media) {
                Some(at) => self.finish(media, at),
                None => {
                    self.packaged.insert(media);
                }
            },
            _ => {}
        }
    }

    /// One that goes on is most often open.
    fn open(&mut self, about: Arc<Stream>, media: Option<StreamId>) {
        // What never gets a row gets one at the next start, from its folder.
        let (stream, inner, stop) = (about.id, Arc::clone(&self.inner), self.stop.clone());
        self.parts.extend(media.map(|media| (stream, media)));
        let open = async move { insist(&stop, || open(&inner, &about, media)).await };
        self.opening
            .insert(media.unwrap_or(stream), tokio::spawn(open));
    }

    fn finish(&mut self, stream: StreamId, at: Timestamp) {
        let (inner, stop) = (Arc::clone(&self.inner), self.stop.clone());
        let opening = self.opening.remove(&stream);
        self.finishing.spawn(async move {
            if let Some(opening) = opening {
                report_panic(opening.await);
            }
            insist(&stop, || finish_stream(&inner, stream, at)).await;
        });
    }

    /// Finishes all that is over: nobody packages any more.
    async fn join(mut self) {
        for (stream, at) in std::mem::take(&mut self.ended) {
            self.finish(stream, at);
        }
        while let Some(ended) = self.finishing.join_next().await {
            report_panic(ended);
        }
        for opening in self.opening.into_values() {
            report_panic(opening.await);
        }
    }
}

/// Does it again until the database is there; when the server stops, for a few seconds. What is not done then, the next start does.
async fn insist<F>(stop: &CancellationToken, act: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let (mut pause, mut last_tries) = (FIRST_PAUSE, LAST_TRIES);
    while let Err(error) = act().await {
        if pause == FIRST_PAUSE || !error.is_unavailable() {
            log_store_error(&error);
        }
        if stop.is_cancelled() || !error.is_unavailable() {
            last_tries -= 1;
            if last_tries == 0 {
                return;
            }
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = stop.cancelled(), if !stop.is_cancelled() => pause = FIRST_PAUSE,
        }
    }
}

/// A stream is on air: it gets a recording, where it or its channel has that, of the same name and as
/// open to others.
async fn open(inner: &Inner, about: &Stream, media: Option<StreamId>) -> Result<(), StoreError> {
    let Some(channel) = inner.channels.by_id(about.channel).await? else {
        return Ok(());
    };
    if !about.settings.record.unwrap_or(channel.record) {
        return Ok(());
    }
    let at = match media {
        None => about.placed_at,
        Some(_) => inner.clock.now(),
    };
    let kept = media.unwrap_or(about.id);
    let mut recording = Recording::new(kept, &channel, at, inner.new_visibility());
    if !about.details.title.is_empty() {
        recording.title.clone_from(&about.details.title);
    }
    if media.is_some() {
        recording.title.push_str(CONTINUED);
        recording.part_of = Some(about.id);
        recording.stream_started_at = about.placed_at;
    }
    if !about.is_listed() && recording.visibility == Visibility::Public {
        recording.visibility = Visibility::Unlisted;
    }
    store::insert(&inner.db, inner.node, &recording).await
}

/// Reads past the library, which would remember what is not whole.
async fn read(folder: &Path) -> Result<Recorded, OpenError> {
    Recorded::open(folder, "", &hls::ReadCache::new(0)).await
}

async fn finish_stream(
    inner: &Inner,
    stream: StreamId,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    let Some(recording) = store::by_stream(&inner.db, stream).await? else {
        return Ok(());
    };
    // Another server has its files, or it was finished when the stream went from here.
    let is_ours = store::is_ours(&inner.db, inner.node, stream).await?;
    if !is_ours || recording.state != State::Recording {
        return Ok(());
    }
    let recorded = read(&inner.folder(stream)).await;
    finish(inner, recording, ended_at, recorded).await?;
    // What is new may be what is too much.
    sweep(inner).await
}

/// Closes the books on a recording.
async fn finish(
    inner: &Inner,
    mut recording: Recording,
    ended_at: Timestamp,
    recorded: Result<Recorded, OpenError>,
) -> Result<(), StoreError> {
    recording.ended_at = Some(ended_at);
    match recorded {
        Ok(recorded) => {
            let millis = recorded.duration().as_millis();
            recording.duration_ms = u64::try_from(millis).unwrap_or(u64::MAX);
            recording.size_bytes = recorded.size_bytes();
            recording.state = State::Ready;
            let poster = storyboard::poster(&inner.folder(recording.stream)).await;
            recording.has_thumbnail = poster.is_ok_and(|poster| poster.is_some());
            if inner.make_mp4 {
                recording.mp4.state = Mp4State::Making;
            }
        }
        Err(OpenError::Nothing(_)) => {
            tracing::info!(stream.id = %recording.stream, "Nothing of a stream was packaged, so that there is no recording of it");
            return delete(inner, recording.id, recording.stream).await;
        }
        Err(error) => {
            tracing::error!(recording.id = %recording.id, stream.id = %recording.stream, %error, "A recording cannot be read: {error}");
            recording.state = State::Failed;
        }
    }
    store::finish(&inner.db, &recording).await?;
    inner.library.forget(&inner.folder(recording.stream)).await;
    inner.forget(recording.id);
    inner.wants_mp4.notify_one();
    inner.wants_upload.notify_one();
    tracing::info!(recording.id = %recording.id, stream.id = %recording.stream, "Recording {} is {}", recording.id, recording.state.as_str());
    if recording.state == State::Ready {
        let recording = Arc::new(recording);
        // Nobody may be listening.
        let _ = inner.events.send(RecordingEvent::Ready { recording });
    }
    Ok(())
}

/// Marks a recording as deleted, then deletes its files, then forgets it.
pub(super) async fn delete(
    inner: &Inner,
    id: RecordingId,
    stream: StreamId,
) -> Result<(), StoreError> {
    store::mark_deleted(&inner.db, id, inner.clock.now()).await?;
    inner.forget(id);
    remove(inner, stream).await
}

/// Deletes the local files of a recording that is marked, and forgets it; where there is a store,
/// the one who talks to that does so. What the disk refuses is tried again at the next sweep. What is at
/// another server is left to that one's next sweep.
async fn remove(inner: &Inner, stream: StreamId) -> Result<(), StoreError> {
    if !store::is_ours(&inner.db, inner.node, stream).await? {
        return Ok(());
    }
    let folder = inner.folder(stream);
    inner.library.forget(&folder).await;
    if !remove_folder(&folder).await {
        return Ok(());
    }
    match inner.archive {
        Some(_) => inner.wants_upload.notify_one(),
        None => store::remove(&inner.db, stream).await?,
    }
    Ok(())
}

async fn remove_folder(folder: &Path) -> bool {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, "Cannot delete {}: {error}", folder.display());
            false
        }
        _ => true,
    }
}

/// Deletes what is too old or too much, and what a sweep before could not.
async fn sweep(inner: &Inner) -> Result<(), StoreError> {
    for stream in store::deleted(&inner.db, inner.node).await? {
        remove(inner, stream).await?;
    }
    if let Some(keep) = inner.settings.now().keep() {
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        let oldest = inner
            .clock
            .now()
            .checked_sub(keep)
            .unwrap_or(Timestamp::MIN);
        for id in store::ended_before(&inner.db, inner.node, oldest).await? {
            drop_one(inner, id, "is older than recordings.keep_days").await?;
        }
    }
    if let Some(quota) = inner.settings.now().quota_bytes() {
        keep_quota(inner, quota).await?;
    }
    upload::sweep(inner).await
}

/// Makes room in the data folder, the oldest first: what is in the store stays there.
async fn keep_quota(inner: &Inner, quota: u64) -> Result<(), StoreError> {
    let all = store::local(&inner.db, inner.node).await?;
    let size = |recording: &Recording| recording.size_bytes + recording.mp4.size_bytes;
    let mut total: u64 = all.iter().map(size).sum();
    for recording in &all {
        if total <= quota {
            break;
        }
        if recording.is_stored && inner.archive.is_some() {
            upload::clear(inner, recording).await?;
        } else {
            drop_one(
                inner,
                recording.id,
                "no longer fits into recordings.quota_mb",
            )
            .await?;
        }
        total = total.saturating_sub(size(recording));
    }
    Ok(())
}

async fn drop_one(inner: &Inner, id: RecordingId, why: &str) -> Result<(), StoreError> {
    let Some(recording) = store::by_id(&inner.db, id).await? else {
        return Ok(());
    };
    tracing::info!(recording.id = %id, "Deleting recording {id}, which {why}");
    delete(inner, id, recording.stream).await
}

/// Puts in order what the last run left behind, before streams come: recordings that were never
/// finished, folders that no row tells of, rows whose files were being deleted. What goes on is left
/// alone.
pub(super) async fn reconcile(inner: &Inner, resumed: &[GoingOn]) -> Result<(), StoreError> {
    if inner.node.is_first() {
        store::claim(&inner.db, inner.node).await?;
    }
    let goes_on = |stream| {
        let mut kept = resumed
            .iter()
            .map(|(about, media)| media.unwrap_or(about.id));
        kept.any(|kept| kept == stream)
    };
    let known: HashSet<StreamId> = store::streams(&inner.db).await?.into_iter().collect();
    for stream in folders(&inner.media).await {
        if !known.contains(&stream) && !goes_on(stream) {
            adopt_or_remove(inner, stream).await?;
        }
    }
    for recording in store::unfinished(&inner.db, inner.node).await? {
        if goes_on(recording.stream) {
            continue;
        }
        let folder = inner.folder(recording.stream);
        let repaired = hls::repair(&folder).await;
        if let Err(error) = repaired
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "Cannot repair {}: {error}", folder.display());
        }
        let recorded = read(&folder).await;
        let ended_at = recorded.as_ref().ok().and_then(end_of);
        let ended_at = ended_at.unwrap_or_else(|| inner.clock.now());
        finish(inner, recording, ended_at, recorded).await?;
    }
    sweep(inner).await
}

fn end_of(recorded: &Recorded) -> Option<Timestamp> {
    let start = Timestamp::from_millisecond(recorded.start_unix_ms()).ok()?;
    let length = SignedDuration::try_from(recorded.duration()).ok()?;
    start.checked_add(length).ok()
}

/// Folders of streams.
async fn folders(media: &Path) -> Vec<StreamId> {
    let mut found = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(media).await else {
        return found;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<StreamId>().ok()));
    }
    found
}

/// A folder that no recording tells of: the database was away when its stream began, or the stream
/// was not recorded and the server died before it could clean up.
async fn adopt_or_remove(inner: &Inner, stream: StreamId) -> Result<(), StoreError> {
    let folder = inner.folder(stream);
    let is_kept = read(&folder).await.is_ok();
    let from = match is_kept {
        true => store::stream(&inner.db, stream).await?,
        false => None,
    };
    let channel = match from {
        Some((channel, _)) => inner.channels.by_id(channel).await?,
        None => None,
    };
    if let (Some(channel), Some((_, at))) = (channel, from) {
        tracing::warn!(stream.id = %stream, "Found a recording that the database did not know");
        let visibility = inner.new_visibility();
        let recording = Recording::new(stream, &channel, at, visibility);
        return store::insert(&inner.db, inner.node, &recording).await;
    }
    remove_folder(&folder).await;
    Ok(())
}

fn report(done: Result<(), StoreError>) {
    if let Err(error) = done {
        log_store_error(&error);
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A task of recordings failed: {error}");
    }
}
