//! [`Thumbnails`]: small pictures of a stream, one every ten seconds, for cards and for the seek bar.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

/// How far apart they are.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Pixels.
const WIDTH: u32 = 320;

/// Of one stream. The newest is in memory, all of the window are in `thumbs/` of its folder.
#[derive(Debug)]
pub(super) struct Thumbnails {
    folder: PathBuf,
    window: Duration,
    keep: bool,
    start_unix_ms: i64,
    shown: Mutex<Shown>,
}

#[derive(Debug, Clone, Default)]
struct Shown {
    /// Unix times in milliseconds, which are the files' names, oldest first.
    times: Vec<i64>,
    newest: Option<Bytes>,
}

/// The list that a seek bar shows pictures from.
#[derive(Debug, Serialize)]
pub(super) struct Storyboard {
    start_unix_ms: i64,
    every_ms: u64,
    width: u32,
    images: Vec<Image>,
}

#[derive(Debug, Serialize)]
struct Image {
    unix_ms: i64,
    /// Relative to the list.
    uri: String,
}

impl Thumbnails {
    pub(super) fn new(stream: &std::path::Path, window: Duration, keep: bool, start: i64) -> Self {
        Self {
            folder: stream.join("thumbs"),
            window,
            keep,
            start_unix_ms: start,
            shown: Mutex::default(),
        }
    }

    /// Takes the next one. A disk that fails costs the seek bar a picture, nothing else.
    pub(super) async fn add(&self, unix_ms: i64, jpeg: Bytes) {
        if let Err(error) = self.write(unix_ms, &jpeg).await {
            tracing::debug!(%error, "A thumbnail cannot be written: {error}");
            return self.with(|shown| shown.newest = Some(jpeg));
        }
        let oldest = unix_ms - i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        let gone = self.with(|shown| {
            shown.newest = Some(jpeg);
            shown.times.push(unix_ms);
            let first = shown.times.partition_point(|time| *time < oldest);
            shown.times.drain(..first).collect::<Vec<_>>()
        });
        if self.keep {
            return;
        }
        for time in gone {
            // One that stays costs a few kilobytes until the folder goes.
            let _ = tokio::fs::remove_file(self.path(time)).await;
        }
    }

    pub(super) fn newest(&self) -> Option<Bytes> {
        self.with(|shown| shown.newest.clone())
    }

    /// A file by the name that [`Thumbnails::storyboard`] gave it.
    pub(super) async fn file(&self, name: &str) -> Option<Bytes> {
        let time: i64 = name.strip_suffix(".jpg")?.parse().ok()?;
        if !self.with(|shown| shown.times.binary_search(&time).is_ok()) {
            return None;
        }
        tokio::fs::read(self.path(time)).await.ok().map(Bytes::from)
    }

    /// `prefix` goes before the files' names.
    pub(super) fn storyboard(&self, prefix: &str) -> Storyboard {
        let times = self.with(|shown| shown.times.clone());
        let images = times.into_iter().map(|unix_ms| Image {
            unix_ms,
            uri: format!("{prefix}{unix_ms}.jpg"),
        });
        Storyboard {
            start_unix_ms: self.start_unix_ms,
            every_ms: u64::try_from(EVERY.as_millis()).unwrap_or_default(),
            width: WIDTH,
            images: images.collect(),
        }
    }

    async fn write(&self, unix_ms: i64, jpeg: &[u8]) -> std::io::Result<()> {
        tokio::fs::create_dir_all(&self.folder).await?;
        tokio::fs::write(self.path(unix_ms), jpeg).await
    }

    fn path(&self, unix_ms: i64) -> PathBuf {
        self.folder.join(format!("{unix_ms}.jpg"))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shown) -> T) -> T {
        act(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
