//! The task that writes a stream's segments to its folder.
//!
//! Parts are appended as they come, so that a killed process loses at most the one under way. The
//! queue is bounded: a disk that cannot keep up loses segments, which are marked, and never holds
//! up the stream.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::fs::{File, OpenOptions, create_dir_all, remove_file};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::segment::{Fate, Name, Stored};

/// Work that may wait for the disk.
const QUEUE: usize = 256;

#[derive(Debug)]
enum Work {
    Init(PathBuf, Bytes),
    Append(PathBuf, Bytes, Arc<Stored>),
    Finish(PathBuf, Arc<Stored>),
    Remove(PathBuf),
}

/// Hands work to the task. The task ends with the last of these.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
    work: mpsc::Sender<Work>,
}

impl Disk {
    /// Starts the task; it needs a tokio runtime around it.
    pub(crate) fn start(folder: PathBuf) -> Self {
        let (work, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(queue));
        Self { folder, work }
    }

    pub(crate) fn path(&self, rendition: &str, name: Name) -> PathBuf {
        self.folder.join(rendition).join(name.to_string())
    }

    pub(crate) fn init(&self, rendition: &str, number: u32, bytes: Bytes) {
        let path = self.path(rendition, Name::Init(number));
        let _ = self.work.try_send(Work::Init(path, bytes));
    }

    pub(crate) fn append(&self, rendition: &str, msn: u64, bytes: Bytes, stored: &Arc<Stored>) {
        let path = self.path(rendition, Name::Segment(msn));
        let work = Work::Append(path, bytes, Arc::clone(stored));
        if self.work.try_send(work).is_err() {
            stored.set(Fate::Lost);
        }
    }

    pub(crate) fn finish(&self, rendition: &str, msn: u64, stored: &Arc<Stored>) {
        let path = self.path(rendition, Name::Segment(msn));
        if self
            .work
            .try_send(Work::Finish(path, Arc::clone(stored)))
            .is_err()
        {
            stored.set(Fate::Lost);
        }
    }

    pub(crate) fn remove(&self, rendition: &str, msn: u64) {
        let path = self.path(rendition, Name::Segment(msn));
        let _ = self.work.try_send(Work::Remove(path));
    }
}

async fn run(mut queue: mpsc::Receiver<Work>) {
    let mut open: HashMap<PathBuf, File> = HashMap::new();
    let mut is_failing = false;
    while let Some(work) = queue.recv().await {
        let done = carry_out(&mut open, work).await;
        match done {
            Ok(()) if is_failing => {
                is_failing = false;
                tracing::info!("Segments are written to disk again");
            }
            Err(error) if !is_failing => {
                is_failing = true;
                // Said once, not for every part.
                tracing::error!(%error, "Cannot write segments to disk: {error}");
            }
            _ => {}
        }
    }
}

async fn carry_out(open: &mut HashMap<PathBuf, File>, work: Work) -> io::Result<()> {
    match work {
        Work::Init(path, bytes) => append(open, &path, &bytes).await.map(|()| {
            open.remove(&path);
        }),
        Work::Append(path, bytes, stored) => {
            if stored.get() == Fate::Lost {
                return Ok(());
            }
            let done = append(open, &path, &bytes).await;
            if done.is_err() {
                open.remove(&path);
                stored.set(Fate::Lost);
            }
            done
        }
        Work::Finish(path, stored) => {
            let Some(file) = open.remove(&path) else {
                stored.set(Fate::Lost);
                return Ok(());
            };
            let done = file.sync_data().await;
            stored.set(if done.is_ok() {
                Fate::Written
            } else {
                Fate::Lost
            });
            done
        }
        Work::Remove(path) => match remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

async fn append(open: &mut HashMap<PathBuf, File>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if !open.contains_key(path) {
        if let Some(folder) = path.parent() {
            create_dir_all(folder).await?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .await?;
        open.insert(path.to_owned(), file);
    }
    let Some(file) = open.get_mut(path) else {
        return Ok(());
    };
    file.write_all(bytes).await?;
    // tokio's files write behind; without this a part could wait for the next one.
    file.flush().await
}
