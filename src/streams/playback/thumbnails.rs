//! [`Thumbnails`]: small pictures of a stream, one every ten seconds, for cards and for the seek bar.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::storyboard::{self, Storyboard};

/// Of one stream. The newest is in memory, all of the window are in its folder.
#[derive(Debug)]
pub(super) struct Thumbnails {
    /// The stream's.
    folder: PathBuf,
    window: Duration,
    keep: bool,
    start_unix_ms: i64,
    shown: Mutex<Shown>,
}

#[derive(Debug, Clone, Default)]
struct Shown {
    /// Unix times in milliseconds, oldest first.
    times: Vec<i64>,
    newest: Option<(i64, Bytes)>,
}

impl Thumbnails {
    pub(super) fn new(folder: &Path, window: Duration, keep: bool, start: i64) -> Self {
        Self {
            folder: folder.to_owned(),
            window,
            keep,
            start_unix_ms: start,
            shown: Mutex::default(),
        }
    }

    /// Shows those that a process before this one left; before the next one comes.
    pub(super) async fn find(&self) {
        let mut times = Vec::new();
        let Ok(mut entries) = tokio::fs::read_dir(storyboard::folder(&self.folder)).await else {
            return;
        };
        while let Ok(Some(entry)) = entries.next_entry().await {
            times.extend(entry.file_name().to_str().and_then(storyboard::time));
        }
        times.sort_unstable();
        let Some(newest) = times.last().copied() else {
            return;
        };
        let read = tokio::fs::read(storyboard::path(&self.folder, newest)).await;
        self.with(|shown| {
            shown.newest = read.ok().map(|jpeg| (newest, jpeg.into()));
            shown.times = times;
        });
    }

    /// Takes the next one. A disk that fails costs the seek bar a picture, nothing else.
    pub(super) async fn add(&self, unix_ms: i64, jpeg: Bytes) {
        if let Err(error) = self.write(unix_ms, &jpeg).await {
            tracing::debug!(%error, "A thumbnail cannot be written: {error}");
            return self.with(|shown| shown.newest = Some((unix_ms, jpeg)));
        }
        let oldest = unix_ms - i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        let gone = self.with(|shown| {
            shown.newest = Some((unix_ms, jpeg));
            shown.times.push(unix_ms);
            let first = shown.times.partition_point(|time| *time < oldest);
            shown.times.drain(..first).collect::<Vec<_>>()
        });
        if self.keep {
            return;
        }
        for time in gone {
            // One that stays costs a few kilobytes until the folder goes.
            let _ = tokio::fs::remove_file(storyboard::path(&self.folder, time)).await;
        }
    }

    /// The newest and its Unix time in milliseconds.
    pub(super) fn newest(&self) -> Option<(i64, Bytes)> {
        self.with(|shown| shown.newest.clone())
    }

    /// A file by the name that [`Thumbnails::storyboard`] gave it.
    pub(super) async fn file(&self, name: &str) -> Option<Bytes> {
        let time = storyboard::time(name)?;
        if !self.with(|shown| shown.times.binary_search(&time).is_ok()) {
            return None;
        }
        let read = tokio::fs::read(storyboard::path(&self.folder, time)).await;
        read.ok().map(Bytes::from)
    }

    /// The list of all in the window; `prefix` goes before their addresses.
    pub(super) fn storyboard(&self, prefix: &str) -> Storyboard {
        let times = self.with(|shown| shown.times.clone());
        Storyboard::new(self.start_unix_ms, prefix, times)
    }

    async fn write(&self, unix_ms: i64, jpeg: &[u8]) -> std::io::Result<()> {
        tokio::fs::create_dir_all(storyboard::folder(&self.folder)).await?;
        tokio::fs::write(storyboard::path(&self.folder, unix_ms), jpeg).await
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shown) -> T) -> T {
        act(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
