//! The task that writes a stream's segments to its folder.
//!
//! Parts are appended as they come, so that a killed process loses at most the one under way. The
//! queue is bounded: a disk that cannot keep up loses segments, which are marked, and never holds
//! up the stream. Each segment tries anew, so that writing resumes by itself when the disk works
//! again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::catalogue::{Event, Index, InitWritten, PartWritten};
use crate::chunk::Init;
use crate::segment::{Fate, Name, Stored};

/// Work that may wait for the disk.
const QUEUE: usize = 512;
/// Of which this much is done at a stretch.
const BATCH: usize = 64;

/// An initialisation and the number that it has in its rendition.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) number: u32,
    pub(crate) init: Init,
}

/// A part on its way.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) rendition: Arc<str>,
    /// What it needs to be played; written before it where that is not done yet.
    pub(crate) begun: Arc<Begun>,
    pub(crate) part: PartWritten,
    pub(crate) bytes: Bytes,
    pub(crate) stored: Arc<Stored>,
}

#[derive(Debug)]
enum Work {
    Append(Append),
    Finish(Arc<str>, u64, Arc<Stored>),
    Remove(Arc<str>, u64),
    Leave(Arc<str>, u64, u32),
    Close,
}

/// Hands work to the task, which ends when it is closed or all of these are gone.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
    work: mpsc::Sender<Work>,
    problem: watch::Sender<Option<String>>,
}

impl Disk {
    /// Starts the task; it needs a tokio runtime around it. With `keep`, renditions get an index.
    /// `before` names those that a process before this one wrote, with the number of the next segment.
    pub(crate) fn start(
        folder: PathBuf,
        keep: bool,
        before: impl Iterator<Item = (Arc<str>, u64)>,
    ) -> Self {
        let (work, queue) = mpsc::channel(QUEUE);
        let problem = watch::Sender::default();
        let files = Files {
            folder: folder.clone(),
            keep,
            renditions: before
                .map(|(name, next_msn)| (name, Rendition::of_before(next_msn)))
                .collect(),
            written: 0,
        };
        tokio::spawn(run(files, queue, problem.clone()));
        Self {
            folder,
            work,
            problem,
        }
    }

    pub(crate) fn path(&self, rendition: &str, name: Name) -> PathBuf {
        self.folder.join(rendition).join(name.to_string())
    }

    /// What is wrong, in words, while something is.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    pub(crate) fn append(&self, append: Append) {
        if append.stored.get() == Fate::Lost {
            return;
        }
        let stored = Arc::clone(&append.stored);
        if self.work.try_send(Work::Append(append)).is_err() {
            self.lose(&stored);
        }
    }

    pub(crate) fn finish(&self, rendition: &Arc<str>, msn: u64, stored: &Arc<Stored>) {
        let work = Work::Finish(Arc::clone(rendition), msn, Arc::clone(stored));
        if self.work.try_send(work).is_err() {
            self.lose(stored);
        }
    }

    /// The process ends and the stream goes on: numbers below these were used.
    pub(crate) fn leave(&self, rendition: &Arc<str>, msn: u64, init: u32) {
        // What is not said is guessed by the time that has passed.
        let work = Work::Leave(Arc::clone(rendition), msn, init);
        let _ = self.work.try_send(work);
    }

    pub(crate) fn remove(&self, rendition: &Arc<str>, msn: u64) {
        let _ = self.work.try_send(Work::Remove(Arc::clone(rendition), msn));
    }

    /// Waits until all that was handed over is done and the task has ended; cancel safe.
    pub(crate) async fn close(&self) {
        let _ = self.work.send(Work::Close).await;
        self.work.closed().await;
    }

    fn lose(&self, stored: &Stored) {
        stored.set(Fate::Lost);
        if !self.work.is_closed() {
            fails(&self.problem, "the disk is too slow for the stream");
        }
    }
}

/// Says it once, not for every part.
fn fails(problem: &watch::Sender<Option<String>>, why: &str) {
    let is_new = problem.send_if_modified(|problem| {
        let is_new = problem.is_none();
        *problem = Some(why.to_owned());
        is_new
    });
    if is_new {
        tracing::error!(why, "Segments are not kept, because {why}");
    }
}

fn works(problem: &watch::Sender<Option<String>>) {
    if problem.send_if_modified(|problem| problem.take().is_some()) {
        tracing::info!("Segments are kept again");
    }
}

async fn run(
    mut files: Files,
    mut queue: mpsc::Receiver<Work>,
    problem: watch::Sender<Option<String>>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (work, told) = (std::mem::take(&mut batch), problem.clone());
        let done = spawn_blocking(move || {
            let goes_on = files.carry_out_all(work, &told);
            (files, goes_on)
        });
        match done.await {
            Ok((after, true)) => files = after,
            Ok((_, false)) => return,
            Err(error) => return fails(&problem, &format!("writing them ended: {error}")),
        }
    }
}

/// The folder, as far as it is being written.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    keep: bool,
    renditions: HashMap<Arc<str>, Rendition>,
    /// Segments written since the last failure.
    written: usize,
}

#[derive(Debug, Default)]
struct Rendition {
    is_ready: bool,
    /// Whether a process before this one wrote to its folder.
    is_of_before: bool,
    index: Option<Index>,
    /// Number of the initialisation that is written.
    init: Option<u32>,
    open: Option<Open>,
    /// No segment below is written any more.
    next_msn: u64,
}

#[derive(Debug)]
struct Open {
    msn: u64,
    file: File,
}

