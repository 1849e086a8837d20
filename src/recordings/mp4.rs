//! Makes MP4s, one at a time: the database is the queue, so that a restart goes on with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{Inner, Mp4, Mp4State, Recording, Recordings, mp4_path, store, upload};
use crate::db::StoreError;
use crate::error::log_store_error;

/// How often the progress is written down for people to see.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// What other servers were asked for is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A database that is away is asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs until the token is cancelled; what is being made then is begun again at the next start.
pub(super) async fn run(recordings: Recordings, stop: CancellationToken) {
    let inner = &recordings.0;
    loop {
        let next = match store::next_mp4(&inner.db, inner.node).await {
            Ok(next) => next,
            Err(error) => {
                log_store_error(&error);
                tokio::select! {
                    () = sleep(PAUSE) => continue,
                    () = stop.cancelled() => return,
                }
            }
        };
        let done = match next {
            Some(recording) => make(inner, recording, &stop).await,
            None => tokio::select! {
                () = inner.wants_mp4.notified() => Ok(()),
                // Somebody may have asked another server for it.
                () = sleep(LOOK_EVERY) => Ok(()),
                () = stop.cancelled() => return,
            },
        };
        if let Err(error) = done {
            log_store_error(&error);
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn make(
    inner: &Inner,
    recording: Recording,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let id = recording.id;
    let made = write(inner, &recording, stop).await?;
    let mp4 = match made {
        Made::Stopped => return Ok(()),
        Made::Done(size_bytes) => {
            tracing::info!(recording.id = %id, size_bytes, "Made the MP4 of recording {id}");
            Mp4 {
                state: Mp4State::Ready,
                progress: 100,
                size_bytes,
                problem: None,
            }
        }
        Made::Failed(problem) => {
            tracing::error!(recording.id = %id, problem, "Cannot make the MP4 of recording {id}: {problem}");
            Mp4 {
                state: Mp4State::Failed,
                progress: 0,
                size_bytes: 0,
                problem: Some(problem),
            }
        }
    };
    store::set_mp4(&inner.db, id, &mp4).await?;
    inner.forget(id);
    inner.wants_upload.notify_one();
    Ok(())
}

enum Made {
    Done(u64),
    Failed(String),
    /// The server stops, or the recording was deleted.
    Stopped,
}

/// Writes beside the place and moves it there, so that a half-written file is never taken for a
/// whole one.
async fn write(
    inner: &Inner,
    recording: &Recording,
    stop: &CancellationToken,
) -> Result<Made, StoreError> {
    if let (Some(archive), false) = (&inner.archive, recording.is_local) {
        if let Err(error) = upload::bring_back(inner, archive, recording, true).await {
            return Ok(Made::Failed(error.to_string()));
        }
        store::set_local(&inner.db, recording.id, true).await?;
    }
    let recorded = match inner.open(recording).await {
        Ok(recorded) => recorded,
        Err(error) => return Ok(Made::Failed(error.to_string())),
    };
    let path = mp4_path(&inner.folder(recording.stream));
    let beside = path.with_extension("mp4.part");
    let (progress, goes_on) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(true)));
    let tell = {
        let (progress, goes_on) = (Arc::clone(&progress), Arc::clone(&goes_on));
        move |done: u64, total: u64| {
            let hundredths = done.saturating_mul(99) / total.max(1);
            progress.store(u8::try_from(hundredths).unwrap_or(99), Ordering::Relaxed);
            goes_on.load(Ordering::Relaxed)
        }
    };
    let writing = recorded.remux(beside.clone(), tell);
    tokio::pin!(writing);
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let written = loop {
        tokio::select! {
            written = &mut writing => break written,
            () = stop.cancelled(), if goes_on.load(Ordering::Relaxed) => {
                goes_on.store(false, Ordering::Relaxed);
            }
            _ = ticks.tick() => {
                let progress = progress.load(Ordering::Relaxed);
                if !note(inner, recording, progress).await {
                    goes_on.store(false, Ordering::Relaxed);
                }
            }
        }
    };
    let moved = match written {
        Ok(size_bytes) => match tokio::fs::rename(&beside, &path).await {
            Ok(()) => Made::Done(size_bytes),
            Err(error) => Made::Failed(error.to_string()),
        },
        Err(error) => Made::Failed(error.to_string()),
    };
    if let Made::Done(_) = moved {
        return Ok(moved);
    }
    // It may not be there at all.
    let _ = tokio::fs::remove_file(&beside).await;
    let is_gone = store::by_id(&inner.db, recording.id).await?.is_none();
    if is_gone || stop.is_cancelled() {
        return Ok(Made::Stopped);
    }
    Ok(moved)
}

/// Writes the progress down. False: the recording was deleted. A database that is away does not end
/// the work.
async fn note(inner: &Inner, recording: &Recording, progress: u8) -> bool {
    let making = Mp4 {
        state: Mp4State::Making,
        progress,
        size_bytes: 0,
        problem: None,
    };
    let noted = async {
        store::set_mp4(&inner.db, recording.id, &making).await?;
        store::by_id(&inner.db, recording.id).await
    };
    match noted.await {
        Ok(found) => found.is_some(),
        Err(error) => {
            log_store_error(&error);
            true
        }
    }
}
