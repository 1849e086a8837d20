//! [`Transcoding`]: whether this server transcodes, with which encoder, and how much at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Cheap to clone, all clones share what there is room for.
#[derive(Debug, Clone)]
pub(super) struct Transcoding {
    encoder: Arc<str>,
    room: Arc<Semaphore>,
}

/// A trial that takes longer is one of hardware that hangs.
const TRIAL: Duration = Duration::from_secs(20);

impl Transcoding {
    /// Looks for an encoder that works, in a process of its own, as hardware may hang. So many streams
    /// may be transcoded at once.
    ///
    /// # Errors
    /// In words, where there is none.
    pub(super) async fn find(program: &Path, streams: usize) -> Result<Self, String> {
        let mut trial = Command::new(program);
        trial.args(["media-worker", "--find-encoder"]);
        let output = timeout(TRIAL, trial.kill_on_drop(true).output());
        let output = output.await.map_err(|_| "an encoder hangs in its trial")?;
        let output = output.map_err(|error| format!("encoders cannot be tried: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            return Err(said);
        }
        Ok(Self {
            encoder: said.into(),
            room: Arc::new(Semaphore::new(streams)),
        })
    }

    /// Name of the encoder.
    pub(super) fn encoder(&self) -> &str {
        &self.encoder
    }

    /// Waits until there is room for one more stream.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }
}
