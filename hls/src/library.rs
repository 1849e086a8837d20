//! [`Library`]: the recordings that are being played, opened once for everybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moka::future::Cache;

use crate::cache::ReadCache;
use crate::recorded::{Elsewhere, OpenError, Recorded};

/// Opened recordings and what was read of their files, within a bound of memory. Cheap to clone, all
/// clones are one.
#[derive(Debug, Clone)]
pub struct Library {
    files: ReadCache,
    open: Cache<PathBuf, Recorded>,
}

impl Library {
    /// Holds about as many bytes of files, and a quarter as much of indexes.
    #[must_use]
    pub fn new(cache_bytes: u64) -> Self {
        let weight = |_: &PathBuf, recorded: &Recorded| {
            u32::try_from(recorded.weight_bytes()).unwrap_or(u32::MAX)
        };
        let open = Cache::builder()
            .max_capacity(cache_bytes / 4)
            .weigher(weight)
            .build();
        Self {
            files: ReadCache::new(cache_bytes),
            open,
        }
    }

    /// The recording of a folder that is no longer written to; whoever asks while it is being opened
    /// waits for that. `base` is that of [`Origin::new`](crate::Origin::new); who changes it has the
    /// recording forgotten first.
    ///
    /// # Errors
    /// As [`Recorded::open`].
    pub async fn open(&self, folder: &Path, base: &str) -> Result<Recorded, Arc<OpenError>> {
        let open = Recorded::open(folder, base, &self.files);
        self.open.try_get_with(folder.to_owned(), open).await
    }

    /// The same, with files that may be elsewhere.
    ///
    /// # Errors
    /// As [`Recorded::open`].
    pub async fn open_elsewhere(
        &self,
        folder: &Path,
        base: &str,
        elsewhere: Arc<dyn Elsewhere>,
    ) -> Result<Recorded, Arc<OpenError>> {
        let open = Recorded::open_elsewhere(folder, base, &self.files, elsewhere);
        self.open.try_get_with(folder.to_owned(), open).await
    }

    /// Forgets a recording, because its folder changed or is going away.
    pub async fn forget(&self, folder: &Path) {
        self.open.invalidate(folder).await;
    }

    /// How often the disk was asked for a file.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.files.reads()
    }
}
