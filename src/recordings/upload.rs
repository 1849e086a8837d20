//! Takes finished recordings to the store, one after the other, and their local files away later.
//!
//! What is there is found by listing: a restart goes on where it was, and each object is put once.
//! The data folder is the spool. A store that fails is asked again ever more patiently; nothing else
//! waits for it.

use std::collections::HashMap;
use std::future::ready;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, ArchiveError};
use super::{Inner, Recording, Recordings, store};
use crate::db::StoreError;
use crate::error::log_store_error;

/// Objects that go up at the same time.
const AT_ONCE: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Runs until the token is cancelled; what is under way then is gone on with at the next start.
pub(super) async fn run(recordings: Recordings, archive: Archive, stop: CancellationToken) {
    let inner = &recordings.0;
    let work = async {
        let mut pause = FIRST_PAUSE;
        // One recording that cannot be uploaded holds up no other.
        let mut failed = 0;
        loop {
            let done = match delete(inner, &archive).await {
                Ok(()) => step(inner, &archive, failed).await,
                Err(failed) => Err(failed),
            };
            match done {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) if failed == 0 => inner.wants_upload.notified().await,
                Ok(false) => failed = 0,
                Err(Failed) => {
                    failed += 1;
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

/// It was logged, and is to be tried again.
struct Failed;

/// Deletes what is marked as deleted, and forgets it.
async fn delete(inner: &Inner, archive: &Archive) -> Result<(), Failed> {
    for stream in store::deleted(&inner.db, inner.node)
        .await
        .map_err(note_store)?
    {
        if inner.folder(stream).exists() {
            // The disk refused; the next sweep tries again.
            continue;
        }
        if let Err(error) = archive.delete(stream).await {
            tracing::warn!(%error, "A deleted recording stays in the store: {error}");
            return Err(Failed);
        }
        store::remove(&inner.db, stream).await.map_err(note_store)?;
    }
    Ok(())
}

/// Takes a recording to the store, the oldest after so many others. False: there is none.
async fn step(inner: &Inner, archive: &Archive, after: u32) -> Result<bool, Failed> {
    let next = store::next_upload(&inner.db, inner.node, after)
        .await
        .map_err(note_store)?;
    let Some(recording) = next else {
        return Ok(false);
    };
    let id = recording.id;
    if let Err(error) = upload(inner, archive, &recording).await {
        tracing::warn!(recording.id = %id, "Recording {id} waits for the store: {error}");
        count("failed");
        return Err(Failed);
    }
    let at = inner.clock.now();
    store::set_stored(&inner.db, id, at)
        .await
        .map_err(note_store)?;
    count("stored");
    inner.forget(id);
    inner.library.forget(&inner.folder(recording.stream)).await;
    tracing::info!(recording.id = %id, "Recording {id} is in the store");
    sweep(inner).await.map_err(note_store)?;
    Ok(true)
}

fn count(result: &'static str) {
    metrics::counter!("tallylight_uploads_total", "result" => result).increment(1);
}

fn note_store(error: StoreError) -> Failed {
    log_store_error(&error);
    Failed
}

/// Puts what is not there yet, and looks that all of it is.
async fn upload(
    inner: &Inner,
    archive: &Archive,
    recording: &Recording,
) -> Result<(), ArchiveError> {
    let (stream, folder) = (recording.stream, inner.folder(recording.stream));
    let files = files(&folder).await?;
    let puts: Vec<_> = missing(&files, &archive.list(stream).await?)
        .into_iter()
        .map(|(name, size)| {
            let (archive, path) = (archive.clone(), folder.join(&name));
            async move {
                archive.put(stream, &name, &path, size).await?;
                metrics::counter!("tallylight_uploaded_bytes_total").increment(size);
                Ok::<(), ArchiveError>(())
            }
        })
        .collect();
    iter(puts)
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| ready(Ok(())))
        .await?;
    match missing(&files, &archive.list(stream).await?).first() {
        None => Ok(()),
        Some((name, _)) => {
            let words = format!("{name} did not arrive whole");
            Err(io::Error::other(words).into())
        }
    }
}

/// What is not there, or not whole.
fn missing(files: &HashMap<String, u64>, there: &HashMap<String, u64>) -> Vec<(String, u64)> {
    let is_missing = |(name, size): &(&String, &u64)| there.get(*name) != Some(*size);
    let missing = files.iter().filter(is_missing);
    missing.map(|(name, size)| (name.clone(), *size)).collect()
}

/// All files of a recording by their names within its folder, with their sizes.
async fn files(folder: &Path) -> io::Result<HashMap<String, u64>> {
    let mut found = HashMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let mut entries = tokio::fs::read_dir(folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let about = entry.metadata().await?;
            if about.is_dir() {
                folders.push((format!("{prefix}{name}/"), entry.path()));
            } else if !name.ends_with(".part") {
                found.insert(format!("{prefix}{name}"), about.len());
            }
        }
    }
    Ok(found)
}

/// Takes the large local files of recordings away that were in the store long enough. Indexes and
/// pictures stay: they are small, and what is listed by them is read from the store.
pub(super) async fn sweep(inner: &Inner) -> Result<(), StoreError> {
    if inner.archive.is_none() {
        return Ok(());
    }
    let keep = SignedDuration::try_from(inner.keep_local).unwrap_or(SignedDuration::MAX);
    let before = inner
        .clock
        .now()
        .checked_sub(keep)
        .unwrap_or(Timestamp::MIN);
    for recording in store::stored_before(&inner.db, inner.node, before).await? {
        clear(inner, &recording).await?;
    }
    Ok(())
}

/// Takes the large local files of a recording away that is in the store.
pub(super) async fn clear(inner: &Inner, recording: &Recording) -> Result<(), StoreError> {
    let id = recording.id;
    // First the row: a file that stays by mistake does no harm.
    store::set_local(&inner.db, id, false).await?;
    inner.forget(id);
    let folder = inner.folder(recording.stream);
    inner.library.forget(&folder).await;
    match remove_large(&folder).await {
        Ok(()) => tracing::info!(recording.id = %id, "Recording {id} is in the store alone"),
        Err(error) => tracing::warn!(%error, "Cannot clear {}: {error}", folder.display()),
    }
    Ok(())
}

async fn remove_large(folder: &Path) -> io::Result<()> {
    for name in files(folder).await?.into_keys() {
        if !is_small(&name) {
            tokio::fs::remove_file(folder.join(name)).await?;
        }
    }
    Ok(())
}

fn is_small(name: &str) -> bool {
    name.ends_with("/index.jsonl") || name.starts_with("thumbs/")
}

/// Whether a name leads nowhere but into the folder.
fn is_plain(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    name.split('/').all(is_plain) && !name.contains('\\')
}

/// Brings files of a recording back from the store: all, or those without which it cannot be opened.
pub(super) async fn bring_back(
    inner: &Inner,
    archive: &Archive,
    recording: &Recording,
    all: bool,
) -> Result<(), ArchiveError> {
    let folder = inner.folder(recording.stream);
    let here = match files(&folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
        other => other?,
    };
    let there = archive.list(recording.stream).await?;
    for (name, size) in there {
        let is_wanted = (all && name.contains('/')) || is_small(&name);
        if !is_wanted || !is_plain(&name) || here.get(&name) == Some(&size) {
            continue;
        }
        let bytes = archive.get(recording.stream, &name).await?;
        write(&folder.join(&name), &bytes).await?;
    }
    Ok(())
}

/// Writes beside the place and moves it there: a file is there as a whole or not at all.
async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let mut beside: PathBuf = path.to_owned();
    beside.as_mut_os_string().push(".part");
    tokio::fs::write(&beside, bytes).await?;
    tokio::fs::rename(beside, path).await
}
