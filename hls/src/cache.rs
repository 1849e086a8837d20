//! [`ReadCache`]: one read of a file for a thousand who ask at once, within a bound of memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::future::Cache;
use tokio::task::spawn_blocking;

/// Files that were read. Cheap to clone, all clones are one; recordings share it.
#[derive(Debug, Clone)]
pub struct ReadCache {
    /// By path and size: a file that grew is another.
    files: Cache<(PathBuf, u64), Bytes>,
    reads: Arc<AtomicU64>,
}

impl ReadCache {
    /// Holds about as many bytes; what was asked for least goes first.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        let weight = |(path, _): &(PathBuf, u64), bytes: &Bytes| {
            u32::try_from(bytes.len() + path.as_os_str().len() + 64).unwrap_or(u32::MAX)
        };
        let files = Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(weight)
            .build();
        Self {
            files,
            reads: Arc::default(),
        }
    }

    /// How often the disk was asked.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// The first bytes of a file, which never change once they are there.
    pub(crate) async fn read(
        &self,
        path: PathBuf,
        size_bytes: u64,
    ) -> Result<Bytes, Arc<io::Error>> {
        let none = async { Err(io::ErrorKind::NotFound.into()) };
        self.read_or(path, size_bytes, none).await
    }

    /// The same of a file that may be elsewhere, when the disk does not have it.
    pub(crate) async fn read_or(
        &self,
        path: PathBuf,
        size_bytes: u64,
        elsewhere: impl Future<Output = io::Result<Bytes>>,
    ) -> Result<Bytes, Arc<io::Error>> {
        let reads = Arc::clone(&self.reads);
        let read = {
            let path = path.clone();
            async move {
                reads.fetch_add(1, Ordering::Relaxed);
                let read = spawn_blocking(move || read(&path, size_bytes));
                match read.await.map_err(io::Error::other)? {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        first(&elsewhere.await?, size_bytes)
                    }
                    other => other,
                }
            }
        };
        self.files.try_get_with((path, size_bytes), read).await
    }
}

fn first(bytes: &Bytes, size_bytes: u64) -> io::Result<Bytes> {
    let size = usize::try_from(size_bytes).unwrap_or(usize::MAX);
    if bytes.len() < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.slice(..size))
}

/// The first bytes of a file; fewer are an error.
pub(crate) fn read(path: &Path, size_bytes: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or_default());
    File::open(path)?.take(size_bytes).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).ok() == Some(size_bytes) {
        Ok(bytes.into())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
