//! [`Folder`]: where pictures lie, by their names.

use std::io;
use std::path::PathBuf;

use super::ImageId;
use crate::secret::Secret;

/// A folder of the data folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a picture is, if it is there.
    pub(super) fn path(&self, id: &ImageId) -> PathBuf {
        // So that no folder has too many entries.
        let first = id.as_str().get(..2).unwrap_or_default();
        self.root.join(first).join(id.as_str())
    }

    /// Keeps a picture. Nobody sees half of it: it gets its name when it is complete.
    pub(super) async fn write(&self, id: &ImageId, content: &[u8]) -> io::Result<()> {
        let path = self.path(id);
        if tokio::fs::try_exists(&path).await? {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let unfinished = path.with_extension(format!("{}.part", Secret::random::<5>().reveal()));
        tokio::fs::write(&unfinished, content).await?;
        tokio::fs::rename(&unfinished, &path).await
    }
}

/// What the files below a folder take; what cannot be read counts as nothing.
pub(super) fn size_of(folder: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => size_of(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
