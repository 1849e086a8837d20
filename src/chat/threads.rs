//! Threads of chat's own, which give way to media: a storm in a room must not be seen in the picture.
//!
//! What talks with a client runs here. What asks the database does not, for its connections belong to the
//! runtime that they were opened on, and that outlives this one.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How far below all others they stand (`nice`).
const NICENESS: i32 = 10;
/// Most threads, of however many cores.
const MOST_THREADS: usize = 4;

/// A runtime on such threads, and the one that all else runs on.
#[derive(Debug)]
pub(super) struct Threads {
    runtime: Option<Runtime>,
    others: Handle,
}

impl Threads {
    /// Starts them.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.min(MOST_THREADS))
            .thread_name("chat")
            .enable_time()
            .on_thread_start(give_way)
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            others: Handle::current(),
        })
    }

    /// Runs a conversation.
    pub(super) fn spawn(&self, conversation: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(conversation);
        }
    }

    /// Where the database is asked.
    pub(super) fn others(&self) -> &Handle {
        &self.others
    }
}

/// Of Linux a thread has a niceness of its own; elsewhere this is not so, and nothing is done.
#[cfg(target_os = "linux")]
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "A thread of chat stays as important as others: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

impl Drop for Threads {
    fn drop(&mut self) {
        // Whoever drops the last clone may be within another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