impl Files {
    /// Returns whether more may come.
    fn carry_out_all(&mut self, work: Vec<Work>, problem: &watch::Sender<Option<String>>) -> bool {
        for work in work {
            let done = match work {
                Work::Append(append) => self.append(&append),
                Work::Finish(rendition, msn, stored) => {
                    let done = self.finish(&rendition, msn, &stored);
                    self.written += usize::from(stored.get() == Fate::Written);
                    done
                }
                Work::Remove(rendition, msn) => self.remove(&rendition, msn),
                Work::Leave(rendition, msn, init) => match self.renditions.get_mut(&rendition) {
                    Some(rendition) => rendition.tell(|| Event::Left { msn, init }),
                    None => Ok(()),
                },
                Work::Close => {
                    self.close(problem);
                    return false;
                }
            };
            if let Err(error) = done {
                self.written = 0;
                fails(problem, &error.to_string());
            }
        }
        if self.written > self.others() * 2 {
            works(problem);
        }
        true
    }

    fn close(&mut self, problem: &watch::Sender<Option<String>>) {
        for rendition in self.renditions.values_mut() {
            if let Err(error) = rendition.close() {
                fails(problem, &error.to_string());
            }
        }
    }

    /// While one rendition fails, the others may work: each writes a segment or two from one failure
    /// to the next, which must not count as recovery.
    fn others(&self) -> usize {
        self.renditions.len().saturating_sub(1)
    }

    fn append(&mut self, append: &Append) -> io::Result<()> {
        if append.stored.get() == Fate::Lost {
            return Ok(());
        }
        let folder = self.folder.join(&*append.rendition);
        let rendition = self
            .renditions
            .entry(Arc::clone(&append.rendition))
            .or_default();
        let done = rendition.append(&folder, self.keep, append);
        if done.is_err() {
            append.stored.set(Fate::Lost);
            // What is indexed of it stays; what is not, counts for nothing.
            rendition.open = None;
        }
        done
    }

    fn finish(&mut self, rendition: &Arc<str>, msn: u64, stored: &Stored) -> io::Result<()> {
        let rendition = self.renditions.get_mut(rendition);
        let done = match rendition {
            Some(rendition) if stored.get() != Fate::Lost => rendition.finish(msn),
            _ => Ok(false),
        };
        stored.set(match done {
            Ok(true) => Fate::Written,
            _ => Fate::Lost,
        });
        done.map(|_| ())
    }

    fn remove(&self, rendition: &str, msn: u64) -> io::Result<()> {
        let name = Name::Segment(msn).to_string();
        match fs::remove_file(self.folder.join(rendition).join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Rendition {
    fn of_before(next_msn: u64) -> Self {
        Self {
            is_of_before: true,
            next_msn,
            ..Self::default()
        }
    }

    fn append(&mut self, folder: &Path, keep: bool, append: &Append) -> io::Result<()> {
        self.prepare(folder, keep)?;
        self.write_init(folder, &append.begun)?;
        self.open(folder, append.part.msn)?;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.file.write_all(&append.bytes)?;
        self.tell(|| Event::Part(append.part.clone()))
    }

    /// Makes the folder and, where segments are kept, the index.
    fn prepare(&mut self, folder: &Path, keep: bool) -> io::Result<()> {
        if self.is_ready {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        if keep {
            self.index = Some(match self.is_of_before {
                true => Index::resume(folder)?,
                false => Index::create(folder)?,
            });
        }
        self.is_ready = true;
        Ok(())
    }

    fn write_init(&mut self, folder: &Path, begun: &Begun) -> io::Result<()> {
        if self.init == Some(begun.number) {
            return Ok(());
        }
        let path = folder.join(Name::Init(begun.number).to_string());
        let mut file = File::create(path)?;
        file.write_all(&begun.init.bytes)?;
        file.sync_data()?;
        self.tell(|| {
            Event::Init(InitWritten {
                number: begun.number,
                media: begun.init.media.clone(),
                zero_unix_ms: begun.init.zero_unix_ms,
                discontinuity: begun.init.discontinuity,
                size_bytes: u64::try_from(begun.init.bytes.len()).unwrap_or_default(),
            })
        })?;
        self.init = Some(begun.number);
        Ok(())
    }

    fn open(&mut self, folder: &Path, msn: u64) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.msn == msn) {
            return Ok(());
        }
        if msn < self.next_msn {
            // Another writer took the name; a file never holds two segments.
            return Err(io::Error::other("the rendition began again in its folder"));
        }
        let file = File::create(folder.join(Name::Segment(msn).to_string()))?;
        self.next_msn = msn + 1;
        self.open = Some(Open { msn, file });
        Ok(())
    }

    /// Returns whether the segment is whole and on the disk itself.
    fn finish(&mut self, msn: u64) -> io::Result<bool> {
        let Some(open) = self.open.take().filter(|open| open.msn == msn) else {
            return Ok(false);
        };
        if let Err(error) = open.file.sync_data() {
            // What the disk has of it now is anyone's guess.
            let _ = self.tell(|| Event::Lost { msn });
            return Err(error);
        }
        self.tell(|| Event::End { msn })?;
        if let Some(index) = &self.index {
            index.sync()?;
        }
        Ok(true)
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            open.file.sync_data()?;
        }
        self.tell(|| Event::Closed)?;
        self.index.as_ref().map_or(Ok(()), Index::sync)
    }

    fn tell(&mut self, event: impl FnOnce() -> Event) -> io::Result<()> {
        match &mut self.index {
            Some(index) => index.append(&event()),
            None => Ok(()),
        }
    }
}
